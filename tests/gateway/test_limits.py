"""Rate limits and who is counted under which key."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from bot.settings import SettingsError
from bot.web.clients import Clients
from bot.web.limits import LIMITS, Limits

from .fake_engine import free_port
from .support import code, open_gate

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)


def scope(address: str | None, *forwarded: str) -> dict[str, Any]:
    """Return what a server knows of a caller."""
    headers = [(b"x-forwarded-for", one.encode("latin-1")) for one in forwarded]
    return {"type": "http", "client": None if address is None else (address, 1), "headers": headers}


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Run a Redis and return its address."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    port = free_port()
    process = subprocess.Popen([program, "--port", str(port), "--save", "", "--dir", str(folder)], stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.asyncio
async def test_a_conversation_may_send_twenty_messages_a_minute(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat, other = await gate.begin("en"), await gate.begin("de")
        for number in range(20):
            assert (await chat.say(f"message {number}")).status_code == 200
        answer = await chat.say("one too many")
        assert (answer.status_code, code(answer)) == (429, "rate_limited")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert answer.json()["error"]["message"].startswith("That was a great many requests")
        assert "one too many" not in gate.engine.texts
        assert (await other.say("hello")).status_code == 200


@pytest.mark.asyncio
async def test_an_address_may_send_a_hundred_and_twenty_messages_a_minute(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        key = gate.services.clients.key(scope("203.0.113.7"), gate.clock())
        for _ in range(120):
            await gate.services.limits.retry_after("messages", key)
        chat = await gate.begin("en", **{"Accept-Language": "de"})
        answer = await chat.say("hello")
        assert (answer.status_code, code(answer)) == (429, "rate_limited")
        # In the language of the session, not of the browser.
        assert answer.json()["error"]["message"].startswith("That was")


@pytest.mark.asyncio
async def test_who_guesses_tokens_is_counted_too(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        # A place gets free every half second, so a slow machine needs a few calls more.
        statuses = [(await gate.http.post("/api/chat/messages")).status_code for _ in range(180)]
        assert set(statuses[:120]) == {401}
        assert 429 in statuses


@pytest.mark.asyncio
@pytest.mark.parametrize(("language", "begin"), [("de", "Das waren"), ("en", "That was")])
async def test_an_address_may_begin_thirty_conversations_in_ten_minutes(tmp_path: Path, language: str, begin: str) -> None:
    async with open_gate(tmp_path) as gate:
        for _ in range(30):
            await gate.begin()
        answer = await gate.http.post("/api/chat/sessions", json={"language": language})
        assert (answer.status_code, code(answer)) == (429, "rate_limited")
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.json()["error"]["message"].startswith(begin)


@pytest.mark.asyncio
async def test_a_limit_tells_the_moment_of_the_next_free_place() -> None:
    limits = Limits(None)
    for _ in range(20):
        assert await limits.retry_after("conversation_messages", "x") == 0
    assert 1 <= await limits.retry_after("conversation_messages", "x") <= 3


@pytest.mark.asyncio
async def test_many_other_callers_do_not_push_a_counter_out() -> None:
    limits = Limits(None)
    for _ in range(30):
        await limits.retry_after("sessions", "attacker")
    for number in range(3000):
        await limits.retry_after("sessions", f"other {number}")
    assert await limits.retry_after("sessions", "attacker") > 0


@pytest.mark.asyncio
async def test_two_processes_share_their_counters_in_redis(tmp_path: Path) -> None:
    with redis_server(tmp_path) as url:
        one, two = Limits(url), Limits(url)
        for number in range(20):
            assert await (one if number % 2 else two).retry_after("conversation_messages", "x") == 0
        assert await one.retry_after("conversation_messages", "x") > 0
        assert await two.retry_after("conversation_messages", "x") > 0


@pytest.mark.asyncio
async def test_without_its_redis_a_process_counts_for_itself() -> None:
    limits = Limits(f"redis://127.0.0.1:{free_port()}/0")
    answers = [await limits.retry_after("conversation_messages", "x") for _ in range(21)]
    assert answers[:20] == [0] * 20
    assert answers[20] > 0


def test_the_limits_are_those_that_were_agreed() -> None:
    agreed = {"conversation_messages": (20, 60), "messages": (120, 60), "sessions": (30, 600)}
    for name, (calls, seconds) in agreed.items():
        assert (LIMITS[name].get_limit(), LIMITS[name].get_period_sec()) == (calls, seconds)


def test_callers_of_one_ipv6_network_are_counted_together() -> None:
    clients = Clients((), "secret")
    first = clients.key(scope("2001:db8:1:2::1"), NOON)
    assert first == clients.key(scope("2001:db8:1:2:ffff::9"), NOON)
    assert first != clients.key(scope("2001:db8:1:3::1"), NOON)


def test_an_ipv4_address_is_the_same_in_its_ipv6_form() -> None:
    clients = Clients((), "secret")
    assert clients.key(scope("203.0.113.7"), NOON) == clients.key(scope("::ffff:203.0.113.7"), NOON)
    assert clients.key(scope("203.0.113.7"), NOON) != clients.key(scope("203.0.113.8"), NOON)


def test_the_key_of_an_address_changes_every_day_and_with_the_secret() -> None:
    clients = Clients((), "secret")
    key = clients.key(scope("203.0.113.7"), NOON)
    assert key == clients.key(scope("203.0.113.7"), NOON + timedelta(hours=11))
    assert key != clients.key(scope("203.0.113.7"), NOON + timedelta(hours=12))
    assert key != Clients((), "another secret").key(scope("203.0.113.7"), NOON)


def test_a_claimed_address_counts_only_from_a_trusted_proxy() -> None:
    clients = Clients(("10.0.0.0/8", "192.0.2.1"), "secret")
    real = clients.key(scope("203.0.113.7"), NOON)
    stranger = clients.key(scope("198.51.100.1"), NOON)
    assert clients.key(scope("198.51.100.1", "203.0.113.7"), NOON) == stranger
    assert clients.key(scope("192.0.2.1", "203.0.113.7"), NOON) == real
    assert clients.key(scope("10.1.2.3", "203.0.113.7, 10.9.9.9"), NOON) == real
    assert clients.key(scope("10.1.2.3", "1.1.1.1", "203.0.113.7"), NOON) == real
    assert clients.key(scope("10.1.2.3", "9.9.9.9, 203.0.113.7:4711"), NOON) == real


def test_what_the_client_itself_puts_before_the_proxy_does_not_count() -> None:
    clients = Clients(("192.0.2.1",), "secret")
    keys = {clients.key(scope("192.0.2.1", f"{number}.1.1.1, 203.0.113.7"), NOON) for number in range(1, 9)}
    assert len(keys) == 1


@pytest.mark.parametrize("forwarded", ["", "unknown", "nonsense, ,", "é", "999.1.1.1"])
def test_a_forwarded_header_without_sense_counts_as_the_proxy(forwarded: str) -> None:
    clients = Clients(("192.0.2.1",), "secret")
    assert clients.key(scope("192.0.2.1", forwarded), NOON) == clients.key(scope("192.0.2.1"), NOON)


def test_a_unix_socket_is_trusted_only_if_named() -> None:
    named, unnamed = Clients(("unix",), "secret"), Clients((), "secret")
    assert named.key(scope(None, "203.0.113.7"), NOON) == named.key(scope("203.0.113.7"), NOON)
    assert unnamed.key(scope(None, "203.0.113.7"), NOON) == unnamed.key(scope(None), NOON)


def test_a_proxy_that_is_no_address_is_named_in_the_error() -> None:
    with pytest.raises(SettingsError, match="LOTSE_TRUSTED_PROXIES.*proxy.example"):
        Clients(("proxy.example",), "secret")
