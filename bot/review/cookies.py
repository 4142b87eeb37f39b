"""The two cookies of the review: the session, and the mark of a device on which somebody has logged in completely."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta

from starlette.responses import Response

from bot.dialogue.engine_key import derived_key
from bot.review.guards import COOKIE, Visit
from bot.transcripts.staff import Account

# So long a device is known after a complete login on it.
KNOWN = timedelta(days=90)


def set_session(visit: Visit, answer: Response, token: str) -> None:
    """Give the browser the token of a session; it forgets it when it is closed."""
    _set(visit, answer, COOKIE, token)


def drop_session(visit: Visit, answer: Response) -> None:
    """Take the token of the session from the browser."""
    _set(visit, answer, COOKIE, "", max_age=0)


def set_known_device(visit: Visit, answer: Response, account: Account) -> None:
    """Mark the device as one on which the holder of an account has logged in completely."""
    until, nonce = int((visit.services.now() + KNOWN).timestamp()), secrets.token_hex(8)
    value = f"{until}.{nonce}.{_mark(visit, account, until, nonce)}"
    _set(visit, answer, _name(visit, account), value, max_age=int(KNOWN.total_seconds()))


def known_device(visit: Visit, account: Account) -> str | None:
    """Return the name of the device if it is known for an account.

    The mark ends with the password: it is signed together with its hash, so that after a change only devices count on
    which the new one was used.
    """
    parts = visit.request.cookies.get(_name(visit, account), "").split(".")
    if len(parts) != 3 or not parts[0].isascii() or not parts[0].isdigit() or len(parts[0]) > 12:
        return None
    until, nonce, given = int(parts[0]), parts[1], parts[2]
    if until <= visit.services.now().timestamp():
        return None
    expected = _mark(visit, account, until, nonce)
    return nonce if hmac.compare_digest(expected.encode("ascii"), given.encode("utf-8", "replace")) else None


def _key(visit: Visit) -> bytes:
    return derived_key("known devices", visit.services.settings.secret_key)


def _name(visit: Visit, account: Account) -> str:
    # Several people may share a computer; the name says nothing about the account.
    return f"{COOKIE}_{hmac.new(_key(visit), f'name {account.id}'.encode('ascii'), hashlib.sha256).hexdigest()[:8]}"


def _mark(visit: Visit, account: Account, until: int, nonce: str) -> str:
    signed = f"{account.id}\n{until}\n{nonce}\n{account.password_hash}"
    return hmac.new(_key(visit), signed.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]


def _set(visit: Visit, answer: Response, name: str, value: str, max_age: int | None = None) -> None:
    public = visit.services.settings.public_url or ""
    answer.set_cookie(
        name,
        value,
        max_age=max_age,
        path=visit.request.scope.get("root_path", "") or "/",
        secure=visit.request.url.scheme == "https" or public.startswith("https:"),
        httponly=True,
        samesite="strict",
    )
