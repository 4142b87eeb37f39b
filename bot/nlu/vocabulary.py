"""Which words are ordinary words: so that a typing error in a town's name is mended, and "Wohnung" is no town.

Reading the word lists takes seconds, so this happens in training; the model keeps the words as an array of hashes that
loads at once.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from hashlib import blake2b
from importlib import import_module, resources

import numpy as np

from actions.directory.text import fold_word

# Languages with a word list in spacy-lookups-data; of the others the stop words are known.
_WORD_LISTS = ("de", "en", "es", "fr", "ro", "ru", "uk", "tr", "fa", "pl")


class Vocabulary:
    """A set of words, kept as sorted 64-bit hashes."""

    def __init__(self, hashes: np.ndarray) -> None:
        self.hashes = hashes

    @classmethod
    def build(cls, languages: Iterable[str], more: Iterable[str] = ()) -> Vocabulary:
        """Collect the words of ``languages`` (stop words, and inflected forms where a list exists) and ``more``."""
        from joblib import Parallel, delayed

        # Two million words; side by side they take half the time.
        lists = Parallel(n_jobs=2)(delayed(_hashes_of)(language) for language in languages)
        own = np.array([_hash(fold_word(word)) for word in more], dtype=np.uint64)
        return cls(np.unique(np.concatenate([*lists, own])))

    def with_words(self, more: Iterable[str]) -> Vocabulary:
        """Return a vocabulary with further (folded) words."""
        added = np.array([_hash(word) for word in more], dtype=np.uint64)
        return Vocabulary(np.unique(np.concatenate([self.hashes, added])))

    def __contains__(self, folded: str) -> bool:
        value = np.uint64(_hash(folded))
        position = int(np.searchsorted(self.hashes, value))
        return position < len(self.hashes) and self.hashes[position] == value


def _hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big")


def _hashes_of(language: str) -> np.ndarray:
    words = _stop_words(language) | (_inflected_forms(language) if language in _WORD_LISTS else set())
    return np.unique(np.array([_hash(fold_word(word)) for word in words], dtype=np.uint64))


def _stop_words(language: str) -> set[str]:
    return set(import_module(f"spacy.lang.{language}.stop_words").STOP_WORDS)


def _inflected_forms(language: str) -> set[str]:
    path = resources.files("spacy_lookups_data") / "data" / f"{language}_lemma_lookup.json.gz"
    if not path.is_file():
        return set()
    with path.open("rb") as packed, gzip.open(packed) as file:
        table = json.load(file)
    # Some languages give several lemmas for a form, as a list.
    lemmas = (lemma for value in table.values() for lemma in (value if isinstance(value, list) else [value]))
    return {*table.keys(), *lemmas}
