"""Sending messages: once each, one at a time, and only with buttons that were offered."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from .fake_engine import REFERRAL
from .support import code, new_id, open_gate

pytestmark = pytest.mark.asyncio


async def test_a_text_is_passed_on_and_answered(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        answer = await chat.say("hello")
        assert answer.status_code == 200
        assert list(answer.json()) == ["messages"]
        (message,) = answer.json()["messages"]
        assert (message["author"], message["text"], message["buttons"]) == ("bot", "answer 2 to hello", [])
        assert message["referral"] is None


async def test_a_referral_arrives_as_the_engine_sent_it(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        answer = await chat.say("Krankenschwester, Dortmund")
        assert answer.json()["messages"][1]["referral"] == REFERRAL


async def test_a_text_that_begins_with_a_slash_is_text(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        await chat.say("/restart")
        assert gate.engine.asked[-1]["text"] == "/restart"
        assert "payload" not in gate.engine.asked[-1]


async def test_the_same_id_is_answered_with_the_stored_answer_and_processed_once(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        key = new_id()
        first = await chat.say("hello", key)
        again = await chat.say("hello", key)
        upper = await chat.say("hello", key.upper())
        assert first.json() == again.json() == upper.json()
        assert gate.engine.texts == ["hello"]
        assert len([one for one in await chat.history() if one["author"] == "user"]) == 1


async def test_the_same_id_in_another_conversation_is_another_message(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        key = new_id()
        for _ in range(2):
            await (await gate.begin()).say("hello", key)
        assert gate.engine.texts == ["hello", "hello"]


async def test_two_requests_with_the_same_id_at_the_same_time_are_processed_once(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        gate.engine.delay = 0.2
        key = new_id()
        answers = await asyncio.gather(*(chat.say("hello", key) for _ in range(4)))
        assert [answer.status_code for answer in answers] == [200] * 4
        assert len({answer.text for answer in answers}) == 1
        assert gate.engine.texts == ["hello"]


async def test_a_conversation_has_one_message_at_a_time(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        gate.engine.delay = 0.1
        answers = await asyncio.gather(*(chat.say(f"message {number}") for number in range(4)))
        assert [answer.status_code for answer in answers] == [200] * 4
        assert gate.engine.most_at_once == 1


async def test_different_conversations_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chats = [await gate.begin() for _ in range(3)]
        gate.engine.delay = 1.0
        await asyncio.gather(*(chat.say("hello") for chat in chats))
        assert gate.engine.most_at_once == 3


async def test_who_waits_too_long_for_the_message_before_is_told_to_come_back(tmp_path: Path) -> None:
    async with open_gate(tmp_path, engine_timeout=1) as gate:
        chat = await gate.begin()
        # As another web process would do it.
        assert gate.services.store.claim(chat.conversation, gate.clock(), 60)
        answer = await chat.say("hello")
        assert (answer.status_code, code(answer)) == (409, "in_progress")
        assert int(answer.headers["Retry-After"]) > 0
        assert gate.engine.texts == []


async def test_a_claim_of_a_process_that_died_frees_itself(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        key = new_id()
        assert gate.services.store.claim(chat.conversation, gate.clock(), 60)
        gate.services.store.begin_turn(chat.conversation, key, "text", "hello", gate.clock())
        gate.clock.forward(seconds=61)
        assert (await chat.say("hello", key)).status_code == 200
        assert gate.engine.texts == ["hello"]


async def test_a_button_sends_its_payload_and_shows_its_title(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin("de")
        button = chat.opening["messages"][1]["buttons"][0]
        assert set(button) == {"id", "title"}
        answer = await chat.press(button["id"])
        assert answer.status_code == 200
        assert gate.engine.asked[-1]["payload"] == "/recognition"
        assert "text" not in gate.engine.asked[-1]
        mine = [one for one in await chat.history() if one["author"] == "user"]
        assert [one["text"] for one in mine] == ["Anerkennung"]


async def test_a_payload_is_never_told_to_the_client(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin("de")
        assert "/recognition" not in str(chat.opening)
        assert "/recognition" not in (await chat.call("GET", "messages")).text


@pytest.mark.parametrize("button", ["/recognition", "nope", "", "\ud800", "a" * 500, "\u0000", "Anerkennung"])
async def test_a_button_that_was_not_offered_is_refused(tmp_path: Path, button: str) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        answer = await chat.press(button)
        assert (answer.status_code, code(answer)) == (400, "unknown_button")
        assert len(gate.engine.asked) == 1


async def test_a_button_of_another_conversation_is_refused(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        mine, other = await gate.begin(), await gate.begin()
        answer = await mine.press(other.opening["messages"][1]["buttons"][0]["id"])
        assert (answer.status_code, code(answer)) == (400, "unknown_button")


async def test_the_conversation_so_far_shows_both_sides_in_their_order(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        key = new_id()
        answer = await chat.say("hello", key)
        history = await chat.history()
        assert [one["author"] for one in history] == ["bot", "bot", "user", "bot"]
        assert history[:2] == chat.opening["messages"]
        assert history[3:] == answer.json()["messages"]
        assert (history[2]["id"], history[2]["text"], history[2]["state"]) == (key, "hello", "answered")


async def test_messages_keep_a_conversation_alive(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        for number in range(4):
            gate.clock.forward(minutes=25)
            assert (await chat.say(f"message {number}")).status_code == 200
