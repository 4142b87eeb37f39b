"""Figures: what was counted when conversations ended, by day, without any person in it.

Only single counts are kept (need, language, state, ...) and the few pairs that the coordination works with. What is rare,
such as a district, is kept by month, so that a figure does not tell when a certain person wrote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bot.transcripts.record_models import GUIDE, PERSON, DailyCount, Transcript, TranscriptNeed, TranscriptTurn

# Below this a figure is not shown: it might lead to a person.
SMALLEST_SHOWN = 5
# Measures that are kept by month.
MONTHLY = frozenset({"district", "gap", "need_state"})
GAP_RESPONSES = frozenset({"utter_referral_next_best", "utter_referral_none"})
FEEDBACK = {True: "helpful", False: "not_helpful"}


def count_conversation(session: Session, transcript: Transcript) -> None:
    """Count a conversation that has ended.

    A visit in which the person said nothing is counted as a visit only.
    """
    day = transcript.started_at.date()
    counts: Counter[tuple[str, str]] = Counter({("visit", "all"): 1})
    if transcript.messages:
        counts.update(_measures(session, transcript))
    for (measure, key), number in counts.items():
        _add(session, day.replace(day=1) if measure in MONTHLY else day, measure, key, number)


def _measures(session: Session, transcript: Transcript) -> Counter[tuple[str, str]]:
    needs = list(session.scalars(select(TranscriptNeed.need).where(TranscriptNeed.transcript_id == transcript.id)))
    columns = (TranscriptTurn.author, TranscriptTurn.response, TranscriptTurn.helpful)
    turns = session.execute(select(*columns).where(TranscriptTurn.transcript_id == transcript.id)).all()
    counts: Counter[tuple[str, str]] = Counter(
        {
            ("conversation", "all"): 1,
            ("channel", transcript.channel): 1,
            ("language", transcript.language): 1,
            ("outcome", transcript.outcome): 1,
            ("message", "all"): sum(turn.author == PERSON for turn in turns),
            ("message", "fallback"): transcript.fallbacks,
        }
    )
    counts.update(("need", need) for need in needs)
    if transcript.consent:
        counts["conversation", "consent"] += 1
    if transcript.state:
        counts["state", transcript.state] += 1
        counts.update(("need_state", f"{need}|{transcript.state}") for need in needs)
    if transcript.district:
        counts["district", transcript.district] += 1
    if transcript.unanswered:
        counts["unanswered", transcript.language] += 1
    counts.update(("feedback", FEEDBACK[turn.helpful]) for turn in turns if turn.author == GUIDE and turn.helpful is not None)
    if any(turn.response in GAP_RESPONSES for turn in turns) and transcript.need:
        counts["gap", f"{transcript.need}|{transcript.district or transcript.state or ''}"] += 1
    return counts


def _add(session: Session, day: date, measure: str, key: str, number: int) -> None:
    if not number:
        return
    made = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement: Any = made(DailyCount).values(day=day, measure=measure, key=key, count=number)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["day", "measure", "key"], set_={"count": DailyCount.count + statement.excluded.count}
        )
    )


def totals(session: Session, measure: str, first: date, last: date) -> dict[str, int]:
    """Return the counts of a measure by key from ``first`` to ``last`` (both inclusive), the most frequent first.

    What is kept by month counts if the month has begun in the period.
    """
    begin = first.replace(day=1) if measure in MONTHLY else first
    query = (
        select(DailyCount.key, func.sum(DailyCount.count))
        .where(DailyCount.measure == measure, DailyCount.day.between(begin, last))
        .group_by(DailyCount.key)
        .order_by(func.sum(DailyCount.count).desc(), DailyCount.key)
    )
    return {key: int(number) for key, number in session.execute(query)}


def by_day(session: Session, measure: str, key: str, first: date, last: date) -> dict[date, int]:
    """Return the counts of one value by day."""
    query = select(DailyCount.day, DailyCount.count).where(
        DailyCount.measure == measure, DailyCount.key == key, DailyCount.day.between(first, last)
    )
    return {day: int(number) for day, number in session.execute(query)}


def shown(counts: Mapping[str, int]) -> dict[str, int | None]:
    """Return the counts as they may be shown: None stands for a number from 1 to 4."""
    return {key: number if number == 0 or number >= SMALLEST_SHOWN else None for key, number in counts.items()}
