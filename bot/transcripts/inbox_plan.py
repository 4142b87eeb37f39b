"""How the list of transcripts is read from the database: quickly also among a million, whatever is filtered.

Each filter that has an index in the order of the list can *drive* the query. How many rows each of them has is counted
first, up to a limit (that is cheap: only the index is read). If the rarest has few rows, they are taken as they are and
sorted; else its index is walked from the newest end until the page is full. The databases' own planners do not know how
rare a value is (SQLite), or believe that a page is soon full (PostgreSQL), hence the decision is made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Column, false, func, literal, literal_column, select, text, true, tuple_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement, Select, visitors
from sqlalchemy.sql.visitors import InternalTraversal

from bot.transcripts.inbox_filter import ALL, FLAGS, ME, NO_STATE, NOBODY, InboxFilter
from bot.transcripts.models import UtcDateTime
from bot.transcripts.record_models import Transcript, TranscriptLabel, TranscriptNeed, TranscriptOffice
from bot.transcripts.staff_sessions import SignedIn

ZONE = ZoneInfo("Europe/Berlin")
# So many rows are taken and sorted; of more the index is walked.
FEW, MANY = 8_000, 20_000
# Beyond this it does not matter how many there are.
COUNTED = 30_000
T: Any = Transcript.__table__
# As the index says it, word for word: SQLite only sees so that it can be used.
URGENT = text("(transcript.crisis OR transcript.dangerous) AND transcript.review_state = 'new'")
# Judging an answer dangerous takes a conversation into work; it stays on top until somebody is done with it.
DANGEROUS_IN_WORK = text("transcript.dangerous AND transcript.review_state = 'in_review'")
_COLUMNS = frozenset(one for one in T.c if one.name != "id")
_COUNTS, _STEERED = "counts of drivers", "steered transaction"
# PostgreSQL, for one transaction: rows are looked up one by one from what drives. Its planner would rather read the whole
# table, because it takes each look-up for a move of a disk's arm; and compiling a plan takes longer than carrying it out.
_STEER = text(
    "SELECT set_config('random_page_cost', '1.1', true), set_config('enable_hashjoin', 'off', true), "
    "set_config('enable_mergejoin', 'off', true), set_config('enable_seqscan', 'off', true), "
    "set_config('max_parallel_workers_per_gather', '0', true), set_config('jit', 'off', true)"
)


@dataclass(frozen=True)
class Driver:
    """A way to read transcripts in the order of the list: an index that begins with what a filter asks for."""

    clause: Any
    id: Any = T.c.id
    at: Any = T.c.last_activity_at
    # Whether the index has the rows in the order of the list, each once: not if it is asked for several values.
    walkable: bool = True

    @property
    def table(self) -> Any:
        """The table that the index belongs to."""
        return self.id.table


@dataclass(frozen=True)
class Condition:
    """One condition on a transcript, and how the list can be driven by it (if it can)."""

    clause: Any
    driver: Driver | None = None


@dataclass(frozen=True)
class Plan:
    """How one list is read."""

    conditions: tuple[Condition, ...]
    period: tuple[datetime | None, datetime | None]
    driver: Driver | None  # None: the whole table in its order
    few: bool

    def ids(self, beyond: tuple[datetime, int] | None = None, newest_first: bool = True) -> Select:
        """Return the query for ids and times in the order of the list.

        Args:
            beyond: only what follows this place in the list.
            newest_first: the order.
        """
        query, id_, at = self.base()
        if beyond is not None:
            place = tuple_(literal(beyond[0], UtcDateTime()), literal(beyond[1]))
            query = query.where(tuple_(at, id_) < place if newest_first else tuple_(at, id_) > place)
        return query.order_by(at.desc(), id_.desc()) if newest_first else query.order_by(at.asc(), id_.asc())

    def states(self) -> Select:
        """Return the query for the tabs in which the transcripts are."""
        return self.base()[0].with_only_columns(T.c.review_state, maintain_column_froms=True)

    def base(self) -> tuple[Select, Any, Any]:
        """Return the query for ids and times without an order, and the two columns that make the order."""
        others = [free(one.clause) for one in self.conditions if one.driver is None or one.driver is not self.driver]
        driver = self.driver or Driver(true())
        if self.few:
            few = few_ids(driver, self.period)
            at = free(T.c.last_activity_at)
            return select(few.c.id, at.label("at")).select_from(few.join(T, T.c.id == few.c.id)).where(*others), few.c.id, at
        chosen = [driver.clause, *others, *within(driver.at, self.period)]
        query = select(driver.id.label("id"), driver.at.label("at")).where(*chosen)
        if driver.table is not T:
            query = query.join_from(driver.table, T, T.c.id == driver.id)
        return query, driver.id, driver.at

    def matches(self) -> list[Any]:
        """Return all conditions on a row of the table, for a query that something else drives."""
        return [*(free(one.clause) for one in self.conditions), *within(free(T.c.last_activity_at), self.period)]


class _Free(ColumnElement):
    """A column in a condition for which SQLite must not look for an index."""

    inherit_cache = True
    _traverse_internals = [("column", InternalTraversal.dp_clauseelement)]

    def __init__(self, column: Any) -> None:
        self.column = column
        self.type = column.type


@compiles(_Free)
def _free_elsewhere(element: _Free, compiler: Any, **more: Any) -> str:
    return str(compiler.process(element.column, **more))


@compiles(_Free, "sqlite")
def _free_in_sqlite(element: _Free, compiler: Any, **more: Any) -> str:
    return f"+{compiler.process(element.column, **more)}"


def free(clause: Any) -> Any:
    """Return a condition that is checked on each row: no index of the table of transcripts is chosen for it."""
    if isinstance(clause, Column):
        return _Free(clause)
    return visitors.replacement_traverse(clause, {}, _freed)


def _freed(part: Any) -> Any:
    # The id stays as it is: transcripts are looked up by it.
    return _Free(part) if part in _COLUMNS else None


def few_ids(driver: Driver, period: tuple[datetime | None, datetime | None]) -> Any:
    """Return the ids of a driver with few rows as a table of their own, which no planner takes apart."""
    chosen = select(driver.id.label("id")).where(driver.clause, *within(driver.at, period)).distinct()
    return chosen.cte("few").prefix_with("MATERIALIZED", dialect="postgresql")


def make(session: Session, staff: SignedIn, asked: InboxFilter, tab: str | None = None, urgent: Any = None) -> Plan:
    """Return how to read what somebody asks for.

    Args:
        session: a session.
        staff: who asks; nothing outside the own regions is in the list.
        asked: the filter.
        tab: another tab than that of the filter.
        urgent: instead of a tab, what stands on top: :data:`URGENT` or :data:`DANGEROUS_IN_WORK`.
    """
    _steer(session)
    first = [Condition(urgent, Driver(urgent))] if urgent is not None else []
    conditions = (*first, *_conditions(staff, asked), *(_tab(tab or asked.tab) if urgent is None else []))
    period = (_begin(asked.since), _begin(asked.until + timedelta(days=1)) if asked.until else None)
    drivers = [(one.driver, _count(session, one.driver, period)) for one in conditions if one.driver is not None]
    rarest, count = min(drivers, key=lambda one: one[1], default=(None, 0))
    # Several regions are no index to walk along: sorting more of their rows is still quicker than to walk past all others.
    if rarest is not None and count <= (FEW if rarest.walkable else MANY):
        return Plan(conditions, period, rarest, True)
    walked, _ = min((one for one in drivers if one[0].walkable), key=lambda one: one[1], default=(None, 0))
    return Plan(conditions, period, walked, False)


def _steer(session: Session) -> None:
    transaction = session.get_transaction()
    if session.get_bind().dialect.name == "postgresql" and (transaction is None or session.info.get(_STEERED) is not transaction):
        session.execute(_STEER)
        session.info[_STEERED] = session.get_transaction()


def within(at: Any, period: tuple[datetime | None, datetime | None]) -> list[Any]:
    """Return the conditions that keep a time in a period (its end excluded)."""
    first, end = period
    return [*([at >= literal(first, UtcDateTime())] if first else []), *([at < literal(end, UtcDateTime())] if end else [])]


def _count(session: Session, driver: Driver, period: tuple[datetime | None, datetime | None]) -> int:
    """Return how many rows a driver has, up to the limit; a page, its tabs and what is urgent ask for the same ones."""
    known = session.info.setdefault(_COUNTS, {})
    key = (str(driver.clause.compile(compile_kwargs={"literal_binds": True})), period)
    if key not in known:
        some = select(literal_column("1").label("one")).select_from(driver.table).where(driver.clause, *within(driver.at, period))
        known[key] = session.scalar(select(func.count()).select_from(some.limit(COUNTED).subquery())) or 0
    return int(known[key])


def _conditions(staff: SignedIn, asked: InboxFilter) -> list[Condition]:
    # In the order in which they drive if all of them are frequent: the rarer ones first.
    return [
        *_links(asked),
        *_assigned(staff, asked),
        *(_flag(name) for name in FLAGS if getattr(asked, name)),
        *_confidence(asked),
        *_state(staff, asked),
        *(_equal(name, getattr(asked, name)) for name in ("language", "outcome", "channel") if getattr(asked, name)),
        Condition(T.c.consent.is_(not asked.structure)),
    ]


def _tab(tab: str) -> list[Condition]:
    return [] if tab == ALL else [_equal("review_state", tab)]


def _equal(column: str, value: str) -> Condition:
    clause = T.c[column] == value
    return Condition(clause, Driver(clause))


def _flag(name: str) -> Condition:
    # As the index says it, word for word: SQLite does not see that "x = 1" implies "x".
    clause = text("transcript.fallbacks > 0" if name == "fallback" else f"transcript.{name}")
    return Condition(T.c.fallbacks > 0 if name == "fallback" else T.c[name].is_(True), Driver(clause))


def _confidence(asked: InboxFilter) -> list[Condition]:
    if asked.confidence is None:
        return []
    clause = T.c.min_confidence < asked.confidence / 100
    return [Condition(clause, Driver(clause, walkable=False))]


def _state(staff: SignedIn, asked: InboxFilter) -> list[Condition]:
    found = []
    if asked.state == NO_STATE:
        found.append(Condition(T.c.state.is_(None), Driver(T.c.state.is_(None))))
    elif asked.state:
        found.append(_equal("state", asked.state))
    if staff.states:
        # One region is read in its order from its index; of several the rows have to be sorted.
        one = len(staff.states) == 1
        clause = T.c.state == staff.states[0] if one else T.c.state.in_(staff.states)
        found.append(Condition(clause, Driver(clause, walkable=one)))
    return found


def _assigned(staff: SignedIn, asked: InboxFilter) -> list[Condition]:
    if not asked.assigned:
        return []
    if asked.assigned == NOBODY:
        return [Condition(T.c.assigned_to.is_(None))]
    who = staff.id if asked.assigned == ME else int(asked.assigned) if asked.assigned.isdecimal() and len(asked.assigned) < 10 else 0
    clause = T.c.assigned_to == who
    return [Condition(clause, Driver(clause))]


def _links(asked: InboxFilter) -> list[Condition]:
    found = []
    if asked.label is not None:
        found.append(_link(TranscriptLabel, TranscriptLabel.label_id, (asked.label,)))
    if asked.office:
        found.append(_link(TranscriptOffice, TranscriptOffice.office_id, asked.offices))
    if asked.need:
        found.append(_link(TranscriptNeed, TranscriptNeed.need, (asked.need,)))
    return found


def _link(entity: Any, column: Any, values: Sequence[Any]) -> Condition:
    table = entity.__table__
    inner = table.alias()
    chosen = table.c[column.key]
    exists = select(literal_column("1")).where(inner.c.transcript_id == T.c.id, inner.c[column.key].in_(values)).exists()
    if len(values) > 1:
        # A transcript may have several of them: walking would show it twice.
        return Condition(exists, Driver(chosen.in_(values), table.c.transcript_id, table.c.last_activity_at, walkable=False))
    clause = chosen == values[0] if values else false()
    return Condition(exists, Driver(clause, table.c.transcript_id, table.c.last_activity_at))


def _begin(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), ZONE)
