"""Comparisons of two models: started by staff, run by a process of its own, kept as figures.

The result names messages only by a digest (``corrections.Correction.digest``): their text is looked up where it is kept, so
that it is gone from here, too, when it is gone there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.transcripts.record_models import ModelComparison
from bot.transcripts.staff_models import Staff

RUNNING, DONE, FAILED = "running", "done", "failed"
# Why a comparison failed: texts ``models.error_<reason>``.
NO_MESSAGES, STOPPED, OTHER = "no_messages", "stopped", "other"
NOT_LOADABLE = {"current": "not_loadable_current", "candidate": "not_loadable_candidate"}
ERRORS = (NO_MESSAGES, STOPPED, OTHER, *NOT_LOADABLE.values())
# A comparison that runs says so every BEAT; one that has been silent for SILENCE has ended without a word.
BEAT, SILENCE = timedelta(seconds=15), timedelta(minutes=3)
KEPT_IN_LIST = 50


class AlreadyRunning(Exception):
    """A comparison is running; two at once would take the memory of the machine."""


@dataclass(frozen=True)
class Comparison:
    """A comparison as it stands. ``progress``: how many messages of how many are done (both models together)."""

    id: int
    current: str
    candidate: str
    status: str
    error: str
    result: dict[str, Any] | None
    progress: tuple[int, int] | None
    staff_name: str
    created_at: datetime
    finished_at: datetime | None


def start(session: Session, current: str, candidate: str, staff_id: int | None, now: datetime) -> int:
    """Enter a comparison that is about to run, and return its id.

    Args:
        session: a transaction.
        current: the file name of the model in use.
        candidate: that of the other one.
        staff_id: who starts it; None on the command line.
        now: the moment.

    Raises:
        AlreadyRunning: if one is running.
    """
    end_silent(session, now)
    if session.execute(select(ModelComparison.id).where(ModelComparison.status == RUNNING).limit(1)).first() is not None:
        raise AlreadyRunning("A comparison is running.")
    row = ModelComparison(current=current, candidate=candidate, status=RUNNING, staff_id=staff_id, created_at=now)
    session.add(row)
    session.flush()
    return int(row.id)


def beat(session: Session, comparison_id: int, done: int, total: int, now: datetime) -> None:
    """Say that a comparison is running, and how far it is."""
    row = session.get(ModelComparison, comparison_id, populate_existing=True)
    if row is not None and row.status == RUNNING:
        row.result = json.dumps({"done": done, "of": total, "at": now.isoformat()})


def finish(session: Session, comparison_id: int, result: dict[str, Any], now: datetime) -> None:
    """Keep the result of a comparison."""
    _end(session, comparison_id, now, status=DONE, result=json.dumps(result, ensure_ascii=False))


def fail(session: Session, comparison_id: int, reason: str, now: datetime) -> None:
    """Note that a comparison that was running has failed.

    Args:
        session: a transaction.
        comparison_id: which.
        reason: one of :data:`ERRORS`.
        now: the moment.
    """
    _end(session, comparison_id, now, status=FAILED, result=None, error=reason)


def end_silent(session: Session, now: datetime) -> None:
    """Mark comparisons as failed of which nothing has been heard for long: their process is gone."""
    for row in session.scalars(select(ModelComparison).where(ModelComparison.status == RUNNING)):
        if _is_silent(row, now):
            row.status, row.error, row.result, row.finished_at = FAILED, STOPPED, None, now
    session.flush()


def listed(session: Session, now: datetime) -> list[Comparison]:
    """Return the comparisons, the newest first."""
    query = select(ModelComparison, Staff.name).outerjoin(Staff, Staff.id == ModelComparison.staff_id)
    rows = session.execute(query.order_by(ModelComparison.id.desc()).limit(KEPT_IN_LIST))
    return [_read(row, name, now) for row, name in rows]


def find(session: Session, comparison_id: int, now: datetime) -> Comparison | None:
    """Return a comparison; None if there is none."""
    if not 0 < comparison_id < 2**31:
        return None
    query = select(ModelComparison, Staff.name).outerjoin(Staff, Staff.id == ModelComparison.staff_id)
    found = session.execute(query.where(ModelComparison.id == comparison_id)).first()
    return _read(found[0], found[1], now) if found is not None else None


def running(ones: Sequence[Comparison]) -> Comparison | None:
    """Return the one that is running."""
    return next((one for one in ones if one.status == RUNNING), None)


def _end(session: Session, comparison_id: int, now: datetime, **values: Any) -> None:
    row = session.get(ModelComparison, comparison_id, populate_existing=True)
    if row is None or row.status != RUNNING:
        return
    row.finished_at = now
    for name, value in values.items():
        setattr(row, name, value)


def _is_silent(row: ModelComparison, now: datetime) -> bool:
    heard = row.created_at
    if row.result:
        heard = max(heard, datetime.fromisoformat(json.loads(row.result)["at"]))
    return now - heard > SILENCE


def _read(row: ModelComparison, name: str | None, now: datetime) -> Comparison:
    stored = json.loads(row.result) if row.result else None
    status, error = row.status, row.error or ""
    if status == RUNNING and _is_silent(row, now):
        status, error = FAILED, STOPPED
    return Comparison(
        id=row.id,
        current=row.current,
        candidate=row.candidate,
        status=status,
        error=error if error in ERRORS or not error else OTHER,
        result=stored if status == DONE else None,
        progress=(stored["done"], stored["of"]) if status == RUNNING and stored else None,
        staff_name=name or "",
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
