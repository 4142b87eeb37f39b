"""Against guessing passwords and codes.

Three limits work together:

1. By address (``review_login`` in ``bot.web.limits``): 40 attempts in ten minutes; an office may stand behind one address.
2. By account, kept in the database: the fifth failure in a row closes the account for a minute, each further one twice as
   long, at the most half an hour (``bot.transcripts.staff.reserve_attempt``). Password and second factor count together;
   only a complete login sets the count to zero. While an account is closed, attempts neither count nor prolong it.
3. By known device (``review_account``: 10 attempts in 15 minutes): where somebody has logged in completely within the last
   90 days, the second limit does not apply. So whoever knows an address and types wrong passwords on purpose cannot lock
   its holder out: the holder's own devices stay open. An admin can open a closed account, and so can the command line.

The answer is the same for an account that is unknown, disabled, closed or whose password is wrong, and so is the work.
"""

from __future__ import annotations

from dataclasses import dataclass

from anyio import from_thread

from bot.review import cookies, passwords
from bot.review.guards import Visit
from bot.transcripts import audit, staff
from bot.transcripts.staff import Account, Attempt


@dataclass(frozen=True)
class Try:
    """An attempt that has begun: whether it may be checked, and how it is taken back."""

    account: Account
    counted: Attempt

    @property
    def allowed(self) -> bool:
        """Return whether the password or code may be checked at all."""
        return self.counted.allowed


def begin(visit: Visit, account: Account, step: str) -> Try:
    """Count an attempt at an account, in a transaction of its own: checking is slow, and must not hold the database.

    Args:
        visit: the request.
        account: whose password or code is tried.
        step: ``password`` or ``code``.
    """
    device = cookies.known_device(visit, account)
    if device is not None:
        # Endpoints run in a thread; the limits live in the event loop.
        seconds = from_thread.run(visit.services.limits.retry_after, "review_account", f"{device} {step}")
        return Try(account, Attempt(seconds == 0))
    with visit.services.session() as session:
        return Try(account, staff.reserve_attempt(session, account.id, visit.services.now()))


def failed(visit: Visit, tried: Try, action: str) -> None:
    """Note in the audit trail that an attempt failed, and whether the account is closed by it.

    Attempts at a closed account are not noted: whoever makes thousands of them must not fill the trail.
    """
    if not tried.allowed:
        return
    account, now = tried.account, visit.services.now()
    with visit.services.session() as session:
        audit.write(session, now, account.id, account.name, action, "staff", str(account.id))
        if tried.counted.closes_until:
            until = tried.counted.closes_until.isoformat(timespec="seconds")
            audit.write(session, now, None, audit.SYSTEM, "session.lock", "staff", str(account.id), until=until)


def password_fits(visit: Visit, account: Account | None, password: str) -> Try | None:
    """Check a password.

    Args:
        visit: the request.
        account: whose password it should be; None if there is no such account (the work is the same).
        password: what was typed.

    Returns:
        The attempt, which the caller gives back or forgets in the transaction of what follows; None if it failed.
    """
    if account is None:
        passwords.verify(password, None)
        return None
    tried = begin(visit, account, "password")
    now = visit.services.now()
    usable = tried.allowed and account.disabled_at is None and (account.password_until is None or account.password_until > now)
    if not passwords.verify(password, account.password_hash if usable else None):
        failed(visit, tried, "session.fail")
        return None
    return tried


def password_of(visit: Visit, name: str) -> str:
    """Return a password from the form exactly as it was typed; never from the address."""
    given = visit.form.get(name, "")
    return given if isinstance(given, str) else ""
