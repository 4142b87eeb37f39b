"""Whatever a client sends ends as a clean value or as a 4xx, never as a 5xx."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.gateway.body import MESSAGE_LIMIT, clean_text
from bot.gateway.errors import ApiError

from .support import code, new_id, open_gate

# The same in every process: tests that run side by side must have the same names.
UUID = "6f1c7c1e-0d3b-4a55-9b0e-0f5d0a2f7b11"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b"", 400, "invalid_json"),
        (b"hello", 400, "invalid_json"),
        (b'{"text": ', 400, "invalid_json"),
        (b"[]", 400, "invalid_request"),
        (b'"text"', 400, "invalid_request"),
        (b"null", 400, "invalid_request"),
        (b"5", 400, "invalid_request"),
        (b'{"id": NaN}', 400, "invalid_json"),
        (b"[" * 10_000, 400, "invalid_json"),
        (b'{"a":' * 3_000, 400, "invalid_json"),
        (b'{"a": ' + b"9" * 10_000 + b"}", 400, "invalid_json"),
        (b'{"text": "\xff\xfe"}', 400, "invalid_json"),
        ('{"text": "hi"}'.encode("utf-16"), 400, "invalid_json"),
        (b"{" + b" " * 17_000 + b"}", 413, "body_too_large"),
        (b"{}", 400, "invalid_id"),
    ],
)
async def test_a_body_that_is_no_proper_json_object_is_refused(tmp_path: Path, body: bytes, status: int, expected: str) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        answer = await chat.call("POST", "messages", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, code(answer)) == (status, expected)
        assert gate.engine.texts == []


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "json", ";"])
async def test_a_body_that_is_not_declared_as_json_is_refused(tmp_path: Path, kind: str) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        body = json.dumps({"id": new_id(), "text": "hi"}).encode()
        answer = await chat.call("POST", "messages", content=body, headers={"Content-Type": kind})
        assert (answer.status_code, code(answer)) == (415, "unsupported_media_type")


@pytest.mark.asyncio
async def test_a_declared_utf_8_is_accepted(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        body = json.dumps({"id": new_id(), "text": "hi"}).encode()
        answer = await chat.call("POST", "messages", content=body, headers={"Content-Type": 'application/json; charset="UTF-8"'})
        assert answer.status_code == 200


@pytest.mark.asyncio
async def test_a_body_that_comes_in_pieces_is_limited_as_well(tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 1000

    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        answer = await chat.call("POST", "messages", content=pieces(), headers={"Content-Type": "application/json"})
        assert (answer.status_code, code(answer)) == (413, "body_too_large")


@pytest.mark.asyncio
@pytest.mark.parametrize("key", [None, 5, "", "1", "not-a-uuid", "0" * 36, UUID + "0", f" {UUID}", "\ud800"])
async def test_a_message_id_that_is_no_uuid_is_refused(tmp_path: Path, key: object) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        answer = await chat.call("POST", "messages", json={"id": key, "text": "hi"})
        assert (answer.status_code, code(answer)) == (400, "invalid_id")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "invalid_request"),
        ({"text": "hi", "button": "x"}, "invalid_request"),
        ({"text": 5}, "invalid_request"),
        ({"text": ["hi"]}, "invalid_request"),
        ({"button": 5}, "invalid_request"),
        ({"text": ""}, "empty_message"),
        ({"text": " \n\t "}, "empty_message"),
        ({"text": "\u0000\u0007\u202e\u2066"}, "empty_message"),
        ({"text": "\u200b\u200d\ufeff"}, "empty_message"),
        ({"text": "x" * (MESSAGE_LIMIT + 1)}, "message_too_long"),
        ({"text": "half a pair: \ud83d"}, "invalid_text"),
    ],
)
async def test_a_message_that_is_none_is_refused(tmp_path: Path, body: dict[str, object], expected: str) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        answer = await chat.call("POST", "messages", json={"id": new_id(), **body})
        assert (answer.status_code, code(answer)) == (400, expected)
        assert gate.engine.texts == []


@pytest.mark.asyncio
async def test_a_message_of_exactly_the_limit_is_accepted(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        assert (await chat.say("😀" * MESSAGE_LIMIT)).status_code == 200


@pytest.mark.asyncio
@pytest.mark.parametrize("body", [{"language": 5}, {"language": ["de"]}, {"language": {}}])
async def test_a_language_that_is_no_text_is_refused(tmp_path: Path, body: dict[str, object]) -> None:
    async with open_gate(tmp_path) as gate:
        answer = await gate.http.post("/api/chat/sessions", json=body)
        assert (answer.status_code, code(answer)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Mu\u0308nchen", "München"),
        ("a\u0000b\u0007c\u007f\u0085", "abc"),
        ("ab\u202ecd\u2066ef\u2069", "abcdef"),
        ("eins\r\nzwei\rdrei\tvier", "eins\nzwei\ndrei vier"),
        ("  hallo\n", "hallo"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # Persian needs its joiners
        ("\ufeffhallo", "hallo"),
        ("👩\u200d⚕️", "👩\u200d⚕️"),
    ],
)
def test_a_text_is_brought_into_its_normal_form(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


@given(st.text(st.characters(), max_size=1200))
def test_any_text_is_either_cleaned_or_refused(text: str) -> None:
    try:
        cleaned = clean_text(text)
    except ApiError as error:
        assert error.status == 400
        return
    assert 0 < len(cleaned) <= MESSAGE_LIMIT
    assert cleaned == clean_text(cleaned)
    cleaned.encode("utf-8")
