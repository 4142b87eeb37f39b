"""Changing one office: from the fields of a form through the checks of the importer into the tables and the history.

All functions work in the transaction of the caller, who commits. They hold the same lock as an import, from the comparison
with what the editor saw to the end of the transaction, so neither overwrites the other.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property, lru_cache

from babel import Locale
from sqlalchemy import select
from sqlalchemy.orm import Session

from actions.directory import changes, importer
from actions.directory.models import District, Office, OfficeChange
from actions.directory.office_rows import COLUMNS, OfficeRow, PlaceIndex, Problem, Row, check_row, shown
from actions.directory.text import fold, name_key

ID_LIMIT = 80
STALE_DAYS = 180
# Fields of the form that hold one text, several lines, or several choices.
TEXTS = (
    "kind", "name", "carrier", "street", "postcode", "city", "state", "opening_hours", "appointment", "coverage_note",
    "valid_from", "valid_until", "confirmed", "confidence", "source_url", "source_date", "checked_on", "remark",
)  # fmt: skip
LINES = ("phone", "email", "website", "more_languages", "districts", "professions")
CHOICES = ("needs", "languages", "coverage", "fields")
# Opening hours are kept with English days; German ones are understood.
_GERMAN = {"Di": "Tu", "Mi": "We", "Do": "Th", "So": "Su", "Feiertage": "PH", "geschlossen": "off"}
_GERMAN_HOURS = re.compile(rf"\b({'|'.join(_GERMAN)})\b")
_AREA = re.compile(r"(kreisfreie stadt|stadtkreis|landkreis|kreis|stadt|region|regionalverband) ")
_TRAILING = re.compile(r" (kreis|landeshauptstadt|universitaetsstadt|freie und hansestadt|stadt)\b.*")


class EditConflict(Exception):
    """The office is not (any more) what the editor saw; ``current`` is what it is now, none if it is gone."""

    def __init__(self, current: OfficeRow | None) -> None:
        super().__init__("The office was changed or removed by somebody else meanwhile.")
        self.current = current


class UndoRefused(Exception):
    """A change cannot be undone.

    ``reason`` is ``undone`` (already), ``later`` (the fields were changed again, by ``later`` if that is known), ``exists``
    (a removed office's id is taken again) or ``rules`` (what was before breaks the rules, see ``problems``).
    """

    def __init__(self, reason: str, later: changes.Change | None = None, problems: Sequence[Problem] = ()) -> None:
        super().__init__(reason)
        self.reason, self.later, self.problems = reason, later, list(problems)


FormValues = Mapping[str, Sequence[str]]


def version(office: OfficeRow) -> str:
    """Return a short text that differs whenever a cell of the office differs."""
    return hashlib.sha256(json.dumps(office.cells(), sort_keys=True).encode()).hexdigest()[:24]


def load(session: Session, office_id: str) -> OfficeRow | None:
    """Return an office as it is stored now; none if there is none."""
    office = session.get(Office, office_id, populate_existing=True)
    return importer.from_office(office) if office is not None else None


# ---------------------------------------------------------------- forms


def form_values(office: OfficeRow, districts: Mapping[str, District]) -> dict[str, list[str]]:
    """Return the fields of the form for an office."""
    cells = office.cells()
    values = {name: [cells[name]] for name in TEXTS}
    coverage = cells["coverage"].split(";")
    values |= {
        "phone": list(office.phones),
        "email": list(office.emails),
        "website": list(office.websites),
        "needs": list(office.needs),
        "languages": list(office.languages),
        "more_languages": [],
        "coverage": [item for item in coverage if item not in districts],
        "districts": [f"{item} {districts[item].name}" for item in coverage if item in districts],
        "fields": [item for item in office.professions if item.startswith("field:")],
        "professions": [item for item in office.professions if not item.startswith("field:")],
    }
    return values


def cells_of(values: FormValues, places: PlaceIndex, languages_before: Sequence[str] = ()) -> tuple[dict[str, str], list[Problem]]:
    """Return the cells of an office table for the fields of a form, and what already cannot be read.

    Args:
        values: the fields by name (:data:`TEXTS`, :data:`LINES`, :data:`CHOICES`); several values are several items.
        places: the places of the directory.
        languages_before: the languages in the order in which they stand, which the form does not show.
    """
    problems: list[Problem] = []
    cells = {name: " ".join("".join(values.get(name, ())[:1]).split()) for name in TEXTS}
    cells["confirmed"] = "true" if cells["confirmed"] == "true" else "false"
    cells["id"] = ""
    cells["opening_hours"] = _GERMAN_HOURS.sub(lambda found: _GERMAN[found.group()], cells["opening_hours"]).replace("–", "-")
    cells["needs"] = ";".join(_items(values, "needs"))
    cells["phone"] = " / ".join(_items(values, "phone"))
    cells["email"] = ";".join(_items(values, "email"))
    cells["website"] = ";".join(map(_with_scheme, _items(values, "website")))
    spoken = [*_items(values, "languages"), *_read(values, "more_languages", "languages", _language_code, problems)]
    cells["languages"] = ";".join(sorted(spoken, key=lambda code: _position(languages_before, code)))
    named = _read(values, "districts", "coverage", _Districts(places.districts).key, problems)
    cells["coverage"] = ";".join([*_items(values, "coverage"), *named])
    cells["professions"] = ";".join([*_items(values, "fields"), *_items(values, "professions")])
    return {column: cells[column] for column in COLUMNS}, problems


def _items(values: FormValues, name: str) -> list[str]:
    lines = [" ".join(line.split()) for value in values.get(name, ()) for line in value.splitlines()]
    return [line for line in lines if line]


def _read(values: FormValues, name: str, column: str, parse: Callable[[str], str], problems: list[Problem]) -> list[str]:
    found = []
    for item in _items(values, name):
        try:
            found.append(parse(item))
        except ValueError as error:
            problems.append(Problem(0, column, shown(item), str(error)))
    return found


def _position(order: Sequence[str], item: str) -> int:
    return order.index(item) if item in order else len(order)


def _with_scheme(line: str) -> str:
    # People leave it out. Without it the importer would take the line for the rest of the address above it.
    return line if re.match(r"https?://", line) else f"https://{line}"


@lru_cache(maxsize=1)
def _language_codes() -> dict[str, str]:
    names = {"dari": "prs"}  # Babel calls it Persian of Afghanistan, fa_AF
    for language in ("en", "de"):
        for code, name in Locale(language).languages.items():
            if re.fullmatch("[a-z]{2,3}", code):
                names.setdefault(fold(name), code)
    return names


def _language_code(text: str) -> str:
    if re.fullmatch("[a-z]{2,3}", text):
        return text  # the importer knows whether it is one
    code = _language_codes().get(fold(text))
    if code is None:
        raise ValueError(f"{shown(text)!r} is not a language that is known by this name")
    return code


@dataclass(frozen=True)
class _Districts:
    """The districts by what people call them: in full, and without "Landkreis" and the like (which may be several)."""

    districts: Mapping[str, District]

    @cached_property
    def _exact(self) -> dict[str, list[str]]:
        return self._by(lambda full: {full})

    @cached_property
    def _bare(self) -> dict[str, list[str]]:
        return self._by(lambda full: {full, _AREA.sub("", full), _TRAILING.sub("", full)})

    def _by(self, keys: Callable[[str], set[str]]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for ags, district in self.districts.items():
            for key in keys(name_key(district.name)):
                found.setdefault(key, []).append(ags)
        return found

    def key(self, text: str) -> str:
        """Return the key of a district.

        Raises:
            ValueError: if there is none of this name, or several.
        """
        given = re.match(r"(\d{5})\b", text, re.ASCII)
        if given or re.fullmatch(r"\d+", text, re.ASCII):
            return given.group(1) if given else text  # the importer knows whether it is one
        wanted = name_key(text)
        exact = self._exact.get(wanted, [])
        found = exact if len(exact) == 1 else self._bare.get(wanted, [])
        if not found:
            raise ValueError(f"{shown(text)!r} is not the name of a district")
        if len(found) > 1:
            options = "; ".join(f"{ags} {self.districts[ags].name}" for ags in found[:6])
            raise ValueError(f"{shown(text)!r} may be several districts: {options}")
        return found[0]


def check(cells: Mapping[str, str], places: PlaceIndex, today: date, found: Iterable[Problem] = ()) -> OfficeRow:
    """Return the office of checked cells.

    Raises:
        ProblemsError: if something is wrong, or ``found`` (what the form could not read) is not empty.
    """
    office, problems = check_row(Row(0, dict(cells)), places, today)
    # A cell that lacks only what could not be read is not also missing.
    unread = {problem.column for problem in found}
    problems = [*found, *(p for p in problems if not (p.column in unread and p.reason == "is missing"))]
    wrong = [problem for problem in problems if not problem.warning]
    if wrong or office is None:
        raise importer.ProblemsError(wrong)
    return office


def warnings(office: OfficeRow, places: PlaceIndex) -> list[Problem]:
    """Return what is doubtful about an office, such as a town that is not in the list."""
    return check_row(Row(0, office.cells()), places, date.max)[1]


# ---------------------------------------------------------------- changes


def create(session: Session, values: FormValues, who: str, today: date, at: datetime) -> tuple[OfficeRow, OfficeChange]:
    """Add an office; its id is made from its name and town.

    Raises:
        ProblemsError: if something is wrong; nothing is changed.
    """
    importer.lock(session)
    places = PlaceIndex(session)
    cells, found = cells_of(values, places)
    cells["id"] = new_id(session, cells["name"], cells["city"])
    return _put(session, None, check(cells, places, today, found), changes.CREATE, who, at, places)


def new_id(session: Session, name: str, city: str) -> str:
    """Return an id for a new office that no office has or had: a new office must not inherit another one's history."""
    words = re.findall("[a-z0-9]+", fold(name))
    town = re.findall("[a-z0-9]+", fold(city))
    words += [word for word in town if word not in words]
    slug = "office"
    for word in words:
        longer = f"{slug}-{word}" if slug != "office" else word
        if len(longer) > ID_LIMIT - 6:
            break
        slug = longer
    used = set(session.scalars(select(Office.id).where(Office.id.startswith(slug, autoescape=True))))
    used |= set(session.scalars(select(OfficeChange.office_id).where(OfficeChange.office_id.startswith(slug, autoescape=True))))
    number = 1
    while (candidate := slug if number == 1 else f"{slug}-{number}") in used:
        number += 1
    return candidate


def change(
    session: Session, office_id: str, seen: str, values: FormValues, who: str, today: date, at: datetime
) -> tuple[OfficeRow, OfficeChange] | None:
    """Change an office to what a form says; return none if it says so already.

    Args:
        session: the transaction.
        office_id: which office.
        seen: the :func:`version` that the editor saw.
        values: the fields of the form.
        who: the editor.
        today: the day, for ``checked_on``.
        at: the moment.

    Raises:
        EditConflict: if the office is not what the editor saw.
        ProblemsError: if something is wrong; nothing is changed.
    """
    current = _as_seen(session, office_id, seen)
    places = PlaceIndex(session)
    cells, found = cells_of(values, places, current.languages)
    cells["id"] = office_id
    office = check(cells, places, today, found)
    return None if office == current else _put(session, current, office, changes.CHANGE, who, at, places)


def mark_checked(session: Session, office_id: str, seen: str, who: str, today: date, at: datetime) -> tuple[OfficeRow, OfficeChange] | None:
    """Note that the facts of an office were looked up today; return none if that is noted already.

    Raises:
        EditConflict: if the office is not what the editor saw.
    """
    current = _as_seen(session, office_id, seen)
    if current.checked_on == today:
        return None
    return _put(session, current, replace(current, checked_on=today), changes.CHECK, who, at)


def close(
    session: Session, office_id: str, seen: str, last_day: str, who: str, today: date, at: datetime
) -> tuple[OfficeRow, OfficeChange] | None:
    """Set the last day of an office; return none if it is set already.

    Raises:
        EditConflict: if the office is not what the editor saw.
        ProblemsError: if this cannot be its last day.
    """
    current = _as_seen(session, office_id, seen)
    places = PlaceIndex(session)
    cells = {**current.cells(), "valid_until": last_day}
    if not last_day:
        raise importer.ProblemsError([Problem(0, "valid_until", "", "is missing")])
    # Only the last day is new; whatever else stands there was accepted when it was written.
    office, problems = check_row(Row(0, cells), places, date.max)
    wrong = [problem for problem in problems if not problem.warning]
    if office is None:
        raise importer.ProblemsError(wrong)
    return None if office == current else _put(session, current, office, changes.CLOSE, who, at, places)


def delete(session: Session, office_id: str, seen: str, who: str, at: datetime) -> OfficeChange:
    """Remove an office; its history stays, and the removal can be undone.

    Raises:
        EditConflict: if the office is not what the editor saw.
    """
    current = _as_seen(session, office_id, seen)
    importer.write(session, importer.Plan(removed=[current]))
    return _remember(session, who, changes.DELETE, current, None, at)


def undo(session: Session, change_id: int, who: str, at: datetime) -> tuple[changes.Change, OfficeChange] | None:
    """Undo a change: set back the fields that it touched, and only these. The undo is a change of its own.

    Returns:
        The change and its undo; none if there is no such change.

    Raises:
        UndoRefused: if the fields were changed again, or what was before cannot be restored.
    """
    importer.lock(session)
    made = changes.find(session, change_id)
    if made is None:
        return None
    if made.undone_by is not None:
        raise UndoRefused("undone")
    current = load(session, made.office_id)
    now, after = (current.cells() if current else None), made.after
    later = changes.later_change(session, made)
    same = (now is None) == (after is None) and all((now or {}).get(c) == (after or {}).get(c) for c in made.columns)
    if later is not None or not same:
        raise UndoRefused("exists" if after is None and now is not None else "later", later)
    restored = None
    if made.before is not None:
        cells = dict(made.before) if now is None else {**now, **{c: made.before.get(c, "") for c in made.columns}}
        # The clock may have been wrong when the state before was checked, but it was accepted then.
        restored, problems = check_row(Row(0, cells), PlaceIndex(session), date.max)
        if restored is None:
            raise UndoRefused("rules", problems=[problem for problem in problems if not problem.warning])
    if restored is None:
        assert current is not None
        importer.write(session, importer.Plan(removed=[current]))
        done = _remember(session, who, changes.UNDO, current, None, at)
    else:
        _, done = _put(session, current, restored, changes.UNDO, who, at)
    row = session.get(OfficeChange, change_id)
    assert row is not None
    row.undone_by = done.id
    session.flush()
    return made, done


def _as_seen(session: Session, office_id: str, seen: str) -> OfficeRow:
    importer.lock(session)
    current = load(session, office_id)
    if current is None or version(current) != seen:
        raise EditConflict(current)
    return current


def _put(
    session: Session,
    before: OfficeRow | None,
    after: OfficeRow,
    action: str,
    who: str,
    at: datetime,
    places: PlaceIndex | None = None,
) -> tuple[OfficeRow, OfficeChange]:
    plan = importer.Plan(changed=[importer.Change(after, ())]) if before else importer.Plan(added=[after])
    importer.write(session, plan, places)
    return after, _remember(session, who, action, before, after, at)


def _remember(session: Session, who: str, action: str, before: OfficeRow | None, after: OfficeRow | None, at: datetime) -> OfficeChange:
    row = changes.record(session, who, action, before, after, at)
    session.flush()
    return row
