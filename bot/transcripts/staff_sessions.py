"""Sessions of the staff. The browser holds a random token; the database holds its hash, so a copy of it logs nobody in."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from bot.transcripts.staff_models import Staff, StaffSession

# The time of the last click is written at most so often: a click on a page should not be a write.
SEEN_STEP = timedelta(seconds=30)


@dataclass(frozen=True)
class SignedIn:
    """Who is logged in, in one session."""

    id: int
    email: str
    name: str
    roles: frozenset[str]
    states: tuple[str, ...]  # regions of a reviewer; empty is all
    language: str
    must_change_password: bool
    second_factor: bool  # whether the account has one
    complete: bool  # whether this session is past the second factor
    session_id: str  # the public id of the session
    token_hash: str

    def sees_state(self, state: str | None) -> bool:
        """Return whether what happens in a region is this person's business; without regions of one's own all is."""
        return not self.states or state in self.states


@dataclass(frozen=True)
class OpenSession:
    """One line of the list of one's own sessions."""

    public_id: str
    device: str
    created_at: datetime
    last_seen_at: datetime


def begin(session: Session, staff_id: int, device: str, complete: bool, now: datetime) -> str:
    """Begin a session and return its token, which is shown to the browser once and kept nowhere."""
    token = secrets.token_urlsafe(32)
    session.add(
        StaffSession(
            token_hash=_hash(token),
            public_id=secrets.token_hex(8),
            staff_id=staff_id,
            created_at=now,
            last_seen_at=now,
            complete=complete,
            device=device[:120],
        )
    )
    return token


def find(session: Session, token: str, now: datetime, idle: timedelta, absolute: timedelta) -> SignedIn | None:
    """Return who is logged in with a token; None if the session does not exist, has ended, or the account is disabled."""
    query = (
        select(StaffSession, Staff)
        .join(Staff, Staff.id == StaffSession.staff_id)
        .where(
            StaffSession.token_hash == _hash(token),
            StaffSession.last_seen_at > now - idle,
            StaffSession.created_at > now - absolute,
            Staff.disabled_at.is_(None),
        )
    )
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    row, staff = found
    if now - row.last_seen_at > SEEN_STEP:
        row.last_seen_at = now
    return SignedIn(
        staff.id,
        staff.email,
        staff.name,
        frozenset(filter(None, staff.roles.split(","))),
        tuple(filter(None, staff.states.split(","))),
        staff.language,
        staff.must_change_password,
        staff.totp_confirmed_at is not None,
        row.complete,
        row.public_id,
        row.token_hash,
    )


def opened(session: Session, staff_id: int) -> list[OpenSession]:
    """Return the sessions of an account, the last used first."""
    query = select(StaffSession).where(StaffSession.staff_id == staff_id).order_by(StaffSession.last_seen_at.desc())
    return [OpenSession(row.public_id, row.device, row.created_at, row.last_seen_at) for row in session.scalars(query)]


def end(session: Session, token_hash: str) -> None:
    """End one session."""
    session.execute(delete(StaffSession).where(StaffSession.token_hash == token_hash).execution_options(synchronize_session=False))


def end_one(session: Session, staff_id: int, public_id: str) -> bool:
    """End a session of an account by the id in its list; False if the account has no such session."""
    gone = session.execute(
        delete(StaffSession)
        .where(StaffSession.staff_id == staff_id, StaffSession.public_id == public_id)
        .execution_options(synchronize_session=False)
    )
    return bool(gone.rowcount)


def end_all(session: Session, staff_id: int, but: str | None = None) -> int:
    """End all sessions of an account, or all but the one with this token hash; return how many."""
    query = delete(StaffSession).where(StaffSession.staff_id == staff_id)
    if but is not None:
        query = query.where(StaffSession.token_hash != but)
    return int(session.execute(query.execution_options(synchronize_session=False)).rowcount)


def purge_expired(session: Session, now: datetime, idle: timedelta, absolute: timedelta) -> int:
    """Delete the sessions that have ended by time; return how many."""
    query = delete(StaffSession).where(or_(StaffSession.last_seen_at <= now - idle, StaffSession.created_at <= now - absolute))
    return int(session.execute(query.execution_options(synchronize_session=False)).rowcount)


def renew(session: Session, token_hash: str, *, complete: bool, now: datetime) -> str:
    """Give a session a new token (at login and at each change of rights, against session fixation) and return it."""
    token = secrets.token_urlsafe(32)
    session.execute(
        update(StaffSession)
        .where(StaffSession.token_hash == token_hash)
        .values(token_hash=_hash(token), complete=complete, last_seen_at=now)
        .execution_options(synchronize_session=False)
    )
    return token


def csrf_token(token_hash: str, key: bytes) -> str:
    """Return the word that each form of a session carries."""
    return hmac.new(key, token_hash.encode("ascii"), hashlib.sha256).hexdigest()[:32]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
