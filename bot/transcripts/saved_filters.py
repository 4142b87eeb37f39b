"""Filters of the inbox that somebody keeps under a name."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bot.transcripts.inbox_filter import InboxFilter
from bot.transcripts.staff_models import SavedFilter

LONGEST = 60
MOST = 50


class NotSaved(ValueError):
    """A filter cannot be kept; ``reason`` is ``empty``, ``long`` or ``many``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Saved:
    """A filter with its name."""

    id: int
    name: str
    filter: InboxFilter


def all_of(session: Session, staff_id: int) -> list[Saved]:
    """Return the filters of an account in the order of their names."""
    found = session.scalars(select(SavedFilter).where(SavedFilter.staff_id == staff_id))
    return sorted((Saved(one.id, one.name, InboxFilter.from_query(one.query)) for one in found), key=lambda one: one.name.casefold())


def save(session: Session, staff_id: int, name: str, asked: InboxFilter) -> int:
    """Keep a filter under a name; another one of the same name is replaced. Return its id.

    Raises:
        NotSaved: if the name cannot be used, or the account has too many filters.
    """
    tidy = " ".join("".join(one if one.isprintable() else " " for one in name).split())
    if not tidy:
        raise NotSaved("empty")
    if len(tidy) > LONGEST:
        raise NotSaved("long")
    mine = SavedFilter.staff_id == staff_id
    known = session.scalar(select(SavedFilter.id).where(mine, SavedFilter.name == tidy))
    if known is None and (session.scalar(select(func.count()).select_from(SavedFilter).where(mine)) or 0) >= MOST:
        raise NotSaved("many")
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(SavedFilter).values(staff_id=staff_id, name=tidy, query=asked.to_query())
    session.execute(statement.on_conflict_do_update(index_elements=["staff_id", "name"], set_={"query": statement.excluded.query}))
    return session.execute(select(SavedFilter.id).where(mine, SavedFilter.name == tidy)).scalar_one()


def forget(session: Session, staff_id: int, filter_id: int) -> bool:
    """Delete a filter of an account; return whether it had it."""
    if not 0 < filter_id < 2**31:
        return False
    gone = session.execute(
        delete(SavedFilter)
        .where(SavedFilter.id == filter_id, SavedFilter.staff_id == staff_id)
        .execution_options(synchronize_session=False)
    )
    return bool(gone.rowcount)
