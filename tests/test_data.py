"""The data that the guide is made from: lookup tables, training examples, evaluation sets."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from actions.directory.database import DATA, PROJECT
from actions.directory.models import NEEDS
from actions.directory.text import name_key
from bot import evaluation
from bot.languages import SPOKEN_LANGUAGES
from bot.nlu import emergency, lookups
from bot.nlu.concepts import concepts
from bot.nlu.intent import need_of, needs_of_topics

TITLES = PROJECT.parent / "shared" / "reference" / "reference_titles.csv"
DIALOGUE = (
    "greet goodbye thank affirm deny inform find_office switch_language start_over delete_my_data bot_challenge "
    "feedback_positive feedback_negative"
).split()
KINDS = {"plain", "typo", "indirect", "mixed", "with_place", "one_word", "long"}
# Learners write German and English; the others are written in their own language, its dialects and other letters.
MORE_KINDS = {"learner", "dialect", "transliterated"}
OTHER_SCRIPT = ("ar", "fa", "ru", "uk")


@lru_cache
def training(language: str) -> dict[str, list[str]]:
    """Return the training examples of a language by intent."""
    found: dict[str, list[str]] = {}
    for block in YAML(typ="safe").load(DATA / "nlu" / f"{language}.yml")["nlu"]:
        assert block["intent"] not in found, f"{block['intent']} has two blocks in {language}.yml"
        found[block["intent"]] = [line.removeprefix("- ").strip() for line in block["examples"].splitlines()]
    return found


@lru_cache
def domain() -> dict[str, Any]:
    return dict(YAML(typ="safe").load(PROJECT / "domain.yml"))


def table(name: str) -> list[dict[str, str]]:
    with (DATA / "lookups" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# -- lookups -----------------------------------------------------------------------------------------------------------


def test_there_are_enough_professions_and_their_titles_are_unique() -> None:
    titles = [p.title for p in lookups.professions()]
    assert len(titles) >= 150
    assert len(set(titles)) == len(titles)


def test_every_profession_has_a_title_of_the_registration_form() -> None:
    if not TITLES.exists():
        pytest.skip("the reference titles (../shared/reference/reference_titles.csv) are not on this machine")
    with TITLES.open(encoding="utf-8", newline="") as file:
        known = {row["title_de"] for row in csv.DictReader(file)}
    assert [p.title for p in lookups.professions() if p.title not in known] == []


def test_a_synonym_stands_for_one_profession_and_every_profession_has_one() -> None:
    owners = Counter(key for p in lookups.professions() for key in p.synonyms)
    assert [key for key, count in owners.items() if count > 1] == []
    assert [p.title for p in lookups.professions() if not p.synonyms] == []


def test_every_profession_names_field_regulation_and_source() -> None:
    for profession in lookups.professions():
        assert profession.field in lookups.FIELDS
        assert profession.regulated in ("federal", "state", "no")
        assert profession.source.startswith("https://")


@pytest.mark.parametrize("column", ["synonyms_de", "synonyms_en"])
def test_every_profession_has_words_in_every_spoken_language(column: str) -> None:
    assert [row["title_de"] for row in table("professions.csv") if not row[column].strip("| ")] == []


def test_no_synonym_is_also_a_country() -> None:
    countries = lookups.country_names()
    assert [key for p in lookups.professions() for key in p.synonyms if key in countries] == []


def test_a_profession_is_found_by_title_and_by_word() -> None:
    first = lookups.professions()[0]
    assert lookups.profession_title(first.title) == first.title
    assert lookups.profession_title(first.synonyms[0].upper()) == first.title
    assert lookups.profession_title(None) is None
    with pytest.raises(LookupError, match="'Drachenzähmer'"):
        lookups.profession_title("Drachenzähmer")


@pytest.fixture
def lookup_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """Write a lookup table of the test's own, which the code then reads instead of the project's."""
    monkeypatch.setattr(lookups, "DATA", tmp_path)
    monkeypatch.setattr(emergency, "DATA", tmp_path)
    (tmp_path / "lookups").mkdir()
    cached = (lookups.professions, emergency.emergency_rules, lookups.cues, lookups.country_names)

    def write(name: str, text: str) -> Path:
        path = tmp_path / "lookups" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        for function in cached:
            function.cache_clear()
        return path

    yield write
    for function in cached:
        function.cache_clear()


PROFESSION_HEAD = "title_de,field,regulated,synonyms_de,synonyms_en,source\n"
EMERGENCY_HEAD = "kind,pattern,unless,note\n"


@pytest.mark.parametrize(
    ("name", "text", "read", "reason"),
    [
        ("professions.csv", PROFESSION_HEAD + "Koch,food,no,koch,cook,x\n", "professions", "professions.csv:2: field, regulated or source"),
        (
            "professions.csv",
            PROFESSION_HEAD + "Koch,crafts,yes,koch,cook,x\n",
            "professions",
            "professions.csv:2: field, regulated or source",
        ),
        (
            "professions.csv",
            PROFESSION_HEAD + "Koch,crafts,no,koch,cook,\n",
            "professions",
            "professions.csv:2: field, regulated or source",
        ),
        (
            "professions.csv",
            PROFESSION_HEAD + "A,crafts,no,koch,a1,x\nB,crafts,no,b1,Koch,x\n",
            "professions",
            "professions.csv:3: 'koch' stands for 'A' too",
        ),
        ("professions.csv", "title_de,field\nKoch,crafts\n", "professions", "professions.csv: the columns regulated, "),
        ("emergency/de.csv", EMERGENCY_HEAD + "violence,schlag,,\nfire,x,,\n", "emergency_rules", "de.csv:3: the kind 'fire' is not valid"),
        ("emergency/de.csv", EMERGENCY_HEAD + "violence,(schlag,,\n", "emergency_rules", "de.csv:2: the pattern is not valid"),
        ("emergency/de.csv", EMERGENCY_HEAD + "violence,schlag,[,\n", "emergency_rules", "de.csv:2: the pattern is not valid"),
        ("cues.csv", "language,kind,phrase\nde,place_before,in\nde,never,in\n", "cues", "cues.csv:3: kind or language"),
        ("cues.csv", "language,kind\nde,place_before\n", "cues", "cues.csv: the columns phrase are missing"),
        ("cues.csv", "", "cues", "cues.csv: the columns"),
    ],
)
def test_a_faulty_table_is_refused_with_file_and_line(
    lookup_copy: Callable[[str, str], Path], name: str, text: str, read: str, reason: str
) -> None:
    lookup_copy(name, text)
    with pytest.raises(lookups.TableError) as error:
        getattr(emergency if read == "emergency_rules" else lookups, read)()
    assert reason in str(error.value)


def test_a_missing_table_is_named(lookup_copy: Callable[[str, str], Path]) -> None:
    lookup_copy("cues.csv", "").unlink()
    with pytest.raises(lookups.TableError, match=r"cues\.csv is missing"):
        lookups.cues()


def test_countries_are_known_in_all_languages() -> None:
    names = lookups.country_names()
    for name in ("Syrien", "Syria", "Suriye", "سوريا", "Сирія", "Сирия", "سوریه", "Syrie", "Siria", "Syria", "Siria"):
        assert names[name_key(name)] == "SY", name
    assert not {"DE", "EU", "UN", "ZZ"} & set(names.values())
    assert all(len(code) == 2 and code.isalpha() and code.isupper() for code in names.values())


def test_every_kind_of_cue_has_phrases() -> None:
    assert {kind for kind, phrases in lookups.cues().items() if not phrases} == set()


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_every_kind_of_cue_has_phrases_in_every_spoken_language(language: str) -> None:
    assert {row["kind"] for row in table("cues.csv") if row["language"] == language} == set(lookups.CUE_KINDS)


def test_ideas_are_found_across_inflection_and_language() -> None:
    found = concepts().find(["mein", "stundenlohn"])
    assert "wage" in found
    assert concepts().find(["my", "salary"]) & found
    assert concepts().find([]) == set()


def test_the_fingerprint_changes_with_a_table(lookup_copy: Callable[[str, str], Path]) -> None:
    (lookups.DATA / "places").mkdir()
    lookup_copy("cues.csv", "one")
    one = lookups.fingerprint()
    assert lookups.fingerprint() == one
    lookup_copy("cues.csv", "two")
    assert lookups.fingerprint() != one


@pytest.mark.parametrize("path", sorted(DATA.rglob("*.csv")), ids=lambda path: path.name)
def test_every_table_is_clean(path: Path) -> None:
    """UTF-8 without byte order mark, no ragged rows, no stray blanks, no repeated row."""
    raw = path.read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert raw.endswith(b"\n")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert {len(row) for row in rows} == {len(rows[0])}
    if path.parent.name != "emergency":  # a blank may belong to a pattern
        assert [row for row in rows if any(cell != cell.strip() for cell in row)] == []
    assert [row for row, count in Counter(map(tuple, rows)).items() if count > 1] == []


# -- training ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
@pytest.mark.parametrize("need", NEEDS)
def test_every_need_has_enough_examples(need: str, language: str) -> None:
    assert len(training(language)[need]) >= 80


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
@pytest.mark.parametrize("intent", DIALOGUE)
def test_every_dialogue_intent_has_enough_examples(intent: str, language: str) -> None:
    assert len(training(language)[intent]) >= 25


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_every_question_has_examples(language: str) -> None:
    assert {intent for intent in training(language) if intent.startswith("faq/")} == set(needs_of_topics())
    assert min(len(training(language)[intent]) for intent in needs_of_topics()) >= 14


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_the_intents_of_training_are_those_of_the_domain(language: str) -> None:
    assert {intent.split("/")[0] for intent in training(language)} - {"faq"} == set(domain()["intents"]) - {"nlu_fallback", "faq"}
    assert set(NEEDS) | set(DIALOGUE) | {"nlu_fallback"} == set(domain()["intents"]) - {"faq"}


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_no_example_stands_twice(language: str) -> None:
    counts = Counter(example for examples in training(language).values() for example in examples)
    assert [example for example, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_no_example_stands_under_two_intents(language: str) -> None:
    """Compared as the classifier sees them: without case, accents and punctuation."""
    owners: dict[str, set[str]] = {}
    for intent, examples in training(language).items():
        for example in examples:
            owners.setdefault(name_key(example) or example, set()).add(intent)
    assert {key: intents for key, intents in owners.items() if len(intents) > 1} == {}


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_examples_are_plain_text(language: str) -> None:
    """No annotations (the gazetteer finds entities), no commands, nothing empty."""
    examples = [example for listed in training(language).values() for example in listed]
    assert [e for e in examples if not e or e.startswith("/") or "](" in e or "]{" in e] == []


def test_every_question_belongs_to_a_need_and_has_an_answer() -> None:
    assert set(needs_of_topics().values()) <= set(NEEDS)
    assert [topic for topic in needs_of_topics() if f"utter_{topic}" not in domain()["responses"]] == []
    assert {name.removeprefix("utter_") for name in domain()["responses"] if name.startswith("utter_faq/")} == set(needs_of_topics())


@pytest.mark.parametrize(
    ("intent", "need"),
    [("recognition", "recognition"), ("faq/blue_card", "immigration_law"), ("greet", None), ("nlu_fallback", None), ("faq/x", None)],
)
def test_the_need_of_an_intent(intent: str, need: str | None) -> None:
    assert need_of(intent) == need


# -- evaluation --------------------------------------------------------------------------------------------------------


def test_every_spoken_language_is_evaluated() -> None:
    assert set(evaluation.languages()) >= set(SPOKEN_LANGUAGES)


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
@pytest.mark.parametrize("need", NEEDS)
def test_there_are_enough_evaluation_messages_for_every_need(need: str, language: str) -> None:
    assert sum(1 for message in evaluation.load(language) if message["intent"] == need) >= 15


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_evaluation_messages_are_well_formed(language: str) -> None:
    intents = {*NEEDS, *DIALOGUE, *needs_of_topics()}
    professions = {"profession": bool, "place": str, "country": str}
    for message in evaluation.load(language):
        assert message["intent"] in intents, message
        assert message["kind"] in KINDS | MORE_KINDS, message
        assert message["text"].strip(), message
        assert set(message) <= {"text", "intent", "kind", *professions}, message
        assert all(isinstance(message[key], kind) for key, kind in professions.items() if key in message), message
        assert message.get("country", "XX") in {*lookups.country_names().values(), "XX"}, message


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_every_kind_of_message_is_evaluated(language: str) -> None:
    expected = KINDS | ({"learner"} if language in ("de", "en") else set()) | ({"transliterated"} if language in OTHER_SCRIPT else set())
    assert {message["kind"] for message in evaluation.load(language)} >= expected


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_no_evaluation_message_is_a_training_example(language: str) -> None:
    trained = {name_key(example) for known in SPOKEN_LANGUAGES for examples in training(known).values() for example in examples}
    assert [m["text"] for m in evaluation.load(language) if name_key(m["text"]) in trained] == []


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_no_evaluation_message_stands_twice(language: str) -> None:
    counts = Counter(name_key(message["text"]) for message in evaluation.load(language))
    assert [text for text, count in counts.items() if count > 1] == []


def test_the_emergency_cases_are_not_copied_from_training() -> None:
    files = (Path(__file__).parent / "nlu" / "emergency_cases").glob("*.yml")
    cases = [case["text"] for path in files for group in YAML(typ="safe").load(path).values() for case in group]
    trained = {example for known in SPOKEN_LANGUAGES for examples in training(known).values() for example in examples}
    assert [text for text in cases if text in trained] == []
