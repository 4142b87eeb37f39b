"""The commands `lotse review ...`: the first account, and help for whoever is locked out."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Optional

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.orm import Session

from bot.cli_common import misuse, stop, transcripts_session
from bot.cli_corrections import compare, export
from bot.settings import settings
from bot.transcripts.staff_models import ADMIN, ROLES

if TYPE_CHECKING:
    from bot.transcripts.staff import Account

review_app = typer.Typer(help="The review for counsellors: accounts, corrections, models.", no_args_is_help=True)
review_app.command("export")(export)
review_app.command("compare")(compare)
out = Console()


def _say(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)


@review_app.command("create-user")
def create_user(
    email: Annotated[Optional[str], typer.Argument(help="E-mail address, the login name; asked for if not given.")] = None,
    name: Annotated[Optional[str], typer.Option(help="Name that colleagues see; asked for if not given.")] = None,
    role: Annotated[Optional[list[str]], typer.Option(help=f"One of {', '.join(ROLES)}; may be repeated. Default: {ADMIN}.")] = None,
    state: Annotated[Optional[list[str]], typer.Option(help="Region of a reviewer, such as DE-NW; may be repeated. Default: all.")] = None,
    language: Annotated[str, typer.Option(help="Language of the pages: de or en.")] = "de",
    one_time: Annotated[bool, typer.Option("--one-time", help="Make a one-time password and print it.")] = False,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")] = False,
) -> None:
    """Make an account for the review, an admin if nothing else is said. Asks for what is not given.

    Examples:

        lotse review create-user

        lotse review create-user erika@example.org --name "Erika Muster" --role reviewer --state DE-NW --one-time

        pass show lotse | lotse review create-user admin@example.org --name Admin --password-stdin
    """
    from bot.review import passwords, texts
    from bot.transcripts import audit, staff

    if one_time and password_stdin:
        raise misuse("Please choose either --one-time or --password-stdin.")
    if language not in texts.LANGUAGES:
        raise misuse(f"The language {language!r} is not supported; choose one of {', '.join(texts.LANGUAGES)}.")
    states = _states(state or [])
    try:
        roles = staff.normal_roles(role or [ADMIN])
        login = staff.normal_email(email or typer.prompt("E-mail"))
    except ValueError as error:
        raise misuse(str(error)) from error
    shown = " ".join((name or typer.prompt("Name")).split())
    if not shown or len(shown) > staff.LONGEST_NAME:
        raise misuse(f"A name has 1 to {staff.LONGEST_NAME} characters.")
    with transcripts_session() as session:
        if staff.by_email(session, login):
            raise stop(f"There is an account for {login} already; `lotse review reset-password {login}` gives it a new password.")
    password = passwords.one_time() if one_time else _password(password_stdin, login, shown)
    hashed, now = passwords.hashed(password), _now()
    until = now + passwords.ONE_TIME if one_time else None
    try:
        with transcripts_session() as session:
            made = staff.create(
                session,
                email=login,
                name=shown,
                password_hash=hashed,
                roles=roles,
                states=states,
                language=language,
                now=now,
                one_time_until=until,
            )
            details = {"name": made.name, "roles": made.roles, "states": made.states}
            audit.write(session, now, None, audit.COMMAND, "staff.create", "staff", str(made.id), **details)
    except staff.EmailTaken as error:
        raise stop(f"There is an account for {login} already.") from error
    _say(f"Account for {login} ({', '.join(roles)}).")
    if one_time:
        _say_one_time(password, until)
    _say(f"Log in at {_address()}")


@review_app.command("reset-password")
def reset_password(email: Annotated[str, typer.Argument(help="E-mail address of the account.")]) -> None:
    """Give an account a one-time password, end its sessions, and let it try again at once. For a lost password.

    Example: lotse review reset-password erika@example.org
    """
    from bot.review import passwords
    from bot.transcripts import audit, staff, staff_sessions

    password, now = passwords.one_time(), _now()
    until = now + passwords.ONE_TIME
    with transcripts_session() as session:
        account = _account(session, email)
        staff.set_password(session, account.id, passwords.hashed(password), until)
        staff.forget_failures(session, account.id)
        staff_sessions.end_all(session, account.id)
        audit.write(session, now, None, audit.COMMAND, "staff.reset_password", "staff", str(account.id), name=account.name)
    _say_one_time(password, until)


@review_app.command("reset-second-factor")
def reset_second_factor(email: Annotated[str, typer.Argument(help="E-mail address of the account.")]) -> None:
    """Take the second factor from an account and end its sessions. For a lost phone without emergency codes.

    Where a second factor is obligatory, the next login asks for a new one.

    Example: lotse review reset-second-factor erika@example.org
    """
    from bot.transcripts import audit, staff, staff_sessions

    with transcripts_session() as session:
        account = _account(session, email)
        if account.second_factor_at is None:
            raise stop(f"{account.email} has no second factor.")
        staff.remove_second_factor(session, account.id)
        staff.forget_failures(session, account.id)
        staff_sessions.end_all(session, account.id)
        audit.write(session, _now(), None, audit.COMMAND, "staff.reset_second_factor", "staff", str(account.id), name=account.name)
    _say(f"{account.email} has no second factor any more; the sessions are ended.")


@review_app.command("users")
def users() -> None:
    """List the accounts of the review.

    Example: lotse review users
    """
    from bot.transcripts import staff

    with transcripts_session() as session:
        found = staff.accounts(session)
    if not found:
        _say("There are no accounts. `lotse review create-user` makes the first.")
        return
    table = Table()
    for column in ("e-mail", "name", "roles", "states", "second factor", "sessions", "state"):
        table.add_column(column, overflow="fold")
    now = _now()
    for one in found:
        cells = (one.email, one.name, ", ".join(one.roles), ", ".join(one.states) or "all", "yes" if one.second_factor_at else "no")
        table.add_row(*map(escape, cells), str(one.sessions), _state(one, now))
    # A fixed width where no terminal tells one.
    (out if out.is_terminal else Console(width=160)).print(table)


def _password(from_stdin: bool, email: str, name: str) -> str:
    from bot.review import passwords

    if from_stdin:
        password = sys.stdin.read(passwords.MOST + 10).rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    reasons = {
        "short": f"The password is too short; it needs at least {passwords.LEAST} characters.",
        "long": f"The password is too long; it may have {passwords.MOST} characters.",
        "personal": "The password must not consist of the name or the e-mail address.",
        "common": "This password is easy to guess. Take, for example, four words that have nothing to do with each other.",
    }
    problem = passwords.problem(password, email, name)
    if problem:
        raise misuse(reasons[problem])
    return password


def _states(given: list[str]) -> list[str]:
    from bot.review.names import state_codes

    unknown = [code for code in given if code not in state_codes()]
    if unknown:
        raise misuse(f"There is no state {', '.join(unknown)}; states are {', '.join(state_codes())}.")
    return given


def _account(session: Session, email: str) -> Account:
    from bot.transcripts import staff

    try:
        account = staff.by_email(session, staff.normal_email(email))
    except ValueError as error:
        raise misuse(str(error)) from error
    if account is None:
        raise stop(f"There is no account for {email}; `lotse review users` lists them.")
    return account


def _state(account: Account, now: datetime) -> str:
    if account.disabled_at:
        return "disabled"
    if account.locked_until and account.locked_until > now:
        return "closed for a while after failed attempts"
    if account.password_until:
        return "one-time password" if account.password_until > now else "one-time password expired"
    return "enabled"


def _say_one_time(password: str, until: datetime | None) -> None:
    assert until is not None
    _say(f"One-time password, good until {until:%Y-%m-%d}, to be changed at the first login: {password}")


def _address() -> str:
    used = settings()
    return f"{used.public_url or f'http://{used.host}:{used.port}'}/review/login"


def _now() -> datetime:
    return datetime.now(timezone.utc)
