"""What is exported: examples (single messages) or whole conversations, chosen and cleared for one purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.transcripts import corrections
from bot.transcripts.corrections import Correction, Filter, Scope, Sides
from bot.transcripts.record_models import DONE, PERSON, TRAINING, Transcript, TranscriptTurn, Verdict
from bot.transcripts.records import FALLBACK_INTENT


@dataclass(frozen=True)
class Wanted:
    """What is to be exported.

    Attributes:
        purpose: ``training`` or ``evaluation``.
        only_new: leave out what was exported before.
        placeholders: also take texts from which personal data was taken into the training.
    """

    purpose: str
    only_new: bool = False
    placeholders: bool = False


@dataclass(frozen=True)
class TurnRecord:
    """One message of an exported conversation. ``text`` is None if it is withheld, and ``withheld`` says why."""

    author: str  # person, guide
    kind: str  # text, button, language, start
    language: str
    text: str | None
    withheld: str | None
    intent: str | None  # as understood
    confidence: float | None
    right_intent: str | None  # as judged: confirmed or corrected
    verdict: str | None  # right, wrong; of an answer: helpful, wrong, dangerous
    response: str | None


@dataclass(frozen=True)
class ConversationRecord:
    """One exported conversation under its pseudonym."""

    key: str
    language: str
    channel: str
    need: str | None
    right_need: str | None
    outcome: str
    turns: tuple[TurnRecord, ...]

    @property
    def fully_judged(self) -> bool:
        """Whether a reviewer has said of every text of the person what it means."""
        return all(turn.right_intent for turn in self.turns if turn.author == PERSON and turn.kind == "text")


@dataclass
class Selection:
    """What was chosen for an export, and how much was left out, by reason."""

    examples: list[Correction] = field(default_factory=list)
    conversations: list[ConversationRecord] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def turn_ids(self) -> list[int]:
        """The messages that count as exported."""
        return [one.turn_id for one in self.examples]


def examples(session: Session, scope: Scope, wanted: Wanted) -> Selection:
    """Return the single messages to export.

    Left out are texts with placeholders (from the training), messages that nobody can understand (``fallback``: no
    example for an intent), and those that have come too near to the other side since they got their purpose.
    """
    found, sides = Selection(), Sides(session)
    for one in _chosen(session, scope, wanted):
        reason = _reason(one, wanted, sides)
        if reason is None and one.intent == FALLBACK_INTENT:
            reason = "fallback"
        if reason is not None:
            found.left_out[reason] += 1
            continue
        found.examples.append(one)
    return found


def conversations(session: Session, scope: Scope, wanted: Wanted, *, complete: bool) -> Selection:
    """Return the conversations to export: those that hold a message with the purpose.

    Texts in them that may not be used for it (nearly equal to the other side, or with placeholders in the training) are
    withheld; the rest of the conversation stays.

    Args:
        session: a session on the transcripts.
        scope: what may be seen.
        wanted: what is to be exported.
        complete: only conversations whose review is done and in which every text is judged.
    """
    found, sides = Selection(), Sides(session)
    by_transcript: dict[int, list[Correction]] = {}
    for one in _chosen(session, scope, wanted):
        by_transcript.setdefault(one.transcript_id, []).append(one)
    for transcript_id, ones in by_transcript.items():
        transcript = session.get(Transcript, transcript_id)
        record = _record(session, transcript, wanted, sides)
        if record is None:
            found.left_out["conversation"] += 1
        elif complete and (transcript.review_state != DONE or not record.fully_judged):
            found.left_out["incomplete"] += 1
        else:
            found.conversations.append(record)
            found.examples += ones
    return found


def _chosen(session: Session, scope: Scope, wanted: Wanted) -> list[Correction]:
    return corrections.all_of(session, scope, Filter(purpose=wanted.purpose, exported="no" if wanted.only_new else ""))


def _reason(one: Correction, wanted: Wanted, sides: Sides) -> str | None:
    if one.placeholder and wanted.purpose == TRAINING and not wanted.placeholders:
        return "placeholder"
    refusal = sides.refusal(one, wanted.purpose)
    return refusal.reason if refusal is not None else None


def _record(session: Session, transcript: Transcript, wanted: Wanted, sides: Sides) -> ConversationRecord | None:
    """Return a conversation for an export; None if it is (also) on the other side."""
    verdicts = {row.turn_id: row for row in session.scalars(select(Verdict).where(Verdict.transcript_id == transcript.id))}
    if any(row.purpose == corrections.OTHER[wanted.purpose] for row in verdicts.values()):
        return None
    query = select(TranscriptTurn).where(TranscriptTurn.transcript_id == transcript.id).order_by(TranscriptTurn.position)
    return ConversationRecord(
        key=transcript.key,
        language=transcript.language,
        channel=transcript.channel,
        need=transcript.need,
        right_need=transcript.right_need if transcript.need_right is False else None,
        outcome=transcript.outcome,
        turns=tuple(_turn(turn, verdicts.get(turn.id), wanted, sides) for turn in session.scalars(query)),
    )


def _turn(turn: TranscriptTurn, verdict: Verdict | None, wanted: Wanted, sides: Sides) -> TurnRecord:
    by_person = turn.author == PERSON
    withheld = _withheld(turn, wanted, sides) if by_person and turn.kind == "text" and turn.text is not None else None
    right = verdict.intent_right if verdict is not None and by_person else None
    said = {True: "right", False: "wrong", None: None}[right] if by_person else verdict.answer if verdict is not None else None
    right_intent = None if right is None else turn.intent if right else verdict.right_intent if verdict is not None else None
    return TurnRecord(
        author=turn.author,
        kind=turn.kind,
        language=turn.language,
        text=None if withheld else turn.text,
        withheld=withheld,
        intent=turn.intent,
        confidence=turn.confidence,
        right_intent=right_intent,
        verdict=said,
        response=turn.response,
    )


def _withheld(turn: TranscriptTurn, wanted: Wanted, sides: Sides) -> str | None:
    if wanted.purpose == TRAINING and not wanted.placeholders and corrections.has_placeholder(turn.text, turn.redacted):
        return "placeholder"
    refusal = sides.duplicate(turn.text, turn.language, wanted.purpose)
    return refusal.reason if refusal is not None else None


def mark(session: Session, selection: Selection, now: datetime) -> None:
    """Note that a selection has been exported."""
    corrections.mark_exported(session, selection.turn_ids, now)


def by_language(ones: Iterable[Correction]) -> dict[str, Sequence[Correction]]:
    """Return examples by language, in the order of the codes."""
    found: dict[str, list[Correction]] = {}
    for one in ones:
        found.setdefault(one.language, []).append(one)
    return dict(sorted(found.items()))
