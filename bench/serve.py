"""``serve``: how long `lotse serve` takes until a message is answered, and what it needs in memory."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

from bench.client import FAQ, NotAnswered, Person, connect, has_referral, need_and_place
from bench.guide import Guide, home_of_its_own, model, served
from bench.options import Options
from bench.results import Result, Table, Target, below, say

TURNS_A_CONVERSATION = 10


def run(options: Options) -> Result:
    """Start the guide several times; talk to the last one."""
    model()  # trained before, if need be: training is measured by "pipelines"
    starts: list[dict[str, float]] = []
    with home_of_its_own() as home:
        # One more: the first start in an empty home also fills the directory.
        for number in range(options.starts + 1):
            say(f"serve: start {number} of {options.starts}" + (" (empty home: the directory is filled)" if number == 0 else ""))
            with served(home) as guide:
                starts.append(_first_answer(guide))
                say(f"serve: first answer after {starts[-1]['first_answer']:.1f} s")
                if number == options.starts:
                    before = guide.memory()
                    asyncio.run(_talk(guide.url, options.memory_turns))
                    after = guide.memory()
    data = {"first_start": starts[0], "starts": starts[1:], "memory_before": before, "memory_after": after}
    return Result("serve", options.only("starts", "memory_turns"), data, _tables(data, options), _targets(data))


def _first_answer(guide: Guide) -> dict[str, float]:
    times: dict[str, float] = {}
    while "engine" not in times or "gateway" not in times:
        guide.check()
        if "gateway" not in times and guide.gateway_works():
            times["gateway"] = guide.seconds()
        if "engine" not in times and guide.engine_works():
            times["engine"] = guide.seconds()
        time.sleep(0.05)
    while not asyncio.run(answered(guide.url)):
        guide.check()
        time.sleep(0.05)
    return {**{k: round(v, 2) for k, v in times.items()}, "first_answer": round(guide.seconds(), 2)}


async def answered(url: str) -> bool:
    """Return whether a message that needs all parts (a referral) is answered."""
    async with connect(url) as http:
        person = Person(http)
        try:
            await person.begin()
            return has_referral((await person.say(need_and_place(0)))[1])
        except NotAnswered:
            return False


async def _talk(url: str, turns: int) -> None:
    async with connect(url) as http:
        for number in range(turns):
            if number % TURNS_A_CONVERSATION == 0:
                person = Person(http)
                await person.begin()
            await person.say(need_and_place(number) if number % 2 else FAQ[number % len(FAQ)])


def _tables(data: dict[str, Any], options: Options) -> list[Table]:
    def row(name: str, one: dict[str, float]) -> list[str]:
        return [name, *(f"{one[key]:.1f}" for key in ("gateway", "engine", "first_answer"))]

    rows = [row("first start, empty home", data["first_start"])]
    rows += [row(f"start {number}", one) for number, one in enumerate(data["starts"], 1)]
    median = {key: statistics.median(one[key] for one in data["starts"]) for key in ("gateway", "engine", "first_answer")}
    rows.append(row("median of the starts", median))
    started = Table(
        "Start of `lotse serve` (seconds since the command)",
        ["", "gateway listens", "engine is ready", "first message answered"],
        rows,
        "The message names need and place, so that all three parts must work. The first start also fills the directory.",
    )
    parts = sorted(data["memory_after"])
    rows = [[p, *_memory(data["memory_before"].get(p)), *_memory(data["memory_after"][p])] for p in parts]
    total = [{k: sum(part[k] for part in data[when].values()) for k in ("rss_mb", "pss_mb")} for when in ("memory_before", "memory_after")]
    rows.append(["all", *_memory(total[0]), *_memory(total[1])])
    memory = Table(
        "Memory (MB)",
        ["process", "RSS at start", "PSS at start", f"RSS after {options.memory_turns} turns", f"PSS after {options.memory_turns} turns"],
        rows,
        "PSS divides shared pages among the processes; only PSS may be added up. The runner is honcho with its helpers.",
    )
    return [started, memory]


def _memory(part: dict[str, float] | None) -> list[str]:
    return [f"{part['rss_mb']:.0f}", f"{part['pss_mb']:.0f}"] if part else ["", ""]


def _targets(data: dict[str, Any]) -> list[Target]:
    median = statistics.median(one["first_answer"] for one in data["starts"])
    return [
        below("start to first answer (median)", median, 15, "s"),
        below("start to first answer (first start, empty home)", data["first_start"]["first_answer"], 15, "s"),
    ]
