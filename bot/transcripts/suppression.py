"""Small counts are not shown, and what is shown must not give them away.

A number from 1 to 4 might lead to a person. It is easily computed where a sum is known: 20 conversations, of which 18 were
in German, leave 2. So a table is shown only if, for somebody who knows these rules, at least two values remain possible
for each small count; for that the next smallest count is hidden as well, and if it is not enough, the whole table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import Union

from bot.transcripts.figures import SMALLEST_SHOWN

MOST_HIDDEN = SMALLEST_SHOWN - 1
# So many larger counts are hidden for the sake of small ones; if that is not enough, the table is not shown.
MOST_SECONDARY = 2


class Mark(Enum):
    """What stands in the place of a number."""

    FEW = "few"  # from 1 to 4
    HIDDEN = "hidden"  # not small, but it would give a small one away


Figure = Union[int, Mark]


@dataclass(frozen=True)
class Protected:
    """A table as it may be shown.

    Attributes:
        cells: the counts, in the order in which they were given; empty if ``blank``.
        total: their sum, or what they are a part of.
        blank: nothing of the table may be shown.
    """

    cells: Mapping[str, Figure]
    total: Figure = 0
    blank: bool = False


def figure(count: int) -> Figure:
    """Return a single count as it may be shown."""
    return Mark.FEW if 0 < count < SMALLEST_SHOWN else count


def free(counts: Mapping[str, int]) -> Protected:
    """Protect counts that add up to nothing that is known, such as the needs (a conversation may have several)."""
    return Protected({key: figure(count) for key, count in counts.items()})


def protect(counts: Mapping[str, int], total: int, *, exhaustive: bool) -> Protected:
    """Protect counts whose sum is known.

    Args:
        counts: the counts by key.
        total: what is shown as their sum (as ``figure(total)``).
        exhaustive: whether they add up to ``total``; otherwise ``total`` is only known to be no less than their sum.
    """
    if figure(total) is Mark.FEW:
        return Protected({}, Mark.FEW, blank=True)
    few = [key for key, count in counts.items() if figure(count) is Mark.FEW]
    large = sorted((count, key) for key, count in counts.items() if count >= SMALLEST_SHOWN)
    rest = total - sum(count for count, _ in large)
    if not few or (not exhaustive and rest < len(few)):
        # Nothing to protect; or the parts are more than the whole: counted differently, so that nothing follows from them.
        hidden = 0
    else:
        found = _level(len(few), tuple(count for count, _ in large), rest, exhaustive)
        if found is None:
            return Protected({}, figure(total), blank=True)
        hidden = found
    marks = {**dict.fromkeys(few, Mark.FEW), **dict.fromkeys((key for _, key in large[:hidden]), Mark.HIDDEN)}
    return Protected({key: marks.get(key, count) for key, count in counts.items()}, figure(total))


def by_size(table: Protected) -> Protected:
    """Return a table with the largest count first; what is not shown stands by its key, as its place would tell its size."""

    def place(item: tuple[str, Figure]) -> tuple[int, int, str]:
        key, count = item
        return (1, 0, key) if isinstance(count, Mark) else (0 if count else 2, -count, key)

    return Protected(dict(sorted(table.cells.items(), key=place)), table.total, table.blank)


def _level(few: int, large: tuple[int, ...], rest: int, exhaustive: bool) -> int | None:
    """Return how many of the other counts are hidden beside the small ones; None if nothing may be shown.

    Args:
        few: how many counts are small.
        large: the other counts, the smallest first.
        rest: what remains of the total without ``large``: the sum of the small counts, or more if not ``exhaustive``.
        exhaustive: whether the counts add up to the total.
    """
    for hidden in range(min(MOST_SECONDARY, len(large)) + 1):
        if _safe(few, hidden, large[hidden:], rest + sum(large[:hidden]), exhaustive):
            return hidden
    return None


@lru_cache(maxsize=4096)
def _safe(few: int, hidden: int, shown: tuple[int, ...], rest: int, exhaustive: bool) -> bool:
    """Return whether more than one value is possible for each small count, for somebody who knows what is shown.

    That is: which counts are small and which hidden, the ones that are ``shown``, the ``rest`` of the total, and this very
    rule. The latter matters: that a count is hidden tells that hiding fewer was not enough.
    """
    if hidden == 0:
        # All or nothing: also the largest values must be possible, else "nothing is hidden" would be telling.
        return not exhaustive and rest >= few * MOST_HIDDEN
    sums: set[int] = set()
    # The hidden ones are smaller than the smallest one shown (equal ones would be chosen by their keys).
    most = shown[0] - 1 if shown else rest
    for guess in combinations_with_replacement(range(SMALLEST_SHOWN, min(most, rest - few) + 1), hidden):
        room = rest - sum(guess)
        if room < few or (exhaustive and room > few * MOST_HIDDEN):
            continue
        if any(_safe(few, fewer, guess[fewer:] + shown, rest - sum(guess[fewer:]), exhaustive) for fewer in range(hidden)):
            continue
        sums.update([room] if exhaustive else range(few, min(few * MOST_HIDDEN, room) + 1))
        if len(sums) > 2:
            return True
    return len(sums) > 1 or (few > 1 and bool(sums - {few, few * MOST_HIDDEN}))


def parts(part: int, whole: int) -> tuple[Figure, Figure]:
    """Return a part and the whole as both may be shown beside each other: the whole is hidden if it gives a part away."""
    small = Mark.FEW in (figure(part), figure(whole - part))
    return figure(part), Mark.HIDDEN if small and figure(whole) is not Mark.FEW else figure(whole)


def rate(part: int, whole: int) -> Figure | None:
    """Return a part of a whole in per cent; None if there is no whole, a mark if the rate would give a small count away."""
    if whole == 0:
        return None
    if Mark.FEW in (figure(part), figure(whole - part)):
        return Mark.FEW
    return round(100 * part / whole)
