"""Texts as the recognizers read them: ASCII digits, one kind of space and dash, no invisible characters.

Every character of the clean text knows where it came from, so that what was found in it can be cut out of the original.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

# Stands for a placeholder of an earlier pass: no word, no digit, nothing that a pattern could read.
BARRIER = "\ue000"
DATE_BARRIER = "\ue001"
BARRIERS = BARRIER + DATE_BARRIER
_BARRIERS = re.compile(r"\[(?:Name|Telefon|E-Mail|IBAN|Geburtsdatum|Adresse|Nummer)\]")
# Variation selectors (the emoji keys 1️⃣ have one) and an Arabic vowel sign.
_MARKS = frozenset([*map(chr, range(0xFE00, 0xFE10)), "\u0670"])
# Letters that Arabic and Persian keyboards write differently; one is as good as the other.
_ARABIC = {"ی": "ي", "ى": "ي", "ک": "ك", "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ة": "ه", "ۀ": "ه", "ؤ": "و", "ـ": ""}
_LETTERS_WITHOUT_DECOMPOSITION = {
    "ł": "l",
    "ı": "i",
    "ø": "o",
    "đ": "d",
    "ß": "ss",
    "æ": "ae",
    "ə": "e",
    "ё": "е",
    "’": "",
    "'": "",
    "ʼ": "",
}


@dataclass(frozen=True)
class Clean:
    """A text made uniform; ``starts`` and ``ends`` say for each of its characters where it stands in the original."""

    text: str
    starts: list[int]
    ends: list[int]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return the place in the original of a piece (at least one character) of the clean text."""
        return self.starts[start], self.ends[end - 1]


@lru_cache(maxsize=4096)
def _uniform(character: str) -> str:
    """Return what stands for a character in the clean text; nothing if it is invisible."""
    if character in "\n\t":
        return character
    if character == "\r":
        return "\n"
    category = unicodedata.category(character)
    if category in ("Cf", "Cc", "Cs", "Co", "Me") or 0x064B <= ord(character) <= 0x065F or character in _MARKS:
        return ""
    if category == "Zs":
        return " "
    if category == "Pd" or character == "\u2212":
        return "-"
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if character in _ARABIC:
        return _ARABIC[character]
    composed = unicodedata.normalize("NFKC", character)
    if composed != character:
        # Full-width and mathematical letters, Arabic presentation forms, keycaps; a ligature becomes its letters.
        return "".join(_ARABIC.get(one, one) for one in composed if not one.isspace()) or " "
    return character


def clean(text: str) -> Clean:
    """Return the text made uniform. Placeholders of an earlier pass become one barrier character each."""
    characters: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    position = 0
    for match in [*_BARRIERS.finditer(text), None]:
        _add(text, position, match.start() if match else len(text), characters, starts, ends)
        if match:
            characters.append(DATE_BARRIER if match.group() == "[Geburtsdatum]" else BARRIER)
            starts.append(match.start())
            ends.append(match.end())
            position = match.end()
    return Clean("".join(characters), starts, ends)


def _add(text: str, first: int, last: int, characters: list[str], starts: list[int], ends: list[int]) -> None:
    for position in range(first, last):
        character = text[position]
        if character < "\x7f" and character >= " ":
            uniform = character
        elif unicodedata.combining(character) and characters and not 0x064B <= ord(character) <= 0x065F:
            # A letter and its accent, written as two characters.
            together = unicodedata.normalize("NFC", characters[-1] + character)
            if len(together) == 1:
                characters[-1] = _ARABIC.get(together, together)
                ends[-1] = position + 1
            continue
        else:
            uniform = _uniform(character)
        for one in uniform:
            characters.append(one)
            starts.append(position)
            ends.append(position + 1)


def _fold_table() -> dict[int, str]:
    table = {}
    for code in [*range(0xC0, 0x250), *range(0x400, 0x530), *range(0x1E00, 0x1F00)]:
        base = unicodedata.normalize("NFD", chr(code))[0]
        if base != chr(code):
            table[code] = base
    table.update({ord(letter): base for letter, base in _LETTERS_WITHOUT_DECOMPOSITION.items()})
    # What remains of lower-casing the Turkish capital I with its dot.
    table[0x307] = ""
    return table


_FOLD = _fold_table()


def key(word: str) -> str:
    """Return the word as it is looked up: lower case, without accents and apostrophes. The word must be clean."""
    return word.lower().translate(_FOLD)


class _Uniform(dict[int, str]):
    """For ``str.translate``: what stands for each character, found when it is first met."""

    def __missing__(self, code: int) -> str:
        found = "" if unicodedata.combining(chr(code)) else _uniform(chr(code))
        self[code] = found
        return found


_UNIFORM = _Uniform()
_WITHIN_CYRILLIC = re.compile("(?<=[\u0400-\u04ff])['’ʼ](?=[\u0400-\u04ff])")
_APOSTROPHE = re.compile("['’]")
_WORD = re.compile(r"[^\W\d_]+")


def spelled(name: str) -> str:
    """Return a name made uniform, in small letters, with its accents."""
    return unicodedata.normalize("NFC", name).translate(_UNIFORM).lower()


def word_keys(phrases: Iterable[str]) -> list[list[str]]:
    """Return the keys of the words of each phrase: what tokens would have, at once for tens of thousands of phrases."""
    lines = "\n".join(phrase.replace("\n", " ") for phrase in phrases)
    text = unicodedata.normalize("NFC", lines).translate(_UNIFORM)
    text = _APOSTROPHE.sub(" ", _WITHIN_CYRILLIC.sub("", text))
    return [_WORD.findall(line) for line in key(text).split("\n")]


def clean_key(word: str) -> str:
    """Return the key of a word that comes from a file."""
    return key(clean(word).text)
