"""The command `lotse doctor`: examine a running installation from outside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Optional

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from bot.doctor_report import Finding, Report

EXIT = {"ok": 0, "wrong": 1, "unreachable": 2}
STYLES = {"ok": "green", "warning": "yellow", "wrong": "bold red", "info": "dim"}
out = Console()
err = Console(stderr=True)


def doctor(
    url: Annotated[str, typer.Argument(help="Address of the installation, as people type it.")],
    origin: Annotated[Optional[str], typer.Option(help="A website that should be allowed to embed the guide.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Examine a running installation from outside, as a stranger on the internet sees it, and say what to do.

    Begins a conversation in each language, asks three things in one of them, and deletes all of them; about fifty calls.
    Run it from another machine than the guide's, at most twice in ten minutes. Exit code 0: all is well, 1: something
    is wrong, 2: not reachable.

    Example: lotse doctor https://lotse.example.org --origin https://www.verein.example

    Example: lotse doctor http://127.0.0.1:8080 --json
    """
    from bot.doctor import examine, origin_of
    from bot.doctor_visit import NotAnAddress, Target

    try:
        target = Target.of(url)
        site = origin_of(origin) if origin is not None else None
    except NotAnAddress as error:
        err.print(f"[red]{escape(str(error))}[/red]", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    report = examine(target, site, say=lambda line: err.print(line, style="dim", markup=False, highlight=False))
    if as_json:
        typer.echo(json.dumps(report.public(), ensure_ascii=False, indent=2))
    else:
        _show(report)
    raise typer.Exit(EXIT[report.status])


def _show(report: Report) -> None:
    out.print(Text(f"Examined from outside: {report.url}", style="bold"))
    for group in dict.fromkeys(one.group for one in report.findings):
        out.print(Text(f"\n{group}", style="bold"))
        lines = Table.grid(padding=(0, 2))
        lines.add_column(width=0)
        lines.add_column(width=7)
        lines.add_column(overflow="fold")
        for one in report.findings:
            if one.group == group:
                lines.add_row("", Text(one.level, style=STYLES[one.level]), _words(one))
        out.print(lines)
    out.print()
    if report.status == "unreachable":
        out.print(Text("Not reachable; nothing else was examined.", style=STYLES["wrong"]))
        return
    wrong, warnings, right = (report.count(level) for level in ("wrong", "warning", "ok"))
    counts = f"{wrong} wrong, {warnings} to improve, {right} right; {report.calls} calls."
    verdict = "Something is wrong" if wrong else "All is well"
    out.print(Text(f"{verdict}: {counts}", style=STYLES[report.status]))


def _words(one: Finding) -> Text:
    text = Text(one.text)
    return text.append(f"\nWhat to do: {one.todo}", style="italic") if one.todo else text
