"""``lookup``: how long it takes to find the offices for a need at a place, in this process, on SQLite."""

from __future__ import annotations

import random
import time
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from actions.directory import offices, places
from actions.directory.database import engine, session
from actions.directory.fill import fill
from actions.directory.models import District, Office, OfficeContact, OfficeCoverage, OfficeLanguage, OfficeNeed, Town
from bench.guide import home_of_its_own
from bench.options import Options
from bench.results import Result, Table, say, spread
from bot.settings import settings

_NEEDS = {
    "recognition": "recognition_counselling",
    "qualification": "qualification_course",
    "fair_integration": "fair_integration",
    "employer_service": "employer_service",
}
SEED = 7


def run(options: Options) -> Result:
    """Measure on the shipped directory, then on one with many made-up offices more."""
    data: dict[str, Any] = {}
    with home_of_its_own():
        url = settings().directory_url
        try:
            say("lookup: filling the directory")
            fill(url)
            data["shipped"] = _measure(url, options.lookups)
            say(f"lookup: adding {options.offices} made-up offices")
            with session(url) as opened:
                _add_offices(opened, options.offices)
            data["large"] = _measure(url, options.lookups)
        finally:
            engine(url).dispose()
    steps = {"resolve": "`places.resolve`", "find": "`offices.find`", "both": "both, with the session"}
    rows = [
        [f"{one['offices']}", steps[step], str(one[step]["n"]), *(f"{one[step][key]:.2f}" for key in ("p50", "p95", "max"))]
        for one in data.values()
        for step in steps
    ]
    note = "Milliseconds. Towns and postcodes at random (seed 7) from all of Germany; four needs in turn; SQLite file in WAL mode."
    table = Table("Lookup in the directory", ["offices", "step", "number", "p50", "p95", "max"], rows, note)
    return Result("lookup", options.only("lookups", "offices"), data, [table])


def _measure(url: str, count: int) -> dict[str, Any]:
    chance = random.Random(SEED)
    with session(url) as opened:
        total = offices.counts(opened)["offices"]
        towns = opened.execute(select(Town.name, Town.postcode, Town.district).order_by(Town.id)).all()
    chosen = [chance.choice(towns) for _ in range(count)]
    references = [town.postcode if number % 2 else f"{town.name}@{town.district}" for number, town in enumerate(chosen)]
    needs = [list(_NEEDS)[number % len(_NEEDS)] for number in range(count)]
    _one(url, needs[0], references[0])
    times: dict[str, list[float]] = {"resolve": [], "find": [], "both": []}
    for need, reference in zip(needs, references, strict=True):
        for step, milliseconds in _one(url, need, reference).items():
            times[step].append(milliseconds)
    return {"offices": total, **{step: spread(values) for step, values in times.items()}}


def _one(url: str, need: str, reference: str) -> dict[str, float]:
    began = time.perf_counter()
    with session(url) as opened:
        opened_at = time.perf_counter()
        place = places.resolve(opened, reference).place
        resolved = time.perf_counter()
        offices.find(opened, need, place).public()
        found = time.perf_counter()
    ended = time.perf_counter()
    return {"resolve": (resolved - opened_at) * 1000, "find": (found - resolved) * 1000, "both": (ended - began) * 1000}


def _add_offices(opened: Session, count: int) -> None:
    """Add made-up offices: four of five for one to three districts, the others for a state."""
    chance = random.Random(SEED)
    districts = opened.execute(select(District).order_by(District.ags)).scalars().all()
    for number in range(count):
        home = chance.choice(districts)
        need = list(_NEEDS)[number % len(_NEEDS)]
        if chance.random() < 0.8:
            prefixes = {home.ags, *(d.ags for d in chance.sample(districts, chance.randrange(3)))}
        else:
            prefixes = {home.ags[:2]}
        opened.add(
            Office(
                id=f"made-up-{number:05d}",
                kind=_NEEDS[need],
                name=f"Beispielstelle {number}",
                city=home.name,
                state=home.state,
                latitude=home.latitude,
                longitude=home.longitude,
                confirmed=chance.random() < 0.9,
                confidence="medium",
                source_url="https://www.example.org/",
                checked_on=date(2026, 1, 1),
                needs=[OfficeNeed(need=n) for n in sorted({need, chance.choice(list(_NEEDS))})],
                coverage=[OfficeCoverage(prefix=prefix) for prefix in sorted(prefixes)],
                languages=[OfficeLanguage(language=code, position=i) for i, code in enumerate(("de", "en", "ar"))],
                contacts=[
                    OfficeContact(kind="phone", value="000", position=0),
                    OfficeContact(kind="email", value="someone@example.org", position=1),
                    OfficeContact(kind="website", value="https://www.example.org/", position=2),
                ],
            )
        )
