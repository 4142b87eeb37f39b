"""The import of office tables: what is taken, what is refused, and what it does to the directory."""

from __future__ import annotations

import os
from datetime import date, datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook
from sqlalchemy import select
from sqlalchemy.orm import Session

from actions.directory import importer, models
from actions.directory.database import session, upgrade
from actions.directory.fill import fill
from actions.directory.office_rows import COLUMNS, PlaceIndex, PlacesMissingError, Problem
from tests.directory.factories import RIGHT_CELLS, WRONG_CELLS, cells, minimal, project_data, write_csv, write_xlsx

pytest_plugins = ["tests.directory.factories", "tests.postgres"]

TODAY = date(2026, 3, 1)


def problems_of(url: str, tmp_path: Path, *rows: dict[str, str]) -> list[Problem]:
    table = write_csv(tmp_path / "table.csv", rows)
    with session(url) as opened:
        return importer.validate(opened, importer.read_rows(table), TODAY)[1]


def take(url: str, table: Path, replace: bool = False) -> importer.Plan:
    """Import a table that must be right."""
    with session(url) as opened:
        offices, problems = importer.validate(opened, importer.read_rows(table), TODAY)
        assert not problems
        plan = importer.plan(opened, offices, replace)
        importer.apply(opened, plan)
    return plan


def stored(url: str) -> dict[str, dict[str, str]]:
    with session(url) as opened:
        return {key: row.cells() for key, row in importer.stored_offices(opened).items()}


# Reading


@pytest.mark.parametrize(("delimiter", "encoding"), [(",", "utf-8"), (";", "utf-8"), (";", "utf-8-sig")])
def test_a_csv_file_is_read_whatever_its_delimiter_and_mark(tmp_path: Path, delimiter: str, encoding: str) -> None:
    table = write_csv(tmp_path / "t.csv", [cells()], delimiter, encoding)
    assert [(row.line, row.cells) for row in importer.read_rows(table)] == [(2, cells())]


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "t.csv", [cells(remark="two\nlines"), minimal(1), minimal(2)])
    assert [row.line for row in importer.read_rows(table)] == [2, 4, 5]


def test_numbers_dates_and_truth_values_of_excel_become_text(tmp_path: Path) -> None:
    typed = {"postcode": 1067, "confirmed": True, "checked_on": datetime(2026, 2, 3), "source_date": 2026.0}
    read = importer.read_rows(write_xlsx(tmp_path / "t.xlsx", [cells() | typed]))[0].cells
    assert [read[column] for column in typed] == ["01067", "true", "2026-02-03", "2026"]


def test_rows_of_a_spreadsheet_without_any_cell_are_skipped(tmp_path: Path) -> None:
    table = write_xlsx(tmp_path / "t.xlsx", [minimal(1), dict.fromkeys(COLUMNS, ""), minimal(2)])
    assert [row.line for row in importer.read_rows(table)] == [2, 4]


def _table(tmp_path: Path, content: bytes, name: str = "t.csv") -> Path:
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (",".join(COLUMNS).encode(), "no rows"),
        ((",".join(COLUMNS) + "\nK\u00f6ln").encode("latin-1"), r"not UTF-8 \(line 2\)"),
        (",".join(COLUMNS).encode("utf-16"), "not UTF-8"),
        (",".join(COLUMNS).encode() + b"\na\0b", "not a text file"),
        (b"\xd0\xcf\x11\xe0whatever", "old Excel file"),
        (b"PK\x03\x04broken", "cannot be read as an XLSX file"),
        (",".join(COLUMNS).encode() + b'\n"never closed,', "quotation mark"),
        (",".join(COLUMNS[1:]).encode() + b"\nx", "missing columns: id"),
        (",".join((*COLUMNS, "fax", "id")).encode() + b"\nx", "unknown columns: fax; columns twice: id"),
    ],
)
def test_a_file_that_is_no_office_table_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(importer.TableError, match=reason):
        importer.read_rows(_table(tmp_path, content))


