"""A gateway that listens on a real port: what stands between a client's bytes and the application is tested as well."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from bot.gateway.app import create_app

from .fake_engine import FakeEngine, free_port
from .support import make_settings

LONGEST_START = 20  # seconds, on a busy machine
_addresses = (f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in itertools.count(1))


@dataclass(frozen=True)
class LiveGateway:
    """A gateway with an engine of its own."""

    url: str
    engine: FakeEngine


def another_address() -> dict[str, str]:
    """Return the header of a caller who has not called before; the live gateway trusts it as that of a proxy."""
    return {"X-Forwarded-For": next(_addresses)}


@contextmanager
def live_gateway(home: Path, **changes: Any) -> Iterator[LiveGateway]:
    """Serve the gateway as ``bot.gateway.__main__`` does, from a thread.

    Args:
        home: where the database goes.
        changes: settings that differ.
    """
    engine = FakeEngine().start()
    port = free_port()
    used = make_settings(home, engine_port=engine.port, actions_port=engine.port, trusted_proxies=("127.0.0.1",), **changes)
    config = uvicorn.Config(
        create_app(used), host="127.0.0.1", port=port, log_level="critical", proxy_headers=False, server_header=False, ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + LONGEST_START
        while not server.started:
            assert thread.is_alive() and time.monotonic() < deadline, "the gateway does not start"
            time.sleep(0.01)
        yield LiveGateway(f"http://127.0.0.1:{port}", engine)
    finally:
        server.should_exit = True
        thread.join(20)
        engine.stop()
