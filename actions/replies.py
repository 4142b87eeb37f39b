"""Small helpers for what actions send: buttons, and what the person's last message was."""

from __future__ import annotations

import json
from typing import Any

from rasa_sdk import Tracker


def button(title: str, intent: str, **entities: Any) -> dict[str, str]:
    """Return a button.

    Args:
        title: a response id (translated later) or a proper name such as a town.
        intent: the intent of a click.
        entities: its entities.
    """
    return {"title": title, "payload": f"/{intent}" + (json.dumps(entities, ensure_ascii=False) if entities else "")}


def latest_intent(tracker: Tracker) -> str:
    """Return the intent of the person's last message, without the topic of a question."""
    return str((tracker.latest_message.get("intent") or {}).get("name") or "")
