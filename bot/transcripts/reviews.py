"""Judging a conversation: verdicts, labels, notes, who looks after it, where its review stands; and taking it back.

Every change is made inside :func:`change`, which holds the transcript, notes what the change altered (and only that), and
keeps the flag *dangerous* true to the verdicts. What a colleague has changed since is left alone by an undo.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from actions.directory.models import NEEDS
from bot.transcripts import notifications, reading, review_steps
from bot.transcripts.record_models import (
    ANSWER_VERDICTS,
    DONE,
    GUIDE,
    IN_REVIEW,
    NEW,
    PERSON,
    REVIEW_STATES,
    Note,
    Notification,
    Transcript,
    TranscriptTurn,
    Undo,
    Verdict,
)
from bot.transcripts.redaction import Redacted, redact

DANGEROUS = "dangerous"
LONGEST_NOTE = 4_000
# So many steps of one person can be taken back on one conversation.
STEPS_KEPT = 50


class NotPossible(ValueError):
    """Something cannot be done to this conversation; ``reason`` is the end of a text key (``conversation.problem.<reason>``)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class By:
    """Who changes something, and when."""

    staff_id: int
    now: datetime


@contextmanager
def change(session: Session, transcript: Transcript, by: By) -> Iterator[None]:
    """Hold a transcript while the block changes it, and remember what was altered, for :func:`undo`.

    Args:
        session: a transaction.
        transcript: what is changed.
        by: who changes it.

    Raises:
        NotPossible: ``gone`` if the transcript has been deleted meanwhile.
    """
    _hold(session, transcript)
    before = review_steps.snapshot(session, transcript)
    yield
    session.flush()
    after = review_steps.snapshot(session, transcript)
    altered = {key: [before.get(key), after.get(key)] for key in {**before, **after} if before.get(key) != after.get(key)}
    _keep_dangerous_true(session, transcript, by.now)
    if altered:
        session.add(
            Undo(transcript_id=transcript.id, staff_id=by.staff_id, before=json.dumps(altered, ensure_ascii=False), created_at=by.now)
        )
        session.flush()
        _forget_old_steps(session, transcript, by)


def judge_need(transcript: Transcript, right: bool | None, right_need: str = "") -> None:
    """Say whether the need of a conversation was understood; call it inside :func:`change`.

    Args:
        transcript: the conversation.
        right: whether it was; None takes the judgement back.
        right_need: the true need, if it was not.

    Raises:
        NotPossible: ``no_text`` without consent, ``which_need`` if the true need is missing or unknown.
    """
    if not transcript.consent:
        raise NotPossible("no_text")
    if right is False and right_need not in NEEDS:
        raise NotPossible("which_need")
    if right is False and right_need == transcript.need:
        right = True
    transcript.need_right, transcript.right_need = right, right_need if right is False else None
    _begin(transcript)


def judge_intent(
    session: Session,
    transcript: Transcript,
    turn: TranscriptTurn,
    by: By,
    right: bool | None,
    right_intent: str = "",
    known: frozenset[str] = frozenset(),
) -> None:
    """Say whether a message of the person was understood; call it inside :func:`change`.

    Args:
        session: the transaction.
        transcript: the conversation.
        turn: one of its turns.
        by: who judges.
        right: whether it was; None takes the judgement back.
        right_intent: the true intent, if it was not.
        known: the intents that there are.

    Raises:
        NotPossible: ``no_text`` if there is no text to judge, ``not_judged`` if it was not the guide's to understand,
            ``which_intent`` if the true intent is missing or unknown.
    """
    _readable(session, transcript, turn)
    if not is_understood(turn):
        raise NotPossible("not_judged")
    if right is False and right_intent not in known:
        raise NotPossible("which_intent")
    if right is False and right_intent == turn.intent:
        right = True
    _say(session, turn, by, intent_right=right, right_intent=right_intent if right is False else None)
    _begin(transcript)


def judge_answer(session: Session, transcript: Transcript, turn: TranscriptTurn, by: By, verdict: str | None) -> None:
    """Say what an answer of the guide was worth; call it inside :func:`change`.

    Args:
        session: the transaction.
        transcript: the conversation.
        turn: one of its turns.
        by: who judges.
        verdict: one of ``ANSWER_VERDICTS``; None takes the judgement back.

    Raises:
        NotPossible: ``no_text`` if there is no text to judge, ``not_judged`` if it is not an answer or the verdict is unknown.
    """
    _readable(session, transcript, turn)
    if turn.author != GUIDE or (verdict is not None and verdict not in ANSWER_VERDICTS):
        raise NotPossible("not_judged")
    _say(session, turn, by, answer=verdict)
    _begin(transcript)


def is_understood(turn: TranscriptTurn) -> bool:
    """Return whether a turn is a text whose meaning the guide had to find out; a button means what it says."""
    return turn.author == PERSON and turn.kind == "text"


def set_state(transcript: Transcript, by: By, state: str) -> None:
    """Say where the review stands; call it inside :func:`change`.

    Raises:
        NotPossible: ``state`` if there is no such state.
    """
    if state not in REVIEW_STATES:
        raise NotPossible("state")
    transcript.review_state = state
    transcript.reviewed_at, transcript.reviewed_by = (by.now, by.staff_id) if state == DONE else (None, None)


