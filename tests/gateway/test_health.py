"""The health check asks each part, and tells nothing that helps an attacker."""

from __future__ import annotations

from pathlib import Path

import pytest

from .fake_engine import FakeEngine
from .support import open_gate

pytestmark = pytest.mark.asyncio


async def test_all_is_well_when_every_part_answers(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        answer = await gate.http.get("/health")
        assert answer.status_code == 200
        assert answer.json() == {"status": "ok", "parts": {"engine": "ok", "actions": "ok", "transcripts": "ok"}}


async def test_a_dead_engine_is_a_503(tmp_path: Path) -> None:
    engine = FakeEngine().start()
    async with open_gate(tmp_path, engine) as gate:
        engine.stop()
        answer = await gate.http.get("/health")
        assert answer.status_code == 503
        assert answer.json() == {
            "status": "degraded",
            "parts": {"engine": "down", "actions": "down", "transcripts": "ok"},
        }


async def test_a_broken_action_server_is_degraded_but_alive(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        gate.engine.actions_work = False
        answer = await gate.http.get("/health")
        assert answer.status_code == 200
        assert answer.json()["status"] == "degraded"
        assert answer.json()["parts"]["actions"] == "down"


async def test_the_action_server_does_not_learn_the_key_of_the_engine(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        await gate.http.get("/health")
        assert gate.engine.keys == [None]


@pytest.mark.parametrize("nonsense", [b"", b"[]", b"{}", b'{"status": "broken"}', b"null"])
async def test_an_engine_that_answers_nonsense_is_down(tmp_path: Path, nonsense: bytes) -> None:
    async with open_gate(tmp_path) as gate:
        gate.engine.mode, gate.engine.nonsense = "nonsense", nonsense
        assert (await gate.http.get("/health")).status_code == 503


async def test_a_database_that_does_not_answer_is_a_503(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        gate.services.store.url = f"sqlite:///{tmp_path}"  # a folder
        answer = await gate.http.get("/health")
        assert answer.status_code == 503
        assert answer.json()["parts"] == {"engine": "ok", "actions": "ok", "transcripts": "down"}
        assert str(tmp_path) not in answer.text


async def test_neither_versions_nor_paths_are_told(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        answer = await gate.http.get("/health")
        assert "fake-model" not in answer.text
        assert "server" not in answer.headers
