"""What stays of a conversation: written turn by turn by the gateway, in the transaction of the live conversation.

With consent the texts are kept, redacted; without it only structure and figures. Consent may come late (the chat asks for
it after the first referral) and may be taken back: then what the live conversation still holds is written anew.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from bot.transcripts import notifications
from bot.transcripts.models import Conversation
from bot.transcripts.record_models import (
    GUIDE,
    OUTCOMES,
    PERSON,
    Note,
    Transcript,
    TranscriptLabel,
    TranscriptNeed,
    TranscriptOffice,
    TranscriptTurn,
    Undo,
    Verdict,
)
from bot.transcripts.redaction import Redacted, redact

FALLBACK_INTENT = "nlu_fallback"
CRISIS = "crisis"
# Responses that say "I have no answer": what a reviewer should look at.
NO_ANSWER = frozenset(
    {
        "utter_default",
        "utter_out_of_scope",
        "utter_out_of_scope_short",
        "utter_clarify_again",
        "utter_directory_down",
        "utter_referral_none",
        "utter_language_unsupported",
        "utter_place_give_up",
    }
)
# Responses that repeat what the person wrote; all others are texts of ours, with names of places and operator at most, in
# which redaction would only take words for names. A test compares this with the placeholders in ``domain.yml``.
ECHOES = frozenset(
    {
        "utter_ask_which_place",
        "utter_ask_which_place_many",
        "utter_place_unknown",
        "utter_place_unknown_near",
        "utter_postcode_unknown",
    }
)
# Responses that answer a question by themselves, besides those of ``faq/...``.
ANSWERS = frozenset({"utter_programme_info", "utter_immigration_law"})


@dataclass(frozen=True)
class TurnFacts:
    """What the engine understood of one turn and how it answered.

    Attributes:
        intent: the intent; ``faq/<topic>`` for a question with a fixed answer.
        confidence: between 0 and 1.
        need: the need that the conversation is about.
        entities: what was found in the text, as ``{"entity", "value"}``.
        responses: the ids of the responses, one for each message of the answer (None where it has none).
        latency_ms: how long the person waited for the answer, in milliseconds.
    """

    intent: str | None = None
    confidence: float | None = None
    need: str | None = None
    entities: Sequence[Mapping[str, Any]] = ()
    responses: Sequence[str | None] = ()
    latency_ms: int | None = None

    def to_json(self) -> str:
        """Return the facts as JSON, to be kept (encrypted) with the live turn."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> TurnFacts:
        """Return the facts that :meth:`to_json` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class FinishedTurn:
    """One turn of the live conversation, in plain."""

    turn_id: int
    kind: str  # start, text, button, language
    question: str | None
    messages: Sequence[Mapping[str, Any]]
    facts: TurnFacts = field(default_factory=TurnFacts)
    # The redacted texts by the id of their message, None for the person's.
    redacted: Mapping[str | None, Redacted] = field(default_factory=dict)


def redacted(turn: FinishedTurn, language: str) -> FinishedTurn:
    """Return a turn whose texts are redacted already.

    Redaction takes milliseconds, and seconds at the first time: no transaction should wait for it.
    """
    texts: dict[str | None, Redacted] = {None: redact(turn.question or "", language)}
    for number, message in enumerate(turn.messages):
        response = turn.facts.responses[number] if number < len(turn.facts.responses) else None
        texts[message.get("id")] = _redacted_answer(message.get("text") or "", response, turn.kind, message.get("language") or language)
    return replace(turn, redacted=texts)


def _redacted_answer(text: str, response: str | None, kind: str, language: str) -> Redacted:
    """Redact a text of the guide where it may repeat what the person wrote; where it comes from is said by ``response``."""
    if response in ECHOES or (response is None and kind != "start"):
        return redact(text, language)
    return Redacted(text)


def write(session: Session, conversation: Conversation, turn: FinishedTurn, now: datetime) -> None:
    """Add one turn to the transcript of a conversation.

    Args:
        session: the transaction in which the live turn is stored.
        conversation: the live conversation.
        turn: what was said.
        now: the moment of the answer.
    """
    transcript = _transcript(session, conversation)
    transcript.language = conversation.language
    transcript.last_activity_at = now
    _count(session, transcript, turn, now)
    position = session.query(TranscriptTurn).filter(TranscriptTurn.transcript_id == transcript.id).count()
    if turn.kind != "start" and turn.question is not None:
        session.add(
            _kept(
                TranscriptTurn(
                    transcript_id=transcript.id,
                    position=position,
                    turn_id=turn.turn_id,
                    author=PERSON,
                    kind=turn.kind,
                    created_at=now,
                    language=conversation.language,
                    intent=turn.facts.intent,
                    confidence=turn.facts.confidence,
                ),
                transcript,
                turn,
            )
        )
        position += 1
    for number, message in enumerate(turn.messages):
        row = TranscriptTurn(
            transcript_id=transcript.id,
            position=position + number,
            turn_id=turn.turn_id,
            author=GUIDE,
            kind=turn.kind,
            created_at=now,
            language=message.get("language") or conversation.language,
            message_id=message.get("id"),
            response=turn.facts.responses[number] if number < len(turn.facts.responses) else None,
            latency_ms=turn.facts.latency_ms,
        )
        session.add(_kept(row, transcript, turn))
    for table in (TranscriptNeed, TranscriptOffice, TranscriptLabel):
        session.execute(
            update(table)
            .where(table.transcript_id == transcript.id)
            .values(last_activity_at=now)
            .execution_options(synchronize_session=False)
        )


def set_consent(session: Session, conversation: Conversation, turns: Sequence[FinishedTurn], now: datetime) -> None:
    """Bring the transcript in line with the consent of its conversation.

    Args:
        session: the transaction in which the consent is stored.
        conversation: the live conversation; its ``consent_to_review`` decides.
        turns: all turns of the live conversation, in plain.
        now: the moment.
    """
    transcript = _transcript(session, conversation)
    transcript.consent, transcript.consent_at = conversation.consent_to_review, now
    by_id = {turn.turn_id: turn for turn in turns}
    rows = session.scalars(select(TranscriptTurn).where(TranscriptTurn.transcript_id == transcript.id)).all()
    for row in rows:
        turn = by_id.get(row.turn_id)
        if transcript.consent and turn is not None:
            _kept(row, transcript, turn)
        elif not transcript.consent:
            row.text = row.entities = row.referral = row.redacted = None
    if transcript.consent:
        if transcript.crisis:
            notifications.note(session, CRISIS, transcript.key, transcript.state, now)
        return
    # What reviewers have written meanwhile is about the text that is gone.
    transcript.dangerous = False
    for table in (Verdict, Note, Undo):
        session.execute(delete(table).where(table.transcript_id == transcript.id).execution_options(synchronize_session=False))
    notifications.withdraw(session, transcript.key)


def set_helpful(session: Session, conversation_id: str, message_id: str, helpful: bool) -> None:
    """Note on the transcript whether a message helped."""
    transcript = _of_conversation(session, conversation_id)
    if transcript is None:
        return
    session.execute(
        update(TranscriptTurn)
        .where(TranscriptTurn.transcript_id == transcript.id, TranscriptTurn.message_id == message_id)
        .values(helpful=helpful)
        .execution_options(synchronize_session=False)
    )
    unhelpful = select(TranscriptTurn.id).where(TranscriptTurn.transcript_id == transcript.id, TranscriptTurn.helpful.is_(False))
    transcript.not_helpful = session.execute(unhelpful.limit(1)).first() is not None


def _of_conversation(session: Session, conversation_id: str) -> Transcript | None:
    return session.execute(select(Transcript).where(Transcript.conversation_id == conversation_id)).scalar_one_or_none()


def _transcript(session: Session, conversation: Conversation) -> Transcript:
    found = _of_conversation(session, conversation.id)
    if found is not None:
        return found
    made = Transcript(
        key=secrets.token_urlsafe(16)[:22],
        conversation_id=conversation.id,
        channel=conversation.channel,
        language=conversation.language,
        started_at=conversation.started_at,
        last_activity_at=conversation.last_activity_at,
        consent=conversation.consent_to_review,
        consent_at=conversation.consent_at,
        outcome=OUTCOMES[-1],
        messages=0,
        fallbacks=0,
        crisis=False,
    )
    session.add(made)
    session.flush()
    return made


def _count(session: Session, transcript: Transcript, turn: FinishedTurn, now: datetime) -> None:
    """Carry what a turn means over into the columns by which transcripts are found and counted."""
    facts, responses = turn.facts, set(turn.facts.responses)
    asked = turn.kind in ("text", "button")
    transcript.messages += asked
    if turn.kind == "text" and facts.confidence is not None:
        transcript.min_confidence = min(facts.confidence, 1.0 if transcript.min_confidence is None else transcript.min_confidence)
    transcript.fallbacks += asked and facts.intent == FALLBACK_INTENT
    if responses & NO_ANSWER:
        transcript.unanswered = True
    referrals = [message["referral"] for message in turn.messages if message.get("referral")]
    danger = facts.intent == CRISIS or any(one["need"] == CRISIS for one in referrals)
    if danger and not transcript.crisis:
        transcript.crisis = True
        if transcript.consent:
            notifications.note(session, CRISIS, transcript.key, transcript.state, now)
    for one in referrals:
        place = one.get("place") or {}
        transcript.state = place.get("state") or transcript.state
        transcript.district = place.get("district") or transcript.district
        for office in one["offices"]:
            if office.get("id"):
                session.merge(TranscriptOffice(transcript_id=transcript.id, office_id=office["id"], last_activity_at=now))
    need = CRISIS if danger else facts.need
    if need and asked:
        transcript.need = need
        session.merge(TranscriptNeed(transcript_id=transcript.id, need=need, last_activity_at=now))
    if asked:
        reached = _outcome(facts, responses, referrals, danger)
        transcript.outcome = min(reached, transcript.outcome, key=OUTCOMES.index)


def _outcome(facts: TurnFacts, responses: set[str | None], referrals: Sequence[Mapping[str, Any]], danger: bool) -> str:
    if any(one["need"] != CRISIS and one["offices"] for one in referrals):
        return "referred"
    if responses & ANSWERS or any(one and "/" in one for one in responses):
        return "answered"
    if danger:
        return "emergency"
    # A greeting asks nothing; a need without an office yet, or something that was not understood, does.
    return "unanswered" if facts.need or responses & NO_ANSWER or facts.intent == FALLBACK_INTENT else "nothing_asked"


def _kept(row: TranscriptTurn, transcript: Transcript, turn: FinishedTurn) -> TranscriptTurn:
    """Fill in what is kept only with consent."""
    if not transcript.consent:
        return row
    if row.author == PERSON:
        said: str | None = turn.question
        row.entities = json.dumps([{"entity": e["entity"], "value": e["value"]} for e in turn.facts.entities], ensure_ascii=False)
    else:
        message = next((one for one in turn.messages if one.get("id") == row.message_id), {})
        said = message.get("text")
        if message.get("referral"):
            # The address of the call-back form is the person's alone.
            shown = {key: value for key, value in message["referral"].items() if key != "callback"}
            row.referral = json.dumps(shown, ensure_ascii=False)
    key = None if row.author == PERSON else row.message_id
    if key in turn.redacted:
        found = turn.redacted[key]
    elif row.author == PERSON:
        found = redact(said or "", row.language)
    else:
        found = _redacted_answer(said or "", row.response, row.kind, row.language)
    row.text = found.text
    row.redacted = json.dumps(found.kinds) if found.kinds else None
    return row
