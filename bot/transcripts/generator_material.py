"""What the made-up conversations are made of: the training examples, the answers, the towns and the offices of the guide."""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

import yaml

from actions.directory.database import DATA
from actions.directory.text import fold_word
from bot.dialogue.catalogues import translate
from bot.settings import PROJECT
from bot.transcripts import search

# How often, roughly: a made-up year of a real service.
LANGUAGES = {"de": 34, "en": 12, "ar": 14, "uk": 12, "tr": 8, "ru": 6, "fa": 5, "fr": 3, "es": 2, "pl": 2, "ro": 2}
NEEDS = {
    "recognition": 38,
    "fair_integration": 14,
    "qualification": 12,
    "immigration_law": 12,
    "programme_info": 8,
    "out_of_scope": 5,
    "human": 5,
    "employer_service": 4,
    "crisis": 2,
}
CHANNELS = {"web": 80, "telegram": 10, "whatsapp": 8, "messenger": 2}
_ANNOTATION = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\{[^}]*\})")
_EXAMPLES = 400


class Chance:
    """Choices by weight, drawn quickly."""

    def __init__(self, weights: Mapping[Any, float]) -> None:
        self._values = list(weights)
        self._sums = list(accumulate(weights.values()))

    def one(self, random_: random.Random) -> Any:
        """Return one of the values."""
        return random_.choices(self._values, cum_weights=self._sums)[0]


@dataclass(frozen=True)
class Said:
    """A sentence and its words as the search index has them."""

    text: str
    words: str

    @classmethod
    def of(cls, text: str) -> Said:
        """Return a sentence with its words."""
        return cls(text, " ".join(search.indexed(text)))


@dataclass(frozen=True)
class Town:
    """A place where somebody lives."""

    name: Said
    district: str
    state: str


@dataclass(frozen=True)
class Card:
    """An office as it is shown."""

    id: str
    state: str
    card: str  # JSON


@lru_cache(maxsize=1)
def examples() -> dict[tuple[str, str], list[Said]]:
    """Return what people say, by language and intent."""
    found: dict[tuple[str, str], list[Said]] = {}
    for language in LANGUAGES:
        text = (DATA / "nlu" / f"{language}.yml").read_text(encoding="utf-8")
        for entry in yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["nlu"]:
            if "intent" not in entry:
                continue
            lines = [_ANNOTATION.sub(r"\1", line[2:]).strip() for line in entry["examples"].splitlines() if line.startswith("- ")]
            found[language, entry["intent"]] = [Said.of(line) for line in lines[:_EXAMPLES] if line]
    return found


@lru_cache(maxsize=1)
def topics() -> dict[str, list[str]]:
    """Return the intents of questions with a fixed answer by need."""
    found: dict[str, list[str]] = {}
    with (DATA / "lookups" / "faq_topics.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["need"], []).append(f"faq/{row['topic']}")
    return found


@lru_cache(maxsize=2048)
def answer(response: str, language: str, place: str = "") -> str:
    """Return what the guide says in a language."""
    german = _domain()[response][0]["text"]
    text, _ = translate("replies", response, german, language)
    return text.replace("{place}", place or "…")


@lru_cache(maxsize=1)
def _domain() -> dict[str, Any]:
    text = (PROJECT / "domain.yml").read_text(encoding="utf-8")
    return dict(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["responses"])


@lru_cache(maxsize=1)
def towns() -> tuple[list[Town], list[int]]:
    """Return the towns and their inhabitants, added up (for drawing by weight)."""
    with (DATA / "places" / "districts.csv").open(encoding="utf-8", newline="") as file:
        states = {row["district"]: row["state"] for row in csv.DictReader(file)}
    found, sizes = [], []
    with (DATA / "places" / "towns.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if fold_word(row["name"]):
                found.append(Town(Said.of(row["name"]), row["district"], states[row["district"]]))
                sizes.append(int(row["population"] or 0))
    return found, list(accumulate(sizes))


@lru_cache(maxsize=1)
def offices() -> dict[tuple[str, str], list[Card]]:
    """Return the offices by need and state ("": everywhere)."""
    found: dict[tuple[str, str], list[Card]] = {}
    columns = ("id", "kind", "name", "carrier", "street", "postcode", "city", "state", "phone", "email", "website", "opening_hours")
    with (DATA / "directory" / "offices.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            card: dict[str, Any] = {column: row[column] or None for column in columns}
            card |= {"languages": [one for one in row["languages"].split(";") if one], "distance_km": None, "level": "state"}
            card |= {"checked_on": row["checked_on"], "source_url": row["source_url"], "confirmed": row["confirmed"] == "true"}
            for need in row["needs"].split(";"):
                found.setdefault((need, row["state"]), []).append(Card(row["id"], row["state"], json.dumps(card, ensure_ascii=False)))
    return found


def cards(need: str, state: str, random_: random.Random) -> list[Card]:
    """Return up to three offices for a need in a state."""
    known = offices()
    here = known.get((need, state), [])
    return random_.sample(here, min(len(here), random_.choice((1, 2, 3)))) or known.get((need, ""), [])[:2]


def referral(need: str, town: Town, shown: Iterable[Card]) -> str:
    """Return a referral as it is stored with the message that showed it."""
    place = {"kind": "town", "name": town.name.text, "district": town.district, "state": town.state, "postcode": None}
    joined = ", ".join(one.card for one in shown)
    return f'{{"need": {json.dumps(need)}, "place": {json.dumps(place, ensure_ascii=False)}, "offices": [{joined}], "notes": []}}'
