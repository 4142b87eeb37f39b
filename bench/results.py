"""Results: figures, tables, targets; kept as JSON in ``results/bench`` (``results/bench/quick`` for smoke tests)."""

from __future__ import annotations

import json
import shlex
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bench import machine
from bot.settings import PROJECT

_BEGAN = time.monotonic()


def say(line: str) -> None:
    """Print a line of progress."""
    elapsed = int(time.monotonic() - _BEGAN)
    print(f"[{elapsed // 60:3d}:{elapsed % 60:02d}] {line}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Target:
    """A target of the issue, what was measured, and whether that meets it."""

    name: str
    wanted: str
    measured: str
    met: bool


@dataclass(frozen=True)
class Table:
    """A table of the report; cells are ready to print."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""


@dataclass
class Result:
    """The outcome of one benchmark."""

    name: str
    settings: dict[str, Any]
    data: dict[str, Any]
    tables: list[Table]
    targets: list[Target] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=machine.facts)
    date: str = field(default_factory=lambda: now())
    command: str = field(default_factory=lambda: command())


def now() -> str:
    """Return the present moment, to the minute, in UTC."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def command() -> str:
    """Return the command that was given."""
    return shlex.join(["python", "-m", "bench", *sys.argv[1:]])


def below(name: str, value: float, limit: float, unit: str) -> Target:
    """Return the target that ``value`` lies below ``limit``."""
    return Target(name, f"< {limit:g} {unit}".strip(), f"{value:.3g} {unit}".strip(), value < limit)


def at_most(name: str, value: float, limit: float, unit: str = "") -> Target:
    """Return the target that ``value`` does not exceed ``limit``."""
    return Target(name, f"<= {limit:g} {unit}".strip(), f"{value:.3g} {unit}".strip(), value <= limit)


def at_least(name: str, value: float, limit: float) -> Target:
    """Return the target that ``value`` reaches ``limit``."""
    return Target(name, f">= {limit:g}", f"{value:.4f}", value >= limit)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return number, median, 95th percentile and maximum of measured values."""
    if not values:
        return {"n": 0, "p50": 0.0, "p95": 0.0, "max": 0.0}
    p95 = statistics.quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]
    return {"n": len(values), "p50": round(statistics.median(values), 3), "p95": round(p95, 3), "max": round(max(values), 3)}


def folder(quick: bool) -> Path:
    """Return where the JSON files are."""
    return PROJECT / "results" / "bench" / ("quick" if quick else "")


def save(result: Result, quick: bool) -> Path:
    """Write a result; return its file."""
    path = folder(quick) / f"{result.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(result), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return path


def load(name: str, quick: bool) -> Result | None:
    """Return the stored result of a benchmark, or None if there is none."""
    path = folder(quick) / f"{name}.json"
    if not path.exists():
        return None
    stored = json.loads(path.read_text(encoding="utf-8"))
    stored["tables"] = [Table(**table) for table in stored["tables"]]
    stored["targets"] = [Target(**target) for target in stored["targets"]]
    return Result(**stored)
