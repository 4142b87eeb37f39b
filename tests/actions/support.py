"""Runs a custom action as the action server would, without a server."""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

Event = dict[str, Any]


def run(
    action: Action, slots: dict[str, Any] | None = None, loop: str | None = None, message: dict[str, Any] | None = None
) -> tuple[list[dict[str, Any]], list[Event]]:
    """Run an action.

    Args:
        action: the action.
        slots: the slots that are set.
        loop: the form that is active.
        message: the person's last message as Rasa parsed it.

    Returns:
        The replies and the events.
    """
    dispatcher = CollectingDispatcher()
    tracker = Tracker("c", dict(slots or {}), message or {}, [], False, None, {"name": loop} if loop else {}, "action_listen")
    events = action.run(dispatcher, tracker, {})
    return dispatcher.messages, [dict(event) for event in events]


def said(message: str, **more: Any) -> dict[str, Any]:
    """Return a parsed message with the given intent."""
    return {"intent": {"name": message, "confidence": 1.0}, "entities": [], "intent_ranking": [], **more}


def event_names(events: list[Event]) -> list[str]:
    """Return the kinds of the events."""
    return [event["event"] for event in events]


def slots_set(events: list[Event]) -> dict[str, Any]:
    """Return the slots that the events set."""
    return {event["name"]: event["value"] for event in events if event["event"] == "slot"}


def waits_for(events: list[Event]) -> tuple[str, str] | None:
    """Return the form that waits for an answer, and the slot it waits for; None if the conversation is free."""
    if not any(event["event"] == "followup" and event["name"] == "action_listen" for event in events):
        return None
    (form,) = [event["name"] for event in events if event["event"] == "active_loop"]
    return form, slots_set(events)["requested_slot"]
