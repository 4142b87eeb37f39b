"""From what a person calls a place to its district: postcodes, towns in any script, districts, states, abroad.

All queries on places live here. A *place reference* is the text that travels in the slot ``place``: a postcode
(``50667``), the name of a town (``Köln``), a name with its district where the name alone is ambiguous
(``Frankfurt (Oder)@12053``), a state (``DE-NW``) or ``abroad``.
"""

from __future__ import annotations

import csv
import re
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from math import log10
from typing import Any

from rapidfuzz import fuzz, process
from sqlalchemy import select
from sqlalchemy.orm import Session

from actions.directory.database import DATA
from actions.directory.models import ABROAD, District, PostcodeRange, Town, TownName
from actions.directory.text import fold_word, name_key

# A town is meant without asking if it has at least so many times the inhabitants of the next one of its name:
# Münster (308,000) rather than Münster in Hessen (14,000), but Frankfurt am Main (650,000) or Frankfurt (Oder) (57,000)?
CLEARLY_LARGER = 15
# ... or if the others are villages that few people mean when they give the bare name.
VILLAGE = 6_000
# Berlin, Hamburg and Bremen are states and cities at once: the city is meant.
CITY_STATE = 500_000
MOST_CHOICES = 4
_KIND_OF_DISTRICT = re.compile(r"^(landkreis|kreis|lk|kreisfreie stadt|stadt|stadtkreis|region|staedteregion|district of) ")


_RURAL = re.compile(r"^(landkreis|kreis|lk) ")


@dataclass(frozen=True)
class Place:
    """A place that has been understood.

    ``district`` is empty for a whole state, ``state`` too for people abroad. Coordinates are degrees.
    """

    name: str
    kind: str  # postcode | town | district | state | abroad
    postcode: str | None = None
    district: str | None = None
    district_name: str | None = None
    state: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    reference: str = ""

    def public(self) -> dict[str, Any]:
        """Return the part that the chat API and the command line show."""
        return {"name": self.name, "postcode": self.postcode, "district": self.district, "state": self.state}


@dataclass(frozen=True)
class Resolution:
    """The outcome of :func:`resolve`: exactly one place, several to choose from, or near spellings of none."""

    place: Place | None = None
    choices: list[Place] = field(default_factory=list)
    many: bool = False  # more places of this name than can be shown: better ask for the postcode
    suggestions: list[str] = field(default_factory=list)
    unknown_postcode: bool = False


@dataclass(frozen=True)
class State:
    """One of the sixteen states: ISO 3166-2 code, AGS prefix, German name, and other names."""

    code: str
    ags: str
    name: str
    names: tuple[str, ...]


@lru_cache(maxsize=1)
def states() -> dict[str, State]:
    """Return the states by their ISO 3166-2 code (``data/places/states.csv``)."""
    with (DATA / "places" / "states.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["state"]: State(row["state"], row["ags"], row["name"], tuple(n for n in row["names"].split("|") if n))
            for row in csv.DictReader(file)
        }


@lru_cache(maxsize=1)
def state_keys() -> dict[str, str]:
    """Return the code of each state by every folded name of it."""
    return {name_key(name): s.code for s in states().values() for name in (s.code, s.name, *s.names)}


def state_prefix(code: str) -> str:
    """Return the AGS prefix of a state: ``DE-NW`` -> ``05``."""
    return states()[code].ags


def abroad() -> Place:
    """Return the place of people who are not in Germany yet."""
    return Place(name="", kind="abroad", reference=ABROAD)


def state_place(code: str) -> Place:
    """Return a whole state as a place."""
    return Place(name=states()[code].name, kind="state", state=code, reference=code)


def as_slot(place: Place) -> dict[str, Any]:
    """Return a place as plain values, for a slot."""
    return asdict(place)


