"""The administration of the accounts. A change of rights ends the sessions of the person; nobody can take away their own
right to administer, and never can the last one who has it lose it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from bot.review import passwords, texts
from bot.review.account import one_line, profile_problems
from bot.review.guards import Visit, staff_change, staff_page
from bot.review.names import state_codes, state_name
from bot.review.pages import back_to, not_found, render
from bot.transcripts import staff, staff_sessions
from bot.transcripts.staff import Account
from bot.transcripts.staff_models import ADMIN, REVIEWER, ROLES


@dataclass(frozen=True)
class Entered:
    """The form of an account."""

    email: str
    name: str
    language: str
    roles: tuple[str, ...]
    regions: str  # all, some
    states: tuple[str, ...]


@staff_page(ADMIN)
def accounts_page(visit: Visit) -> Response:
    """Show all accounts."""
    with visit.services.session() as session:
        found = staff.accounts(session)
    return render(visit, "staff.html", accounts=found, now=visit.services.now(), state_name=state_name)


@staff_page(ADMIN)
def new_page(visit: Visit) -> Response:
    """Show the form for a new account."""
    return _form(visit, None, Entered("", "", visit.language, (REVIEWER,), "all", ()), {})


@staff_change(ADMIN)
def create(visit: Visit) -> Response:
    """Add an account and show its one-time password."""
    entered, problems = _entered(visit, None)
    if problems:
        return _form(visit, None, entered, problems, 422)
    password, now = passwords.one_time(), visit.services.now()
    hashed = passwords.hashed(password)
    try:
        with visit.services.session() as session:
            account = staff.create(
                session,
                email=entered.email,
                name=entered.name,
                password_hash=hashed,
                roles=entered.roles,
                states=entered.states,
                language=entered.language,
                now=now,
                one_time_until=now + passwords.ONE_TIME,
            )
            rights = {"roles": account.roles, "states": account.states}
            visit.audit(session, "staff.create", "staff", str(account.id), name=account.name, **rights)
    except staff.EmailTaken:
        return _form(visit, None, entered, {"email": "staff.email_taken"}, 422)
    return _password_page(visit, account, password)


@staff_page(ADMIN)
def account_page(visit: Visit) -> Response:
    """Show one account."""
    account = _account(visit)
    regions = "some" if account.states else "all"
    return _form(visit, account, Entered(account.email, account.name, account.language, account.roles, regions, account.states), {})


@staff_change(ADMIN)
def change(visit: Visit) -> Response:
    """Change name, login name, rights and language of an account."""
    account = _account(visit)
    entered, problems = _entered(visit, account)
    if problems:
        return _form(visit, account, entered, problems, 422)
    rights_change = (set(entered.roles), set(entered.states)) != (set(account.roles), set(account.states))
    try:
        with visit.services.session() as session:
            staff.change(
                session,
                account.id,
                email=entered.email,
                name=entered.name,
                language=entered.language,
                roles=entered.roles,
                states=entered.states,
            )
            if rights_change:
                # One's own session stays: its rights are read anew at each click anyway.
                staff_sessions.end_all(session, account.id, but=visit.staff.token_hash)
            details: dict[str, Any] = {"name": entered.name}
            if rights_change:
                details.update(roles=entered.roles, states=entered.states, roles_before=account.roles, states_before=account.states)
            if entered.email != account.email:
                details["email_changed"] = True
            visit.audit(session, "staff.change", "staff", str(account.id), **details)
    except staff.EmailTaken:
        return _form(visit, account, entered, {"email": "staff.email_taken"}, 422)
    except staff.LastAdmin:
        return _form(visit, account, entered, {"roles": "staff.last_admin"}, 422)
    return back_to(visit, f"/staff/{account.id}", "staff_saved")


@staff_change(ADMIN)
def disable(visit: Visit) -> Response:
    """Disable an account and end its sessions; one's own cannot be disabled."""
    account = _account(visit)
    if account.id == visit.staff.id:
        return _refused(visit, account, "staff.not_yourself")

    def do(session: Session) -> None:
        staff.disable(session, account.id, visit.services.now())
        staff_sessions.end_all(session, account.id)

    return _do(visit, account, "staff.disable", do, "staff_disabled")


@staff_change(ADMIN)
def enable(visit: Visit) -> Response:
    """Enable a disabled account."""
    account = _account(visit)
    return _do(visit, account, "staff.enable", lambda session: staff.enable(session, account.id), "staff_enabled")


@staff_change(ADMIN)
def unlock(visit: Visit) -> Response:
    """Open an account that was closed after too many failed attempts."""
    account = _account(visit)
    return _do(visit, account, "staff.unlock", lambda session: staff.forget_failures(session, account.id), "staff_unlocked")


@staff_change(ADMIN)
def end_sessions(visit: Visit) -> Response:
    """End the sessions of an account (one's own but this one)."""
    account = _account(visit)

    def do(session: Session) -> None:
        staff_sessions.end_all(session, account.id, but=visit.staff.token_hash)

    return _do(visit, account, "staff.end_sessions", do, "staff_sessions_ended")


