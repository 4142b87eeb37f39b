"""What people should never send and somebody will: texts, bodies, headers, tokens. All of it comes from one seed."""

from __future__ import annotations

import json
import random
import string
import uuid
from typing import Any

from bench.client import FAQ, TOWNS, need_and_place

SLASHES = (
    "/restart",
    "/back",
    "/session_start",
    "/greet",
    "/delete_my_data",
    '/delete_my_data{"confirmed": "yes"}',
    '/inform{"place": "Köln", "need": "crisis"}',
    "/switch_language{}",
    '/intent{"entity": "value"}',
    "//restart",
    " /restart",
    "\u200b/restart",
    "/",
    "/ restart",
    "/restart{",
    "/faq/costs",
    "EXTERNAL: /restart",
    "／restart",
)
PLAIN = (
    *FAQ,
    "Hallo",
    "danke",
    "Kann ich mit einem Menschen sprechen?",
    "Çalışma iznim yok, patronum maaşımı vermiyor",
    "أنا ممرضة من سوريا وأعيش في دورتموند",
    "Я медсестра з України, живу в Лейпцигу",
    "Чем вы можете помочь?",
    "من در کلن زندگی می\u200cکنم",
    "¿Cuánto cuesta el reconocimiento?",
    "Mieszkam we Wrocławiu i chcę pracować w Niemczech",
)
INJECTIONS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "'; DROP TABLE conversation; --",
    '" OR 1=1 --',
    "{{7*7}} ${7*7} #{7*7} {0} {place} %s %n %(x)s",
    '{"text": "hi", "buttons": [{"title": "x", "payload": "/restart"}]}',
    "[]",
    "null",
    "../../../../etc/passwd",
    "$(reboot) `reboot` | reboot",
    "\\u0000 \\ud800 \\x00",
    "[click](javascript:alert(1)) **bold** ||x||",
    '[Dortmund](place) [Syrien]{"entity": "country"}',
    "\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1",
    "=cmd|' /C calc'!A0",
    "__import__('os')",
    "1" * 400,
    "-1e400",
    "NaN",
)
ZALGO = "".join(chr(code) for code in range(0x300, 0x36F))
MARKS = "\u202a\u202e\u2066\u2069\u200e\u200f\u200b\u200d\ufeff\u00ad\u2028\u2029\ufffe\uffff\x00\x07\x1b\x7f\x85\t\r\n"
SCRIPTS = (
    (0x20, 0x7E),
    (0xA0, 0x24F),
    (0x370, 0x52F),
    (0x590, 0x6FF),
    (0x900, 0xDFF),
    (0x3040, 0x9FFF),
    (0xAC00, 0xD7A3),
    (0x1F300, 0x1FAFF),
)
METHODS = ("PUT", "PATCH", "DELETE", "GET", "POST", "OPTIONS", "HEAD", "TRACE", "CONNECT", "BREW", "get", "PROPFIND")
CONTENT_TYPES = (
    "",
    "text/plain",
    "text/html",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-16",
    "application/json; charset=utf-7",
    "application/jsonp",
    "application/json, text/plain",
    "APPLICATION/JSON\u00a0",
    ";",
)
PATHS = (
    "/api/chat/messages/",
    "/api/chat/messages/1",
    "/api/chat/../chat/messages",
    "/api//chat/messages",
    "/api/chat/messages%00",
    "/api/chat/sessions/other",
    "/API/chat/messages",
    "/texts/%00.json",
    "/texts/../../secret.key.json",
    "/texts/de%0a.json",
    "/static/x/..%2f..%2fapp.py",
    "/%F0%9F%98%80",
    "/%ff%fe",
    "/?" + "a=1&" * 500,
    "/" + "a" * 5000,
    "/sheet?office=%00&need=recognition",
    "/sheet?office=' OR 1=1&need=recognition".replace(" ", "%20"),
    "/sheet?" + "office=x&" * 200 + "need=recognition",
    "/embed-demo?color=%23zzz&title=%3Cscript%3E",
    "/?language=%00",
    "/console",
    "/.git/config",
    "/webhooks/lotse/messages",
    "/webhooks/rest/webhook",
    "/conversations/default/tracker",
)
GARBAGE = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /\r\n\r\n",
    b"\r\n\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nBroken header\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"POST /api/chat/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    b"POST /api/chat/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /api/chat/sessions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /api/chat/sessions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nabc",
    b"GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x00" * 100,
    b"A" * 70_000,
)
LENGTHS = ("-1", "abc", "1e3", "0x10", "00000000000000099999", "9" * 30, "9" * 5000, "+5", "5 5", "", "16385")


def message_id(rng: random.Random) -> str:
    """Return a UUID as a client makes it."""
    made = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    return made.upper() if rng.random() < 0.1 else made


def plain_text(rng: random.Random, marker: str) -> str:
    """Return what a person could say, mostly with the marker of the conversation."""
    said = rng.choice([*PLAIN, need_and_place(rng.randrange(1000)), rng.choice(TOWNS)])
    return f"{said} {marker}" if rng.random() < 0.8 else said


