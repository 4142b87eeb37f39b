"""Finds places, countries and professions in a message: longest match, word boundaries, and care with homonyms."""

from __future__ import annotations

import csv
import re
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache

from rapidfuzz.distance import DamerauLevenshtein

from actions.directory.database import DATA
from actions.directory.places import CITY_STATE, clear_choice, district_keys, state_keys, states
from actions.directory.text import Token, name_key, tokenize
from bot.nlu import lookups
from bot.nlu.inflection import bases
from bot.nlu.vocabulary import Vocabulary

LONGEST_NAME = 6
CACHED_WORDS = 20_000
# Below this many inhabitants a German place gives way to a country or a large foreign city of the same name.
GERMAN_TOWN = 5_000
# Only towns of some size are offered for a misspelt word: with every village there is a neighbour for any word.
FUZZY_POPULATION = 3_000
# A word with an ending is taken for a town of this size although it is a word of some language.
CERTAIN_POPULATION = 20_000
FUZZY_LENGTH = 5
_POSTCODE = re.compile(r"(?<![\w.,])\d{5}(?![\w]|[.,]\d)")
_MONEY_AFTER = re.compile(r"\s*(€|euro?\b|eur\b|\$|usd|dollar|km\b|people|leute|mitarbeiter)", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """Something found in a message: entity type, canonical value, and where it stands in the text."""

    entity: str
    value: str
    start: int
    end: int
    score: int = 0


@dataclass(frozen=True)
class _TownName:
    reference: str
    population: int
    common: bool


class Matcher:
    """Holds the indexes of all names; one instance serves all messages.

    Args:
        vocabulary: ordinary words, which are never taken for a misspelt town.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.towns = _town_index()
        self.countries = dict(lookups.country_names())
        for country, forms in lookups.country_forms():
            for form in forms:
                self.countries.setdefault(form, country)
        # Foreign cities are known as they are written only: with endings taken off, too many words look like one.
        self._inflected_countries = frozenset(self.countries)
        self._add_foreign_cities()
        self.professions = {key: p.title for p in lookups.professions() for key in p.synonyms}
        self.districts = {key: keys for key, keys in district_keys().items() if " " in key or key.endswith("kreis")}
        self.states = dict(state_keys())
        self._add_forms()
        self.cues = lookups.cues()
        self.ranges = _postcode_ranges()
        self._names_with_endings: dict[str, str | None] = {}
        self._fuzzy_towns: dict[str, list[str]] = defaultdict(list)
        for key, town in self.towns.items():
            if " " not in key and town.population >= FUZZY_POPULATION and len(key) >= FUZZY_LENGTH and key.isascii():
                self._fuzzy_towns[key[0]].append(key)
        self._fuzzy_professions: dict[str, list[str]] = defaultdict(list)
        for key in self.professions:
            if " " not in key and len(key) >= 8:
                self._fuzzy_professions[key[0]].append(key)

    def _add_foreign_cities(self) -> None:
        path = DATA / "places" / "foreign_cities.csv"
        for _line, row in lookups.read_table(path, ("name", "country", "names")):
            for name in (row["name"], *filter(None, row["names"].split("|"))):
                key = name_key(name)
                town = self.towns.get(key)
                if len(key) >= 4 and key not in self.vocabulary and (town is None or town.population < GERMAN_TOWN):
                    self.countries.setdefault(key, row["country"])
        for key in [k for k, town in self.towns.items() if town.population < GERMAN_TOWN and k in self.countries]:
            del self.towns[key]

    def _add_forms(self) -> None:
        """Add the forms of names that the eleven languages use ("Мюнхене", "Nadrenia Północna-Westfalia")."""
        for name, forms in lookups.town_forms():
            key = name_key(name)
            for form in forms:
                if key in self.states and key not in self.towns:
                    self.states.setdefault(form, self.states[key])
                elif key in self.towns and (form not in self.towns or self.towns[form].population < self.towns[key].population):
                    self.towns[form] = replace(self.towns[key], common=False)
        for word in lookups.not_names():
            for names in (self.towns, self.countries, self.professions, self.states):
                names.pop(word, None)

    def find(self, text: str, place_is_asked: bool = False) -> list[Found]:
        """Return what ``text`` names: at most one place, one country, one profession and one residence.

        Args:
            text: the message.
            place_is_asked: the guide has just asked for the place, so that a bare word may be a town.
        """
        tokens = tokenize(text)
        if not tokens:
            return []
        spans = self._spans(tokens)
        places = self._postcodes(text, tokens) + self._places(text, tokens, spans, place_is_asked)
        countries = self._countries(tokens, spans)
        found = [f for f in (_best(places), _best(countries), _best(self._professions(tokens, spans))) if f]
        residence = self._residence(tokens, spans, found)
        return found + ([residence] if residence else [])

    # -- names -----------------------------------------------------------------------------------------------------

    def _spans(self, tokens: list[Token]) -> list[tuple[int, int, str]]:
        """Return the longest known names as (first token, token after the last, key), left to right."""
        spans, i = [], 0
        while i < len(tokens):
            for n in range(min(LONGEST_NAME, len(tokens) - i), 0, -1):
                written = " ".join(t.folded for t in tokens[i : i + n])
                key = written if self._is_name(written) else self.without_ending(written) if n == 1 else None
                if key:
                    spans.append((i, i + n, key))
                    i += n
                    break
            else:
                i += 1
        return spans

    def without_ending(self, word: str) -> str | None:
        """Return the name that a word with an ending or a prefix stands for, or None."""
        if word not in self._names_with_endings:
            if len(self._names_with_endings) > CACHED_WORDS:
                self._names_with_endings.clear()
            self._names_with_endings[word] = self._find_base(word)
        return self._names_with_endings[word]

    def _find_base(self, word: str) -> str | None:
        if len(word) < FUZZY_LENGTH or word.isdigit() or word in lookups.not_names():
            return None
        ordinary = word in self.vocabulary
        for base in bases(word):
            town = self.towns.get(base)
            if town is not None and not town.common and base not in self.vocabulary:
                # Few words outside the Latin script look like a town; within it any ordinary word may.
                least = CERTAIN_POPULATION if ordinary else FUZZY_POPULATION
                if town.population >= least and not (ordinary and word.isascii()):
                    return base
            elif not ordinary and (base in self.states or base in self._inflected_countries or base in self.professions):
                return base
        return None

    def _is_name(self, key: str) -> bool:
        return key in self.towns or key in self.countries or key in self.professions or key in self.states or key in self.districts

    def _cue_before(self, tokens: list[Token], index: int, kind: str) -> bool:
        """Whether a cue phrase of ``kind`` ends right before the token at ``index``."""
        phrases = self.cues[kind]
        return any(" ".join(t.folded for t in tokens[index - n : index]) in phrases for n in range(1, min(5, index) + 1))

    # -- places ----------------------------------------------------------------------------------------------------

    def _postcodes(self, text: str, tokens: list[Token]) -> list[Found]:
        found = []
        for match in _POSTCODE.finditer(text):
            if _MONEY_AFTER.match(text, match.end()):
                continue
            digits = next((t.folded for t in tokens if t.start == match.start()), match.group())
            known = self._postcode_exists(digits)
            alone = len(tokens) <= 3
            before = [t.folded for t in tokens if t.end <= match.start()][-2:]
            cued = any(word in ("plz", "postleitzahl", "postcode", "zip", "in", "code") for word in before)
            if known or alone or cued:
                found.append(Found("place", digits, match.start(), match.end(), 6 if known else 4))
        return found

    def _postcode_exists(self, digits: str) -> bool:
        firsts, lasts = self.ranges
        position = bisect_right(firsts, digits) - 1
        return position >= 0 and digits <= lasts[position]

    def _places(self, text: str, tokens: list[Token], spans: list[tuple[int, int, str]], asked: bool) -> list[Found]:
        named = {i for first, last, _ in spans for i in range(first, last)}
        only_names = all(i in named or t.folded.isdigit() or t.folded in self.cues["filler"] for i, t in enumerate(tokens))
        found = []
        for first, last, key in spans:
            value = self._place_value(key)
            if value is None or key in self.professions:
                continue
            score = self._place_score(tokens, first, key, only_names, asked and len(tokens) <= 4)
            if score:
                found.append(Found("place", value, tokens[first].start, tokens[last - 1].end, score))
        if not found:
            found = self._misspelt(text, tokens, named, asked)
        return found

    def _place_value(self, key: str) -> str | None:
        if key in self.states and (key not in self.towns or self.towns[key].population < CITY_STATE):
            return states()[self.states[key]].name
        if key in self.towns:
            return self.towns[key].reference
        return key.title() if key in self.districts else None

    def _place_score(self, tokens: list[Token], first: int, key: str, alone: bool, asked: bool) -> int:
        town = self.towns.get(key)
        needs_cue = (town is not None and town.common and key not in self.states) or (key in self.countries) or len(key) <= 3
        residence = self._cue_before(tokens, first, "residence_before")
        cue = residence or self._cue_before(tokens, first, "place_before")
        if self._cue_before(tokens, first, "not_place_before") and not residence and key not in self.districts:
            return 0
        if any(t.folded in self.cues["title_before"] for t in tokens[max(0, first - 2) : first]):
            return 0
        if needs_cue:
            # "in winter", "to train", "ja": a village whose name is a word counts only where the person says to live
            # there, or answers the question with it.
            rare = town is not None and town.common and town.population < GERMAN_TOWN
            strong = residence or (cue and tokens[first - 1].folded in self.cues["strong_before"])
            answers = asked and len(key) > 3
            if not (answers or (residence if rare else strong or alone)):
                return 0
        # "im essen" in a text with capitals is food; in a text without any, the cue must do.
        if needs_cue and not alone and not asked and not tokens[first].capitalised and any(t.capitalised for t in tokens[1:]):
            return 0
        score = 4 if residence else 3 if cue else 2
        if self._cue_before(tokens, first, "origin_before") and not residence:
            score -= 1
        if any(t.folded in self.cues["past"] for t in tokens[max(0, first - 3) : first]):
            score -= 2
        return max(score, 1)

    def _misspelt(self, text: str, tokens: list[Token], named: set[int], asked: bool) -> list[Found]:
        """Take an unknown word for a town only where the sentence expects one: after a cue, or as the whole answer."""
        for i, token in enumerate(tokens):
            if i in named or len(token.folded) < FUZZY_LENGTH or not token.folded.isalpha() or token.folded in self.vocabulary:
                continue
            residence = self._cue_before(tokens, i, "residence_before")
            alone = len(tokens) == 1 or (asked and len(tokens) <= 3)
            if not (residence or alone or self._cue_before(tokens, i, "place_before")):
                continue
            near = self._nearest(token.folded)
            if near:
                return [Found("place", self.towns[near].reference, token.start, token.end, 2)]
            if asked or (residence and token.capitalised):
                # A place that is not in the tables: the dialogue says so and offers near spellings.
                return [Found("place", text[token.start : token.end], token.start, token.end, 1)]
        return []

    def _nearest(self, word: str) -> str | None:
        allowed = 1 if len(word) < 8 else 2
        best: tuple[int, int, str] | None = None
        for key in self._fuzzy_towns.get(word[0], ()):
            if abs(len(key) - len(word)) > allowed:
                continue
            distance = DamerauLevenshtein.distance(word, key, score_cutoff=allowed)
            if distance <= allowed:
                candidate = (distance, -self.towns[key].population, key)
                best = min(best, candidate) if best else candidate
        return best[2] if best else None

    # -- countries, professions, residence -------------------------------------------------------------------------

    def _countries(self, tokens: list[Token], spans: list[tuple[int, int, str]]) -> list[Found]:
        found = []
        for first, last, key in spans:
            if key not in self.countries or (key in self.towns and not self._cue_before(tokens, first, "origin_before")):
                continue
            score = 3 if self._cue_before(tokens, first, "origin_before") else 2
            found.append(Found("country", self.countries[key], tokens[first].start, tokens[last - 1].end, score))
        return found

    def _professions(self, tokens: list[Token], spans: list[tuple[int, int, str]]) -> list[Found]:
        found = [
            Found("profession", self.professions[key], tokens[first].start, tokens[last - 1].end, 2)
            for first, last, key in spans
            if key in self.professions
        ]
        if found:
            return found
        named = {i for first, last, _ in spans for i in range(first, last)}
        for i, token in enumerate(tokens):
            if i in named or len(token.folded) < 8 or token.folded in self.vocabulary:
                continue
            allowed = 1 if len(token.folded) < 11 else 2
            for key in self._fuzzy_professions.get(token.folded[0], ()):
                if DamerauLevenshtein.distance(token.folded, key, score_cutoff=allowed) <= allowed:
                    return [Found("profession", self.professions[key], token.start, token.end, 1)]
        return []

    def _residence(self, tokens: list[Token], spans: list[tuple[int, int, str]], found: list[Found]) -> Found | None:
        for kind, value in (("abroad", "abroad"), ("germany", "germany")):
            phrases = self.cues[kind]
            for i in range(len(tokens)):
                for n in range(min(8, len(tokens) - i), 0, -1):
                    if " ".join(t.folded for t in tokens[i : i + n]) in phrases:
                        return Found("residence", value, tokens[i].start, tokens[i + n - 1].end)
        if any(f.entity == "place" for f in found):
            return None
        for first, last, key in spans:
            if key in self.countries and key not in self.professions:
                still = self._cue_before(tokens, first, "still_in") or self._cue_before(tokens, first, "residence_before")
                if still:
                    return Found("residence", "abroad", tokens[first].start, tokens[last - 1].end)
        return None


def _best(found: list[Found]) -> Found | None:
    """Return the likeliest of several: the best score; of equals the one that stands last."""
    return max(found, key=lambda f: (f.score, f.start), default=None)


@lru_cache(maxsize=1)
def _town_index() -> dict[str, _TownName]:
    common = {row["word"] for _, row in lookups.read_table(DATA / "places" / "common_words.csv", ("word",))}
    names: dict[str, dict[str, tuple[int, bool, str]]] = defaultdict(dict)
    with (DATA / "places" / "towns.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            population = int(row["population"])
            own = name_key(row["name"])
            for name in (row["name"], *filter(None, row["names"].split("|"))):
                key = name_key(name)
                known = names[key].get(row["district"])
                if known is None or population > known[0]:
                    names[key][row["district"]] = (population, key == own, row["name"])
    index = {}
    for key, by_district in names.items():
        official = max((population for population, own, _name in by_district.values() if own), default=-1)
        by_district = {d: t for d, t in by_district.items() if t[1] or t[0] > official}
        towns = sorted(by_district.values(), key=lambda t: (-t[0], not t[1]))
        chosen = clear_choice([(population, official) for population, official, _name in towns])
        reference = towns[chosen][2] if chosen is not None else key.title()
        # Reference by the German name, if that name leads back to the same town; else by district.
        if chosen is not None and not _leads_back(names, towns[chosen][2], towns[chosen]):
            district = next(d for d, t in by_district.items() if t is towns[chosen])
            reference = f"{reference}@{district}"
        index[key] = _TownName(reference, towns[0][0], key in common)
    return index


def _leads_back(names: dict[str, dict[str, tuple[int, bool, str]]], name: str, town: tuple[int, bool, str]) -> bool:
    rivals = sorted(names[name_key(name)].values(), key=lambda t: (-t[0], not t[1]))
    chosen = clear_choice([(population, official) for population, official, _name in rivals])
    return chosen is not None and rivals[chosen][2] == town[2] and rivals[chosen][0] == town[0]


@lru_cache(maxsize=1)
def _postcode_ranges() -> tuple[list[str], list[str]]:
    rows = [row for _, row in lookups.read_table(DATA / "places" / "postcode_ranges.csv", ("first", "last"))]
    return [row["first"] for row in rows], [row["last"] for row in rows]