def resolve(session: Session, reference: str) -> Resolution:
    """Find the place that a reference means.

    Args:
        session: a session on the directory.
        reference: a place reference (see the module), or whatever a person wrote for a place.
    """
    text = reference.strip()
    if text.lower() == ABROAD:
        return Resolution(place=abroad())
    name, _, district = text.partition("@")
    digits = "".join(fold_word(c) for c in name if c.isdigit())
    if len(digits) == 5 and not district:
        found = _by_postcode(session, digits, name_key(re.sub(r"\d", " ", name)))
        return Resolution(place=found) if found else Resolution(unknown_postcode=True)
    key = name_key(name)
    if not key:
        return Resolution()
    if text.upper() in states():
        return Resolution(place=state_place(text.upper()))
    towns = _by_name(session, key)
    if district:
        towns = [t for t in towns if t.district == district]
    if key in state_keys() and not district and (not towns or towns[0].population < CITY_STATE):
        state = state_place(state_keys()[key])
        # "Brandenburg" is a state and a town; "Hessen" is also a village, which nobody means.
        rivals = [t.place for t in towns if t.population >= 3 * VILLAGE]
        return Resolution(choices=[state, *rivals]) if rivals else Resolution(place=state)
    if not towns:
        by_district = _by_district_name(session, key)
        if not by_district and _RURAL.match(key):
            # "Kreis Neuss" is called Rhein-Kreis Neuss.
            longer = [name for name in district_keys() if name.endswith(f" {_bare_district(key)}")]
            by_district = _by_district_name(session, longer[0]) if len(longer) == 1 else []
        if by_district:
            return Resolution(place=by_district[0]) if len(by_district) == 1 else Resolution(choices=by_district[:MOST_CHOICES])
        return Resolution(suggestions=_near_spellings(key))
    chosen = clear_choice([(t.population, t.official) for t in towns])
    if district:
        chosen = 0
    if chosen is not None:
        return Resolution(place=towns[chosen].place)
    return Resolution(
        choices=[t.place for t in towns[: MOST_CHOICES - 1 if len(towns) > MOST_CHOICES else MOST_CHOICES]], many=len(towns) > MOST_CHOICES
    )


def clear_choice(candidates: list[tuple[int, bool]]) -> int | None:
    """Decide whether one of several towns of a name is clearly meant.

    Args:
        candidates: (inhabitants, whether the name is the town's own full name), largest first.

    Returns:
        The index of the town that is meant, or None if the person must be asked.
    """
    if len(candidates) == 1:
        return 0
    first, second = candidates[0][0], candidates[1][0]
    if first >= CLEARLY_LARGER * max(second, 1) or (first >= 3 * VILLAGE and second < VILLAGE):
        return 0
    return None


@dataclass(frozen=True)
class _Candidate:
    place: Place
    population: int
    district: str
    official: bool


def _by_name(session: Session, key: str) -> list[_Candidate]:
    rows = session.execute(
        select(Town, TownName.official, District.name.label("district_name"), District.state)
        .join(TownName, TownName.town_id == Town.id)
        .join(District, District.ags == Town.district)
        .where(TownName.key == key)
        .order_by(Town.population.desc(), TownName.official.desc(), Town.id)
    ).all()
    found: list[_Candidate] = []
    for town, official, district_name, state in rows:
        # Parts of one city ("Neustadt/Nord", "Neustadt/Süd") lead to the same offices: one of them is enough.
        if any(c.district == town.district for c in found):
            continue
        place = Place(
            name=town.name,
            kind="town",
            postcode=None,
            district=town.district,
            district_name=district_name,
            state=state,
            latitude=town.latitude,
            longitude=town.longitude,
            reference=f"{town.name}@{town.district}",
        )
        found.append(_Candidate(place, town.population, town.district, official))
    return _without_lesser_aliases(found)


def _without_lesser_aliases(towns: list[_Candidate]) -> list[_Candidate]:
    """Drop towns for which the name is a foreign spelling, if a larger town bears it officially (Kiel is not Kehl)."""
    official = max((t.population for t in towns if t.official), default=-1)
    return [t for t in towns if t.official or t.population > official]


