"""The commands `lotse directory ...`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from actions.directory import importer
from actions.directory.database import DATA, session
from bot import cli_directory
from bot.cli_directory import directory_app
from tests.directory.factories import cells, minimal, project_data, write_csv, write_xlsx

pytest_plugins = ["tests.directory.factories"]


@pytest.fixture(autouse=True)
def shipped(directory_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands find two shipped offices instead of the project's own."""
    data = project_data(tmp_path / "data", [minimal(1), minimal(2, checked_on="2020-01-01")])
    fill = cli_directory.fill_directory
    monkeypatch.setattr(cli_directory, "fill_directory", lambda: fill(data=data))


def run(*arguments: object, answer: str | None = None) -> Result:
    return CliRunner().invoke(directory_app, [str(a) for a in arguments], input=answer)


def ids(url: str) -> list[str]:
    with session(url) as opened:
        return list(importer.stored_offices(opened))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that somebody sits at a terminal and can be asked."""
    monkeypatch.setattr(cli_directory, "_can_ask", lambda: True)


@pytest.mark.parametrize("command", ["import", "export", "check", "stale", "fill", "undo", "build-places"])
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"lotse directory {command}" in result.output


@pytest.mark.parametrize("write", [write_csv, write_xlsx])
def test_an_import_shows_what_changes_and_applies_it_with_yes(directory_url: str, tmp_path: Path, write: Callable[..., Path]) -> None:
    table = write(tmp_path / "t.table", [cells(), minimal(1, name="New name")])
    result = run("import", table, "--yes")
    assert result.exit_code == 0
    assert "1 added, 1 changed, 0 removed, 0 unchanged." in result.output
    assert "New name" in result.output
    assert "lotse directory undo" in result.output
    assert ids(directory_url) == ["hotline-1", "hotline-2", cells()["id"]]
    assert "says the same already" in run("import", table).output


def test_a_dry_run_changes_nothing(directory_url: str, tmp_path: Path) -> None:
    result = run("import", write_csv(tmp_path / "t.csv", [cells()]), "--dry-run", "--yes", "--replace")
    assert result.exit_code == 0
    assert "1 added, 0 changed, 2 removed" in result.output
    assert "nothing was changed" in result.output
    assert ids(directory_url) == ["hotline-1", "hotline-2"]
    assert importer.backups() == []


def test_where_nobody_can_be_asked_yes_is_needed(directory_url: str, tmp_path: Path) -> None:
    result = run("import", write_csv(tmp_path / "t.csv", [cells()]))
    assert result.exit_code == 2
    assert "Add --yes" in result.output
    assert ids(directory_url) == ["hotline-1", "hotline-2"]


@pytest.mark.parametrize(("answer", "count"), [("y\n", 3), ("n\n", 2), ("\n", 2)])
def test_at_a_terminal_one_is_asked(directory_url: str, tmp_path: Path, terminal: None, answer: str, count: int) -> None:
    result = run("import", write_csv(tmp_path / "t.csv", [cells()]), answer=answer)
    assert result.exit_code == 0
    assert "Apply these changes?" in result.output
    assert len(ids(directory_url)) == count


def test_replace_and_undo(directory_url: str, tmp_path: Path) -> None:
    assert run("import", write_csv(tmp_path / "t.csv", [cells()]), "--replace", "--yes").exit_code == 0
    assert ids(directory_url) == [cells()["id"]]
    result = run("undo")
    assert result.exit_code == 0
    assert "2 added, 0 changed, 1 removed" in result.output
    assert ids(directory_url) == ["hotline-1", "hotline-2"]
    result = run("undo")
    assert result.exit_code == 1
    assert "no import to undo" in result.output


def test_problems_are_listed_with_line_and_column_and_nothing_is_imported(directory_url: str, tmp_path: Path) -> None:
    table = write_csv(tmp_path / "t.csv", [cells(), minimal(3, kind="[red]office", phone="1")])
    result = run("import", table, "--yes")
    assert result.exit_code == 1
    assert "Problems: 2" in result.output
    assert "[red]office" in result.output
    assert "1 of 2 rows are right" in result.output
    assert ids(directory_url) == ["hotline-1", "hotline-2"]


def test_warnings_do_not_stop_an_import(directory_url: str, tmp_path: Path) -> None:
    result = run("import", write_csv(tmp_path / "t.csv", [cells(city="Dortmunnd")]), "--yes")
    assert result.exit_code == 0
    assert "Warnings" in result.output


def test_a_long_list_is_cut_and_the_rest_counted(tmp_path: Path) -> None:
    result = run("import", write_csv(tmp_path / "t.csv", [minimal(n) for n in range(3, 230)]), "--dry-run")
    assert "... and 27 more." in result.output


def test_wrong_use_gives_exit_code_2_and_an_unreadable_table_1(tmp_path: Path) -> None:
    assert run("import", tmp_path / "none.csv").exit_code == 2
    assert run("import").exit_code == 2
    assert run("stale", "--days", "-1").exit_code == 2
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    result = run("import", tmp_path / "t.csv", "--yes")
    assert result.exit_code == 1
    assert "unknown columns: a, b" in result.output


def test_a_database_that_cannot_be_reached_is_a_message_and_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOTSE_DIRECTORY_URL", "postgresql://nobody@127.0.0.1:1/none")
    result = run("check")
    assert result.exit_code == 1
    assert "The directory database cannot be used" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("name", ["out.csv", "out.xlsx"])
def test_an_export_is_imported_again_without_change_and_does_not_overwrite(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    assert "2 offices" in run("export", file).output
    assert "says the same already" in run("import", file, "--replace").output
    again = run("export", file)
    assert again.exit_code == 2
    assert "--force" in again.output
    assert run("export", file, "--force").exit_code == 0


def test_an_export_needs_a_known_ending_and_a_folder_that_exists(tmp_path: Path) -> None:
    assert run("export", tmp_path / "out.txt").exit_code == 2
    result = run("export", tmp_path / "none" / "out.csv")
    assert result.exit_code == 1
    assert "No such file" in result.output


def test_check_shows_findings_and_stale_shows_old_offices() -> None:
    result = run("check")
    assert result.exit_code == 1
    assert "no_contact" in result.output
    result = run("stale", "--days", "365")
    assert result.exit_code == 1
    assert "hotline-2" in result.output
    assert run("stale", "--days", "36500").exit_code == 0


def test_fill_says_what_it_loaded_and_then_that_all_is_there() -> None:
    result = run("fill")
    assert result.exit_code == 0
    assert "office: 2 added" in result.output
    assert "Everything is loaded already." in run("fill").output


def test_fill_fails_if_the_shipped_offices_are_faulty(tmp_path: Path) -> None:
    project_data(tmp_path / "data", [minimal(1, kind="nonsense")])
    result = run("fill")
    assert result.exit_code == 1
    assert "'nonsense' is unknown" in result.output


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of data/places that a command may overwrite."""
    shutil.copytree(DATA / "places", tmp_path / "copy" / "places")
    monkeypatch.setattr(cli_directory, "DATA", tmp_path / "copy")
    return tmp_path / "copy" / "places"


