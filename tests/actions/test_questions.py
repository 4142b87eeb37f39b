"""The actions that ask: for the place, plainly or with help; for the profession."""

from __future__ import annotations

from typing import Any

import pytest

from actions.places import MOST_QUESTIONS, ActionAskPlace, ActionAskProfession
from tests.actions.support import run, said, slots_set

pytestmark = pytest.mark.usefixtures("directory_url")

UNKNOWN = {"kind": "unknown", "text": "Xqzwy", "suggestions": []}
NEAR = {"kind": "unknown", "text": "Dortmud", "suggestions": ["Dortmund"]}
POSTCODE = {"kind": "postcode", "text": "99999"}
CHOICES = [{"title": "Frankfurt am Main (Hessen)", "reference": "Frankfurt am Main@06412"}]
FEW = {"kind": "ambiguous", "text": "Frankfurt", "many": False, "choices": CHOICES}
MANY = {"kind": "ambiguous", "text": "Neustadt", "many": True, "choices": CHOICES}

TABLE: list[tuple[dict[str, Any], str, str, int]] = [
    ({}, "recognition", "utter_ask_place", 1),
    ({"place_attempts": 1}, "inform", "utter_ask_place_again", 2),
    ({"place_attempts": 1, "place_problem": UNKNOWN}, "inform", "utter_place_unknown", 2),
    ({"place_attempts": 1, "place_problem": NEAR}, "inform", "utter_place_unknown_near", 2),
    ({"place_attempts": 1, "place_problem": POSTCODE}, "inform", "utter_postcode_unknown", 2),
    ({"place_attempts": 0, "place_problem": FEW}, "recognition", "utter_ask_which_place", 1),
    ({"place_attempts": 1, "place_problem": MANY}, "inform", "utter_ask_which_place_many", 2),
    ({"place_attempts": 5, "place_problem": FEW}, "inform", "utter_ask_which_place", 6),
    ({"place_attempts": MOST_QUESTIONS}, "inform", "utter_place_give_up", MOST_QUESTIONS + 1),
    ({"place_attempts": MOST_QUESTIONS, "place_problem": UNKNOWN}, "inform", "utter_place_give_up", MOST_QUESTIONS + 1),
]


@pytest.mark.parametrize(("slots", "intent", "expected", "attempts"), TABLE, ids=[f"{row[2]}-{row[3]}" for row in TABLE])
def test_the_question_fits_what_happened_before(slots: dict[str, Any], intent: str, expected: str, attempts: int) -> None:
    replies, events = run(ActionAskPlace(), {"need": "recognition", **slots}, "referral_form", said(intent))
    assert [reply["response"] for reply in replies] == [expected]
    assert slots_set(events) == {"place_problem": None, "place_attempts": attempts}


@pytest.mark.parametrize("intent", ["faq", "bot_challenge", "feedback_positive", "feedback_negative", "switch_language", "greet", "thank"])
@pytest.mark.parametrize("attempts", [1, MOST_QUESTIONS, MOST_QUESTIONS + 3])
def test_an_interruption_is_no_attempt(intent: str, attempts: int) -> None:
    replies, events = run(ActionAskPlace(), {"need": "recognition", "place_attempts": attempts}, "referral_form", said(intent))
    assert [reply["response"] for reply in replies] == ["utter_ask_place_again"]
    assert slots_set(events) == {"place_problem": None}


def test_giving_up_offers_sixteen_states_abroad_and_real_contacts() -> None:
    replies, _ = run(ActionAskPlace(), {"need": "recognition", "place_attempts": MOST_QUESTIONS}, "referral_form", said("inform"))
    (reply,) = replies
    payloads = [button["payload"] for button in reply["buttons"]]
    assert len(payloads) == len(set(payloads)) == 17
    assert '/inform{"place": "DE-NW"}' in payloads
    assert payloads[-1] == '/inform{"place": "abroad"}'
    assert reply["custom"]["referral"]["offices"]


@pytest.mark.parametrize("need", ["recognition", "qualification", "fair_integration", "employer_service", None])
def test_giving_up_has_a_contact_for_every_need(need: str | None) -> None:
    replies, _ = run(ActionAskPlace(), {"need": need, "place_attempts": MOST_QUESTIONS}, "referral_form", said("inform"))
    assert replies[0]["custom"]["referral"]["offices"]


def test_choices_and_near_spellings_become_buttons() -> None:
    few, _ = run(ActionAskPlace(), {"place_problem": FEW}, "referral_form", said("inform"))
    assert few[0]["buttons"] == [{"title": CHOICES[0]["title"], "payload": '/inform{"place": "Frankfurt am Main@06412"}'}]
    near, _ = run(ActionAskPlace(), {"place_problem": NEAR}, "referral_form", said("inform"))
    assert near[0]["buttons"] == [{"title": "Dortmund", "payload": '/inform{"place": "Dortmund"}'}]


def test_the_profession_is_asked_for() -> None:
    replies, events = run(ActionAskProfession(), {"need": "qualification"}, "course_form")
    assert [reply["response"] for reply in replies] == ["utter_ask_profession"]
    assert events == []
