"""Requests for a call-back: who, where, when and why are encrypted; what is readable decides who may see a request.

The key of a request is the id of the ticket with which it was made, so a ticket is good once.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from bot.transcripts import audit, deletion, notifications
from bot.transcripts.models import Conversation
from bot.transcripts.record_models import CALLBACK_DONE, CALLBACK_NEW, CALLBACK_STATES, CallbackRequest
from bot.transcripts.staff_models import Staff

# When a person wants to be called.
ANY_TIME, MORNING, AFTERNOON, EVENING = "any", "morning", "afternoon", "evening"
TIMES = (ANY_TIME, MORNING, AFTERNOON, EVENING)
# Why staff delete a request before its time.
DELETE_REASONS = ("wish", "mistake", "twice", "spam")


@dataclass(frozen=True)
class Contact:
    """What the person wrote; kept encrypted.

    Attributes:
        name: how the person wants to be called; may be empty.
        phone: the number with country code (E.164); empty if there is an e-mail address.
        email: the address; empty if there is a number.
        time: one of :data:`TIMES`.
        time_note: the same more exactly, in the person's words; may be empty.
        topic: what it is about, in the person's words; may be empty.
    """

    name: str = ""
    phone: str = ""
    email: str = ""
    time: str = ANY_TIME
    time_note: str = ""
    topic: str = ""


@dataclass(frozen=True)
class NewCallback:
    """What a new request is about.

    Attributes:
        key: the id of the ticket.
        conversation_id: the live conversation in which the person asked; the request is deleted with its data.
        state: the region that answers.
        district: where the person lives.
        need: what the conversation was about.
        language: the language in which the person wants to speak.
    """

    key: str
    conversation_id: str
    state: str
    district: str | None
    need: str
    language: str


@dataclass(frozen=True)
class Callback:
    """A request as staff see it; ``contact`` is None if it was encrypted with another key."""

    id: int
    key: str
    state: str | None
    district: str | None
    need: str | None
    language: str
    status: str
    created_at: datetime
    done_at: datetime | None
    staff_name: str | None  # who called or is done with it
    contact: Contact | None


def create(session: Session, cipher: bytes, new: NewCallback, contact: Contact, now: datetime) -> bool:
    """Store a request, and note that staff should hear of it.

    Sending the very same again (a second click, a reload) stores nothing and is no mistake.

    Args:
        session: a transaction.
        cipher: 32 bytes, the key of the encryption.
        new: what it is about.
        contact: what the person wrote.
        now: the moment.

    Returns:
        False if the ticket was used for another request.

    Raises:
        IntegrityError: if the same ticket is used, or the conversation deleted, at this very moment; try again.
    """
    known = session.execute(select(CallbackRequest).where(CallbackRequest.key == new.key)).scalar_one_or_none()
    if known is not None:
        return known.language == new.language and _unseal(cipher, known.sealed) == contact
    # Locked against deletion until this is stored, so that "delete my data" comes before or after it.
    live = select(Conversation.id).where(Conversation.id == new.conversation_id).with_for_update(read=True, key_share=True)
    session.add(
        CallbackRequest(
            key=new.key,
            conversation_id=session.execute(live).scalar_one_or_none(),
            state=new.state,
            district=new.district,
            need=new.need,
            language=new.language,
            sealed=_fernet(cipher).encrypt(json.dumps(asdict(contact), ensure_ascii=False).encode("utf-8")),
            status=CALLBACK_NEW,
            created_at=now,
        )
    )
    notifications.note(session, notifications.CALLBACK, new.key, new.state, now)
    session.flush()
    return True


def is_known(session: Session, key: str) -> bool:
    """Return whether a request was made with a ticket."""
    return session.execute(select(CallbackRequest.id).where(CallbackRequest.key == key)).first() is not None


def withdraw(session: Session, key: str, now: datetime) -> bool:
    """Delete a request because the person says so; False if there is none (any more)."""
    if not is_known(session, key):
        return False
    deletion.remove_callbacks(session, [key])
    audit.write(session, now, None, audit.PERSON, "callback.withdraw", "callback")
    return True


def counts(session: Session, states: Sequence[str]) -> dict[str, int]:
    """Return how many requests are in each status.

    Args:
        session: a session.
        states: the regions of who asks; none is all.
    """
    query = select(CallbackRequest.status, func.count()).where(_seen_by(states)).group_by(CallbackRequest.status)
    return {**dict.fromkeys(CALLBACK_STATES, 0), **{row[0]: row[1] for row in session.execute(query)}}


def listed(
    session: Session,
    cipher: bytes,
    states: Sequence[str],
    status: str,
    after: tuple[datetime, int] | None = None,
    limit: int = 50,
) -> list[Callback]:
    """Return requests, the oldest first.

    Args:
        session: a session.
        cipher: the key of the encryption.
        states: the regions of who asks; none is all.
        status: one of ``CALLBACK_STATES``.
        after: moment and id of the last one of the page before.
        limit: how many at the most.
    """
    query = _rows().where(_seen_by(states), CallbackRequest.status == status)
    if after is not None:
        at, last = after
        query = query.where(or_(CallbackRequest.created_at > at, and_(CallbackRequest.created_at == at, CallbackRequest.id > last)))
    query = query.order_by(CallbackRequest.created_at, CallbackRequest.id).limit(limit)
    return [_callback(cipher, row, name) for row, name in session.execute(query)]


def find(session: Session, cipher: bytes, states: Sequence[str], key: str) -> Callback | None:
    """Return one request; None if there is none or if it belongs to another region."""
    found = session.execute(_rows().where(_seen_by(states), CallbackRequest.key == key)).one_or_none()
    return None if found is None else _callback(cipher, *found)


def change(session: Session, key: str, was: str, status: str, staff_id: int, now: datetime) -> bool:
    """Change the status of a request; back to ``new`` undoes what was said before.

    Args:
        session: a transaction.
        key: the request.
        was: the status that the person saw who changes it.
        status: the new one.
        staff_id: who changes it.
        now: the moment.

    Returns:
        False if somebody else has changed it in the meantime, or if it is gone; then nothing is changed.
    """
    changed = session.execute(
        update(CallbackRequest)
        .where(CallbackRequest.key == key, CallbackRequest.status == was)
        .values(status=status, staff_id=None if status == CALLBACK_NEW else staff_id, done_at=now if status == CALLBACK_DONE else None)
        .execution_options(synchronize_session=False)
    )
    return bool(changed.rowcount)


def delete(session: Session, key: str) -> None:
    """Delete a request, the mail that waits for it, and what the audit trail says about it."""
    deletion.remove_callbacks(session, [key])


def _rows() -> Any:
    return select(CallbackRequest, Staff.name).outerjoin(Staff, Staff.id == CallbackRequest.staff_id)


def _seen_by(states: Sequence[str]) -> Any:
    return CallbackRequest.state.in_(states) if states else CallbackRequest.id.is_not(None)


def _callback(cipher: bytes, row: CallbackRequest, staff_name: str | None) -> Callback:
    return Callback(
        row.id,
        row.key,
        row.state,
        row.district,
        row.need,
        row.language,
        row.status,
        row.created_at,
        row.done_at,
        staff_name,
        _unseal(cipher, row.sealed),
    )


def _fernet(cipher: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(cipher))


def _unseal(cipher: bytes, sealed: bytes) -> Contact | None:
    try:
        return Contact(**json.loads(_fernet(cipher).decrypt(bytes(sealed))))
    except InvalidToken:
        return None
