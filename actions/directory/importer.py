"""Import and export of the office table: read a file, check it, show what would change, change it, undo it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from actions.directory import changes, models
from actions.directory.database import PROJECT
from actions.directory.models import ABROAD, NEEDS, District, Meta, Office
from actions.directory.office_rows import COLUMNS, FORMULA, OfficeRow, PlaceIndex, Problem, Row, check_row, state_prefixes

MAX_BYTES = 20 * 1024 * 1024
# A small XLSX can unpack to gigabytes, and a sheet can claim a million rows.
MAX_UNPACKED = 200 * 1024 * 1024
MAX_ROWS = 50_000
BACKUPS_KEPT = 20
_LISTS = ("needs", "phone", "email", "website", "languages", "coverage", "professions")
_PLAIN = tuple(column for column in COLUMNS if column not in _LISTS)


class TableError(Exception):
    """The file cannot be read as an office table; the message says why and what to do."""


class ProblemsError(Exception):
    """Rows that had to be right are not; ``problems`` holds what is wrong."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(f"{len(problems)} problems in the office table")
        self.problems = list(problems)


class DirectoryChangedError(Exception):
    """Somebody else changed the directory between the plan and its application."""


def read_rows(path: Path, may_be_empty: bool = False) -> list[Row]:
    """Read an office table (CSV in UTF-8 with ``,`` or ``;``, or the first sheet of an XLSX file).

    Raises:
        TableError: if the file is no such table, is too large, or lacks columns.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise TableError(f"{path.name} has {size / 1e6:.0f} MB; at most {MAX_BYTES // 1024 // 1024} MB are read.")
        content = path.read_bytes()
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror}.") from error
    if not content.strip():
        raise TableError(f"{path.name} is empty.")
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise TableError(f"{path.name} is an old Excel file (.xls). Save it as .xlsx or as 'CSV UTF-8'.")
    lines = _xlsx_lines(path, content) if content.startswith(b"PK\x03\x04") else _csv_lines(path, content)
    if not lines:
        raise TableError(f"{path.name} is empty.")
    header = [name.strip().lower() for name in lines[0][1]]
    _check_header(path, header)
    if len(lines) == 1 and not may_be_empty:
        raise TableError(f"{path.name} has a header but no rows.")
    return [Row(line, dict(zip(header, map(_unquoted, cells), strict=False)), len(cells)) for line, cells in lines[1:]]


def _unquoted(cell: str) -> str:
    """Take away the mark with which a spreadsheet is told that a cell is text, not a formula (``'+49 231 ...``)."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in FORMULA else cell


def _check_header(path: Path, header: list[str]) -> None:
    missing = [c for c in COLUMNS if c not in header]
    unknown = [c for c in header if c not in COLUMNS]
    twice = [c for c, count in Counter(header).items() if count > 1]
    parts = [
        f"{what}: {', '.join(repr(c) if not c else c for c in names)}"
        for what, names in (("missing columns", missing), ("unknown columns", unknown), ("columns twice", twice))
        if names
    ]
    if parts:
        raise TableError(f"The first line of {path.name} is not the header of an office table ({'; '.join(parts)}).")


def _csv_lines(path: Path, content: bytes) -> list[tuple[int, list[str]]]:
    try:
        table = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TableError(f"{path.name} is not UTF-8 (line {line}). In Excel, save it as 'CSV UTF-8'.") from error
    if "\0" in table:
        raise TableError(f"{path.name} is not a text file. Save it as 'CSV UTF-8' or .xlsx.")
    head = table.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(table, newline=""), delimiter=max(",;", key=head.count), strict=True)
    lines: list[tuple[int, list[str]]] = []
    begin = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append((begin, cells))
            begin = reader.line_num + 1
            _check_count(path, lines)
    except csv.Error as error:
        raise TableError(f"{path.name}, record from line {begin}: {error}. Is a quotation mark missing?") from error
    return lines


