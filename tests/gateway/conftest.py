"""The whole running guide, for the tests that need all of it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from bot.settings import settings
from tests.processes import RunningEngine

LONGEST_START = 60  # seconds


@pytest.fixture(scope="session")
def guide(running_engine: RunningEngine) -> Iterator[str]:
    """The address of the whole running guide."""
    running_engine.start("web")
    url = f"http://127.0.0.1:{settings().port}"
    deadline = time.monotonic() + LONGEST_START
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/health", timeout=5).json()["status"] == "ok":
                break
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    else:
        pytest.fail(running_engine.log_path("web").read_text())
    yield url
    running_engine.stop("web")
