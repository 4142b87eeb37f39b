"""Tools for translators: what is to be translated, and whether a catalogue is complete and true.

``lotse translations update`` brings the ``.po`` files of the replies up to date with ``domain.yml``;
``lotse translations check`` compares every catalogue of a spoken language with its source. The same check is a test, so
an untranslated button or a changed telephone number fails the build.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from bot.dialogue.catalogues import LOCALE, read
from bot.dialogue.nlg import DOMAIN, source_responses

_PLACEHOLDER = re.compile(r"{\w+}")
_NUMBER = re.compile(r"\d[\d.,\s]*\d|\d")
_ADDRESS = re.compile(r"\b(?:[\w-]+\.)+(?:de|com|org|eu|info)(?:/[\w/-]*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """Something wrong with a translation: language, id of the response, and what."""

    language: str
    response: str
    problem: str


def sources() -> Iterator[tuple[str, str]]:
    """Yield (response id, German text) of all texts and titles of buttons, each once for each response."""
    for name, variations in source_responses().items():
        texts = [variations[0]["text"], *(button["title"] for button in variations[0].get("buttons") or [])]
        for text in dict.fromkeys(texts):
            yield name, text


def template() -> Catalog:
    """Return an empty catalogue with all texts of ``domain.yml``."""
    catalog = Catalog(project="iq-lotse", charset="utf-8", fuzzy=False)
    for name, text in sources():
        catalog.add(text, context=name)
    return catalog


def path_of(language: str) -> Path:
    """Return where the replies of a language are kept."""
    return LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def update(language: str) -> int:
    """Bring the catalogue of ``language`` up to date; return the number of texts that wait for translation.

    A translation whose German source has changed is kept, marked ``fuzzy``, and not used until somebody has read it.
    """
    path = path_of(language)
    catalog = read(path) if path.exists() else Catalog(locale=language, project="iq-lotse", charset="utf-8", fuzzy=False)
    catalog.update(template())
    catalog.obsolete.clear()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalog, width=118, sort_output=False, omit_header=False)
    return sum(1 for message in catalog if message.id and (not message.string or message.fuzzy))


def check(language: str) -> list[Finding]:
    """Compare the catalogue of ``language`` with its source.

    Checked are: every text is translated and read; the same placeholders; the same numbers (amounts, deadlines,
    telephone numbers); the same web addresses; no text left in German by mistake.
    """
    if language == "de":
        return []
    path = path_of(language)
    catalog = {(m.context, m.id): m for m in read(path)} if path.exists() else {}
    findings = []
    for name, german in sources():
        message = catalog.get((name, german))
        if message is None or not message.string:
            findings.append(Finding(language, name, f"not translated: {german[:60]!r}"))
        elif message.fuzzy:
            findings.append(Finding(language, name, f"the source has changed, please read it again: {german[:60]!r}"))
        else:
            findings += [Finding(language, name, p) for p in differences(german, str(message.string))]
    known = set(sources())
    findings += [Finding(language, str(c), f"no longer in domain.yml: {str(i)[:60]!r}") for c, i in catalog if i and (c, i) not in known]
    return findings


def differences(german: str, translated: str) -> list[str]:
    """Return in what a translation says something else than its source (placeholders, numbers, addresses)."""
    found = []
    for what, pattern, form in (
        ("placeholders", _PLACEHOLDER, str),
        ("numbers", _NUMBER, _digits),
        ("web addresses", _ADDRESS, str.lower),
    ):
        here, there = sorted(map(form, pattern.findall(german))), sorted(map(form, pattern.findall(translated)))
        if here != there:
            found.append(f"other {what}: {here} in German, {there} in the translation")
    return found


def _digits(number: str) -> str:
    # 13,90 and 13.90, 600 000 and 600.000 are the same number in different languages.
    return re.sub(r"\D", "", number)
