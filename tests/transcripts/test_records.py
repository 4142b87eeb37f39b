"""What stays of a conversation: nothing that was said without consent, redacted texts with it."""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from sqlalchemy import func, select

from bot.settings import PROJECT
from bot.transcripts import database, figures
from bot.transcripts.closing import close_ended
from bot.transcripts.conversations import Conversations, LiveConversation
from bot.transcripts.record_models import (
    GUIDE,
    PERSON,
    CallbackRequest,
    DailyCount,
    Notification,
    Transcript,
    TranscriptNeed,
    TranscriptOffice,
    TranscriptTurn,
    Verdict,
)
from bot.transcripts.records import ANSWERS, ECHOES, NO_ANSWER, TurnFacts

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
SAID = "Ich heiße Fatima Al-Sayed, Tel. 0176 55 12 34 89, Krankenschwester in Dortmund"
REFERRAL: dict[str, Any] = {
    "need": "recognition",
    "place": {"name": "Dortmund", "postcode": "44137", "district": "05913", "state": "DE-NW"},
    "offices": [{"id": "iq-dortmund", "name": "Anerkennungsberatung Dortmund"}],
    "notes": [],
}


@pytest.fixture
def store(tmp_path: Path) -> Conversations:
    """Conversations in an empty database."""
    url = f"sqlite:///{tmp_path / 'transcripts.db'}"
    database.upgrade(url)
    return Conversations(url, b"k" * 32, timedelta(minutes=30), timedelta(hours=12))


def begin(store: Conversations) -> LiveConversation:
    """Begin a conversation and have the guide say its welcome."""
    conversation = store.create("web", "de", True, NOW)
    begun = store.begin_turn(conversation.id, "start", "start", None, NOW)
    store.finish_turn(conversation.id, begun.id, [message("Guten Tag")], {}, "de", NOW, TurnFacts(responses=["utter_welcome"]))
    return conversation


