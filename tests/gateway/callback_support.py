"""Factories for the tests of the call-back form: tickets, requests, what is stored."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from sqlalchemy import func, select

from bot.dialogue.engine_key import derived_key
from bot.gateway.callback_tickets import Ticket, Tickets
from bot.settings import Settings
from bot.transcripts import callbacks, database
from bot.transcripts.callbacks import Callback

from .support import Gate

ALL: dict[str, Any] = {"callback_states": ("all",)}
MARKER = "Zaubernuss"
GOOD = {"phone": "0151 23456789", "consent": "yes"}


async def offered(gate: Gate, language: str = "de", words: str = "Dortmund") -> str | None:
    """Return the address of the form that a new conversation gets, None if it gets none."""
    chat = await gate.begin(language)
    messages = (await chat.say(words)).json()["messages"]
    return next((one["referral"].get("callback") for one in messages if one["referral"]), None)


async def ticket(gate: Gate, language: str = "de") -> str:
    """Return a ticket from a conversation."""
    address = await offered(gate, language)
    assert address
    return parse_qs(urlsplit(address).query)["ticket"][0]


async def send(gate: Gate, given: str, data: dict[str, Any] | None = None, headers: dict[str, str] | None = None) -> httpx.Response:
    """Send the form."""
    return await gate.http.post("/callback", data={"ticket": given, **(GOOD if data is None else data)}, headers=headers or {})


def address_of(settings: Settings, **changes: Any) -> str:
    """Return the address of a form, for a gateway whose clock goes right."""
    given = Tickets(settings).issue(new_ticket(**changes), datetime.now(timezone.utc))
    return f"/callback?{urlencode({'ticket': given})}"


def new_ticket(**changes: Any) -> Ticket:
    """Return a ticket for Dortmund, with some values of ours."""
    values: dict[str, Any] = {
        "id": "t" * 22,
        "need": "recognition",
        "state": "DE-NW",
        "district": "05913",
        "language": "de",
        "conversation_id": "c" * 32,
    }
    return Ticket(**{**values, **changes})


def made_ticket(gate: Gate, **changes: Any) -> str:
    """Return a ticket as the gateway makes it, with some values of ours."""
    return Tickets(gate.services.settings).issue(new_ticket(**changes), gate.clock())


def stored(gate: Gate) -> list[Callback]:
    """Return all requests as staff see them."""
    cipher = derived_key("call-back requests", gate.services.settings.secret_key)
    with database.session(gate.services.settings.transcripts_url) as session:
        return callbacks.listed(session, cipher, (), "new")


def count(gate: Gate, table: Any) -> int:
    """Return how many rows a table has."""
    with database.session(gate.services.settings.transcripts_url) as session:
        return int(session.execute(select(func.count()).select_from(table)).scalar_one())


def withdrawal(answer: httpx.Response) -> str:
    """Return the address with which the request of this answer is taken back."""
    found = re.search(r'href="(/callback/withdraw\?[^"]+)"', answer.text)
    assert found, answer.text
    return unescape(found[1])


def all_bytes(folder: Path) -> bytes:
    """Return the content of every file in a folder."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
