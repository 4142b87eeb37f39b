"""Deleting transcripts with everything that hangs on them: search index, verdicts, notes, mails that wait, audit details.

One workflow for the three who delete: the person in the chat, staff with a reason, and the retention at night. In the
database it is one transaction; the engine has a store of its own, and is told by ``pending_deletion`` until it obeys.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot.transcripts import audit, search
from bot.transcripts.record_models import CallbackRequest, Notification, Transcript

# As many ids as one statement takes on every database.
AT_ONCE = 500


def delete_transcripts(session: Session, keys: Sequence[str], staff_id: int | None, staff_name: str, reason: str, now: datetime) -> int:
    """Delete transcripts by their pseudonyms, and write into the audit trail who did it and why.

    Args:
        session: a transaction.
        keys: the pseudonyms.
        staff_id: the account that deletes; None for the system.
        staff_name: its name.
        reason: why, in the words of the staff or the name of the rule.
        now: the moment.

    Returns:
        How many there were.
    """
    ids = list(session.scalars(select(Transcript.id).where(Transcript.key.in_(keys))))
    remove(session, ids)
    if ids:
        # No key: the entry stays, and must not name what is gone.
        audit.write(session, now, staff_id, staff_name, "transcript.delete", "transcript", count=len(ids), reason=reason)
    return len(ids)


def remove(session: Session, ids: Sequence[int]) -> None:
    """Delete transcripts by their ids, without an entry of its own in the audit trail."""
    for start in range(0, len(ids), AT_ONCE):
        batch = ids[start : start + AT_ONCE]
        ended = select(Transcript.id).where(Transcript.id.in_(batch), Transcript.ended_at.is_not(None), Transcript.consent)
        # First, while the words are there that have to leave the index.
        search.remove(session, list(session.scalars(ended)))
        keys = list(session.scalars(select(Transcript.key).where(Transcript.id.in_(batch))))
        audit.blank(session, "transcript", keys)
        _delete(session, Notification, Notification.object_key.in_(keys))
        _delete(session, Transcript, Transcript.id.in_(batch))


def forget_person(session: Session, conversation_ids: Sequence[str]) -> None:
    """Delete what is kept of live conversations, call-back requests too: the persons want their data deleted."""
    remove(session, list(session.scalars(select(Transcript.id).where(Transcript.conversation_id.in_(conversation_ids)))))
    keys = list(session.scalars(select(CallbackRequest.key).where(CallbackRequest.conversation_id.in_(conversation_ids))))
    remove_callbacks(session, keys)


def remove_callbacks(session: Session, keys: Sequence[str]) -> None:
    """Delete call-back requests by their keys, with the mails that wait and the details of the audit trail."""
    for start in range(0, len(keys), AT_ONCE):
        batch = keys[start : start + AT_ONCE]
        audit.blank(session, "callback", batch)
        _delete(session, Notification, Notification.object_key.in_(batch))
        _delete(session, CallbackRequest, CallbackRequest.key.in_(batch))


def _delete(session: Session, table: type, condition: object) -> None:
    session.execute(delete(table).where(condition).execution_options(synchronize_session=False))
