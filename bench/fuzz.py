"""``fuzz``: conversations and attacks side by side; what the chat API promises must hold for every one of them.

Each conversation comes from an address of its own and stays within the limits, which are the real ones. It says ordinary
and hostile things, presses buttons of its own and of others, sends the same message again, breaks off, forges tokens;
several conversations run at once. Everything is drawn from one seed. What was found wrong is a line in ``violations``.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import hostile
from bench.client import NotAnswered, Person, connect
from bench.guide import fake_parts, home_of_its_own, in_parts
from bench.options import Options
from bench.results import Result, Table, Target, say, spread
from bench.serve import answered
from bench.wire import NO_ANSWER, Answer, chunks, exchange, head
from bot.gateway.body import BODY_LIMIT, SURROGATE, clean_text
from bot.gateway.errors import ApiError
from bot.gateway.openapi import API_PREFIX, VERSION_HEADER, api_version, description
from bot.languages import SPOKEN_LANGUAGES

MESSAGES, SESSIONS, CURRENT, FEEDBACK = "/api/chat/messages", "/api/chat/sessions", "/api/chat/sessions/current", "/api/chat/feedback"
MARKER = re.compile(r"mk[0-9a-f]{16}")
# What the limits allow one conversation in a minute, with a little left over.
MESSAGE_BUDGET, CALL_BUDGET, LONGEST = 19, 55, 26
RETRY_SECONDS = 90
PROGRESS_SECONDS = 5
FLOOD_EVERY, FLOOD = 30, 40
SHOWN_VIOLATIONS = 50
JSON_TYPE = ("Content-Type", "application/json")
# Intents and events by which Rasa starts over, takes back or begins anew: no text may lead to them.
COMMANDS = ("restart", "back", "session_start")
COMMAND_EVENTS = ("restart", "undo", "rewind", "pause")


class _Over(Exception):
    """The conversation has ended, as it may."""


@dataclass
class Report:
    """What was sent, what came back, and what should not have."""

    done: int = 0
    conversations: int = 0
    acknowledged: int = 0
    replayed: int = 0
    ended_by_button: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class _Past:
    """What is left of a conversation for others to misuse."""

    token: str
    ids: list[str]
    buttons: list[str]
    messages: list[str]


@dataclass
class _World:
    port: int
    seed: int
    inputs: int
    buttons_end: bool  # whether pressing a button may end a conversation
    patience: float
    report: Report = field(default_factory=Report)
    past: list[_Past] = field(default_factory=list)
    owners: dict[str, int] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def wrong(self, visit: int, what: str) -> None:
        """Note a broken promise; the number of the conversation and the seed bring it back."""
        self.report.violations.append(f"conversation {visit}: {what}")


async def attack(
    port: int, inputs: int, seed: int = 1, people: int = 12, *, buttons_end: bool = False, patience: float = RETRY_SECONDS
) -> Report:
    """Send generated inputs to a gateway on 127.0.0.1 that trusts ``X-Forwarded-For`` from there.

    Args:
        port: where it listens.
        inputs: how many requests at least; what has begun is finished.
        seed: the same seed brings the same conversations.
        people: conversations at once.
        buttons_end: whether pressing a button may end a conversation (the real guide deletes it on demand).
        patience: seconds after which a message that is always put off counts as never answered.
    """
    world = _World(port, seed, inputs, buttons_end, patience)
    numbers = iter(range(1, 10**9))

    async def person() -> None:
        while world.report.done < inputs:
            visit = _Visit(world, next(numbers))
            try:
                await visit.run()
            except _Over:
                pass
            except (OSError, TimeoutError, KeyError, TypeError, ValueError) as error:
                world.wrong(visit.number, f"{type(error).__name__}: {error}")
            world.report.conversations += 1

    progress = asyncio.create_task(_progress(world))
    try:
        await asyncio.gather(*(person() for _ in range(people)))
    finally:
        progress.cancel()
    world.report.seconds = time.monotonic() - world.began
    return world.report


async def _progress(world: _World) -> None:
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        done, seconds = world.report.done, time.monotonic() - world.began
        say(f"fuzz: {done} of {world.inputs} inputs, {done / seconds:.0f} a second, {len(world.report.violations)} violations")


class _Visit:
    """One conversation: what it does, what it was told, what it expects."""

    def __init__(self, world: _World, number: int) -> None:
        self.world = world
        self.number = number
        self.rng = random.Random(f"{world.seed}/{number}")
        self.marker = f"mk{self.rng.getrandbits(64):016x}"
        self.address = ("X-Forwarded-For", _address(number))
        self.token = ""
        self.buttons: list[tuple[str, str]] = []
        self.messages: list[str] = []
        self.answered: dict[str, tuple[dict[str, Any], str, list[dict[str, Any]]]] = {}
        self.lost: set[str] = set()  # sent, but nobody read the answer
        self.messages_left, self.calls_left = MESSAGE_BUDGET, CALL_BUDGET
        self.pressed = False

    # ------------------------------------------------------------------ sending and judging single answers

    async def send(
        self,
        kind: str,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Sequence[tuple[str, str | bytes]] = (),
        *,
        token: str | bytes | None = None,
        pieces: list[bytes] | None = None,
        hang_up: bool = False,
        end: bool = False,
    ) -> Answer:
        """Send one request and judge what holds for every answer.

        Args:
            kind: under which name it is counted.
            method: the method.
            path: the path.
            body: the body; its length is announced.
            headers: further headers.
            token: the header ``Authorization``; that of the conversation if not given.
            pieces: all of the bytes, if they are not a request as usual.
            hang_up: do not read the answer.
            end: say that nothing more will come.
        """
        if token is None:
            token = f"Bearer {self.token}" if self.token else ""
        given: list[tuple[str, str | bytes]] = [("Host", "127.0.0.1"), ("Connection", "close"), self.address, *headers]
        if token:
            given.append(("Authorization", token))
        if body is not None:
            given.append(("Content-Length", str(len(body))))
        self._pay(method, path)
        self.world.report.done += 1
        began = time.perf_counter()
        answer = await exchange(self.world.port, pieces or [head(method, path, given), body or b""], hang_up=hang_up, end=end)
        self.world.report.milliseconds.append((time.perf_counter() - began) * 1000)
        self.world.report.statuses[kind, answer.status] += 1
        self._judge(kind, method, path, answer)
        if answer.code == "session_ended" and token == f"Bearer {self.token}" and self.pressed and self.world.buttons_end:
            self.world.report.ended_by_button += 1
            raise _Over
        return answer

    def _pay(self, method: str, path: str) -> None:
        if (method, path) == ("POST", MESSAGES):
            self.messages_left -= 1
        elif path.startswith(API_PREFIX):
            self.calls_left -= 1

    def _judge(self, kind: str, method: str, path: str, answer: Answer) -> None:
        what = f"{kind}: {method} {path[:60]} -> {answer.status}"
        if answer.status == NO_ANSWER:
            if kind not in MAY_STAY_SILENT:
                self.wrong(f"{what}: no answer")
            return
        if answer.status >= 500 and (answer.status, answer.code) != (503, "busy") and not (path == "/health" and answer.status == 503):
            self.wrong(f"{what} {answer.code}")
        foreign = set(MARKER.findall(answer.body.decode("utf-8", "replace"))) - {self.marker}
        if foreign:
            self.wrong(f"{what}: shows what another conversation said")
        if kind in BELOW_HTTP:
            return  # the server may refuse it before it reaches the API
        described = description()["paths"].get(path, {}).get(method.lower())
        if described and str(answer.status) not in described["responses"]:
            self.wrong(f"{what}: this status is not described")
        if path.startswith(API_PREFIX) and answer.headers.get(VERSION_HEADER.lower()) != api_version():
            self.wrong(f"{what}: no version of the API")
        if answer.status >= 400 and method != "HEAD" and answer.code is None and path != "/health":
            self.wrong(f"{what}: an error that is not in the shape of the API")
        if answer.status in (409, 429, 503) and path != "/health" and not answer.headers.get("retry-after", "").isdigit():
            self.wrong(f"{what}: no Retry-After")

    def wrong(self, what: str) -> None:
        """Note a broken promise."""
        self.world.wrong(self.number, what)

    def expect(self, kind: str, answer: Answer, *wanted: int | str) -> None:
        """Note a broken promise if neither status nor code is one of those wanted."""
        if answer.status not in wanted and answer.code not in wanted:
            self.wrong(f"{kind}: {answer.status} {answer.code} instead of {wanted}")

    async def post(self, kind: str, path: str, body: Any, method: str = "POST", **more: Any) -> Answer:
        """Send JSON, in ASCII."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode("ascii")
        return await self.send(kind, method, path, raw, [JSON_TYPE, *more.pop("headers", ())], **more)

    async def deliver(
        self,
        kind: str,
        body: dict[str, Any],
        shown: str,
        raw: bytes | None = None,
        send: Callable[[], Awaitable[Answer]] | None = None,
        **more: Any,
    ) -> Answer:
        """Send a message that must be answered, as often as the API asks for it; remember the answer.

        Args:
            kind: under which name it is counted.
            body: the message.
            shown: how the history has to show it.
            raw: its bytes, if they are not as usual.
            send: sends it, if not as usual.
            more: see :meth:`send`.
        """
        deadline = time.monotonic() + self.world.patience
        while True:
            answer = await (send() if send else self.post(kind, MESSAGES, raw or body, **more))
            if answer.status not in (409, 429, 503) or time.monotonic() > deadline:
                break
            self.world.report.retries[f"{answer.status} {answer.code}"] += 1
            await asyncio.sleep(min(float(answer.headers.get("retry-after") or 1), 5))
        self.expect(kind, answer, 200)
        if answer.status == 200:
            self._remember(body, shown, answer)
        return answer

    def _remember(self, body: dict[str, Any], shown: str, answer: Answer) -> None:
        key, messages = body["id"].lower(), answer.json["messages"]
        self.pressed = "button" in body
        if key in self.answered:
            if self.answered[key][2] != messages:
                self.wrong("the same id got another answer")
            return
        self.world.report.acknowledged += 1
        self.answered[key] = (body, shown, messages)
        self.lost.discard(key)
        self._own(messages)

    def _own(self, messages: Sequence[dict[str, Any]]) -> None:
        for message in messages:
            if self.world.owners.setdefault(message["id"], self.number) != self.number:
                self.wrong("got a message that another conversation got before")
            self.messages.append(message["id"])
            self.buttons += [(button["id"], button["title"]) for button in message["buttons"]]

    # ------------------------------------------------------------------ the conversation

    async def run(self) -> None:
        """Begin, do many things, compare what is remembered with what is stored, perhaps delete."""
        language = self.rng.choice([*SPOKEN_LANGUAGES, "de", "de", None, "xx", "../de", "\u0000", "d" * 200])
        begun = await self.post("begin", SESSIONS, {"language": language, "more": hostile.anything(self.rng)})
        if begun.status != 201:
            self.wrong(f"begin: {begun.status} {begun.code} instead of 201")
            return
        self.token = begun.json["token"]
        self._own(begun.json["messages"])
        if self.number % FLOOD_EVERY == 0:
            await self._flood()
            return
        kinds = list(ACTIONS)
        for _ in range(LONGEST):
            # What was answered is sent once more at the end.
            if self.messages_left <= len(self.answered) + 4 or self.calls_left < 8:
                break
            action = ACTIONS[self.rng.choices(kinds, [WEIGHTS.get(kind, 1) for kind in kinds])[0]]
            await action(self)
        await self._say_plain()
        for body, shown, _ in list(self.answered.values()):
            await self.deliver("same id again", body, shown)
            self.world.report.replayed += 1
        await self.check()
        self.world.past.append(_Past(self.token, list(self.answered), [key for key, _ in self.buttons][-5:], self.messages[-5:]))
        if self.rng.random() < 0.5:
            await self._delete()

    async def check(self) -> None:
        """Compare what was acknowledged with what the conversation shows."""
        answer = await self.send("history", "GET", MESSAGES)
        if answer.status != 200:
            self.expect("history", answer, 200)
            return
        shown = answer.json["messages"]
        positions: dict[str, list[int]] = {}
        for position, message in enumerate(shown):
            positions.setdefault(message["id"], []).append(position)
            if message["author"] == "user" and message["id"] not in self.answered and message["id"] not in self.lost:
                self.wrong(f"history: a message that was refused ({message['state']})")
            if message["author"] == "bot" and self.world.owners.setdefault(message["id"], self.number) != self.number:
                self.wrong("history: a message of another conversation")
        for key, (_, text, messages) in self.answered.items():
            found = positions.get(key, [])
            if len(found) != 1:
                self.wrong(f"history: an acknowledged message is there {len(found)} times")
                continue
            at = found[0]
            if shown[at]["text"] != text or shown[at]["state"] != "answered":
                self.wrong("history: an acknowledged message is there with another text or state")
            if shown[at + 1 : at + 1 + len(messages)] != messages:
                self.wrong("history: the answer is not what was acknowledged")

    async def _say_plain(self) -> None:
        await self._text("plain text", hostile.plain_text(self.rng, self.marker))

    async def _say_slash(self) -> None:
        await self._text('text with "/"', self.rng.choice(hostile.SLASHES))

    async def _say_hostile(self) -> None:
        await self._text("hostile text", hostile.hostile_text(self.rng, self.marker))

    async def _text(self, kind: str, text: str) -> None:
        body = {"id": hostile.message_id(self.rng), "text": text}
        raw = json.dumps(body).encode("ascii")
        if self.rng.random() < 0.5 and not SURROGATE.search(text):
            raw = json.dumps(body, ensure_ascii=False).encode("utf-8")
        try:
            # As it arrives: two halves of a character, side by side in JSON, are one.
            shown, code = clean_text(json.loads(raw)["text"]), "body_too_large"
        except ApiError as error:
            shown, code = "", error.code
        if len(raw) > BODY_LIMIT:
            shown, code = "", "body_too_large"
        if shown:
            await self.deliver(kind, body, shown, raw)
        else:
            self.expect(kind, await self.post(kind, MESSAGES, raw), code)

    async def _press(self) -> None:
        if not self.buttons:
            return
        key, title = self.rng.choice(self.buttons)
        await self.deliver("own button", {"id": hostile.message_id(self.rng), "button": key}, title)

    async def _press_foreign(self) -> None:
        others = [key for past in self.world.past[-20:] for key in past.buttons]
        key = self.rng.choice(
            [*others, "x" * 65, "", "/restart", "a b", "\ud800", "\u0000", "A" * 16, self.buttons[0][0][:-1] if self.buttons else "B"]
        )
        body = {"id": hostile.message_id(self.rng), "button": key}
        self.expect("foreign button", await self.post("foreign button", MESSAGES, body), "unknown_button")

    async def _same_id_other_text(self) -> None:
        if not self.answered:
            return
        key = self.rng.choice(list(self.answered))
        answer = await self.post("used id, other text", MESSAGES, {"id": key.upper(), "text": "something else"})
        self.expect("used id, other text", answer, 200)
        if answer.status == 200:
            self._remember({"id": key}, "", answer)

    async def _id_of_another(self) -> None:
        keys = [key for past in self.world.past[-20:] for key in past.ids if key not in self.answered]
        if keys:
            text = f"{self.marker} my own"
            await self.deliver("id of another conversation", {"id": self.rng.choice(keys), "text": text}, text)

    async def _twice_at_once(self) -> None:
        text = hostile.plain_text(self.rng, self.marker)
        body = {"id": hostile.message_id(self.rng), "text": text}
        await asyncio.gather(*(self.deliver("twice at once", body, text) for _ in range(2)))

    async def _several_at_once(self) -> None:
        await asyncio.gather(*(self._text("several at once", hostile.plain_text(self.rng, self.marker)) for _ in range(3)))

    async def _lost_answer(self) -> None:
        text = hostile.plain_text(self.rng, self.marker)
        body = {"id": hostile.message_id(self.rng), "text": text}
        self.lost.add(body["id"].lower())
        await self.post("sent, then hung up", MESSAGES, body, hang_up=True)
        await self.deliver("lost answer asked again", body, text)

    async def _duplicate_keys(self) -> None:
        key, text = hostile.message_id(self.rng), f"the last one counts {self.marker}"
        first = json.dumps({"id": hostile.message_id(self.rng), "text": "the first", "button": "x"})[:-1]
        raw = f'{first}, "button": null, "id": "{key}", "text": "{text}"}}'.encode()
        await self.deliver("duplicate keys", {"id": key, "text": text}, text, raw)

    async def _odd_headers(self) -> None:
        text = hostile.plain_text(self.rng, self.marker)
        await self.deliver("odd headers", {"id": hostile.message_id(self.rng), "text": text}, text, headers=hostile.odd_headers(self.rng))

    async def _chunked(self) -> None:
        text = hostile.plain_text(self.rng, self.marker)
        body = {"id": hostile.message_id(self.rng), "text": text}
        pieces = chunks(json.dumps(body).encode("ascii"), self.rng.choice((1, 7, 100)))
        await self.deliver("chunked", body, text, send=lambda: self._pieces("chunked", pieces, ("Transfer-Encoding", "chunked")))

    async def _pieces(
        self, kind: str, pieces: list[bytes], *headers: tuple[str, str | bytes], hang_up: bool = False, end: bool = False
    ) -> Answer:
        given: list[tuple[str, str | bytes]] = [("Host", "a"), ("Connection", "close"), self.address, JSON_TYPE, *headers]
        given.append(("Authorization", f"Bearer {self.token}"))
        return await self.send(kind, "POST", MESSAGES, pieces=[head("POST", MESSAGES, given), *pieces], hang_up=hang_up, end=end)

    async def _broken_body(self) -> None:
        raw = hostile.broken_body(self.rng, self.marker)
        self.expect("broken body", await self.post("broken body", MESSAGES, raw), 400)

    async def _too_large(self) -> None:
        size = self.rng.choice((BODY_LIMIT + 1, 20_000, 200_000))
        raw = json.dumps({"id": hostile.message_id(self.rng), "text": "x" * size}).encode()
        if self.rng.random() < 0.5:
            answer = await self.post("too large", MESSAGES, raw)
        else:
            answer = await self._pieces("too large", chunks(raw, 4096), ("Transfer-Encoding", "chunked"))
        # Who does not read on may lose the answer to a reset connection.
        if answer.status != NO_ANSWER:
            self.expect("too large", answer, 413)

    async def _truncated(self) -> None:
        raw = json.dumps({"id": hostile.message_id(self.rng), "text": self.marker}).encode()
        cut = raw[: self.rng.randrange(len(raw))]
        answer = await self._pieces("truncated", [cut], ("Content-Length", str(len(raw))), hang_up=self.rng.random() < 0.5, end=True)
        self.expect("truncated", answer, NO_ANSWER, 400)

    async def _wrong_type(self) -> None:
        kind = self.rng.choice(hostile.CONTENT_TYPES)
        raw = json.dumps({"id": hostile.message_id(self.rng), "text": self.marker}).encode()
        self.expect("wrong type", await self.send("wrong type", "POST", MESSAGES, raw, [("Content-Type", kind)]), 415)

    async def _wrong_method(self) -> None:
        path = self.rng.choice((MESSAGES, SESSIONS, CURRENT, FEEDBACK, "/health", "/"))
        method = self.rng.choice([one for one in hostile.METHODS if one.lower() not in description()["paths"].get(path, {"get": 1})])
        if method != "HEAD":
            self.expect("wrong method", await self.send("wrong method", method, path, b""), 400, 405)

    async def _wrong_path(self) -> None:
        await self.send("wrong path", "GET", self.rng.choice(hostile.PATHS))

    async def _garbage(self) -> None:
        await self.send("garbage", "POST", "/garbage", pieces=[self.rng.choice(hostile.GARBAGE)], end=True)

    async def _odd_length(self) -> None:
        raw = json.dumps({"id": hostile.message_id(self.rng), "text": self.marker}).encode()
        length = self.rng.choice(hostile.LENGTHS)
        answer = await self._pieces("odd length", [raw], ("Content-Length", length), end=True)
        self.expect("odd length", answer, NO_ANSWER, 400, 413)

    async def _forged(self) -> None:
        past = self.rng.choice(self.world.past[-20:]).token if self.world.past else self.token
        token = hostile.forged_token(self.rng, self.token, past) or " "
        method, path = self.rng.choice((("GET", MESSAGES), ("POST", MESSAGES), ("PATCH", CURRENT), ("DELETE", CURRENT), ("POST", FEEDBACK)))
        body = {"id": hostile.message_id(self.rng), "text": self.marker, "language": "de"}
        self.expect("forged token", await self.post("forged token", path, body, method, token=token), 401)

    async def _patch(self) -> None:
        language, consent = self.rng.choice([*SPOKEN_LANGUAGES, None]), self.rng.choice((True, False, None))
        answer = await self.post("change", CURRENT, {"language": language, "consent_to_review": consent}, "PATCH")
        self.expect("change", answer, 200 if (language, consent) != (None, None) else 400)
        if answer.status == 200:
            self._own(answer.json["messages"])

    async def _patch_wrong(self) -> None:
        wrong: Any = self.rng.choice(("xx", "", "DE", 5, ["de"], {}, "de\u0000", "\ud800", hostile.anything(self.rng) or "zz"))
        self.expect("wrong change", await self.post("wrong change", CURRENT, {"language": wrong}, "PATCH"), 400)

    async def _feedback(self) -> None:
        if self.messages:
            body = {"message_id": self.rng.choice(self.messages), "helpful": self.rng.random() < 0.5}
            self.expect("feedback", await self.post("feedback", FEEDBACK, body), 204)

    async def _feedback_wrong(self) -> None:
        others = [key for past in self.world.past[-20:] for key in past.messages]
        key = self.rng.choice([*others, "x", "", "\u0000", "\ud800", "x" * 5000, *list(self.answered)[:1]])
        self.expect("wrong feedback", await self.post("wrong feedback", FEEDBACK, {"message_id": key, "helpful": True}), 404)

    async def _look_around(self) -> None:
        path = self.rng.choice(("/health", "/", "/texts/de.json", "/texts/fa.json", "/robots.txt", "/api/openapi.json", "/widget.js"))
        answer = await self.send("other pages", "GET", path, headers=hostile.odd_headers(self.rng))
        self.expect("other pages", answer, 200)

    async def _delete(self) -> None:
        self.expect("delete", await self.send("delete", "DELETE", CURRENT), 204)
        self.pressed = False
        for method, path in (("GET", MESSAGES), ("POST", MESSAGES), ("DELETE", CURRENT)):
            body = {"id": hostile.message_id(self.rng), "text": self.marker}
            self.expect("deleted", await self.post("deleted", path, body, method), "session_ended")

    async def _flood(self) -> None:
        """Send more than is allowed: the limit answers, and what it let through is there."""
        for number in range(FLOOD):
            text = f"{number} {self.marker}"
            body = {"id": hostile.message_id(self.rng), "text": text}
            answer = await self.post("flood", MESSAGES, body)
            if answer.status == 200:
                self._remember(body, text, answer)
            elif answer.status in (409, 503):
                self.lost.add(body["id"].lower())
        await self.check()


