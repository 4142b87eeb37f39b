"""Log-in: password, then the second factor; and log-out.

The token of the session is new after each step, and whatever token the browser brought before is thrown away: nobody can
slip a session to somebody else (session fixation).
"""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import quote

from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bot.review import attempts, cookies, passwords, totp
from bot.review.guards import Visit, half_change, half_page, open_page
from bot.review.pages import back_to, is_own_path, render
from bot.review.services import ReviewServices
from bot.transcripts import audit, staff, staff_sessions
from bot.transcripts.staff import Account

# In this order: many browsers carry the names of others.
BROWSERS = (("Edge", "Edg"), ("Opera", "OPR/"), ("Firefox", "Firefox|FxiOS"), ("Chrome", "Chrome|Chromium|CriOS"), ("Safari", "Safari"))
SYSTEMS = (
    ("iPad", "iPad"),
    ("iPhone", "iPhone"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("ChromeOS", "CrOS"),
    ("macOS", "Mac OS X|Macintosh"),
    ("Linux", "Linux"),
)


@open_page("review_pages")
def login_page(visit: Visit) -> Response:
    """Show the form; whoever is logged in already goes on."""
    next_path = _next(visit)
    if visit.signed_in is not None:
        return back_to(visit, next_path) if visit.staff.complete else _to_second_factor(visit, next_path)
    if visit.request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        # Somebody follows a link in a web mail. The browser has kept the cookie back (SameSite=Strict); coming from a page
        # of ours it sends it. Whoever is not logged in comes back here, then from our own site.
        answer = render(visit, "login_continue.html", next=next_path)
        answer.headers["Refresh"] = f"0; url={visit.request.scope.get('root_path', '')}{quote(next_path, safe='/?=&%')}"
        return answer
    return render(visit, "login.html", next=next_path, email="", failed=False)


@open_page("review_login")
def login(visit: Visit) -> Response:
    """Check e-mail and password and begin a session; a session that the browser brought ends."""
    email, password = visit.value("email")[:320], attempts.password_of(visit, "password")
    service, now, next_path = visit.services, visit.services.now(), _next(visit)
    with service.session() as session:
        account = _find(session, email)
    tried = attempts.password_fits(visit, account, password)
    if account is None or tried is None:
        return render(visit, "login.html", 422, next=next_path, email=email, failed=True)
    complete = account.second_factor_at is None
    with service.session() as session:
        if passwords.needs_rehash(account.password_hash):
            again = passwords.hashed(password)
            staff.rehash(session, account.id, again, account.password_hash)
        if visit.signed_in is not None:
            staff_sessions.end(session, visit.staff.token_hash)
        if not complete:
            staff.give_back(session, account.id, tried.counted)
        token = staff_sessions.begin(session, account.id, device_of(visit.request.headers.get("user-agent", "")), complete, now)
        if complete:
            staff.forget_failures(session, account.id)
            audit.write(session, now, account.id, account.name, "session.begin", "staff", str(account.id))
        account = staff.by_id(session, account.id) or account
    answer = back_to(visit, next_path) if complete else _to_second_factor(visit, next_path)
    cookies.set_session(visit, answer, token)
    if complete:
        cookies.set_known_device(visit, answer, account)
    return answer


@half_page("review_pages")
def second_factor_page(visit: Visit) -> Response:
    """Ask for the code."""
    if visit.staff.complete:
        return back_to(visit, _next(visit))
    return render(visit, "login_second_factor.html", next=_next(visit), failed=False)


@half_change("review_login")
def second_factor(visit: Visit) -> Response:
    """Check the code of the app, or an emergency code, and complete the session under a new token."""
    who, now, next_path = visit.staff, visit.services.now(), _next(visit)
    if who.complete:
        visit.audited = True  # Nothing changes: the form was sent twice.
        return back_to(visit, next_path)
    with visit.services.session() as session:
        account = staff.by_id(session, who.id)
    assert account is not None
    tried = attempts.begin(visit, account, "code")
    with visit.services.session() as session:
        used = use_code(session, visit.services, account, visit.value("code")[:100], now) if tried.allowed else None
        if used is not None:
            token = staff_sessions.renew(session, who.token_hash, complete=True, now=now)
            staff.forget_failures(session, who.id)
            visit.audit(session, "session.begin", "staff", str(who.id), second_factor=used)
    if used is None:
        attempts.failed(visit, tried, "second_factor.fail")
        return render(visit, "login_second_factor.html", 422, next=next_path, failed=True)
    answer = back_to(visit, next_path) if used == "app" else back_to(visit, "/account/second-factor", "login_emergency_code")
    cookies.set_session(visit, answer, token)
    cookies.set_known_device(visit, answer, account)
    return answer


@half_change("review_changes")
def logout(visit: Visit) -> Response:
    """End the session; possible at each step."""
    with visit.services.session() as session:
        staff_sessions.end(session, visit.staff.token_hash)
        visit.audit(session, "session.end", "staff", str(visit.staff.id))
    answer = back_to(visit, "/login", "login_out")
    cookies.drop_session(visit, answer)
    return answer


def use_code(session: Session, services: ReviewServices, account: Account, text: str, now: datetime) -> str | None:
    """Use up a code.

    Args:
        session: the transaction.
        services: for the key of the secrets.
        account: whose code it should be.
        text: what was typed.
        now: the moment.

    Returns:
        ``app`` or ``emergency``, whichever it was; None if it is wrong or has been used.
    """
    secret = totp.opened(account.totp_secret, services.totp_key)
    step = totp.matching_step(secret, text, now, account.totp_last_step) if secret else None
    if step is not None:
        return "app" if staff.use_step(session, account.id, step) else None
    return "emergency" if staff.use_emergency_code(session, account.id, totp.emergency_hash(text), now) else None


def renewed(visit: Visit, session: Session) -> str:
    """Give the session a new token after something about the rights of the account has changed.

    The visit then knows itself by the new token: a page that is shown at once carries forms that work.
    """
    now = visit.services.now()
    token = staff_sessions.renew(session, visit.staff.token_hash, complete=True, now=now)
    session.flush()
    visit.signed_in = staff_sessions.find(session, token, now, visit.services.idle, visit.services.absolute)
    return token


def device_of(user_agent: str) -> str:
    """Return browser and system in simple words, such as ``Firefox, Windows``; "" if they are not known."""
    found = []
    for names in (BROWSERS, SYSTEMS):
        found += [name for name, pattern in names if re.search(pattern, user_agent[:500])][:1]
    return ", ".join(found)


def _find(session: Session, email: str) -> Account | None:
    try:
        return staff.by_email(session, staff.normal_email(email))
    except ValueError:
        return None


def _next(visit: Visit) -> str:
    """Return where to go after the log-in: a page of ours, and none of the log-in itself."""
    path = visit.value("next", "/")
    usable = len(path) <= 500 and is_own_path(path) and not path.startswith(("/login", "/logout", "/second-factor"))
    return path if usable else "/"


def _to_second_factor(visit: Visit, next_path: str) -> RedirectResponse:
    return back_to(visit, "/second-factor", **({"next": next_path} if next_path != "/" else {}))


ROUTES: tuple[Route, ...] = (
    Route("/login", login_page),
    Route("/login", login, methods=["POST"]),
    Route("/second-factor", second_factor_page),
    Route("/second-factor", second_factor, methods=["POST"]),
    Route("/logout", logout, methods=["POST"]),
)
