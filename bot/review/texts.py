"""The texts of the review: the German source in ``bot/locale/review``, the translations in ``review.po``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from bot.dialogue.catalogues import REVIEW_DOMAIN, review_source, translate
from bot.dialogue.catalogues import REVIEW_LANGUAGES as LANGUAGES


@lru_cache(maxsize=1)
def source() -> Mapping[str, Mapping[str, str]]:
    """Return all texts: key -> language -> text."""
    return {key: {code: translate(REVIEW_DOMAIN, key, german, code)[0] for code in LANGUAGES} for key, german in review_source().items()}


def text(key: str, language: str, /, **values: Any) -> str:
    """Return a text.

    Args:
        key: its id, such as ``inbox.title``.
        language: ``de`` or ``en``.
        values: the values of its placeholders.

    Raises:
        KeyError: if there is no such text.
    """
    found = source()[key][language]
    return found.format(**values) if values else found


def has(key: str) -> bool:
    """Return whether there is a text with this key."""
    return key in source()
