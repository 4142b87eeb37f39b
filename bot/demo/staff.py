"""The people of the demonstration: one account for each role, with passwords that are made anew at each start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyotp
from sqlalchemy.orm import Session

from bot.review import passwords, totp
from bot.transcripts import staff, staff_sessions
from bot.transcripts.staff_models import ADMIN, COORDINATOR, EDITOR, REVIEWER


@dataclass(frozen=True)
class Person:
    """Somebody who works with the review."""

    email: str
    name: str
    roles: tuple[str, ...]
    states: tuple[str, ...] = ()


PEOPLE = (
    Person("beratung@example.org", "Jana Beispiel", (REVIEWER,)),
    Person("nrw@example.org", "Tarik Muster", (REVIEWER,), ("DE-NW",)),
    Person("redaktion@example.org", "Eva Exempel", (EDITOR,)),
    Person("koordination@example.org", "Olaf Probe", (COORDINATOR,)),
    Person("admin@example.org", "Ada Vorlage", (ADMIN,)),
)


@dataclass(frozen=True)
class Login:
    """How somebody logs in until the next start; ``codes`` and ``secret`` are the second factor of an admin."""

    person: Person
    password: str
    codes: tuple[str, ...] = ()
    secret: str = ""


def ready(session: Session, totp_key: bytes, now: datetime, people: Sequence[Person] = PEOPLE) -> list[Login]:
    """Make the accounts that are missing, and give all of them new passwords; open sessions end.

    Args:
        session: a transaction on the transcripts.
        totp_key: the key of the second factors (``services.totp_key``).
        now: the moment.
        people: who gets an account.
    """
    return [_ready(session, totp_key, now, one) for one in people]


def _ready(session: Session, totp_key: bytes, now: datetime, person: Person) -> Login:
    password = passwords.one_time()
    kept = passwords.hashed(password)
    known = staff.by_email(session, person.email)
    if known is None:
        account = staff.create(
            session, email=person.email, name=person.name, password_hash=kept, roles=person.roles, states=person.states, now=now
        )
    else:
        account = known
        # Somebody may have tried out what an admin can do.
        staff.enable(session, account.id)
        staff.change(session, account.id, email=person.email, name=person.name, language=known.language, roles=person.roles,
                     states=person.states)  # fmt: skip
        staff.set_password(session, account.id, kept)
        staff.forget_failures(session, account.id)
        staff_sessions.end_all(session, account.id)
    if ADMIN not in person.roles:
        staff.remove_second_factor(session, account.id)
        return Login(person, password)
    secret, codes = pyotp.random_base32(), totp.new_emergency_codes()
    staff.set_second_factor(session, account.id, totp.sealed(secret, totp_key), 0, now)
    staff.replace_emergency_codes(session, account.id, map(totp.emergency_hash, codes))
    return Login(person, password, tuple(codes), secret)
