"""Accounts with a real password and second factor, and how somebody logs in with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyotp

from bot.review import passwords, totp
from bot.review.guards import COOKIE
from bot.transcripts import staff
from bot.transcripts.staff_models import AuditEntry
from tests.review.support import NOW, Browser, Review, make_staff

PASSWORD = "vier worte ohne sinn"
NEW_PASSWORD = "fünf kühe im regen"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@dataclass
class Known:
    """An account whose password and secret are known."""

    id: int
    email: str


@lru_cache
def password_hash() -> str:
    return passwords.hashed(PASSWORD)


def make_account(review: Review, *roles: str, factor: bool = True, **more: Any) -> Known:
    """Add an account with :data:`PASSWORD` and, unless ``factor`` is false, the second factor :data:`SECRET`."""
    second = {"totp_secret": totp.sealed(SECRET, review.services.totp_key), "totp_confirmed_at": NOW}
    columns = second if factor else {"totp_secret": None, "totp_confirmed_at": None}
    with review.session() as session:
        row = make_staff(session, *roles, **{"password_hash": password_hash(), **columns, **more})
        return Known(row.id, row.email)


def code(review: Review) -> str:
    """Return the code of the next step: no test uses one twice by accident."""
    review.clock.forward(seconds=30)
    return pyotp.TOTP(SECRET).at(review.clock())


def give_password(review: Review, account: Known, password: str = PASSWORD, browser: Browser | None = None, **more: Any) -> Browser:
    """Return a browser that has sent the password."""
    browser = browser or review.browser()
    browser.answer = browser.post("/login", {"email": account.email, "password": password, **more})  # type: ignore[attr-defined]
    browser.staff_id = account.id
    return browser


def sign_in(review: Review, account: Known, password: str = PASSWORD, browser: Browser | None = None) -> Browser:
    """Return a browser that is logged in completely."""
    browser = give_password(review, account, password, browser)
    if browser.get("/second-factor").status_code == 200:
        assert browser.post("/second-factor", {"code": code(review)}).status_code == 303
    return browser


def token(browser: Browser) -> str | None:
    """Return the token of the session in a browser."""
    return next((one.value for one in browser.client.cookies.jar if one.name == COOKIE), None)


def forget_device(browser: Browser) -> None:
    """Take the mark of a known device from a browser."""
    for one in list(browser.client.cookies.jar):
        if one.name != COOKIE:
            browser.client.cookies.jar.clear(one.domain, one.path, one.name)


def account_of(review: Review, account: Known) -> staff.Account:
    with review.session() as session:
        found = staff.by_id(session, account.id)
    assert found is not None
    return found


def trail(review: Review) -> list[str]:
    """Return the actions in the audit trail, the oldest first."""
    with review.session() as session:
        return [row.action for row in session.query(AuditEntry).order_by(AuditEntry.id)]
