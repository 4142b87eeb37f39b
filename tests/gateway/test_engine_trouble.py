"""When the engine is down, slow or mad: people get numbers to call, and may send the same message again."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from bot.gateway import engine as engine_module

from .fake_engine import FakeEngine, message
from .support import code, new_id, open_gate

pytestmark = pytest.mark.asyncio

NUMBERS = ("110", "112", "116 016", "116 123", "+49 30 1815-1111")


def answer_with(**changes: object) -> bytes:
    """Return an engine's answer that differs from a good one."""
    good = {"language": "de", "messages": [message("hello")], "intent": None, "confidence": 0.5, "need": None}
    return json.dumps({**good, **changes}).encode()


@pytest.mark.parametrize("mode", ["error", "nonsense", "silent"])
@pytest.mark.parametrize(("language", "sorry"), [("de", "leider nicht antworten"), ("en", "cannot answer")])
async def test_an_engine_that_fails_is_a_503_with_numbers_in_the_language(tmp_path: Path, mode: str, language: str, sorry: str) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin(language)
        gate.engine.mode = mode
        answer = await chat.say("hello")
        assert (answer.status_code, code(answer)) == (503, "engine_unavailable")
        assert answer.headers["Retry-After"]
        (friendly,) = answer.json()["messages"]
        assert friendly["language"] == language
        assert sorry in friendly["text"]
        assert all(number in friendly["text"] for number in NUMBERS)


async def test_a_dead_engine_is_a_503_and_the_same_message_is_processed_when_it_lives_again(tmp_path: Path) -> None:
    engine = FakeEngine().start()
    async with open_gate(tmp_path, engine) as gate:
        chat = await gate.begin("de")
        engine.stop()
        key = new_id()
        answer = await chat.say("hello", key)
        assert (answer.status_code, code(answer)) == (503, "engine_unavailable")
        unanswered = [one for one in await chat.history() if one["author"] == "user"]
        assert [(one["id"], one["state"]) for one in unanswered] == [(key, "unanswered")]
        engine.start()
        again = await chat.say("hello", key)
        assert again.status_code == 200
        assert engine.texts == ["hello"]
        answered = [one for one in await chat.history() if one["author"] == "user"]
        assert [(one["id"], one["state"]) for one in answered] == [(key, "answered")]
    engine.stop()


async def test_a_slow_engine_is_given_up_after_the_timeout(tmp_path: Path) -> None:
    async with open_gate(tmp_path, engine_timeout=1) as gate:
        chat = await gate.begin()
        gate.engine.mode = "slow"
        begun = time.monotonic()
        answer = await chat.say("hello")
        assert answer.status_code == 503
        assert time.monotonic() - begun < 2.5


async def test_a_conversation_that_the_engine_began_too_late_is_answered_all_the_same(tmp_path: Path) -> None:
    async with open_gate(tmp_path, engine_timeout=1) as gate:
        gate.engine.mode = "slow"
        chat = await gate.begin()
        # It has begun the conversation, but the gateway no longer waited for its welcome.
        assert gate.engine.started == {chat.conversation}
        gate.engine.mode = "ok"
        answer = await chat.say("hello")
        assert answer.status_code == 200
        assert "answer" in answer.json()["messages"][0]["text"]


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        answer_with(messages="hello"),
        answer_with(messages=None),
        answer_with(messages=[]),
        answer_with(messages=["hello"]),
        answer_with(messages=[{"language": "de"}]),
        answer_with(messages=[message("\ud800")]),
        answer_with(messages=[{**message("x"), "text": 5}]),
        answer_with(messages=[message("")]),
        answer_with(messages=[message("x", buttons=[{"title": "no payload"}])]),
        answer_with(messages=[message("x", referral={"offices": None})]),
        answer_with(messages=[message("x", referral={"offices": [{"name": None}]})]),
        answer_with(messages=[message("x", referral={"offices": [{"name": "x", "distance_km": float("nan")}]})]),
        answer_with(language="klingon"),
        answer_with(language=None),
        answer_with(language=["de"]),
    ],
)
async def test_nonsense_from_the_engine_is_a_503_and_never_reaches_the_person(tmp_path: Path, nonsense: bytes) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        gate.engine.mode, gate.engine.nonsense = "nonsense", nonsense
        answer = await chat.say("hello")
        assert (answer.status_code, code(answer)) == (503, "engine_unavailable")


async def test_an_answer_without_end_is_given_up(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        gate.engine.mode, gate.engine.nonsense = "nonsense", b" " * (engine_module.ANSWER_LIMIT + 1)
        assert (await chat.say("hello")).status_code == 503


async def test_a_message_without_text_but_with_a_referral_is_an_answer(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        body = answer_with(messages=[{**message("x", referral={"need": "human", "offices": [], "notes": []}), "text": ""}])
        gate.engine.mode, gate.engine.nonsense = "nonsense", body
        answer = await chat.say("hello")
        assert answer.status_code == 200
        assert answer.json()["messages"][0]["referral"]["need"] == "human"


async def test_calls_to_the_engine_are_bounded_and_the_rest_is_told_that_we_are_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "IN_FLIGHT", 2)
    monkeypatch.setattr(engine_module, "QUEUE_SECONDS", 0.1)
    async with open_gate(tmp_path) as gate:
        chats = [await gate.begin() for _ in range(4)]
        gate.engine.delay = 2.0  # far longer than four requests need to arrive, also on a busy machine
        answers = await asyncio.gather(*(chat.say("hello") for chat in chats))
        assert sorted(answer.status_code for answer in answers) == [200, 200, 503, 503]
        assert gate.engine.most_at_once == 2
        busy = next(answer for answer in answers if answer.status_code == 503)
        assert code(busy) == "busy"
        assert all(number in busy.json()["messages"][0]["text"] for number in NUMBERS)
        gate.engine.delay = 0.0
        # The places are free again, and what was refused can be sent again.
        assert (await chats[-1].say("hello")).status_code == 200


async def test_a_proxy_of_the_environment_never_sees_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        assert (await chat.say("hello")).status_code == 200
