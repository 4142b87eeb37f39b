"""Reads the test stories of ``tests/conversations`` for the live runner.

The files are Rasa test stories and nothing else. Two conventions, both invisible to Rasa, tell the live runner more: the
name of a story ends with the language of its conversation, ``(de)`` or ``(en)``; and a comment behind an action names the
responses that it sends, where they differ from the action's own name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rasa.shared.nlu.training_data.entities_parser import find_entities_in_training_example, replace_entities
from ruamel.yaml import YAML

CONVERSATIONS = Path(__file__).resolve().parents[1] / "conversations"
_LANGUAGE = re.compile(r"\((\w\w)\)$")
_COMMENTED_ACTION = re.compile(r"^\s*- action: (\S+?)(?:\s+#\s*(.*))?$")


@dataclass
class Turn:
    """One message of the person and what must follow; ``loop`` and the slots only where the story names them."""

    text: str
    intent: str
    entities: list[tuple[str, str]]
    actions: list[str] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    slots: dict[str, Any] = field(default_factory=dict)
    names_loop: bool = False
    loop: str | None = None


@dataclass
class Story:
    """One conversation."""

    file: str
    name: str
    language: str
    turns: list[Turn]


def read_stories() -> list[Story]:
    """Read all stories, file by file."""
    return [story for path in sorted(CONVERSATIONS.glob("*.yml")) for story in _read_file(path)]


def _read_file(path: Path) -> list[Story]:
    text = path.read_text(encoding="utf-8")
    comments = [m.groups() for m in map(_COMMENTED_ACTION.match, text.splitlines()) if m]
    lines = iter(comments)
    stories = []
    for story in YAML(typ="safe").load(text)["stories"]:
        language = _LANGUAGE.search(story["story"])
        assert language, f"{path.name}: the name must end with (de) or (en): {story['story']}"
        turns: list[Turn] = []
        for step in story["steps"]:
            if "user" in step:
                turns.append(_turn(step))
            elif "action" in step:
                action, comment = next(lines)
                assert action == step["action"], f"{path.name}: write actions as `- action: name  # replies`: {action}"
                turns[-1].actions.append(action)
                turns[-1].replies += _replies(action, comment)
            elif "active_loop" in step:
                turns[-1].names_loop, turns[-1].loop = True, step["active_loop"]
            elif "slot_was_set" in step:
                for slots in step["slot_was_set"]:
                    turns[-1].slots.update(slots)
            else:
                raise AssertionError(f"{path.name}: unknown step {step}")
        stories.append(Story(path.stem, story["story"], language.group(1), turns))
    return stories


def _turn(step: dict[str, Any]) -> Turn:
    marked = step["user"].strip()
    found = [(e["entity"], e["value"]) for e in find_entities_in_training_example(marked)]
    return Turn(replace_entities(marked), step["intent"], found)


def _replies(action: str, comment: str | None) -> list[str]:
    named = [word for word in (comment or "").split() if word.startswith("utter_")]
    if action.startswith("utter_") and not any(name.startswith(action) for name in named):
        return [action, *named]
    return named
