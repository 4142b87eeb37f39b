"""Keeps what people write out of every log.

Rasa logs message texts, at DEBUG always and at WARNING and ERROR in some places, through ``structlog`` and through
``logging``. Two nets catch them: known keys of structured entries are blanked, and while a message is being handled its
text is replaced wherever it turns up in a log line or traceback.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog

REDACTED = "[redacted]"
# Keys of Rasa's structured entries that carry what a person or the guide said (rasa/utils/log_utils.py and callers).
PERSONAL_KEYS = frozenset(
    "text response_text user_text slot_values parse_data_text parse_data_entities prediction_events "
    "tracker_latest_message prefilled_slots message response slot_candidates rasa_event rasa_events tracker_states "
    "current_states old_states successes current_entity next_entity states entity entity_value json_message "
    "event events body data payload user_message".split()
)
# Texts shorter than this (in characters) are too common to be searched for in log lines.
_SHORTEST = 4
_current: ContextVar[str] = ContextVar("lotse_message_text", default="")


@contextmanager
def handling(text: str) -> Iterator[None]:
    """While the block runs, ``text`` is kept out of every log line of this task."""
    token = _current.set(text)
    try:
        yield
    finally:
        _current.reset(token)


def scrub(line: str) -> str:
    """Replace the text of the message that is being handled, also in its JSON and repr spellings."""
    text = _current.get()
    if len(text) < _SHORTEST:
        return line
    for spelling in (text, json.dumps(text)[1:-1], repr(text)[1:-1], text.lower()):
        line = line.replace(spelling, REDACTED)
    return line


class RedactionFilter(logging.Filter):
    """Scrubs finished log records; put on every handler of the root logger."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Scrub message, arguments and traceback of ``record`` and let it pass."""
        record.msg = scrub(record.getMessage())
        record.args = None
        if record.exc_info:
            record.exc_text = scrub(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


def redact_keys(_logger: Any, _name: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank the personal keys of a structured entry (a ``structlog`` processor)."""
    return {key: REDACTED if key in PERSONAL_KEYS and value else value for key, value in event_dict.items()}


def install() -> None:
    """Put both nets in place; safe to call twice."""
    processors = list(structlog.get_config()["processors"])
    if redact_keys not in processors:
        structlog.configure(processors=[redact_keys, *processors])
    root = logging.getLogger()
    for handler in root.handlers:
        if not any(isinstance(f, RedactionFilter) for f in handler.filters):
            handler.addFilter(RedactionFilter())
