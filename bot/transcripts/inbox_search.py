"""The search in the inbox: the words of a query and all its filters together, the newest conversation first."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Integer, func, literal_column, select
from sqlalchemy.orm import Session
from sqlalchemy.sql import Select

from bot.transcripts import inbox_plan, search
from bot.transcripts.inbox_filter import InboxFilter
from bot.transcripts.inbox_plan import Plan, T
from bot.transcripts.staff_sessions import SignedIn

# PostgreSQL: a frequent word is found by looking at each of so many conversations; its index would bring all of them.
STRETCH = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def ids(
    session: Session, staff: SignedIn, asked: InboxFilter, beyond: int | None, newest_first: bool, limit: int
) -> list[tuple[int, datetime]]:
    """Return ids of the transcripts that hold all words; the times only fill the cursor, the list is in the order of ids.

    Args:
        session: a session.
        staff: who asks.
        asked: the filter with its words.
        beyond: only what follows this id in the list.
        newest_first: the order.
        limit: how many.
    """
    plan = inbox_plan.make(session, staff, asked)
    found: list[int] = []
    for query, id_ in _queries(session, plan, asked.q, beyond, newest_first):
        found = list(session.scalars(query.order_by(id_.desc() if newest_first else id_.asc()).limit(limit)))
        if len(found) == limit:
            break
    return [(one, _EPOCH) for one in found]


def states(session: Session, plan: Plan, words: str) -> list[Select]:
    """Return queries for the tabs of the transcripts that hold all words, the quickest first; the last one finds everything."""
    found = []
    queries = _queries(session, plan, words, None, True)
    if len(search.words(words)) > 1:
        # Several words together are seldom so frequent that the newest conversations have enough of them.
        queries = queries[-1:]
    for query, id_ in queries:
        if plan.few or _is_postgres(session):
            found.append(query.with_only_columns(T.c.review_state, maintain_column_froms=True))
        else:
            own = T.alias()
            state = select(own.c.review_state).where(own.c.id == id_).scalar_subquery().label("review_state")
            found.append(query.with_only_columns(state, maintain_column_froms=True))
    return found


def _queries(session: Session, plan: Plan, words: str, beyond: int | None, newest_first: bool) -> list[tuple[Select, Any]]:
    """Return queries for ids, the quickest first; the last one finds everything."""
    hits = search.matching(session, words)
    if hits is None:
        return []
    if plan.few:
        query, id_, _ = plan.base()
        query = query.with_only_columns(id_, maintain_column_froms=True).where(id_.in_(hits))
        return [(_after(query, id_, beyond, newest_first), id_)]
    if not _is_postgres(session):
        # No join: SQLite might begin with the transcripts, and ask the index of words for each of them.
        row = literal_column("transcript_search.rowid", Integer)
        fits = select(literal_column("1")).select_from(T).where(T.c.id == row, *plan.matches()).correlate(search.INDEX).exists()
        return [(_after(hits.where(fits), row, beyond, newest_first), row)]
    word_id = search.INDEX.c.id
    everything = _after(hits.join_from(search.INDEX, T, T.c.id == word_id).where(*plan.matches()), word_id, beyond, newest_first)
    edge = beyond or session.scalar(select(func.max(T.c.id))) or 0
    stretch = word_id > edge - STRETCH if newest_first else word_id < edge + STRETCH
    return [(everything.where(stretch), word_id), (everything, word_id)]


def _is_postgres(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def _after(query: Select, id_: Any, beyond: int | None, newest_first: bool) -> Select:
    if beyond is None:
        return query
    return query.where(id_ < beyond if newest_first else id_ > beyond)
