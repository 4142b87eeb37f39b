"""Plays every story of ``tests/conversations`` against the running engine, and lets Rasa check its own data.

``rasa test core`` is not used: it predicts each action but executes no custom one. ``action_refer`` decides (with the
directory) whether a question follows and leads to the form with a ``FollowupAction`` event, which a story cannot
contain. So every story with a question would be counted as wrong, and those without prove nothing about the offices.
The live runner executes everything, in the processes and with the commands of ``lotse serve``.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from difflib import unified_diff
from typing import Any

import pytest
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import UserUttered
from rasa.shared.core.training_data.story_reader.yaml_story_reader import YAMLStoryReader

from bot.languages import SPOKEN_LANGUAGES
from bot.settings import PROJECT
from bot.training import environment
from tests.dialogue.stories import CONVERSATIONS, Story, Turn, read_stories
from tests.processes import RunningEngine, responses

STORIES = read_stories()
# Not decisions about the conversation: Rasa's own bookkeeping.
BOOKKEEPING = {"action_listen", "action_extract_slots", "action_session_start", "action_unlikely_intent"}
# Rasa warns of these two, and rightly so; everything else that it has to say about our data is a mistake.
EXPECTED_WARNINGS = (
    # Sent by actions, by the NLG or as titles of buttons, which Rasa cannot see. tests/dialogue/test_replies.py can.
    "is not used in any story or rule",
    # Our classifier chooses the answer to a question itself (bot.nlu.intent.selected_answer).
    "your NLU configuration does not include a response selector component",
    # Rasa reads the rules once before it has read the examples, from which it learns that `faq` is a retrieval intent.
    "Found intent 'faq' in stories which is not part of the domain",
)


def expected_lines(turn: Turn) -> list[str]:
    """Return what a story says about one turn, a line for each fact."""
    lines = [f"person: {turn.text}", f"intent: {turn.intent}"]
    lines += [f"entity: {name} = {value}" for name, value in turn.entities]
    lines += [f"action: {action}" for action in turn.actions]
    lines += [f"reply: {reply}" for reply in turn.replies]
    if turn.names_loop:
        lines.append(f"loop: {turn.loop}")
    return lines + [f"slot: {name} = {value!r}" for name, value in turn.slots.items()]


def actual_lines(turn: Turn, answer: dict[str, Any], events: list[dict[str, Any]], slots: dict[str, Any], loop: str | None) -> list[str]:
    """Return what really happened, in the form of :func:`expected_lines`; only the facts that the story names."""
    found = {(e["entity"], e["value"]) for event in events if event["event"] == "user" for e in event["parse_data"]["entities"]}
    lines = [f"person: {turn.text}", f"intent: {answer['intent']}"]
    lines += [f"entity: {name} = {value}" for name, value in turn.entities if (name, value) in found]
    names = [e["name"] for e in events if e["event"] == "action"]
    lines += [f"action: {name}" for name in names if name not in BOOKKEEPING]
    lines += [f"reply: {reply}" for reply in responses(answer)]
    if turn.names_loop:
        lines.append(f"loop: {loop}")
    return lines + [f"slot: {name} = {slots.get(name)!r}" for name in turn.slots]


def after(events: list[dict[str, Any]]) -> tuple[dict[str, Any], str | None]:
    """Return the slots and the active loop after all events of a conversation."""
    slots: dict[str, Any] = {}
    loop = None
    for event in events:
        if event["event"] == "session_started":
            slots, loop = {}, None
        elif event["event"] == "slot":
            slots[event["name"]] = event["value"]
        elif event["event"] == "active_loop":
            loop = event["name"]
    return slots, loop


@pytest.mark.model
@pytest.mark.parametrize("story", [pytest.param(s, id=f"{s.file}: {s.name}") for s in STORIES])
def test_a_conversation_goes_as_its_story_tells(running_engine: RunningEngine, story: Story) -> None:
    conversation, _welcome = running_engine.begin(story.language)
    seen = len(running_engine.events(conversation))
    expected: list[str] = []
    actual: list[str] = []
    for turn in story.turns:
        answer = running_engine.call(conversation, language=story.language, text=turn.text)
        events = running_engine.events(conversation)
        slots, loop = after(events)
        expected += expected_lines(turn)
        actual += actual_lines(turn, answer, events[seen:], slots, loop)
        seen = len(events)
    difference = "\n".join(unified_diff(expected, actual, "story", "guide", lineterm="", n=20))
    assert expected == actual, f"{story.file}.yml, {story.name}\n{difference}"


def test_there_are_stories_enough_in_each_language() -> None:
    languages = Counter(story.language for story in STORIES)
    assert sum(languages.values()) >= 66
    for language in SPOKEN_LANGUAGES[:2]:
        assert languages[language] >= 30, languages


def test_every_story_has_a_name_of_its_own() -> None:
    names = Counter(f"{s.file}: {s.name}" for s in STORIES)
    assert [name for name, times in names.items() if times > 1] == []


def test_rasa_reads_the_same_stories() -> None:
    domain = Domain.load(str(PROJECT / "domain.yml"))
    for path in sorted(CONVERSATIONS.glob("*.yml")):
        steps = YAMLStoryReader(domain).read_from_file(path)
        ours = [story for story in STORIES if story.file == path.stem]
        assert [step.block_name for step in steps] == [story.name for story in ours]
        for step, story in zip(steps, ours, strict=True):
            users = [event for event in step.events if isinstance(event, UserUttered)]
            assert [event.text for event in users] == [turn.text for turn in story.turns]


def test_rasa_finds_nothing_wrong_in_the_data_but_what_it_cannot_know() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rasa", "data", "validate"],
        cwd=PROJECT,
        env={**environment(), "LOG_LEVEL": "WARNING", "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    output = done.stdout + done.stderr
    # Those of other packages are not about our data.
    warnings = [line for line in output.splitlines() if "rasa/shared/utils/io.py" in line or line.startswith("Found intent")]
    unexpected = [line for line in warnings if not any(e in line for e in EXPECTED_WARNINGS) and "Issue found in" not in line]
    assert done.returncode == 0, output[-4000:]
    assert unexpected == []
