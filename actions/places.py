"""Questions about what is missing: the place, the profession. The forms ask through these actions, the referral directly."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import replies
from actions.directory import offices, places
from actions.directory.database import session

# After so many questions without a place the guide stops asking and shows the states and the nationwide contacts.
MOST_QUESTIONS = 2
# These messages are no attempt to answer the question, so the question does not count again.
_INTERRUPTIONS = frozenset("faq bot_challenge feedback_positive feedback_negative switch_language greet thank".split())


class ActionAskPlace(Action):
    """Asks for the place again after an interruption, or when the answer named none."""

    def name(self) -> str:
        """The name in ``domain.yml``; the forms call it for the slot ``place``."""
        return "action_ask_place"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Ask, and count how often, unless the person only asked something in between."""
        if replies.latest_intent(tracker) in _INTERRUPTIONS and tracker.get_slot("place_attempts"):
            dispatcher.utter_message(response="utter_ask_place_again")
            return []
        return ask_place(dispatcher, tracker, tracker.get_slot("need"), None)


class ActionAskProfession(Action):
    """Asks for the profession; whoever does not name one gets all courses."""

    def name(self) -> str:
        """The name in ``domain.yml``; ``course_form`` calls it for the slot ``profession``."""
        return "action_ask_profession"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Ask."""
        dispatcher.utter_message(response="utter_ask_profession")
        return []


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
    buttons = [replies.button(_title(place), "inform", place=place.reference) for place in found.choices]
    dispatcher.utter_message(response=response, place=text, buttons=buttons)


def _title(place: places.Place) -> str:
    """Return a place's name with its state ("Frankfurt (Oder) (Brandenburg)")."""
    if place.kind == "state" or place.state is None:
        return f"{place.name} (Bundesland)"
    return f"{place.name} ({places.states()[place.state].name})"


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
