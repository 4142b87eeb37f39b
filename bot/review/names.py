"""Names of languages, states and districts as people of the office read them."""

from __future__ import annotations

import csv
from functools import lru_cache

from babel import Locale

from actions.directory.database import DATA
from actions.directory.places import states


def language_name(code: str, language: str) -> str:
    """Return the name of a language; the code itself if it has none."""
    return str(Locale.parse(language).languages.get(code, code))


def state_name(code: str | None) -> str:
    """Return the German name of a state (``DE-NW``); the code itself if it is none, "" for no state."""
    if not code:
        return ""
    return states()[code].name if code in states() else code


def state_codes() -> list[str]:
    """Return the codes of the sixteen states in the order of their names."""
    return sorted(states(), key=state_name)


def district_name(ags: str | None) -> str:
    """Return the name of a district; the key itself if it is unknown, "" for no district."""
    return _districts().get(ags, ags) if ags else ""


@lru_cache(maxsize=1)
def _districts() -> dict[str, str]:
    with (DATA / "places" / "districts.csv").open(encoding="utf-8", newline="") as file:
        return {row["district"]: row["name"] for row in csv.DictReader(file)}
