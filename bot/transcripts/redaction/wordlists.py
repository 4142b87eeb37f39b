"""The word lists of ``data/redaction``, with a check of their schema."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.transcripts.redaction.digits import clean, clean_key, spelled, word_keys
from bot.transcripts.redaction.tokens import Phrases

DATA = Path(__file__).resolve().parents[3] / "data"
FOLDER = DATA / "redaction"
LANGUAGES = ("de", "en", "tr", "ar", "uk", "ru", "fa", "fr", "es", "pl", "ro")
# Phrases that are looked for in every text; the key is the tag of the hit.
_PHRASE_LISTS = (
    *(
        "name",
        "name_weak",
        "roles",
        "titles",
        "titles_after",
        "closings",
        "birth",
        "birth_year",
        "phone",
        "document_number",
        "document_thing",
    ),
    *("street_first", "street_last", "street_preposition", "house", "flat", "flat_after", "address_cue"),
)
_WORD_LISTS = ("street_glued", "small", "units", "not_a_street", "email_at", "email_dot", "noun_endings")
_PLACE_TABLES = {
    "places/towns": ("name", "names"),
    "places/foreign_cities": ("name", "names"),
    "places/districts": ("name",),
    "places/states": ("name", "names"),
    "lookups/town_forms": ("forms",),
    "lookups/country_forms": ("forms",),
    "lookups/countries": ("adjectives_de", "people_de", "adjectives_en", "people_en", "aliases", "cities"),
}
_KEYED = ("since", "saints", "small_words", "name_particles", "name_fillers", "strong_titles", "adjective_names", "currency")
_GENERAL: dict[str, type] = {
    **dict.fromkeys(
        ("name_particles", "name_endings", "name_fillers", "strong_titles", "adjective_names", "currency", "allowed_numbers"), list
    ),
    **dict.fromkeys(("iban_with_letters", "mail_providers", "top_level", "shapes"), list),
    **dict.fromkeys(("regions", "iban_lengths"), dict),
    **dict.fromkeys(("birth_window", "latest_birth_year"), int),
    **dict.fromkeys(("since", "saints", "small_words", "more_places"), list),
    **dict.fromkeys(("birth_beginnings", "document_endings"), list),
}


class RedactionDataError(ValueError):
    """A word list breaks its schema; the message names file and reason."""


@dataclass(frozen=True)
class Words:
    """All word lists. Sets hold keys (:func:`~bot.transcripts.redaction.digits.key`)."""

    phrases: Phrases
    months: dict[str, int]
    month_names: dict[str, tuple[str, ...]]
    word_lists: dict[str, frozenset[str]]
    noun_endings: tuple[str, ...]
    street_glued: tuple[str, ...]
    general: dict[str, Any]
    name_endings: tuple[str, ...]
    particles: frozenset[str]
    fillers: frozenset[str]
    strong_titles: frozenset[str]
    adjective_names: frozenset[str]
    currency: frozenset[str]
    since: frozenset[str]
    saints: frozenset[str]
    small_words: frozenset[str]
    allowed_digits: frozenset[str]
    given: frozenset[str]
    given_spelled: frozenset[str]
    surnames: frozenset[str]
    common: frozenset[str]
    trades: frozenset[str]
    places: frozenset[str]
    peoples: frozenset[str]


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        found = YAML(typ="safe").load(path)
    except (OSError, YAMLError) as error:
        raise RedactionDataError(f"{path}: cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise RedactionDataError(f"{path}: must hold keys with lists.")
    return found


def _strings(path: Path, name: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
        raise RedactionDataError(f"{path}: {name} must be a list of words; quote what YAML takes for something else.")
    return value


def read_language(path: Path) -> dict[str, Any]:
    """Return the word lists of one language.

    Raises:
        RedactionDataError: if a key is missing, unknown, or does not hold what it must.
    """
    found = _read_yaml(path)
    wanted = {*_PHRASE_LISTS, *_WORD_LISTS, "months"}
    if set(found) != wanted:
        raise RedactionDataError(
            f"{path}: missing: {sorted(wanted - set(found)) or 'nothing'}; unknown: {sorted(set(found) - wanted) or 'nothing'}."
        )
    for name in (*_PHRASE_LISTS, *_WORD_LISTS):
        _strings(path, name, found[name])
    if not isinstance(found["months"], list) or len(found["months"]) < 12:
        raise RedactionDataError(f"{path}: months must be a list of at least twelve lists.")
    for names in found["months"]:
        _strings(path, "months", names)
    return found


def read_general(path: Path) -> dict[str, Any]:
    """Return what holds in all languages.

    Raises:
        RedactionDataError: if a key is missing, unknown, or of another type.
    """
    found = _read_yaml(path)
    for name, kind in _GENERAL.items():
        if not isinstance(found.get(name), kind):
            raise RedactionDataError(f"{path}: {name} must be there and be a {kind.__name__}.")
    if set(found) != set(_GENERAL):
        raise RedactionDataError(f"{path}: unknown: {sorted(set(found) - set(_GENERAL))}.")
    for shape in found["shapes"]:
        if not isinstance(shape, dict) or set(shape) != {"name", "regex"}:
            raise RedactionDataError(f"{path}: each of shapes must have name and regex, not {shape!r}.")
    if set(found["regions"]) != set(LANGUAGES):
        raise RedactionDataError(f"{path}: regions must name each of {', '.join(LANGUAGES)}.")
    return found


def _column(path: Path, columns: tuple[str, ...]) -> list[str]:
    """Return the first column of a table whose header is checked."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            if tuple(next(reader, ())) != columns:
                raise RedactionDataError(f"{path}: the columns must be {', '.join(columns)}.")
            rows = []
            for row in reader:
                if len(row) != len(columns) or not row[0].strip():
                    raise RedactionDataError(f"{path}:{reader.line_num}: must have {len(columns)} cells, the first not empty.")
                rows.append(row[0])
            return rows
    except OSError as error:
        raise RedactionDataError(f"{path}: cannot be read: {error}") from error


