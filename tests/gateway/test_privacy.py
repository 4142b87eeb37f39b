"""What a person wrote is in no log, no exception and, in plain, in no database file."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from bot.settings import PROJECT
from bot.web import logs

from .fake_engine import free_port
from .support import ADDRESS, make_settings, new_id, open_gate, shared_engine

MARKER = "Zwiebelkuchenmarkierung"


def all_bytes(folder: Path) -> bytes:
    """Return the content of every file in a folder: databases, journals, whatever is there."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.asyncio
async def test_what_a_person_writes_is_neither_in_a_log_nor_readable_in_the_database(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        await chat.say(f"answered {MARKER}")
        for mode in ("error", "nonsense", "silent"):
            gate.engine.mode, gate.engine.nonsense = mode, MARKER.encode()
            await chat.say(f"unanswered {MARKER}")
        gate.engine.reset()
        await chat.call("POST", "messages", content=f'{{"id": {MARKER}'.encode())
        await chat.call("POST", "messages", json={"id": MARKER, "text": MARKER, MARKER: [MARKER]})
        await chat.call("POST", f"feedback?{MARKER}", json={"message_id": MARKER, "helpful": True})
        await chat.press(MARKER)
        await gate.http.get(f"/{MARKER}?q={MARKER}", headers={"X-Other": MARKER, "Authorization": MARKER})
        await gate.http.request(MARKER, "/")

        def broken(*_: object) -> None:
            raise RuntimeError(MARKER)

        monkeypatch.setattr(gate.services.store, "begin_turn", broken)
        assert (await chat.say(MARKER)).status_code == 500
        assert MARKER.encode() not in all_bytes(tmp_path)
        assert MARKER in (await chat.call("GET", "messages")).text
    logged = "\n".join(f"{record.getMessage()} {record.exc_info} {record.exc_text}" for record in caplog.records)
    # SQLAlchemy and asyncio at DEBUG included; only the client of this test knows its own addresses.
    assert MARKER not in "\n".join(line for line in logged.splitlines() if "lotse.test" not in line)
    assert "RuntimeError at" in logged


@pytest.mark.asyncio
async def test_an_access_line_has_the_route_and_neither_path_nor_query_nor_address(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with open_gate(tmp_path) as gate:
        await gate.http.get("/texts/de.json?secret=1")
        await gate.http.get("/wp-login.php")
    lines = [record.getMessage() for record in caplog.records if record.name == logs.ACCESS]
    assert re.fullmatch(r"GET /texts/\{language\}\.json 200 \d+ ms", lines[0])
    assert re.fullmatch(r"GET \(unknown\) 404 \d+ ms", lines[1])
    assert ADDRESS not in "".join(lines)


@pytest.mark.asyncio
async def test_the_address_of_a_caller_is_in_no_file(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        await (await gate.begin()).say("hello")
        assert ADDRESS.encode() not in all_bytes(tmp_path)


@pytest.mark.asyncio
async def test_nothing_of_a_deleted_conversation_stays_in_the_files(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        chat = await gate.begin()
        await chat.say("hello")
        conversation = chat.conversation
        await chat.call("DELETE", "sessions/current")
        from bot.transcripts import database

        engine = database.engine(gate.services.store.url)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        assert conversation.encode() not in all_bytes(tmp_path)


def test_an_exception_is_described_by_its_kind_and_place_only() -> None:
    try:
        try:
            raise KeyError(MARKER)
        except KeyError as error:
            raise ValueError(MARKER) from error
    except ValueError as error:
        described = logs.describe(error)
    assert described.startswith("ValueError <- KeyError at test_privacy.py:")
    assert MARKER not in described


@pytest.mark.parametrize("way", [["-m", "bot.gateway"], ["-m", "uvicorn", "bot.gateway.app:create_app", "--factory"]])
def test_the_running_server_logs_neither_address_nor_text_and_does_not_name_itself(tmp_path: Path, way: list[str]) -> None:
    port = free_port()
    used = make_settings(tmp_path)
    environment = {
        **os.environ,
        "LOTSE_HOME": str(tmp_path),
        "LOTSE_PORT": str(port),
        "LOTSE_ENGINE_PORT": str(shared_engine().port),
        "LOTSE_ACTIONS_PORT": str(shared_engine().port),
        "LOTSE_SECRET_KEY": used.secret_key,
        "LOTSE_TRANSCRIPTS_URL": "",
    }
    more = ["--port", str(port), "--ws", "none"] if "--factory" in way else []
    shared_engine().reset()
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, *way, *more], cwd=PROJECT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
                _wait_for(client)
                token = client.post("/api/chat/sessions", json={"language": "de"}).json()["token"]
                headers = {"Authorization": f"Bearer {token}"}
                body = {"id": new_id(), "text": MARKER}
                answer = client.post(f"/api/chat/messages?{MARKER}", json=body, headers=headers)
                assert answer.status_code == 200
                if not more:
                    assert "server" not in answer.headers
                upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "x"}
                client.get(f"/{MARKER}", headers={**upgrade, "Sec-WebSocket-Version": "13"})
        finally:
            process.terminate()
            process.wait(10)
    written = (tmp_path / "server.log").read_text()
    assert "POST /api/chat/messages 200" in written
    assert MARKER not in written
    assert "127.0.0.1:" not in written.replace(f"127.0.0.1:{port}", "")
    assert MARKER.encode() not in all_bytes(tmp_path)


def _wait_for(client: httpx.Client) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            client.get("/robots.txt")
            return
        except httpx.TransportError:
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.1)
