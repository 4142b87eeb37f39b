"""The action that hands a person to an office."""

from __future__ import annotations

from rasa_sdk import Tracker
from rasa_sdk.events import ActiveLoop, EventType, FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import replies
from actions.directory import offices, places
from actions.directory.database import session
from actions.directory.models import ABROAD
from actions.places import ask_place

# Needs for which the place decides; the others have nationwide contacts and are never followed by a question.
NEEDS_WITH_PLACE = frozenset({"recognition", "qualification", "fair_integration", "employer_service"})
OTHER_PROFESSION = "other"


class ActionRefer(replies.GuideAction):
    """Finds the offices for need and place; what is missing or unclear is asked through a form."""

    def name(self) -> str:
        """The name in ``domain.yml``."""
        return "action_refer"

    def answer(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        """Refer, or lead to the question that is missing."""
        need = tracker.get_slot("need")
        events: list[EventType] = [SlotSet("fallback_count", 0)]
        if need is None:
            dispatcher.utter_message(response="utter_ask_need")
            return events
        reference, profession = tracker.get_slot("place"), tracker.get_slot("profession")
        with session() as opened:
            found = places.resolve(opened, reference) if reference else places.Resolution()
            if need in NEEDS_WITH_PLACE and found.place is None:
                problem = (reference.partition("@")[0], found) if reference else None
                asked = ask_place(dispatcher, tracker, need, problem)
                return [*events, *asked, SlotSet("place", None), *_wait_for("referral_form", "place")]
            if need == "qualification" and not profession and found.place and found.place.kind != ABROAD:
                dispatcher.utter_message(response="utter_ask_profession")
                return [*events, SlotSet("place_attempts", 0), *_wait_for("course_form", "profession")]
            wanted = None if profession in (None, OTHER_PROFESSION) else profession
            _answer(dispatcher, offices.find(opened, need, found.place, wanted))
        events.append(SlotSet("place_attempts", 0))
        if found.place is None and reference:
            # What is no place must not stay in the slot as if it were one.
            events.append(SlotSet("place", None))
        if tracker.active_loop.get("name"):
            events += [ActiveLoop(None), SlotSet("requested_slot", None)]
        return events


def _wait_for(form: str, slot: str) -> list[EventType]:
    """Leave the next message to ``form``, which waits for ``slot``.

    The question has been asked already; to have the form ask it would cost a second call, and the form would take the
    place of this very message, which was no answer, for one.
    """
    return [ActiveLoop(form), SlotSet("requested_slot", slot), FollowupAction("action_listen")]


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
