"""One's own account: name, language, password, second factor, sessions. Open to every role.

These pages are also where the guards lead whoever lacks the second factor or still has a one-time password.
"""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from bot.review import attempts, cookies, passwords, texts, totp
from bot.review.guards import Visit, staff_change, staff_page
from bot.review.login import renewed
from bot.review.pages import back_to, render
from bot.transcripts import staff, staff_sessions
from bot.transcripts.staff import Account

SECOND_FACTOR = "/account/second-factor"


@staff_page()
def account_page(visit: Visit) -> Response:
    """Show the own account with its sessions."""
    account = _own(visit)
    return _account_page(visit, {"name": account.name, "language": account.language, "notify": account.notify}, {})


@staff_change()
def change_account(visit: Visit) -> Response:
    """Change name, language of the pages and whether mails are wanted."""
    name, language, notify = one_line(visit.value("name")), visit.value("language"), visit.value("notify") == "on"
    problems = profile_problems(name, language)
    if problems:
        return _account_page(visit, {"name": name, "language": language, "notify": notify}, problems, 422)
    with visit.services.session() as session:
        staff.set_profile(session, visit.staff.id, name, language, notify)
        visit.audit(session, "account.change", "staff", str(visit.staff.id))
    return back_to(visit, "/account", "account_saved")


@staff_page()
def password_page(visit: Visit) -> Response:
    """Show the form for a new password."""
    return _password_page(visit, {})


@staff_change()
def change_password(visit: Visit) -> Response:
    """Change the password; all other sessions end, this one gets a new token."""
    account = _own(visit)
    old, new, again = (attempts.password_of(visit, name) for name in ("old", "new", "again"))
    problems: dict[str, str] = {}
    reason = passwords.problem(new, account.email, account.name)
    if reason:
        problems["new"] = f"account.password_{reason}"
    elif new != again:
        problems["again"] = "account.password_differs"
    elif new == old:
        problems["new"] = "account.password_same"
    tried = None if problems else attempts.password_fits(visit, account, old)
    if tried is None:
        return _password_page(visit, problems or {"old": "account.password_wrong"}, 422)
    hashed = passwords.hashed(new)
    with visit.services.session() as session:
        staff.give_back(session, account.id, tried.counted)
        staff.set_password(session, account.id, hashed)
        staff_sessions.end_all(session, account.id, but=visit.staff.token_hash)
        token = renewed(visit, session)
        visit.audit(session, "account.password", "staff", str(account.id))
    forced = account.must_change_password
    answer = back_to(visit, "/" if forced else "/account", "account_password")
    cookies.set_session(visit, answer, token)
    cookies.set_known_device(visit, answer, _own(visit))
    return answer


@staff_page()
def second_factor_page(visit: Visit) -> Response:
    """Show the second factor: how it is set up, or what can be done with it."""
    return _set_up_page(visit, {}) if not visit.staff.second_factor else _second_factor_page(visit, {})


@staff_page()
def replace_page(visit: Visit) -> Response:
    """Show how the second factor moves to another device."""
    return _set_up_page(visit, {})


@staff_change()
def set_up(visit: Visit) -> Response:
    """Take over the offered secret, if a code proves that the app has it; whoever has a second factor also gives the password."""
    account, now = _own(visit), visit.services.now()
    secret = totp.offered_secret(visit.services.totp_key, visit.staff.token_hash)
    step = totp.matching_step(secret, visit.value("code")[:100], now, None)
    if step is None:
        return _set_up_page(visit, {"code": "account.code_wrong"}, 422)
    tried = None
    if account.second_factor_at is not None:
        tried = attempts.password_fits(visit, account, attempts.password_of(visit, "password"))
        if tried is None:
            return _set_up_page(visit, {"password": "account.password_wrong"}, 422)
    codes = totp.new_emergency_codes()
    with visit.services.session() as session:
        if tried is not None:
            staff.give_back(session, account.id, tried.counted)
        staff.set_second_factor(session, account.id, totp.sealed(secret, visit.services.totp_key), step, now)
        staff.replace_emergency_codes(session, account.id, map(totp.emergency_hash, codes))
        staff_sessions.end_all(session, account.id, but=visit.staff.token_hash)
        token = renewed(visit, session)
        visit.audit(session, "second_factor.set", "staff", str(account.id))
    return _codes_page(visit, codes, token)


@staff_change()
def new_emergency_codes(visit: Visit) -> Response:
    """Make new emergency codes; the old ones are good no more."""
    account = _own(visit)
    if account.second_factor_at is None:
        raise HTTPException(404)
    tried = attempts.password_fits(visit, account, attempts.password_of(visit, "codes_password"))
    if tried is None:
        return _second_factor_page(visit, {"codes_password": "account.password_wrong"}, 422)
    codes = totp.new_emergency_codes()
    with visit.services.session() as session:
        staff.give_back(session, account.id, tried.counted)
        staff.replace_emergency_codes(session, account.id, map(totp.emergency_hash, codes))
        token = renewed(visit, session)
        visit.audit(session, "emergency_codes.make", "staff", str(account.id))
    return _codes_page(visit, codes, token)


