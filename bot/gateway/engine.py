"""Calls to the engine and the action server on loopback. What they answer is checked before anybody relies on it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx

from bot.dialogue.engine_key import engine_key
from bot.languages import LANGUAGES
from bot.settings import Settings

IN_FLIGHT = 32
# A short burst beyond that waits; a longer one is told that we are busy.
QUEUE_SECONDS = 1.0
ANSWER_LIMIT = 2 * 1024 * 1024
HEALTH_SECONDS = 3.0
ACTION_HEALTH = {
    "next_action": "action_health",
    "sender_id": "health",
    "tracker": {
        "sender_id": "health",
        "slots": {},
        "latest_message": {},
        "events": [],
        "paused": False,
        "followup_action": None,
        "active_loop": {},
        "latest_action_name": None,
    },
    "domain": {},
}


class EngineError(Exception):
    """The engine does not answer, or answers nonsense. The message never quotes what it was asked or answered."""


class EngineBusyError(EngineError):
    """As many calls as are allowed are on their way already."""


@dataclass(frozen=True)
class EngineButton:
    """A button as the engine knows it."""

    title: str
    payload: str


@dataclass(frozen=True)
class EngineMessage:
    """One message of an answer."""

    text: str
    language: str
    buttons: tuple[EngineButton, ...]
    referral: dict[str, Any] | None
    response: str | None = None  # the id of the response


@dataclass(frozen=True)
class EngineAnswer:
    """The answer to one turn."""

    language: str
    messages: tuple[EngineMessage, ...]
    ended: bool = False  # the person had the conversation deleted
    intent: str | None = None
    confidence: float | None = None
    need: str | None = None
    entities: tuple[dict[str, str], ...] = ()


class EngineClient:
    """Speaks with ``bot.dialogue.channel`` inside Rasa, and asks both servers how they are.

    Args:
        settings: where they listen, and how long to wait.
    """

    def __init__(self, settings: Settings) -> None:
        self._engine = settings.engine_url
        self._actions = settings.actions_url
        self._timeout = float(settings.engine_timeout)
        self._places = anyio.Semaphore(IN_FLIGHT)
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {engine_key(settings.secret_key)}"},
            timeout=self._timeout,
            limits=httpx.Limits(max_connections=IN_FLIGHT + 8, max_keepalive_connections=IN_FLIGHT),
            # Loopback only: a proxy from the environment must never see a message, a redirect leads nowhere good.
            trust_env=False,
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def ask(self, conversation: str, channel: str, language: str | None, **what: Any) -> EngineAnswer:
        """Send one turn.

        Args:
            conversation: the id of the conversation.
            channel: where the person writes.
            language: the language chosen for the session, if one was chosen.
            what: exactly one of ``start``, ``text``, ``payload``, ``set_language``.

        Raises:
            EngineBusyError: if too many calls are on their way.
            EngineError: if the engine is down, slow, or answers nonsense.
        """
        body = {"conversation": conversation, "channel": channel, "language": language, **what}
        async with self._place():
            status, raw = await self._call("POST", f"{self._engine}/messages", body)
        if status != 200:
            raise EngineError(f"the engine answered with status {status}")
        return _answer(raw)

    async def forget(self, conversation: str) -> None:
        """Delete a conversation in the engine.

        Raises:
            EngineError: if that did not work.
        """
        status, _ = await self._call("DELETE", f"{self._engine}/conversations/{conversation}")
        # What the engine never knew is gone as well.
        if status not in (200, 204, 404):
            raise EngineError(f"the engine answered with status {status}")

    async def engine_works(self) -> bool:
        """Return whether the engine says that it is well."""
        try:
            status, raw = await self._call("GET", f"{self._engine}/health", seconds=HEALTH_SECONDS)
            return status == 200 and json.loads(raw)["status"] == "ok"
        except (EngineError, ValueError, KeyError, TypeError):
            return False

    async def actions_work(self) -> bool:
        """Return whether the action server runs an action that reads the directory, and finds offices there."""
        try:
            status, raw = await self._call("POST", f"{self._actions}/webhook", ACTION_HEALTH, HEALTH_SECONDS, key=False)
            return status == 200 and int(json.loads(raw)["responses"][0]["custom"]["offices"]) > 0
        except (EngineError, ValueError, KeyError, TypeError, IndexError):
            return False

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        with anyio.move_on_after(QUEUE_SECONDS) as waiting:
            await self._places.acquire()
        if waiting.cancelled_caught:
            raise EngineBusyError("too many calls are on their way")
        try:
            yield
        finally:
            self._places.release()

    async def _call(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None = None,
        seconds: float | None = None,
        *,
        key: bool = True,
    ) -> tuple[int, bytes]:
        request = self._client.build_request(method, url, json=body)
        if not key:
            # The action server has no authentication; it must not learn the key of the engine.
            del request.headers["Authorization"]
        try:
            # httpx counts each read; a server that drips a byte a second needs a limit for all of it.
            with anyio.fail_after(seconds or self._timeout):
                response = await self._client.send(request, stream=True)
                try:
                    raw = b""
                    async for chunk in response.aiter_bytes():
                        raw += chunk
                        if len(raw) > ANSWER_LIMIT:
                            raise EngineError("the answer is too large")
                finally:
                    await response.aclose()
        except TimeoutError:
            raise EngineError("no answer in time") from None
        except httpx.HTTPError as error:
            # "from None": the original exceptions carry the request, and with it the text.
            raise EngineError(f"no answer: {type(error).__name__}") from None
        return response.status_code, raw


def _answer(raw: bytes) -> EngineAnswer:
    try:
        body = json.loads(raw)
        # Lone surrogates and NaN pass json.loads, but could not be sent on.
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8")
        language = body["language"]
        messages = tuple(_message(message, language) for message in body["messages"])
        understood = _understood(body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise EngineError("the answer is not as agreed") from None
    if language not in LANGUAGES:
        raise EngineError("the answer is in an unknown language")
    kept = tuple(one for one in messages if one.text or one.buttons or one.referral)
    return EngineAnswer(language, kept, body.get("ended") is True, **understood)


def _understood(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the engine understood; all of it may be missing."""
    intent, confidence, need = body.get("intent"), body.get("confidence"), body.get("need")
    entities = tuple({"entity": _text(one["entity"]), "value": str(one["value"])} for one in body.get("entities") or ())
    return {
        "intent": None if intent is None else _text(intent),
        "confidence": None if confidence is None else float(confidence),
        "need": None if need is None else _text(need),
        "entities": entities,
    }


def _message(body: Mapping[str, Any], language: str) -> EngineMessage:
    buttons = tuple(EngineButton(_text(one["title"]), _text(one["payload"])) for one in body.get("buttons") or ())
    referral = body.get("referral")
    if referral is not None:
        for office in referral["offices"]:
            _text(office["name"])
        for note in referral.get("notes") or ():
            _text(note)
    response = body.get("response")
    return EngineMessage(
        _text(body["text"] or ""), _text(body.get("language") or language), buttons, referral, None if response is None else _text(response)
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
