"""What happens once when a conversation has ended: it is counted, and its words become searchable."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.transcripts import database, figures, search
from bot.transcripts.record_models import Transcript

AT_ONCE = 200


def close_ended(url: str, now: datetime) -> int:
    """Close the transcripts whose conversation is gone.

    Safe to repeat: each transcript is closed in a transaction of its own batch, and counted in the same.

    Args:
        url: the database.
        now: the moment.

    Returns:
        How many were closed.
    """
    closed = 0
    while True:
        with database.session(url) as session:
            waiting = _ended(session)
            for transcript in waiting:
                transcript.ended_at = now
                figures.count_conversation(session, transcript)
                if transcript.consent:
                    search.add(session, transcript.id)
        closed += len(waiting)
        if len(waiting) < AT_ONCE:
            return closed


def _ended(session: Session) -> list[Transcript]:
    query = select(Transcript).where(Transcript.conversation_id.is_(None), Transcript.ended_at.is_(None)).order_by(Transcript.id)
    return list(session.scalars(query.limit(AT_ONCE).with_for_update(skip_locked=True)))
