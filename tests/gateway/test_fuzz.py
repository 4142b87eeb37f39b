"""The short form of ``make fuzz``: the gateway on a real port, attacked with generated inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import fuzz
from bench.wire import NO_ANSWER

from .live import live_gateway

INPUTS = 1200


@pytest.mark.asyncio
async def test_generated_inputs_break_no_promise_of_the_chat_api(tmp_path: Path, full_directory_url: str) -> None:
    with live_gateway(tmp_path, directory_url=full_directory_url) as gateway:
        report = await fuzz.attack(int(gateway.url.rpartition(":")[2]), INPUTS)
        asked = gateway.engine.asked
    assert report.violations == []
    # It must have come to all this.
    assert report.done >= INPUTS
    assert {status for _, status in report.statuses} >= {200, 201, 204, 400, 401, 404, 405, 413, 415, 429, NO_ANSWER}
    assert {kind for kind, _ in report.statuses} >= {'text with "/"', "hostile text", "twice at once", "forged token", "foreign button"}
    assert report.acknowledged > 200
    # Only buttons are commands; what begins with "/" reached the engine as a text.
    payloads = {body["payload"] for body in asked if "payload" in body}
    assert payloads <= {"/recognition", "/qualification", "/fair_integration"}
    assert any(str(body.get("text")).startswith("/restart") for body in asked)
    # Each was asked once, however often it was sent.
    assert sum("text" in body or "payload" in body for body in asked) >= report.acknowledged


@pytest.mark.asyncio
async def test_a_message_that_is_never_answered_is_a_broken_promise(tmp_path: Path) -> None:
    with live_gateway(tmp_path) as gateway:
        gateway.engine.mode = "error"
        report = await fuzz.attack(int(gateway.url.rpartition(":")[2]), 1, people=1, patience=0)
    assert "503 engine_unavailable instead of (200,)" in "\n".join(report.violations)
