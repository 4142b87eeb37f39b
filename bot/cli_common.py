"""What the commands share: how they end with a message, and how they open the transcripts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bot.settings import settings

# Exit codes: something is wrong with the machine or the data; the command was called in a way that cannot work.
PROBLEM, USAGE = 1, 2
err = Console(stderr=True)


def stop(message: str, code: int = PROBLEM) -> typer.Exit:
    """Say what is wrong on standard error, and return the exit to raise."""
    err.print(f"[red]{escape(message)}[/red]", highlight=False, soft_wrap=True)
    return typer.Exit(code)


def misuse(message: str) -> typer.Exit:
    """Say why the command cannot work as it was called, and return the exit to raise."""
    return stop(message, USAGE)


@contextmanager
def transcripts_ready() -> Iterator[str]:
    """Yield the URL of the transcripts, brought to their newest version; what is wrong with them becomes a message."""
    from bot.transcripts import database

    url = settings().transcripts_url
    try:
        database.upgrade(url)
        yield url
    except (SQLAlchemyError, FileNotFoundError, PermissionError, NotADirectoryError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise stop(f"The transcripts cannot be opened: {reason}\nCheck LOTSE_HOME and LOTSE_TRANSCRIPTS_URL.") from error


@contextmanager
def transcripts_session() -> Iterator[Session]:
    """Open a session on the transcripts; committed when the block ends well."""
    from bot.transcripts import database

    with transcripts_ready() as url, database.session(url) as session:
        yield session