@staff_change(ADMIN)
def reset_second_factor(visit: Visit) -> Response:
    """Take the second factor from an account whose holder has lost it, and end its sessions."""
    account = _account(visit)
    if account.id == visit.staff.id:
        return _refused(visit, account, "staff.not_yourself")

    def do(session: Session) -> None:
        staff.remove_second_factor(session, account.id)
        staff_sessions.end_all(session, account.id)

    return _do(visit, account, "staff.reset_second_factor", do, "staff_second_factor_reset")


@staff_change(ADMIN)
def reset_password(visit: Visit) -> Response:
    """Give an account a one-time password, show it, and end the sessions of the account."""
    account = _account(visit)
    if account.id == visit.staff.id:
        return _refused(visit, account, "staff.not_yourself")
    password = passwords.one_time()
    hashed = passwords.hashed(password)
    with visit.services.session() as session:
        staff.set_password(session, account.id, hashed, visit.services.now() + passwords.ONE_TIME)
        staff.forget_failures(session, account.id)
        staff_sessions.end_all(session, account.id)
        visit.audit(session, "staff.reset_password", "staff", str(account.id), name=account.name)
    return _password_page(visit, account, password)


@staff_change(ADMIN)
def delete(visit: Visit) -> Response:
    """Delete a disabled account; what its holder did stays in the audit trail under the name."""
    account = _account(visit)
    try:
        with visit.services.session() as session:
            staff.delete(session, account.id)
            visit.audit(session, "staff.delete", "staff", str(account.id), name=account.name)
    except staff.StillEnabled:
        return _refused(visit, account, "staff.still_enabled")
    return back_to(visit, "/staff", "staff_deleted")


def _refused(visit: Visit, account: Account, problem: str) -> Response:
    """Show an account again with the reason why something is not done."""
    regions = "some" if account.states else "all"
    entered = Entered(account.email, account.name, account.language, account.roles, regions, account.states)
    return _form(visit, account, entered, {"actions": problem}, 422)


def _do(visit: Visit, account: Account, action: str, work: Callable[[Session], None], done: str) -> Response:
    try:
        with visit.services.session() as session:
            work(session)
            visit.audit(session, action, "staff", str(account.id), name=account.name)
    except staff.LastAdmin:
        return _refused(visit, account, "staff.last_admin")
    return back_to(visit, f"/staff/{account.id}", done)


def _account(visit: Visit) -> Account:
    given = visit.request.path_params["id"]
    with visit.services.session() as session:
        account = staff.by_id(session, int(given)) if re.fullmatch("[0-9]{1,9}", given) else None
    if account is None:
        raise not_found()
    return account


def _entered(visit: Visit, account: Account | None) -> tuple[Entered, dict[str, str]]:
    """Return the form and what is wrong with it: field -> key of the text."""
    roles = tuple(role for role in ROLES if role in visit.values("roles"))
    regions = visit.value("regions", "all")
    states = tuple(code for code in state_codes() if code in visit.values("states")) if regions == "some" else ()
    name, language = one_line(visit.value("name")), visit.value("language")
    problems = profile_problems(name, language)
    email = visit.value("email")
    try:
        email = staff.normal_email(email)
    except ValueError:
        email = email[:320]
        problems = {"email": "staff.email_wrong", **problems}
    if not roles or set(visit.values("roles")) - set(ROLES):
        problems["roles"] = "staff.roles_missing"
    elif account is not None and account.id == visit.staff.id and ADMIN not in roles:
        problems["roles"] = "staff.not_your_role"
    if regions not in ("all", "some"):
        raise HTTPException(400)
    if regions == "some" and not states:
        problems["regions"] = "staff.states_missing"
    return Entered(email, name, language, roles, regions, states), problems


def _form(visit: Visit, account: Account | None, entered: Entered, problems: dict[str, str], status: int = 200) -> Response:
    return render(
        visit,
        "staff_account.html",
        status,
        account=account,
        entered=entered,
        problems=problems,
        roles=ROLES,
        states=[(code, state_name(code)) for code in state_codes()],
        languages=texts.LANGUAGES,
        now=visit.services.now(),
    )


def _password_page(visit: Visit, account: Account, password: str) -> Response:
    """Show a one-time password. It is shown here and nowhere else, hence no redirect to a page of its own."""
    until = visit.services.now() + passwords.ONE_TIME
    public = visit.services.settings.public_url
    login = f"{public}{visit.request.scope.get('root_path', '')}/login" if public else ""
    return render(visit, "staff_password.html", account=account, password=password, until=until, login=login)


ROUTES: tuple[Route, ...] = (
    Route("/staff", accounts_page),
    Route("/staff/new", new_page),
    Route("/staff/new", create, methods=["POST"]),
    Route("/staff/{id}", account_page),
    Route("/staff/{id}", change, methods=["POST"]),
    Route("/staff/{id}/disable", disable, methods=["POST"]),
    Route("/staff/{id}/enable", enable, methods=["POST"]),
    Route("/staff/{id}/unlock", unlock, methods=["POST"]),
    Route("/staff/{id}/end-sessions", end_sessions, methods=["POST"]),
    Route("/staff/{id}/reset-second-factor", reset_second_factor, methods=["POST"]),
    Route("/staff/{id}/reset-password", reset_password, methods=["POST"]),
    Route("/staff/{id}/delete", delete, methods=["POST"]),
)
