"""The texts of the review in German and English: one file for each part of the application in ``bot/review/locale``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

LANGUAGES = ("de", "en")
FOLDER = Path(__file__).parent / "locale"


@lru_cache(maxsize=1)
def source() -> Mapping[str, Mapping[str, str]]:
    """Return all texts: key -> language -> text.

    Raises:
        ValueError: if two files have the same key.
    """
    found: dict[str, Mapping[str, str]] = {}
    for path in sorted(FOLDER.glob("*.json")):
        for key, forms in json.loads(path.read_text(encoding="utf-8")).items():
            if key in found:
                raise ValueError(f"The text {key!r} of {path.name} stands in another file, too.")
            found[key] = forms
    return found


def text(key: str, language: str, **values: Any) -> str:
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
