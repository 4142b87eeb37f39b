"""Labels: words by which reviewers sort transcripts.

A label that is deleted is only put away: its transcripts are remembered, so that :func:`restore` brings everything back.
:func:`purge` ends that after a while.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import delete, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bot.transcripts.record_models import Label, Transcript, TranscriptLabel

LONGEST = 40
# More than anybody can choose from; a mistake in a script should not fill the list.
MOST = 500


class LabelError(ValueError):
    """A label cannot be made or renamed; ``reason`` is ``empty``, ``long``, ``taken``, ``many`` or ``gone``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def clean_name(name: str) -> str:
    """Return a name as it is stored: one line, no space around it.

    Raises:
        LabelError: if it is empty or too long.
    """
    visible = "".join(one if one.isprintable() else " " for one in unicodedata.normalize("NFC", name))
    tidy = " ".join(visible.split())
    if not tidy:
        raise LabelError("empty")
    if len(tidy) > LONGEST:
        raise LabelError("long")
    return tidy


def all_labels(session: Session) -> list[Label]:
    """Return the labels that are in use, in the order of their names."""
    found = session.scalars(select(Label).where(Label.deleted_at.is_(None)))
    return sorted(found, key=lambda label: label.name.casefold())


def deleted_labels(session: Session) -> list[Label]:
    """Return the labels that can be restored, the last deleted first."""
    query = select(Label).where(Label.deleted_at.is_not(None)).order_by(Label.deleted_at.desc(), Label.id)
    return list(session.scalars(query))


def find(session: Session, label_id: int) -> Label | None:
    """Return a label that is in use; None if there is none."""
    label = session.get(Label, label_id) if 0 < label_id < 2**31 else None
    return label if label is not None and label.deleted_at is None else None


def named(session: Session, name: str) -> Label | None:
    """Return the label in use that has a name (upper and lower case are the same); None if there is none."""
    found = _by_name(session, name)
    return found if found is not None and found.deleted_at is None else None


def create(session: Session, name: str) -> Label:
    """Return the label of this name; it is made if there is none (upper and lower case are the same).

    A deleted label of the same name is not brought back with its old transcripts: the new one begins empty.

    Raises:
        LabelError: if the name cannot be used, or there are too many labels.
    """
    tidy = clean_name(name)
    known = _by_name(session, tidy)
    if known is not None and known.deleted_at is None:
        return known
    if known is not None:
        session.execute(delete(Label).where(Label.id == known.id).execution_options(synchronize_session=False))
        session.expunge(known)
    elif (session.scalar(select(func.count()).select_from(Label)) or 0) >= MOST:
        raise LabelError("many")
    # Two people may make the same label at the same moment.
    session.execute(_insert(session, Label).values(name=tidy).on_conflict_do_nothing())
    return session.execute(select(Label).where(Label.name == tidy)).scalar_one()


def rename(session: Session, label_id: int, name: str) -> Label:
    """Give a label another name.

    Raises:
        LabelError: if the name cannot be used or is taken, or the label is gone.
    """
    label, tidy = find(session, label_id), clean_name(name)
    if label is None:
        raise LabelError("gone")
    other = _by_name(session, tidy)
    if other is not None and other.id != label.id:
        if other.deleted_at is None:
            raise LabelError("taken")
        session.execute(delete(Label).where(Label.id == other.id).execution_options(synchronize_session=False))
        session.expunge(other)
    label.name = tidy
    session.flush()
    return label


def put_away(session: Session, label_id: int, now: datetime) -> Label | None:
    """Delete a label so that it can be restored; None if there is no such label."""
    label = find(session, label_id)
    if label is not None:
        label.deleted_at = now
        session.flush()
    return label


def restore(session: Session, label_id: int) -> Label | None:
    """Bring a deleted label back, on all transcripts that had it; None if it is gone for good."""
    label = session.get(Label, label_id) if 0 < label_id < 2**31 else None
    if label is not None:
        label.deleted_at = None
        session.flush()
    return label


def purge(session: Session, before: datetime) -> int:
    """Delete for good what was deleted before a moment; return how many."""
    gone = session.execute(delete(Label).where(Label.deleted_at < before).execution_options(synchronize_session=False))
    return int(gone.rowcount)


def of(session: Session, transcript_id: int) -> list[Label]:
    """Return the labels of a transcript in the order of their names."""
    return of_many(session, [transcript_id]).get(transcript_id, [])


def of_many(session: Session, transcript_ids: Sequence[int]) -> dict[int, list[Label]]:
    """Return the labels of many transcripts, by one query."""
    query = (
        select(TranscriptLabel.transcript_id, Label)
        .join(Label, Label.id == TranscriptLabel.label_id)
        .where(TranscriptLabel.transcript_id.in_(transcript_ids), Label.deleted_at.is_(None))
    )
    found: dict[int, list[Label]] = {}
    for transcript_id, label in session.execute(query):
        found.setdefault(transcript_id, []).append(label)
    return {key: sorted(several, key=lambda label: label.name.casefold()) for key, several in found.items()}


def usage(session: Session, most: int = 1000) -> dict[int, int]:
    """Return on how many transcripts each label is, counted up to one more than ``most``."""
    counts: dict[int, int] = {}
    for label_id in session.scalars(select(Label.id)).all():
        some = select(literal(1)).where(TranscriptLabel.label_id == label_id).limit(most + 1).subquery()
        counts[label_id] = session.scalar(select(func.count()).select_from(some)) or 0
    return counts


def add(session: Session, transcript: Transcript, name: str) -> Label:
    """Put a label on a transcript; it is made if there is none of this name. Twice is as good as once.

    Raises:
        LabelError: if the name cannot be used.
    """
    label = create(session, name)
    add_to_many(session, [transcript.id], label.id)
    return label


def remove(session: Session, transcript: Transcript, label_id: int) -> bool:
    """Take a label off a transcript; return whether it was on it."""
    return remove_from_many(session, [transcript.id], label_id) > 0


def add_to_many(session: Session, transcript_ids: Iterable[int], label_id: int) -> int:
    """Put a label on transcripts; return on how many it was not yet."""
    session.flush()
    links = select(Transcript.id, literal(label_id), Transcript.last_activity_at).where(Transcript.id.in_(list(transcript_ids)))
    statement = _insert(session, TranscriptLabel).from_select(["transcript_id", "label_id", "last_activity_at"], links)
    return int(session.execute(statement.on_conflict_do_nothing()).rowcount)


def remove_from_many(session: Session, transcript_ids: Iterable[int], label_id: int) -> int:
    """Take a label off transcripts; return on how many it was."""
    query = delete(TranscriptLabel).where(TranscriptLabel.transcript_id.in_(list(transcript_ids)), TranscriptLabel.label_id == label_id)
    return int(session.execute(query.execution_options(synchronize_session=False)).rowcount)


def _by_name(session: Session, name: str) -> Label | None:
    # Compared here: the two databases fold letters outside ASCII differently.
    wanted = name.casefold()
    return next((label for label in session.scalars(select(Label)) if label.name.casefold() == wanted), None)


def _insert(session: Session, table: Any) -> Any:
    made = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    return cast(Any, made(table))
