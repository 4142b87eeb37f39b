"""Connection to the directory database, its migrations, and the one-time filling from ``data/``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

PROJECT = Path(__file__).resolve().parents[2]
DATA = PROJECT / "data"


def default_url() -> str:
    """Return the URL of the directory: ``LOTSE_DIRECTORY_URL``, else a SQLite file in ``LOTSE_HOME`` (``./var``)."""
    url = os.environ.get("LOTSE_DIRECTORY_URL")
    if url:
        return url
    home = Path(os.environ.get("LOTSE_HOME") or PROJECT / "var")
    return f"sqlite:///{home / 'directory.db'}"


@lru_cache(maxsize=8)
def engine(url: str) -> Engine:
    """Return the engine for ``url``, made once for each process.

    SQLite is opened in WAL mode with foreign keys on, so that an import does not block the chat.
    """
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    made = create_engine(url, future=True, pool_pre_ping=not url.startswith("sqlite"))
    if made.dialect.name == "sqlite":

        @event.listens_for(made, "connect")
        def _configure(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA busy_timeout=5000")

    return made


@contextmanager
def session(url: str | None = None) -> Iterator[Session]:
    """Open a session on the directory; commit when the block ends well, roll back when it raises."""
    opened = Session(engine(url or default_url()), future=True, expire_on_commit=False)
    try:
        yield opened
        opened.commit()
    except BaseException:
        opened.rollback()
        raise
    finally:
        opened.close()


def upgrade(url: str | None = None) -> None:
    """Bring the tables of the directory to the newest version (Alembic)."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["engine"] = engine(url or default_url())
    command.upgrade(config, "head")
