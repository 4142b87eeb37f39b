"""Texts that are the same or nearly: an example of the training set must not come into the evaluation set, or the other way round."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz, process
from ruamel.yaml import YAML

from actions.directory.database import DATA
from actions.directory.text import fold
from bot.transcripts.record_models import EVALUATION, TRAINING

# Two folded texts that are so similar (0 to 100) count as one.
NEARLY_EQUAL = 92


@dataclass(frozen=True)
class Match:
    """A text that is equal or nearly equal: as it stands where it was found, and how similar it is (per cent)."""

    text: str
    similarity: int


class Texts:
    """A set of texts in which a nearly equal one is found quickly."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._by_length: dict[int, dict[str, str]] = {}
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Add a text."""
        folded = fold(text)
        if folded:
            self._by_length.setdefault(len(folded), {}).setdefault(folded, text)

    def find(self, text: str) -> Match | None:
        """Return the text that is most similar to ``text``, if it is nearly equal."""
        folded = fold(text)
        if not folded:
            return None
        same = self._by_length.get(len(folded), {}).get(folded)
        if same is not None:
            return Match(same, 100)
        # The similarity is 2 * common / (both lengths): texts of other lengths cannot reach the limit.
        bound = NEARLY_EQUAL / (200 - NEARLY_EQUAL)
        best: Match | None = None
        for length in range(math.ceil(len(folded) * bound), math.floor(len(folded) / bound) + 1):
            candidates = self._by_length.get(length)
            if not candidates:
                continue
            limit = NEARLY_EQUAL if best is None else best.similarity
            found = process.extractOne(folded, candidates.keys(), scorer=fuzz.ratio, processor=None, score_cutoff=limit)
            if found is not None and (best is None or found[1] > best.similarity):
                best = Match(candidates[found[0]], math.floor(found[1]))
        return best


def known(purpose: str, language: str) -> Texts:
    """Return the project's own texts of one language: its training examples, or its evaluation messages.

    Args:
        purpose: ``training`` or ``evaluation``.
        language: the language; without data of its own there are none.
    """
    path = DATA / {TRAINING: "nlu", EVALUATION: "evaluation"}[purpose] / f"{language}.yml"
    # A language is two letters, but it came from outside once.
    if not language.isalpha() or not path.is_file():
        return Texts()
    return _read(purpose, str(path), path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _read(purpose: str, path: str, _changed: int) -> Texts:
    with open(path, encoding="utf-8") as file:
        data = YAML(typ="safe").load(file)
    if purpose == EVALUATION:
        return Texts(message["text"] for message in data["messages"])
    examples = (line for entry in data["nlu"] for line in (entry.get("examples") or "").splitlines() if "intent" in entry)
    return Texts(line.removeprefix("-").strip() for line in examples)