def test_build_places_writes_the_tables(tmp_path: Path, places: Path) -> None:
    table = tmp_path / "postcodes.csv"
    table.write_text(
        "postcode,district,district_name,state,latitude,longitude,towns,large_recipient\n"
        "44137,05913,Kreisfreie Stadt Dortmund,DE-NW,51.51,7.46,Dortmund,0\n"
    )
    result = run("build-places", table)
    assert result.exit_code == 0
    assert "districts.csv: 1 rows" in result.output
    assert (places / "postcode_ranges.csv").read_text().splitlines()[1:] == ["44137,44137,05913,51.510,7.460"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a,b\n1,2\n", "lacks the columns district, "),
        (
            "postcode,district,district_name,state,latitude,longitude,towns,large_recipient\n1,2,3,4,north,6,7,0\n",
            "cannot be used",
        ),
    ],
)
def test_build_places_leaves_the_old_tables_if_the_new_one_is_broken(tmp_path: Path, places: Path, content: str, reason: str) -> None:
    before = {path.name: path.read_bytes() for path in places.iterdir()}
    (tmp_path / "postcodes.csv").write_text(content)
    result = run("build-places", tmp_path / "postcodes.csv")
    assert result.exit_code == 1
    assert reason in result.output
    assert {path.name: path.read_bytes() for path in places.iterdir()} == before
