"""The trained model in this process, for the command line and for tests: parse messages, measure accuracy."""

from __future__ import annotations

import asyncio
import logging
import warnings
from pathlib import Path
from typing import Any

from bot.training import current_model, environment


class NoModel(Exception):
    """There is no model for the present data."""


class Understanding:
    """A loaded model that parses messages."""

    def __init__(self, model: Path | None = None) -> None:
        """Load a model.

        Args:
            model: its file; the one for the present data by default.

        Raises:
            NoModel: if there is none.
        """
        path = model or current_model()
        if path is None:
            raise NoModel("There is no trained model for the present data. Please run `lotse train`.")
        _quieten()
        from rasa.core.agent import Agent

        self._agent = Agent.load(str(path))
        self._loop = asyncio.new_event_loop()

    def parse(self, text: str, language: str | None = None) -> dict[str, Any]:
        """Return what is understood of ``text``, as ``lotse parse`` prints it.

        Args:
            text: one message.
            language: the language of the conversation; detected if None.
        """
        from actions.directory import places
        from actions.directory.database import session
        from bot.dialogue.channel import plain
        from bot.nlu.intent import need_of

        cleaned = plain(text)
        nothing: dict[str, Any] = {"intent": {"name": "nlu_fallback", "confidence": 1.0}, "entities": []}
        raw = self.raw(cleaned) if cleaned else nothing
        intent = raw["intent"]["name"]
        if intent == "faq":
            intent = raw["response_selector"]["faq"]["response"]["name"]
        entities = [e for e in raw["entities"] if e["entity"] != "language"]
        values = {e["entity"]: e["value"] for e in entities}
        place = None
        if values.get("place"):
            with session() as opened:
                found = places.resolve(opened, values["place"]).place
                place = found.public() if found else None
        return {
            "text": text,
            "language": language or raw.get("language"),
            "intent": intent,
            "need": need_of(intent),
            "confidence": round(float(raw["intent"]["confidence"]), 4),
            "entities": [{k: e[k] for k in ("entity", "value", "start", "end")} for e in entities],
            "place": place,
            "country": values.get("country"),
            "profession": values.get("profession"),
        }

    def raw(self, text: str) -> dict[str, Any]:
        """Return Rasa's own parse of a message."""
        return self._loop.run_until_complete(self._agent.parse_message(text))


def _quieten() -> None:
    import os

    from rasa.utils.log_utils import configure_structlog

    from bot.dialogue import log_redaction

    os.environ.update({k: v for k, v in environment().items() if k not in os.environ})
    # Without this, structlog prints every parsed message to standard output.
    configure_structlog(logging.ERROR)
    log_redaction.install()
    warnings.simplefilter("ignore")
    for name in ("rasa", "spacy", "matplotlib", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
