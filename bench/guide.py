"""A guide that runs for a benchmark: its own home, ports and processes, all on loopback, all stopped at the end."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench import processes
from bench.results import say
from bot.serve import commands
from bot.settings import PROJECT, settings
from bot.training import current_model, environment

LONGEST_START = 240
_SCRIPT = Path(sys.executable).parent / "lotse"
LOTSE = [str(_SCRIPT)] if _SCRIPT.exists() else [sys.executable, "-m", "bot.cli"]
_KEPT = ("LOTSE_MODELS",)


class GuideFailed(Exception):
    """A process ended or did not answer in time; the message carries the end of its log."""


@contextmanager
def home_of_its_own() -> Iterator[Path]:
    """Give this process, and all that it starts, an empty ``LOTSE_HOME`` and free ports; undo that at the end."""
    before = {name: value for name, value in os.environ.items() if name.startswith("LOTSE_")}
    with tempfile.TemporaryDirectory(prefix="lotse-bench-", ignore_cleanup_errors=True) as folder:
        for name in before:
            if name not in _KEPT:
                del os.environ[name]
        ports = _free_ports(3)
        made = dict(zip(("LOTSE_PORT", "LOTSE_ENGINE_PORT", "LOTSE_ACTIONS_PORT"), map(str, ports), strict=True))
        # Each simulated person gets an address of their own, as in front of a real proxy.
        os.environ.update({"LOTSE_HOME": folder, "LOTSE_HOST": "127.0.0.1", "LOTSE_TRUSTED_PROXIES": "127.0.0.1", **made})
        settings.cache_clear()
        try:
            yield Path(folder)
        finally:
            for name in [n for n in os.environ if n.startswith("LOTSE_")]:
                del os.environ[name]
            os.environ.update(before)
            settings.cache_clear()


def _free_ports(count: int) -> list[int]:
    # All open at once, so that no port is given twice.
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def model() -> Path:
    """Return the model for the present data; train it with `lotse train` if there is none.

    Raises:
        GuideFailed: if that fails, or the data changed meanwhile.
    """
    found = current_model()
    if found is not None:
        return found
    say("There is no model for the present data; training it first (not measured here).")
    with tempfile.TemporaryFile() as log:
        # Its many lines would stand among the tables.
        process = subprocess.Popen(
            [*LOTSE, "train"],
            cwd=PROJECT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            process.wait()
        finally:
            processes.stop(process, everyone=True)
        found = current_model()
        if process.returncode or found is None:
            log.seek(0)
            raise GuideFailed(f"`lotse train` ended with {process.returncode}:\n{log.read().decode('utf-8', 'replace')[-3000:]}")
    return found


@dataclass
class Guide:
    """A running guide."""

    home: Path
    began: float  # time.monotonic() right before the first process was started
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address of the gateway."""
        return f"http://127.0.0.1:{settings().port}"

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.began

    def engine_works(self) -> bool:
        """Return whether the engine says that it is ready."""
        try:
            return httpx.get(f"{settings().engine_url}/health", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def gateway_works(self) -> bool:
        """Return whether the gateway takes connections."""
        try:
            socket.create_connection(("127.0.0.1", settings().port), timeout=1).close()
        except OSError:
            return False
        return True

    def wait(self) -> None:
        """Wait until engine and gateway answer.

        Raises:
            GuideFailed: if a process ends or the time is over.
        """
        while not (self.engine_works() and self.gateway_works()):
            self.check()
            time.sleep(0.05)

    def check(self) -> None:
        """Make sure that the guide still runs and still has time to start.

        Raises:
            GuideFailed: if not.
        """
        self.check_running()
        if self.seconds() > LONGEST_START:
            self._fail(next(iter(self.running)), f"did not answer in {LONGEST_START} s")

    def check_running(self) -> None:
        """Make sure that all processes still run.

        Raises:
            GuideFailed: if not.
        """
        for name, process in self.running.items():
            if process.poll() is not None:
                self._fail(name, f"ended with {process.returncode}")

    def _fail(self, name: str, reason: str) -> None:
        log = (self.home / f"{name}.log").read_text("utf-8", "replace")
        raise GuideFailed(f"The process {name!r} {reason}. Its log ends so:\n{log[-3000:]}")

    def memory(self) -> dict[str, dict[str, float]]:
        """Return the memory of all parts now."""
        parts: dict[str, dict[str, float]] = {}
        for process in self.running.values():
            parts.update(processes.memory(process.pid))
        return parts


@contextmanager
def served(home: Path) -> Iterator[Guide]:
    """Run ``lotse serve``, just as a user starts it."""
    with _running(home, {"serve": [*LOTSE, "serve"]}) as guide:
        yield guide


@contextmanager
def in_parts(home: Path, web: str = "bench.web") -> Iterator[Guide]:
    """Run the three processes with the commands of ``lotse serve``, the web process with wide limits (``bench.web``).

    Args:
        home: where everything is kept.
        web: the module of the web process; ``bot.gateway`` has the limits that people meet.
    """
    from actions.directory.fill import fill

    trained = model()
    fill(settings().directory_url)
    _ = settings().secret_key
    parts = {name: shlex.split(command) for name, command in commands(str(trained)).items()}
    parts["web"] = [sys.executable, "-m", web]
    with _running(home, parts) as guide:
        guide.wait()
        yield guide


@contextmanager
def fake_parts(home: Path) -> Iterator[Guide]:
    """Run the gateway with the stand-in for engine and action server that its tests use."""
    from actions.directory.fill import fill

    os.environ["LOTSE_ACTIONS_PORT"] = os.environ["LOTSE_ENGINE_PORT"]
    settings.cache_clear()
    fill(settings().directory_url)
    _ = settings().secret_key
    engine = [sys.executable, str(PROJECT / "tests" / "gateway" / "fake_engine.py"), str(settings().engine_port)]
    with _running(home, {"engine": engine, "web": [sys.executable, "-m", "bot.gateway"]}) as guide:
        guide.wait()
        yield guide


@contextmanager
def _running(home: Path, parts: dict[str, list[str]]) -> Iterator[Guide]:
    guide = Guide(home, time.monotonic())
    try:
        for name, command in parts.items():
            with (home / f"{name}.log").open("ab") as log:
                guide.running[name] = subprocess.Popen(
                    command,
                    cwd=PROJECT,
                    env={**environment(), "TMPDIR": str(home)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C is for the benchmark, which then stops these in order.
                    start_new_session=True,
                )
        yield guide
    finally:
        for process in guide.running.values():
            processes.stop(process)