def _xlsx_lines(path: Path, content: bytes) -> list[tuple[int, list[str]]]:
    from openpyxl import load_workbook

    lines: list[tuple[int, list[str]]] = []
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED:
                raise TableError(f"{path.name} is too large when unpacked.")
        # Formulas are read as their text, so that they are refused instead of silently taken with their last value.
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False)
        if not book.worksheets:
            raise TableError(f"{path.name} has no sheet.")
        sheet: Any = book.worksheets[0]
        sheet.reset_dimensions()
        names: list[str] = []
        for line, values in enumerate(sheet.iter_rows(values_only=True), 1):
            cells = [_excel_text(v, names[at] if at < len(names) else "") for at, v in enumerate(values)]
            while cells and not cells[-1].strip() and (not names or len(cells) > len(names)):
                cells.pop()
            if not any(cell.strip() for cell in cells):
                continue
            names = names or [cell.strip().lower() for cell in cells]
            lines.append((line, cells + [""] * (len(names) - len(cells))))  # Excel drops empty cells at the end
            _check_count(path, lines)
        book.close()
    except TableError:
        raise
    except Exception as error:  # openpyxl raises whatever a broken file makes it stumble over
        raise TableError(f"{path.name} cannot be read as an XLSX file: {error}") from error
    return lines


