"""Actions that ask for what is missing: the place, the profession."""

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
    """Asks for the place: plainly, again, with a choice, or with near spellings; after two tries offers the states."""

    def name(self) -> str:
        """The name in ``domain.yml``; the forms call it for the slot ``place``."""
        return "action_ask_place"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Ask, and count how often."""
        problem = tracker.get_slot("place_problem")
        asked = int(tracker.get_slot("place_attempts") or 0)
        interrupted = asked > 0 and replies.latest_intent(tracker) in _INTERRUPTIONS
        events: list[EventType] = [SlotSet("place_problem", None)]
        if interrupted:
            dispatcher.utter_message(response="utter_ask_place_again")
            return events
        events.append(SlotSet("place_attempts", asked + 1))
        if problem and problem["kind"] == "ambiguous":
            self._offer_choice(dispatcher, problem)
        elif asked >= MOST_QUESTIONS:
            self._give_up(dispatcher, tracker)
        elif problem:
            self._say_unknown(dispatcher, problem)
        elif asked:
            dispatcher.utter_message(response="utter_ask_place_again")
        else:
            dispatcher.utter_message(response="utter_ask_place")
        return events

    def _offer_choice(self, dispatcher: CollectingDispatcher, problem: dict[str, Any]) -> None:
        response = "utter_ask_which_place_many" if problem["many"] else "utter_ask_which_place"
        buttons = [replies.button(c["title"], "inform", place=c["reference"]) for c in problem["choices"]]
        dispatcher.utter_message(response=response, place=problem["text"], buttons=buttons)

    def _say_unknown(self, dispatcher: CollectingDispatcher, problem: dict[str, Any]) -> None:
        if problem["kind"] == "postcode":
            dispatcher.utter_message(response="utter_postcode_unknown", place=problem["text"])
        elif problem["suggestions"]:
            buttons = [replies.button(name, "inform", place=name) for name in problem["suggestions"]]
            dispatcher.utter_message(response="utter_place_unknown_near", place=problem["text"], buttons=buttons)
        else:
            dispatcher.utter_message(response="utter_place_unknown", place=problem["text"])

    def _give_up(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> None:
        buttons = [replies.button(s.name, "inform", place=s.code) for s in places.states().values()]
        buttons.append(replies.button("utter_button_abroad", "inform", place="abroad"))
        with session() as opened:
            referral = offices.find(opened, tracker.get_slot("need") or "human", None)
            dispatcher.utter_message(response="utter_place_give_up", buttons=buttons, json_message={"referral": referral.public()})


class ActionAskProfession(Action):
    """Asks for the profession, once; whoever cannot say it gets all courses."""

    def name(self) -> str:
        """The name in ``domain.yml``; ``course_form`` calls it for the slot ``profession``."""
        return "action_ask_profession"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Ask."""
        dispatcher.utter_message(response="utter_ask_profession")
        return []
