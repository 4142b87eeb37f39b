"""`lotse demo`: look at the review in one minute."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from bot.settings import Settings, settings

if TYPE_CHECKING:
    from bot.demo.staff import Login

out = Console()
err = Console(stderr=True)
# What a demonstration must not take over from the machine it runs on: real data, real mails, real keys.
_FOREIGN = ("LOTSE_DIRECTORY_URL", "LOTSE_TRANSCRIPTS_URL", "LOTSE_TRACKER_URL", "LOTSE_REDIS_URL", "LOTSE_SECRET_KEY", "LOTSE_SMTP_URL",
            "LOTSE_MAIL_FROM", "LOTSE_PUBLIC_URL")  # fmt: skip
_ROLES = {
    "reviewer": "counselling: reads conversations, judges them, calls back",
    "editor": "directory: offices, courses, hotlines",
    "coordinator": "figures, corrections, comparison of models",
    "admin": "accounts, audit trail",
}
# Texts are kept for 30 days; a demonstration that stands for long looks abandoned.
_OLD = timedelta(days=7)


def demo(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Where the review is served.")] = 8090,
    reset: Annotated[bool, typer.Option("--reset", help="Delete the demonstration and fill it anew.")] = False,
    fill_only: Annotated[bool, typer.Option("--fill-only", help="Fill it and do not serve it.")] = False,
    conversations: Annotated[int, typer.Option(min=20, max=5_000, help="How many conversations stand in the review.")] = 220,
    seed: Annotated[int, typer.Option(help="The same seed gives the same conversations.")] = 1,
) -> None:
    """Show the review with invented conversations in eleven languages; real data are not touched.

    Everything lies in a home of its own, LOTSE_HOME/demo. The accounts to log in with are printed; end it with Ctrl+C.

    Example: lotse demo --port 8099
    """
    from bot.demo import DemoError, alone, home_of
    from bot.demo.scripts import ScriptError

    home = home_of(settings())
    try:
        with alone(home):
            _run(port, reset, fill_only, conversations, seed)
    except (DemoError, ScriptError) as error:
        err.print(f"[red]{escape(str(error))}[/red]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def _run(port: int, reset: bool, fill_only: bool, conversations: int, seed: int) -> None:
    from bot import demo as work

    home = work.home_of(settings())
    if not fill_only:
        _check_free(settings().host, port)
    if reset and work.reset(home):
        _say(f"Deleted: {home}")
    _say(f"This is a demonstration: everything in it is invented. It lies in {home} and touches no other data.")
    known, now = work.filled(home), datetime.now(timezone.utc)
    used = _only_demo(work.settings_of(home, settings(), port))
    if known is None:
        with _progress() as say, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries, about each other
            work.fill(used, conversations, seed, now, say)
        _say(f"Filled with {conversations} conversations (seed {seed}).")
    else:
        _say(f"Filled on {known.at:%Y-%m-%d} with {known.conversations} conversations (seed {known.seed}).")
        if (conversations, seed) not in ((known.conversations, known.seed), (work.CONVERSATIONS, work.SEED)):
            _say("Another number or seed takes effect with --reset.")
        elif now - known.at > _OLD:
            _say("That was a while ago: `lotse demo --reset` brings it up to date (what you did in it is lost).")
    if not fill_only:
        _serve(used)


def _check_free(host: str, port: int) -> None:
    from bot.demo import DemoError

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise DemoError(f"Port {port} is taken ({error.strerror}). Choose another one: lotse demo --port {port + 1}") from error


def _only_demo(used: Settings) -> Settings:
    """Point the whole process to the demonstration, also the parts that ask the environment themselves."""
    for name in _FOREIGN:
        os.environ.pop(name, None)
    os.environ.update(
        LOTSE_HOME=str(used.home),
        LOTSE_OPERATOR=used.operator,
        LOTSE_CALLBACK_STATES=",".join(used.callback_states),
        LOTSE_REVIEW_SECOND_FACTOR="off",
        LOTSE_TRANSCRIPT_DAYS=str(used.transcript_days),
        LOTSE_STRUCTURE_HOURS=str(used.structure_hours),
    )
    settings.cache_clear()
    return used


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, console=out, transient=True) as shown:
        task = shown.add_task("starting", total=None)
        yield lambda what, done, of: shown.update(task, description=what, completed=done, total=of)


def _serve(used: Settings) -> None:
    from bot.demo import staff
    from bot.review.app import create_standalone
    from bot.transcripts import database
    from bot.web.server import serve

    app = create_standalone(used)
    services = app.routes[0].app.state.services  # type: ignore[attr-defined]
    database.upgrade(used.transcripts_url)
    with services.session() as session:
        logins = staff.ready(session, services.totp_key, services.now())
    _print_guide(used, logins)
    serve(app, used)


def _print_guide(used: Settings, logins: list[Login]) -> None:
    host = "127.0.0.1" if used.host in ("0.0.0.0", "::") else f"[{used.host}]" if ":" in used.host else used.host
    table = Table(title="Accounts, good until the next start", title_justify="left")
    for column in ("log-in name", "password", "what for"):
        table.add_column(column, overflow="fold")
    for login in logins:
        region = f" (only {', '.join(login.person.states)})" if login.person.states else ""
        table.add_row(login.person.email, login.password, "; ".join(_ROLES[role] for role in login.person.roles) + region)
    out.print()
    out.print(f"  The review: [bold]http://{host}:{used.port}/review/[/bold]\n", highlight=False)
    out.print(table, highlight=False)
    for login in logins:
        if login.codes:
            _say(f"\n{login.person.email} is also asked for a second factor: any one of these codes, each once,")
            _say(f"  {'  '.join(login.codes[:5])}\n  {'  '.join(login.codes[5:])}")
            _say(f"  or an authenticator app with the key {login.secret}")
    out.print(
        "\nWhat to look at first:\n"
        f"  1. Log in as {logins[0].person.email}. On top stand the emergencies that nobody has seen.\n"
        "  2. Open a conversation: what was said on both sides, the offices shown, what the guide understood.\n"
        "  3. Say whether it was right; press ? for the keys. Undo takes everything back.\n"
        "  4. Filter by language or need, search a word (Lohn, диплом, شهادتي), look at the call-backs.\n"
        "  5. The other accounts show the directory, the figures, the accounts and the audit trail.\n"
        "End it with Ctrl+C; `lotse demo` goes on where you stopped, `lotse demo --reset` begins anew.\n",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip


def _say(text: str) -> None:
    out.print(text, highlight=False, markup=False, soft_wrap=True)
