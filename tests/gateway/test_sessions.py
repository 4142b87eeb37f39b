"""Beginning, changing and ending a conversation."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.gateway.tokens import Tokens
from bot.transcripts import database
from bot.transcripts.models import Base

from .fake_engine import FakeEngine
from .support import code, new_id, open_gate

pytestmark = pytest.mark.asyncio


async def test_a_conversation_begins_with_the_welcome_of_the_engine(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin("de")
        assert set(chat.opening) == {"token", "language", "messages"}
        first = chat.opening["messages"][0]
        assert set(first) == {"id", "author", "text", "language", "buttons", "referral"}
        assert first["author"] == "bot"
        assert "Maschine" in first["text"]
        assert gate.engine.asked == [{"conversation": chat.conversation, "channel": "web", "language": "de", "start": True}]


async def test_the_engine_gets_the_key_of_the_engine(tmp_path: Path) -> None:
    from bot.dialogue.engine_key import engine_key

    async with open_gate(tmp_path) as gate:
        await gate.begin()
        assert gate.engine.keys == [f"Bearer {engine_key('a secret for tests')}"]


@pytest.mark.parametrize("language", ["de", "en"])
async def test_without_the_engine_the_gateway_itself_says_what_it_is(tmp_path: Path, language: str) -> None:
    async with open_gate(tmp_path) as gate:
        gate.engine.mode = "error"
        chat = await gate.begin(language)
        first, second = chat.opening["messages"]
        assert ("Maschine" if language == "de" else "machine") in first["text"]
        assert "Testbetreiber gGmbH" in first["text"]
        assert "Ausländerbehörde" in first["text"]
        assert first["language"] == language
        for number in ("110", "112", "116 016", "116 123", "+49 30 1815-1111"):
            assert number in second["text"]


async def test_an_engine_that_says_nothing_at_the_beginning_is_not_trusted_with_the_welcome(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        gate.engine.mode = "silent"
        chat = await gate.begin("de")
        assert "Testbetreiber gGmbH" in chat.opening["messages"][0]["text"]


async def test_a_conversation_that_began_without_the_engine_is_started_there_before_its_first_message(
    tmp_path: Path,
) -> None:
    async with open_gate(tmp_path) as gate:
        gate.engine.mode = "error"
        chat = await gate.begin("en")
        gate.engine.reset()
        answer = await chat.say("hello")
        assert [message["text"] for message in answer.json()["messages"]] == ["answer 2 to hello"]
        assert [list(body)[-1] for body in gate.engine.asked] == ["start", "text"]


@pytest.mark.parametrize(
    ("wanted", "header", "language"),
    [
        ("en", "de", "en"),
        (None, "en-GB,en;q=0.9,de;q=0.8", "en"),
        (None, "it;q=0.9, de;q=0.2, en;q=0.5", "en"),
        (None, "zh-CN", "de"),
        (None, "en;q=0, de;q=0.1", "de"),
        (None, "", "de"),
        (None, ";;;q=x,,en;q=,\x00", "de"),
        ("xx", "en", "en"),
        ("it", "en", "en"),  # not one of the eleven
    ],
)
async def test_the_language_is_the_wanted_one_or_else_the_browsers_best(
    tmp_path: Path, wanted: str | None, header: str, language: str
) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin(wanted, **{"Accept-Language": header})
        assert chat.opening["language"] == language
        assert gate.engine.asked[0]["language"] == language


async def test_only_a_chosen_language_is_passed_on_with_a_message(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        guessed = await gate.begin(None, **{"Accept-Language": "en"})
        await guessed.say("hello")
        assert gate.engine.asked[-1]["language"] is None
        chosen = await gate.begin("en")
        await chosen.say("hello")
        assert gate.engine.asked[-1]["language"] == "en"


async def test_a_language_that_the_engine_changes_by_itself_is_kept(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin("de")
        await chat.say("English please")
        assert (await chat.call("GET", "messages")).json()["language"] == "en"
        await chat.say("hello")
        assert gate.engine.asked[-1]["language"] == "en"


async def test_the_language_can_be_changed_and_the_engine_answers_in_it(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin("de")
        answer = await chat.call("PATCH", "sessions/current", json={"language": "en"})
        assert answer.status_code == 200
        assert answer.json()["language"] == "en"
        assert answer.json()["messages"][0]["text"] == "We speak English now."
        assert (await chat.history())[-1]["text"] == "We speak English now."


async def test_the_language_can_be_changed_while_the_engine_is_down(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin("de")
        gate.engine.mode = "error"
        answer = await chat.call("PATCH", "sessions/current", json={"language": "en"})
        assert (answer.status_code, answer.json()["messages"]) == (200, [])
        assert "Please try again" in (await chat.say("hello")).json()["messages"][0]["text"]


async def test_consent_to_the_review_can_be_given_and_taken_back(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        for consent in (True, False):
            answer = await chat.call("PATCH", "sessions/current", json={"consent_to_review": consent})
            assert answer.json()["consent_to_review"] is consent
            found = gate.services.store.find(chat.conversation, gate.clock())
            assert found is not None
            assert found.consent_to_review is consent


async def test_nobody_consents_without_saying_so(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        found = gate.services.store.find(chat.conversation, gate.clock())
        assert found is not None
        assert not found.consent_to_review


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "invalid_request"),
        ({"language": "it"}, "unsupported_language"),
        ({"language": ["de"]}, "unsupported_language"),
        ({"consent_to_review": "yes"}, "invalid_request"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused(tmp_path: Path, body: dict[str, object], expected: str) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        answer = await chat.call("PATCH", "sessions/current", json=body)
        assert (answer.status_code, code(answer)) == (400, expected)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic abc", "Bearer " + "a" * 5000, "Bearer é"])
async def test_a_call_without_a_token_that_we_signed_is_unauthorized(tmp_path: Path, header: str) -> None:
    async with open_gate(tmp_path) as gate:
        answer = await gate.http.get("/api/chat/messages", headers={"Authorization": header.encode("latin-1")})
        assert (answer.status_code, code(answer)) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_token_signed_with_another_key_is_unauthorized(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        chat.token = Tokens(b"another key").issue("0" * 32)
        assert code(await chat.call("GET", "messages")) == "unauthorized"


async def test_a_conversation_ends_when_nothing_is_written_for_half_an_hour(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        gate.clock.forward(minutes=29)
        assert (await chat.say("hello")).status_code == 200
        gate.clock.forward(minutes=29)
        assert (await chat.call("GET", "messages")).status_code == 200
        gate.clock.forward(minutes=1)
        answer = await chat.say("hello")
        assert (answer.status_code, code(answer)) == (401, "session_ended")


async def test_a_conversation_ends_after_twelve_hours_in_any_case(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        for _ in range(36):
            gate.clock.forward(minutes=19, seconds=50)
            assert (await chat.call("PATCH", "sessions/current", json={"consent_to_review": True})).status_code == 200
        gate.clock.forward(minutes=10)
        assert code(await chat.say("hello")) == "session_ended"


async def test_deleting_removes_every_row_and_has_the_engine_delete_as_well(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        answer = await chat.say("ich wohne in Dortmund")
        message = answer.json()["messages"][0]["id"]
        await chat.call("POST", "feedback", json={"message_id": message, "helpful": True})
        deleted = await chat.call("DELETE", "sessions/current")
        assert (deleted.status_code, deleted.content) == (204, b"")
        assert gate.engine.deleted == [chat.conversation]
        with database.engine(gate.services.store.url).connect() as connection:
            for table in Base.metadata.sorted_tables:
                assert connection.execute(table.select()).all() == [], table.name


async def test_the_token_of_a_deleted_conversation_is_told_that_it_ended(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        await chat.call("DELETE", "sessions/current")
        for method, path in (("GET", "messages"), ("POST", "messages"), ("DELETE", "sessions/current")):
            answer = await chat.call(method, path, json={"id": new_id(), "text": "x"})
            assert (answer.status_code, code(answer)) == (401, "session_ended")


async def test_what_the_engine_could_not_delete_is_tried_again(tmp_path: Path) -> None:
    engine = FakeEngine().start()
    async with open_gate(tmp_path, engine) as gate:
        chat = await gate.begin()
        engine.stop()
        assert (await chat.call("DELETE", "sessions/current")).status_code == 204
        await gate.services.tidy_up()
        assert gate.services.store.pending_deletions() == [chat.conversation]
        engine.start()
        await gate.services.tidy_up()
        assert engine.deleted == [chat.conversation]
        assert gate.services.store.pending_deletions() == []
    engine.stop()


async def test_one_conversation_that_the_engine_cannot_delete_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        for number in range(8):
            gate.clock.forward(seconds=1)
            gate.services.store.pending_deletion(f"{number}", gate.clock())
        gate.engine.undeletable = {"0", "1"}
        gate.clock.forward(seconds=1)
        await gate.services.tidy_up()
        # As sets, because the gateway's own round may run at the same time.
        assert set(gate.engine.deleted) == {"2", "3", "4", "5", "6", "7"}
        assert set(gate.services.store.pending_deletions()) == {"0", "1"}


async def test_expired_conversations_are_deleted_here_and_in_the_engine(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        old = await gate.begin()
        gate.clock.forward(minutes=20)
        young = await gate.begin()
        gate.clock.forward(minutes=10)
        assert await gate.services.tidy_up() == 1
        assert gate.engine.deleted == [old.conversation]
        assert (await young.say("hello")).status_code == 200


async def test_a_conversation_that_is_deleted_while_the_engine_works_leaves_nothing(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        gate.engine.delay = 1.5
        saying = asyncio.create_task(chat.say("hello"))
        while "hello" not in gate.engine.texts:
            await asyncio.sleep(0.02)
        assert (await chat.call("DELETE", "sessions/current")).status_code == 204
        answer = await saying
        assert (answer.status_code, code(answer)) == (401, "session_ended")
        # Once by the person, and once more for what the engine wrote after that.
        assert gate.engine.deleted == [chat.conversation] * 2
        with database.engine(gate.services.store.url).connect() as connection:
            for table in Base.metadata.sorted_tables:
                assert connection.execute(table.select()).all() == [], table.name


async def test_feedback_is_taken_for_a_message_of_the_guide_and_may_change(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        message = (await chat.say("hello")).json()["messages"][0]["id"]
        for helpful in (True, False):
            answer = await chat.call("POST", "feedback", json={"message_id": message, "helpful": helpful})
            assert (answer.status_code, answer.content) == (204, b"")


async def test_feedback_on_anything_else_is_refused(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        mine, other = await gate.begin(), await gate.begin()
        foreign = other.opening["messages"][0]["id"]
        answer = await mine.call("POST", "feedback", json={"message_id": foreign, "helpful": True})
        assert (answer.status_code, code(answer)) == (404, "unknown_message")
        for body in ({"message_id": 5, "helpful": True}, {"message_id": foreign, "helpful": "yes"}, {}):
            answer = await mine.call("POST", "feedback", json=body)
            assert (answer.status_code, code(answer)) == (400, "invalid_request")
