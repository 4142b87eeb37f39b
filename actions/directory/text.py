"""Folding of text, so that spellings of one word compare as equal.

One home for it: the gazetteer, the emergency lexicon, the place tables and the importer must agree on what "the same
word" means, or a town is found in one place and not in another.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "æ": "ae", "œ": "oe", "ł": "l", "ı": "i"})
_WITHOUT_UMLAUTS = str.maketrans({"ä": "a", "ö": "o", "ü": "u", "Ä": "A", "Ö": "O", "Ü": "U"})
# Arabic and Persian keyboards write the same letter with different code points; a reader sees no difference.
_ARABIC = str.maketrans(
    {"ي": "ی", "ى": "ی", "ئ": "ی", "ك": "ک", "ة": "ه", "ۀ": "ه", "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ؤ": "و", "ـ": None}
)
_APOSTROPHES = re.compile("['’‘`´ʼ]")
_SPACE = re.compile(r"\s+")
# Invisible characters belong to the word in which they hide.
_WORD = re.compile("\\w[\\w\u00ad\u200b-\u200f\u2060\ufeff]*", re.UNICODE)
# Direction marks, zero-width characters, soft hyphens: invisible, and used to hide words from a lexicon.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def strip_invisible(text: str) -> str:
    """Return ``text`` without characters that a reader cannot see (direction marks, zero-width, soft hyphen)."""
    return _INVISIBLE.sub("", text)


@lru_cache(maxsize=65536)
def fold_word(word: str) -> str:
    """Return one word in the form in which words are compared.

    Lower case, umlauts as two letters, no other accents, one form for the Arabic and Persian variants of a letter,
    ASCII digits for the digits of every script.
    """
    text = unicodedata.normalize("NFKC", word).lower().translate(_GERMAN)
    text = text.translate(_ARABIC)
    decomposed = unicodedata.normalize("NFD", text)
    text = "".join(c for c in decomposed if not unicodedata.combining(c))
    if not text.isascii():
        text = "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c for c in text)
    return text


def fold(text: str) -> str:
    """Return ``text`` folded for comparison and for lexicon search.

    As :func:`fold_word`, and apostrophes and invisible characters are removed and white space becomes one blank.
    """
    text = _APOSTROPHES.sub("", strip_invisible(text))
    return _SPACE.sub(" ", fold_word(text)).strip()


def without_umlauts(text: str) -> str:
    """Return ``text`` with ä, ö and ü as a, o and u: Turkish has these letters too, and many type neither dots nor "oe"."""
    return unicodedata.normalize("NFC", text).translate(_WITHOUT_UMLAUTS)


class Token(NamedTuple):
    """A word of a message: its folded form, its position in the original text, and whether it was capitalised."""

    folded: str
    start: int
    end: int
    capitalised: bool


def tokenize(text: str) -> list[Token]:
    """Split ``text`` into words with their offsets (in characters of ``text``)."""
    return [Token(fold_word(strip_invisible(m.group())), m.start(), m.end(), m.group()[:1].isupper()) for m in _WORD.finditer(text)]


def name_key(name: str) -> str:
    """Return the key under which a name of several words is indexed: its folded words joined by one blank."""
    return " ".join(t.folded for t in tokenize(name))


def spellings(name: str, language: str) -> tuple[str, ...]:
    """Return the keys under which a name or phrase of a language is found.

    German ö is also written oe, and folded so; in the other languages (Turkish above all) people leave out the dots.
    """
    keys = [name_key(name)] if language == "de" else [name_key(name), name_key(without_umlauts(name))]
    return tuple(dict.fromkeys(keys))
