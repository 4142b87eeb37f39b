"""The lookup tables of ``data/lookups`` and ``data/places``, read once and checked against their schema.

The gazetteer uses these (the emergency lexicon is in ``bot.nlu.emergency``); ``fingerprint`` makes Rasa train anew when a table changes.
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
from actions.directory.text import name_key, spellings
from bot.languages import LANGUAGES

FIELDS = (
    "health education social engineering it crafts trade science law transport hospitality agriculture media security administration"
).split()
CUE_KINDS = (
    "place_before",
    "residence_before",
    "origin_before",
    "abroad",
    "still_in",
    "germany",
    "not_place_before",
    # Before an ordinary word only these make it a town: "in Essen", but not "bei Regen".
    "strong_before",
    # "früher in ...", "not in ...": a place that is not the present one.
    "past",
    "title_before",
    # Little words that may stand around a bare answer: "in Köln please".
    "filler",
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
        words = [
            (word, column.removeprefix("synonyms_"))
            for column, cell in row.items()
            if column.startswith("synonyms_")
            for word in (cell or "").split("|")
        ]
        keys = tuple(dict.fromkeys(key for word, language in words for key in spellings(word, language) if len(key) >= 2))
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


@lru_cache(maxsize=1)
def cues() -> dict[str, frozenset[str]]:
    """Return the cue phrases (folded) by kind (``data/lookups/cues.csv``)."""
    path = DATA / "lookups" / "cues.csv"
    found: dict[str, set[str]] = {kind: set() for kind in CUE_KINDS}
    for line, row in read_table(path, ("language", "kind", "phrase")):
        if row["kind"] not in found or row["language"] not in LANGUAGES:
            raise TableError(f"{path}:{line}: kind or language is not valid.")
        found[row["kind"]].update(spellings(row["phrase"], row["language"]))
    # A little word that stands before places in one language ("à", "to") forbids none in another.
    for kind in ("not_place_before", "past", "title_before"):
        found[kind] -= found["place_before"] | found["strong_before"] | found["residence_before"]
    return {kind: frozenset(phrases) for kind, phrases in found.items()}


def _forms(name: str, column: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    path = DATA / "lookups" / name
    found = []
    for line, row in read_table(path, ("language", column, "forms")):
        if row["language"] not in LANGUAGES or not row[column] or not row["forms"]:
            raise TableError(f"{path}:{line}: language, {column} or forms is not valid.")
        keys = (key for form in row["forms"].split("|") for key in spellings(form, row["language"]))
        found.append((row[column], tuple(dict.fromkeys(key for key in keys if len(key) >= 3))))
    return tuple(found)


@lru_cache(maxsize=1)
def town_forms() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return (German town or state, folded forms of its name in one language), from ``data/lookups/town_forms.csv``."""
    return _forms("town_forms.csv", "town")


@lru_cache(maxsize=1)
def country_forms() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return (ISO code, folded forms of its name, adjectives, peoples, cities), from ``data/lookups/country_forms.csv``."""
    return _forms("country_forms.csv", "country")


@lru_cache(maxsize=1)
def not_names() -> frozenset[str]:
    """Return words (folded) that are never a name, although a table would have them so (``data/lookups/not_names.csv``)."""
    path = DATA / "lookups" / "not_names.csv"
    rows = read_table(path, ("language", "word", "note"))
    return frozenset(key for _, row in rows for key in spellings(row["word"], row["language"]))


def fingerprint() -> str:
    """Return a hash over all tables that change what is understood."""
    digest = hashlib.sha256()
    for path in sorted([*(DATA / "lookups").rglob("*.csv"), *(DATA / "places").glob("*.csv")]):
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
