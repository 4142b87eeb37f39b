"""Factories for the tests of the gateway: the real application, a real database, a real HTTP engine next door."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from bot.gateway.app import create_app
from bot.gateway.services import Services
from bot.settings import Settings
from tests.support import Clock
from tests.support import make_settings as settings_in

from .fake_engine import FakeEngine

ADDRESS = "203.0.113.7"


@lru_cache(maxsize=1)
def shared_engine() -> FakeEngine:
    """Return the fake engine that the tests share; it runs until pytest ends."""
    return FakeEngine().start()


def make_settings(home: Path, **changes: Any) -> Settings:
    """Return settings that keep everything in ``home``, with the shared engine unless told otherwise."""
    port = shared_engine().port
    return settings_in(home, **{"engine_port": port, "actions_port": port, **changes})


@dataclass
class Gate:
    """A running gateway, as one person sees it."""

    app: Starlette
    http: httpx.AsyncClient
    engine: FakeEngine
    clock: Clock

    @property
    def services(self) -> Services:
        """The inside of the gateway."""
        service: Services = self.app.state.services
        return service

    async def begin(self, language: str | None = None, **headers: str) -> Chat:
        """Begin a conversation."""
        answer = await self.http.post("/api/chat/sessions", json={"language": language}, headers=headers)
        assert answer.status_code == 201, answer.text
        body = answer.json()
        return Chat(self, body["token"], body)


@dataclass
class Chat:
    """One conversation."""

    gate: Gate
    token: str
    opening: dict[str, Any]

    @property
    def conversation(self) -> str:
        """The id of the conversation."""
        found = self.gate.services.tokens.conversation(f"Bearer {self.token}")
        assert found
        return found

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Call the API with the token of the conversation."""
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        if "json" in more:
            # In ASCII, because httpx itself refuses some of what a client could send.
            headers["Content-Type"] = "application/json"
            more["content"] = json.dumps(more.pop("json")).encode("ascii")
        return await self.gate.http.request(method, f"/api/chat/{path}", headers=headers, **more)

    async def say(self, text: str, key: str | None = None) -> httpx.Response:
        """Send a text."""
        return await self.call("POST", "messages", json={"id": key or new_id(), "text": text})

    async def press(self, button: str, key: str | None = None) -> httpx.Response:
        """Send a button."""
        return await self.call("POST", "messages", json={"id": key or new_id(), "button": button})

    async def history(self) -> list[dict[str, Any]]:
        """Return the conversation so far."""
        answer = await self.call("GET", "messages")
        assert answer.status_code == 200, answer.text
        messages: list[dict[str, Any]] = answer.json()["messages"]
        return messages


def new_id() -> str:
    """Return a client message id."""
    return str(uuid.uuid4())


def code(answer: httpx.Response) -> str:
    """Return the code of an error, having checked its shape."""
    error = answer.json()["error"]
    assert set(error) == {"code", "message"}
    assert error["message"]
    return str(error["code"])


@asynccontextmanager
async def open_gate(home: Path, engine: FakeEngine | None = None, address: str = ADDRESS, **changes: Any) -> AsyncIterator[Gate]:
    """Run a gateway on a database of its own.

    Args:
        home: where the database goes.
        engine: an engine of one's own, to stop and start it; the shared one if not given.
        address: the address from which the calls come.
        changes: settings that differ.
    """
    used = engine or shared_engine()
    used.reset()
    clock = Clock()
    app = create_app(make_settings(home, **{"engine_port": used.port, "actions_port": used.port, **changes}), clock)
    transport = httpx.ASGITransport(app=app, client=(address, 50000))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://lotse.test", timeout=30) as client,
    ):
        yield Gate(app, client, used, clock)