def test_a_missing_file_and_a_too_large_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(importer.TableError, match="cannot be read: No such file"):
        importer.read_rows(tmp_path / "none.csv")
    with (tmp_path / "large.csv").open("wb") as file:
        file.truncate(importer.MAX_BYTES + 1)
    with pytest.raises(importer.TableError, match="at most 20 MB"):
        importer.read_rows(tmp_path / "large.csv")


def test_a_spreadsheet_that_unpacks_to_far_more_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "MAX_UNPACKED", 1000)
    with pytest.raises(importer.TableError, match="too large when unpacked"):
        importer.read_rows(write_xlsx(tmp_path / "t.xlsx", [cells()]))


def test_a_table_with_too_many_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "MAX_ROWS", 2)
    for table in (write_csv(tmp_path / "t.csv", [minimal()] * 3), write_xlsx(tmp_path / "t.xlsx", [minimal()] * 3)):
        with pytest.raises(importer.TableError, match="more than 2 rows"):
            importer.read_rows(table)


# Checking


def test_a_good_row_and_a_row_with_only_what_is_needed_have_no_problems(directory_url: str, tmp_path: Path) -> None:
    assert problems_of(directory_url, tmp_path, cells(), minimal()) == []


@pytest.mark.parametrize(("column", "value"), RIGHT_CELLS)
def test_a_right_cell_is_taken(directory_url: str, tmp_path: Path, column: str, value: str) -> None:
    assert problems_of(directory_url, tmp_path, cells(**{column: value})) == []


@pytest.mark.parametrize(("column", "value", "reason"), WRONG_CELLS)
def test_a_wrong_cell_is_refused_with_the_reason(directory_url: str, tmp_path: Path, column: str, value: str, reason: str | None) -> None:
    found = problems_of(directory_url, tmp_path, cells(**{column: value}))
    expected_column = "postcode" if reason is None else column  # a wrong state shows at the postcode
    assert [(p.line, p.column, p.warning) for p in found] == [(2, expected_column, False)]
    assert (reason or "not to DE-BY") in found[0].reason


def test_low_confidence_cannot_be_confirmed(directory_url: str, tmp_path: Path) -> None:
    found = problems_of(directory_url, tmp_path, cells(confidence="low"), minimal(confidence="low", confirmed="false"))
    assert [(p.line, p.column, p.reason) for p in found] == [(2, "confirmed", "must be false if confidence is low")]


def test_a_town_in_another_state_is_refused_even_without_a_postcode(directory_url: str, tmp_path: Path) -> None:
    found = problems_of(directory_url, tmp_path, cells(postcode="", city="Köln", state="DE-BY"))
    assert [(p.column, p.reason) for p in found] == [("city", "no town of this name lies in DE-BY")]


def test_an_unknown_town_and_an_unknown_profession_only_warn(directory_url: str, tmp_path: Path) -> None:
    with session(directory_url) as opened:
        opened.add(models.Profession(title="Hebamme", field="health", regulated="yes"))
    row = cells(city="Dortmunnd", professions="Hebamme;field:health;field:magic;Zauberer")
    found = problems_of(directory_url, tmp_path, row)
    assert [(p.column, p.warning) for p in found] == [("city", True), ("professions", True), ("professions", True)]


def test_all_problems_of_all_rows_are_told_at_once(directory_url: str, tmp_path: Path) -> None:
    rows = [cells(kind="x", phone="1", email="y"), minimal(1), minimal(1), cells(checked_on="", coverage="ZZ")]
    found = problems_of(directory_url, tmp_path, *rows)
    assert {(p.line, p.column) for p in found} == {
        (2, "kind"), (2, "phone"), (2, "email"), (4, "id"), (5, "checked_on"), (5, "coverage"), (5, "id"),
    }  # fmt: skip
    assert "stands in line 3 already" in {p.reason for p in found if p.line == 4}