def _excel_text(value: Any, column: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and column in ("postcode", "coverage"):
        return f"{value:05d}"  # Excel turns 01067 into the number 1067
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    return value.isoformat() if isinstance(value, (date, datetime)) else str(value)


def _check_count(path: Path, lines: list[tuple[int, list[str]]]) -> None:
    if len(lines) > MAX_ROWS:
        raise TableError(f"{path.name} has more than {MAX_ROWS} rows.")


def validate(session: Session, rows: Iterable[Row], today: date | None = None) -> tuple[list[OfficeRow], list[Problem]]:
    """Check all rows; return the offices of the good ones and everything that is wrong, in the order of the file.

    Raises:
        PlacesMissingError: if the database has no places to check addresses against.
    """
    places = PlaceIndex(session)
    offices: list[OfficeRow] = []
    problems: list[Problem] = []
    first_line: dict[str, int] = {}
    for row in rows:
        office, found = check_row(row, places, today or date.today())
        key = row.cells.get("id", "").strip()
        if key and key in first_line:
            found.append(Problem(row.line, "id", key, f"stands in line {first_line[key]} already"))
            office = None
        first_line.setdefault(key, row.line)
        problems += found
        if office:
            offices.append(office)
    return offices, problems


class FieldChange(NamedTuple):
    """One cell that changes."""

    column: str
    old: str
    new: str


class Change(NamedTuple):
    """An office that changes, with the cells that differ."""

    office: OfficeRow
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True)
class Plan:
    """What an import will do. ``state`` is the directory it was made for; on another one it is not applied."""

    added: list[OfficeRow] = field(default_factory=list)
    changed: list[Change] = field(default_factory=list)
    removed: list[OfficeRow] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    state: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be done."""
        return not (self.added or self.changed or self.removed)


def from_office(office: Office) -> OfficeRow:
    """Return an office of the database in the form in which rows are compared and written."""
    contacts = sorted(office.contacts, key=lambda c: c.position)
    phones, emails, websites = (tuple(c.value for c in contacts if c.kind == kind) for kind in ("phone", "email", "website"))
    plain = {column: getattr(office, column) for column in _PLAIN}
    return OfficeRow(
        # Sorted here, not by the database: its collation depends on how it was set up.
        needs=tuple(sorted(n.need for n in office.needs)),
        phones=phones,
        emails=emails,
        websites=websites,
        languages=tuple(n.language for n in sorted(office.languages, key=lambda n: n.position)),
        coverage=tuple(sorted(c.prefix for c in office.coverage)),
        professions=tuple(sorted(p.profession for p in office.professions)),
        **plain,
    )


def stored_offices(session: Session) -> dict[str, OfficeRow]:
    """Return all offices of the directory by id, sorted."""
    offices = session.scalars(select(Office).execution_options(populate_existing=True))
    return {row.id: row for row in sorted(map(from_office, offices), key=lambda row: row.id)}


def fingerprint(offices: dict[str, OfficeRow]) -> str:
    """Return a short text that differs whenever a cell of the directory differs."""
    return hashlib.sha256(json.dumps([row.cells() for row in offices.values()]).encode()).hexdigest()


def plan(session: Session, offices: Iterable[OfficeRow], replace: bool = False) -> Plan:
    """Compare checked offices with the directory; ``replace`` also removes the offices that are not among them."""
    stored = stored_offices(session)
    made = Plan(state=fingerprint(stored))
    named = set()
    for office in offices:
        named.add(office.id)
        old = stored.get(office.id)
        if old is None:
            made.added.append(office)
        elif old == office:
            made.unchanged.append(office.id)
        else:
            before, after = old.cells(), office.cells()
            cells = (FieldChange(c, before[c], after[c]) for c in COLUMNS if before[c] != after[c])
            made.changed.append(Change(office, tuple(cells)))
    if replace:
        made.removed.extend(row for key, row in stored.items() if key not in named)
    return made


def apply(
    session: Session,
    plan: Plan,
    source: str = "own",
    folder: Path | None = None,
    who: str = changes.COMMAND,
    action: str = changes.IMPORT,
) -> Path | None:
    """Carry out a plan in one transaction, after saving the previous state; return the file with that state.

    The session is committed, or rolled back if anything fails. ``source`` is ``shipped`` for the offices that come
    with the project; ``folder`` is where the previous state is kept (:func:`backup_folder`). ``who`` and ``action``
    stand in the history (:mod:`actions.directory.changes`).

    Raises:
        DirectoryChangedError: if the directory is not the one that the plan was made for.
    """
    backup: Path | None = None
    try:
        lock(session)
        stored = stored_offices(session)
        if fingerprint(stored) != plan.state:
            raise DirectoryChangedError("The directory was changed by somebody else meanwhile. Please import again.")
        if plan.is_empty:
            session.commit()
            return None
        if stored or source == "own":
            backup = _keep(stored, folder or backup_folder())
        write(session, plan)
        _remember(session, plan, stored, source, who, action)
        state = fingerprint(stored_offices(session))
        if source == "shipped":
            set_meta(session, "offices_state", state)
        # An undo back to the shipped offices makes them the shipped ones again.
        shipped = session.get(Meta, "offices_state")
        set_meta(session, "offices_source", "shipped" if shipped and shipped.value == state else "own")
        session.commit()
    except BaseException:
        session.rollback()
        if backup:
            backup.unlink(missing_ok=True)
        raise
    for old in backups(folder)[BACKUPS_KEPT:]:
        old.unlink(missing_ok=True)
    return backup


def lock(session: Session) -> None:
    """Let only one import or edit write at a time, from the comparison to the commit."""
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("UPDATE meta SET value = value WHERE key = ''"))  # takes SQLite's one write lock
    else:
        session.execute(text("LOCK TABLE office IN SHARE ROW EXCLUSIVE MODE"))


def _remember(session: Session, plan: Plan, stored: dict[str, OfficeRow], source: str, who: str, action: str) -> None:
    """Write the history of a plan; the first filling with the shipped offices is its beginning and no part of it."""
    if source == "shipped":
        who, action = changes.PROJECT, changes.SHIPPED
    if stored or source != "shipped":
        after: list[OfficeRow | str] = [*plan.added, *(change.office for change in plan.changed)]
        after += [office.id for office in plan.removed]
        changes.record_table(session, who, action, stored, after)


def write(session: Session, plan: Plan, places: PlaceIndex | None = None) -> None:
    """Write a plan into the tables, without history and commit; the caller holds the :func:`lock`."""
    places = places or PlaceIndex(session)
    changed = [change.office for change in plan.changed]
    for row in [*plan.removed, *changed]:
        session.delete(session.get(Office, row.id))
    session.flush()
    session.add_all(_office(row, places) for row in [*plan.added, *changed])
    session.flush()


def _office(row: OfficeRow, places: PlaceIndex) -> Office:
    latitude, longitude = places.position(row) or (None, None)
    ways = [("phone", v) for v in row.phones] + [("email", v) for v in row.emails]
    ways += [("website", v) for v in row.websites]
    return Office(
        **{column: getattr(row, column) for column in _PLAIN},
        latitude=latitude,
        longitude=longitude,
        needs=[models.OfficeNeed(need=v) for v in row.needs],
        coverage=[models.OfficeCoverage(prefix=v) for v in row.coverage],
        languages=[models.OfficeLanguage(language=v, position=at) for at, v in enumerate(row.languages)],
        professions=[models.OfficeProfession(profession=v) for v in row.professions],
        contacts=[models.OfficeContact(position=at, kind=kind, value=v) for at, (kind, v) in enumerate(ways)],
    )


def set_meta(session: Session, key: str, value: str) -> None:
    """Store a fact about the database itself."""
    row = session.get(Meta, key) or Meta(key=key)
    row.value = value
    row.changed_at = datetime.now(timezone.utc).replace(tzinfo=None)
    session.add(row)


def export(session: Session, path: Path) -> int:
    """Write all offices into a CSV or (by its ending) XLSX file, ordered by id; return how many.

    Raises:
        OSError: if the file cannot be written.
    """
    offices = stored_offices(session)
    write_table(path, offices.values())
    return len(offices)


def write_table(path: Path, offices: Iterable[OfficeRow], for_excel: bool = False) -> None:
    """Write offices as a table; the file appears only when it is complete.

    ``for_excel`` makes a CSV file that a German Excel opens in columns, and in which a phone number that begins with +
    stays a text (``'+49 ...``); it can be imported again.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.suffix.lower() == ".xlsx":
            _write_xlsx(partial, offices)
        else:
            with partial.open("w", encoding="utf-8-sig" if for_excel else "utf-8", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS, delimiter=";" if for_excel else ",", lineterminator="\r\n" if for_excel else "\n")
                writer.writeheader()
                writer.writerows(_for_excel(office.cells()) if for_excel else office.cells() for office in offices)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _for_excel(cells: dict[str, str]) -> dict[str, str]:
    return {column: f"'{value}" if value[:1] in FORMULA else value for column, value in cells.items()}


def _write_xlsx(path: Path, offices: Iterable[OfficeRow]) -> None:
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "offices"
    sheet.append(COLUMNS)
    for office in offices:
        sheet.append([value or None for value in office.cells().values()])
    for cells in sheet.iter_rows():
        for cell in cells:
            if cell.data_type == "f":
                cell.data_type = "s"  # whatever begins with = is text here, never a formula
            cell.number_format = "@"  # text: Excel must not cut leading zeros when somebody edits a postcode
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.freeze_panes = "B2"
    with path.open("wb") as file:
        book.save(file)


def backup_folder() -> Path:
    """Return where the states before each import are kept: ``LOTSE_HOME/directory-backups``."""
    return Path(os.environ.get("LOTSE_HOME") or PROJECT / "var") / "directory-backups"


def backups(folder: Path | None = None) -> list[Path]:
    """Return the kept states, the newest first."""
    return sorted((p for p in (folder or backup_folder()).glob("*.csv") if re.match(r"\d{8}T", p.name)), reverse=True)


def _keep(offices: dict[str, OfficeRow], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S.%fZ}.csv"
    write_table(path, offices.values())
    return path


class Undone(NamedTuple):
    """What an undo did: the state it went back to, what changed, and where the state before the undo is kept."""

    restored: Path
    plan: Plan
    kept: Path | None


def undo(session: Session) -> Undone | None:
    """Go back to the state before the last applied import; return none if no state is kept.

    The restored file is used up, so that the next undo goes one import further back; the state before the undo is kept
    in the folder ``undone``.

    Raises:
        ProblemsError: if the kept state breaks today's rules; nothing is changed.
        DirectoryChangedError: if offices were edited one by one since then, which the undo would throw away.
    """
    newest = next(iter(backups()), None)
    if newest is None:
        return None
    # The clock may have been wrong when the state was checked, but it was accepted then.
    offices, problems = validate(session, read_rows(newest, may_be_empty=True), today=date.max)
    if any(not p.warning for p in problems):
        raise ProblemsError([p for p in problems if not p.warning])
    made = plan(session, offices, replace=True)
    # After the plan: what is edited later still makes `apply` refuse.
    edited = changes.single_changes_since(session, datetime.strptime(newest.stem, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=timezone.utc))
    if edited:
        names = ", ".join(sorted({change.office_id for change in edited})[:5])
        raise DirectoryChangedError(
            f"Since that import offices were edited one by one ({names}). Going back would lose these edits: undo them in the "
            f"history of the review first, or see what would be lost with: lotse directory import {newest} --replace --dry-run"
        )
    kept = apply(session, made, folder=backup_folder() / "undone", action=changes.IMPORT_UNDO)
    newest.unlink()
    return Undone(newest, made, kept)


def stale(session: Session, days: int, today: date | None = None) -> list[OfficeRow]:
    """Return the offices that were last checked more than ``days`` days ago, the oldest first."""
    limit = (today or date.today()) - timedelta(days=days)
    old = (office for office in stored_offices(session).values() if office.checked_on < limit)
    return sorted(old, key=lambda office: (office.checked_on, office.id))


class Finding(NamedTuple):
    """Something in the directory that somebody should look at."""

    kind: str  # no_contact, expired, unconfirmed, no_confirmed_office, coverage_gap
    subject: str  # an office's id, or a need and a state
    text: str


def check(session: Session, today: date | None = None) -> list[Finding]:
    """Return what is missing or doubtful in the directory as a whole."""
    day = today or date.today()
    offices = stored_offices(session).values()
    found = []
    for office in offices:
        if not (office.phones or office.emails or office.websites):
            found.append(Finding("no_contact", office.id, "has no phone, no e-mail and no website"))
        if office.valid_until and office.valid_until < day:
            found.append(Finding("expired", office.id, f"ended on {office.valid_until}"))
        if not office.confirmed:
            found.append(Finding("unconfirmed", office.id, f"confidence {office.confidence}: {office.name}"))
    districts = list(session.scalars(select(District.ags).order_by(District.ags)))
    for need in NEEDS:
        if need != "out_of_scope":
            serving = [office for office in offices if need in office.needs and office.is_current(day)]
            found += _need_gaps(need, serving, districts)
    return sorted(found)


def _need_gaps(need: str, offices: list[OfficeRow], districts: list[str]) -> Iterator[Finding]:
    anywhere = {prefix for office in offices for prefix in office.coverage}
    confirmed = {prefix for office in offices if office.confirmed for prefix in office.coverage}
    # In danger or to reach a person, a nationwide line is enough; and a need that nobody serves regionally has no gaps.
    if need in ("crisis", "human") or not anywhere - {"", ABROAD}:
        if "" not in confirmed:
            yield Finding("no_confirmed_office", need, "no confirmed office in the whole country")
        return
    instead = "only nationwide ones" if "" in confirmed else "nor a nationwide one"
    for state, ags in state_prefixes().items():
        if not any(prefix.startswith(ags) for prefix in confirmed):
            yield Finding("no_confirmed_office", f"{need} {state}", f"no confirmed regional office, {instead}")
        keys = [key for key in districts if key.startswith(ags)]
        gaps = [key for key in keys if not {key, ags} & anywhere]
        if 0 < len(gaps) < len(keys):
            named = ", ".join(gaps[:8]) + (", ..." if len(gaps) > 8 else "")
            text = f"{len(gaps)} of {len(keys)} districts have no regional office ({named})"
            yield Finding("coverage_gap", f"{need} {state}", text)