def _by_postcode(session: Session, postcode: str, name: str) -> Place | None:
    row = session.execute(
        select(PostcodeRange, District)
        .join(District, District.ags == PostcodeRange.district)
        .where(PostcodeRange.first <= postcode, PostcodeRange.last >= postcode)
    ).first()
    if row is None:
        return None
    span, district = row
    town = session.execute(
        select(Town).where(Town.postcode == postcode, Town.district == district.ags).order_by(Town.population.desc(), Town.id).limit(1)
    ).scalar()
    if _is_city(district.name):
        # 50667 is Köln, not the quarter that GeoNames puts there.
        town = session.execute(
            select(Town).where(Town.district == district.ags).order_by(Town.population.desc(), Town.id).limit(1)
        ).scalar()
    shown = town.name if town is not None else district.name
    return Place(
        name=shown,
        kind="postcode",
        postcode=postcode,
        district=district.ags,
        district_name=district.name,
        state=district.state,
        latitude=town.latitude if town is not None else span.latitude,
        longitude=town.longitude if town is not None else span.longitude,
        reference=postcode,
    )


def _is_city(district: str) -> bool:
    """Return whether a district is a single city ("Kreisfreie Stadt Köln", "Berlin, Stadt")."""
    return district.startswith(("Kreisfreie Stadt", "Stadtkreis")) or ", " in district


@lru_cache(maxsize=1)
def district_keys() -> dict[str, tuple[str, ...]]:
    """Return the AGS keys of the districts by folded name, without "Landkreis" and the like (``districts.csv``)."""
    keys: dict[str, tuple[str, ...]] = {}
    with (DATA / "places" / "districts.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for key in {name_key(row["name"]), _bare_district(name_key(row["name"]))}:
                keys[key] = (*keys.get(key, ()), row["district"])
    return keys


def _bare_district(key: str) -> str:
    return _KIND_OF_DISTRICT.sub("", key)


def _by_district_name(session: Session, key: str) -> list[Place]:
    found = district_keys().get(key) or district_keys().get(_bare_district(key)) or ()
    rows = session.execute(select(District).where(District.ags.in_(found)).order_by(District.ags)).scalars().all()
    if _RURAL.match(key):
        # "LK Rosenheim" is not the city of Rosenheim.
        rows = [d for d in rows if not _is_city(d.name)] or rows
    return [
        Place(
            name=d.name,
            kind="district",
            district=d.ags,
            district_name=d.name,
            state=d.state,
            latitude=d.latitude,
            longitude=d.longitude,
            reference=f"{d.name}@{d.ags}",
        )
        for d in rows
    ]


@lru_cache(maxsize=1)
def _official_names() -> dict[str, tuple[str, int]]:
    """Return folded name -> (name, inhabitants) of towns, for near spellings."""
    names: dict[str, tuple[str, int]] = {}
    with (DATA / "places" / "towns.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key, population = name_key(row["name"]), int(row["population"])
            if population > names.get(key, ("", -1))[1]:
                names[key] = (row["name"], population)
    return names


def _near_spellings(key: str, limit: int = 3) -> list[str]:
    """Return names of towns that are spelt almost like ``key``, likely ones first; empty if nothing is near."""
    names = _official_names()
    hits = process.extract(key, names.keys(), scorer=fuzz.ratio, score_cutoff=75, limit=12)
    # Between two near spellings, the larger town is meant more often: each factor of ten is worth four points.
    scores = {hit[0]: hit[1] for hit in hits}
    # "Garmisch" is the beginning of Garmisch-Partenkirchen: nearer than any other spelling.
    scores |= {name: 100.0 for name in names if len(key) >= 5 and name.startswith(f"{key} ")}
    ranked = sorted(scores, key=lambda name: -(scores[name] + 4 * log10(names[name][1] + 1)))
    return [names[name][0] for name in ranked[:limit]]
