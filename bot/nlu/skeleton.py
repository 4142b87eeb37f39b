"""The consonants of a word, alike in all scripts: "шахадет", "شهادة" and "shahade" all become "shhd"-like keys.

People write Arabic, Persian, Russian and Ukrainian in Latin letters, each in their own way; what they agree on are the
consonants. The keys are features of the classifier only: rough, and the same for what sounds alike.
"""

from __future__ import annotations

import re
from functools import lru_cache

_CYRILLIC = str.maketrans(dict(zip("абвгґдеєжзиіїйклмнопрстуфхцчшщыьъэюяё", "abvggdeezziiiiklmnoprstufhccssi__euae", strict=True)))
_ARABIC = str.maketrans(dict(zip("ابپتثجچحخدذرزژسشصضطظعغفقکگلمنهوی", "_bptsjchkdzrzzssszttaqfkkglmn_vi", strict=True)))
# How the same sounds are written in Latin letters; digits as in Arabizi.
_LATIN = (
    ("sh", "s"), ("ch", "c"), ("kh", "h"), ("zh", "z"), ("gh", "q"), ("ts", "c"),
    ("3", "a"), ("7", "h"), ("5", "h"), ("2", ""), ("w", "v"), ("y", "i"), ("j", "i"), ("x", "h"),
)  # fmt: skip
_VOWELS = re.compile("[aeiou_]")
SHORTEST = 2


@lru_cache(maxsize=65536)
def skeleton(word: str) -> str:
    """Return the key of a folded word; empty if it has fewer than :data:`SHORTEST` consonants."""
    if word.isascii():
        for written, sound in _LATIN:
            word = word.replace(written, sound)
    else:
        word = word.translate(_CYRILLIC).translate(_ARABIC)
    key = _VOWELS.sub("", word)
    return key if len(key) >= SHORTEST else ""
