"""The lookup tables of ``data/lookups`` and ``data/places``, read once and checked against their schema.

The gazetteer and the emergency lexicon use these; ``fingerprint`` makes Rasa train anew when a table changes.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from babel import Locale

from actions.directory.database import DATA
from actions.directory.text import fold, name_key
from bot.settings import LANGUAGES

_POLITENESS = re.compile(
    r"^(?:(?:hallo|hi|hey|hello|guten (?:tag|morgen|abend)|good (?:morning|evening|day)|bitte|please|moin|servus)\b[\s,.!]*)+"
    r"|(?:[\s,.!]*\b(?:danke|vielen dank|bitte|please|thanks|thank you|mfg)\b[\s.!]*)+$"
)
FIELDS = (
    "health education social engineering it crafts trade science law transport hospitality agriculture media security administration"
).split()
DANGERS = ("violence", "trafficking", "confinement", "suicide", "medical", "threat", "child")
CUE_KINDS = (
    "place_before",
    "residence_before",
    "origin_before",
    "abroad",
    "still_in",
    "germany",
    "not_place_before",
)
# Territories of CLDR that are no country where somebody learns a profession.
_NO_COUNTRY = re.compile(r"^(EU|EZ|UN|ZZ|XA|XB|QO|AC|CP|CQ|DG|EA|IC|TA|BV|HM|TF|GS|UM|AQ|DE)$")


class TableError(ValueError):
    """A lookup table breaks its schema; the message names file, line and reason."""


def read_table(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) of a CSV file whose header must hold ``columns``.

    Raises:
        TableError: if the file is missing or lacks a column.
    """
    if not path.exists():
        raise TableError(f"{path} is missing.")
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [c for c in columns if c not in (reader.fieldnames or [])]
        if missing:
            raise TableError(f"{path}: the columns {', '.join(missing)} are missing.")
        for row in reader:
            yield reader.line_num, row


@dataclass(frozen=True)
class Profession:
    """A profession: German reference title, field, regulation (``federal``, ``state`` or ``no``), folded synonyms."""

    title: str
    field: str
    regulated: str
    synonyms: tuple[str, ...]
    source: str


@lru_cache(maxsize=1)
def professions() -> tuple[Profession, ...]:
    """Return the professions of ``data/lookups/professions.csv``; synonyms of all ``synonyms_<language>`` columns."""
    path = DATA / "lookups" / "professions.csv"
    found: list[Profession] = []
    owner: dict[str, str] = {}
    for line, row in read_table(path, ("title_de", "field", "regulated", "synonyms_de", "synonyms_en", "source")):
        if row["field"] not in FIELDS or row["regulated"] not in ("federal", "state", "no") or not row["source"]:
            raise TableError(f"{path}:{line}: field, regulated or source of {row['title_de']!r} is not valid.")
        words = [w for column, cell in row.items() if column.startswith("synonyms_") for w in (cell or "").split("|")]
        keys = tuple(dict.fromkeys(k for k in (name_key(w) for w in words) if len(k) >= 2))
        for key in keys:
            if owner.setdefault(key, row["title_de"]) != row["title_de"]:
                raise TableError(f"{path}:{line}: {key!r} stands for {owner[key]!r} too.")
        found.append(Profession(row["title_de"], row["field"], row["regulated"], keys, row["source"]))
    return tuple(found)


@lru_cache(maxsize=1)
def country_names() -> dict[str, str]:
    """Return folded name -> ISO code: CLDR names in all languages, adjectives, peoples, aliases, large cities."""
    names: dict[str, str] = {}
    path = DATA / "lookups" / "countries.csv"
    columns = ("country", "adjectives_de", "people_de", "adjectives_en", "people_en", "aliases", "cities")
    for _line, row in read_table(path, columns):
        for column in columns[1:]:
            for word in filter(None, row[column].split("|")):
                endings = ("", "e", "er", "es", "en", "em") if column == "adjectives_de" else ("",)
                for ending in endings:
                    names.setdefault(name_key(word + ending), row["country"])
    for language in LANGUAGES:
        for code, name in Locale(language).territories.items():
            if len(code) == 2 and code.isalpha() and not _NO_COUNTRY.match(code):
                names.setdefault(name_key(name), code)
    return names


@dataclass(frozen=True)
class EmergencyRule:
    """One row of the emergency lexicon: a pattern on folded text, and the harmless readings that switch it off."""

    danger: str
    language: str
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None


@lru_cache(maxsize=1)
def emergency_rules() -> tuple[EmergencyRule, ...]:
    """Return the emergency lexicon (``data/lookups/emergency.csv``)."""
    path = DATA / "lookups" / "emergency.csv"
    rules = []
    for line, row in read_table(path, ("kind", "language", "pattern", "unless", "note")):
        if row["kind"] not in DANGERS or row["language"] not in LANGUAGES:
            raise TableError(f"{path}:{line}: kind or language is not valid.")
        try:
            pattern = re.compile(row["pattern"])
            unless = re.compile(row["unless"]) if row["unless"] else None
        except re.error as error:
            raise TableError(f"{path}:{line}: the pattern is not valid: {error}") from error
        rules.append(EmergencyRule(row["kind"], row["language"], pattern, unless))
    return tuple(rules)


def danger_in(text: str) -> str | None:
    """Return the kind of danger that the emergency lexicon finds in ``text`` (one of ``DANGERS``), or None."""
    folded = fold(text)
    # Some rows hold only for a message that says nothing else; a greeting around it is nothing else.
    bare = _POLITENESS.sub("", folded).strip(" .,!?;:-")
    for rule in emergency_rules():
        found = rule.pattern.search(folded) or (bare != folded and rule.pattern.search(bare))
        if found and not (rule.unless and rule.unless.search(folded)):
            return rule.danger
    return None


@lru_cache(maxsize=1)
def cues() -> dict[str, frozenset[str]]:
    """Return the cue phrases (folded) by kind (``data/lookups/cues.csv``)."""
    path = DATA / "lookups" / "cues.csv"
    found: dict[str, set[str]] = {kind: set() for kind in CUE_KINDS}
    for line, row in read_table(path, ("language", "kind", "phrase")):
        if row["kind"] not in found or row["language"] not in LANGUAGES:
            raise TableError(f"{path}:{line}: kind or language is not valid.")
        found[row["kind"]].add(name_key(row["phrase"]))
    return {kind: frozenset(phrases) for kind, phrases in found.items()}


def fingerprint() -> str:
    """Return a hash over all tables that change what is understood."""
    digest = hashlib.sha256()
    for path in sorted([*(DATA / "lookups").glob("*.csv"), *(DATA / "places").glob("*.csv")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def profession_title(word: str | None) -> str | None:
    """Return the German reference title for a title or an everyday word; None for None.

    Raises:
        LookupError: if the profession is not in the table.
    """
    if word is None:
        return None
    key = name_key(word)
    for profession in professions():
        if key == name_key(profession.title) or key in profession.synonyms:
            return profession.title
    raise LookupError(f"The profession {word!r} is not in the table (data/lookups/professions.csv).")
