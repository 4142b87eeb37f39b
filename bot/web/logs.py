"""What the web process logs: never an address, a query, a header, or anything that a person wrote."""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType

ACCESS = "bot.web.access"


def configure() -> None:
    """Set the loggers up, and silence those that would write addresses.

    uvicorn logs the client's address and the query with each request, also when it is started without
    ``--no-access-log``; the gateway writes its own lines instead.
    """
    own = logging.getLogger("bot")
    if not own.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        own.addHandler(handler)
    if own.level == logging.NOTSET:
        own.setLevel(logging.INFO)
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False
    logging.getLogger("uvicorn.error").addFilter(_no_websocket_lines)
    # httpx writes the address of each call, which holds the id of a conversation.
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def describe(error: BaseException) -> str:
    """Return what happened and where, without the message of the exception, which may quote a person's text."""
    causes = [type(error).__name__]
    places = _places(error.__traceback__)
    cause = error.__cause__ or error.__context__
    while cause is not None and len(causes) < 5:
        causes.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    return f"{' <- '.join(causes)} at {places}"


def _places(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)[-8:]
    return " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)


def _no_websocket_lines(record: logging.LogRecord) -> bool:
    """Drop uvicorn's lines on refused WebSockets: they hold the address and the query of the caller."""
    return "WebSocket" not in str(record.msg)
