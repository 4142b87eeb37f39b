"""``turns``: how long a turn takes over the gateway's API, alone and with 20 people at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import httpx

from bench.client import FAQ, NEED_ONLY, TOWNS, NotAnswered, Person, connect, has_referral, need_and_place
from bench.guide import home_of_its_own, in_parts
from bench.options import Options
from bench.results import Result, Table, below, say, spread

WARM_UP = 10
FAQ_A_CONVERSATION = 10
NOTE = (
    "Milliseconds as an HTTP client on the same machine sees them (httpx, kept connections); its own time is in them. "
    "The limits for a conversation are widened in the web process of the benchmark (`bench/web.py`)."
)


def run(options: Options) -> Result:
    """Measure all kinds of turns."""
    with home_of_its_own() as home, in_parts(home) as guide:
        say(f"turns: the guide runs after {guide.seconds():.0f} s")
        data = asyncio.run(_measure(guide.url, options))
    tables = [_single(data["single"]), _together(data["together"], options)]
    directory = data["single"]["need and place: offices"]["p50"]
    targets = [below("directory turn at the gateway, p50", directory, 20, "ms")]
    return Result("turns", options.only("turns", "clients", "client_turns"), data, tables, targets)


async def _measure(url: str, options: Options) -> dict[str, Any]:
    async with connect(url) as http:
        await _directory(http, WARM_UP)
        await _faq(http, WARM_UP)
        single: dict[str, Any] = {"no engine (robots.txt)": spread(await _bare(http, options.turns))}
        say("turns: questions with a fixed answer, one client")
        single["question with a fixed answer (no custom action)"] = spread(await _faq(http, options.turns))
        say("turns: need and place, one client")
        begun, directory = await _directory(http, options.turns)
        single["beginning of a conversation"] = spread(begun)
        single["need and place: offices"] = spread(directory)
        say("turns: question and answer, one client")
        asked, answered = await _exchange(http, options.turns // 2)
        single["need without place: the guide asks"] = spread(asked)
        single["place as the answer: offices"] = spread(answered)
        say(f"turns: {options.clients} clients at once, {options.client_turns} turns each")
        return {"single": single, "together": await _together_turns(http, options)}


async def _bare(http: httpx.AsyncClient, count: int) -> list[float]:
    """Time a page that needs no engine: what client, connection and gateway cost alone."""
    times = []
    for number in range(count):
        began = time.perf_counter()
        await http.get("/robots.txt", headers={"X-Forwarded-For": f"10.255.{number >> 8 & 255}.{number & 255}"})
        times.append((time.perf_counter() - began) * 1000)
    return times


async def _faq(http: httpx.AsyncClient, count: int) -> list[float]:
    times = []
    for number in range(count):
        if number % FAQ_A_CONVERSATION == 0:
            person = Person(http)
            await person.begin()
        milliseconds, answer = await person.say(FAQ[number % len(FAQ)])
        if has_referral(answer):
            raise NotAnswered(f"The question {FAQ[number % len(FAQ)]!r} led to offices; it must have a fixed answer.")
        times.append(milliseconds)
    return times


async def _directory(http: httpx.AsyncClient, count: int) -> tuple[list[float], list[float]]:
    begun, times = [], []
    for number in range(count):
        person = Person(http)
        begun.append(await person.begin())
        milliseconds, answer = await person.say(need_and_place(number))
        if not has_referral(answer):
            raise NotAnswered(f"The message {need_and_place(number)!r} led to no offices.")
        times.append(milliseconds)
    return begun, times


async def _exchange(http: httpx.AsyncClient, count: int) -> tuple[list[float], list[float]]:
    asked, answered = [], []
    for number in range(count):
        person = Person(http)
        await person.begin()
        milliseconds, question = await person.say(NEED_ONLY)
        asked.append(milliseconds)
        milliseconds, answer = await person.say(TOWNS[number % len(TOWNS)])
        answered.append(milliseconds)
        if has_referral(question) or not has_referral(answer):
            raise NotAnswered(f"{NEED_ONLY!r} must lead to a question, {TOWNS[number % len(TOWNS)]!r} to offices.")
    return asked, answered


async def _together_turns(http: httpx.AsyncClient, options: Options) -> dict[str, Any]:
    times: dict[str, list[float]] = {"question": [], "offices": []}
    failed: Counter[str] = Counter()

    async def chat(number: int) -> None:
        person = Person(http)
        await person.begin()
        for turn in range(options.client_turns):
            kind = "offices" if turn % 2 else "question"
            try:
                milliseconds, _ = await person.say(need_and_place(number + turn) if turn % 2 else FAQ[turn % len(FAQ)])
                times[kind].append(milliseconds)
            except NotAnswered as error:
                failed[str(error)] += 1

    began = time.perf_counter()
    outcomes = await asyncio.gather(*(chat(n) for n in range(options.clients)), return_exceptions=True)
    seconds = time.perf_counter() - began
    failed.update(str(outcome) or type(outcome).__name__ for outcome in outcomes if isinstance(outcome, BaseException))
    done = sum(map(len, times.values()))
    return {
        **{kind: spread(values) for kind, values in times.items()},
        "turns": done,
        "seconds": round(seconds, 2),
        "turns_a_second": round(done / seconds, 1),
        "failed": dict(failed),
    }


def _row(name: str, one: dict[str, float]) -> list[str]:
    return [name, str(one["n"]), *(f"{one[key]:.1f}" for key in ("p50", "p95", "max"))]


def _single(data: dict[str, Any]) -> Table:
    rows = [_row(name, one) for name, one in data.items()]
    return Table("Turns, one client", ["turn", "number", "p50", "p95", "max"], rows, NOTE)


def _together(data: dict[str, Any], options: Options) -> Table:
    rows = [_row("question with a fixed answer", data["question"]), _row("need and place: offices", data["offices"])]
    failed = sum(data["failed"].values())
    note = (
        f"{data['turns']} turns in {data['seconds']:.1f} s: **{data['turns_a_second']:.1f} turns a second**, {failed} failed"
        + (f" ({data['failed']})" if failed else "")
        + ". Nobody pauses to read or type; the clients use the same cores as the guide."
    )
    title = f"{options.clients} clients at once, {options.client_turns} turns each in one conversation"
    return Table(title, ["turn", "number", "p50", "p95", "max"], rows, note)
