"""The history of the offices: who changed which cells when, and whether a change can still be undone.

Every way of changing an office writes here in its own transaction: the forms of the review, an import, an update of the
shipped offices, an undo. Nothing is ever taken out of the history; an undo is a change of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from sqlalchemy import select
from sqlalchemy.orm import Session

from actions.directory.models import OfficeChange
from actions.directory.office_rows import COLUMNS, OfficeRow

CREATE, CHANGE, CHECK, CLOSE, DELETE, UNDO = "create", "change", "check", "close", "delete", "undo"
IMPORT, IMPORT_UNDO, SHIPPED = "import", "import_undo", "shipped"
# Whole tables change by these; they have their own undo (the kept states of the importer).
OF_TABLES = (IMPORT, IMPORT_UNDO, SHIPPED)
# Who changes an office where nobody is logged in.
COMMAND, PROJECT = "command line", "shipped data"

Cells = Mapping[str, str]


@dataclass(frozen=True)
class FieldDiff:
    """One cell before and after a change; ``None`` where the office did not exist."""

    column: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Change:
    """One line of the history."""

    id: int
    at: datetime
    who: str
    office_id: str
    action: str
    before: Cells | None
    after: Cells | None
    undone_by: int | None

    @property
    def name(self) -> str:
        """The name of the office after the change, or before it if it was removed."""
        return (self.after or self.before or {}).get("name", self.office_id)

    @property
    def fields(self) -> tuple[FieldDiff, ...]:
        """The cells that differ, in the order of the columns; of an office that came or went, those that hold something."""
        before, after = self.before, self.after
        if before is None or after is None:
            cells = before or after or {}
            gone = after is None
            held = (column for column in COLUMNS if cells.get(column))
            return tuple(FieldDiff(c, cells[c] if gone else None, None if gone else cells[c]) for c in held)
        return tuple(FieldDiff(c, before.get(c, ""), after.get(c, "")) for c in COLUMNS if before.get(c, "") != after.get(c, ""))

    @property
    def columns(self) -> frozenset[str]:
        """The columns that the change touches; all of them if the office came or went."""
        if self.before is None or self.after is None:
            return frozenset(COLUMNS)
        return frozenset(field.column for field in self.fields)


def record(
    session: Session, who: str, action: str, before: OfficeRow | None, after: OfficeRow | None, at: datetime | None = None
) -> OfficeChange:
    """Add a change to the history, in the transaction of the change; its id is known after a flush.

    Args:
        session: the transaction.
        who: the name of the person, or :data:`COMMAND` or :data:`PROJECT`.
        action: one of the words of this module.
        before: the office before; none if it is new.
        after: the office after; none if it is removed.
        at: the moment; now if not given.

    Raises:
        ValueError: if there is neither an office before nor after.
    """
    office = after or before
    if office is None:
        raise ValueError("A change needs an office.")
    moment = (at or datetime.now(timezone.utc)).astimezone(timezone.utc).replace(tzinfo=None)
    row = OfficeChange(
        at=moment,
        who=who[:120],
        office_id=office.id,
        action=action,
        before=before.cells() if before else None,
        after=after.cells() if after else None,
    )
    session.add(row)
    return row


def record_table(session: Session, who: str, action: str, before: Mapping[str, OfficeRow], offices: Iterable[OfficeRow | str]) -> None:
    """Add what an import did.

    Args:
        session: the transaction.
        who: who imported.
        action: :data:`IMPORT`, :data:`IMPORT_UNDO` or :data:`SHIPPED`.
        before: the offices before the import, by id.
        offices: the offices after it that are new or differ, and the ids of those that are gone.
    """
    at = datetime.now(timezone.utc)
    for office in offices:
        if isinstance(office, str):
            record(session, who, action, before[office], None, at)
        else:
            record(session, who, action, before.get(office.id), office, at)


def find(session: Session, change_id: int) -> Change | None:
    """Return a change by its id; none if there is none."""
    # Ids of databases are small; a larger number is no id but would be an error of the driver.
    row = session.get(OfficeChange, change_id, populate_existing=True) if 0 < change_id < 2**31 else None
    return _change(row) if row is not None else None


def history(session: Session, *, office_id: str = "", who: str = "", before: int | None = None, limit: int = 50) -> list[Change]:
    """Return changes, the newest first.

    Args:
        session: a session on the directory.
        office_id: only of this office.
        who: only by this person.
        before: only changes with a smaller id (paging).
        limit: how many at the most.
    """
    query = select(OfficeChange).order_by(OfficeChange.id.desc()).limit(limit)
    if office_id:
        query = query.where(OfficeChange.office_id == office_id)
    if who:
        query = query.where(OfficeChange.who == who)
    if before is not None:
        query = query.where(OfficeChange.id < min(before, 2**31 - 1))
    return [_change(row) for row in session.scalars(query.execution_options(populate_existing=True))]


def people(session: Session) -> list[str]:
    """Return who has changed something, sorted."""
    return sorted(session.scalars(select(OfficeChange.who).distinct()))


def later_change(session: Session, change: Change) -> Change | None:
    """Return the newest later change of the same office that touched a field of ``change`` and still holds; else none.

    A later change that was undone does not count, nor does the undo that took it back.
    """
    query = select(OfficeChange).where(OfficeChange.office_id == change.office_id, OfficeChange.id > change.id)
    later = [_change(row) for row in session.scalars(query.order_by(OfficeChange.id.desc()))]
    taken_back = {one.undone_by for one in later if one.undone_by is not None}
    for one in later:
        if one.undone_by is None and one.id not in taken_back and one.columns & change.columns:
            return one
    return None


def single_changes_since(session: Session, moment: datetime) -> list[Change]:
    """Return what was changed office by office since a moment (not by tables) and was not undone, the newest first."""
    at = moment.astimezone(timezone.utc).replace(tzinfo=None)
    query = select(OfficeChange).where(OfficeChange.at >= at, OfficeChange.action.not_in(OF_TABLES))
    found = [_change(row) for row in session.scalars(query.order_by(OfficeChange.id.desc()))]
    taken_back = {one.undone_by for one in found if one.undone_by is not None}
    return [one for one in found if one.undone_by is None and one.id not in taken_back]


def _change(row: OfficeChange) -> Change:
    at = row.at.replace(tzinfo=timezone.utc)
    return Change(row.id, at, row.who, row.office_id, row.action, row.before, row.after, row.undone_by)