def test_a_row_with_a_cell_too_many_or_too_few_is_refused(directory_url: str, tmp_path: Path) -> None:
    table = write_csv(tmp_path / "t.csv", [minimal(1), minimal(2)])
    good, long, short = table.read_text().splitlines()
    table.write_text("\n".join([good, long + ",more", short.rsplit(",", 2)[0]]))
    with session(directory_url) as opened:
        offices, found = importer.validate(opened, importer.read_rows(table), TODAY)
    assert offices == []
    assert [(p.line, p.reason.split(":")[0]) for p in found] == [
        (2, "the row has 27 cells instead of 26"),
        (3, "the row has 24 cells instead of 26"),
    ]


def test_a_formula_in_a_spreadsheet_is_refused(directory_url: str, tmp_path: Path) -> None:
    table = write_xlsx(tmp_path / "t.xlsx", [minimal(name="=1+1")])
    with session(directory_url) as opened:
        found = importer.validate(opened, importer.read_rows(table), TODAY)[1]
    assert [(p.column, p.value) for p in found] == [("name", "=1+1")]


def test_control_characters_cannot_reach_the_terminal_through_a_message(directory_url: str, tmp_path: Path) -> None:
    found = problems_of(directory_url, tmp_path, cells(name="\x1b[31mred" + "x" * 200))
    assert found[0].value.startswith("\\x1b[31mred")
    assert len(found[0].value) == 80


def test_without_places_nothing_can_be_checked_and_that_is_said(home: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{home / 'empty.db'}"
    upgrade(url)
    with session(url) as opened, pytest.raises(PlacesMissingError, match="lotse directory fill"):
        importer.validate(opened, importer.read_rows(write_csv(tmp_path / "t.csv", [cells()])))


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("0231/502-1234", "+49 231 5021234"),
        ("+49 (0)231 5021234", "+49 231 5021234"),
        ("0049 231 5021234", "+49 231 5021234"),
        ("116016", "116 016"),
        ("0800-111 0 111", "0800 1110111"),
        ("112 / 0231 5021234", "112 / +49 231 5021234"),
    ],
)
def test_phone_numbers_get_one_form(directory_url: str, tmp_path: Path, written: str, kept: str) -> None:
    take(directory_url, write_csv(tmp_path / "t.csv", [cells(phone=written)]))
    assert stored(directory_url)[cells()["id"]]["phone"] == kept


def test_lists_are_kept_once_and_coverage_is_stored_as_prefixes(directory_url: str, tmp_path: Path) -> None:
    row = cells(needs="recognition; human;recognition;", coverage="abroad;DE-NW;09162;DE", languages="tr;de;tr")
    take(directory_url, write_csv(tmp_path / "t.csv", [row]))
    with session(directory_url) as opened:
        office = opened.get(models.Office, row["id"])
        assert [c.prefix for c in office.coverage] == ["", "05", "09162", "abroad"]
        assert [n.need for n in office.needs] == ["human", "recognition"]
        assert [n.language for n in office.languages] == ["tr", "de"]


# Where an office is


@pytest.mark.parametrize(
    ("changes", "near"),
    [
        ({}, (51.5, 7.5)),
        ({"postcode": ""}, (51.5, 7.5)),
        ({"postcode": "", "city": "Frankfurt (Oder)", "state": "DE-BB"}, (52.3, 14.5)),
        ({"postcode": "", "city": "", "state": "", "coverage": "09162"}, (48.1, 11.6)),
        ({"postcode": "", "city": "", "state": "", "coverage": "09162;09163"}, None),
        ({"coverage": "DE"}, None),
        ({"coverage": "abroad"}, None),
    ],
)
def test_an_office_is_located_by_postcode_then_town_then_district(
    directory_url: str, tmp_path: Path, changes: dict[str, str], near: tuple[float, float] | None
) -> None:
    take(directory_url, write_csv(tmp_path / "t.csv", [cells(**changes)]))
    with session(directory_url) as opened:
        office = opened.get(models.Office, cells()["id"])
        if near is None:
            assert office.latitude is None
            assert office.longitude is None
        else:
            assert (office.latitude, office.longitude) == pytest.approx(near, abs=0.15)


