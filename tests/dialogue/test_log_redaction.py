"""What people write is in no log: not at DEBUG, not in a turn that fails, not a turn later."""

from __future__ import annotations

import json
import logging
import sqlite3
import sys
import time
import uuid

import pytest

from actions.directory.models import Office
from bot.dialogue import log_redaction
from bot.settings import PROJECT
from tests.dialogue.stories import read_stories
from tests.processes import RunningEngine, referral, responses


def marker(kind: str) -> str:
    """Return a word that no log can contain by chance, and that could be the name of a place."""
    return f"Qz{kind}{uuid.uuid4().hex[:10].translate(str.maketrans('0123456789', 'ghijklmnop'))}hausen"


def spellings(text: str) -> set[str]:
    """Return how a text can look in a log."""
    return {text.lower(), json.dumps(text)[1:-1].lower(), repr(text)[1:-1].lower(), ascii(text)[1:-1].lower()}


def assert_unlogged(engine: RunningEngine, *texts: str) -> None:
    """Fail if a log contains one of ``texts``, naming only the logger's part of the line."""
    time.sleep(0.3)  # what is still in a buffer
    lines = engine.log_text().lower().splitlines()
    for text in texts:
        for spelling in spellings(text):
            found = [line.partition(spelling)[0][-160:] for line in lines if spelling in line]
            assert not found, f"{len(found)} lines contain it, for example after: {found[:5]}"


@pytest.mark.model
def test_the_logs_are_those_of_debug(running_engine: RunningEngine) -> None:
    running_engine.say("de", "Guten Tag")
    assert " DEBUG " in running_engine.log_path("engine").read_text("utf-8")


@pytest.mark.model
@pytest.mark.parametrize(
    "text",
    [
        "Ich heiße {} und möchte mein Diplom anerkennen lassen",
        "My name is {} and I want my degree recognised, I live in Dortmund",
        "{}",
        "/{}",
        "Mein Mann {} schlägt mich",
        "Schrödinger {} ünd «Ärger»",
        '{}\nzweite Zeile "{}" \\ \'',
    ],
)
def test_a_message_is_in_no_log(running_engine: RunningEngine, text: str) -> None:
    word = marker("a")
    running_engine.say("de", text.replace("{}", word), "Vielen Dank")
    assert_unlogged(running_engine, word)


@pytest.mark.model
def test_an_unknown_place_that_stays_in_the_conversation_is_in_no_log(running_engine: RunningEngine) -> None:
    word = marker("b")
    running_engine.say("de", "Ich möchte mein Diplom anerkennen lassen", word, "Vielen Dank", "Was kostet die Anerkennung?", "Dortmund")
    assert_unlogged(running_engine, word)


@pytest.mark.model
def test_a_known_place_is_in_no_log_a_turn_later(running_engine: RunningEngine) -> None:
    # A town together with a profession and a country can be enough to recognise somebody.
    conversation, _ = running_engine.begin("de")
    running_engine.call(conversation, language="de", text="Ich möchte mein Diplom anerkennen lassen, ich wohne in Wolframs-Eschenbach")
    running_engine.call(conversation, language="de", text="Vielen Dank")
    assert_unlogged(running_engine, "Wolframs-Eschenbach")


@pytest.mark.model
def test_a_turn_whose_events_cannot_be_stored_leaves_nothing_in_the_log(running_engine: RunningEngine) -> None:
    word = marker("c")
    conversation, _ = running_engine.begin("de")
    database = sqlite3.connect(running_engine.tracker_path, isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    try:
        body = {"conversation": conversation, "language": "de", "text": f"Ich heiße {word} Müller"}
        running_engine.request("POST", "/messages", json=body)
    finally:
        database.execute("ROLLBACK")
        database.close()
    assert "locked" in running_engine.log_text(), "the turn did not fail"
    assert_unlogged(running_engine, word, f"{word} Müller")
    assert responses(running_engine.say("de", "Guten Tag")[-1]) == ["utter_greet"]


@pytest.mark.model
def test_a_turn_without_action_server_leaves_nothing_in_the_log_and_names_a_telephone(running_engine: RunningEngine) -> None:
    word = marker("d")
    conversation, _ = running_engine.begin("de")
    running_engine.stop("actions")
    try:
        answer = running_engine.call(conversation, language="de", text=f"Ich bin {word} und möchte mein Diplom anerkennen lassen")
    finally:
        running_engine.start("actions")
        running_engine.wait("actions")
    assert responses(answer) == ["utter_directory_down"]
    assert "+49 30 1815-1111" in answer["messages"][0]["text"]
    assert_unlogged(running_engine, word)


@pytest.mark.model
def test_an_action_that_fails_leaves_nothing_in_the_log(running_engine: RunningEngine) -> None:
    """The action server echoes the whole request, with all that was said before, in its error; Rasa logs the echo."""
    earlier, now = marker("e"), marker("f")
    conversation, _ = running_engine.begin("de")
    running_engine.call(conversation, language="de", text=f"Ich heiße {earlier}")
    text = f"Ich bin {now}, möchte mein Diplom anerkennen lassen und wohne in Dortmund"
    with sqlite3.connect(running_engine.home / "directory.db") as directory:
        directory.execute(f"ALTER TABLE {Office.__tablename__} RENAME TO away")
        directory.commit()
        try:
            running_engine.request("POST", "/messages", json={"conversation": conversation, "language": "de", "text": text})
        finally:
            directory.execute(f"ALTER TABLE away RENAME TO {Office.__tablename__}")
            directory.commit()
    assert "action_refer failed: OperationalError" in running_engine.log_text(), "the action did not fail"
    assert referral(running_engine.call(conversation, language="de", text=text))["offices"]
    assert_unlogged(running_engine, earlier, now)


@pytest.mark.model
def test_the_texts_of_the_stories_are_in_no_log(running_engine: RunningEngine) -> None:
    """Whatever other tests have said before: longer sentences of the stories cannot be in a log by chance."""
    ours = (PROJECT / "domain.yml").read_text("utf-8")
    said = {turn.text for story in read_stories() for turn in story.turns if len(turn.text) > 30 and turn.text not in ours}
    log = running_engine.log_text()
    assert [text for text in sorted(said) if text in log] == []


def test_a_message_in_hand_is_scrubbed_in_every_spelling() -> None:
    text = 'Frau Schröder «sagt» "ja"'
    with log_redaction.handling(text):
        for spelling in (text, text.lower(), json.dumps(text), repr(text)):
            assert "schr" not in log_redaction.scrub(f"before {spelling} after").lower()
    assert log_redaction.scrub(text) == text


def test_a_traceback_is_scrubbed() -> None:
    text = "Frau Schröder aus Ulm"
    with log_redaction.handling(text):
        try:
            raise ValueError(f"cannot handle {text}")
        except ValueError:
            record = logging.getLogger("x").makeRecord("x", logging.ERROR, "f", 1, "failed for %s", (text,), sys.exc_info())
        assert log_redaction.RedactionFilter().filter(record)
    assert "Schröder" not in logging.Formatter().format(record)
    assert "ValueError" in logging.Formatter().format(record)
