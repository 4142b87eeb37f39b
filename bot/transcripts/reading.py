"""What the page of one conversation shows: its turns in parts, the places to jump to, judgements, notes, colleagues."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.transcripts.record_models import Note, Transcript, TranscriptNeed, TranscriptTurn, Undo, Verdict
from bot.transcripts.records import CRISIS, FALLBACK_INTENT, NO_ANSWER
from bot.transcripts.staff_models import REVIEWER, Staff

# So many turns are shown at once.
TURNS_AT_ONCE = 40
CRISIS_RESPONSES = frozenset({"utter_crisis", "utter_crisis_next"})


@dataclass(frozen=True)
class Part:
    """Some turns of a conversation, in their order, and what was said about them."""

    number: int  # from 1
    parts: int
    first: int  # number of the first turn, from 1
    total: int  # turns of the whole conversation
    turns: tuple[TranscriptTurn, ...]
    verdicts: dict[int, Verdict]


@dataclass(frozen=True)
class Landmark:
    """The first turn of which something is true that a reviewer looks for."""

    kind: str  # crisis, dangerous, not_helpful, fallback, unanswered
    turn_id: int
    part: int


@dataclass(frozen=True)
class ReadNote:
    """A note with the name of its author ("" if the account is gone)."""

    id: int
    staff_id: int | None
    author: str
    text: str
    created_at: datetime


@dataclass(frozen=True)
class Colleague:
    """Somebody to whom a conversation can be given."""

    id: int
    name: str


def part(session: Session, transcript: Transcript, number: int) -> Part:
    """Return one part of a conversation; the nearest there is, if there is no such part."""
    total = session.execute(select(func.count()).where(TranscriptTurn.transcript_id == transcript.id)).scalar_one()
    parts = max(1, -(-total // TURNS_AT_ONCE))
    number = min(max(number, 1), parts)
    skipped = (number - 1) * TURNS_AT_ONCE
    query = (
        select(TranscriptTurn)
        .where(TranscriptTurn.transcript_id == transcript.id)
        .order_by(TranscriptTurn.position)
        .offset(skipped)
        .limit(TURNS_AT_ONCE)
    )
    turns = tuple(session.scalars(query))
    found = session.scalars(select(Verdict).where(Verdict.turn_id.in_([turn.id for turn in turns])))
    return Part(number, parts, skipped + 1, total, turns, {one.turn_id: one for one in found})


def part_of(session: Session, turn: TranscriptTurn) -> int:
    """Return the number of the part in which a turn stands."""
    before = select(func.count()).where(TranscriptTurn.transcript_id == turn.transcript_id, TranscriptTurn.position < turn.position)
    return int(session.execute(before).scalar_one()) // TURNS_AT_ONCE + 1


def find_turn(session: Session, transcript: Transcript, turn_id: int) -> TranscriptTurn | None:
    """Return a turn of this transcript; None if it has no such turn."""
    query = select(TranscriptTurn).where(TranscriptTurn.id == turn_id, TranscriptTurn.transcript_id == transcript.id)
    return session.execute(query).scalar_one_or_none()


def landmarks(session: Session, transcript: Transcript) -> list[Landmark]:
    """Return the first emergency, the first answer judged dangerous, ..., as far as there is one."""
    columns = (TranscriptTurn.id, TranscriptTurn.intent, TranscriptTurn.response, TranscriptTurn.helpful, Verdict.answer)
    query = (
        select(*columns)
        .outerjoin(Verdict, Verdict.turn_id == TranscriptTurn.id)
        .where(TranscriptTurn.transcript_id == transcript.id)
        .order_by(TranscriptTurn.position)
    )
    found: dict[str, Landmark] = {}
    for place, row in enumerate(session.execute(query)):
        true_of_it = {
            "crisis": row.intent == CRISIS or row.response in CRISIS_RESPONSES,
            "dangerous": row.answer == "dangerous",
            "not_helpful": row.helpful is False,
            "fallback": row.intent == FALLBACK_INTENT,
            "unanswered": row.response in NO_ANSWER,
        }
        for kind, true in true_of_it.items():
            if true and kind not in found:
                found[kind] = Landmark(kind, row.id, place // TURNS_AT_ONCE + 1)
    order = ("crisis", "dangerous", "not_helpful", "fallback", "unanswered")
    return [found[kind] for kind in order if kind in found]


def needs(session: Session, transcript: Transcript) -> list[str]:
    """Return all needs that came up."""
    return list(session.scalars(select(TranscriptNeed.need).where(TranscriptNeed.transcript_id == transcript.id).order_by("need")))


def notes(session: Session, transcript: Transcript) -> list[ReadNote]:
    """Return the notes of the reviewers, the oldest first."""
    query = (
        select(Note, Staff.name).outerjoin(Staff, Staff.id == Note.staff_id).where(Note.transcript_id == transcript.id).order_by(Note.id)
    )
    return [ReadNote(row.id, row.staff_id, name or "", row.text, row.created_at) for row, name in session.execute(query)]


def colleagues(session: Session, state: str | None) -> list[Colleague]:
    """Return the reviewers who may see conversations of a region, by name."""
    rows = session.scalars(select(Staff).where(Staff.disabled_at.is_(None)).order_by(Staff.name, Staff.id))
    return [Colleague(row.id, row.name) for row in rows if is_reviewer_of(row, state)]


def is_reviewer_of(account: Staff, state: str | None) -> bool:
    """Return whether what happens in a region is the business of an account."""
    states = [one for one in account.states.split(",") if one]
    return REVIEWER in account.roles.split(",") and (not states or state in states)


def may_look_after(session: Session, staff_id: int, state: str | None) -> bool:
    """Return whether a conversation of a region can be given to an account."""
    account = session.get(Staff, staff_id) if 0 < staff_id < 2**31 else None
    return account is not None and account.disabled_at is None and is_reviewer_of(account, state)


def names(session: Session, staff_ids: Iterable[int | None]) -> dict[int, str]:
    """Return the names of accounts by their ids."""
    wanted = [one for one in staff_ids if one is not None]
    return {row.id: row.name for row in session.execute(select(Staff.id, Staff.name).where(Staff.id.in_(wanted)))}


def can_undo(session: Session, transcript: Transcript, staff_id: int) -> bool:
    """Return whether somebody has changed something here that can be taken back."""
    query = select(Undo.id).where(Undo.transcript_id == transcript.id, Undo.staff_id == staff_id)
    return session.execute(query.limit(1)).first() is not None
