"""Which transcripts somebody may see: those of the own regions, or all. What is not theirs does not exist for them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.review.pages import not_found
from bot.transcripts.record_models import Transcript
from bot.transcripts.staff_sessions import SignedIn


def find_transcript(session: Session, staff: SignedIn, key: str) -> Transcript:
    """Return a transcript by its pseudonym.

    Raises:
        HTTPException: 404 if there is none, or if it belongs to another region.
    """
    found = session.execute(select(Transcript).where(Transcript.key == key)).scalar_one_or_none()
    if found is None or not staff.sees_state(found.state):
        raise not_found()
    return found