def assign(session: Session, transcript: Transcript, staff_id: int | None) -> None:
    """Say who looks after a conversation (None: nobody); call it inside :func:`change`.

    Raises:
        NotPossible: ``colleague`` if there is no such account, or it may not see this region.
    """
    if staff_id is not None and not reading.may_look_after(session, staff_id, transcript.state):
        raise NotPossible("colleague")
    transcript.assigned_to = staff_id


def clean_note(text: str, language: str) -> Redacted:
    """Return what is written in a note as it is stored: redacted like the transcript.

    Call it before the transaction: the redaction may take seconds, and must not hold up a conversation.

    Args:
        text: what is written.
        language: its language.

    Raises:
        NotPossible: ``note_empty`` or ``note_long``.
    """
    if not text.strip():
        raise NotPossible("note_empty")
    if len(text) > LONGEST_NOTE:
        raise NotPossible("note_long")
    return redact(text.strip(), language)


def add_note(session: Session, transcript: Transcript, by: By, note: Redacted) -> int:
    """Add a note of :func:`clean_note` and return its id; call it inside :func:`change`."""
    row = Note(transcript_id=transcript.id, staff_id=by.staff_id, text=note.text, created_at=by.now)
    session.add(row)
    session.flush()
    return int(row.id)


def remove_note(session: Session, transcript: Transcript, by: By, note_id: int) -> None:
    """Take away a note of one's own; call it inside :func:`change`.

    Raises:
        NotPossible: ``note_other`` if there is no such note, or a colleague wrote it.
    """
    note = session.get(Note, note_id) if 0 < note_id < 2**31 else None
    if note is None or note.transcript_id != transcript.id or note.staff_id != by.staff_id:
        raise NotPossible("note_other")
    session.delete(note)
    session.flush()


def undo(session: Session, transcript: Transcript, by: By) -> list[str]:
    """Take back the last change that somebody made to a conversation; again for the one before.

    Args:
        session: a transaction.
        transcript: the conversation.
        by: who takes back what they did.

    Returns:
        What was taken back: ``need``, ``review``, ``assigned``, ``verdict``, ``label``, ``note``. It is empty if a
        colleague has changed all of it since.

    Raises:
        NotPossible: ``nothing_to_undo``, or ``gone``.
    """
    _hold(session, transcript)
    query = select(Undo).where(Undo.transcript_id == transcript.id, Undo.staff_id == by.staff_id).order_by(Undo.id.desc()).limit(1)
    step = session.execute(query).scalar_one_or_none()
    if step is None:
        raise NotPossible("nothing_to_undo")
    present = review_steps.snapshot(session, transcript)
    taken_back = []
    for key, (old, new) in json.loads(step.before).items():
        if present.get(key) == new and review_steps.restore(session, transcript, key, old):
            taken_back.append(key.partition(":")[0])
    session.delete(step)
    session.flush()
    _keep_dangerous_true(session, transcript, by.now)
    return sorted(set(taken_back))


def _hold(session: Session, transcript: Transcript) -> None:
    """Let nobody else change a transcript until the transaction ends, on both databases, and read it anew."""
    own = Transcript.id == transcript.id
    held = session.execute(
        update(Transcript).where(own).values(review_state=Transcript.review_state).execution_options(synchronize_session=False)
    )
    if not held.rowcount:
        raise NotPossible("gone")
    session.refresh(transcript)


def _readable(session: Session, transcript: Transcript, turn: TranscriptTurn) -> None:
    # The consent may have been taken back while the page was open.
    session.refresh(turn, ["text"])
    if not transcript.consent or turn.text is None:
        raise NotPossible("no_text")


def _begin(transcript: Transcript) -> None:
    if transcript.review_state == NEW:
        transcript.review_state = IN_REVIEW


def _say(session: Session, turn: TranscriptTurn, by: By, **said: Any) -> None:
    row = session.get(Verdict, turn.id)
    if row is None:
        if not any(value is not None for value in said.values()):
            return
        row = Verdict(turn_id=turn.id, transcript_id=turn.transcript_id)
        session.add(row)
    elif all(getattr(row, name) == value for name, value in said.items()):
        return
    review_steps.write_verdict(session, row, {**said, "staff_id": by.staff_id, "created_at": by.now})


def _keep_dangerous_true(session: Session, transcript: Transcript, now: datetime) -> None:
    query = select(Verdict.turn_id).where(Verdict.transcript_id == transcript.id, Verdict.answer == DANGEROUS).limit(1)
    dangerous = session.execute(query).first() is not None
    if dangerous == transcript.dangerous:
        return
    transcript.dangerous = dangerous
    if dangerous:
        notifications.note(session, notifications.DANGEROUS, transcript.key, transcript.state, now)
    else:
        # Nobody needs to be told any more.
        waiting = (Notification.kind == notifications.DANGEROUS, Notification.object_key == transcript.key)
        session.execute(delete(Notification).where(*waiting).execution_options(synchronize_session=False))
    session.flush()


def _forget_old_steps(session: Session, transcript: Transcript, by: By) -> None:
    own = (Undo.transcript_id == transcript.id, Undo.staff_id == by.staff_id)
    kept = select(Undo.id).where(*own).order_by(Undo.id.desc()).offset(STEPS_KEPT).limit(1)
    oldest = session.execute(kept).scalar_one_or_none()
    if oldest is not None:
        session.execute(delete(Undo).where(*own, Undo.id <= oldest).execution_options(synchronize_session=False))
