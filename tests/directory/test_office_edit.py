"""Changing one office: the form, the checks, edits at the same time, undo, and that the chat sees it at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from actions.directory import changes, importer, office_edit, office_list
from actions.directory.database import PROJECT, session
from actions.directory.fill import fill
from actions.directory.office_rows import OfficeRow, PlaceIndex
from tests.directory.factories import WRONG_CELLS, cells, minimal, project_data, write_csv

pytest_plugins = ["tests.directory.factories", "tests.postgres"]

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
TODAY = NOW.date()
DORTMUND = "recognition-nw-dortmund"


def take(url: str, folder: Path, *rows: dict[str, str]) -> None:
    with session(url) as opened:
        offices, problems = importer.validate(opened, importer.read_rows(write_csv(folder / "t.csv", rows)), TODAY)
        assert not [p for p in problems if not p.warning]
        importer.apply(opened, importer.plan(opened, offices))


@pytest.fixture
def url(directory_url: str, tmp_path: Path) -> str:
    """A directory with two offices."""
    take(directory_url, tmp_path, minimal(1), cells(professions=""))
    return directory_url


def stored(url: str, office_id: str = DORTMUND) -> OfficeRow:
    with session(url) as opened:
        found = office_edit.load(opened, office_id)
    assert found is not None
    return found


def form(url: str, office_id: str = DORTMUND, **differences: Any) -> dict[str, list[str]]:
    """Return the form of an office with some fields typed over."""
    with session(url) as opened:
        office = office_edit.load(opened, office_id)
        assert office is not None
        values = office_edit.form_values(office, PlaceIndex(opened).districts)
    return values | {name: [value] if isinstance(value, str) else value for name, value in differences.items()}


def change(url: str, seen: OfficeRow | None = None, office_id: str = DORTMUND, **differences: Any) -> int | None:
    """Save the form of an office with some fields typed over; return the id of the change."""
    values = form(url, office_id, **differences)
    version = office_edit.version(seen or stored(url, office_id))
    with session(url) as opened:
        done = office_edit.change(opened, office_id, version, values, "Ayşe", TODAY, NOW)
    return int(done[1].id) if done else None


@contextmanager
def wrong(column: str) -> Iterator[None]:
    with pytest.raises(importer.ProblemsError) as caught:
        yield
    assert column in [problem.column for problem in caught.value.problems]


def test_a_form_that_is_sent_as_it_came_changes_nothing(url: str) -> None:
    assert change(url) is None
    assert change(url, office_id="hotline-1") is None


def test_every_shipped_office_survives_its_form(home: Path) -> None:
    url = f"sqlite:///{home / 'directory.db'}"
    fill(url)
    with session(url) as opened:
        places = PlaceIndex(opened)
        for office in importer.stored_offices(opened).values():
            values = office_edit.form_values(office, places.districts)
            typed, problems = office_edit.cells_of(values, places, office.languages)
            assert office_edit.check({**typed, "id": office.id}, places, date.max, problems) == office


def test_a_change_is_stored_and_stands_in_the_history(url: str) -> None:
    change_id = change(url, street="Neuer Weg 7", phone=["0231 5021234\n0800 1110111"])
    assert stored(url).street == "Neuer Weg 7"
    assert stored(url).phones == ("+49 231 5021234", "0800 1110111")
    with session(url) as opened:
        made = changes.find(opened, change_id or 0)
    assert made is not None
    assert (made.who, made.action, made.at) == ("Ayşe", changes.CHANGE, NOW)
    assert [field.column for field in made.fields] == ["street", "phone"]


@pytest.mark.parametrize(
    ("fields", "column", "kept"),
    [
        ({"districts": ["Dortmund\nUnna"]}, "coverage", "05913;05978"),
        ({"districts": ["05913 Kreisfreie Stadt Dortmund"], "coverage": ["DE-BE", "abroad"]}, "coverage", "05913;DE-BE;abroad"),
        ({"more_languages": ["Tigrinya\nDari"]}, "languages", "de;tr;ar;ti;prs"),
        ({"more_languages": ["Ukrainisch"], "languages": ["ar", "de"]}, "languages", "de;ar;uk"),
        ({"website": ["www.beispiel.de\nhttps://beispiel.de/a;b"]}, "website", "https://www.beispiel.de;https://beispiel.de/a;b"),
        ({"email": ["a@beispiel.de\n\n b@beispiel.de "]}, "email", "a@beispiel.de;b@beispiel.de"),
        ({"opening_hours": "Di-Do 09:00–12:00; So geschlossen"}, "opening_hours", "Tu-Th 09:00-12:00; Su off"),
        ({"remark": "two\nlines"}, "remark", "two lines"),
        ({"fields": ["field:health"], "professions": ["Koch*Köchin"]}, "professions", "Koch*Köchin;field:health"),
        ({"confirmed": [], "confidence": "low"}, "confirmed", "false"),
    ],
)
def test_the_form_understands_what_people_type(url: str, fields: dict[str, Any], column: str, kept: str) -> None:
    change(url, **fields)
    assert stored(url).cells()[column] == kept


@pytest.mark.parametrize(
    ("fields", "column"),
    [
        ({"districts": ["Atlantis"]}, "coverage"),
        ({"districts": ["München"], "coverage": []}, "coverage"),
        ({"districts": [], "coverage": []}, "coverage"),
        ({"more_languages": ["Klingonisch und Elbisch"]}, "languages"),
        ({"source_url": ""}, "source_url"),
        ({"source_url": "eine Broschüre"}, "source_url"),
        ({"confidence": "low", "confirmed": "true"}, "confirmed"),
        ({"checked_on": "2026-11-23"}, "checked_on"),
        ({"needs": []}, "needs"),
        ({"kind": "<script>"}, "kind"),
        ({"website": ["https://beispiel.de\njavascript:alert(1)"]}, "website"),
        ({"name": ""}, "name"),
    ],
)
def test_the_form_keeps_the_rules_of_the_importer(url: str, fields: dict[str, Any], column: str) -> None:
    before = stored(url)
    if fields.get("districts") == ["München"]:  # the city or the Landkreis
        fields = {**fields, "districts": ["Karlsruhe"]}
    with wrong(column):
        change(url, **fields)
    assert stored(url) == before
    with session(url) as opened:
        assert changes.history(opened, who="Ayşe") == []


LISTS = {"needs", "languages", "coverage", "professions"}


def test_a_cell_that_an_import_refuses_is_refused_by_the_form(url: str) -> None:
    # What the form makes right (line breaks, a missing https://, German days) or what depends on the day.
    tolerated = {"two\nlines", "tab\there", "www.beispiel.de", "Di 09:00-12:00", "2026-03-02"}
    values = form(url)
    with session(url) as opened:
        places = PlaceIndex(opened)
        for column, value, _ in WRONG_CELLS:
            if column in LISTS | {"id", "confirmed"} or value in tolerated:
                continue
            typed, found = office_edit.cells_of(values | {column: [value]}, places)
            with pytest.raises(importer.ProblemsError):
                office_edit.check({**typed, "id": DORTMUND}, places, TODAY, found)
                pytest.fail(f"{column}: {value!r} was taken")


def test_who_saves_upon_an_older_version_is_told_and_nothing_is_lost(url: str) -> None:
    seen = stored(url)
    change(url, carrier="First")
    with pytest.raises(office_edit.EditConflict) as conflict:
        change(url, seen, street="Second")
    assert conflict.value.current == stored(url)
    assert (stored(url).carrier, stored(url).street) == ("First", seen.street)


def test_an_import_and_an_edit_do_not_overwrite_each_other(url: str, tmp_path: Path) -> None:
    with session(url) as opened:
        table = write_csv(tmp_path / "new.csv", [cells(carrier="By import", professions="")])
        offices, _ = importer.validate(opened, importer.read_rows(table), TODAY)
        plan = importer.plan(opened, offices)
    seen = stored(url)
    change(url, carrier="By form")
    with session(url) as opened, pytest.raises(importer.DirectoryChangedError):
        importer.apply(opened, plan)
    assert stored(url).carrier == "By form"
    take(url, tmp_path, cells(carrier="By import", professions=""))
    with pytest.raises(office_edit.EditConflict):
        change(url, seen, carrier="Late")


def race(url: str) -> list[str]:
    """Let eight editors save the same version at once; return what became of each."""
    version, outcomes = office_edit.version(stored(url)), []
    forms = [form(url, carrier=f"Editor {number}") for number in range(8)]

    def save(number: int) -> None:
        try:
            with session(url) as opened:
                office_edit.change(opened, DORTMUND, version, forms[number], f"Editor {number}", TODAY, NOW)
            outcomes.append(f"Editor {number}")
        except office_edit.EditConflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_of_eight_edits_of_one_version_at_once_one_is_stored(url: str) -> None:
    outcomes = race(url)
    assert outcomes.count("conflict") == 7
    assert stored(url).carrier in outcomes


def test_a_new_office_gets_an_id_that_nothing_else_has_or_had(url: str) -> None:
    values = form(url, name="Beratung für Zugewanderte", city="Köln", postcode="50667", street="")
    made = []
    for _ in range(2):
        with session(url) as opened:
            made.append(office_edit.create(opened, values, "Ayşe", TODAY, NOW)[0])
    assert [office.id for office in made] == ["beratung-fuer-zugewanderte-koeln", "beratung-fuer-zugewanderte-koeln-2"]
    with session(url) as opened:
        office_edit.delete(opened, made[1].id, office_edit.version(made[1]), "Ayşe", NOW)
        assert office_edit.new_id(opened, "Beratung für Zugewanderte", "Köln") == "beratung-fuer-zugewanderte-koeln-3"
        assert office_edit.new_id(opened, "مركز", "") == "office"
        assert len(office_edit.new_id(opened, "wort " * 60, "")) <= 80
        assert len(office_edit.new_id(opened, "w" * 200, "Köln")) <= 80


def test_checked_today_sets_only_the_day(url: str) -> None:
    before = stored(url)
    with session(url) as opened:
        assert office_edit.mark_checked(opened, DORTMUND, office_edit.version(before), "Ayşe", TODAY, NOW)
    assert stored(url).cells() == {**before.cells(), "checked_on": "2026-11-22"}
    with session(url) as opened:
        assert office_edit.mark_checked(opened, DORTMUND, office_edit.version(stored(url)), "Ayşe", TODAY, NOW) is None


def test_closing_needs_a_day_that_fits(url: str) -> None:
    for day in ("", "2022-01-01", "soon"):
        with session(url) as opened, wrong("valid_until"):
            office_edit.close(opened, DORTMUND, office_edit.version(stored(url)), day, "Ayşe", TODAY, NOW)
    with session(url) as opened:
        assert office_edit.close(opened, DORTMUND, office_edit.version(stored(url)), "2026-12-31", "Ayşe", TODAY, NOW)
    assert stored(url).valid_until == date(2026, 12, 31)


def undo(url: str, change_id: int | None) -> int:
    with session(url) as opened:
        done = office_edit.undo(opened, change_id or 0, "Tom", NOW)
        assert done is not None
        return int(done[1].id)


def refusal(url: str, change_id: int | None) -> office_edit.UndoRefused:
    with session(url) as opened, pytest.raises(office_edit.UndoRefused) as refused:
        office_edit.undo(opened, change_id or 0, "Tom", NOW)
    return refused.value


def test_an_undo_sets_back_only_the_fields_of_its_change(url: str) -> None:
    before = stored(url)
    first = change(url, street="Neuer Weg 7")
    change(url, carrier="Another")
    undo(url, first)
    assert stored(url).cells() == {**before.cells(), "carrier": "Another"}


def test_an_undo_is_a_change_and_can_itself_be_undone(url: str) -> None:
    change_id = change(url, street="Neuer Weg 7")
    undone = undo(url, change_id)
    with session(url) as opened:
        made = changes.find(opened, change_id or 0)
        assert made is not None
        assert made.undone_by == undone
    assert refusal(url, change_id).reason == "undone"
    undo(url, undone)
    assert stored(url).street == "Neuer Weg 7"


def test_an_undo_is_refused_if_a_later_change_touched_the_same_field(url: str) -> None:
    first = change(url, street="Neuer Weg 7")
    second = change(url, street="Alter Weg 8", carrier="Another")
    refused = refusal(url, first)
    assert refused.reason == "later"
    assert refused.later is not None
    assert refused.later.id == second
    assert stored(url).street == "Alter Weg 8"
    undo(url, second)
    undo(url, first)
    assert stored(url).street == "Königswall 1"


def test_a_removed_office_comes_back_and_a_new_one_goes(url: str) -> None:
    before = stored(url)
    with session(url) as opened:
        removal = office_edit.delete(opened, DORTMUND, office_edit.version(before), "Ayşe", NOW)
        removal_id = int(removal.id)
    with session(url) as opened:
        assert office_edit.load(opened, DORTMUND) is None
    undo(url, removal_id)
    assert stored(url) == before
    with session(url) as opened:
        new, row = office_edit.create(opened, form(url, name="Neu"), "Ayşe", TODAY, NOW)
        created = int(row.id)
    undo(url, created)
    with session(url) as opened:
        assert office_edit.load(opened, new.id) is None


def test_a_removal_is_not_undone_over_another_office_with_the_same_id(url: str, tmp_path: Path) -> None:
    with session(url) as opened:
        removal = int(office_edit.delete(opened, DORTMUND, office_edit.version(stored(url)), "Ayşe", NOW).id)
    take(url, tmp_path, cells(name="Again", professions=""))
    assert refusal(url, removal).reason == "exists"


def test_an_unknown_change_is_not_undone(url: str) -> None:
    with session(url) as opened:
        assert office_edit.undo(opened, 999, "Tom", NOW) is None


def test_a_change_that_somebody_overwrote_by_hand_is_not_undone(url: str) -> None:
    change_id = change(url, street="Neuer Weg 7")
    with session(url) as opened:
        opened.connection().exec_driver_sql(f"UPDATE office SET street = 'X' WHERE id = '{DORTMUND}'")
    refused = refusal(url, change_id)
    assert (refused.reason, refused.later) == ("later", None)


PROGRAM = """
import json, sys
from actions.directory import offices
from actions.directory.database import session
from actions.directory.places import resolve
with session(sys.argv[1]) as opened:
    place = resolve(opened, "44137").place
    print(json.dumps([o["street"] for o in offices.find(opened, "recognition", place).public()["offices"]]))
