"""The commands `lotse language ...`: add a language, and see what it lacks."""

from __future__ import annotations

from typing import Annotated, Optional

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bot.cli_common import misuse
from bot.languages import all_languages
from bot.settings import PROJECT

language_app = typer.Typer(help="Languages: add one, see what it lacks.", no_args_is_help=True)
out = Console()


@language_app.command("add")
def add(code: Annotated[str, typer.Argument(help="Language code (ISO 639-1), such as it.")]) -> None:
    """Make the files of a new language: examples, evaluation set, catalogues, tables, emergency lexicon, stories.

    Existing files stay as they are. The language is spoken when `lotse language status` finds nothing and its row in
    data/lookups/languages.csv says so.

    Example: lotse language add it
    """
    from bot.language_setup import CannotAdd, missing
    from bot.language_setup import add as make

    try:
        changed = make(code)
    except CannotAdd as error:
        raise misuse(str(error)) from error
    for path in changed:
        out.print(f"made or extended: {path.relative_to(PROJECT)}", markup=False, highlight=False, soft_wrap=True)
    out.print(f"{len(missing(code))} things are missing. `lotse language status {code}` lists them; docs/translating.md explains them.")


@language_app.command("status")
def status(code: Annotated[Optional[str], typer.Argument(help="Language code; all languages without it.")] = None) -> None:
    """Show what a language lacks; without a language, one line for each. Exit code 1 if something is missing.

    Example: lotse language status tr
    """
    from bot.language_setup import missing

    if code is not None and code not in all_languages():
        raise misuse(f"There is no language {code!r}; `lotse language add {code}` makes its files.")
    table = Table("language", "spoken", "missing") if code is None else Table("file", "missing")
    found = 0
    for language in all_languages().values():
        if code not in (None, language.code):
            continue
        findings = missing(language.code)
        found += len(findings)
        if code is None:
            table.add_row(f"{language.code} {escape(language.name)}", "yes" if language.spoken else "no", str(len(findings)))
        for finding in findings if code else []:
            table.add_row(str(finding.path.relative_to(PROJECT)), escape(finding.what))
    out.print(table if code is None or found else f"{code}: nothing is missing.")
    raise typer.Exit(1 if found else 0)
