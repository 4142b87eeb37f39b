"""The commands `lotse directory ...`: import, export and care of the offices, courses and hotlines."""

from __future__ import annotations

import csv
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from actions.directory import importer, places_build
from actions.directory.database import DATA, session, upgrade
from actions.directory.fill import FillResult
from actions.directory.fill import fill as fill_directory
from actions.directory.office_rows import OfficeRow, PlacesMissingError, Problem

OK, PROBLEMS, USAGE = 0, 1, 2
# A terminal is not read further than this; the whole list is in the file itself.
_SHOWN = 200
_POSTCODE_COLUMNS = {
    "postcode", "district", "district_name", "state", "latitude", "longitude", "towns", "large_recipient",
}  # fmt: skip

directory_app = typer.Typer(no_args_is_help=True, help="The directory of offices, courses and hotlines: import, export, check.")


def _console(stderr: bool = False) -> Console:
    # Cells come from files of others: no markup, and a fixed width where no terminal tells one.
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 120
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, width=width, soft_wrap=False)


def _say(text: str) -> None:
    _console().print(text, soft_wrap=True)


def _stop(text: str, code: int) -> typer.Exit:
    _console(stderr=True).print(text, soft_wrap=True)
    return typer.Exit(code)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    all_rows = list(rows)
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in all_rows[:_SHOWN]:
        table.add_row(*row)
    _console().print(table)
    if len(all_rows) > _SHOWN:
        _say(f"... and {len(all_rows) - _SHOWN} more.")


@contextmanager
def _messages() -> Iterator[None]:
    """Turn the errors that a user can do something about into a message and an exit code."""
    try:
        yield
    except (importer.TableError, importer.DirectoryChangedError, PlacesMissingError) as error:
        raise _stop(str(error), PROBLEMS) from error
    except importer.ProblemsError as error:
        _show_problems(error.problems)
        raise _stop("Nothing was changed.", PROBLEMS) from error
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip()
        raise _stop(f"The directory database cannot be used: {reason}", PROBLEMS) from error
    except OSError as error:
        raise _stop(f"{error.filename or 'A file'}: {error.strerror or error}.", PROBLEMS) from error


def _show_problems(problems: Sequence[Problem]) -> None:
    for title, warning in (("Problems", False), ("Warnings (they do not stop an import)", True)):
        chosen = [p for p in problems if p.warning == warning]
        if chosen:
            rows = [(str(p.line), p.column, p.value, p.reason) for p in chosen]
            _table(f"{title}: {len(chosen)}", ("line", "column", "value", "reason"), rows)


def _show_plan(plan: importer.Plan) -> None:
    for title, offices in (("Added", plan.added), ("Removed", plan.removed)):
        if offices:
            rows = [(o.id, o.kind, o.name, o.city or "") for o in offices]
            _table(f"{title}: {len(offices)}", ("id", "kind", "name", "city"), rows)
    if plan.changed:
        cells = [(c.office.id, f.column, f.old, f.new) for c in plan.changed for f in c.fields]
        _table(f"Changed: {len(plan.changed)}", ("id", "column", "old", "new"), cells)
    _say(_counts(plan))


def _can_ask() -> bool:
    return sys.stdin.isatty()


def _counts(plan: importer.Plan) -> str:
    return f"{len(plan.added)} added, {len(plan.changed)} changed, {len(plan.removed)} removed, {len(plan.unchanged)} unchanged."


