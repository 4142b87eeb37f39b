"""The actions that ask: for the place, plainly or with help; for the profession."""

from __future__ import annotations

import pytest

from actions.places import MOST_QUESTIONS, ActionAskAgain, ActionAskPlace, ActionAskProfession
from tests.actions.support import run, said, slots_set

pytestmark = pytest.mark.usefixtures("directory_url")

TABLE = [
    (None, "recognition", "utter_ask_place"),
    (0, "inform", "utter_ask_place"),
    (1, "inform", "utter_ask_place_again"),
    (MOST_QUESTIONS, "inform", "utter_place_give_up"),
    (MOST_QUESTIONS + 4, "nlu_fallback", "utter_place_give_up"),
]


@pytest.mark.parametrize(("attempts", "intent", "expected"), TABLE)
def test_the_question_fits_how_often_it_was_asked(attempts: int | None, intent: str, expected: str) -> None:
    replies, events = run(ActionAskAgain(), {"need": "recognition", "place_attempts": attempts}, "referral_form", said(intent))
    assert [reply["response"] for reply in replies] == [expected]
    assert slots_set(events) == {"place_attempts": (attempts or 0) + 1}


@pytest.mark.parametrize("intent", ["faq", "bot_challenge", "feedback_positive", "feedback_negative", "switch_language", "greet", "thank"])
@pytest.mark.parametrize("attempts", [1, MOST_QUESTIONS, MOST_QUESTIONS + 3])
def test_an_interruption_is_no_attempt(intent: str, attempts: int) -> None:
    replies, events = run(ActionAskPlace(), {"need": "recognition", "place_attempts": attempts}, "referral_form", said(intent))
    assert [reply["response"] for reply in replies] == ["utter_ask_place_again"]
    assert events == []


def test_giving_up_offers_sixteen_states_abroad_and_real_contacts() -> None:
    replies, _ = run(ActionAskAgain(), {"need": "recognition", "place_attempts": MOST_QUESTIONS}, "referral_form", said("inform"))
    (reply,) = replies
    payloads = [button["payload"] for button in reply["buttons"]]
    assert len(payloads) == len(set(payloads)) == 17
    assert '/inform{"place": "DE-NW"}' in payloads
    assert payloads[-1] == '/inform{"place": "abroad"}'
    assert reply["custom"]["referral"]["offices"]


@pytest.mark.parametrize("need", ["recognition", "qualification", "fair_integration", "employer_service", None])
def test_giving_up_has_a_contact_for_every_need(need: str | None) -> None:
    replies, _ = run(ActionAskAgain(), {"need": need, "place_attempts": MOST_QUESTIONS}, "referral_form", said("inform"))
    assert replies[0]["custom"]["referral"]["offices"]


def test_the_profession_is_asked_for() -> None:
    replies, events = run(ActionAskProfession(), {"need": "qualification"}, "course_form")
    assert [reply["response"] for reply in replies] == ["utter_ask_profession"]
    assert events == []
