"""A person who chats over the gateway's API. Traffic goes to 127.0.0.1 and nowhere else."""

from __future__ import annotations

import itertools
import time
import uuid
from typing import Any

import httpx

TIMEOUT = 60.0
# Simulated people come from 10/8, each from an address of their own.
_addresses = (f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in itertools.count(1))

FAQ = (
    "Was kostet die Anerkennung?",
    "Wie lange dauert das Anerkennungsverfahren?",
    "Welche Unterlagen brauche ich für den Antrag auf Anerkennung?",
    "Muss ich die Beratung bezahlen?",
    "What does the recognition of my qualification cost?",
)
TOWNS = ("Dortmund", "Leipzig", "Rostock", "Freiburg", "Cottbus", "Kassel", "Ulm", "Trier", "Bremen", "Augsburg", "Magdeburg", "Kiel")
_PEOPLE = (
    "Ich bin Krankenschwester aus Syrien und möchte mein Diplom anerkennen lassen. Ich wohne in {}.",
    "Mein Chef in {} zahlt mir den Lohn nicht.",
    "Ich bin Ingenieur aus der Türkei, wohne in {} und suche Beratung zur Anerkennung.",
    "I live in {} and want my foreign diploma recognised.",
)
NEED_ONLY = "Ich möchte meinen ausländischen Abschluss anerkennen lassen."


def need_and_place(number: int) -> str:
    """Return a message that names need and place; another one for each number."""
    return _PEOPLE[number % len(_PEOPLE)].format(TOWNS[number % len(TOWNS)])


class NotAnswered(Exception):
    """A call failed; the message says how."""


def connect(url: str) -> httpx.AsyncClient:
    """Return a client that keeps its connections, as a browser does.

    Raises:
        ValueError: if the address is not on loopback.
    """
    if not url.startswith("http://127.0.0.1:"):
        raise ValueError(f"Benchmarks talk to 127.0.0.1 only, not to {url}.")
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    return httpx.AsyncClient(base_url=url, timeout=TIMEOUT, trust_env=False, follow_redirects=False, limits=limits)


class Person:
    """One conversation."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._headers = {"X-Forwarded-For": next(_addresses)}

    async def begin(self, language: str = "de") -> float:
        """Begin the conversation; return the milliseconds until the welcome is there."""
        milliseconds, answer = await self._post("/api/chat/sessions", {"language": language}, 201)
        self._headers["Authorization"] = f"Bearer {answer['token']}"
        return milliseconds

    async def say(self, text: str) -> tuple[float, list[dict[str, Any]]]:
        """Send a message; return the milliseconds until the answer is there, and the answer."""
        milliseconds, answer = await self._post("/api/chat/messages", {"id": str(uuid.uuid4()), "text": text}, 200)
        return milliseconds, answer["messages"]

    async def _post(self, path: str, body: dict[str, Any], wanted: int) -> tuple[float, dict[str, Any]]:
        began = time.perf_counter()
        try:
            response = await self._http.post(path, json=body, headers=self._headers)
            answer = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise NotAnswered(f"{path}: {type(error).__name__}") from error
        milliseconds = (time.perf_counter() - began) * 1000
        if response.status_code != wanted:
            raise NotAnswered(f"{path}: status {response.status_code}, {answer.get('error', {}).get('code')}")
        return milliseconds, answer


def has_referral(messages: list[dict[str, Any]]) -> bool:
    """Return whether an answer names offices."""
    return any(message["referral"] and message["referral"]["offices"] for message in messages)
