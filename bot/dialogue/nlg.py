"""Replies in the person's language: the domain's German texts through the gettext catalogues.

Named in ``endpoints.yml`` (``nlg: type``). A response of the domain may carry in its ``metadata``:

``sources`` / ``checked_on``
    where its facts come from; shown below the text.
``need``
    the need to which a question belongs; adds a button that leads to an office.

Actions send data, not text: a ``custom`` part with a referral carries ids of notes (``utter_note_<id>``), buttons carry
a response id as title; both become text here, because only here the language is known.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from babel.dates import format_date
from rasa.core.nlg.generator import NaturalLanguageGenerator
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig
from ruamel.yaml import YAML

from bot.dialogue.catalogues import period, translate
from bot.languages import SPOKEN_LANGUAGES, own_name
from bot.settings import PROJECT, settings

DOMAIN = "replies"
# The directory's remarks for whom an office is there; editors write them in German.
DIRECTORY_DOMAIN, AUDIENCE = "directory", "audience"
_PLACEHOLDER = re.compile(r"{(\w+)}")
# At most so many sources are named below an answer; a row of links helps nobody.
_SOURCES_SHOWN = 2


class TranslatedReplies(NaturalLanguageGenerator):
    """Rasa's NLG, in process: picks the response, translates it, fills in the values."""

    def __init__(self, endpoint_config: EndpointConfig | None = None, domain: Domain | None = None) -> None:
        # Rasa hands over an empty domain before the model is loaded; the file is the source anyway, and a corrected
        # text takes effect at the next start without training.
        self.responses = source_responses()

    async def generate(self, utter_action: str, tracker: DialogueStateTracker, output_channel: str, **kwargs: Any) -> dict[str, Any] | None:
        """Return the reply for a response id (called by Rasa).

        Args:
            utter_action: the response id.
            tracker: the conversation; its slot ``language`` decides the language.
            output_channel: the name of the channel (the texts do not differ by channel).
            kwargs: values for placeholders, and ``buttons`` or ``custom`` of a custom action, which are translated in
                place because Rasa merges them over this reply afterwards.
        """
        language = language_of(tracker)
        for button in kwargs.get("buttons") or []:
            self.translate_button(button, language)
        referral = (kwargs.get("custom") or {}).get("referral")
        if referral:
            referral["notes"] = [self.text(f"utter_note_{note}", language, {})[0] for note in referral["notes"]]
            for office in referral["offices"]:
                if office.get("audience"):
                    office["audience"], office["audience_language"] = translate(DIRECTORY_DOMAIN, AUDIENCE, office["audience"], language)
        if utter_action not in self.responses:
            return None
        return self.reply(utter_action, language, kwargs)

    def reply(self, utter_action: str, language: str, values: dict[str, Any]) -> dict[str, Any]:
        """Return text, language and buttons of a response in ``language``."""
        source = self.responses[utter_action][0]
        text, spoken = self.text(utter_action, language, values)
        metadata = source.get("metadata") or {}
        if metadata.get("sources"):
            text = f"{text}\n{self._sources(metadata, language)}"
        buttons = [dict(button) for button in source.get("buttons") or []]
        for button in buttons:
            button["title"] = translate(DOMAIN, utter_action, button["title"], language)[0]
        if metadata.get("buttons") == "languages":
            buttons += [language_button(code) for code in SPOKEN_LANGUAGES]
        if metadata.get("need"):
            title = self.text("utter_button_find_office", language, {})[0]
            buttons.append({"title": title, "payload": f"/{metadata['need']}"})
        return {"text": text, "language": spoken, "buttons": buttons}

    def text(self, response: str, language: str, values: dict[str, Any]) -> tuple[str, str]:
        """Return the text of a response with its placeholders filled, and the language it is in."""
        translated, spoken = translate(DOMAIN, response, self.responses[response][0]["text"], language)
        minutes = period(spoken, minutes=settings().idle_minutes)
        # How long a text is kept for review; the retention deletes by the same setting.
        days = period(spoken, days=settings().transcript_days)
        known = {"operator": settings().operator, "minutes": minutes, "days": days, **values}
        return _PLACEHOLDER.sub(lambda m: str(known.get(m.group(1), m.group())), translated), spoken

    def translate_button(self, button: dict[str, Any], language: str) -> None:
        """Replace a title that is a response id by its text; other titles (names of towns) stay as they are.

        ``values`` of the button fill the placeholders of its title and are taken out.
        """
        title, values = button.get("title", ""), button.pop("values", {})
        if title in self.responses:
            button["title"] = self.text(title, language, values)[0]

    def _sources(self, metadata: dict[str, Any], language: str) -> str:
        hosts: list[str] = []
        for url in metadata["sources"]:
            host = (urlsplit(url).hostname or "").removeprefix("www.")
            if host and host not in hosts:
                hosts.append(host)
        day = _as_date(metadata["checked_on"])
        values = {
            "sources": ", ".join(hosts[:_SOURCES_SHOWN]),
            "date": format_date(day, format="medium", locale=language),
        }
        return self.text("utter_sources", language, values)[0]


def language_button(code: str) -> dict[str, str]:
    """Return the button that changes to a language: its title is the name of the language in itself."""
    return {"title": own_name(code), "payload": f'/switch_language{{"language": "{code}"}}'}


def language_of(tracker: DialogueStateTracker) -> str:
    """Return the language of a conversation; at its very start, the one that the channel was given."""
    started = tracker.get_slot("session_started_metadata") or {}
    return tracker.get_slot("language") or started.get("language") or "de"


@lru_cache(maxsize=1)
def source_responses() -> dict[str, list[dict[str, Any]]]:
    """Return the German responses of ``domain.yml``."""
    return dict(YAML(typ="safe").load(PROJECT / "domain.yml")["responses"])


def _as_date(value: Any) -> Any:
    from datetime import date

    return value if isinstance(value, date) else date.fromisoformat(str(value))
