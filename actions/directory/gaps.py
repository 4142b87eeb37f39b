"""Whether a need at a place is without a confirmed office."""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session

from actions.directory import offices
from actions.directory.models import District
from actions.directory.places import Place, state_place, states


def is_open(session: Session, need: str, place: str, on: date) -> bool | None:
    """Return whether people with this need find no confirmed office at this place.

    Args:
        session: a session on the directory.
        need: one of ``models.NEEDS``.
        place: a district (AGS) or a state (``DE-NW``).
        on: the day.

    Returns:
        None if that cannot be said: the place is unknown, or the need has no offices at all.
    """
    found = _place(session, place)
    if found is None or need not in offices.KINDS:
        return None
    referral = offices.find(session, need, found, on=on)
    return not referral.matches or "no_confirmed_office" in referral.notes


def _place(session: Session, place: str) -> Place | None:
    if place in states():
        return state_place(place)
    row = session.get(District, place) if place else None
    if row is None:
        return None
    return Place(row.name, "district", None, row.ags, row.name, row.state, row.latitude, row.longitude, row.ags)
