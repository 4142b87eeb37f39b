"""Mails that wait to be sent to staff: noted in the transaction of what they are about, so that none is lost."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot.transcripts.record_models import Notification

DANGEROUS, CALLBACK = "dangerous", "callback"


def note(session: Session, kind: str, object_key: str, state: str | None, now: datetime) -> None:
    """Note that staff should hear of something; the second note of the same is none.

    Args:
        session: the transaction.
        kind: ``crisis``, ``dangerous`` or ``callback``.
        object_key: the pseudonym of the transcript or request.
        state: the region that it concerns.
        now: the moment.
    """
    known = select(Notification.id).where(Notification.kind == kind, Notification.object_key == object_key)
    if session.execute(known).first() is None:
        session.add(Notification(kind=kind, object_key=object_key, state=state, created_at=now, attempts=0))


def withdraw(session: Session, object_key: str) -> None:
    """Take back the mails that wait on something that staff can no longer read."""
    session.execute(delete(Notification).where(Notification.object_key == object_key).execution_options(synchronize_session=False))
