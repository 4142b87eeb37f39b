"""`lotse retention`: delete what is kept no longer."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bot.cli_common import transcripts_ready
from bot.settings import settings

retention_app = typer.Typer(help="Retention: delete what is kept no longer.", no_args_is_help=True)
out = Console()


@retention_app.callback()
def retention() -> None:
    """Retention: delete what is kept no longer."""


@retention_app.command("run")
def run(dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be deleted.")] = False) -> None:
    """Delete everything whose time is over; safe to repeat. The web process does this by itself every hour.

    Exit code 1 if a step failed; the next run tries it again.

    Example: lotse retention run --dry-run
    """
    from datetime import datetime, timezone

    from bot.transcripts import retention as work

    used = settings()
    with transcripts_ready(), out.status("Deleting …" if not dry_run else "Counting …") as status:
        report = work.run(used, datetime.now(timezone.utc), dry_run, lambda name, _: status.update(f"{name} …"))
    table = Table("kind of data", "would be deleted" if dry_run else "deleted", "problem")
    for name, _ in work.STEPS:
        table.add_row(name, str(report.gone.get(name, "-")), report.failed.get(name, ""))
    for name in report.failed.keys() - dict(work.STEPS).keys():
        table.add_row(name, "-", report.failed[name])
    out.print(table)
    if report.failed:
        out.print("Some steps failed and are repeated with the next run; the log of the web process says where.", highlight=False)
        raise typer.Exit(1)
