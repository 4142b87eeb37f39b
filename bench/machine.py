"""What a number was measured on: hardware, versions, how busy the machine was."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = (
    "rasa",
    "rasa-sdk",
    "tensorflow",
    "scikit-learn",
    "numpy",
    "spacy",
    "de-core-news-sm",
    "SQLAlchemy",
    "sanic",
    "starlette",
    "uvicorn",
    "httpx",
)


def facts() -> dict[str, Any]:
    """Return cores, processor, memory, system, Python, the versions of the packages that matter, and the load now."""
    return {
        "cores": os.cpu_count(),
        "cpu": _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "memory_gb": round(int((_field("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) / 1024**2, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "load_at_start": [round(value, 2) for value in os.getloadavg()],
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _field(path: str, name: str) -> str | None:
    for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None
