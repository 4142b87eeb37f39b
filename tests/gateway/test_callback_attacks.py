"""Nobody gets a call-back, or anything else, out of the form who has no good ticket; and nothing written there leaks."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from bot.gateway.callback_tickets import Tickets
from bot.gateway.texts import text
from bot.transcripts import callbacks, database
from bot.transcripts.record_models import CallbackRequest, Notification

from .callback_support import (
    ALL,
    GOOD,
    MARKER,
    all_bytes,
    count,
    made_ticket,
    new_ticket,
    send,
    ticket,
    withdrawal,
)
from .support import make_settings, open_gate

# ---------------------------------------------------------------------- tickets


async def test_a_ticket_is_good_for_one_request_but_a_second_click_is_no_mistake(tmp_path: Path) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        given = await ticket(gate)
        first = await send(gate, given)
        again = await send(gate, given)
        assert withdrawal(first) == withdrawal(again)
        other = await send(gate, given, {**GOOD, "phone": "0171 2345678"})
        opened = await gate.http.get("/callback", params={"ticket": given})
        for answer in (other, opened):
            assert answer.status_code == 200
            assert text("callback.already", "de") in answer.text
            assert "withdraw" not in answer.text
            assert "23456789" not in answer.text
        assert count(gate, CallbackRequest) == 1


async def test_two_clicks_at_the_same_moment_make_one_request(tmp_path: Path) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        given = await ticket(gate)
        answers = await asyncio.gather(*(send(gate, given) for _ in range(6)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({withdrawal(answer) for answer in answers}) == 1
        assert count(gate, CallbackRequest) == count(gate, Notification) == 1


@pytest.mark.parametrize("how", ["none", "garbage", "long", "changed", "other key", "withdrawal", "session token"])
async def test_a_forged_ticket_opens_nothing(tmp_path: Path, how: str) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        good = made_ticket(gate)
        forged = {
            "none": "",
            "garbage": "🙂'\"><script>",
            "long": good + "x" * 10_000,
            "changed": good[:-2] + ("AA" if not good.endswith("AA") else "BB"),
            "other key": Tickets(make_settings(tmp_path, _secret="another", **ALL)).issue(new_ticket(), gate.clock()),
            "withdrawal": Tickets(gate.services.settings).withdrawal("t" * 22),
            "session token": gate.services.tokens.issue("c" * 32),
        }[how]
        for answer in (await gate.http.get("/callback", params={"ticket": forged}), await send(gate, forged)):
            assert answer.status_code == 404
            assert text("callback.invalid", "de") in answer.text
            assert "<script>" not in answer.text
        assert count(gate, CallbackRequest) == 0


async def test_a_ticket_ends_after_twelve_hours(tmp_path: Path) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        given = made_ticket(gate)
        gate.clock.forward(hours=11, minutes=59)
        assert (await gate.http.get("/callback", params={"ticket": given})).status_code == 200
        gate.clock.forward(minutes=1)
        assert (await gate.http.get("/callback", params={"ticket": given})).status_code == 404
        assert (await send(gate, given)).status_code == 404


async def test_a_ticket_for_a_state_that_is_switched_off_opens_nothing(tmp_path: Path) -> None:
    async with open_gate(tmp_path, callback_states=("DE-BE",)) as gate:
        given = made_ticket(gate, state="DE-NW")
        assert (await gate.http.get("/callback", params={"ticket": given})).status_code == 404
        assert (await send(gate, given)).status_code == 404
        assert (await send(gate, made_ticket(gate, state="DE-BE"))).status_code == 200


# ---------------------------------------------------------------------- attacks


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://lotse.test"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://lotse.example"}, 200),
        ({}, 200),
    ],
)
async def test_no_other_site_sends_the_form(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    async with open_gate(tmp_path, public_url="https://lotse.example", allowed_origins=("https://evil.example",), **ALL) as gate:
        answer = await send(gate, made_ticket(gate), headers=headers)
        assert answer.status_code == status
        assert count(gate, CallbackRequest) == (status == 200)


async def test_what_a_program_fills_in_is_not_stored_and_a_person_can_send_again(tmp_path: Path) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        given = made_ticket(gate)
        answer = await send(gate, given, {**GOOD, "name": "Ada", "website": "https://spam.example"})
        assert answer.status_code == 422
        assert text("callback.error.again", "de") in answer.text
        assert 'value="Ada"' in answer.text
        assert "spam.example" not in answer.text
        assert count(gate, CallbackRequest) == 0


@pytest.mark.parametrize("field", ["name", "topic", "time_note", "phone", "email"])
async def test_script_in_a_field_is_shown_as_text(tmp_path: Path, field: str) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        hostile = '"><script>alert(1)</script>{{ 7 * 7 }}'
        answer = await send(gate, made_ticket(gate), {**GOOD, field: hostile, "consent": ""})
        assert "<script" not in answer.text
        assert "&lt;script&gt;alert(1)" in answer.text


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b'{"ticket": 5}', 404),
        ("text/plain", b"ticket=x", 404),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense", 404),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="ticket"; filename="a"\r\n\r\nx\r\n--x--\r\n',
            400,
        ),
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % n for n in range(2000)), 400),
        ("application/x-www-form-urlencoded", b"ticket=%ff%fe&phone=%00", 404),
        ("application/x-www-form-urlencoded", b"ticket=" + b"x" * 15_000, 404),
    ],
)
async def test_a_body_of_any_kind_is_answered_clearly(tmp_path: Path, content_type: str, body: bytes, status: int) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        for path in ("/callback", "/callback/withdraw"):
            answer = await gate.http.post(path, content=body, headers={"Content-Type": content_type})
            assert answer.status_code == status, (path, answer.text)
            assert answer.headers["Content-Type"].startswith("text/html")


async def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        assert (await send(gate, made_ticket(gate), {**GOOD, "topic": "x" * 20_000})).status_code == 413


async def test_an_address_may_send_twenty_forms_in_ten_minutes_and_is_told_in_its_language(tmp_path: Path) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        for number in range(20):
            assert (await send(gate, made_ticket(gate, id=f"{number:022}"))).status_code == 200
        answer = await gate.http.post("/callback?language=fa", data={"ticket": made_ticket(gate)})
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) > 0
        assert '<html lang="fa" dir="rtl">' in answer.text
        assert (await gate.http.get("/callback", params={"ticket": made_ticket(gate)})).status_code == 200


async def test_a_database_that_fails_is_told_on_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_gate(tmp_path, **ALL) as gate:

        def broken(*_: object) -> None:
            raise OperationalError(MARKER, {}, Exception(MARKER))

        monkeypatch.setattr(callbacks, "create", broken)
        answer = await send(gate, made_ticket(gate), {**GOOD, "name": MARKER})
        assert answer.status_code == 500
        assert text("error.internal", "de") in answer.text
        assert MARKER not in answer.text + caplog.text


async def test_what_a_person_writes_is_in_no_log_and_not_readable_in_the_database_not_even_after_deletion(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_gate(tmp_path, **ALL) as gate:
        given = await ticket(gate)
        data = {**GOOD, **dict.fromkeys(("name", "topic", "time_note"), MARKER), "email": f"{MARKER}@example.org"}
        await send(gate, given, {**data, "consent": ""})
        answer = await send(gate, given, data)
        assert MARKER.encode() not in all_bytes(tmp_path)
        assert b"23456789" not in all_bytes(tmp_path)
        with database.session(gate.services.settings.transcripts_url) as session:
            sealed = bytes(session.execute(select(CallbackRequest.sealed)).scalar_one())
        await gate.http.post(withdrawal(answer).partition("?")[0], data=parse_qs(urlsplit(withdrawal(answer)).query))
        with database.engine(gate.services.settings.transcripts_url).connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        assert sealed[:40] not in all_bytes(tmp_path)
        assert MARKER.encode() not in all_bytes(tmp_path)
    logged = "\n".join(line for line in caplog.text.splitlines() if "lotse.test" not in line)
    assert MARKER not in logged
    assert "23456789" not in logged
    assert given not in logged
