"""`lotse serve`: fills the directory, trains if needed, and runs the three processes together (honcho)."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable

import httpx
from honcho.manager import Manager

from bot.settings import PROJECT, settings
from bot.training import environment, train

# Longest wait (seconds) until all parts answer; a slow machine needs half a minute.
LONGEST_START = 180


class CannotStart(Exception):
    """The guide cannot be started; the message says what to do."""


def serve(say: Callable[[str], None]) -> int:
    """Start everything and wait until it ends; return the exit code.

    Args:
        say: prints one line for the person at the terminal.

    Raises:
        CannotStart: if a port is in use or a database cannot be opened.
    """
    from actions.directory.fill import fill

    config = settings()
    for name, port in (("LOTSE_PORT", config.port), ("LOTSE_ENGINE_PORT", config.engine_port), ("LOTSE_ACTIONS_PORT", config.actions_port)):
        _check_port(config.host if name == "LOTSE_PORT" else "127.0.0.1", port, name)
    _ = config.secret_key
    try:
        for note in fill(config.directory_url).notes:
            say(note)
        _check_transcripts()
    except Exception as error:
        raise CannotStart(f"A database cannot be opened: {_short(error)}\nCheck LOTSE_HOME and the LOTSE_*_URL settings.") from error
    model = train()
    manager = Manager()
    # The engine takes longest: it starts first.
    for name, command in commands(str(model)).items():
        manager.add_process(name, command, env=environment(), cwd=str(PROJECT), quiet=False)
    threading.Thread(target=_announce, args=(say,), daemon=True).start()
    manager.loop()
    return int(manager.returncode or 0)


def commands(model: str) -> dict[str, str]:
    """Return the command line of each process, for this runner and for production (docs/operating.md)."""
    config, python = settings(), sys.executable
    return {
        "engine": f"{python} -m bot.dialogue.engine run --interface 127.0.0.1 --port {config.engine_port} --model {model}"
        " --endpoints endpoints.yml --credentials credentials.yml",
        "actions": f"{python} -m rasa_sdk --actions actions --port {config.actions_port}",
        "web": f"{python} -m bot.web",
    }


def address() -> str:
    """Return the address of the page as a person would type it."""
    host = settings().host
    return f"http://{'localhost' if host in ('127.0.0.1', '0.0.0.0') else host}:{settings().port}/"


def wait_until_ready(longest: float = LONGEST_START) -> bool:
    """Wait until a message can really be answered (all parts healthy); return whether that happened in time (seconds)."""
    deadline = time.monotonic() + longest
    url = f"http://127.0.0.1:{settings().port}/health"
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=2).json().get("status") == "ok":
                return True
        except (httpx.HTTPError, ValueError):
            pass
        time.sleep(0.2)
    return False


def _announce(say: Callable[[str], None]) -> None:
    began = time.monotonic()
    if wait_until_ready():
        say(f"iq-lotse is ready after {time.monotonic() - began:.0f} s: open {address()} and chat. Ctrl-C stops it.")
    else:
        say(f"iq-lotse is not ready after {LONGEST_START} s; the lines above say why. {address()}health names the part.")


def _check_port(host: str, port: int, setting: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotStart(
                f"Port {port} on {host} is in use or not allowed. Stop the other program, or choose another port: {setting}=9090 make run"
            ) from error


def _check_transcripts() -> None:
    from bot.transcripts.database import upgrade

    upgrade(settings().transcripts_url)


def _short(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0][:300]
