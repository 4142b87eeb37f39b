"""Nobody reads, writes or deletes the conversation of somebody else."""

from __future__ import annotations

import uuid
from pathlib import Path

from .support import Chat, code, new_id, open_gate

SECRET = "nur für mich"


async def test_a_token_that_is_pieced_together_or_changed_opens_nothing(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        mine, yours = await gate.begin("de"), await gate.begin("de")
        await yours.say(SECRET)
        payload, signature = yours.token.rsplit(".", 1)
        forged = [
            f"{payload}.{mine.token.rsplit('.', 1)[1]}",
            f"{mine.token.rsplit('.', 1)[0]}.{signature}",
            payload,
            f"{payload}.",
            f"{yours.token}.{signature}",
            yours.conversation,
            "",
            # Each character of the signature but the last, whose bits are partly unused.
            *(f"{payload}.{signature[:n]}{'A' if signature[n] != 'A' else 'B'}{signature[n + 1 :]}" for n in range(len(signature) - 1)),
        ]
        for token in forged:
            thief = Chat(gate, token, {})
            for method, path in (("GET", "messages"), ("DELETE", "sessions/current")):
                answer = await thief.call(method, path)
                assert answer.status_code in (401, 429), token
                assert SECRET not in answer.text
            gate.clock.forward(seconds=30)
        assert SECRET in str(await yours.history())


async def test_ids_of_another_conversation_are_worth_nothing(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        mine, yours = await gate.begin("de"), await gate.begin("de")
        key = new_id()
        await yours.say(SECRET, key)
        message = (await yours.history())[-1]
        button = yours.opening["messages"][-1]["buttons"][0]["id"]
        assert code(await mine.press(button)) == "unknown_button"
        assert code(await mine.call("POST", "feedback", json={"message_id": message["id"], "helpful": True})) == "unknown_message"
        # The same client id in my conversation is a new message of mine, not your answer.
        answer = await mine.say("etwas anderes", key)
        assert answer.status_code == 200
        assert SECRET not in answer.text
        assert SECRET not in str(await mine.history())
        assert len([one for one in await yours.history() if one["author"] == "user"]) == 1


async def test_after_deletion_nothing_can_be_replayed(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin("de")
        key = new_id()
        await chat.say(SECRET, key)
        assert (await chat.call("DELETE", "sessions/current")).status_code == 204
        for answer in (
            await chat.say(SECRET, key),
            await chat.say("neu"),
            await chat.call("GET", "messages"),
            await chat.call("PATCH", "sessions/current", json={"language": "en"}),
            await chat.call("DELETE", "sessions/current"),
        ):
            assert (answer.status_code, code(answer)) == (401, "session_ended")
            assert SECRET not in answer.text


async def test_conversation_ids_cannot_be_guessed(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        ids = {(await gate.begin("de")).conversation for _ in range(20)}
        assert len(ids) == 20
        assert all(len(one) >= 22 for one in ids), "at least 128 random bits"
        for guess in (str(uuid.uuid4()), "1", next(iter(ids))):
            answer = await gate.http.get("/api/chat/messages", headers={"Authorization": f"Bearer {guess}"})
            assert answer.status_code == 401
