"""The languages of the guide: which there are, which it speaks, how they are written and called.

``data/lookups/languages.csv`` holds one row a language, in the order in which they are offered. A language is *spoken*
when its catalogues are complete; the guide understands places and countries in all of them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

TABLE = Path(__file__).resolve().parents[1] / "data" / "lookups" / "languages.csv"
COLUMNS = ("language", "name", "spoken", "direction", "flags", "names", "latin_words")
FALLBACK_LANGUAGES = ("en", "de")


class LanguageTableError(ValueError):
    """The table of languages breaks its schema; the message names line and reason."""


@dataclass(frozen=True)
class Language:
    """One language.

    ``code`` is ISO 639-1, ``name`` its name in itself, ``flags`` the countries whose flag stands for it (a flag in a
    message asks for the language), ``names`` how it is called in all languages, ``latin_words`` frequent little words
    of it in Latin transliteration.
    """

    code: str
    name: str
    spoken: bool
    direction: str
    flags: tuple[str, ...]
    names: tuple[str, ...]
    latin_words: tuple[str, ...]


@lru_cache(maxsize=1)
def all_languages() -> dict[str, Language]:
    """Return the languages by their code.

    Raises:
        LanguageTableError: if a row of the table is not valid.
    """
    found: dict[str, Language] = {}
    with TABLE.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise LanguageTableError(f"{TABLE}: the columns must be {', '.join(COLUMNS)}.")
        for row in reader:
            code = row["language"]
            if len(code) != 2 or not row["name"] or row["spoken"] not in ("yes", "no") or row["direction"] not in ("ltr", "rtl"):
                raise LanguageTableError(f"{TABLE}:{reader.line_num}: language, name, spoken or direction of {code!r} is not valid.")
            if code in found:
                raise LanguageTableError(f"{TABLE}:{reader.line_num}: {code!r} stands there twice.")
            lists = (tuple(filter(None, row[column].split("|"))) for column in ("flags", "names", "latin_words"))
            found[code] = Language(code, row["name"], row["spoken"] == "yes", row["direction"], *lists)
    return found


# The languages of the programme's own registration form, in the order in which they are offered.
LANGUAGES = tuple(all_languages())
# The languages that have a complete catalogue. A language is marked as spoken when it passes the parity check.
SPOKEN_LANGUAGES = tuple(language.code for language in all_languages().values() if language.spoken)
RIGHT_TO_LEFT = tuple(language.code for language in all_languages().values() if language.direction == "rtl")


def own_name(code: str) -> str:
    """Return the name of a language in that language ("Türkçe").

    Raises:
        KeyError: if it is not one of the guide's languages.
    """
    return all_languages()[code].name
