"""The gateway's own texts: of the page, of errors, and of the moments when the engine cannot answer.

``bot/locale/widget.json`` holds the German source, ``bot/locale/<language>/LC_MESSAGES/widget.po`` the translations.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from babel import Locale

from bot.dialogue.catalogues import LOCALE, Text, category, translate, translate_forms
from bot.dialogue.direction import isolate
from bot.languages import RIGHT_TO_LEFT
from bot.settings import PROJECT

DOMAIN = "widget"
SOURCE = LOCALE / "widget.json"
CONTACTS = PROJECT / "data" / "lookups" / "nationwide_contacts.csv"
# What is said when nothing else can be said: danger first, then the hotline for everything else.
ALWAYS_SHOWN = ("police", "ambulance", "womens_helpline", "telefonseelsorge", "working_and_living")
# Languages without a two-letter code that offices offer.
LONGER_CODES = ("ckb", "fil", "arc", "ary", "arz", "haw", "kab", "zgh")


@dataclass(frozen=True)
class Contact:
    """A number that works in all of Germany."""

    id: str
    name: str
    phones: tuple[str, ...]
    source_url: str
    checked_on: str

    @property
    def links(self) -> tuple[tuple[str, str], ...]:
        """The numbers with what stands behind ``tel:``."""
        return tuple((phone, re.sub(r"[^+\d]", "", phone)) for phone in self.phones)


@lru_cache(maxsize=1)
def source() -> dict[str, Text]:
    """Return the German texts by their ids; a text with a number (``{count}``) has a form for one and one for more."""
    loaded: dict[str, Text] = json.loads(SOURCE.read_text(encoding="utf-8"))
    return loaded


def text(key: str, language: str, **values: Any) -> str:
    """Return one text in ``language``, with its placeholders filled.

    Args:
        key: the id of the text.
        language: the language wanted.
        values: the placeholders' values; ``count`` also chooses the plural form.

    Raises:
        KeyError: if there is no such text, or a placeholder has no value.
    """
    found, spoken = _translated(key, language)
    if isinstance(found, Mapping):
        found = found.get(category(values["count"], spoken), found["other"])
    return isolate(found.format(**values) if values else found, spoken)


@lru_cache(maxsize=16)
def texts(language: str) -> dict[str, Text]:
    """Return all texts in ``language``, placeholders left in; those with a number as forms by CLDR category."""
    return {key: _translated(key, language)[0] for key in source()}


def _translated(key: str, language: str) -> tuple[Text, str]:
    german = source()[key]
    if isinstance(german, str):
        return translate(DOMAIN, key, german, language)
    return translate_forms(DOMAIN, key, german, language)


def direction(language: str) -> str:
    """Return the direction of writing: ``ltr`` or ``rtl``."""
    return "rtl" if language in RIGHT_TO_LEFT else "ltr"


@lru_cache(maxsize=16)
def language_names(language: str) -> dict[str, str]:
    """Return the names of the world's languages in ``language``, by their codes."""
    names = Locale.parse(language).languages
    return {code: str(names[code]) for code in sorted(names) if len(code) == 2 or code in LONGER_CODES}


@lru_cache(maxsize=16)
def contacts(language: str) -> tuple[Contact, ...]:
    """Return the numbers that are always shown, in the order of urgency, named in ``language``."""
    with CONTACTS.open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    return tuple(
        Contact(key, text(f"contact.{key}", language), tuple(row["phone"].split(" / ")), row["source_url"], row["checked_on"])
        for key, row in ((key, rows[key]) for key in ALWAYS_SHOWN)
    )


def unavailable(language: str) -> str:
    """Return what is said in place of an answer: try later, and whom to call now."""
    numbers = "\n".join(f"{contact.name}: {contact.phones[0]}" for contact in contacts(language))
    return isolate(f"{text('unavailable', language)}\n\n{text('unavailable.numbers', language)}\n{numbers}", language)
