"""What reviewers said about single messages, as examples: which there are, and whether they go into training or evaluation.

An example must never be on both sides, nor one that nearly equals it. So a conversation is on one side as a whole, a message
that nearly equals one of the other side (or of the project's own data) is refused there, and what has been exported stays.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session
from sqlalchemy.sql import Select

from bot.transcripts import duplicates
from bot.transcripts.record_models import EVALUATION, PERSON, TRAINING, Transcript, TranscriptTurn, Verdict
from bot.transcripts.staff_models import Staff

PURPOSES = (TRAINING, EVALUATION)
UNDECIDED = "undecided"
PAGE = 50
OTHER = {TRAINING: EVALUATION, EVALUATION: TRAINING}
# What stands in the place of personal data (bot.transcripts.redaction).
PLACEHOLDER = re.compile(r"\[(?:Name|Telefon|E-Mail|IBAN|Geburtsdatum|Adresse|Nummer)\]")
# Names the lock of PostgreSQL under which purposes are given.
_LOCK = 7_301_992


@dataclass(frozen=True)
class Scope:
    """What may be seen: texts that are not older than ``since``, of these states (all if empty)."""

    since: datetime
    states: tuple[str, ...] = ()

    @classmethod
    def of(cls, now: datetime, transcript_days: int, states: tuple[str, ...] = ()) -> Scope:
        """Return the scope for texts that are kept ``transcript_days`` days."""
        return cls(now - timedelta(days=transcript_days), states)


@dataclass(frozen=True)
class Filter:
    """Which corrections are listed; "" is all."""

    purpose: str = ""  # training, evaluation, undecided
    language: str = ""
    verdict: str = ""  # right, wrong
    exported: str = ""  # yes, no


@dataclass(frozen=True)
class Correction:
    """A message of which a reviewer has said what it means."""

    turn_id: int
    transcript_id: int
    key: str  # of the transcript
    position: int
    language: str
    text: str
    placeholder: bool  # personal data was taken out of the text
    understood: str | None
    confidence: float | None
    confirmed: bool  # what was understood is right
    intent: str  # what is right
    staff_name: str  # "" if the account is gone
    judged_at: datetime
    purpose: str | None
    exported_at: datetime | None
    fixed: bool  # exported once: the purpose stays

    @property
    def digest(self) -> str:
        """A name of this message that is good only as long as the message exists: it leads nowhere afterwards."""
        return hashlib.sha256(f"{self.key} {self.position}".encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Refusal:
    """Why a message may not be used for a purpose, and what it nearly equals.

    ``reason``: ``fixed`` (exported for the other purpose), ``conversation`` (its conversation is on the other side),
    ``other_side`` (nearly equals a message there), ``project`` (nearly equals a message of the project's own data).
    """

    reason: str
    match: duplicates.Match | None = None


@dataclass
class Outcome:
    """How many messages got their purpose, and why others did not."""

    changed: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def listed(session: Session, scope: Scope, chosen: Filter, before: int | None = None, limit: int = PAGE) -> list[Correction]:
    """Return corrections, the newest messages first.

    Args:
        session: a session on the transcripts.
        scope: what may be seen.
        chosen: which are wanted.
        before: only messages with a smaller id (paging).
        limit: how many at the most.
    """
    query = _filtered(_query(scope), chosen).order_by(Verdict.turn_id.desc()).limit(limit)
    return _read(session, query if before is None else query.where(Verdict.turn_id < before))


def all_of(session: Session, scope: Scope, chosen: Filter) -> list[Correction]:
    """Return all corrections that are wanted, the oldest messages first."""
    return _read(session, _filtered(_query(scope), chosen).order_by(Verdict.turn_id))


def by_turns(session: Session, scope: Scope, turn_ids: Collection[int]) -> list[Correction]:
    """Return the corrections of some messages; those that may not be seen or do not exist are left out."""
    known = [one for one in turn_ids if 0 < one < 2**31]
    return _read(session, _query(scope).where(Verdict.turn_id.in_(known)).order_by(Verdict.turn_id)) if known else []


def counts(session: Session, scope: Scope) -> dict[str, int]:
    """Return how many corrections there are of each purpose, and without one."""
    query = _query(scope, Verdict.purpose, func.count()).group_by(Verdict.purpose)
    found = {purpose or UNDECIDED: int(number) for purpose, number in session.execute(query)}
    return {name: found.get(name, 0) for name in (UNDECIDED, *PURPOSES)}


def languages(session: Session, scope: Scope) -> list[str]:
    """Return the languages in which there are corrections."""
    return sorted(session.scalars(_query(scope, TranscriptTurn.language).distinct()))


def reviewed_set(session: Session, scope: Scope) -> tuple[list[Correction], bool]:
    """Return the messages on which models are measured, and whether they are those chosen for evaluation (else: all)."""
    chosen = all_of(session, scope, Filter(purpose=EVALUATION))
    return (chosen, True) if chosen else (all_of(session, scope, Filter()), False)


class Sides:
    """What is on the side of the training, and what on that of the evaluation.

    Args:
        session: a session on the transcripts.
        leaving: messages whose purpose does not count, because it is about to be given anew.
    """

    def __init__(self, session: Session, leaving: Collection[int] = ()) -> None:
        self._session = session
        self._transcripts: dict[str, set[int]] = {purpose: set() for purpose in PURPOSES}
        rows = session.execute(select(Verdict.turn_id, Verdict.transcript_id, Verdict.purpose).where(Verdict.purpose.is_not(None)))
        for row in rows:
            if row.turn_id not in leaving and row.purpose in self._transcripts:
                self._transcripts[row.purpose].add(row.transcript_id)
        self._texts = {purpose: duplicates.Texts() for purpose in PURPOSES}
        mine = select(Verdict.transcript_id).where(Verdict.purpose.is_not(None))
        for row in session.execute(_said().where(TranscriptTurn.transcript_id.in_(mine))):
            for purpose in PURPOSES:
                if row.transcript_id in self._transcripts[purpose]:
                    self._texts[purpose].add(row.text)

    def refusal(self, one: Correction, purpose: str) -> Refusal | None:
        """Return why a message may not be used for a purpose; None if it may."""
        other = OTHER[purpose]
        if one.fixed and one.purpose == other:
            return Refusal("fixed")
        if one.transcript_id in self._transcripts[other]:
            return Refusal("conversation")
        return self.duplicate(one.text, one.language, purpose)

    def duplicate(self, said: str, language: str, purpose: str) -> Refusal | None:
        """Return what keeps a text from being used for a purpose: a nearly equal one on the other side."""
        other = OTHER[purpose]
        match = self._texts[other].find(said)
        if match is not None:
            return Refusal("other_side", match)
        match = duplicates.known(other, language).find(said)
        return Refusal("project", match) if match is not None else None

    def add(self, transcript_id: int, purpose: str) -> None:
        """Put a conversation on one side."""
        if transcript_id not in self._transcripts[purpose]:
            self._transcripts[purpose].add(transcript_id)
            for row in self._session.execute(_said().where(TranscriptTurn.transcript_id == transcript_id)):
                self._texts[purpose].add(row.text)


def set_purpose(session: Session, chosen: Sequence[Correction], purpose: str | None) -> Outcome:
    """Give messages a purpose, or take it from them; what has been exported keeps its own.

    Args:
        session: a transaction.
        chosen: the messages.
        purpose: ``training``, ``evaluation``, or None for undecided.
    """
    hold(session)
    chosen = _fresh(session, chosen)
    outcome = Outcome()
    free = [one for one in chosen if not (one.fixed and one.purpose != purpose)]
    if len(free) < len(chosen):
        outcome.refused["fixed"] += len(chosen) - len(free)
    if purpose is None:
        outcome.changed = _give(session, [one for one in free if one.purpose is not None], None)
        return outcome
    # A message that stays on the other side may keep another one from leaving it: until nothing more stays.
    leaving = {one.turn_id: one for one in free if one.purpose != purpose}
    while True:
        sides = Sides(session, leaving)
        stay = {turn_id: refusal for turn_id, one in leaving.items() if (refusal := sides.refusal(one, purpose))}
        if not stay:
            break
        outcome.refused.update(refusal.reason for refusal in stay.values())
        leaving = {turn_id: one for turn_id, one in leaving.items() if turn_id not in stay}
    outcome.changed = _give(session, list(leaving.values()), purpose)
    return outcome


def split(session: Session, scope: Scope, chosen: Filter, share: int, with_placeholders: bool = False) -> Outcome:
    """Give the undecided messages a purpose: a share of the conversations to the evaluation, the others to the training.

    Which conversation goes where depends on its pseudonym alone, so that repeating it changes nothing. A message that is
    refused where it should go stays undecided.

    Args:
        session: a transaction.
        scope: what may be seen.
        chosen: which messages; only the undecided ones of them are touched.
        share: per cent of the conversations for the evaluation.
        with_placeholders: whether texts from which personal data was taken may go into the training.
    """
    hold(session)
    outcome, sides = Outcome(), Sides(session)
    given: dict[str, list[Correction]] = {purpose: [] for purpose in PURPOSES}
    for one in all_of(session, scope, Filter(UNDECIDED, chosen.language, chosen.verdict, chosen.exported)):
        purpose = EVALUATION if _place(one.key) < share else TRAINING
        if purpose == TRAINING and one.placeholder and not with_placeholders:
            outcome.refused["placeholder"] += 1
            continue
        refusal = sides.refusal(one, purpose)
        if refusal is not None:
            outcome.refused[refusal.reason] += 1
            continue
        sides.add(one.transcript_id, purpose)
        given[purpose].append(one)
    outcome.changed = sum(_give(session, ones, purpose) for purpose, ones in given.items())
    return outcome


def mark_exported(session: Session, turn_ids: Iterable[int], now: datetime) -> None:
    """Note that messages have been exported: from now on their purpose stays."""
    for part in _parts(list(turn_ids)):
        rows = update(Verdict).where(Verdict.turn_id.in_(part)).execution_options(synchronize_session=False)
        session.execute(rows.values(exported_at=now, purpose_fixed_at=func.coalesce(Verdict.purpose_fixed_at, now)))


def hold(session: Session) -> None:
    """Let nobody else give purposes until the transaction ends; what was read before may be old."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    else:
        # SQLite has one writer, and whoever writes first is it.
        session.execute(update(Verdict).where(Verdict.turn_id == -1).values(answer=None).execution_options(synchronize_session=False))


def has_placeholder(said: str, redacted: str | None) -> bool:
    """Return whether personal data was taken out of a text."""
    return redacted is not None or PLACEHOLDER.search(said) is not None


def _query(scope: Scope, *columns: Any) -> Select:
    chosen = columns or (Verdict, TranscriptTurn, Transcript.key, Staff.name)
    query = (
        select(*chosen)
        .select_from(Verdict)
        .join(TranscriptTurn, TranscriptTurn.id == Verdict.turn_id)
        .join(Transcript, Transcript.id == Verdict.transcript_id)
        .where(
            Verdict.intent_right.is_not(None),
            TranscriptTurn.author == PERSON,
            TranscriptTurn.kind == "text",
            TranscriptTurn.text.is_not(None),
            Transcript.consent.is_(True),
            Transcript.last_activity_at > scope.since,
            func.coalesce(Verdict.right_intent, TranscriptTurn.intent).is_not(None),
        )
    )
    if not columns:
        query = query.outerjoin(Staff, Staff.id == Verdict.staff_id)
    return query.where(Transcript.state.in_(scope.states)) if scope.states else query


def _filtered(query: Select, chosen: Filter) -> Select:
    if chosen.purpose == UNDECIDED:
        query = query.where(Verdict.purpose.is_(None))
    elif chosen.purpose:
        query = query.where(Verdict.purpose == chosen.purpose)
    if chosen.language:
        query = query.where(TranscriptTurn.language == chosen.language)
    if chosen.verdict:
        query = query.where(Verdict.intent_right.is_(chosen.verdict == "right"))
    if chosen.exported:
        query = query.where(Verdict.exported_at.is_not(None) if chosen.exported == "yes" else Verdict.exported_at.is_(None))
    return query


def _read(session: Session, query: Select) -> list[Correction]:
    found = []
    for verdict, turn, key, name in session.execute(query.execution_options(populate_existing=True)):
        found.append(
            Correction(
                turn_id=turn.id,
                transcript_id=turn.transcript_id,
                key=key,
                position=turn.position,
                language=turn.language,
                text=turn.text,
                placeholder=has_placeholder(turn.text, turn.redacted),
                understood=turn.intent,
                confidence=turn.confidence,
                confirmed=verdict.intent_right,
                intent=turn.intent if verdict.intent_right else verdict.right_intent,
                staff_name=name or "",
                judged_at=verdict.created_at,
                purpose=verdict.purpose,
                exported_at=verdict.exported_at,
                fixed=verdict.purpose is not None and verdict.purpose_fixed_at is not None,
            )
        )
    return [one for one in found if one.intent]


def _fresh(session: Session, chosen: Sequence[Correction]) -> list[Correction]:
    """Return corrections as they are now; somebody may have changed them before the transaction got its turn."""
    epoch = Scope(datetime.fromisoformat("1970-01-01T00:00:00+00:00"))
    ids = [one.turn_id for one in chosen]
    return [one for part in _parts(ids) for one in by_turns(session, epoch, part)]


def _said() -> Select:
    return select(TranscriptTurn.transcript_id, TranscriptTurn.text).where(
        TranscriptTurn.author == PERSON, TranscriptTurn.kind == "text", TranscriptTurn.text.is_not(None)
    )


def _give(session: Session, ones: Sequence[Correction], purpose: str | None) -> int:
    for part in _parts([one.turn_id for one in ones]):
        rows = update(Verdict).where(Verdict.turn_id.in_(part)).execution_options(synchronize_session=False)
        session.execute(rows.values(purpose=purpose))
    return len(ones)


def _parts(ids: list[int], size: int = 500) -> Iterable[list[int]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _place(key: str) -> int:
    """Return a number from 0 to 99 that depends on a pseudonym alone."""
    return int.from_bytes(hashlib.sha256(f"purpose of {key}".encode()).digest()[:8], "big") % 100
