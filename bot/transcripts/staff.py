"""Accounts of the staff: everything that is asked of them and changed about them.

The rule against guessing (:func:`reserve_attempt`): each attempt is counted before it is checked, so that attempts at the
same time count, too. The fifth failure in a row closes the account for a minute, each further one twice as long, at the
most half an hour. A complete login (also the second factor) sets the count to zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import delete as sql_delete
from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.transcripts.staff_models import ADMIN, ROLES, EmergencyCode, Staff, StaffSession

FREE_FAILURES = 5
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(minutes=30)
LONGEST_NAME = 120


class EmailTaken(Exception):
    """There is an account with this e-mail address already."""


class LastAdmin(Exception):
    """This would leave nobody who can administer the accounts."""


class StillEnabled(Exception):
    """Only a disabled account can be deleted."""


@dataclass(frozen=True)
class Account:
    """An account, as the pages see it."""

    id: int
    email: str
    name: str
    roles: tuple[str, ...]
    states: tuple[str, ...]  # regions of a reviewer; empty is all
    language: str
    notify: bool
    must_change_password: bool
    password_until: datetime | None
    second_factor_at: datetime | None
    locked_until: datetime | None
    created_at: datetime
    disabled_at: datetime | None
    sessions: int = 0
    password_hash: str = field(default="", repr=False)
    totp_secret: bytes | None = field(default=None, repr=False)
    totp_last_step: int | None = None


@dataclass(frozen=True)
class Attempt:
    """One attempt at a password or code, counted as failed until it is given back."""

    allowed: bool
    closes_until: datetime | None = None  # set if this attempt, should it fail, closes the account


def normal_email(text: str) -> str:
    """Return an e-mail address in the form in which it is a login name.

    Raises:
        ValueError: if it is none.
    """
    try:
        found = validate_email(text.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error
    if len(found) > 254:
        raise ValueError("The address is too long.")
    return found


def normal_roles(roles: Iterable[str]) -> tuple[str, ...]:
    """Return roles in their fixed order.

    Raises:
        ValueError: if there is none, or one that does not exist.
    """
    chosen = set(roles)
    if not chosen or chosen - set(ROLES):
        raise ValueError(f"Roles are {', '.join(ROLES)}; at least one is needed.")
    return tuple(role for role in ROLES if role in chosen)


def create(
    session: Session,
    *,
    email: str,
    name: str,
    password_hash: str,
    roles: Sequence[str],
    now: datetime,
    states: Sequence[str] = (),
    language: str = "de",
    one_time_until: datetime | None = None,
) -> Account:
    """Add an account.

    Args:
        session: the transaction.
        email: the login name, from :func:`normal_email`.
        name: the name that colleagues see.
        password_hash: from ``passwords.hashed``.
        roles: what the person may do.
        now: the moment.
        states: the regions of a reviewer; none is all.
        language: the language of the pages.
        one_time_until: if given, the password is good until then and must be changed at the first login.

    Raises:
        EmailTaken: if there is one with this address.
        ValueError: if a role does not exist.
    """
    row = Staff(
        email=email,
        name=name[:LONGEST_NAME],
        password_hash=password_hash,
        must_change_password=one_time_until is not None,
        password_until=one_time_until,
        roles=",".join(normal_roles(roles)),
        states=",".join(sorted(set(states))),
        language=language,
        notify=False,
        failures=0,
        created_at=now,
    )
    session.add(row)
    _flush(session)
    return _account(row)


def by_email(session: Session, email: str) -> Account | None:
    """Return the account with a login name."""
    row = session.execute(select(Staff).where(Staff.email == email)).scalar_one_or_none()
    return _account(row) if row else None


def by_id(session: Session, staff_id: int) -> Account | None:
    """Return an account by its id."""
    row = session.get(Staff, staff_id, populate_existing=True) if 0 < staff_id < 2**31 else None
    return _account(row) if row else None


def accounts(session: Session) -> list[Account]:
    """Return all accounts by name, the disabled ones last, each with the number of its open sessions."""
    counts = dict(session.execute(select(StaffSession.staff_id, func.count()).group_by(StaffSession.staff_id)).all())
    rows = [_account(row, counts.get(row.id, 0)) for row in session.scalars(select(Staff))]
    return sorted(rows, key=lambda one: (one.disabled_at is not None, one.name.casefold(), one.id))


def set_password(session: Session, staff_id: int, password_hash: str, one_time_until: datetime | None = None) -> None:
    """Give an account a new password; with ``one_time_until`` it must be changed at the next login."""
    _set(session, staff_id, password_hash=password_hash, must_change_password=one_time_until is not None, password_until=one_time_until)


def rehash(session: Session, staff_id: int, password_hash: str, old: str) -> None:
    """Replace the hash of the same password, unless the password has been changed in the meantime."""
    _update(session, Staff.id == staff_id, Staff.password_hash == old, password_hash=password_hash)


def set_profile(session: Session, staff_id: int, name: str, language: str, notify: bool) -> None:
    """Change what people change about themselves."""
    _set(session, staff_id, name=name[:LONGEST_NAME], language=language, notify=notify)


def change(session: Session, staff_id: int, *, email: str, name: str, language: str, roles: Sequence[str], states: Sequence[str]) -> None:
    """Change what an admin changes about an account.

    Raises:
        EmailTaken: if another account has this address.
        LastAdmin: if no enabled admin would be left.
        ValueError: if a role does not exist.
    """
    _hold_admins(session)
    row = session.get(Staff, staff_id)
    if row is None:
        return
    row.email, row.name, row.language = email, name[:LONGEST_NAME], language
    row.roles, row.states = ",".join(normal_roles(roles)), ",".join(sorted(set(states)))
    _flush(session)
    _check_admin_left(session)


def disable(session: Session, staff_id: int, now: datetime) -> None:
    """Disable an account: nobody can log in with it.

    Raises:
        LastAdmin: if no enabled admin would be left.
    """
    _hold_admins(session)
    _set(session, staff_id, disabled_at=now)
    _check_admin_left(session)


def enable(session: Session, staff_id: int) -> None:
    """Enable a disabled account."""
    _set(session, staff_id, disabled_at=None)


def delete(session: Session, staff_id: int) -> None:
    """Delete a disabled account with its sessions, codes and filters; its name stays in the audit trail.

    Raises:
        StillEnabled: if it is not disabled.
    """
    gone = session.execute(
        sql_delete(Staff).where(Staff.id == staff_id, Staff.disabled_at.is_not(None)).execution_options(synchronize_session=False)
    )
    if not gone.rowcount:
        raise StillEnabled


def wait_after(failures: int) -> timedelta | None:
    """Return for how long so many failures in a row close an account; None if they do not."""
    if failures < FREE_FAILURES:
        return None
    return min(FIRST_WAIT * 2 ** min(failures - FREE_FAILURES, 10), LONGEST_WAIT)


def reserve_attempt(session: Session, staff_id: int, now: datetime) -> Attempt:
    """Count an attempt as failed before it is checked; not allowed while the account is closed.

    Args:
        session: a transaction that is committed before the check begins.
        staff_id: the account.
        now: the moment.
    """
    free = or_(Staff.locked_until.is_(None), Staff.locked_until <= now)
    if not _update(session, Staff.id == staff_id, free, failures=Staff.failures + 1):
        return Attempt(False)
    wait = wait_after(session.execute(select(Staff.failures).where(Staff.id == staff_id)).scalar_one())
    until = now + wait if wait else None
    if until:
        _set(session, staff_id, locked_until=until)
    return Attempt(True, until)


def give_back(session: Session, staff_id: int, attempt: Attempt) -> None:
    """Take back an attempt that did not fail, without forgetting the failures before it."""
    _update(session, Staff.id == staff_id, Staff.failures > 0, failures=Staff.failures - 1)
    if attempt.closes_until:
        _update(session, Staff.id == staff_id, Staff.locked_until == attempt.closes_until, locked_until=None)


def forget_failures(session: Session, staff_id: int) -> None:
    """Open a closed account and begin to count anew."""
    _set(session, staff_id, failures=0, locked_until=None)


def set_second_factor(session: Session, staff_id: int, sealed: bytes, step: int, now: datetime) -> None:
    """Give an account a second factor; ``step`` is that of the code that proved it."""
    _set(session, staff_id, totp_secret=sealed, totp_confirmed_at=now, totp_last_step=step)


def remove_second_factor(session: Session, staff_id: int) -> None:
    """Take the second factor and its emergency codes from an account."""
    _set(session, staff_id, totp_secret=None, totp_confirmed_at=None, totp_last_step=None)
    session.execute(sql_delete(EmergencyCode).where(EmergencyCode.staff_id == staff_id).execution_options(synchronize_session=False))


def use_step(session: Session, staff_id: int, step: int) -> bool:
    """Use up a time step of the second factor; False if it, or a later one, has been used in the meantime."""
    return _update(session, Staff.id == staff_id, or_(Staff.totp_last_step.is_(None), Staff.totp_last_step < step), totp_last_step=step)


def replace_emergency_codes(session: Session, staff_id: int, hashes: Iterable[str]) -> None:
    """Give an account new emergency codes; the old ones are good no more."""
    session.execute(sql_delete(EmergencyCode).where(EmergencyCode.staff_id == staff_id).execution_options(synchronize_session=False))
    session.add_all(EmergencyCode(staff_id=staff_id, code_hash=one) for one in hashes)


def use_emergency_code(session: Session, staff_id: int, code_hash: str, now: datetime) -> bool:
    """Use up an emergency code; False if there is no such unused one."""
    used = session.execute(
        update(EmergencyCode)
        .where(EmergencyCode.staff_id == staff_id, EmergencyCode.code_hash == code_hash, EmergencyCode.used_at.is_(None))
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )
    return bool(used.rowcount)


def emergency_codes_left(session: Session, staff_id: int) -> int:
    """Return how many unused emergency codes an account has."""
    query = select(func.count()).where(EmergencyCode.staff_id == staff_id, EmergencyCode.used_at.is_(None))
    return int(session.execute(query).scalar_one())


def _account(row: Staff, sessions: int = 0) -> Account:
    return Account(
        id=row.id,
        email=row.email,
        name=row.name,
        roles=tuple(filter(None, row.roles.split(","))),
        states=tuple(filter(None, row.states.split(","))),
        language=row.language,
        notify=row.notify,
        must_change_password=row.must_change_password,
        password_until=row.password_until,
        second_factor_at=row.totp_confirmed_at,
        locked_until=row.locked_until,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        sessions=sessions,
        password_hash=row.password_hash,
        totp_secret=row.totp_secret if row.totp_confirmed_at else None,
        totp_last_step=row.totp_last_step,
    )


def _set(session: Session, staff_id: int, **values: Any) -> None:
    _update(session, Staff.id == staff_id, **values)


def _update(session: Session, *conditions: Any, **values: Any) -> bool:
    done = session.execute(update(Staff).where(*conditions).values(**values).execution_options(synchronize_session=False))
    return bool(done.rowcount)


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise EmailTaken from error


def _hold_admins(session: Session) -> None:
    """Make two admins who demote each other at once wait for each other (PostgreSQL; SQLite has one writer anyway)."""
    session.execute(select(Staff.id).where(Staff.roles.contains(ADMIN)).order_by(Staff.id).with_for_update()).all()


def _check_admin_left(session: Session) -> None:
    left = session.scalars(select(Staff.roles).where(Staff.disabled_at.is_(None), Staff.roles.contains(ADMIN)))
    if not any(ADMIN in roles.split(",") for roles in left):
        raise LastAdmin
