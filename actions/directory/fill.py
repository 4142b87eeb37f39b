"""Filling of the directory from the files that come with the project: places, professions, offices."""

from __future__ import annotations

import csv
import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.orm import Session

from actions.directory import importer
from actions.directory.database import DATA, default_url, engine, session, upgrade
from actions.directory.models import District, Meta, Office, PostcodeRange, Profession, Town, TownName
from actions.directory.office_rows import PlaceIndex, Problem
from actions.directory.text import name_key

# Any number will do, as long as nobody else uses it for an advisory lock in this database.
_LOCK_NUMBER = 7_153_021
_PLACES = ("districts.csv", "postcode_ranges.csv", "towns.csv")


@dataclass
class FillResult:
    """What :func:`fill` did. ``problems`` are faults in the shipped offices, which are then not loaded."""

    places: dict[str, int] = field(default_factory=dict)
    professions: int = 0
    offices: importer.Plan | None = None
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def fill(url: str | None = None, data: Path | None = None) -> FillResult:
    """Make the directory usable: newest tables, current places and professions, and the shipped offices.

    It can be called at every start: what is loaded already is not loaded again, and offices that an operator imported
    are never overwritten. Two processes may call it at the same time.

    Args:
        url: the directory database, by default the one of the settings.
        data: the folder with the shipped files, by default the project's ``data``.
    """
    used, folder = url or default_url(), data or DATA
    result = FillResult()
    with _alone(used):
        upgrade(used)
        with session(used) as opened:
            _fill_places(opened, folder / "places", result)
            _fill_professions(opened, folder / "lookups" / "professions.csv", result)
        with session(used) as opened:
            _fill_offices(opened, folder / "directory" / "offices.csv", result)
    return result


def prepare(url: str) -> None:
    """Bring the tables to the newest version and load nothing; two processes may call it at the same time."""
    with _alone(url):
        upgrade(url)


@contextmanager
def _alone(url: str) -> Iterator[None]:
    """Keep other processes out: two that create the tables at the same time would stop with an error."""
    made = engine(url)
    if made.dialect.name == "postgresql":
        with made.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:number)"), {"number": _LOCK_NUMBER})
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": _LOCK_NUMBER})
    elif made.url.database and made.url.database != ":memory:":
        with open(f"{made.url.database}.lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # given back when the file is closed
            yield
    else:
        yield


def _hash(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _meta(opened: Session, key: str) -> str | None:
    return opened.scalar(select(Meta.value).where(Meta.key == key))


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _point(row: dict[str, str]) -> dict[str, Any]:
    return {"latitude": float(row["latitude"]), "longitude": float(row["longitude"])}


def _fill_places(opened: Session, folder: Path, result: FillResult) -> None:
    # The folding of names is part of what is stored: if its rules change, the keys are made anew.
    rules = Path(__file__).with_name("text.py")
    current = _hash(*(folder / name for name in _PLACES), rules)
    if _meta(opened, "places_hash") == current:
        return
    for table in (TownName, Town, PostcodeRange, District):
        opened.execute(delete(table).execution_options(synchronize_session=False))
    districts = [{"ags": r["district"], "name": r["name"], "state": r["state"], **_point(r)} for r in _read(folder / "districts.csv")]
    ranges = [
        {"first": r["first"], "last": r["last"], "district": r["district"], **_point(r)} for r in _read(folder / "postcode_ranges.csv")
    ]
    towns, names = _towns(_read(folder / "towns.csv"))
    for model, rows in ((District, districts), (PostcodeRange, ranges), (Town, towns), (TownName, names)):
        opened.execute(insert(model.__table__), rows)
        result.places[model.__tablename__] = len(rows)
    importer.set_meta(opened, "places_hash", current)
    opened.flush()
    places = PlaceIndex(opened)
    for office in opened.scalars(select(Office)):
        office.latitude, office.longitude = places.position(importer.from_office(office)) or (None, None)


def _towns(rows: list[dict[str, str]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    towns: list[dict[str, Any]] = []
    names: list[dict[str, Any]] = []
    for number, row in enumerate(rows, 1):
        towns.append(
            {
                "id": number,
                "name": row["name"],
                "district": row["district"],
                "population": int(row["population"]),
                "postcode": row["postcode"],
                **_point(row),
            }
        )
        own = name_key(row["name"])
        keys = dict.fromkeys([own, *(name_key(name) for name in row["names"].split("|"))])
        names += [{"key": key, "town_id": number, "official": key == own} for key in keys if key]
    return towns, names


def _fill_professions(opened: Session, path: Path, result: FillResult) -> None:
    if not path.exists() or _meta(opened, "professions_hash") == (current := _hash(path)):
        return
    titles = {row["title_de"]: row for row in _read(path)}
    opened.execute(delete(Profession).execution_options(synchronize_session=False))
    rows = [{"title": t, "field": row["field"], "regulated": row["regulated"]} for t, row in titles.items() if t]
    if rows:
        opened.execute(insert(Profession.__table__), rows)
    result.professions = len(rows)
    importer.set_meta(opened, "professions_hash", current)


def _fill_offices(opened: Session, path: Path, result: FillResult) -> None:
    if not path.exists():
        result.notes.append(f"There is no file {path}; no offices were loaded.")
        return
    current = _hash(path)
    count = opened.scalar(select(func.count()).select_from(Office))
    if count and _meta(opened, "offices_hash") == current:
        return
    # The data were checked when they were shipped: a machine whose clock is slow must not refuse them.
    try:
        offices, problems = importer.validate(opened, importer.read_rows(path), today=date.max)
    except importer.TableError as error:
        result.problems.append(Problem(1, "", path.name, str(error)))
        return
    result.problems += [p for p in problems if not p.warning]
    if result.problems:
        return
    made = importer.plan(opened, offices, replace=True)
    if count and not made.is_empty and _edited(opened, made.state):
        result.notes.append(
            "The shipped offices have changed, but this directory holds offices of your own, so nothing was "
            f"overwritten. Compare with: lotse directory import {path} --dry-run"
        )
        return
    importer.apply(opened, made, source="shipped")
    importer.set_meta(opened, "offices_hash", current)
    importer.set_meta(opened, "offices_source", "shipped")
    importer.set_meta(opened, "offices_state", importer.fingerprint(importer.stored_offices(opened)))
    result.offices = None if made.is_empty else made


def _edited(opened: Session, state: str) -> bool:
    """Return whether somebody changed the offices since they were shipped, by an import or by hand."""
    return _meta(opened, "offices_source") != "shipped" or _meta(opened, "offices_state") != state
