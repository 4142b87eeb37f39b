"""Actions about the conversation itself: its start, its language, a new start, and asking back."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import ActionExecuted, ActiveLoop, EventType, SessionStarted, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions import replies
from actions.directory import offices, places
from actions.directory.database import session
from actions.directory.models import NEEDS

LIKELY_NEEDS = 3
# Slots that belong to the person's case; the language stays when somebody starts over.
_CASE = ("need", "place", "country", "profession", "residence", "place_attempts", "fallback_count")


class ActionSessionStart(replies.GuideAction):
    """Begins a conversation: takes the language from the channel and says first that a machine answers."""

    def name(self) -> str:
        """Rasa calls the action of this name at the start of each session."""
        return "action_session_start"

    def answer(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        """Welcome the person."""
        metadata = tracker.get_slot("session_started_metadata") or {}
        dispatcher.utter_message(response="utter_welcome")
        if metadata.get("start"):
            # On a messenger the conversation begins with what the person wants; there it would be in the way.
            dispatcher.utter_message(response="utter_ask_need")
        return [
            SessionStarted(),
            SlotSet("language", metadata.get("language") or tracker.get_slot("language") or "de"),
            ActionExecuted("action_listen"),
        ]


class ActionClarify(replies.GuideAction):
    """Asks back when the guide is not sure: first with the likeliest needs, then with ways to a human."""

    def name(self) -> str:
        """The name in ``domain.yml``."""
        return "action_clarify"

    def answer(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        """Offer the three likeliest needs; the second time in a row the hotline, the office search and a human."""
        count = int(tracker.get_slot("fallback_count") or 0)
        if count == 0:
            buttons = [replies.button(f"utter_button_{need}", need) for need in likely_needs(tracker)]
            dispatcher.utter_message(response="utter_clarify", buttons=buttons)
        else:
            with session() as opened:
                referral = offices.find(opened, "human", None).public()
            dispatcher.utter_message(response="utter_clarify_again", json_message={"referral": referral})
        return [SlotSet("fallback_count", count + 1)]


def likely_needs(tracker: Tracker) -> list[str]:
    """Return the needs that the classifier found likeliest, best first; an emergency only if it is the likeliest."""
    ranked = [entry.get("need") for entry in tracker.latest_message.get("intent_ranking") or []]
    hidden = {"out_of_scope"} if ranked[:1] == ["crisis"] else {"out_of_scope", "crisis"}
    found = [n for n in dict.fromkeys(ranked) if n in NEEDS and n not in hidden]
    for need in ("recognition", "qualification", "fair_integration"):
        if need not in found:
            found.append(need)
    return found[:LIKELY_NEEDS]


class ActionSwitchLanguage(replies.GuideAction):
    """Confirms the new language in that language, or shows the languages there are."""

    def name(self) -> str:
        """The name in ``domain.yml``."""
        return "action_switch_language"

    def answer(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        """Confirm or offer a choice. The slot itself has been set from the entity."""
        named = any(e.get("entity") == "language" for e in tracker.latest_message.get("entities") or [])
        if tracker.latest_message.get("unsupported_language"):
            dispatcher.utter_message(response="utter_language_unsupported")
        else:
            dispatcher.utter_message(response="utter_language_switched" if named else "utter_choose_language")
        return []


class ActionStartOver(replies.GuideAction):
    """Forgets the case and asks for the need again; the language stays."""

    def name(self) -> str:
        """The name in ``domain.yml``."""
        return "action_start_over"

    def answer(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        """Reset the slots of the case and leave a form."""
        dispatcher.utter_message(response="utter_start_over")
        return [ActiveLoop(None), SlotSet("requested_slot", None), *(SlotSet(slot, None) for slot in _CASE)]


class ActionHealth(Action):
    """Answers the gateway's question whether the action server can really read the directory."""

    def name(self) -> str:
        """Not part of any rule; called by the health check only."""
        return "action_health"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Count the offices, and look one up as for a person: what loads with the first question has loaded then."""
        with session() as opened:
            offices.find(opened, "recognition", places.resolve(opened, "Köln").place)
            dispatcher.utter_message(json_message=offices.counts(opened))
        return []
