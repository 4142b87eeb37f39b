"""Questions about what is missing: the place, the profession. The forms ask through these actions, the referral directly."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.events import ActiveLoop, EventType, FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import replies
from actions.directory import offices, places
from actions.directory.database import session

# After so many questions without a place the guide stops asking and shows the states and the nationwide contacts.
MOST_QUESTIONS = 2


class ActionAskPlace(replies.GuideAction):
    """Asks for the place again after an interruption."""

    def name(self) -> str:
        """The name in ``domain.yml``; the forms call it for the slot ``place``."""
        return "action_ask_place"

    def answer(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        """Ask; a question or remark in between is no failed try and does not count."""
        if tracker.get_slot("place_attempts"):
            dispatcher.utter_message(response="utter_ask_place_again")
            return []
        return ask_place(dispatcher, tracker, tracker.get_slot("need"), None)


class ActionAskProfession(replies.GuideAction):
    """Asks for the profession; whoever does not name one gets all courses."""

    def name(self) -> str:
        """The name in ``domain.yml``; ``course_form`` calls it for the slot ``profession``."""
        return "action_ask_profession"

    def answer(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        """Ask."""
        dispatcher.utter_message(response="utter_ask_profession")
        return []


class ActionAskAgain(replies.GuideAction):
    """Repeats the open question when a message was no answer to it."""

    def name(self) -> str:
        """The name in ``domain.yml``."""
        return "action_ask_again"

    def answer(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        """Ask for what the form waits for; a greeting or thanks is no failed try and does not count."""
        # The form has handed this message back; begun anew, it takes the next one again.
        name = tracker.active_loop.get("name")
        form = [ActiveLoop(name), FollowupAction("action_listen")] if name else []
        if tracker.get_slot("requested_slot") == "profession":
            dispatcher.utter_message(response="utter_ask_profession")
            return form
        if (tracker.latest_message.get("intent") or {}).get("name") in ("greet", "thank"):
            dispatcher.utter_message(response="utter_ask_place_again")
            return form
        return [*ask_place(dispatcher, tracker, tracker.get_slot("need"), None), *form]


def ask_place(
    dispatcher: CollectingDispatcher, tracker: Tracker, need: str | None, problem: tuple[str, places.Resolution] | None
) -> list[EventType]:
    """Ask for the place: plainly, again, with a choice, or with near spellings; after two tries offer the states.

    Args:
        dispatcher: takes the question.
        tracker: the conversation, which knows how often the place has been asked for.
        need: the need, for the nationwide contacts.
        problem: what the person wrote and why it is no clear place; None if nothing was named.

    Returns:
        The event that counts the question.
    """
    asked = int(tracker.get_slot("place_attempts") or 0)
    if problem and problem[1].choices:
        # A choice is a step forward, no failed try; but nobody is asked for ever.
        _offer_choice(dispatcher, *problem)
    elif asked >= MOST_QUESTIONS:
        _give_up(dispatcher, need)
    elif problem:
        _say_unknown(dispatcher, *problem)
    else:
        dispatcher.utter_message(response="utter_ask_place_again" if asked else "utter_ask_place")
    return [SlotSet("place_attempts", asked + 1)]


def _offer_choice(dispatcher: CollectingDispatcher, text: str, found: places.Resolution) -> None:
    response = "utter_ask_which_place_many" if found.many else "utter_ask_which_place"
    buttons = [_place_button(place) for place in found.choices]
    dispatcher.utter_message(response=response, place=text, buttons=buttons)


def _place_button(place: places.Place) -> dict[str, Any]:
    """Return the button of a place, with its state ("Frankfurt (Oder) (Brandenburg)")."""
    if place.kind == "state" or place.state is None:
        return {**replies.button("utter_title_state", "inform", place=place.reference), "values": {"place": place.name}}
    return replies.button(f"{place.name} ({places.states()[place.state].name})", "inform", place=place.reference)


def _say_unknown(dispatcher: CollectingDispatcher, text: str, found: places.Resolution) -> None:
    if found.unknown_postcode:
        dispatcher.utter_message(response="utter_postcode_unknown", place=text)
    elif found.suggestions:
        buttons = [replies.button(name, "inform", place=name) for name in found.suggestions]
        dispatcher.utter_message(response="utter_place_unknown_near", place=text, buttons=buttons)
    else:
        dispatcher.utter_message(response="utter_place_unknown", place=text)


def _give_up(dispatcher: CollectingDispatcher, need: str | None) -> None:
    buttons = [replies.button(s.name, "inform", place=s.code) for s in places.states().values()]
    buttons.append(replies.button("utter_button_abroad", "inform", place="abroad"))
    with session() as opened:
        referral = offices.find(opened, need or "human", None).public()
    dispatcher.utter_message(response="utter_place_give_up", buttons=buttons, json_message={"referral": referral})