# Planning and applying


def test_a_plan_says_cell_by_cell_what_will_change(directory_url: str, tmp_path: Path) -> None:
    take(directory_url, write_csv(tmp_path / "a.csv", [cells(), minimal(1), minimal(2)]))
    rows = [cells(phone="112", coverage="DE-NW", valid_until="", confirmed="false"), minimal(1), minimal(3)]
    plan = take(directory_url, write_csv(tmp_path / "b.csv", rows))
    assert [o.id for o in plan.added] == ["hotline-3"]
    assert plan.unchanged == ["hotline-1"]
    assert plan.removed == []
    assert [tuple(f) for f in plan.changed[0].fields] == [
        ("phone", "+49 231 5021234", "112"),
        ("coverage", "05913;05978", "DE-NW"),
        ("valid_until", "2028-12-31", ""),
        ("confirmed", "true", "false"),
    ]
    assert list(stored(directory_url)) == ["hotline-1", "hotline-2", "hotline-3", cells()["id"]]
    assert stored(directory_url)[cells()["id"]] == rows[0]


def test_only_with_replace_are_offices_removed_that_the_file_lacks(directory_url: str, tmp_path: Path) -> None:
    take(directory_url, write_csv(tmp_path / "a.csv", [cells(), minimal(1)]))
    plan = take(directory_url, write_csv(tmp_path / "b.csv", [minimal(1)]), replace=True)
    assert [o.id for o in plan.removed] == [cells()["id"]]
    assert list(stored(directory_url)) == ["hotline-1"]
    with session(directory_url) as opened:
        assert opened.scalars(select(models.OfficeContact)).all() == []
        assert len(opened.scalars(select(models.OfficeNeed)).all()) == 1


def test_importing_the_same_file_again_changes_nothing_and_keeps_no_state(directory_url: str, tmp_path: Path) -> None:
    table = write_csv(tmp_path / "a.csv", [cells(), minimal(1)])
    take(directory_url, table)
    assert len(importer.backups()) == 1
    assert take(directory_url, table, replace=True).is_empty
    assert len(importer.backups()) == 1


