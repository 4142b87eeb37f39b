"""The gettext catalogues of all languages, and the fallback from one language to the next.

German is the source text. A catalogue is ``bot/locale/<language>/LC_MESSAGES/<domain>.po``; the ``.po`` files are read
directly, so that a translator's change takes effect without a compile step. Each message carries a context (``msgctxt``):
the id of the response, or the place where a text of the widget stands.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from bot.settings import FALLBACK_LANGUAGES, PROJECT

LOCALE = PROJECT / "bot" / "locale"


@lru_cache(maxsize=64)
def catalogue(domain: str, language: str) -> dict[tuple[str, str], str]:
    """Return the translations of ``domain`` in ``language`` as ``{(context, German text): text}``; empty if none."""
    path = LOCALE / language / "LC_MESSAGES" / f"{domain}.po"
    if not path.exists():
        return {}
    return {
        (message.context or "", str(message.id)): str(message.string)
        for message in read(path)
        if message.id and message.string and not message.fuzzy
    }


def read(path: Path) -> Catalog:
    """Read a ``.po`` file as it is on disk."""
    with path.open("rb") as file:
        return read_po(file)


def translate(domain: str, context: str, german: str, language: str) -> tuple[str, str]:
    """Translate a German text.

    Args:
        domain: the catalogue: ``replies`` or ``widget``.
        context: the id of the response or text.
        german: the source text.
        language: the language wanted (ISO 639-1).

    Returns:
        The text and the language in which it is: the wanted one, else English, else German.
    """
    if language == "de":
        return german, "de"
    for candidate in (language, *FALLBACK_LANGUAGES):
        if candidate == "de":
            break
        found = catalogue(domain, candidate).get((context, german))
        if found:
            return found, candidate
    return german, "de"
