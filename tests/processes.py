"""The engine (`rasa run`) and the action server as real processes, for tests that talk to them over HTTP."""

from __future__ import annotations

import json
import shlex
import socket
import sqlite3
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from actions.directory.database import default_url
from actions.directory.fill import fill
from bot.dialogue.engine_key import engine_key
from bot.serve import commands
from bot.settings import PROJECT, settings
from bot.training import environment

LONGEST_START = 180  # seconds, on a busy machine
LOG_TAIL = 4_000  # characters shown when a process fails


class ProcessFailed(Exception):
    """A process ended or never answered; the message carries the end of its log."""


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(app: Any, port: int | None = None, **more: Any) -> Iterator[str]:
    """Serve an application on loopback from a thread; yield its address.

    Args:
        app: an ASGI application.
        port: the port; a free one if not given.
        more: further options of uvicorn.
    """
    used = port or free_port()
    options = {"log_level": "critical", "ws": "none", "server_header": False, **more}
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=used, **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline, "the server does not start"
        time.sleep(0.01)
    try:
        yield f"{'https' if 'ssl_certfile' in more else 'http'}://127.0.0.1:{used}"
    finally:
        server.should_exit = True
        thread.join(10)


@dataclass
class RunningEngine:
    """Engine and action server of this test run.

    They log at DEBUG, so that the tests of the logs see all that could ever be written.
    """

    model: Path
    home: Path
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    # -- the processes ---------------------------------------------------------------------------------------------

    @property
    def engine_url(self) -> str:
        """The address of the engine channel."""
        return settings().engine_url

    @property
    def actions_url(self) -> str:
        """The address of the action server."""
        return settings().actions_url

    def log_path(self, name: str) -> Path:
        """Return the log file of ``engine`` or ``actions``."""
        return self.home / f"{name}.log"

    def log_text(self) -> str:
        """Return all that both processes have written."""
        return "".join(self.log_path(n).read_text("utf-8", "replace") for n in ("engine", "actions") if self.log_path(n).exists())

    def start(self, name: str) -> None:
        """Start ``engine`` or ``actions`` with the command that `lotse serve` uses."""
        with self.log_path(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                shlex.split(commands(str(self.model))[name]),
                cwd=PROJECT,
                env={**environment(), "LOG_LEVEL": "DEBUG"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def stop(self, name: str) -> None:
        """Stop one process and wait until it is gone."""
        process = self._running.pop(name, None)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=20)

    def stop_all(self) -> None:
        """Stop both processes."""
        for name in list(self._running):
            self.stop(name)

    def wait(self, name: str) -> None:
        """Wait until a process answers its health check.

        Raises:
            ProcessFailed: if it ends before, or does not answer in time.
        """
        url = f"{self.engine_url if name == 'engine' else self.actions_url}/health"
        deadline = time.monotonic() + LONGEST_START
        while time.monotonic() < deadline:
            code = self._running[name].poll()
            if code is not None:
                raise ProcessFailed(f"The process {name!r} ended with {code}. Its log ends so:\n{self._tail(name)}")
            try:
                if httpx.get(url, timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise ProcessFailed(f"{url} did not answer in {LONGEST_START} s. The log ends so:\n{self._tail(name)}")

    def restart(self, name: str) -> None:
        """Stop and start one process; its databases stay."""
        self.stop(name)
        self.start(name)
        self.wait(name)

    def _tail(self, name: str) -> str:
        return self.log_path(name).read_text("utf-8", "replace")[-LOG_TAIL:]

    # -- talking to the engine -------------------------------------------------------------------------------------

    def request(self, method: str, path: str, key: str | None = None, **more: Any) -> httpx.Response:
        """Call the engine channel with its key, or with ``key``."""
        headers = {"Authorization": f"Bearer {engine_key() if key is None else key}"}
        return httpx.request(method, f"{self.engine_url}{path}", headers=headers, timeout=60, **more)

    def call(self, conversation: str, **body: Any) -> dict[str, Any]:
        """Send one call to ``/messages`` and return the answer; an answer that is not 200 fails the test."""
        answer = self.request("POST", "/messages", json={"conversation": conversation, "channel": "web", **body})
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}\n{self._tail('engine')}"
        return dict(answer.json())

    def begin(self, language: str | None = "de") -> tuple[str, dict[str, Any]]:
        """Begin a conversation; return its id and the welcome."""
        conversation = f"test-{uuid.uuid4().hex}"
        return conversation, self.call(conversation, language=language, start=True)

    def say(self, language: str | None, *texts: str) -> list[dict[str, Any]]:
        """Begin a conversation and say ``texts``; return the answers, the welcome first."""
        conversation, welcome = self.begin(language)
        return [welcome, *(self.call(conversation, language=language, text=text) for text in texts)]

    def events(self, conversation: str) -> list[dict[str, Any]]:
        """Return the stored events of a conversation, oldest first, from the tracker database itself."""
        with sqlite3.connect(f"file:{self.tracker_path}?mode=ro", uri=True) as database:
            rows = database.execute("SELECT data FROM events WHERE sender_id = ? ORDER BY id", (conversation,)).fetchall()
        return [json.loads(data) for (data,) in rows]

    @property
    def tracker_path(self) -> Path:
        """The file of the tracker database."""
        return self.home / "tracker.db"


def responses(answer: dict[str, Any]) -> list[str]:
    """Return the ids of the responses in an answer of the engine."""
    return [message["response"] for message in answer["messages"]]


def texts(answer: dict[str, Any]) -> str:
    """Return all texts of an answer."""
    return "\n".join(message["text"] for message in answer["messages"])


def referral(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the last referral of an answer; a missing one fails the test."""
    found = [message["referral"] for message in answer["messages"] if message["referral"]]
    assert found, f"no referral in {responses(answer)}"
    return dict(found[-1])


@pytest.fixture(scope="session")
def full_directory_url(lotse_home: Path) -> str:
    """The URL of a SQLite directory with everything that is shipped."""
    url = default_url()
    result = fill(url)
    assert not result.problems, result.problems
    return url


@pytest.fixture(scope="session")
def running_engine(trained_model: Path, full_directory_url: str, lotse_home: Path) -> Iterator[RunningEngine]:
    """Engine and action server, started once for the whole test run."""
    engine = RunningEngine(trained_model, lotse_home)
    try:
        for name in ("engine", "actions"):
            engine.start(name)
        for name in ("actions", "engine"):
            engine.wait(name)
        yield engine
    finally:
        engine.stop_all()