def hostile_text(rng: random.Random, marker: str) -> str:
    """Return any text; it may have lone surrogates, so that it can only be sent as ASCII."""
    kind = rng.randrange(9)
    if kind == 0:
        text = "".join(chr(rng.randrange(0x110000)) for _ in range(rng.choice((1, 5, 50, 600))))
    elif kind == 1:
        first, last = rng.choice(SCRIPTS)
        text = "".join(chr(rng.randint(first, last)) for _ in range(rng.choice((1, 20, 200, 990))))
    elif kind == 2:
        text = "".join(rng.choice(MARKS + string.ascii_letters) for _ in range(rng.choice((1, 5, 100))))
    elif kind == 3:
        text = rng.choice(("😀", "👩\u200d⚕️", "🇩🇪", "\U0010ffff", "ﷺ", "x", " ")) * rng.choice((1, 300, 500, 1000, 1001, 10_000))
    elif kind == 4:
        text = "".join(char + "".join(rng.choices(ZALGO, k=12)) for char in "Anerkennung")
    elif kind == 5:
        text = rng.choice(("\ud800", "\udfff", "a\ud83d", "\ude00b", "\udc00\ud800"))
    elif kind == 6:
        text = rng.choice(PLAIN)[: rng.randrange(40)] + rng.choice(MARKS) + rng.choice(INJECTIONS)
    elif kind == 7:
        text = " ".join(
            rng.choices([*TOWNS, "und", "nicht", "112", "01067", "+49 30 123", "a@b.de", "wohne", "in"], k=rng.randrange(1, 60))
        )
    else:
        text = rng.choice(INJECTIONS)
    return f"{marker} {text}" if rng.random() < 0.5 else text


def anything(rng: random.Random, depth: int = 3) -> Any:
    """Return any JSON value."""
    kind = rng.randrange(9 if depth else 7)
    if kind < 7:
        return (None, True, rng.randint(-(2**70), 2**70), rng.random() * 1e300, "", "x" * rng.randrange(300), "\ud800")[kind]
    size = rng.randrange(4)
    if kind == 7:
        return [anything(rng, depth - 1) for _ in range(size)]
    keys = rng.choices(["id", "text", "button", "language", "messages", "__proto__", "", "\u0000"], k=size)
    return {key: anything(rng, depth - 1) for key in keys}


def broken_body(rng: random.Random, marker: str) -> bytes:
    """Return a body that no call of the API can accept."""
    made = json.dumps({"id": message_id(rng), "text": marker}).encode()
    return rng.choice(
        (
            b"",
            b"\x00",
            b"[" * rng.choice((100, 5000, 16000)),
            b'{"a":' * 2500,
            b'{"a": ' + b"9" * 10_000 + b"}",
            b'{"id": NaN}',
            b'{"id": -Infinity, "text": 1e999}',
            made[: rng.randrange(len(made))],
            made.replace(b'"text"', b"'text'"),
            made + b"}",
            made.replace(b"text", b"te\xff\xfe"),
            b"\xef\xbb\xbf" + made,
            made.decode().encode("utf-16"),
            made.decode().encode("utf-32"),
            bytes(rng.randrange(256) for _ in range(rng.randrange(1, 400))),
            json.dumps([anything(rng)]).encode(),
            json.dumps({"id": anything(rng), "text": anything(rng), "button": anything(rng), "language": []}).encode(),
            json.dumps({"id": message_id(rng), "text": 5}).encode(),
            json.dumps({"id": message_id(rng), "text": "a", "button": "b"}).encode(),
            json.dumps({"id": message_id(rng) + "0", "text": marker}).encode(),
            json.dumps({"id": message_id(rng), "text": {"text": marker}}).encode(),
        )
    )


def forged_token(rng: random.Random, token: str, other: str) -> str | bytes:
    """Return a header ``Authorization`` that must not open anything.

    Args:
        rng: the source of chance.
        token: the token of this conversation.
        other: the token of another one.
    """
    payload, _, signature = token.rpartition(".")
    return rng.choice(
        (
            "",
            "Bearer",
            "Bearer ",
            f"Basic {token}",
            token,
            f"Bearer {token[:-1]}",
            f"Bearer {token}x",
            f"Bearer {payload}.{other.rpartition('.')[2] if other != token else signature[::-1]}",
            f"Bearer {payload}",
            f"Bearer .{signature}",
            f"Bearer {payload[:-2]}AA.{signature}",
            f"Bearer {token} {token}",
            "Bearer " + "A" * 5000,
            "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
            "Bearer null",
            b"Bearer \xff\xfe\x80",
            f"Bearer {token}".swapcase(),
        )
    )


def odd_headers(rng: random.Random) -> list[tuple[str, str | bytes]]:
    """Return headers that change nothing in what a call means."""
    all_of_them: list[tuple[str, str | bytes]] = [
        ("Accept-Language", "*;q=2, de-;q=abc, ,;;, xx" * 20),
        ("Accept-Language", b"\xff\xfe"),
        ("Accept", "application/xml"),
        ("Accept-Encoding", "br;q=1, *;q=0"),
        ("Origin", "null"),
        ("Origin", "https://evil.example"),
        ("Cookie", "a=b; " * 300),
        ("Referer", "javascript:alert(1)"),
        ("User-Agent", b"\x80\x81" * 50),
        ("X-Http-Method-Override", "DELETE"),
        ("X-Original-Url", "/health"),
        ("X-Forwarded-Proto", "gopher"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "for=1.2.3.4"),
        ("Range", "bytes=0-0"),
        ("If-None-Match", "*"),
        ("Upgrade", "h2c"),
        ("X-Long", "a" * 8000),
    ]
    return rng.sample(all_of_them, rng.randrange(1, 4))
