"""The emergency lexicon: no danger is missed, and ordinary trouble is not taken for one."""

from __future__ import annotations

import csv
import random
import re
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from actions.directory.database import DATA
from bot.languages import LANGUAGES, SPOKEN_LANGUAGES
from bot.nlu.emergency import DANGERS, danger_in, emergency_rules


def _cases(group: str) -> list[dict[str, str]]:
    """Return the cases of all languages under ``danger`` or ``harmless``, each with its language."""
    folder = Path(__file__).with_name("emergency_cases")
    files = {language: folder / f"{language}.yml" for language in LANGUAGES}
    return [
        {**case, "language": language}
        for language, path in files.items()
        if path.exists()
        for case in YAML(typ="safe").load(path.read_text(encoding="utf-8"))[group]
    ]


CASES = {group: _cases(group) for group in ("danger", "harmless")}
SECONDS = 1.0
LENGTH = 2_000


def _adversarial() -> list[str]:
    """Texts on which a careless pattern goes astray: near misses, repeated, as long as a message may be."""
    words = sorted({word for case in CASES["danger"] for word in case["text"].lower().split()})
    shuffled = random.Random(1)
    mixed = [" ".join(shuffled.choices(words, k=400)) for _ in range(3)]
    starts = [
        "er ",
        "er mich ",
        "mein mann hat ",
        "he ",
        "he has my ",
        "i want to ",
        "ich will nicht ",
        "a",
        " ",
        "\t",
        "a b ",
        "-",
        "'",
        "\u200b",
    ]
    return [text[:LENGTH].ljust(LENGTH, "x") for text in (*mixed, *((start * LENGTH) for start in starts))]


@pytest.mark.parametrize("case", CASES["danger"], ids=lambda case: case["text"][:60])
def test_a_danger_is_caught(case: dict[str, str]) -> None:
    assert danger_in(case["text"]) in DANGERS


@pytest.mark.parametrize("case", CASES["harmless"], ids=lambda case: case["text"][:60])
def test_a_harmless_message_is_not_taken_for_a_danger(case: dict[str, str]) -> None:
    assert danger_in(case["text"]) is None


@pytest.mark.parametrize(
    "change", [str.upper, str.title, lambda t: f"Hallo! {t}. Danke.", lambda t: t.replace(" ", "  \n"), lambda t: f"\u202a{t}\u202c"]
)
def test_the_manner_of_writing_makes_no_difference(change: object) -> None:
    assert callable(change)
    missed = [case["text"] for case in CASES["danger"] if danger_in(change(case["text"])) is None]
    assert missed == []


def test_every_case_is_complete_and_stands_once() -> None:
    texts = [case["text"] for group in CASES.values() for case in group]
    assert len(set(texts)) == len(texts)
    assert all(case["kind"] in DANGERS for case in CASES["danger"])


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
@pytest.mark.parametrize("danger", DANGERS)
def test_every_danger_has_rules_and_cases_in_every_spoken_language(danger: str, language: str) -> None:
    assert any(rule.danger == danger and rule.language == language for rule in emergency_rules())
    assert any(case["kind"] == danger and case["language"] == language for case in CASES["danger"])


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_there_are_enough_harmless_cases_in_every_spoken_language(language: str) -> None:
    assert sum(1 for case in CASES["harmless"] if case["language"] == language) >= 50


def test_every_rule_compiles_and_expects_folded_text() -> None:
    """A capital or an umlaut in a pattern can never match, as the text is folded first."""
    files = sorted((DATA / "lookups" / "emergency").glob("*.csv"))
    rows = []
    for path in files:
        with path.open(encoding="utf-8", newline="") as file:
            rows += [(path.name, row) for row in csv.DictReader(file)]
    assert len(rows) == len(emergency_rules())
    for name, row in rows:
        for pattern in filter(None, (row["pattern"], row["unless"])):
            re.compile(pattern)
            literal = re.sub(r"\\.", "", pattern)
            # Persian and Arabic letters that folding replaces, too.
            assert literal == literal.lower(), f"{name}: {pattern}"
            assert not set("äöüßşğçıćśżąęățșйїёيكةأإآؤئى’'") & set(literal), f"{name}: {pattern}"


def test_no_rule_matches_everything() -> None:
    assert [rule.pattern.pattern for rule in emergency_rules() if rule.pattern.search("")] == []
    assert danger_in("") is None
    assert danger_in("Hallo") is None


def test_no_text_keeps_the_lexicon_busy() -> None:
    """A guard against patterns that hang, not a benchmark: each text is searched by all rules."""
    for text in _adversarial():
        began = time.perf_counter()
        danger_in(text)
        assert time.perf_counter() - began < SECONDS, text[:40]


@pytest.mark.parametrize("rule", range(len(emergency_rules())))
def test_no_single_pattern_hangs(rule: int) -> None:
    checked = emergency_rules()[rule]
    began = time.perf_counter()
    for text in _adversarial():
        checked.pattern.search(text)
        if checked.unless:
            checked.unless.search(text)
    assert time.perf_counter() - began < SECONDS, checked.pattern.pattern
