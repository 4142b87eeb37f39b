"""Names with the endings (or the prefixes) of a language: "в Мюнхене", "Kölnde", "w Berlinie", "ببرلين".

The tables of names hold base forms and the commonest other ones; for the rest, ``data/lookups/endings.csv`` tells what may
be taken off a word, and what comes in its place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache

from actions.directory.database import DATA
from actions.directory.text import name_key
from bot.languages import LANGUAGES
from bot.nlu.lookups import TableError, read_table

SHORTEST_BASE = 4
_KINDS = ("suffix", "prefix")


@lru_cache(maxsize=1)
def _endings() -> dict[str, dict[str, list[str]]]:
    """Return kind -> what is written -> what the base has in its place."""
    path = DATA / "lookups" / "endings.csv"
    found: dict[str, dict[str, list[str]]] = {kind: defaultdict(list) for kind in _KINDS}
    for line, row in read_table(path, ("language", "kind", "written", "base")):
        if row["language"] not in LANGUAGES or row["kind"] not in _KINDS or not row["written"]:
            raise TableError(f"{path}:{line}: language, kind or written is not valid.")
        for written in row["written"].split("|"):
            replaced = name_key(row["base"])
            if replaced not in found[row["kind"]][name_key(written)]:
                found[row["kind"]][name_key(written)].append(replaced)
    return found


def bases(word: str) -> Iterator[str]:
    """Yield what a folded word may be without its ending or prefix, the longest ending first."""
    longest = max(map(len, _endings()["suffix"]), default=0)
    for length in range(min(longest, len(word) - SHORTEST_BASE + 1), 0, -1):
        for replaced in _endings()["suffix"].get(word[-length:], ()):
            base = word[:-length] + replaced
            if len(base) >= SHORTEST_BASE:
                yield base
    longest = max(map(len, _endings()["prefix"]), default=0)
    for length in range(min(longest, len(word) - 3), 0, -1):
        if word[:length] in _endings()["prefix"]:
            yield word[length:]
