"""Invented messages in all languages: what is planted goes, what must stay stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from bench.redaction import KINDS, survives
from bot.transcripts.redaction import redact
from bot.transcripts.redaction.digits import clean
from bot.transcripts.redaction.wordlists import LANGUAGES

CASES = Path(__file__).parent / "cases"


def cases(language: str) -> list[dict[str, Any]]:
    return list(YAML(typ="safe").load(CASES / f"{language}.yml")["cases"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_planted_goes_and_what_must_stay_stays(language: str) -> None:
    wrong = []
    for case in cases(language):
        text = redact(case["text"], language).text
        left = [value for kind, value in case["planted"] if survives(kind, value, text)]
        lost = [word for word in case["stays"] if clean(word).text not in clean(text).text]
        if left or lost:
            wrong.append((case["text"], text, left, lost))
    assert not wrong


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_fifteen_messages_with_all_kinds(language: str) -> None:
    messages = cases(language)
    assert len(messages) >= 15
    assert {kind for case in messages for kind, _ in case["planted"]} == set(KINDS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_redacting_twice_changes_nothing(language: str) -> None:
    for case in cases(language):
        once = redact(case["text"], language)
        twice = redact(once.text, language)
        assert (twice.text, twice.kinds) == (once.text, {})


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_kinds_are_counted(language: str) -> None:
    for case in cases(language):
        found = redact(case["text"], language)
        assert set(found.kinds) <= set(KINDS)
        assert bool(found.kinds) == ("[" in found.text)