# May be closed without an answer: the request is not whole, or the server need not read all of it.
MAY_STAY_SILENT = {"sent, then hung up", "truncated", "garbage", "odd length", "too large"}
BELOW_HTTP = {"truncated", "garbage", "odd length", "wrong path", "wrong method"}
ACTIONS: dict[str, Callable[[_Visit], Awaitable[None]]] = {
    name.removeprefix("_"): getattr(_Visit, name)
    for name in (
        "_say_plain",
        "_say_slash",
        "_say_hostile",
        "_press",
        "_press_foreign",
        "_same_id_other_text",
        "_id_of_another",
        "_twice_at_once",
        "_several_at_once",
        "_lost_answer",
        "_duplicate_keys",
        "_odd_headers",
        "_chunked",
        "_broken_body",
        "_too_large",
        "_truncated",
        "_wrong_type",
        "_wrong_method",
        "_wrong_path",
        "_garbage",
        "_odd_length",
        "_forged",
        "_patch",
        "_patch_wrong",
        "_feedback",
        "_feedback_wrong",
        "_look_around",
        "check",
    )
}
WEIGHTS = {"say_plain": 2, "say_slash": 3, "say_hostile": 5, "broken_body": 3, "press": 2, "forged": 3}


def _address(number: int) -> str:
    if number % 5 == 0:
        return f"2001:db8:{number >> 16 & 0xFFFF:x}:{number & 0xFFFF:x}::1"
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def commands_in(tracker: Path) -> list[str]:
    """Return the commands that Rasa executed, by its own stored events; there must be none."""
    with sqlite3.connect(f"file:{tracker}?mode=ro", uri=True) as database:
        events = [json.loads(row[0]) for row in database.execute("SELECT data FROM events")]
    found = [f"engine: an event {one['event']!r}" for one in events if one.get("event") in COMMAND_EVENTS]
    for one in events:
        intent = ((one.get("parse_data") or {}).get("intent") or {}).get("name")
        if one.get("event") == "user" and intent in COMMANDS:
            found.append(f"engine: a text was taken for the command {intent!r}")
    return found


