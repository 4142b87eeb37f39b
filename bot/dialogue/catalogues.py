"""The gettext catalogues of all languages, and the fallback from one language to the next.

German is the source text. A catalogue is ``bot/locale/<language>/LC_MESSAGES/<domain>.po``; the ``.po`` files are read
directly, so that a translator's change takes effect without a compile step. Each message carries a context (``msgctxt``):
the id of the response, or the place where a text of the widget stands.
"""

from __future__ import annotations

import gettext
import json
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Union

from babel import Locale
from babel.dates import format_timedelta
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from bot.languages import FALLBACK_LANGUAGES
from bot.settings import PROJECT

LOCALE = PROJECT / "bot" / "locale"
# The texts of the review, which staff read in fewer languages than people chat in: one German file for each of its parts.
REVIEW_DOMAIN, REVIEW_LANGUAGES = "review", ("de", "en")
# A text, or the forms of a text with a number, by the plural categories of CLDR ("one", "few", "other" ...).
Text = Union[str, dict[str, str]]
# Enough numbers to meet every plural category of every language.
_SAMPLES = (*range(201), 1_000, 1_000_000)


@lru_cache(maxsize=64)
def catalogue(domain: str, language: str) -> dict[tuple[str, str], Text]:
    """Return the translations of ``domain`` in ``language`` as ``{(context, German text): text}``; empty if none.

    A text with plural forms is found under its German singular; its value holds the forms by CLDR category.
    """
    path = path_of(domain, language)
    if not path.exists():
        return {}
    catalog = read(path)
    found: dict[tuple[str, str], Text] = {}
    for message in catalog:
        if not message.id or message.fuzzy or not is_translated(message):
            continue
        plural = isinstance(message.id, (list, tuple))
        german = message.id[0] if plural else str(message.id)
        found[message.context or "", german] = plural_forms(catalog, message, language) if plural else str(message.string)
    return found


@lru_cache(maxsize=1)
def review_source() -> dict[str, str]:
    """Return the German texts of the review by their ids.

    Raises:
        ValueError: if two files have the same id.
    """
    found: dict[str, str] = {}
    for path in sorted((LOCALE / REVIEW_DOMAIN).glob("*.json")):
        texts = json.loads(path.read_text(encoding="utf-8"))
        if found.keys() & texts.keys():
            raise ValueError(f"{path.name} has ids that another file has, too: {', '.join(sorted(found.keys() & texts.keys()))}.")
        found |= texts
    return found


def path_of(domain: str, language: str) -> Path:
    """Return where a catalogue is kept."""
    return LOCALE / language / "LC_MESSAGES" / f"{domain}.po"


def is_translated(message: Any) -> bool:
    """Return whether a message of a catalogue has a translation, and all of its plural forms."""
    forms = message.string if isinstance(message.string, (list, tuple)) else [message.string]
    return bool(forms) and all(forms)


def plural_forms(catalog: Catalog, message: Any, language: str) -> dict[str, str]:
    """Return the forms of a message with a number by the plural categories of CLDR.

    gettext counts the forms by a formula of its own; browsers know CLDR's names. The two are matched by trying numbers.
    """
    index_of = gettext.c2py(catalog.plural_expr)  # type: ignore[attr-defined]
    forms: dict[str, str] = {}
    for number in _SAMPLES:
        forms.setdefault(category(number, language), message.string[index_of(number)])
    # CLDR keeps a category for fractions, which gettext does not count.
    forms.setdefault("other", message.string[-1])
    return forms


def category(number: int, language: str) -> str:
    """Return the plural category of a number in a language ("one", "few", "many", "other" ...)."""
    return str(Locale(language).plural_form(number))


def read(path: Path) -> Catalog:
    """Read a ``.po`` file as it is on disk."""
    with path.open("rb") as file:
        return read_po(file)


def translate(domain: str, context: str, german: str, language: str) -> tuple[str, str]:
    """Translate a German text.

    Args:
        domain: the catalogue: ``replies``, ``widget`` or ``directory``.
        context: the id of the response or text.
        german: the source text.
        language: the language wanted (ISO 639-1).

    Returns:
        The text and the language in which it is: the wanted one, else English, else German.
    """
    found, spoken = _find(domain, context, german, language)
    return (found, spoken) if isinstance(found, str) else (german, "de")


def translate_forms(domain: str, context: str, german: dict[str, str], language: str) -> tuple[dict[str, str], str]:
    """Translate a German text with plural forms; arguments and result as for :func:`translate`, all forms at once."""
    found, spoken = _find(domain, context, german["one"], language)
    return (found, spoken) if isinstance(found, dict) else (german, "de")


def _find(domain: str, context: str, german: str, language: str) -> tuple[Text | None, str]:
    for candidate in (language, *FALLBACK_LANGUAGES):
        if candidate == "de":
            break
        found = catalogue(domain, candidate).get((context, german))
        if found:
            return found, candidate
    return None, "de"


def period(language: str, **length: int) -> str:
    """Return a length of time in words: ``period("tr", days=30)`` -> "30 gün".

    ``babel.units`` has no patterns for days and minutes in some of our languages; those for time spans are complete.

    Args:
        language: the language.
        length: days, hours or minutes, as ``timedelta`` takes them; exactly one of them.
    """
    (plural,) = length
    unit: Any = plural.rstrip("s")
    # No number of days is called months.
    return str(format_timedelta(timedelta(**length), granularity=unit, threshold=10_000, locale=language))
