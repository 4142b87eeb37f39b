"""What a language needs before the guide speaks it: a scaffold of the files, and what is still missing in them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from ruamel.yaml import YAML

from actions.directory.database import DATA
from actions.directory.models import NEEDS
from bot import translations
from bot.languages import COLUMNS, TABLE, all_languages
from bot.nlu.emergency import DANGERS
from bot.nlu.intent import needs_of_topics
from bot.nlu.lookups import CUE_KINDS
from bot.settings import PROJECT

LOOKUPS = DATA / "lookups"
# How many examples an intent needs at least, and how many messages of the evaluation set a need.
EXAMPLES_OF_NEED, EXAMPLES_OF_DIALOGUE, EXAMPLES_OF_QUESTION = 70, 20, 8
EVALUATED = 15
STORIES = 12


class CannotAdd(ValueError):
    """The language cannot be added; the message says why."""


@dataclass(frozen=True)
class Missing:
    """Something that a language lacks: the file, and what is missing in it."""

    path: Path
    what: str


def add(code: str) -> list[Path]:
    """Make the files of a new language; return what was made or changed. Existing files stay as they are.

    Args:
        code: the language, ISO 639-1.

    Raises:
        CannotAdd: if the code is no language, or has no data in the libraries that the guide needs.
    """
    try:
        locale = Locale.parse(code)
        import_module(f"spacy.lang.{code}.stop_words")
    except (UnknownLocaleError, ValueError) as error:
        raise CannotAdd(f"{code!r} is no language code of two letters (ISO 639-1), such as it.") from error
    except ModuleNotFoundError as error:
        raise CannotAdd(f"spaCy has no word list for {code!r}; the guide needs one to tell languages apart.") from error
    changed = []
    if code not in all_languages():
        _append_language(code, locale)
        changed.append(TABLE)
    for name, column in (("concepts.csv", code), ("professions.csv", f"synonyms_{code}")):
        if _add_column(LOOKUPS / name, column):
            changed.append(LOOKUPS / name)
    for path, text in _scaffolds(code, locale):
        if not path.exists():
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    for domain in translations.DOMAINS:
        changed.append(translations.path_of(domain, code))
    translations.update(code)
    return changed


def _append_language(code: str, locale: Locale) -> None:
    own = (locale.get_language_name(code) or code).capitalize()
    direction = "rtl" if locale.text_direction == "rtl" else "ltr"
    names = dict.fromkeys(name for other in all_languages() if (name := Locale(other).languages.get(code)))
    values = {"language": code, "name": own, "spoken": "no", "direction": direction, "flags": "", "names": "|".join(names)}
    with TABLE.open("a", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n").writerow(values)
    all_languages.cache_clear()


def _add_column(path: Path, column: str) -> bool:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns, rows = list(reader.fieldnames or []), list(reader)
    if column in columns:
        return False
    # Before the source, which stands last where there is one.
    columns.insert(len(columns) - 1 if columns[-1] == "source" else len(columns), column)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return True


def _scaffolds(code: str, locale: Locale) -> Iterator[tuple[Path, str]]:
    name = locale.english_name
    intents = "\n".join(
        f"# - intent: {intent}\n#   examples: |\n#     - (at least {number} messages)" for intent, number in _wanted().items()
    )
    yield (
        DATA / "nlu" / f"{code}.yml",
        f'version: "3.1"\n# Examples in {name} (docs/training-data.md). Remove the marks of a block that you fill.\nnlu: []\n{intents}\n',
    )
    yield (
        DATA / "evaluation" / f"{code}.yml",
        f"# Held-out evaluation set, by another hand than the examples; never train on it.\nlanguage: {code}\nmessages: []\n",
    )
    yield LOOKUPS / "emergency" / f"{code}.csv", "kind,pattern,unless,note\n"
    yield PROJECT / "tests" / "nlu" / "emergency_cases" / f"{code}.yml", "danger: []\nharmless: []\n"
    yield PROJECT / "tests" / "conversations" / f"{code}.yml", f'version: "3.1"\n\n# Conversations in {name}.\n\nstories: []\n'


def missing(code: str) -> list[Missing]:
    """Return what a language lacks, file by file; nothing means that it can be marked as spoken."""
    checks = (_examples, _evaluation, _catalogues, _tables, _emergency, _stories)
    return [finding for check in checks for finding in check(code)]


def _wanted() -> dict[str, int]:
    domain = YAML(typ="safe").load(PROJECT / "domain.yml")
    dialogue = [i for i in domain["intents"] if i not in NEEDS and i not in ("faq", "nlu_fallback")]
    return (
        dict.fromkeys(NEEDS, EXAMPLES_OF_NEED)
        | dict.fromkeys(dialogue, EXAMPLES_OF_DIALOGUE)
        | dict.fromkeys(needs_of_topics(), EXAMPLES_OF_QUESTION)
    )


def _load(path: Path) -> Any:
    return YAML(typ="safe").load(path) if path.exists() else {}


def _examples(code: str) -> Iterator[Missing]:
    path = DATA / "nlu" / f"{code}.yml"
    found = {block["intent"]: len(block["examples"].splitlines()) for block in _load(path).get("nlu") or []}
    for intent, number in _wanted().items():
        if found.get(intent, 0) < number:
            yield Missing(path, f"{intent}: {found.get(intent, 0)} of {number} examples")


def _evaluation(code: str) -> Iterator[Missing]:
    path = DATA / "evaluation" / f"{code}.yml"
    found = Counter(message["intent"] for message in _load(path).get("messages") or [])
    for need in NEEDS:
        if found[need] < EVALUATED:
            yield Missing(path, f"{need}: {found[need]} of {EVALUATED} messages")


def _catalogues(code: str) -> Iterator[Missing]:
    for domain, number in Counter(finding.domain for finding in translations.check(code)).items():
        yield Missing(translations.path_of(domain, code), f"{number} texts are missing or differ (lotse translations check)")


def _tables(code: str) -> Iterator[Missing]:
    for name, column, key in (("concepts.csv", code, "concept"), ("professions.csv", f"synonyms_{code}", "title_de")):
        rows = _rows(LOOKUPS / name)
        empty = [row[key] for row in rows if not row.get(column)]
        if empty:
            yield Missing(LOOKUPS / name, f"{len(empty)} of {len(rows)} rows have no {column}")
    kinds = {row["kind"] for row in _rows(LOOKUPS / "cues.csv") if row["language"] == code}
    if set(CUE_KINDS) - kinds:
        yield Missing(LOOKUPS / "cues.csv", f"no phrases of {', '.join(sorted(set(CUE_KINDS) - kinds))}")
    for name in ("town_forms.csv", "country_forms.csv"):
        if code not in ("de", "en") and not any(row["language"] == code for row in _rows(LOOKUPS / name)):
            yield Missing(LOOKUPS / name, "no names in this language")


def _emergency(code: str) -> Iterator[Missing]:
    rules = LOOKUPS / "emergency" / f"{code}.csv"
    kinds = {row["kind"] for row in _rows(rules)}
    if set(DANGERS) - kinds:
        yield Missing(rules, f"no pattern for {', '.join(d for d in DANGERS if d not in kinds)}")
    cases = PROJECT / "tests" / "nlu" / "emergency_cases" / f"{code}.yml"
    found = _load(cases)
    for group, number in (("danger", 50), ("harmless", 50)):
        if len(found.get(group) or []) < number:
            yield Missing(cases, f"{len(found.get(group) or [])} of {number} cases under {group}")


def _stories(code: str) -> Iterator[Missing]:
    folder = PROJECT / "tests" / "conversations"
    number = sum(path.read_text(encoding="utf-8").count(f' ({code})"') for path in folder.glob("*.yml"))
    if number < STORIES:
        yield Missing(folder, f"{number} of {STORIES} conversations")


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