"""


def test_another_process_sees_a_change_at_once(url: str) -> None:
    def asked() -> list[str]:
        environment = os.environ | {"PYTHONPATH": str(PROJECT)}
        done = subprocess.run([sys.executable, "-c", PROGRAM, url], env=environment, capture_output=True, text=True, check=True)
        return list(json.loads(done.stdout))

    assert "Königswall 1" in asked()
    change(url, street="Neuer Weg 7")
    assert "Neuer Weg 7" in asked()


def test_an_edit_is_not_overwritten_at_the_next_start(home: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{home / 'directory.db'}"
    data = project_data(tmp_path / "data", [minimal(1), cells(professions="")])
    fill(url, data)
    change_id = change(url, street="Neuer Weg 7")
    assert fill(url, data).offices is None
    project_data(data, [minimal(1, name="Newer"), cells(professions="")])
    result = fill(url, data)
    assert "nothing was overwritten" in result.notes[0]
    assert stored(url).street == "Neuer Weg 7"
    undo(url, change_id)
    fill(url, data)
    assert stored(url, "hotline-1").name == "Newer"


# The list


@pytest.fixture
def listed(url: str, tmp_path: Path) -> str:
    take(
        url,
        tmp_path,
        minimal(2, name="Ölmühle Köln", city="Köln", state="DE-NW", checked_on="2026-11-20", confirmed="false", confidence="low"),
        minimal(3, name="Zukunft", valid_from="2027-01-01", phone="0231 5021234", checked_on="2026-11-20"),
        minimal(4, name="Alt", valid_until="2026-01-01", coverage="DE-BE"),
    )
    return url


def found(url: str, page: int = 1, size: int = 50, **wanted: Any) -> list[str]:
    with session(url) as opened:
        return [office.id for office in office_list.find(opened, office_list.OfficeFilter(**wanted), TODAY, page, size).offices]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, ["hotline-4", DORTMUND, "hotline-1", "hotline-2", "hotline-3"]),
        ({"text": "koeln olmuhle"}, []),
        ({"text": "KOELN oelmuehle"}, ["hotline-2"]),
        ({"text": "hotline-3"}, ["hotline-3"]),
        ({"text": "beispieltraeger"}, [DORTMUND]),
        ({"text": "%' OR 1=1 --"}, []),
        ({"kind": "recognition_counselling"}, [DORTMUND]),
        ({"state": "DE-NW"}, [DORTMUND, "hotline-2"]),
        ({"state": "DE-BE"}, ["hotline-4"]),
        ({"state": "none"}, ["hotline-4", "hotline-1", "hotline-3"]),
        ({"need": "recognition"}, [DORTMUND]),
        ({"confirmed": "no"}, ["hotline-2"]),
        ({"confidence": "high"}, [DORTMUND]),
        ({"status": "stale"}, ["hotline-4", DORTMUND, "hotline-1"]),
        ({"status": "expired"}, ["hotline-4"]),
        ({"status": "future"}, ["hotline-3"]),
        ({"status": "current"}, [DORTMUND, "hotline-1", "hotline-2"]),
        ({"status": "no_contact"}, ["hotline-4", "hotline-1", "hotline-2"]),
        ({"order": "city"}, [DORTMUND, "hotline-2", "hotline-4", "hotline-1", "hotline-3"]),
        ({"order": "city", "descending": True}, ["hotline-2", DORTMUND, "hotline-4", "hotline-1", "hotline-3"]),
        ({"order": "checked_on", "descending": True}, ["hotline-2", "hotline-3", "hotline-4", DORTMUND, "hotline-1"]),
    ],
)
def test_the_list_is_searched_filtered_and_sorted(listed: str, wanted: dict[str, Any], ids: list[str]) -> None:
    assert found(listed, **wanted) == ids


def test_the_list_has_pages_and_the_last_one_stands_for_all_behind_it(listed: str) -> None:
    assert found(listed, 2, 2) == ["hotline-1", "hotline-2"]
    assert found(listed, 3, 2) == found(listed, 99, 2) == ["hotline-3"]
    with session(listed) as opened:
        page = office_list.find(opened, office_list.OfficeFilter(text="nothing at all"), TODAY)
    assert (page.offices, page.total, page.pages) == ([], 0, 1)


def test_edits_undo_and_search_work_on_postgresql(postgres_url: str, home: Path, tmp_path: Path) -> None:
    fill(postgres_url, project_data(tmp_path / "data", [minimal(1), cells(professions="")]))
    change_id = change(postgres_url, street="Neuer Weg 7", more_languages=["Ukrainisch"])
    assert stored(postgres_url).languages == ("de", "tr", "ar", "uk")
    undo(postgres_url, change_id)
    outcomes = race(postgres_url)
    assert outcomes.count("conflict") == 7
    assert stored(postgres_url).carrier in outcomes
    assert found(postgres_url, text="dortmund", status="stale") == [DORTMUND]