async def _warm_up(url: str) -> float:
    """Say each plain text once; return the milliseconds of the slowest.

    The first messages of a fresh engine, and the first in each language, are slow; a timeout there would say nothing
    about hostile input.
    """
    slowest = 0.0
    async with connect(url) as http:
        person = Person(http)
        await person.begin()
        for text in hostile.PLAIN:
            began = time.monotonic()
            try:
                await person.say(text)
            except NotAnswered as error:
                say(f"fuzz: while warming up: {error}")
            slowest = max(slowest, (time.monotonic() - began) * 1000)
    return slowest


def run(options: Options) -> Result:
    """Attack the real guide, or with ``--fake-engine`` the gateway alone."""
    with home_of_its_own() as home, fake_parts(home) if options.fake_engine else in_parts(home, "bot.gateway") as guide:
        say(f"fuzz: the {'gateway' if options.fake_engine else 'guide'} runs after {guide.seconds():.0f} s; seed {options.seed}")
        port = int(guide.url.rpartition(":")[2])
        while not asyncio.run(answered(guide.url)):
            guide.check()
        say(f"fuzz: warmed up; the slowest of the first messages took {asyncio.run(_warm_up(guide.url)) / 1000:.1f} s")
        report = asyncio.run(attack(port, options.inputs, options.seed, options.people, buttons_end=not options.fake_engine))
        guide.check_running()
        if not options.fake_engine:
            report.violations += commands_in(home / "tracker.db")
    for line in report.violations[:SHOWN_VIOLATIONS]:
        say(f"fuzz: VIOLATION: {line}")
    return _result(report, options)