@staff_change()
def turn_off(visit: Visit) -> Response:
    """Remove the second factor, where it is not obligatory."""
    account = _own(visit)
    if account.second_factor_at is None or visit.services.needs_second_factor(visit.staff.roles):
        raise HTTPException(404)
    tried = attempts.password_fits(visit, account, attempts.password_of(visit, "off_password"))
    if tried is None:
        return _second_factor_page(visit, {"off_password": "account.password_wrong"}, 422)
    with visit.services.session() as session:
        staff.give_back(session, account.id, tried.counted)
        staff.remove_second_factor(session, account.id)
        staff_sessions.end_all(session, account.id, but=visit.staff.token_hash)
        token = renewed(visit, session)
        visit.audit(session, "second_factor.remove", "staff", str(account.id))
    answer = back_to(visit, "/account", "account_second_factor_off")
    cookies.set_session(visit, answer, token)
    return answer


@staff_change()
def end_session(visit: Visit) -> Response:
    """End one of the own sessions."""
    with visit.services.session() as session:
        if not staff_sessions.end_one(session, visit.staff.id, visit.value("session")[:16]):
            raise HTTPException(404)
        visit.audit(session, "session.end", "staff", str(visit.staff.id))
    return back_to(visit, "/account", "account_session_ended")


@staff_change()
def end_other_sessions(visit: Visit) -> Response:
    """End all own sessions but this one."""
    with visit.services.session() as session:
        ended = staff_sessions.end_all(session, visit.staff.id, but=visit.staff.token_hash)
        visit.audit(session, "session.end_others", "staff", str(visit.staff.id), ended=ended)
    return back_to(visit, "/account", "account_sessions_ended")


def one_line(text: str) -> str:
    """Return a name without line breaks and doubled spaces."""
    return " ".join(text.split())


def profile_problems(name: str, language: str) -> dict[str, str]:
    """Return what is wrong with name and language: field -> key of the text."""
    problems = {}
    if not name:
        problems["name"] = "account.name_missing"
    elif len(name) > staff.LONGEST_NAME:
        problems["name"] = "account.name_long"
    if language not in texts.LANGUAGES:
        problems["language"] = "account.language_missing"
    return problems


def _own(visit: Visit) -> Account:
    with visit.services.session() as session:
        account = staff.by_id(session, visit.staff.id)
    if account is None:
        # Deleted since the guard looked.
        raise HTTPException(401, "session_ended")
    return account


def _account_page(visit: Visit, values: dict[str, Any], problems: dict[str, str], status: int = 200) -> Response:
    with visit.services.session() as session:
        opened = staff_sessions.opened(session, visit.staff.id)
    return render(
        visit,
        "account.html",
        status,
        account=_own(visit),
        values=values,
        problems=problems,
        sessions=opened,
        mails=visit.services.settings.smtp_url is not None,
        languages=texts.LANGUAGES,
    )


def _password_page(visit: Visit, problems: dict[str, str], status: int = 200) -> Response:
    return render(visit, "account_password.html", status, problems=problems, least=passwords.LEAST)


def _second_factor_page(visit: Visit, problems: dict[str, str], status: int = 200) -> Response:
    with visit.services.session() as session:
        left = staff.emergency_codes_left(session, visit.staff.id)
    return render(
        visit,
        "account_second_factor.html",
        status,
        account=_own(visit),
        problems=problems,
        codes_left=left,
        obligatory=visit.services.needs_second_factor(visit.staff.roles),
    )


def _set_up_page(visit: Visit, problems: dict[str, str], status: int = 200) -> Response:
    secret = totp.offered_secret(visit.services.totp_key, visit.staff.token_hash)
    address = totp.address(secret, visit.staff.email)
    return render(
        visit,
        "account_set_up.html",
        status,
        problems=problems,
        secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        address=address,
        qr=totp.qr_code(address),
        replaces=visit.staff.second_factor,
        obligatory=visit.services.needs_second_factor(visit.staff.roles),
    )


def _codes_page(visit: Visit, codes: list[str], token: str) -> Response:
    """Show emergency codes. They are shown here and nowhere else, hence no redirect to a page of its own."""
    answer = render(visit, "account_codes.html", codes=codes)
    cookies.set_session(visit, answer, token)
    return answer


ROUTES: tuple[Route, ...] = (
    Route("/account", account_page),
    Route("/account", change_account, methods=["POST"]),
    Route("/account/password", password_page),
    Route("/account/password", change_password, methods=["POST"]),
    Route(SECOND_FACTOR, second_factor_page),
    Route(SECOND_FACTOR, set_up, methods=["POST"]),
    Route(f"{SECOND_FACTOR}/replace", replace_page),
    Route(f"{SECOND_FACTOR}/codes", new_emergency_codes, methods=["POST"]),
    Route(f"{SECOND_FACTOR}/off", turn_off, methods=["POST"]),
    Route("/account/sessions/end", end_session, methods=["POST"]),
    Route("/account/sessions/end-others", end_other_sessions, methods=["POST"]),
)