@directory_app.command("import")
def import_table(
    file: Annotated[Path, typer.Argument(help="The office table: CSV (UTF-8) or XLSX.", exists=True, dir_okay=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Also remove the offices not in the file.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed where nobody can answer.")] = False,
) -> None:
    """Check an office table and take it over, all of it or nothing.

    Offices in the file are added or updated; others stay unless --replace is given. The state before is kept:
    `lotse directory undo` goes back to it.

    Example: lotse directory import offices.xlsx --dry-run
    """
    with _messages():
        rows = importer.read_rows(file)
        fill_directory()
        with session() as opened:
            offices, problems = importer.validate(opened, rows)
            _show_problems(problems)
            if any(not p.warning for p in problems):
                counts = f"{len(offices)} of {len(rows)} rows are right"
                raise _stop(f"{file.name}: {counts}. Nothing was changed.", PROBLEMS)
            plan = importer.plan(opened, offices, replace)
            _show_plan(plan)
            if plan.is_empty:
                _say("The directory says the same already.")
                return
            if dry_run:
                _say("Dry run: nothing was changed.")
                return
            if not yes and not _can_ask():
                raise _stop("Nothing was changed: nobody can be asked here. Add --yes to apply.", USAGE)
            if not yes and not typer.confirm("Apply these changes?"):
                _say("Nothing was changed.")
                return
            backup = importer.apply(opened, plan)
            _say("Done.")
            if backup:
                _say(f"The state before is kept in {backup}; `lotse directory undo` restores it.")


@directory_app.command("export")
def export_table(
    file: Annotated[Path, typer.Argument(help="The file to write, ending in .csv or .xlsx.", dir_okay=False)],
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")] = False,
) -> None:
    """Write all offices into a table that can be imported again.

    Example: lotse directory export offices.xlsx
    """
    if file.suffix.lower() not in (".csv", ".xlsx"):
        raise _stop(f"{file.name} must end in .csv or .xlsx.", USAGE)
    if file.exists() and not force:
        raise _stop(f"{file} exists already. Add --force to overwrite it.", USAGE)
    with _messages():
        fill_directory()
        with session() as opened:
            count = importer.export(opened, file)
    _say(f"{count} offices were written into {file}.")


@directory_app.command("check")
def check_directory() -> None:
    """Show what is missing or doubtful: no contact, ended, not confirmed, states and districts without an office.

    The exit code is 1 if anything was found.

    Example: lotse directory check
    """
    with _messages():
        fill_directory()
        with session() as opened:
            findings = importer.check(opened)
    if not findings:
        _say("Nothing was found.")
        return
    _table(f"Findings: {len(findings)}", ("kind", "of", "finding"), findings)
    raise typer.Exit(PROBLEMS)


@directory_app.command("stale")
def stale_offices(
    days: Annotated[int, typer.Option("--days", min=0, help="How old a check may be.")] = 180,
) -> None:
    """Show the offices whose facts nobody has checked for some time, the oldest first.

    The exit code is 1 if there are any.

    Example: lotse directory stale --days 90
    """
    with _messages():
        fill_directory()
        with session() as opened:
            offices: list[OfficeRow] = importer.stale(opened, days)
    if not offices:
        _say(f"Every office was checked within the last {days} days.")
        return
    rows = [(o.checked_on.isoformat(), o.id, o.name, o.source_url) for o in offices]
    _table(f"Not checked for more than {days} days: {len(offices)}", ("checked on", "id", "name", "source"), rows)
    raise typer.Exit(PROBLEMS)


@directory_app.command("fill")
def fill_command() -> None:
    """Create the tables and load the places, professions and offices that come with the project.

    It can be repeated at any time; offices of your own are never overwritten.

    Example: lotse directory fill
    """
    with _messages():
        result = fill_directory()
    _show_fill(result)
    if result.problems:
        raise _stop("The shipped offices have problems and were not loaded.", PROBLEMS)


def _show_fill(result: FillResult) -> None:
    for name, count in result.places.items():
        _say(f"{name}: {count} rows")
    if result.professions:
        _say(f"profession: {result.professions} rows")
    if result.offices:
        _say(f"office: {_counts(result.offices)}")
    for note in result.notes:
        _say(note)
    _show_problems(result.problems)
    if not (result.places or result.professions or result.offices or result.notes or result.problems):
        _say("Everything is loaded already.")


@directory_app.command("undo")
def undo_import() -> None:
    """Go back to the state before the last import; can be repeated to go back further.

    Example: lotse directory undo
    """
    with _messages():
        upgrade()
        with session() as opened:
            undone = importer.undo(opened)
    if undone is None:
        raise _stop("There is no import to undo.", PROBLEMS)
    _show_plan(undone.plan)
    kept = f" The state before the undo is kept in {undone.kept}." if undone.kept else ""
    _say(f"The directory is again as in {undone.restored.name}.{kept}")


@directory_app.command("build-places")
def build_places(
    postcodes: Annotated[Path, typer.Argument(help="The postcode table (CSV).", exists=True, dir_okay=False)],
) -> None:
    """Make the tables in data/places anew from a postcode table; for developers.

    Example: lotse directory build-places postcodes.csv
    """
    with _messages():
        _check_postcodes(postcodes)
        target = DATA / "places"
        # Built aside, so that a table that turns out to be broken does not destroy the old files.
        with tempfile.TemporaryDirectory(dir=target) as folder:
            try:
                counts = places_build.build(postcodes, Path(folder))
            except (ValueError, LookupError) as error:
                raise _stop(f"{postcodes.name} cannot be used: {error}", PROBLEMS) from error
            for name in counts:
                os.replace(Path(folder) / f"{name}.csv", target / f"{name}.csv")
    for name, count in counts.items():
        _say(f"{name}.csv: {count} rows")
    _say("Run `lotse directory fill` to load them.")


def _check_postcodes(path: Path) -> None:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header = set(next(csv.reader(file), []))
    except (UnicodeDecodeError, csv.Error) as error:
        raise importer.TableError(f"{path.name} is not a CSV file in UTF-8.") from error
    missing = sorted(_POSTCODE_COLUMNS - header)
    if missing:
        raise importer.TableError(f"{path.name} lacks the columns {', '.join(missing)}.")
