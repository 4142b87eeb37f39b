"""The actions about the conversation itself: start, asking back, language, a new start, health."""

from __future__ import annotations

from typing import Any

import pytest

from actions.conversation import ActionClarify, ActionHealth, ActionSessionStart, ActionStartOver, ActionSwitchLanguage, likely_needs
from actions.directory.models import NEEDS
from tests.actions.support import event_names, run, said, slots_set

pytestmark = pytest.mark.usefixtures("directory_url")


@pytest.mark.parametrize(
    ("metadata", "kept", "language"),
    [
        ({"language": "en"}, None, "en"),
        ({"language": None}, None, "de"),
        (None, None, "de"),
        ({}, "en", "en"),
        ({"language": "de"}, "en", "de"),
    ],
)
def test_a_conversation_begins_in_the_language_of_the_channel(metadata: Any, kept: str | None, language: str) -> None:
    replies, events = run(ActionSessionStart(), {"session_started_metadata": metadata, "language": kept})
    assert replies[0]["response"] == "utter_welcome"
    assert event_names(events)[0] == "session_started"
    assert event_names(events)[-1] == "action"
    assert slots_set(events) == {"language": language}


def test_only_a_page_is_told_what_there_is_to_ask() -> None:
    page, _ = run(ActionSessionStart(), {"session_started_metadata": {"start": True}})
    messenger, _ = run(ActionSessionStart(), {"session_started_metadata": {"start": False}})
    assert [r["response"] for r in page] == ["utter_welcome", "utter_ask_need"]
    assert [r["response"] for r in messenger] == ["utter_welcome"]


def ranking(*needs: str | None) -> dict[str, Any]:
    return said("nlu_fallback", intent_ranking=[{"name": need or "greet", "confidence": 0.1, "need": need} for need in needs])


def test_asking_back_offers_the_three_likeliest_needs() -> None:
    message = ranking(None, "out_of_scope", "employer_service", "employer_service", "crisis", "human", "immigration_law", "recognition")
    replies, events = run(ActionClarify(), {}, None, message)
    assert [r["response"] for r in replies] == ["utter_clarify"]
    assert [b["payload"] for b in replies[0]["buttons"]] == ["/employer_service", "/human", "/immigration_law"]
    assert slots_set(events) == {"fallback_count": 1}


def test_asking_back_has_three_needs_even_if_nothing_is_likely() -> None:
    replies, _ = run(ActionClarify(), {}, None, {})
    assert [b["payload"] for b in replies[0]["buttons"]] == ["/recognition", "/qualification", "/fair_integration"]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_second_time_there_are_contacts(count: int) -> None:
    replies, events = run(ActionClarify(), {"fallback_count": count})
    assert [r["response"] for r in replies] == ["utter_clarify_again"]
    assert replies[0]["custom"]["referral"]["offices"]
    assert slots_set(events) == {"fallback_count": count + 1}


def test_likely_needs_are_needs_that_have_a_button() -> None:
    for need in NEEDS:
        found = likely_needs(type("T", (), {"latest_message": ranking(need)})())
        assert len(found) == len(set(found)) == 3
        assert "out_of_scope" not in found
        # An emergency is offered when it is the likeliest of all, and never as a mere possibility.
        assert ("crisis" in found) == (need == "crisis")


@pytest.mark.parametrize(
    ("entities", "expected"), [([{"entity": "language", "value": "en"}], "utter_language_switched"), ([], "utter_choose_language")]
)
def test_a_language_is_confirmed_or_offered(entities: list[dict[str, str]], expected: str) -> None:
    replies, _ = run(ActionSwitchLanguage(), {"language": "en"}, None, said("switch_language", entities=entities))
    assert [r["response"] for r in replies] == [expected]


def test_a_new_start_forgets_the_case_but_not_the_language() -> None:
    replies, events = run(ActionStartOver(), {"language": "en", "need": "recognition", "place": "Köln"}, "referral_form")
    assert [r["response"] for r in replies] == ["utter_start_over"]
    assert events[0] == {"event": "active_loop", "timestamp": None, "name": None}
    forgotten = slots_set(events)
    assert set(forgotten.values()) == {None}
    assert {"need", "place", "country", "profession", "residence", "requested_slot", "place_attempts"} <= set(forgotten)
    assert "language" not in forgotten


def test_the_health_check_counts_what_is_in_the_directory() -> None:
    replies, events = run(ActionHealth())
    assert events == []
    assert replies[0]["custom"]["offices"] > 50
