"""The audit trail: who changed what, when. Entries are only added and blanked, never deleted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from bot.transcripts.staff_models import AuditEntry

# Who acts when nobody is logged in.
SYSTEM, PERSON, COMMAND = "system", "person", "command line"


@dataclass(frozen=True)
class Entry:
    """One line of the trail."""

    id: int
    at: datetime
    staff_name: str
    action: str
    object_kind: str
    object_key: str
    details: dict[str, Any]
    blanked: bool


def write(
    session: Session,
    now: datetime,
    staff_id: int | None,
    staff_name: str,
    action: str,
    object_kind: str,
    object_key: str = "",
    **details: Any,
) -> None:
    """Add an entry, in the transaction of the change that it tells of.

    Args:
        session: the transaction.
        now: the moment.
        staff_id: the account that acts; None for the system.
        staff_name: its name, kept after the account is gone.
        action: what is done, such as ``label.add``.
        object_kind: what it is done to: transcript, callback, staff, office, ...
        object_key: which one.
        details: more, never a text that a person wrote.
    """
    session.add(
        AuditEntry(
            at=now,
            staff_id=staff_id,
            staff_name=staff_name,
            action=action,
            object_kind=object_kind,
            object_key=object_key,
            details=json.dumps(details, ensure_ascii=False, default=str) if details else "",
            blanked=False,
        )
    )


def blank(session: Session, object_kind: str, object_keys: Sequence[str]) -> None:
    """Take out of the trail what entries say about objects that are deleted (at most 500 at once); the entries stay."""
    session.execute(
        update(AuditEntry)
        .where(AuditEntry.object_kind == object_kind, AuditEntry.object_key.in_(object_keys))
        .values(details="", object_key="", blanked=True)
        .execution_options(synchronize_session=False)
    )


def newer(session: Session, action: str, than: str) -> bool:
    """Return whether the newest entry of one action is newer than the newest of another (or there is none of that)."""
    last = {one: session.scalar(select(func.max(AuditEntry.id)).where(AuditEntry.action == one)) or 0 for one in (action, than)}
    return last[action] > last[than]


def entries(
    session: Session,
    *,
    before: int | None = None,
    action: str = "",
    staff_name: str = "",
    object_key: str = "",
    object_kind: str = "",
    limit: int = 50,
) -> list[Entry]:
    """Return entries, the newest first.

    Args:
        session: a session.
        before: only entries with a smaller id (paging).
        action: only actions that begin so.
        staff_name: only of this person.
        object_key: only on this object.
        object_kind: only on objects of this kind.
        limit: how many at the most.
    """
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditEntry.id < before)
    if action:
        query = query.where(AuditEntry.action.startswith(action, autoescape=True))
    if staff_name:
        query = query.where(AuditEntry.staff_name == staff_name)
    if object_key:
        query = query.where(AuditEntry.object_key == object_key)
    if object_kind:
        query = query.where(AuditEntry.object_kind == object_kind)
    return [
        Entry(
            row.id,
            row.at,
            row.staff_name,
            row.action,
            row.object_kind,
            row.object_key,
            json.loads(row.details) if row.details else {},
            row.blanked,
        )
        for row in session.scalars(query)
    ]