def message(text: str, referral: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a message of the guide."""
    return {"id": uuid.uuid4().hex[:16], "author": "bot", "text": text, "language": "de", "buttons": [], "referral": referral}


def say(
    store: Conversations, conversation: LiveConversation, text: str = SAID, *messages: dict[str, Any], kind: str = "text", **facts: Any
) -> list[dict[str, Any]]:
    """Take one turn; the answer names an office unless told otherwise."""
    said = list(messages) or [message("Diese Stelle hilft Ihnen.", REFERRAL)]
    understood = {
        "intent": "recognition",
        "confidence": 0.8,
        "need": "recognition",
        "entities": [{"entity": "place", "value": "Dortmund"}],
        "responses": ["utter_referral"] * len(said),
        "latency_ms": 42,
    }
    begun = store.begin_turn(conversation.id, str(uuid.uuid4()), kind, text, NOW)
    assert store.finish_turn(conversation.id, begun.id, said, {}, "de", NOW, TurnFacts(**{**understood, **facts}))
    return said


def transcript(store: Conversations) -> Transcript:
    """Return the only transcript, with its turns, needs and offices."""
    with database.session(store.url) as session:
        found = session.execute(select(Transcript)).scalar_one()
        _ = [*found.turns, *found.needs, *found.offices]
        return found


def count(store: Conversations, table: type) -> int:
    """Return the number of rows of a table."""
    with database.session(store.url) as session:
        return int(session.execute(select(func.count()).select_from(table)).scalar_one())


def test_without_consent_there_is_structure_and_no_text(store: Conversations) -> None:
    say(store, begin(store))
    kept = transcript(store)
    assert not kept.consent
    assert (kept.need, kept.outcome, kept.state, kept.district) == ("recognition", "referred", "DE-NW", "05913")
    assert (kept.messages, kept.min_confidence) == (1, 0.8)
    assert [need.need for need in kept.needs] == ["recognition"]
    assert [office.office_id for office in kept.offices] == ["iq-dortmund"]
    assert [(turn.author, turn.intent or turn.response) for turn in kept.turns] == [
        (GUIDE, "utter_welcome"),
        (PERSON, "recognition"),
        (GUIDE, "utter_referral"),
    ]
    for turn in kept.turns:
        assert turn.text is None and turn.entities is None and turn.referral is None


def test_consent_keeps_also_what_was_said_before_it_and_redacted(store: Conversations) -> None:
    conversation = begin(store)
    say(store, conversation)
    store.set_consent(conversation.id, True, NOW)
    say(store, conversation, "Und meine Mail ist fatima@example.org")
    kept = transcript(store)
    assert kept.consent and kept.consent_at == NOW
    said = [turn for turn in kept.turns if turn.author == PERSON]
    assert "Krankenschwester in Dortmund" in said[0].text
    assert "0176" not in said[0].text and "Fatima" not in said[0].text
    assert "example.org" not in said[1].text
    assert json.loads(said[0].entities) == [{"entity": "place", "value": "Dortmund"}]
    assert json.loads(said[0].redacted)["phone"] == 1
    assert json.loads([turn for turn in kept.turns if turn.referral][0].referral) == REFERRAL


def test_who_takes_the_consent_back_has_no_text_kept_and_no_verdict_on_it(store: Conversations) -> None:
    conversation = begin(store)
    say(store, conversation)
    store.set_consent(conversation.id, True, NOW)
    with database.session(store.url) as session:
        turn = session.scalars(select(TranscriptTurn).where(TranscriptTurn.author == PERSON)).one()
        session.add(Verdict(turn_id=turn.id, transcript_id=turn.transcript_id, intent_right=True, created_at=NOW))
    store.set_consent(conversation.id, False, NOW)
    kept = transcript(store)
    assert not kept.consent
    assert all(turn.text is None and turn.entities is None and turn.referral is None and turn.redacted is None for turn in kept.turns)
    assert count(store, Verdict) == 0
    store.set_consent(conversation.id, True, NOW)
    assert "Krankenschwester" in [turn for turn in transcript(store).turns if turn.author == PERSON][0].text


def test_who_deletes_leaves_neither_transcript_nor_request_for_a_call(store: Conversations) -> None:
    conversation = begin(store)
    store.set_consent(conversation.id, True, NOW)
    say(store, conversation)
    with database.session(store.url) as session:
        session.add(CallbackRequest(key="k", conversation_id=conversation.id, language="de", sealed=b"-", created_at=NOW))
    store.delete(conversation.id, NOW)
    for table in (Transcript, TranscriptTurn, TranscriptNeed, TranscriptOffice, CallbackRequest, DailyCount):
        assert count(store, table) == 0, table


def test_a_conversation_that_ends_by_time_is_counted_once_and_loses_its_link(store: Conversations) -> None:
    conversation = begin(store)
    say(store, conversation)
    later = NOW + timedelta(hours=1)
    assert close_ended(store.url, later) == 0, "it is still live"
    store.purge_expired(later)
    assert close_ended(store.url, later) == 1
    assert close_ended(store.url, later) == 0
    kept = transcript(store)
    assert kept.conversation_id is None and kept.ended_at == later
    with database.session(store.url) as session:
        day = NOW.date()
        for measure, key in (
            ("need", "recognition"),
            ("language", "de"),
            ("state", "DE-NW"),
            ("district", "05913"),
            ("outcome", "referred"),
        ):
            assert figures.totals(session, measure, day, day) == {key: 1}, measure


def test_a_visit_without_a_word_is_no_conversation(store: Conversations) -> None:
    begin(store)
    store.purge_expired(NOW + timedelta(hours=1))
    close_ended(store.url, NOW + timedelta(hours=1))
    with database.session(store.url) as session:
        assert figures.totals(session, "visit", NOW.date(), NOW.date()) == {"all": 1}
        assert figures.totals(session, "conversation", NOW.date(), NOW.date()) == {}


@pytest.mark.parametrize(
    ("facts", "messages", "outcome"),
    [
        ({"intent": "nlu_fallback", "need": None, "responses": ["utter_clarify"]}, [message("Meinen Sie …?")], "unanswered"),
        ({"intent": "greet", "need": None, "responses": ["utter_greet"]}, [message("Hallo")], "nothing_asked"),
        ({"intent": "faq/costs", "need": "recognition", "responses": ["utter_faq/recognition_cost"]}, [message("100 Euro")], "answered"),
        ({"intent": "recognition", "need": "recognition", "responses": ["utter_ask_place"]}, [message("Wo?")], "unanswered"),
        ({"intent": "crisis", "need": "crisis", "responses": ["utter_crisis"]}, [message("110")], "emergency"),
    ],
)
def test_the_outcome_is_the_best_that_happened(
    store: Conversations, facts: dict[str, Any], messages: list[dict[str, Any]], outcome: str
) -> None:
    conversation = begin(store)
    say(store, conversation, "x", *messages, **facts)
    assert transcript(store).outcome == outcome
    say(store, conversation)
    assert transcript(store).outcome == "referred"
    say(store, conversation, "x", *messages, **facts)
    assert transcript(store).outcome == "referred"


def test_flags_say_what_a_reviewer_should_look_at(store: Conversations) -> None:
    conversation = begin(store)
    answer = say(
        store, conversation, "???", message("Das verstehe ich nicht."), intent="nlu_fallback", need=None, responses=["utter_default"]
    )
    store.give_feedback(conversation.id, answer[0]["id"], False, NOW)
    kept = transcript(store)
    assert (kept.fallbacks, kept.unanswered, kept.not_helpful, kept.crisis) == (1, True, True, False)
    store.give_feedback(conversation.id, answer[0]["id"], True, NOW)
    assert not transcript(store).not_helpful


def test_an_emergency_is_told_to_staff_once_and_only_with_consent(store: Conversations) -> None:
    conversation = begin(store)
    say(store, conversation, "Hilfe", message("110"), intent="crisis", need="crisis", responses=["utter_crisis"])
    assert transcript(store).crisis
    assert count(store, Notification) == 0
    store.set_consent(conversation.id, True, NOW)
    say(store, conversation, "Hilfe", message("110"), intent="crisis", need="crisis", responses=["utter_crisis"])
    assert count(store, Notification) == 1


def test_a_button_has_no_part_in_the_lowest_confidence(store: Conversations) -> None:
    conversation = begin(store)
    say(store, conversation, "Anerkennung", kind="button", confidence=0.1)
    assert transcript(store).min_confidence is None
    assert transcript(store).messages == 1


def test_only_answers_that_repeat_the_person_are_redacted(store: Conversations) -> None:
    conversation = begin(store)
    store.set_consent(conversation.id, True, NOW)
    said = [
        message("Den Ort „Fatima Al-Sayed“ kenne ich nicht. Tel. 0176 55 12 34 89"),
        message("Ich bin ein Programm. Tel. 0176 55 12 34 89"),
    ]
    say(store, conversation, "x", *said, responses=["utter_place_unknown", "utter_bot_challenge"])
    echo, own = [turn.text for turn in transcript(store).turns if turn.author == GUIDE][-2:]
    assert "0176" not in echo
    assert own == said[1]["text"]


def test_every_response_that_holds_words_of_the_person_is_known() -> None:
    responses = YAML(typ="safe").load(PROJECT / "domain.yml")["responses"]
    # {place} of these is the directory's name of a place that was found.
    found = {"utter_referral", "utter_referral_next_best", "utter_referral_course", "utter_title_state"}
    holding = {
        name
        for name, variations in responses.items()
        if set(re.findall(r"{(\w+)}", variations[0]["text"])) - {"operator", "minutes", "days", "date", "sources"}
    }
    assert holding - found == ECHOES
    assert NO_ANSWER | ANSWERS <= set(responses)