def _name_keys(names: list[str]) -> frozenset[str]:
    # The parts of a double name count alone, except the articles and particles that are shorter than three letters.
    keys: set[str] = set()
    for parts in word_keys(names):
        keys.update(parts if len(parts) == 1 else [part for part in parts if len(part) > 2])
    return frozenset(keys)


# A village this small does not keep a given name from being one.
_SMALL_TOWN = 20_000


def _places(more: list[str], names: frozenset[str]) -> frozenset[str]:
    """Return the words that name places and peoples: what must not be taken for a person's name.

    Args:
        more: further places.
        names: the listed names of persons. A part of a place's name that is one of them ("Sankt Maria") counts as a
            place only if it is all of the name, and that of a town of some size.
    """
    large: set[str] = set(more)
    little: set[str] = set()
    for file, columns in _PLACE_TABLES.items():
        path = DATA / f"{file}.csv"
        with path.open(encoding="utf-8", newline="") as opened:
            reader = csv.reader(opened)
            header = next(reader, [])
            if not set(columns) <= set(header):
                raise RedactionDataError(f"{path}: the columns {', '.join(columns)} must be there.")
            places = [header.index(column) for column in columns]
            population = header.index("population") if file.endswith("towns") else None
            for row in reader:
                small = population is not None and int(row[population] or 0) < _SMALL_TOWN
                for place in places:
                    (little if small else large).update(row[place].split("|"))
    found: set[str] = set()
    for spellings, small in ((large, False), (little - large, True)):
        for words_of_it in word_keys(spellings):
            parts = [part for part in words_of_it if len(part) > 2]
            if len(parts) == 1 and not small:
                found.add(parts[0])
            else:
                found.update(part for part in parts if part not in names)
    return frozenset(found)


