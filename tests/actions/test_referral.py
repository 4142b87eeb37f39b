"""The action that refers, run directly on the shipped directory: slots in, replies and events out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actions.referral import NEEDS_WITH_PLACE, ActionRefer
from tests.actions.support import event_names, run, slots_set, waits_for

pytestmark = pytest.mark.usefixtures("directory_url")

REFERRED = [
    ({"need": "recognition", "place": "Dortmund"}, ("utter_referral", "utter_referral_next_best")),
    ({"need": "recognition", "place": "44137"}, ("utter_referral", "utter_referral_next_best")),
    ({"need": "recognition", "place": "Frankfurt (Oder)@12053"}, ("utter_referral", "utter_referral_next_best")),
    ({"need": "recognition", "place": "DE-SN"}, ("utter_referral", "utter_referral_next_best")),
    ({"need": "recognition", "place": "abroad"}, ("utter_referral_abroad",)),
    ({"need": "fair_integration", "place": "Bremen"}, ("utter_referral", "utter_referral_next_best")),
    ({"need": "fair_integration", "place": "abroad"}, ("utter_referral_abroad", "utter_referral_none")),
    ({"need": "employer_service", "place": "Jena"}, ("utter_referral", "utter_referral_next_best")),
    ({"need": "qualification", "place": "Köln", "profession": "other"}, ("utter_referral_course", "utter_referral_next_best")),
    ({"need": "qualification", "place": "Köln", "profession": "Hebamme"}, ("utter_referral_course", "utter_referral_next_best")),
    ({"need": "qualification", "place": "abroad"}, ("utter_referral_abroad",)),
    ({"need": "immigration_law"}, ("utter_referral_nationwide",)),
    ({"need": "immigration_law", "place": "Dortmund"}, ("utter_referral_nationwide",)),
    ({"need": "programme_info"}, ("utter_referral_nationwide",)),
    ({"need": "human"}, ("utter_referral_human",)),
    ({"need": "human", "place": "Dortmund"}, ("utter_referral_human",)),
]


@pytest.mark.parametrize(("slots", "expected"), REFERRED, ids=[str(slots) for slots, _ in REFERRED])
def test_what_is_known_leads_to_an_office_without_a_question(slots: dict[str, Any], expected: tuple[str, ...]) -> None:
    replies, events = run(ActionRefer(), slots)
    (reply,) = replies
    assert reply["response"] in expected
    referral = reply["custom"]["referral"]
    assert referral["need"] == slots["need"]
    assert 1 <= len(referral["offices"]) <= 3
    for office in referral["offices"]:
        assert office["checked_on"] and office["source_url"]
        assert office["phone"] or office["email"] or office["website"], office["id"]
    assert waits_for(events) is None
    assert slots_set(events) == {"fallback_count": 0, "place_attempts": 0}


ASKED = [
    ({"need": "recognition"}, "referral_form", "utter_ask_place"),
    ({"need": "recognition", "place_attempts": 1}, "referral_form", "utter_ask_place_again"),
    ({"need": "fair_integration"}, "referral_form", "utter_ask_place"),
    ({"need": "employer_service"}, "referral_form", "utter_ask_place"),
    ({"need": "qualification"}, "referral_form", "utter_ask_place"),
    ({"need": "recognition", "place": "Frankfurt"}, "referral_form", "utter_ask_which_place"),
    ({"need": "recognition", "place": "Neustadt"}, "referral_form", "utter_ask_which_place_many"),
    ({"need": "recognition", "place": "Brandenburg"}, "referral_form", "utter_ask_which_place"),
    ({"need": "recognition", "place": "Frankfurt", "place_attempts": 5}, "referral_form", "utter_ask_which_place"),
    ({"need": "qualification", "place": "Frankfurt"}, "referral_form", "utter_ask_which_place"),
    ({"need": "recognition", "place": "99999"}, "referral_form", "utter_postcode_unknown"),
    ({"need": "recognition", "place": "Dortmud"}, "referral_form", "utter_place_unknown_near"),
    ({"need": "recognition", "place": "Xqzwy"}, "referral_form", "utter_place_unknown"),
    ({"need": "recognition", "place": "Xqzwy", "place_attempts": 2}, "referral_form", "utter_place_give_up"),
    ({"need": "recognition", "place": "00000", "place_attempts": 7}, "referral_form", "utter_place_give_up"),
]


@pytest.mark.parametrize(("slots", "form", "question"), ASKED, ids=[f"{q} {slots}" for slots, _, q in ASKED])
def test_what_is_missing_or_unclear_is_asked_for_and_its_form_waits(slots: dict[str, Any], form: str, question: str) -> None:
    replies, events = run(ActionRefer(), slots)
    assert [r["response"] for r in replies] == [question]
    assert waits_for(events) == (form, "place")
    assert slots_set(events)["place"] is None
    assert slots_set(events)["place_attempts"] == slots.get("place_attempts", 0) + 1


def test_the_profession_is_asked_for_once_the_place_is_known() -> None:
    replies, events = run(ActionRefer(), {"need": "qualification", "place": "Köln"})
    assert [r["response"] for r in replies] == ["utter_ask_profession"]
    assert waits_for(events) == ("course_form", "profession")
    assert "place" not in slots_set(events)


def test_a_choice_carries_references_that_are_clear() -> None:
    replies, _ = run(ActionRefer(), {"need": "recognition", "place": "Frankfurt"})
    buttons = replies[0]["buttons"]
    assert [b["title"] for b in buttons] == ["Frankfurt am Main (Hessen)", "Frankfurt (Oder) (Brandenburg)"]
    for button in buttons:
        place = json.loads(button["payload"].removeprefix("/inform"))["place"]
        assert waits_for(run(ActionRefer(), {"need": "recognition", "place": place})[1]) is None


def test_near_spellings_become_buttons() -> None:
    replies, _ = run(ActionRefer(), {"need": "recognition", "place": "Dortmud"})
    assert replies[0]["buttons"] == [{"title": "Dortmund", "payload": '/inform{"place": "Dortmund"}'}]


def test_without_a_need_the_need_is_asked_for() -> None:
    replies, events = run(ActionRefer(), {"place": "Köln"})
    assert [r["response"] for r in replies] == ["utter_ask_need"]
    assert slots_set(events) == {"fallback_count": 0}


@pytest.mark.parametrize("need", ["immigration_law", "programme_info", "human"])
def test_a_need_without_place_never_asks_even_if_the_place_is_not_understood(need: str) -> None:
    assert need not in NEEDS_WITH_PLACE
    replies, events = run(ActionRefer(), {"need": need, "place": "Xqzwy"})
    assert replies[0]["custom"]["referral"]["offices"]
    assert waits_for(events) is None
    assert slots_set(events)["place"] is None


def test_a_referral_in_the_middle_of_a_form_leaves_the_form() -> None:
    _, events = run(ActionRefer(), {"need": "human"}, loop="referral_form")
    assert event_names(events)[-2:] == ["active_loop", "slot"]
    assert events[-2]["name"] is None
    assert slots_set(events)["requested_slot"] is None


def test_a_need_with_another_form_leaves_the_first_form() -> None:
    _, events = run(ActionRefer(), {"need": "qualification"}, loop="course_form")
    assert waits_for(events) == ("referral_form", "place")


@pytest.mark.parametrize(("need", "note"), [("recognition", "bring_documents"), ("fair_integration", "dismissal_deadline")])
def test_advice_that_everybody_needs_is_among_the_notes(need: str, note: str) -> None:
    replies, _ = run(ActionRefer(), {"need": need, "place": "Berlin"})
    assert note in replies[0]["custom"]["referral"]["notes"]


def test_the_sentence_above_the_cards_is_not_repeated_as_a_note() -> None:
    for place in ("Dortmund", "Kiel", "Passau", "Cottbus", "Jena"):
        replies, _ = run(ActionRefer(), {"need": "recognition", "place": place})
        assert "no_confirmed_office" not in replies[0]["custom"]["referral"]["notes"]


def test_no_office_of_another_state_is_given_without_saying_so() -> None:
    replies, _ = run(ActionRefer(), {"need": "recognition", "place": "Rosenheim"})
    for office in replies[0]["custom"]["referral"]["offices"]:
        assert office["state"] in (None, "DE-BY") or office["level"] in ("nationwide", "nearby"), office["id"]
