"""The inbox: the list of transcripts with its filters, its search and its pages, as one person may see it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql import Select

from bot.transcripts import inbox_plan, inbox_search, labels
from bot.transcripts.inbox_filter import ALL, InboxFilter
from bot.transcripts.inbox_plan import T
from bot.transcripts.record_models import DONE, IN_REVIEW, NEW, PERSON, REVIEW_STATES, Label, Transcript, TranscriptNeed, TranscriptTurn
from bot.transcripts.staff_models import REVIEWER, Staff
from bot.transcripts.staff_sessions import SignedIn

__all__ = ["InboxFilter", "page", "cursor_of", "counts", "urgent", "next_unreviewed", "visible", "reviewers"]

PAGE = 50
# Tabs say "more than" beyond this.
COUNTED = 1000
# Read to count all tabs at once.
SAMPLE = 4 * (COUNTED + 1)
MORE = 3
URGENT = 5
EXCERPT = 140
_CURSOR = re.compile(r"(older|newer)\.(\d{1,16})\.(\d{1,18})", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Row:
    """One line of the list."""

    transcript: Transcript
    needs: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    first_words: str = ""
    first_language: str = ""
    assigned_name: str = ""

    @property
    def waits_since(self) -> datetime | None:
        """Since when it waits for a reviewer: since the conversation ended; None if it goes on, or is done."""
        return None if self.transcript.review_state == DONE else self.transcript.ended_at


@dataclass(frozen=True)
class Page:
    """A page of the list, and how the next ones are asked for (None: there is none)."""

    rows: list[Row] = field(default_factory=list)
    newer: str | None = None
    older: str | None = None


def page(session: Session, staff: SignedIn, asked: InboxFilter, cursor: str = "", limit: int = PAGE) -> Page:
    """Return a page of the list, the newest activity first (of a search: the newest conversation).

    Args:
        session: a session.
        staff: who asks.
        asked: the filter.
        cursor: :attr:`Page.older` or :attr:`Page.newer` of another page; anything else is the first page.
        limit: how many rows.
    """
    direction, place = _read_cursor(cursor)
    older = direction != "newer"
    found = _places(session, staff, asked, place, older, limit + 1)
    more, found = len(found) > limit, found[:limit]
    if not older:
        found.reverse()
        if not more and len(found) < limit:
            # The first page is always a full one.
            return page(session, staff, asked, "", limit)
    return Page(
        rows=rows(session, [id_ for id_, _ in found]),
        newer=cursor_of("newer", found[0]) if found and (place is not None if older else more) else None,
        older=cursor_of("older", found[-1]) if found and (more if older else True) else None,
    )


def counts(session: Session, staff: SignedIn, asked: InboxFilter) -> dict[str, int]:
    """Return how many transcripts each tab has under a filter, counted up to one more than :data:`COUNTED`."""
    found, complete = _by_tab(session, staff, replace(asked, tab=ALL), SAMPLE)
    if not complete:
        # There are more: the tabs that were not full by then are counted by themselves.
        for tab in [one for one in REVIEW_STATES if found[one] <= COUNTED]:
            found[tab] = _by_tab(session, staff, replace(asked, tab=tab), COUNTED + 1)[0][tab]
    return {tab: min(COUNTED + 1, number) for tab, number in {**found, ALL: sum(found.values())}.items()}


def urgent(session: Session, staff: SignedIn, asked: InboxFilter) -> list[Row]:
    """Return what stands on top of the new ones, the newest first.

    These are emergencies and dangerous answers that nobody has looked at, and dangerous answers that nobody is done with.
    """
    if asked.tab != NEW or asked.q:
        return []
    found: list[tuple[Any, int]] = []
    for clause in (inbox_plan.URGENT, inbox_plan.DANGEROUS_IN_WORK):
        plan = inbox_plan.make(session, staff, asked, urgent=clause)
        found += [(at, id_) for id_, at in session.execute(plan.ids().limit(URGENT))]
    return rows(session, [id_ for _, id_ in sorted(found, reverse=True)[:URGENT]])


def next_unreviewed(session: Session, staff: SignedIn, asked: InboxFilter, after_key: str | None = None) -> str | None:
    """Return the pseudonym of the next transcript of a list that waits for a reviewer.

    Args:
        session: a session.
        staff: who asks.
        asked: the filter of the list; of its tab only "in review" is kept, else the new ones are meant.
        after_key: the transcript after which to look; from the top if there is none, and again from the top at the end.
    """
    waiting = replace(asked, tab=IN_REVIEW if asked.tab == IN_REVIEW else NEW)
    here = session.execute(select(T.c.id, T.c.last_activity_at, T.c.state).where(T.c.key == after_key)).first() if after_key else None
    if here is not None and not staff.sees_state(here.state):
        here = None
    found: list[Any] = _places(session, staff, waiting, (here.last_activity_at, here.id), True, 1) if here else []
    found = found or [one for one in _places(session, staff, waiting, None, True, 2) if here is None or one[0] != here.id]
    return session.scalar(select(T.c.key).where(T.c.id == found[0][0])) if found else None


def rows(session: Session, ids: Sequence[int]) -> list[Row]:
    """Return lines of the list in the order of ``ids``: a query for each kind of data, however many lines there are."""
    if not ids:
        return []
    found = {one.id: one for one in session.scalars(select(Transcript).where(Transcript.id.in_(ids)))}
    needs: dict[int, list[str]] = {}
    for id_, need in session.execute(
        select(TranscriptNeed.transcript_id, TranscriptNeed.need).where(TranscriptNeed.transcript_id.in_(ids)).order_by(TranscriptNeed.need)
    ):
        needs.setdefault(id_, []).append(need)
    words = {one.transcript_id: one for one in session.execute(_first_words(ids))}
    chosen = labels.of_many(session, ids)
    people = {one.assigned_to for one in found.values() if one.assigned_to is not None}
    query = select(Staff.id, Staff.name).where(Staff.id.in_(people))
    names: dict[int | None, str] = {row.id: row.name for row in session.execute(query)} if people else {}
    return [
        Row(
            one,
            # The last need, which is shown first, is that of the transcript itself.
            tuple(sorted(needs.get(one.id, []), key=lambda need: need != one.need)),
            tuple(chosen.get(one.id, [])),
            _excerpt(words[one.id].said) if one.id in words else "",
            words[one.id].language if one.id in words else one.language,
            names.get(one.assigned_to, ""),
        )
        for one in (found[id_] for id_ in ids if id_ in found)
    ]


def visible(session: Session, staff: SignedIn, keys: Sequence[str]) -> list[Transcript]:
    """Return those transcripts of ``keys`` that somebody may see."""
    query = select(Transcript).where(Transcript.key.in_(list(dict.fromkeys(keys))))
    if staff.states:
        query = query.where(Transcript.state.in_(staff.states))
    return list(session.scalars(query.order_by(Transcript.id)))


def reviewers(session: Session) -> list[tuple[int, str]]:
    """Return ids and names of those to whom transcripts may be assigned, in the order of their names."""
    query = select(Staff.id, Staff.name, Staff.roles).where(Staff.disabled_at.is_(None))
    return sorted(((id_, name) for id_, name, roles in session.execute(query) if REVIEWER in roles.split(",")), key=lambda one: one[1])


def _places(
    session: Session, staff: SignedIn, asked: InboxFilter, place: tuple[datetime, int] | None, older: bool, limit: int
) -> list[tuple[int, datetime]]:
    """Return ids and times that follow a place in the list."""
    if asked.q:
        return inbox_search.ids(session, staff, asked, place[1] if place else None, older, limit)
    query: Select = inbox_plan.make(session, staff, asked).ids(place, older).limit(limit)
    return [(id_, at) for id_, at in session.execute(query)]


def _by_tab(session: Session, staff: SignedIn, asked: InboxFilter, most: int) -> tuple[dict[str, int], bool]:
    """Return how many transcripts under a filter are in each tab, and whether these are all; reading stops some time after ``most``."""
    plan = inbox_plan.make(session, staff, asked)
    queries = inbox_search.states(session, plan, asked.q) if asked.q else [plan.states()]
    found: dict[str, int] = {}
    complete = True
    for query in queries:
        # Where all is looked at anyway, a few more are not worth another query.
        limit = MORE * most if plan.few else most
        some = query.limit(limit).subquery()
        counted = select(some.c.review_state, func.count().label("number")).group_by(some.c.review_state)
        found = {row.review_state: row.number for row in session.execute(counted)}
        complete = sum(found.values()) < limit
        if sum(found.values()) >= most:
            break
    return {tab: found.get(tab, 0) for tab in REVIEW_STATES}, complete


def _first_words(ids: Sequence[int]) -> Select:
    said = (TranscriptTurn.transcript_id.in_(ids), TranscriptTurn.author == PERSON, TranscriptTurn.text.is_not(None))
    first = (
        select(TranscriptTurn.transcript_id.label("id"), func.min(TranscriptTurn.position).label("position"))
        .where(*said)
        .group_by(TranscriptTurn.transcript_id)
        .subquery()
    )
    begin = func.substr(TranscriptTurn.text, 1, EXCERPT + 20).label("said")
    return select(TranscriptTurn.transcript_id, TranscriptTurn.language, begin).join(
        first, (first.c.id == TranscriptTurn.transcript_id) & (first.c.position == TranscriptTurn.position)
    )


def _excerpt(said: str) -> str:
    """Return the first words, cut between words."""
    line = " ".join(said.split())
    return line if len(line) <= EXCERPT else line[:EXCERPT].rsplit(" ", 1)[0] + " …"


def cursor_of(direction: str, place: tuple[int, datetime]) -> str:
    """Return the word for the page next to a row (its id and time), ``older`` or ``newer``."""
    return f"{direction}.{(place[1] - _EPOCH) // timedelta(microseconds=1)}.{place[0]}"


def _read_cursor(cursor: str) -> tuple[str, tuple[datetime, int] | None]:
    read = _CURSOR.fullmatch(cursor)
    if read is None:
        return "older", None
    try:
        return read[1], (_EPOCH + timedelta(microseconds=int(read[2])), int(read[3]))
    except OverflowError:
        return "older", None