def test_a_failure_in_the_middle_leaves_everything_as_it_was(directory_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take(directory_url, write_csv(tmp_path / "a.csv", [cells(), minimal(1)]))
    before, kept = stored(directory_url), importer.backups()
    original = importer._office
    done: list[str] = []

    def fail_at_the_second(row: importer.OfficeRow, places: PlaceIndex) -> models.Office:
        if done:
            raise RuntimeError("disk full")
        done.append(row.id)
        return original(row, places)

    monkeypatch.setattr(importer, "_office", fail_at_the_second)
    with pytest.raises(RuntimeError, match="disk full"):
        take(directory_url, write_csv(tmp_path / "b.csv", [minimal(7), cells(name="New")]), replace=True)
    assert stored(directory_url) == before
    assert importer.backups() == kept


def test_nothing_is_imported_if_the_previous_state_cannot_be_kept(directory_url: str, tmp_path: Path) -> None:
    take(directory_url, write_csv(tmp_path / "a.csv", [minimal(1)]))
    for path in importer.backups():
        path.unlink()
    importer.backup_folder().rmdir()
    importer.backup_folder().write_text("a file where the folder should be")
    with pytest.raises(OSError, match="directory-backups"):
        take(directory_url, write_csv(tmp_path / "b.csv", [minimal(2)]))
    assert list(stored(directory_url)) == ["hotline-1"]


def test_a_plan_made_for_another_state_is_not_applied(directory_url: str, tmp_path: Path) -> None:
    table = write_csv(tmp_path / "a.csv", [minimal(1)])
    with session(directory_url) as opened:
        offices = importer.validate(opened, importer.read_rows(table), TODAY)[0]
        old = importer.plan(opened, offices)
    take(directory_url, write_csv(tmp_path / "b.csv", [minimal(1, name="Meanwhile")]))
    with session(directory_url) as opened, pytest.raises(importer.DirectoryChangedError, match="somebody else"):
        importer.apply(opened, old)
    assert stored(directory_url)["hotline-1"]["name"] == "Meanwhile"


# Export and undo


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx"])
def test_an_export_can_be_imported_again_without_any_change(directory_url: str, tmp_path: Path, name: str) -> None:
    rows = [
        cells(postcode="01067", city="Dresden", state="DE-SN", coverage="14612;abroad;DE"),
        cells(id="b", phone="116 016 / 0800 1110111", website="https://a.de/x;y;https://b.de", professions="A, B"),
        minimal(1, name='Quotes " and; semicolons, commas', confidence="low", confirmed="false"),
    ]
    take(directory_url, write_csv(tmp_path / "in.csv", rows))
    with session(directory_url) as opened:
        assert importer.export(opened, tmp_path / name) == 3
    assert take(directory_url, tmp_path / name, replace=True).is_empty
    first = (tmp_path / name).read_bytes()
    with session(directory_url) as opened:
        importer.export(opened, tmp_path / name)
    assert name.endswith(".xlsx") or (tmp_path / name).read_bytes() == first
    assert [row.cells["id"] for row in importer.read_rows(tmp_path / name)] == sorted(r["id"] for r in rows)
    assert not list(tmp_path.glob(".*.part"))


def test_exported_spreadsheets_hold_text_so_that_excel_keeps_leading_zeros(directory_url: str, tmp_path: Path) -> None:
    take(directory_url, write_csv(tmp_path / "in.csv", [cells(postcode="01067", city="Dresden", state="DE-SN")]))
    with session(directory_url) as opened:
        importer.export(opened, tmp_path / "out.xlsx")
    cell = load_workbook(tmp_path / "out.xlsx").worksheets[0].cell(2, COLUMNS.index("postcode") + 1)
    assert (cell.value, cell.data_type, cell.number_format) == ("01067", "s", "@")


def test_undo_goes_back_import_by_import_and_keeps_what_it_replaces(directory_url: str, tmp_path: Path) -> None:
    states = []
    for rows in ([cells()], [cells(name="New"), minimal(1)], [minimal(2)]):
        states.append(stored(directory_url))
        take(directory_url, write_csv(tmp_path / "t.csv", rows), replace=True)
    last = stored(directory_url)
    for state in reversed(states):
        with session(directory_url) as opened:
            undone = importer.undo(opened)
        assert undone is not None
        assert stored(directory_url) == state
    with session(directory_url) as opened:
        assert importer.undo(opened) is None
    kept = importer.backups(importer.backup_folder() / "undone")
    assert len(kept) == 3
    take(directory_url, kept[-1], replace=True)
    assert stored(directory_url) == last


def test_a_state_that_breaks_the_rules_is_not_restored(directory_url: str, tmp_path: Path) -> None:
    for name in ("Old", "New"):
        take(directory_url, write_csv(tmp_path / "t.csv", [minimal(1, name=name)]))
    newest = importer.backups()[0]
    newest.write_text(newest.read_text().replace("hotline,human", "nonsense,human"))
    with session(directory_url) as opened, pytest.raises(importer.ProblemsError, match="1 problems"):
        importer.undo(opened)
    assert stored(directory_url)["hotline-1"]["name"] == "New"
    assert newest.exists()


def test_only_the_last_twenty_states_are_kept(directory_url: str, tmp_path: Path) -> None:
    for number in range(23):
        take(directory_url, write_csv(tmp_path / "t.csv", [minimal(1, name=f"Name {number}")]))
    kept = importer.backups()
    assert len(kept) == 20
    assert "Name 21" in kept[0].read_text()
    assert kept == sorted(kept, reverse=True)
    assert sorted(os.listdir(importer.backup_folder())) == sorted(p.name for p in kept)


# Care


def _check(url: str) -> set[tuple[str, str]]:
    with session(url) as opened:
        return {(f.kind, f.subject) for f in importer.check(opened, TODAY)}


def test_check_finds_offices_without_contact_ended_and_unconfirmed(directory_url: str, tmp_path: Path) -> None:
    rows = [
        minimal(1, phone="112"),
        minimal(2),
        minimal(3, website="https://a.de", valid_until="2026-02-28", confirmed="false"),
        minimal(4, email="a@beispiel.de", valid_until="2026-03-01"),
    ]
    take(directory_url, write_csv(tmp_path / "t.csv", rows))
    single = {(kind, subject) for kind, subject in _check(directory_url) if subject.startswith("hotline")}
    assert single == {("no_contact", "hotline-2"), ("expired", "hotline-3"), ("unconfirmed", "hotline-3")}


def test_check_finds_needs_states_and_districts_that_nobody_serves(directory_url: str, tmp_path: Path) -> None:
    rows = [
        cells(id="a", needs="recognition", coverage="05913"),
        cells(id="b", needs="recognition", coverage="DE-BE"),
        cells(id="c", needs="recognition", coverage="DE-HH", confirmed="false"),
        cells(id="d", needs="recognition", coverage="DE-HB", valid_until="2026-01-01"),
        minimal(1, needs="human;immigration_law"),
        cells(id="e", needs="human", coverage="05913"),
    ]
    take(directory_url, write_csv(tmp_path / "t.csv", rows))
    found = _check(directory_url)
    assert ("coverage_gap", "recognition DE-NW") in found
    assert {s for kind, s in found if kind == "no_confirmed_office" and s.startswith("recognition")} == {
        f"recognition {state}" for state in importer.state_prefixes() if state not in ("DE-NW", "DE-BE")
    }
    assert not any(subject.startswith(("human", "immigration_law")) for _, subject in found)
    assert ("no_confirmed_office", "crisis") in found
    assert not any("out_of_scope" in subject for _, subject in found)


def test_stale_lists_what_was_not_checked_lately_the_oldest_first(directory_url: str, tmp_path: Path) -> None:
    days = {1: "2026-02-01", 2: "2025-01-01", 3: "2025-09-01", 4: "2025-09-02"}
    take(directory_url, write_csv(tmp_path / "t.csv", [minimal(n, checked_on=day) for n, day in days.items()]))
    with session(directory_url) as opened:
        assert [o.id for o in importer.stale(opened, 180, TODAY)] == ["hotline-2", "hotline-3"]


# PostgreSQL


def test_the_whole_round_works_on_postgresql(postgres_url: str, home: Path, tmp_path: Path) -> None:
    fill(postgres_url, project_data(tmp_path / "data", [minimal(1)]))
    rows = [cells(), cells(id="a-b", coverage="DE;abroad"), cells(id="a.b".replace(".", "")), minimal(1, name="Other")]
    plan = take(postgres_url, write_csv(tmp_path / "t.csv", rows), replace=True)
    assert (len(plan.added), len(plan.changed)) == (3, 1)
    for name in ("out.csv", "out.xlsx"):
        with session(postgres_url) as opened:
            importer.export(opened, tmp_path / name)
        assert take(postgres_url, tmp_path / name, replace=True).is_empty
    plan = take(postgres_url, write_csv(tmp_path / "t.csv", [cells(name="New")]), replace=True)
    assert (len(plan.changed), len(plan.removed)) == (1, 3)
    with session(postgres_url) as opened:
        assert importer.check(opened, TODAY)
        assert importer.undo(opened) is not None
    assert list(stored(postgres_url)) == ["a-b", "ab", "hotline-1", cells()["id"]]


def test_a_failed_import_leaves_postgresql_as_it_was(
    postgres_url: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(postgres_url, project_data(tmp_path / "data", [minimal(1)]))

    def fail(opened: Session, key: str, value: str) -> None:
        raise RuntimeError("lost connection")

    monkeypatch.setattr(importer, "set_meta", fail)
    with pytest.raises(RuntimeError, match="lost connection"):
        take(postgres_url, write_csv(tmp_path / "t.csv", [minimal(2)]), replace=True)
    assert list(stored(postgres_url)) == ["hotline-1"]
