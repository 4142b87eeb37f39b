"""Reading what a client sends. Whatever it is, it ends as a clean value or as a 4xx."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from bot.gateway.errors import ApiError

BODY_LIMIT = 16 * 1024
MESSAGE_LIMIT = 1000
# Embeddings, overrides and isolates can make a text look like another one; the plain marks (LRM, RLM) and the joiners
# stay, because Persian and Arabic are written with them.
BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
SURROGATE = re.compile("[\ud800-\udfff]")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


async def json_object(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body.

    Raises:
        ApiError: 415 if the body is not declared as JSON, 400 if it is none, or no object.
    """
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.lower().replace(" ", "").replace('"', "").partition("charset=")[2]
    if kind.strip().lower() != "application/json" or charset not in ("", "utf-8", "utf8"):
        raise ApiError(415, "unsupported_media_type")
    try:
        raw = await request.body()
    except ClientDisconnect:
        raise ApiError(400, "bad_request") from None
    try:
        # "from None" everywhere: the messages of these exceptions quote the text.
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ApiError(400, "invalid_json") from None
    if not isinstance(value, dict):
        raise ApiError(400, "invalid_request")
    return value


def client_id(body: dict[str, Any]) -> str:
    """Return the client's message id in its usual form.

    Raises:
        ApiError: 400 if it is not a UUID.
    """
    value = body.get("id")
    if not isinstance(value, str) or not UUID.fullmatch(value):
        raise ApiError(400, "invalid_id")
    return value.lower()


def clean_text(value: Any) -> str:
    """Return a message text in Unicode's normal form C, without control characters and bidi overrides.

    Raises:
        ApiError: 400 if it is no text, has lone surrogates, is empty or too long.
    """
    if not isinstance(value, str):
        raise ApiError(400, "invalid_request")
    if SURROGATE.search(value):
        raise ApiError(400, "invalid_text")
    value = BIDI_CONTROLS.sub("", value.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " "))
    value = unicodedata.normalize("NFC", value)
    value = "".join(char for char in value if char == "\n" or unicodedata.category(char) != "Cc")
    value = value.replace("\ufeff", "").strip()
    if not value or all(unicodedata.category(char) in ("Cf", "Zs", "Zl", "Zp") or char == "\n" for char in value):
        raise ApiError(400, "empty_message")
    if len(value) > MESSAGE_LIMIT:
        raise ApiError(400, "message_too_long", limit=MESSAGE_LIMIT)
    return value
