"""The history of the offices: what imports and fillings leave in it, and what an undo of an import spares."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, select

from actions.directory import changes, importer, models, office_edit
from actions.directory.database import engine, session
from actions.directory.fill import fill
from tests.directory.factories import cells, minimal, project_data, write_csv

pytest_plugins = ["tests.directory.factories", "tests.postgres"]

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)


def take(url: str, folder: Path, *rows: dict[str, str], replace: bool = False) -> None:
    """Import rows as the command line does."""
    with session(url) as opened:
        offices, problems = importer.validate(opened, importer.read_rows(write_csv(folder / "t.csv", rows)))
        assert not problems
        importer.apply(opened, importer.plan(opened, offices, replace))


def history(url: str, **wanted: object) -> list[changes.Change]:
    with session(url) as opened:
        return changes.history(opened, **wanted)  # type: ignore[arg-type]


def check(url: str, office_id: str) -> int:
    """Mark an office as checked on the day of these tests; return the id of the change."""
    with session(url) as opened:
        office = office_edit.load(opened, office_id)
        assert office is not None
        done = office_edit.mark_checked(opened, office_id, office_edit.version(office), "Ayşe", NOW.date(), datetime.now(timezone.utc))
        assert done is not None
        return int(done[1].id)


def test_the_tables_are_as_the_models_say(directory_url: str) -> None:
    with engine(directory_url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), models.Base.metadata) == []


def test_an_import_from_the_command_line_leaves_a_line_for_each_office_that_changes(directory_url: str, tmp_path: Path) -> None:
    take(directory_url, tmp_path, minimal(1), minimal(2))
    take(directory_url, tmp_path, minimal(1, name="New name"), minimal(3), replace=True)
    lines = {(c.office_id, c.before is None, c.after is None) for c in history(directory_url)[:3]}
    assert lines == {("hotline-1", False, False), ("hotline-2", False, True), ("hotline-3", True, False)}
    changed = next(c for c in history(directory_url) if c.before and c.after)
    assert (changed.who, changed.action) == (changes.COMMAND, changes.IMPORT)
    assert changed.fields == (changes.FieldDiff("name", "Hotline 1", "New name"),)


def test_an_import_that_fails_leaves_no_history(directory_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "set_meta", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        take(directory_url, tmp_path, minimal(1))
    assert history(directory_url) == []


def test_the_first_filling_is_no_change_but_an_update_of_the_shipped_offices_is(home: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{home / 'directory.db'}"
    data = project_data(tmp_path / "data", [minimal(1), cells()])
    fill(url, data)
    assert history(url) == []
    project_data(data, [minimal(1, name="Newer"), cells()])
    fill(url, data)
    assert [(c.who, c.action, c.office_id) for c in history(url)] == [(changes.PROJECT, changes.SHIPPED, "hotline-1")]


def test_history_is_read_in_pages_and_by_office_and_person(directory_url: str, tmp_path: Path) -> None:
    take(directory_url, tmp_path, *(minimal(n) for n in range(1, 6)))
    check(directory_url, "hotline-2")
    first = history(directory_url, limit=4)
    second = history(directory_url, limit=4, before=first[-1].id)
    assert [c.id for c in [*first, *second]] == [6, 5, 4, 3, 2, 1]
    assert [c.action for c in history(directory_url, office_id="hotline-2")] == [changes.CHECK, changes.IMPORT]
    assert [c.office_id for c in history(directory_url, who="Ayşe")] == ["hotline-2"]
    with session(directory_url) as opened:
        assert changes.people(opened) == ["Ayşe", changes.COMMAND]
        assert changes.find(opened, 10**30) is None
        assert changes.find(opened, -1) is None


def test_a_change_needs_an_office(directory_url: str) -> None:
    with session(directory_url) as opened, pytest.raises(ValueError, match="needs an office"):
        changes.record(opened, "x", changes.CHANGE, None, None)


def test_going_back_before_an_import_is_refused_if_edits_would_be_lost(directory_url: str, tmp_path: Path) -> None:
    take(directory_url, tmp_path, minimal(1))
    change_id = check(directory_url, "hotline-1")
    with session(directory_url) as opened, pytest.raises(importer.DirectoryChangedError, match="edited one by one .hotline-1."):
        importer.undo(opened)
    with session(directory_url) as opened:
        office_edit.undo(opened, change_id, "Ayşe", datetime.now(timezone.utc))
    with session(directory_url) as opened:
        assert importer.undo(opened) is not None
        assert importer.stored_offices(opened) == {}
    newest = history(directory_url)[0]
    assert (newest.action, newest.after) == (changes.IMPORT_UNDO, None)


def test_single_edits_do_not_push_out_the_states_kept_for_going_back(directory_url: str, tmp_path: Path) -> None:
    take(directory_url, tmp_path, minimal(1))
    kept = importer.backups()
    check(directory_url, "hotline-1")
    assert importer.backups() == kept


def test_the_table_for_excel_can_be_imported_again_and_holds_no_formula(directory_url: str, tmp_path: Path) -> None:
    take(directory_url, tmp_path, minimal(1), cells())
    with session(directory_url) as opened:
        stored = importer.stored_offices(opened)
        for name in ("t.csv", "t.xlsx"):
            importer.write_table(tmp_path / name, stored.values(), for_excel=True)
            offices, problems = importer.validate(opened, importer.read_rows(tmp_path / name))
            assert problems == []
            assert importer.plan(opened, offices, replace=True).is_empty
    text = (tmp_path / "t.csv").read_text(encoding="utf-8-sig")
    assert "'+49 231 5021234" in text
    assert not any(cell[:1] in "=+-@" for line in text.splitlines() for cell in line.split(";") if cell)


def test_what_begins_like_a_formula_is_a_text_in_a_spreadsheet(directory_url: str, tmp_path: Path) -> None:
    from openpyxl import load_workbook

    take(directory_url, tmp_path, minimal(1))
    with session(directory_url) as opened:
        office = importer.stored_offices(opened)["hotline-1"]
    importer.write_table(tmp_path / "t.xlsx", [replace(office, name="=1+1")])
    cell = load_workbook(tmp_path / "t.xlsx").worksheets[0]["D2"]
    assert (cell.value, cell.data_type) == ("=1+1", "s")


def test_history_works_on_postgresql(postgres_url: str, home: Path, tmp_path: Path) -> None:
    fill(postgres_url, project_data(tmp_path / "data", [minimal(1), cells()]))
    with engine(postgres_url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), models.Base.metadata) == []
    change_id = check(postgres_url, "hotline-1")
    with session(postgres_url) as opened:
        made = changes.find(opened, change_id)
        assert made is not None
        assert (made.before or {})["checked_on"] == "2026-02-03"
        assert office_edit.undo(opened, change_id, "Ayşe", NOW) is not None
    with session(postgres_url) as opened:
        assert opened.scalar(select(func.count()).select_from(models.OfficeChange)) == 2
        restored = office_edit.load(opened, "hotline-1")
        assert restored is not None
        assert str(restored.checked_on) == "2026-02-03"
