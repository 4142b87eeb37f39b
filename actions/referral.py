"""The action that hands a person to an office."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import ActiveLoop, EventType, FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.directory import offices, places
from actions.directory.database import session
from actions.directory.models import ABROAD

# Needs for which the place decides; the others have nationwide contacts and are never followed by a question.
NEEDS_WITH_PLACE = frozenset({"recognition", "qualification", "fair_integration", "employer_service"})
OTHER_PROFESSION = "other"


class ActionRefer(Action):
    """Finds the offices for need and place; what is missing or unclear is asked through a form."""

    def name(self) -> str:
        """The name in ``domain.yml``."""
        return "action_refer"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Refer, or lead to the question that is missing."""
        need = tracker.get_slot("need")
        events: list[EventType] = [SlotSet("fallback_count", 0)]
        if need is None:
            dispatcher.utter_message(response="utter_ask_need")
            return events
        reference = tracker.get_slot("place")
        profession = tracker.get_slot("profession")
        if need in NEEDS_WITH_PLACE and not reference:
            return [*events, *_ask(tracker, need)]
        with session() as opened:
            found = places.resolve(opened, reference) if reference else places.Resolution()
            if need in NEEDS_WITH_PLACE and found.place is None:
                return [*events, SlotSet("place", None), SlotSet("place_problem", _problem(reference, found)), *_ask(tracker, need)]
            if need == "qualification" and not profession and found.place and found.place.kind != ABROAD:
                return [*events, *_ask(tracker, need)]
            wanted = None if profession in (None, OTHER_PROFESSION) else profession
            referral = offices.find(opened, need, found.place, wanted)
            _answer(dispatcher, referral)
        # A place that only a nationwide need has not understood must not stay in the slot as if it were one.
        events += [SlotSet("place_attempts", 0), SlotSet("place_problem", None)]
        if found.place is None and reference:
            events.append(SlotSet("place", None))
        if tracker.active_loop.get("name"):
            events += [ActiveLoop(None), SlotSet("requested_slot", None)]
        return events


def _ask(tracker: Tracker, need: str) -> list[EventType]:
    """Lead to the form of the need; a form of another need is left first."""
    form = "course_form" if need == "qualification" else "referral_form"
    events: list[EventType] = []
    if tracker.active_loop.get("name") not in (None, form):
        events = [ActiveLoop(None), SlotSet("requested_slot", None)]
    return [*events, FollowupAction(form)]


def _problem(text: str, found: places.Resolution) -> dict[str, Any]:
    shown = text.partition("@")[0]
    if found.choices:
        choices = [{"title": _title(p), "reference": p.reference} for p in found.choices]
        return {"kind": "ambiguous", "text": shown, "many": found.many, "choices": choices}
    if found.unknown_postcode:
        return {"kind": "postcode", "text": shown}
    return {"kind": "unknown", "text": shown, "suggestions": found.suggestions}


def _title(place: places.Place) -> str:
    """Return a place's name with its state, and its district where that tells more ("Neustadt (Bayern)")."""
    if place.kind == "state" or place.state is None:
        return place.name
    return f"{place.name} ({places.states()[place.state].name})"


def _answer(dispatcher: CollectingDispatcher, referral: offices.Referral) -> None:
    place = referral.place
    if not referral.matches:
        dispatcher.utter_message(response="utter_referral_none")
        return
    if referral.need == "human":
        response = "utter_referral_human"
    elif place is not None and place.kind == ABROAD:
        response = "utter_referral_abroad"
    elif "no_confirmed_office" in referral.notes:
        response = "utter_referral_next_best"
    elif place is None or all(m.level == "nationwide" for m in referral.matches):
        response = "utter_referral_nationwide"
    elif referral.need == "qualification":
        response = "utter_referral_course"
    else:
        response = "utter_referral"
    public = referral.public()
    # The sentence above the cards says it already.
    public["notes"] = [note for note in referral.notes if note != "no_confirmed_office"] + _advice(referral.need)
    dispatcher.utter_message(response=response, place=place.name if place else "", json_message={"referral": public})


def _advice(need: str) -> list[str]:
    return {"recognition": ["bring_documents"], "fair_integration": ["dismissal_deadline"]}.get(need, [])
