"""The filling of the directory from the shipped files."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import func, select

from actions.directory import importer, models
from actions.directory.database import DATA, PROJECT, session
from actions.directory.fill import fill
from actions.directory.text import name_key
from tests.directory.factories import cells, minimal, project_data, write_csv

pytest_plugins = ["tests.directory.factories", "tests.postgres"]

PLACES = (models.District, models.PostcodeRange, models.Town, models.TownName)
PROFESSIONS = "title_de,field,regulated,more\nHebamme,health,yes,x\nKoch,crafts,no,x\nHebamme,health,yes,again\n"


@pytest.fixture
def url(home: Path) -> str:
    return f"sqlite:///{home / 'directory.db'}"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return project_data(tmp_path / "data", [minimal(1), cells()], PROFESSIONS)


def ids(url: str) -> list[str]:
    with session(url) as opened:
        return list(importer.stored_offices(opened))


def meta(url: str, key: str) -> str:
    with session(url) as opened:
        return str(opened.get(models.Meta, key).value)


def own_import(url: str, tmp_path: Path, *rows: dict[str, str], replace: bool = False) -> None:
    with session(url) as opened:
        table = write_csv(tmp_path / "own.csv", rows)
        offices, problems = importer.validate(opened, importer.read_rows(table))
        assert not problems
        importer.apply(opened, importer.plan(opened, offices, replace))


def test_an_empty_directory_gets_everything(url: str, data: Path) -> None:
    result = fill(url, data)
    with session(url) as opened:
        for model in PLACES:
            assert opened.scalar(select(func.count()).select_from(model)) == result.places[model.__tablename__] > 0
        assert set(opened.scalars(select(models.Profession.title))) == {"Hebamme", "Koch"}
    assert ids(url) == ["hotline-1", "recognition-nw-dortmund"]
    assert meta(url, "offices_source") == "shipped"
    assert (result.professions, result.notes, result.problems) == (2, [], [])


def test_every_town_is_found_by_its_name_and_its_other_names(directory_url: str) -> None:
    with (DATA / "places" / "towns.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = select(models.TownName.key, models.TownName.town_id, models.TownName.official)
    with session(directory_url) as opened:
        names = {(key, town): official for key, town, official in opened.execute(found)}
    for number, row in enumerate(rows, 1):
        assert names[name_key(row["name"]), number] is True
    cologne = next(number for number, row in enumerate(rows, 1) if row["name"] == "Köln")
    for name in ("Koeln", "cologne", "KÖLN", "Келн", "كولونيا"):
        assert (name_key(name), cologne) in names
    assert names[name_key("Cologne"), cologne] is False


def test_filling_again_does_nothing(url: str, data: Path) -> None:
    fill(url, data)
    again = fill(url, data)
    assert (again.places, again.professions, again.offices, again.notes) == ({}, 0, None, [])
    assert importer.backups() == []


def test_changed_places_are_loaded_again_and_offices_move_with_them(url: str, data: Path) -> None:
    fill(url, data)
    path = data / "places" / "postcode_ranges.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["first"] <= "44137" <= row["last"]:
            row["latitude"] = "50.123"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert fill(url, data).places["postcode_range"] == len(rows)
    with session(url) as opened:
        assert opened.get(models.Office, "recognition-nw-dortmund").latitude == 50.123
        assert opened.get(models.Office, "hotline-1").latitude is None


def test_a_changed_list_of_professions_replaces_the_old_one(url: str, data: Path) -> None:
    fill(url, data)
    project_data(data, professions="title_de,field,regulated\nArzt*Ärztin,health,yes\n")
    assert fill(url, data).professions == 1
    with session(url) as opened:
        assert opened.scalars(select(models.Profession.title)).all() == ["Arzt*Ärztin"]


def test_without_offices_and_professions_the_places_are_loaded_and_the_lack_is_said(url: str, tmp_path: Path) -> None:
    result = fill(url, project_data(tmp_path / "bare"))
    assert result.places
    assert "no offices were loaded" in result.notes[0]


def test_newer_shipped_offices_replace_untouched_shipped_ones(url: str, data: Path) -> None:
    fill(url, data)
    project_data(data, [minimal(1, name="New"), minimal(2)])
    result = fill(url, data)
    assert result.offices is not None
    assert ids(url) == ["hotline-1", "hotline-2"]
    assert len(importer.backups()) == 1
    assert fill(url, data).offices is None


def test_offices_of_an_own_import_are_not_overwritten_and_that_is_said_each_time(url: str, data: Path, tmp_path: Path) -> None:
    fill(url, data)
    own_import(url, tmp_path, minimal(1, name="Ours"))
    assert meta(url, "offices_source") == "own"
    assert fill(url, data).notes == []
    project_data(data, [minimal(1, name="Theirs")])
    for _ in range(2):
        result = fill(url, data)
        assert result.offices is None
        assert "nothing was overwritten" in result.notes[0]
    assert ids(url) == ["hotline-1", "recognition-nw-dortmund"]


def test_after_an_undo_of_the_own_import_shipped_updates_come_again(url: str, data: Path, tmp_path: Path) -> None:
    fill(url, data)
    own_import(url, tmp_path, minimal(1, name="Ours"))
    with session(url) as opened:
        importer.undo(opened)
    assert meta(url, "offices_source") == "shipped"
    project_data(data, [minimal(3)])
    fill(url, data)
    assert ids(url) == ["hotline-3"]


def test_who_imports_the_newer_shipped_file_gets_its_updates_again(url: str, data: Path, tmp_path: Path) -> None:
    fill(url, data)
    own_import(url, tmp_path, minimal(1, name="Ours"))
    project_data(data, [minimal(1, name="Theirs")])
    own_import(url, tmp_path, minimal(1, name="Theirs"), replace=True)
    assert fill(url, data).notes == []
    assert meta(url, "offices_source") == "shipped"
    project_data(data, [minimal(2)])
    fill(url, data)
    assert ids(url) == ["hotline-2"]


def test_an_office_edited_by_hand_counts_as_own(url: str, data: Path) -> None:
    fill(url, data)
    with session(url) as opened:
        opened.get(models.Office, "hotline-1").name = "By hand"
    project_data(data, [minimal(1, name="Theirs")])
    assert "nothing was overwritten" in fill(url, data).notes[0]


def test_faulty_shipped_offices_are_reported_and_the_old_ones_stay(url: str, data: Path) -> None:
    fill(url, data)
    project_data(data, [minimal(1, kind="nonsense"), minimal(2)])
    result = fill(url, data)
    assert [(p.line, p.column) for p in result.problems] == [(2, "kind")]
    assert ids(url) == ["hotline-1", "recognition-nw-dortmund"]
    (data / "directory" / "offices.csv").write_text("id,name\n1,2\n")
    assert "missing columns" in fill(url, data).problems[0].reason


def test_shipped_offices_are_taken_even_if_the_clock_of_the_machine_is_slow(url: str, data: Path) -> None:
    tomorrow = date(date.today().year + 1, 1, 1).isoformat()
    project_data(data, [minimal(1, checked_on=tomorrow)])
    assert fill(url, data).problems == []
    assert ids(url) == ["hotline-1"]


def _start_two(url: str, data: Path) -> None:
    program = "import sys, pathlib\nfrom actions.directory.fill import fill\n"
    program += "r = fill(sys.argv[1], pathlib.Path(sys.argv[2]))\nsys.exit(bool(r.problems or r.notes))"
    command = [sys.executable, "-c", program, url, str(data)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    started = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors


def test_two_processes_can_fill_at_the_same_time(url: str, data: Path) -> None:
    _start_two(url, data)
    assert ids(url) == ["hotline-1", "recognition-nw-dortmund"]
    assert fill(url, data).places == {}


def test_two_processes_can_fill_postgresql_at_the_same_time(postgres_url: str, home: Path, data: Path) -> None:
    _start_two(postgres_url, data)
    assert ids(postgres_url) == ["hotline-1", "recognition-nw-dortmund"]
    again = fill(postgres_url, data)
    assert (again.places, again.professions, again.offices, again.notes) == ({}, 0, None, [])
