"""Tools for translators: what is to be translated, and whether a catalogue is complete and true.

``lotse translations update`` brings the ``.po`` files up to date with their German sources; ``lotse translations check``
compares every catalogue of a spoken language with them. The same check is a test, so an untranslated button or a changed
telephone number fails the build.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import write_po

from actions.directory.database import DATA
from bot.dialogue.catalogues import LOCALE, REVIEW_DOMAIN, REVIEW_LANGUAGES, is_translated, path_of, plural_forms, read, review_source
from bot.dialogue.direction import ISOLATES
from bot.dialogue.nlg import AUDIENCE, DIRECTORY_DOMAIN, DOMAIN, source_responses

# The catalogues of a language: replies (domain.yml), page and errors, and the remarks of the office table.
WIDGET_DOMAIN, WIDGET_SOURCE = "widget", LOCALE / "widget.json"
DOMAINS = (DOMAIN, WIDGET_DOMAIN, DIRECTORY_DOMAIN)
_TITLES = {
    DOMAIN: "what the guide says",
    WIDGET_DOMAIN: "the page and its errors",
    DIRECTORY_DOMAIN: "for whom an office is there",
    REVIEW_DOMAIN: "the review for counsellors",
}
# A message of more characters is cut or refused by some messengers (WhatsApp through Twilio: 1,600).
LONGEST_TEXT = 1_600
# Source and date, which the guide adds to an answer with facts.
SOURCE_LINE = 120
# Buttons of more characters do not fit beside each other on a phone.
LONGEST_BUTTON = 72
_PLACEHOLDER = re.compile(r"{\w+}")
_NUMBER = re.compile(r"\d+(?:[.,\s]?\d+)*")
_ADDRESS = re.compile(r"\b(?:[\w-]+\.)+(?:de|com|org|eu|info)(?:/[\w/-]*)?", re.IGNORECASE | re.ASCII)
# The digits of these scripts are changed back by nobody who dials a number.
_OTHER_DIGITS = re.compile("[\u0660-\u0669\u06f0-\u06f9]")


@dataclass(frozen=True)
class Finding:
    """Something wrong with a translation: language, catalogue, id of the text, and what."""

    language: str
    domain: str
    context: str
    problem: str


@dataclass(frozen=True)
class Source:
    """A German text: where it stands, the text (for a text with a number the singular), its plural, what it is for."""

    context: str
    text: str
    plural: str | None = None
    button: bool = False
    # The guide adds a line with the sources below it.
    sourced: bool = False


def domains(language: str) -> tuple[str, ...]:
    """Return the catalogues of a language: staff read the review in fewer languages than people chat in."""
    return (*DOMAINS, REVIEW_DOMAIN) if language in REVIEW_LANGUAGES else DOMAINS


def sources(domain: str) -> list[Source]:
    """Return the German texts of a catalogue, each once for each place where it stands."""
    read_sources = {DOMAIN: _replies, WIDGET_DOMAIN: _widget, DIRECTORY_DOMAIN: _audiences, REVIEW_DOMAIN: _review}[domain]
    return list({(source.context, source.text): source for source in read_sources()}.values())


def _replies() -> Iterator[Source]:
    for name, variations in source_responses().items():
        response = variations[0]
        yield Source(name, response["text"], button=name.startswith("utter_button_"), sourced="sources" in (response.get("metadata") or {}))
        for button in response.get("buttons") or []:
            yield Source(name, button["title"], button=True)


def _widget() -> Iterator[Source]:
    for key, text in json.loads(WIDGET_SOURCE.read_text(encoding="utf-8")).items():
        yield Source(key, text) if isinstance(text, str) else Source(key, text["one"], text["other"])


def _review() -> Iterator[Source]:
    for key, text in review_source().items():
        yield Source(key, text)


def _audiences() -> Iterator[Source]:
    with (DATA / "directory" / "offices.csv").open(encoding="utf-8", newline="") as file:
        notes = {row["coverage_note"] for row in csv.DictReader(file)} - {""}
    for note in sorted(notes):
        yield Source(AUDIENCE, note)


def template(domain: str) -> Catalog:
    """Return an empty catalogue with all texts of a domain."""
    catalog = Catalog(project="iq-lotse", charset="utf-8", fuzzy=False)
    for source in sources(domain):
        catalog.add((source.text, source.plural) if source.plural else source.text, context=source.context)
    return catalog


def update(language: str) -> dict[str, int]:
    """Bring the catalogues of ``language`` up to date; return for each the number of texts that wait for translation.

    A translation whose German source has changed is kept, marked ``fuzzy``, and not used until somebody has read it.
    """
    waiting = {}
    for domain in domains(language):
        path = path_of(domain, language)
        catalog = read(path) if path.exists() else Catalog(locale=Locale(language), project="iq-lotse", charset="utf-8", fuzzy=False)
        created = catalog.creation_date
        catalog.update(template(domain))
        catalog.obsolete.clear()
        # A catalogue without changes stays the same to the letter.
        catalog.creation_date = catalog.revision_date = created
        catalog.header_comment = f"# {Locale(language).english_name}: {_TITLES[domain]}. How to change it: docs/translating.md."
        catalog.msgid_bugs_address, catalog.last_translator, catalog.language_team = "", "", language
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write_po(file, catalog, width=118, sort_output=False, omit_header=False)
        waiting[domain] = sum(1 for message in catalog if message.id and (not is_translated(message) or message.fuzzy))
    return waiting


def check(language: str) -> list[Finding]:
    """Compare the catalogues of ``language`` with their sources.

    Checked are: every text is translated and read; the same placeholders, numbers (amounts, deadlines, telephone
    numbers), web addresses, bullets; every plural form; no text left in German by mistake; not too long for messengers.
    """
    return [] if language == "de" else [finding for domain in domains(language) for finding in _check_catalogue(language, domain)]


def _check_catalogue(language: str, domain: str) -> Iterator[Finding]:
    path = path_of(domain, language)
    catalog = read(path) if path.exists() else Catalog(locale=language)
    messages = {(m.context, m.id[0] if isinstance(m.id, (list, tuple)) else m.id): m for m in catalog if m.id}
    known = sources(domain)
    for source in known:
        message = messages.get((source.context, source.text))
        for problem in _problems(source, message, catalog, language):
            yield Finding(language, domain, source.context, problem)
    here = {(source.context, source.text) for source in known}
    for context, text in messages.keys() - here:
        yield Finding(language, domain, str(context), f"no longer in the source: {str(text)[:60]!r}")


def _problems(source: Source, message: Message | None, catalog: Catalog, language: str) -> Iterator[str]:
    if message is None or not is_translated(message):
        yield f"not translated: {source.text[:60]!r}"
    elif message.fuzzy:
        yield f"the source has changed, please read it again: {source.text[:60]!r}"
    elif source.plural:
        for form in set(plural_forms(catalog, message, language).values()):
            yield from differences(source.plural, form)
    else:
        translated = str(message.string)
        yield from differences(source.text, translated)
        yield from _length(source, translated)
        if translated == source.text and len(source.text.split()) > 4:
            yield "still in German"


def _length(source: Source, translated: str) -> Iterator[str]:
    limit = LONGEST_BUTTON if source.button else LONGEST_TEXT - SOURCE_LINE if source.sourced else LONGEST_TEXT
    if len(translated) > limit:
        yield f"too long: {len(translated)} characters, at most {limit}"


def differences(german: str, translated: str) -> Iterator[str]:
    """Yield in what a translation says something else than its source (placeholders, numbers, addresses, bullets)."""
    for what, pattern, form in (
        ("placeholders", _PLACEHOLDER, str),
        ("numbers", _NUMBER, _digits),
        ("web addresses", _ADDRESS, str.lower),
        ("bullets", re.compile("•"), str),
    ):
        here, there = sorted(map(form, pattern.findall(german))), sorted(map(form, pattern.findall(translated)))
        if here != there:
            yield f"other {what}: {here} in German, {there} in the translation"
    if _OTHER_DIGITS.search(translated):
        yield "digits of another script; write 0 to 9"
    if ISOLATES.search(translated):
        yield "direction marks; the guide adds them itself"


def _digits(number: Any) -> str:
    # 13,90 and 13.90, 600 000 and 600.000 are the same number in different languages.
    return re.sub(r"\D", "", number)
