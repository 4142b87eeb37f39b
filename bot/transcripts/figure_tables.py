"""The tables of the figures, as they may be shown: what was counted in a period, with the small counts protected."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Optional

from sqlalchemy.orm import Session

from actions.directory.models import NEEDS
from actions.directory.places import states
from bot.transcripts import figures
from bot.transcripts.record_models import OUTCOMES
from bot.transcripts.suppression import Figure, Protected, by_size, figure, free, parts, protect, rate

# The line of the conversations is drawn by day, by week or by month, so that it has no more bars than one can tell apart.
MOST_DAYS, MOST_WEEKS = 45, 60
MOST_GAPS = 60


@dataclass(frozen=True)
class Period:
    """A period, both days inclusive."""

    first: date
    last: date

    def whole_months(self) -> Period:
        """Return the months that this period touches: what is rare is counted by month."""
        last = self.last.replace(day=calendar.monthrange(self.last.year, self.last.month)[1])
        return Period(self.first.replace(day=1), last)


@dataclass(frozen=True)
class Overview:
    """The main figures of a period. Rates are per cent; None where there is nothing to divide by."""

    conversations: Figure
    visits: Figure
    silent: Figure  # visits without a message
    messages: Figure
    fallbacks: Figure
    fallback_rate: Optional[Figure]
    helpful: Figure
    not_helpful: Figure
    helpful_rate: Optional[Figure]
    unanswered: Figure
    consent_rate: Optional[Figure]


@dataclass(frozen=True)
class Timeline:
    """The conversations of a period: how many began in the day, week or month that begins on each date."""

    step: str  # day, week, month
    counts: Mapping[date, Figure]
    blank: bool


@dataclass(frozen=True)
class Gap:
    """A need and a place for which people asked and no confirmed office was there."""

    need: str
    place: str  # a district (AGS), a state, or "" if neither was named
    count: Figure


def overview(session: Session, period: Period) -> Overview:
    """Return the main figures of a period."""
    visits = _sum(session, "visit", period)
    conversations = figures.totals(session, "conversation", period.first, period.last)
    messages = figures.totals(session, "message", period.first, period.last)
    feedback = figures.totals(session, "feedback", period.first, period.last)
    talked, said, helpful = conversations.get("all", 0), messages.get("all", 0), feedback.get("helpful", 0)
    judged = helpful + feedback.get("not_helpful", 0)
    silent, all_visits = parts(visits - talked, visits)
    return Overview(
        conversations=figure(talked),
        visits=all_visits,
        silent=silent,
        messages=figure(said),
        fallbacks=figure(messages.get("fallback", 0)),
        fallback_rate=rate(messages.get("fallback", 0), said),
        helpful=figure(helpful),
        not_helpful=figure(judged - helpful),
        helpful_rate=rate(helpful, judged),
        unanswered=figure(_sum(session, "unanswered", period)),
        consent_rate=rate(conversations.get("consent", 0), talked),
    )


def timeline(session: Session, period: Period) -> Timeline:
    """Return how many conversations began when; the step depends on the length of the period."""
    days = (period.last - period.first).days + 1
    step = "day" if days <= MOST_DAYS else "week" if days <= MOST_WEEKS * 7 else "month"
    counts = dict.fromkeys(_begins(period, step), 0)
    for day, number in figures.by_day(session, "conversation", "all", period.first, period.last).items():
        counts[_begin(day, step)] += number
    found = protect({day.isoformat(): number for day, number in counts.items()}, sum(counts.values()), exhaustive=True)
    return Timeline(step, {date.fromisoformat(day): number for day, number in found.cells.items()}, found.blank)


def needs(session: Session, period: Period) -> Protected:
    """Return how often each need came up; a conversation may have several, so they have no sum."""
    counts = figures.totals(session, "need", period.first, period.last)
    return by_size(free({need: counts[need] for need in counts if need in NEEDS}))


def of_conversations(session: Session, measure: str, period: Period) -> Protected:
    """Return the conversations by language, channel or outcome: each conversation counts once.

    Args:
        session: a session on the transcripts.
        measure: ``language``, ``channel`` or ``outcome``.
        period: the period.
    """
    counts = figures.totals(session, measure, period.first, period.last)
    if measure == "outcome":
        counts = {outcome: counts[outcome] for outcome in OUTCOMES if outcome in counts}
    found = protect(counts, _talked(session, period), exhaustive=True)
    return found if measure == "outcome" else by_size(found)


def unanswered(session: Session, period: Period) -> Protected:
    """Return the conversations with a question that found no answer, by language."""
    counts = figures.totals(session, "unanswered", period.first, period.last)
    return by_size(protect(counts, sum(counts.values()), exhaustive=True))


def by_state(session: Session, period: Period) -> Protected:
    """Return the conversations by state, all sixteen; those in which no place was named are missing from the sum."""
    counts = figures.totals(session, "state", period.first, period.last)
    return by_size(protect({code: counts.get(code, 0) for code in states()}, _talked(session, period), exhaustive=False))


def by_district(session: Session, period: Period, state: str = "") -> dict[str, Protected]:
    """Return the conversations by state and district, for the whole months that the period touches.

    Args:
        session: a session on the transcripts.
        period: the period.
        state: only this state.
    """
    months = period.whole_months()
    of_states = figures.totals(session, "state", months.first, months.last)
    grouped: dict[str, dict[str, int]] = {}
    by_prefix = {one.ags: code for code, one in states().items()}
    for district, number in figures.totals(session, "district", months.first, months.last).items():
        code = by_prefix.get(district[:2])
        if code and state in ("", code):
            grouped.setdefault(code, {})[district] = number
    return {code: by_size(protect(counts, of_states.get(code, 0), exhaustive=False)) for code, counts in grouped.items()}


def needs_by_state(session: Session, period: Period) -> dict[str, Protected]:
    """Return for each need its conversations by state, for the whole months that the period touches."""
    months = period.whole_months()
    of_needs = figures.totals(session, "need", months.first, months.last)
    grouped = {need: dict.fromkeys(states(), 0) for need in NEEDS if need in of_needs}
    for key, number in figures.totals(session, "need_state", months.first, months.last).items():
        need, _, code = key.partition("|")
        if need in grouped and code in states():
            grouped[need][code] = number
    return {need: protect(counts, of_needs[need], exhaustive=False) for need, counts in grouped.items()}


def gaps(session: Session, period: Period, limit: int | None = MOST_GAPS) -> list[Gap]:
    """Return where people asked and no confirmed office was there, the most frequent first."""
    months = period.whole_months()
    found = []
    for key, number in figures.totals(session, "gap", months.first, months.last).items():
        need, _, place = key.partition("|")
        if need in NEEDS:
            found.append(Gap(need, place, figure(number)))
    # Among the small ones their order must not tell which is larger.
    found.sort(key=lambda gap: (-gap.count if isinstance(gap.count, int) else 0, gap.need, gap.place))
    return found[:limit]


def is_empty(session: Session, period: Period) -> bool:
    """Return whether nobody visited in a period (and the months that it touches)."""
    months = period.whole_months()
    return _sum(session, "visit", months) == 0


def _talked(session: Session, period: Period) -> int:
    return figures.totals(session, "conversation", period.first, period.last).get("all", 0)


def _sum(session: Session, measure: str, period: Period) -> int:
    return sum(figures.totals(session, measure, period.first, period.last).values())


def _begin(day: date, step: str) -> date:
    if step == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if step == "month" else day


def _begins(period: Period, step: str) -> Iterable[date]:
    return dict.fromkeys(_begin(period.first + timedelta(days=n), step) for n in range((period.last - period.first).days + 1))
