"""Connection to the transcripts database and its migrations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from bot.settings import settings


def default_url() -> str:
    """Return the URL of the transcripts: ``LOTSE_TRANSCRIPTS_URL``, else a SQLite file in ``LOTSE_HOME``."""
    return settings().transcripts_url


@lru_cache(maxsize=8)
def engine(url: str) -> Engine:
    """Return the engine for ``url``, made once for each process.

    Parameters are hidden: SQLAlchemy's error messages would otherwise carry what a person wrote into a log.
    """
    if not url.startswith("sqlite"):
        return create_engine(url, future=True, pool_pre_ping=True, hide_parameters=True)
    path = url.removeprefix("sqlite:///").partition("?")[0]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # A pool, although a SQLite connection is cheap: the PRAGMAs below would run before each query.
    made = create_engine(
        url,
        future=True,
        hide_parameters=True,
        poolclass=QueuePool,
        connect_args={"check_same_thread": False, "timeout": 5},
    )

    @event.listens_for(made, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA busy_timeout=5000")
        # With WAL this cannot damage the file; a power cut may lose the last turn, which the person then repeats.
        connection.execute("PRAGMA synchronous=NORMAL")
        # Deleted rows are overwritten with zeros: "delete my data" must not leave them in free pages.
        connection.execute("PRAGMA secure_delete=ON")

    return made


@contextmanager
def session(url: str | None = None) -> Iterator[Session]:
    """Open a session on the transcripts; commit when the block ends well, roll back when it raises."""
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
    """Bring the tables of the transcripts to the newest version (Alembic)."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["engine"] = engine(url or default_url())
    command.upgrade(config, "head")
