"""What all actions share: answering although something broke, buttons, and what the person said last."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType
from rasa_sdk.executor import CollectingDispatcher

logger = logging.getLogger(__name__)


class GuideAction(Action, ABC):
    """An action that answers also when something breaks.

    rasa-sdk would send back the whole request, with all that was said, and Rasa would log it. So an error ends here:
    its kind is logged, and the person hears that the directory cannot be asked.
    """

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Do what the action is for (called by rasa-sdk)."""
        try:
            return self.answer(dispatcher, tracker)
        except Exception as error:
            logger.error("The action %s failed: %s", self.name(), type(error).__name__)
            dispatcher.messages.clear()
            dispatcher.utter_message(response="utter_directory_down")
            return []

    @abstractmethod
    def answer(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> list[EventType]:
        """Send the replies and return the events."""


def button(title: str, intent: str, **entities: Any) -> dict[str, str]:
    """Return a button.

    Args:
        title: a response id (translated later) or a proper name such as a town.
        intent: the intent of a click.
        entities: its entities.
    """
    return {"title": title, "payload": f"/{intent}" + (json.dumps(entities, ensure_ascii=False) if entities else "")}
