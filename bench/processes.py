"""What ``/proc`` tells about processes that the benchmarks started, and how these are stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

STOP_SECONDS = 20
_ROLES = (("bot.dialogue.engine", "engine"), ("rasa_sdk", "actions"), ("bot.gateway", "web"), ("bench.web", "web"))


@dataclass(frozen=True)
class Process:
    """A process; the start time tells it from a later one with the same number."""

    pid: int
    parent: int
    started: str


def _read(pid: int) -> Process | None:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if after_name[0] == "Z" else Process(pid, int(after_name[1]), after_name[19])


def family(pid: int) -> list[Process]:
    """Return a process and all that descend from it."""
    everyone = [p for p in (_read(int(name)) for name in os.listdir("/proc") if name.isdigit()) if p]
    found = [p for p in everyone if p.pid == pid]
    for one in found:  # grows while it is read: children, then their children
        found += [p for p in everyone if p.parent == one.pid and p not in found]
    return found


def _alive(process: Process) -> bool:
    # The parent of an orphan changes, its start time does not.
    now = _read(process.pid)
    return now is not None and now.started == process.started


def _signal(process: Process, number: signal.Signals) -> None:
    if _alive(process):
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            pass


def stop(process: subprocess.Popen[bytes], everyone: bool = False) -> None:
    """Stop a process that was started here and all its descendants; what does not end in time is killed.

    Args:
        process: the process.
        everyone: tell the descendants too, because the process does not; `lotse serve` does.
    """
    members = family(process.pid)
    for member in members if everyone else members[:1]:
        _signal(member, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and (process.poll() is None or any(_alive(p) for p in members[1:])):
        known = {p.pid for p in members}
        members += [p for p in family(process.pid) if p.pid not in known]
        time.sleep(0.05)
    for member in members:
        _signal(member, signal.SIGKILL)
    process.wait(timeout=STOP_SECONDS)


def peak_mb(pid: int | str = "self") -> float:
    """Return the peak of the resident memory (VmHWM) in MB; 0 if the process is gone."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmHWM") / 1024


def memory(pid: int) -> dict[str, dict[str, float]]:
    """Return RSS and PSS (MB) and the number of processes for each part of a guide that ``pid`` started.

    PSS divides what several processes share among them, so that it may be added up.
    """
    parts: dict[str, dict[str, float]] = {}
    for one in family(pid):
        path = Path(f"/proc/{one.pid}/smaps_rollup")
        part = parts.setdefault(_role(one.pid), {"processes": 0, "rss_mb": 0.0, "pss_mb": 0.0})
        part["processes"] += 1
        part["rss_mb"] += round(_kilobytes(path, "Rss") / 1024, 1)
        part["pss_mb"] += round(_kilobytes(path, "Pss") / 1024, 1)
    return {name: {k: round(v, 1) for k, v in part.items()} for name, part in parts.items()}


def _role(pid: int) -> str:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return "runner"
    return next((role for mark, role in _ROLES if mark in line), "runner")


def _kilobytes(path: Path, name: str) -> int:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
