"""``review``: how long the inbox takes among a million conversations: the list, each filter, the search.

The queries are asked as the page asks them (the rows, what is urgent, the numbers on the tabs), each in a session of its
own; some addresses are also asked of the running application over HTTP.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.orm import Session

from bench.guide import GuideFailed, home_of_its_own
from bench.options import Options
from bench.results import Result, Table, Target, below, say, spread
from bench.review_cases import FILTER, LIST, SEARCH, TOGETHER, Case, Known, cases
from bot.review.app import MOUNTED_AT, create_standalone
from bot.review.guards import COOKIE
from bot.settings import settings
from bot.transcripts import database, inbox, labels, staff_sessions
from bot.transcripts.generator import generate
from bot.transcripts.inbox import InboxFilter
from bot.transcripts.record_models import Transcript, TranscriptOffice
from bot.transcripts.staff_models import REVIEWER, Staff
from bot.transcripts.staff_sessions import SignedIn
from bot.web import logs

DATABASES = ("sqlite", "postgresql")
# Milliseconds that a case may take (95th percentile).
LIMITS = {"sqlite": 1000, "postgresql": 300}
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
DAYS = 365
SEED = 11
_TITLES = {LIST: "the list", FILTER: "a filter", SEARCH: "the search", TOGETHER: "several at once (no target)"}
_ADDRESSES = ("", "?tab=all&language=ro", "?need=recognition&state=DE-NW", "?crisis=1", "?tab=all&q=zeugnis", "?tab=all&q=ich+muss")


def run(options: Options) -> Result:
    """Generate the conversations in a folder of their own, and measure.

    Raises:
        GuideFailed: if no PostgreSQL server can be started here, or the application does not answer.
    """
    kind = options.database
    with home_of_its_own(), _database(kind) as url:
        staff_ids = _fill(url, options)
        size = _size(url)
        known = _known(url, staff_ids)
        with database.session(url) as session:
            places = _places(session)
        # The first questions after filling find nothing in memory.
        _measure(url, _cases()[0], known, places, options.repeats)
        measured = [(case, _measure(url, case, known, places, options.repeats)) for case in _cases()]
        pages = _pages(url, staff_ids[0], options.repeats)
        database.engine(url).dispose()
    result = _result(options, kind, measured, pages)
    result.data["size_mb"] = size
    return result


def _cases() -> list[Case]:
    first, middle = NOW - timedelta(days=DAYS - 10), NOW - timedelta(days=DAYS // 2)
    return cases(first.date().isoformat(), middle.date().isoformat())


@contextmanager
def _database(kind: str) -> Iterator[str]:
    """Give an empty database, and take it away at the end."""
    if kind == "sqlite":
        yield settings().transcripts_url
        return
    from tests.postgres import NoPostgresError, postgres_cluster

    try:
        with postgres_cluster() as url:
            os.environ["LOTSE_TRANSCRIPTS_URL"] = url
            settings.cache_clear()
            yield url
    except NoPostgresError as error:
        raise GuideFailed(str(error)) from error


def _fill(url: str, options: Options) -> list[int]:
    """Generate the conversations; return the ids of those who review them."""
    database.upgrade(url)
    with database.session(url) as session:
        people = [_person(number) for number in range(6)]
        session.add_all(people)
        session.flush()
        ids = [one.id for one in people]
    begun, step = time.monotonic(), max(5_000, options.count // 20)
    say(f"review: generating {options.count:,} conversations in {options.database}")
    generate(
        url,
        options.count,
        SEED,
        now=NOW,
        days=DAYS,
        staff_ids=ids,
        progress=lambda done: say(f"review: {done:,} conversations") if done % step < 5_000 else None,
    )
    say(f"review: generated in {time.monotonic() - begun:.0f} s")
    if options.database == "postgresql":
        # What the server does by itself a little later.
        with create_engine(url, isolation_level="AUTOCOMMIT", future=True).connect() as connection:
            connection.execute(text("VACUUM ANALYZE"))
    return ids


def _person(number: int) -> Staff:
    return Staff(
        email=f"person{number}@example.org",
        name=f"Person {number}",
        password_hash="-",
        roles=REVIEWER,
        states="",
        language="de",
        totp_secret=b"-",
        totp_confirmed_at=NOW,
        created_at=NOW,
    )


def _size(url: str) -> int:
    """Return the size of the database in megabytes."""
    if url.startswith("sqlite"):
        return Path(url.removeprefix("sqlite:///")).stat().st_size // 10**6
    with database.session(url) as session:
        return int(session.scalar(text("SELECT pg_database_size(current_database())")) or 0) // 10**6


def _known(url: str, staff_ids: list[int]) -> Known:
    with database.session(url) as session:
        frequent = (
            select(TranscriptOffice.office_id)
            .group_by(TranscriptOffice.office_id)
            .order_by(func.count().desc(), TranscriptOffice.office_id)
        )
        offices = tuple(session.scalars(frequent))
        return Known({one.name: one.id for one in labels.all_labels(session)}, tuple(staff_ids), offices)


def _places(session: Session) -> list[str]:
    """Return places all over the list, from which pages are asked for."""
    last = session.scalar(select(func.max(Transcript.id))) or 1
    ids = random.Random(SEED).sample(range(1, last + 1), min(200, last))
    rows = session.execute(select(Transcript.id, Transcript.last_activity_at).where(Transcript.id.in_(ids)))
    return [inbox.cursor_of(direction, (row.id, row.last_activity_at)) for row in rows for direction in ("older", "newer")]


def _signed_in(staff_id: int, states: tuple[str, ...]) -> SignedIn:
    return SignedIn(staff_id, "-", "-", frozenset({REVIEWER}), states, "de", False, True, True, "-", "-")


def _measure(url: str, case: Case, known: Known, places: list[str], repeats: int) -> dict[str, list[float]]:
    """Return milliseconds of the rows, of everything on the page, and of work (client and server) for it."""
    chance = random.Random(SEED)
    who = _signed_in(known.staff_ids[0], case.states)
    times: dict[str, list[float]] = {"rows": [], "all": [], "cpu": []}
    for number in range(max(repeats, len(case.queries))):
        asked = InboxFilter.from_query(known.fill(case.queries[number % len(case.queries)]))
        # Each question first from the top; then from anywhere.
        cursor = chance.choice(places) if case.deep and number >= len(case.queries) else ""
        with database.session(url) as session:
            work = _work(session)
            begun = time.perf_counter()
            page = inbox.page(session, who, asked, cursor)
            rows = time.perf_counter()
            if page.newer is None:
                inbox.urgent(session, who, asked)
            inbox.counts(session, who, asked)
            ended = time.perf_counter()
            times["cpu"].append((_work(session) - work) * 1000)
        times["rows"].append((rows - begun) * 1000)
        times["all"].append((ended - begun) * 1000)
    done = spread(times["all"])
    say(f"review: {case.group}, {case.name}: p50 {done['p50']:.0f}, p95 {done['p95']:.0f}, work p95 {spread(times['cpu'])['p95']:.0f} ms")
    return times


def _work(session: Session) -> float:
    """Return the seconds that this process, and the server's process of the session, have computed so far."""
    own = time.process_time()
    if session.get_bind().dialect.name != "postgresql":
        return own
    backend = session.connection().connection.get_backend_pid()
    try:
        return own + int(Path(f"/proc/{backend}/schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return own


def _pages(url: str, staff_id: int, repeats: int) -> dict[str, list[float]]:
    """Ask the running application for its page; return milliseconds by address."""
    with database.session(url) as session:
        token = staff_sessions.begin(session, staff_id, "bench", True, datetime.now(timezone.utc))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = create_standalone()
    logging.getLogger(logs.ACCESS).setLevel(logging.WARNING)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}{MOUNTED_AT}", cookies={COOKIE: token}, timeout=60) as client:
            _wait(client)
            return {address: [_page(client, address) for _ in range(min(repeats, 20))] for address in _ADDRESSES}
    finally:
        server.should_exit = True
        thread.join(timeout=20)


def _wait(client: httpx.Client) -> None:
    for _ in range(100):
        try:
            client.get("/login")
            return
        except httpx.TransportError:
            time.sleep(0.2)
    raise GuideFailed("The review does not answer.")


def _page(client: httpx.Client, address: str) -> float:
    begun = time.perf_counter()
    answer = client.get(f"/conversations{address}")
    took = (time.perf_counter() - begun) * 1000
    if answer.status_code != 200 or "<table" not in answer.text:
        raise GuideFailed(f"/conversations{address} answers {answer.status_code} without a list.")
    return took


def _result(options: Options, kind: str, measured: list[tuple[Case, dict[str, list[float]]]], pages: dict[str, list[float]]) -> Result:
    data: dict[str, Any] = {"cases": {}, "pages": {address: spread(times) for address, times in pages.items()}}
    rows = []
    for case, times in measured:
        one = {name: spread(values) for name, values in times.items()}
        data["cases"][f"{case.group}: {case.name}"] = one
        rows.append(
            [
                _TITLES[case.group],
                case.name,
                str(one["all"]["n"]),
                *(f"{one['rows'][key]:.0f}" for key in ("p50", "p95")),
                *(f"{one['all'][key]:.0f}" for key in ("p50", "p95", "max")),
                f"{one['cpu']['p95']:.0f}",
            ]
        )
    columns = ["", "asked for", "number", "rows p50", "rows p95", "p50", "p95", "max", "computing p95"]
    note = (
        f"Milliseconds. {options.count:,} made-up conversations of {DAYS} days, seed {SEED}. Rows: a page of {inbox.PAGE} with its needs, "
        "labels and first words. The next three: rows, what is urgent, and the numbers on the tabs, as the page takes them. Computing: "
        "what client and server worked for it, without waiting for a processor that others have. Each filter under new and under all, "
        "from the top and from places anywhere in the list."
    )
    tables = [
        Table(f"The inbox on {kind}", columns, rows, note),
        Table(
            f"The page over HTTP on {kind}",
            ["address", "number", "p50", "p95", "max"],
            [
                [f"`/conversations{address}`", str(one["n"]), *(f"{one[key]:.0f}" for key in ("p50", "p95", "max"))]
                for address, one in data["pages"].items()
            ],
            "Milliseconds, one client, the web process and the client in one process.",
        ),
    ]
    return Result(f"review{kind}", options.only("count", "database", "repeats"), data, tables, _targets(kind, measured))


def _targets(kind: str, measured: list[tuple[Case, dict[str, list[float]]]]) -> list[Target]:
    found = []
    for group in (LIST, FILTER, SEARCH):
        worst = max((spread(times["all"])["p95"], case.name) for case, times in measured if case.group == group)
        found.append(below(f"{_TITLES[group]}, {kind}, p95 of the slowest case ({worst[1]})", worst[0], LIMITS[kind], "ms"))
    return found
