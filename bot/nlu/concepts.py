"""Ideas behind words: "salary", "wages", "Lohn" and "Gehalt" are one thing (``data/lookups/concepts.csv``).

A linear classifier over words knows nothing about words it has not seen. The lexicon tells it, in all languages at once,
which words stand for the same idea.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from functools import lru_cache

from actions.directory.database import DATA
from actions.directory.text import spellings

LONGEST_PHRASE = 4
SHORTEST_STEM = 3


class Concepts:
    """The lexicon, indexed by whole words and phrases, by stems (``kuendig*``) and by ends (``*lohn``)."""

    def __init__(self, rows: list[dict[str, str]]) -> None:
        self.exact: dict[str, list[str]] = defaultdict(list)
        self.stems: dict[str, list[str]] = defaultdict(list)
        self.ends: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            for column, cell in row.items():
                if column == "concept":
                    continue
                for entry in filter(None, (cell or "").split("|")):
                    for key in spellings(entry.strip("*"), column):
                        if entry.endswith("*"):
                            self.stems[key].append(row["concept"])
                        if entry.startswith("*"):
                            self.ends[key].append(row["concept"])
                        if not entry.startswith("*") and not entry.endswith("*"):
                            self.exact[key].append(row["concept"])

    def find(self, words: list[str]) -> set[str]:
        """Return the concepts in a message, given its folded words in order."""
        found: set[str] = set()
        for i, word in enumerate(words):
            phrase = word
            for n in range(LONGEST_PHRASE):
                if n:
                    if i + n >= len(words):
                        break
                    phrase = f"{phrase} {words[i + n]}"
                found.update(self.exact.get(phrase, ()))
                for length in range(len(phrase) - len(words[i + n]) + SHORTEST_STEM, len(phrase) + 1):
                    found.update(self.stems.get(phrase[:length], ()))
            for start in range(len(word) - SHORTEST_STEM + 1):
                found.update(self.ends.get(word[start:], ()))
        return found


@lru_cache(maxsize=1)
def concepts() -> Concepts:
    """Return the lexicon of ``data/lookups/concepts.csv``."""
    with (DATA / "lookups" / "concepts.csv").open(encoding="utf-8", newline="") as file:
        return Concepts(list(csv.DictReader(file)))
