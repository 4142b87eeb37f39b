"""``long``: whether a turn gets slower as the conversation gets longer."""

from __future__ import annotations

import asyncio
import statistics
from typing import Any

from bench.client import FAQ, Person, connect, need_and_place
from bench.guide import home_of_its_own, in_parts
from bench.options import Options
from bench.results import Result, Table, at_most, say

EARLY = 5
BLOCK = 20
FEWEST_TURNS = 2 * EARLY + 1
# The messages repeat after five turns, so that turns 5, 100 and 300 say the same thing.
CYCLE = (FAQ[0], need_and_place(0), FAQ[1], need_and_place(1), FAQ[2])


def late_turns(turns: int) -> list[int]:
    """Return the turns that are compared with turn 5: 100 and 300 if the conversation is so long, else its last fit."""
    fits = [turn for turn in (100, 300) if turn < turns]
    return fits or [max(range(2 * EARLY, turns, EARLY))]


def run(options: Options) -> Result:
    """Hold several long conversations; compare early and late turns."""
    runs: list[list[float]] = []
    with home_of_its_own() as home, in_parts(home) as guide:
        for number in range(options.runs):
            runs.append(asyncio.run(_conversation(guide.url, options.long_turns)))
            say(f"long: conversation {number + 1} of {options.runs}, {options.long_turns} turns in {sum(runs[-1]) / 1000:.1f} s")
    early = _around(runs, EARLY)
    late = {turn: _around(runs, turn) for turn in late_turns(options.long_turns)}
    blocks = {
        first + 1: statistics.median(t for times in runs for t in times[first : first + BLOCK])
        for first in range(0, options.long_turns, BLOCK)
    }
    data: dict[str, Any] = {
        "early": early,
        "late": {str(turn): value for turn, value in late.items()},
        "blocks": {str(first): round(value, 2) for first, value in blocks.items()},
        "runs": [[round(t, 2) for t in times] for times in runs],
    }
    rows = [[f"turn {EARLY}", f"{early:.1f}", "1.00"]]
    rows += [[f"turn {turn}", f"{value:.1f}", f"{value / early:.2f}"] for turn, value in late.items()]
    first_block = blocks[1]
    for first, value in blocks.items():
        rows.append(
            [f"turns {first}-{min(first + BLOCK - 1, options.long_turns)}", f"{value:.1f}", f"{value / first_block:.2f} of the first"]
        )
    table = Table(
        f"One conversation of {options.long_turns} turns",
        ["", "median (ms)", "ratio"],
        rows,
        f"Turn n: median over the turns n-1 to n+1 of {options.runs} conversations. The turns repeat after five, questions and "
        "directory lookups in turn, so the same messages are compared. Limits for a conversation widened (`bench/web.py`).",
    )
    targets = [at_most(f"turn {turn} / turn {EARLY}", value / early, 1.3) for turn, value in late.items()]
    return Result("long", options.only("runs", "long_turns"), data, [table], targets)


async def _conversation(url: str, turns: int) -> list[float]:
    times = []
    async with connect(url) as http:
        # The first messages of a process are slower; a short conversation before takes that away.
        for count in (5, turns):
            person = Person(http)
            await person.begin()
            times = [(await person.say(CYCLE[turn % len(CYCLE)]))[0] for turn in range(count)]
    return times


def _around(runs: list[list[float]], turn: int) -> float:
    return round(statistics.median(t for times in runs for t in times[turn - 2 : turn + 1]), 2)