def _peoples() -> frozenset[str]:
    """Return the words for countries and their people: after "I am", they are no name, whereas a town may be one (Ahmad)."""
    found: set[str] = set()
    for file, columns in (("countries", _PLACE_TABLES["lookups/countries"][:-1]), ("country_forms", ("forms",))):
        with (DATA / "lookups" / f"{file}.csv").open(encoding="utf-8", newline="") as opened:
            for row in csv.DictReader(opened):
                found.update(name for column in columns for name in (row[column] or "").split("|"))
    return frozenset(parts[0] for parts in word_keys(found) if len(parts) == 1)


def _trades() -> frozenset[str]:
    """Return the professions of one word: after a given name, they are no surname ("Yousef, carpenter")."""
    with (DATA / "lookups" / "professions.csv").open(encoding="utf-8", newline="") as opened:
        reader = csv.reader(opened)
        columns = [position for position, name in enumerate(next(reader, [])) if name.startswith("synonyms_")]
        cells = [row[column] for row in reader for column in columns]
    single = {word for cell in cells for word in cell.split("|") if word and " " not in word}
    return frozenset("".join(parts) for parts in word_keys(single))


@lru_cache(maxsize=1)
def words() -> Words:
    """Return all word lists; read once.

    Raises:
        RedactionDataError: if one of them breaks its schema.
    """
    phrases = Phrases()
    months: dict[str, int] = {}
    lists: dict[str, set[str]] = {name: set() for name in (*_WORD_LISTS, *_PHRASE_LISTS)}
    endings: set[str] = set()
    glued: set[str] = set()
    for language in LANGUAGES:
        found = read_language(FOLDER / f"{language}.yml")
        for name in _PHRASE_LISTS:
            phrases.add(found[name], name, language)
        for name in (*_WORD_LISTS, *_PHRASE_LISTS):
            lists[name].update(clean(word).text.lower() if name.startswith("email") else clean_key(word) for word in found[name])
        for position, names in enumerate(found["months"]):
            months.update({clean_key(name): position % 12 + 1 for name in names})
        endings.update(clean_key(ending) for ending in found["noun_endings"])
        glued.update(clean_key(ending) for ending in found["street_glued"])
    general = read_general(FOLDER / "general.yml")
    phrases.beginnings.append((tuple(clean_key(part) for part in general["birth_beginnings"]), "birth"))
    phrases.endings.append((tuple(clean_key(part) for part in general["document_endings"]), "document_number"))
    allowed = {"".join(filter(str.isdigit, str(number))) for number in general["allowed_numbers"]}
    # As they are called from abroad, too.
    allowed |= {prefix + number[1:] for number in allowed if number.startswith("0") for prefix in ("49", "0049", "490")}
    keys = {name: frozenset(clean_key(str(word)) for word in general[name]) for name in _KEYED}
    given_names = _column(FOLDER / "given_names.csv", ("name", "community"))
    given = _name_keys(given_names)
    surnames = _name_keys(_column(FOLDER / "surnames.csv", ("name", "community")))
    return Words(
        phrases=phrases,
        months=months,
        month_names={one: tuple(name for name in months if name[0] == one and len(name) > 3) for one in {name[0] for name in months}},
        word_lists={name: frozenset(found_words) for name, found_words in lists.items()},
        noun_endings=tuple(sorted(endings)),
        street_glued=tuple(sorted(glued, key=len, reverse=True)),
        general=general,
        name_endings=tuple(clean_key(str(ending)) for ending in general["name_endings"]),
        particles=keys["name_particles"],
        fillers=keys["name_fillers"],
        strong_titles=keys["strong_titles"],
        adjective_names=keys["adjective_names"],
        currency=keys["currency"],
        since=keys["since"],
        saints=keys["saints"],
        small_words=keys["small_words"],
        allowed_digits=frozenset(allowed),
        given=given,
        # With their accents: "Marie" is a name in small letters, too, "marié" is none.
        given_spelled=frozenset(spelled(name) for name in given_names),
        surnames=surnames,
        common=frozenset(_column(FOLDER / "common_words.csv", ("word",))) | keys["adjective_names"],
        trades=_trades(),
        peoples=_peoples(),
        places=_places(general["more_places"], given | surnames),
    )