def _result(report: Report, options: Options) -> Result:
    kinds = sorted({kind for kind, _ in report.statuses})
    seen = sorted({status for _, status in report.statuses})
    names = ["none" if status == NO_ANSWER else str(status) for status in seen]
    rows = [[kind, *(str(report.statuses[kind, status] or "") for status in seen)] for kind in kinds]
    rows.append(["all", *(str(sum(report.statuses[kind, status] for kind in kinds)) for status in seen)])
    times = spread(report.milliseconds)
    retried = ", ".join(f"{number} x {what}" for what, number in sorted(report.retries.items())) or "nothing"
    note = (
        f"{report.done} inputs in {report.conversations} conversations, {options.people} at once, seed {options.seed}, "
        f"{'gateway with a stand-in for the engine' if options.fake_engine else 'whole guide'}, {report.seconds:.0f} s; "
        f"an answer took {times['p50']:.0f} ms (median), {times['p95']:.0f} ms (95 %), {times['max']:.0f} ms (longest). "
        f"{report.acknowledged} messages were acknowledged, {report.replayed} sent again at the end. Sent again because the API "
        f"asked for it: {retried}. Conversations that a button ended (deletion): {report.ended_by_button}. "
        "None: closed without an answer, as it may be after garbage or half a request."
    )
    data = {
        "inputs": report.done,
        "seconds": round(report.seconds, 1),
        "statuses": {f"{kind}: {status}": number for (kind, status), number in sorted(report.statuses.items())},
        "violations": report.violations,
    }
    targets = [Target("fuzz: broken promises", "0", str(len(report.violations)), not report.violations)]
    return Result(
        "fuzz",
        options.only("inputs", "seed", "people", "fake_engine"),
        data,
        [Table("Answers by status", ["input", *names], rows, note)],
        targets,
    )
