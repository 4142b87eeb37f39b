"""What the guide says: complete in every language, with sources, and with the numbers of the directory."""

from __future__ import annotations

import csv
import re
from datetime import date
from pathlib import Path

import pytest

from bot.dialogue.catalogues import translate
from bot.dialogue.nlg import DOMAIN, source_responses
from bot.languages import LANGUAGES, SPOKEN_LANGUAGES
from bot.nlu.intent import needs_of_topics
from bot.settings import PROJECT
from bot.translations import check
from tests.processes import RunningEngine, responses, texts

RESPONSES = source_responses()
TOPICS = needs_of_topics()
# Families of responses whose name is put together: prefix, and where the rest of the name comes from.
FAMILIES = ("utter_button_", "utter_note_", "utter_faq/")
_ID = re.compile(r"\butter_[a-z_]+(?:/[a-z_]+)?")
_PHONE = re.compile(r"\d[\d ]*\d")


def sources() -> dict[Path, str]:
    """Return the text of all files that can name a response to say it.

    Transcripts and review only read which response was said; the demonstration repeats it.
    """
    said = [
        path for path in PROJECT.glob("bot/**/*.py") if path.relative_to(PROJECT / "bot").parts[0] not in ("transcripts", "review", "demo")
    ]
    paths = [*PROJECT.glob("actions/**/*.py"), *said, PROJECT / "data" / "rules.yml"]
    return {path: path.read_text(encoding="utf-8") for path in paths}


def named_in_code() -> set[str]:
    """Return the ids that code and rules name in full."""
    return {name for text in sources().values() for name in _ID.findall(text) if not name.endswith("_")}


def crisis_hotlines() -> set[str]:
    """Return the digits of the nationwide emergency numbers of the directory."""
    with (PROJECT / "data" / "directory" / "offices.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if "crisis" in r["needs"].split(";") and r["kind"] == "hotline" and r["coverage"] == "DE"]
    return {re.sub(r"\D", "", number) for row in rows for number in row["phone"].split("/") if number.strip()}


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_every_reply_exists_in_every_spoken_language_and_says_the_same(language: str) -> None:
    assert check(language) == []


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_every_answer_to_a_question_has_its_need_its_sources_and_a_date(topic: str) -> None:
    response = RESPONSES[f"utter_{topic}"][0]
    metadata = response["metadata"]
    assert metadata["need"] == TOPICS[topic]
    assert metadata["sources"] and all(url.startswith("http") for url in metadata["sources"])
    assert date.fromisoformat(str(metadata["checked_on"])) <= date(2026, 12, 31)


def test_there_is_no_answer_without_a_question() -> None:
    answers = {name.removeprefix("utter_") for name in RESPONSES if name.startswith("utter_faq/")}
    assert answers == set(TOPICS)


def test_every_response_that_code_or_rules_name_exists() -> None:
    families = {name.rstrip("_/") for name in FAMILIES} | {"utter_action", "utter_message"}  # names of Rasa's own
    missing = {name for name in named_in_code() if name not in RESPONSES and name.rstrip("_/") not in families}
    assert missing == set()


def test_every_response_is_used() -> None:
    named = named_in_code()
    code = "\n".join(sources().values())
    unused = set()
    for name in RESPONSES:
        prefix = next((p for p in FAMILIES if name.startswith(p)), None)
        rest = name.removeprefix(prefix) if prefix else ""
        in_family = prefix is not None and (f'"{rest}"' in code or f"faq/{rest}" in TOPICS or rest in LANGUAGES)
        if name not in named and not in_family:
            unused.add(name)
    # Rasa itself says utter_default, in action_default_fallback.
    assert unused == {"utter_default"}


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_the_numbers_in_danger_are_those_of_the_directory(language: str) -> None:
    text, spoken = translate(DOMAIN, "utter_crisis", RESPONSES["utter_crisis"][0]["text"], language)
    assert spoken == language
    said = {re.sub(r"\D", "", number) for number in _PHONE.findall(text)}
    assert said == crisis_hotlines()


FIRST_WORDS = {
    "de": ("Computer-Programm", "kein Mensch", "Testbetreiber gGmbH", "nicht zur Ausländerbehörde"),
    "en": ("computer program", "not a person", "Testbetreiber gGmbH", "not part of the"),
}


@pytest.mark.model
@pytest.mark.parametrize("language", sorted(FIRST_WORDS))
def test_the_first_message_says_machine_operator_and_no_authority(running_engine: RunningEngine, language: str) -> None:
    _, welcome = running_engine.begin(language)
    first = welcome["messages"][0]
    assert first["language"] == language
    for words in FIRST_WORDS[language]:
        assert words in first["text"]
    assert "Ausländerbehörde" in first["text"]


@pytest.mark.model
@pytest.mark.parametrize("language", sorted(FIRST_WORDS))
def test_who_writes_before_any_welcome_is_welcomed_first_too(running_engine: RunningEngine, language: str) -> None:
    # On a messenger there is no start: the first thing is what the person wants.
    text = {"de": "Guten Tag", "en": "Hello"}[language]
    answer = running_engine.call(f"messenger-{language}", channel="telegram", language=language, text=text)
    assert responses(answer) == ["utter_welcome", "utter_greet"]
    assert FIRST_WORDS[language][0] in answer["messages"][0]["text"]


@pytest.mark.model
def test_an_answer_with_facts_names_its_source_and_its_date(running_engine: RunningEngine) -> None:
    *_, answer = running_engine.say("en", "What is the minimum wage?")
    assert "gesetze.legal" in texts(answer)
    assert "2026" in texts(answer)
