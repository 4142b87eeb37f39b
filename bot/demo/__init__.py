"""The demonstration of the review: a home of its own, filled with believable conversations that nobody has had.

What is filled in is written by the code that writes the real things (``bot.transcripts``), from the scripts in
``data/demo``; the same seed gives the same conversations.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from bot.settings import Settings

FOLDER = "demo"
# Says that a folder is the home of a demonstration, and may be deleted as one.
MARK = "this-is-a-demonstration.txt"
MARK_TEXT = "Made by `lotse demo`; everything in this folder is invented. `lotse demo --reset` deletes the folder.\n"
# Says that the filling came to its end.
FILLED = "filled.json"
LOCK = "demo.lock"
CONVERSATIONS, SEED = 220, 1


class DemoError(Exception):
    """The demonstration cannot be started; the message says why and what to do."""


@dataclass(frozen=True)
class Filled:
    """What the demonstration was filled with, and when."""

    at: datetime
    conversations: int
    seed: int


def home_of(settings: Settings) -> Path:
    """Return the home of the demonstration that belongs to a LOTSE_HOME."""
    return settings.home / FOLDER


def settings_of(home: Path, settings: Settings, port: int) -> Settings:
    """Return the settings with which the demonstration runs: nothing of the real ones but where to listen.

    Args:
        home: the home of the demonstration.
        settings: those of the process.
        port: where the review is served.
    """
    return replace(
        settings,
        port=port,
        home=home,
        directory_url=f"sqlite:///{home / 'directory.db'}",
        transcripts_url=f"sqlite:///{home / 'transcripts.db'}",
        tracker_url=f"sqlite:///{home / 'tracker.db'}",
        redis_url=None,
        operator="Vorführung (alles erfunden)",
        callback_states=("all",),
        second_factor=False,
        transcript_days=30,
        structure_hours=48,
        public_url=None,
        smtp_url=None,
        mail_from=None,
        _secret=None,
    )


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Keep a second demonstration out of the same home.

    Raises:
        DemoError: if one is running, or the folder cannot be written.
    """
    path = home.parent / LOCK
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DemoError(f"A demonstration is running already in {home}. End it first (Ctrl+C).") from error
            yield
    except OSError as error:
        raise DemoError(f"{error.filename or home}: {error.strerror or error}.") from error


def filled(home: Path) -> Filled | None:
    """Return what a demonstration was filled with; None if it is not, or not to its end."""
    try:
        found = json.loads((home / FILLED).read_text(encoding="utf-8"))
        return Filled(datetime.fromisoformat(found["at"]), int(found["conversations"]), int(found["seed"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def reset(home: Path) -> bool:
    """Delete a demonstration; return whether there was one.

    Raises:
        DemoError: if the folder is not the home of a demonstration. Nothing is deleted then.
    """
    if not home.exists() and not home.is_symlink():
        return False
    _check_is_demonstration(home)
    shutil.rmtree(home)
    return True


def fill(settings: Settings, conversations: int, seed: int, now: datetime, say: Callable[[str, int, int], None]) -> Filled:
    """Fill the home of a demonstration, unless it is filled.

    Args:
        settings: from :func:`settings_of`.
        conversations: how many conversations stand in the review.
        seed: the same seed gives the same conversations.
        now: the moment; the newest conversation has just ended.
        say: told what is being done, how much of it, and of how much.

    Returns:
        What the home is filled with, now or before.

    Raises:
        DemoError: if the folder belongs to something else.
        ScriptError: if a conversation in ``data/demo`` cannot be used.
    """
    home = settings.home
    known = filled(home)
    if known is not None:
        return known
    if home.exists() or home.is_symlink():
        # A filling that was broken off begins anew.
        if home.is_symlink() or not home.is_dir() or any(home.iterdir()):
            _check_is_demonstration(home)
        shutil.rmtree(home)
    home.mkdir(parents=True, mode=0o700)
    (home / MARK).write_text(MARK_TEXT, encoding="utf-8")
    _fill(settings, conversations, seed, now, say)
    made = Filled(now, conversations, seed)
    (home / FILLED).write_text(json.dumps({"at": now.isoformat(), "conversations": conversations, "seed": seed}), encoding="utf-8")
    return made


def _fill(settings: Settings, conversations: int, seed: int, now: datetime, say: Callable[[str, int, int], None]) -> None:
    from actions.directory.fill import fill as fill_directory
    from bot.demo import conversations as stage
    from bot.demo import scripts, staff, work
    from bot.review.services import ReviewServices
    from bot.transcripts import database, retention
    from bot.web.clients import Clients
    from bot.web.limits import Limits

    say("reading the conversations", 0, 1)
    files = [scripts.load(language) for language in scripts.languages()]
    say("filling the directory", 0, 1)
    fill_directory(settings.directory_url)
    database.upgrade(settings.transcripts_url)
    services = ReviewServices(settings, Limits(None), Clients((), settings.secret_key), lambda: now)
    with services.session() as session:
        staff.ready(session, services.totp_key, now)
    written = stage.perform(settings, files, conversations, seed, now, lambda done, of: say("writing conversations", done, of))
    say("reviewing some of them", 0, 1)
    work.do(services, files, written, seed, now)
    say("deleting what is kept no longer", 0, 1)
    retention.run(settings, now)


def _check_is_demonstration(home: Path) -> None:
    if home.is_symlink() or not home.is_dir() or home.name != FOLDER or not (home / MARK).is_file():
        raise DemoError(f"{home} is not the home of a demonstration ({MARK} is missing), so it is left alone. Move it away first.")
