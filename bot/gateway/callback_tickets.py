"""Tickets for the call-back form: proof that the guide named offices for a place where staff really call back.

A ticket travels in an address, so it says nothing about who asks: the conversation in it is encrypted, and even in plain it
would open nothing. It is good for one request, whose key in the database is the id of the ticket.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from cryptography.fernet import Fernet, InvalidToken
from itsdangerous import BadData, URLSafeSerializer

from actions.directory.places import states
from bot.dialogue.engine_key import derived_key
from bot.languages import SPOKEN_LANGUAGES
from bot.settings import Settings

PATH = "/callback"
VALID = timedelta(hours=12)
TICKET_LIMIT = 1000
ALL = "all"
# In danger nobody waits for a call.
NOT_FOR = "crisis"


@dataclass(frozen=True)
class Ticket:
    """What a request for a call-back is about, and which conversation it came from."""

    id: str
    need: str
    state: str
    district: str | None
    language: str
    conversation_id: str


def is_offered(settings: Settings, state: str | None) -> bool:
    """Return whether staff call people of a state back."""
    return state in states() and (ALL in settings.callback_states or state in settings.callback_states)


class Tickets:
    """Makes and reads tickets, and the words with which a person takes a request back.

    Args:
        settings: the settings; they say where a call-back is offered.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        key = derived_key("call-back tickets", settings.secret_key)
        self._tickets, self._words = _serializer(key, "ticket"), _serializer(key, "withdraw")
        self._fernet = Fernet(base64.urlsafe_b64encode(derived_key("call-back conversations", settings.secret_key)))

    def add_to(self, messages: Sequence[dict[str, Any]], conversation_id: str, now: datetime) -> None:
        """Add the address of the form to the referrals of an answer, where a call-back is offered.

        Args:
            messages: the messages of the answer; changed in place.
            conversation_id: the conversation that they belong to.
            now: the moment.
        """
        for message in messages:
            referral = message["referral"] or {}
            place = referral.get("place") or {}
            need, state, language = referral.get("need"), place.get("state"), message["language"]
            if need in (None, NOT_FOR) or language not in SPOKEN_LANGUAGES or not is_offered(self._settings, state):
                continue
            ticket = Ticket(secrets.token_urlsafe(16)[:22], str(need), str(state), place.get("district"), language, conversation_id)
            message["referral"] = {**referral, "callback": f"{PATH}?{urlencode({'ticket': self.issue(ticket, now)})}"}

    def issue(self, ticket: Ticket, now: datetime) -> str:
        """Return a ticket as text for an address."""
        at = int(now.timestamp())
        sealed = self._fernet.encrypt_at_time(ticket.conversation_id.encode("ascii"), at).decode("ascii")
        return _text(self._tickets.dumps([ticket.id, ticket.need, ticket.state, ticket.district, ticket.language, sealed, at]))

    def read(self, given: str, now: datetime) -> Ticket | None:
        """Return the ticket in a text; None if we did not sign it, if it is too old, or if nobody calls back there any more."""
        value = _loads(self._tickets, given)
        if not isinstance(value, list) or len(value) != 7:
            return None
        ticket_id, need, state, district, language, sealed, at = value
        if not now - VALID < datetime.fromtimestamp(at, now.tzinfo) <= now + timedelta(minutes=5):
            return None
        if not is_offered(self._settings, state) or language not in SPOKEN_LANGUAGES:
            return None
        try:
            conversation_id = self._fernet.decrypt(sealed.encode("ascii")).decode("ascii")
        except InvalidToken:
            return None
        return Ticket(ticket_id, need, state, district, language, conversation_id)

    def withdrawal(self, key: str) -> str:
        """Return the word with which the person takes the request with this key back."""
        return _text(self._words.dumps(key))

    def withdrawn_key(self, given: str) -> str | None:
        """Return the key of the request that is taken back by a word; None if we did not give it out."""
        value = _loads(self._words, given)
        return value if isinstance(value, str) else None


@lru_cache(maxsize=4)
def tickets(settings: Settings) -> Tickets:
    """Return the tickets of an installation, made once."""
    return Tickets(settings)


def _serializer(key: bytes, salt: str) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt=f"call-back {salt}", signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"})


def _text(dumped: str | bytes) -> str:
    return dumped if isinstance(dumped, str) else dumped.decode("ascii")


def _loads(serializer: URLSafeSerializer, given: str) -> Any:
    if len(given) > TICKET_LIMIT:
        return None
    try:
        return serializer.loads(given)
    except (BadData, ValueError):
        return None
