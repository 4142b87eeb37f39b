"""The retention: what is kept no longer is deleted, store by store. Run by the web process and by ``lotse retention run``.

Each step goes on where the last run stopped, an error in one does not keep the others from running, and what could not be
deleted is reported and tried again with the next run. The periods are settings (``bot.settings``); the notices to people
and ``docs/datenschutz.md`` name the same ones, and a test compares them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, create_engine, delete, func, inspect, or_, select, text
from sqlalchemy.orm import Session

from bot.settings import Settings
from bot.transcripts import audit, closing, database, deletion, labels, search, staff_sessions
from bot.transcripts.models import Conversation, PendingDeletion
from bot.transcripts.record_models import CALLBACK_DONE, CallbackRequest, ModelComparison, Notification, Transcript

logger = logging.getLogger(__name__)
# A request that nobody has answered in this time is answered by nobody.
OPEN_CALLBACK_DAYS = 60
NOTIFICATION_DAYS = 3
# A file that waits for the confirmation of an import.
UPLOAD_HOURS = 24
UPLOADS = "uploads"
# The engine deletes a conversation when the gateway tells it to. What it holds longer than any conversation lasts was
# written after that, or belongs to a transcripts database that was lost.
TRACKER_MARGIN = timedelta(hours=1)
AT_ONCE = 500


@dataclass
class Report:
    """What a run did: how much went from each store, and which steps failed."""

    dry_run: bool
    gone: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How much went from all stores together."""
        return sum(self.gone.values())


@dataclass(frozen=True)
class Run:
    """One run of the retention, as its steps see it."""

    settings: Settings
    now: datetime
    dry_run: bool

    @property
    def url(self) -> str:
        """The database of the transcripts."""
        return self.settings.transcripts_url


def run(settings: Settings, now: datetime, dry_run: bool = False, say: Callable[[str, int], None] | None = None) -> Report:
    """Delete everything whose time is over.

    Args:
        settings: the periods and databases.
        now: the moment.
        dry_run: only count what would go.
        say: told after each step its name and number.

    Returns:
        What went, and which steps failed (the name of the exception, never its message, which may quote a text).
    """
    report = Report(dry_run)
    for name, step in STEPS:
        try:
            report.gone[name] = step(Run(settings, now, dry_run))
        except Exception as error:
            report.failed[name] = type(error).__name__
            logger.error("The retention of %s fails: %s", name, type(error).__name__)
        if say:
            say(name, report.gone.get(name, 0))
    if not dry_run:
        try:
            _wipe(settings.transcripts_url, report, now)
        except Exception as error:
            report.failed["compaction"] = type(error).__name__
            logger.error("The compaction fails: %s", type(error).__name__)
    return report


def _wipe(url: str, report: Report, now: datetime) -> None:
    """Wipe what deleted rows leave behind, and write into the audit trail that something went."""
    with database.session(url) as session:
        # Staff may have deleted something since the last run.
        wanted = bool(report.total) or audit.newer(session, "transcript.delete", "retention.run")
    if wanted:
        _compact(url)
    if database.engine(url).dialect.name == "sqlite":
        _checkpoint(database.engine(url))
    if wanted or report.failed:
        with database.session(url) as session:
            audit.write(session, now, None, audit.SYSTEM, "retention.run", "retention", gone=_some(report.gone), failed=report.failed)


# ---------------------------------------------------------------------- steps, one a store or kind of data


def _live(run: Run) -> int:
    """Live conversations that have ended by time: everything that could be read again in the chat."""
    idle, absolute = timedelta(minutes=run.settings.idle_minutes), timedelta(hours=run.settings.absolute_hours)
    over = or_(Conversation.last_activity_at <= run.now - idle, Conversation.started_at <= run.now - absolute)
    if run.dry_run:
        return _count(run.url, select(Conversation.id).where(over))
    number = 0
    while True:
        with database.session(run.url) as session:
            ids = list(session.scalars(select(Conversation.id).where(over).limit(AT_ONCE)))
            for one in ids:
                session.merge(PendingDeletion(conversation_id=one, since=run.now))
            session.execute(delete(Conversation).where(Conversation.id.in_(ids)).execution_options(synchronize_session=False))
        number += len(ids)
        if len(ids) < AT_ONCE:
            break
    closing.close_ended(run.url, run.now)
    return number


def _transcripts(run: Run) -> int:
    """Transcripts with consent: redacted texts and what reviewers wrote about them."""
    limit = run.now - timedelta(days=run.settings.transcript_days)
    return _remove_transcripts(run, and_(Transcript.consent, Transcript.last_activity_at <= limit))


def _structure(run: Run) -> int:
    """Transcripts without consent: they never had a text."""
    limit = run.now - timedelta(hours=run.settings.structure_hours)
    return _remove_transcripts(run, and_(Transcript.consent.is_(False), Transcript.last_activity_at <= limit))


def _remove_transcripts(run: Run, condition: Any) -> int:
    # A conversation that is still going on is none of the retention's business: its own limits are shorter.
    query = select(Transcript.id).where(Transcript.conversation_id.is_(None), condition)
    return _in_batches(run, query, deletion.remove)


def _callbacks(run: Run) -> int:
    """Call-back requests that are done, and those that nobody answered."""
    done = and_(CallbackRequest.status == CALLBACK_DONE, CallbackRequest.done_at <= run.now - timedelta(days=run.settings.callback_days))
    never = CallbackRequest.created_at <= run.now - timedelta(days=OPEN_CALLBACK_DAYS)
    return _in_batches(run, select(CallbackRequest.key).where(or_(done, never)), deletion.remove_callbacks)


def _notifications(run: Run) -> int:
    """Mails that could not be sent."""
    return _delete(run, Notification, Notification.created_at <= run.now - timedelta(days=NOTIFICATION_DAYS))


def _comparisons(run: Run) -> int:
    """Comparisons of models: they show messages of transcripts."""
    return _delete(run, ModelComparison, ModelComparison.created_at <= run.now - timedelta(days=run.settings.transcript_days))


def _labels(run: Run) -> int:
    """Labels that were deleted, when nobody will want them back."""
    if run.dry_run:
        return 0
    with database.session(run.url) as session:
        return labels.purge(session, run.now - timedelta(days=run.settings.transcript_days))


def _staff_sessions(run: Run) -> int:
    """Sessions of the staff that have ended by time."""
    if run.dry_run:
        return 0
    idle, absolute = timedelta(minutes=run.settings.review_idle_minutes), timedelta(hours=run.settings.review_absolute_hours)
    with database.session(run.url) as session:
        return staff_sessions.purge_expired(session, run.now, idle, absolute)


def _uploads(run: Run) -> int:
    """Directory files that somebody uploaded for a preview and never confirmed."""
    folder = run.settings.home / UPLOADS
    limit = run.now.timestamp() - UPLOAD_HOURS * 3600
    old = [path for path in folder.iterdir() if path.is_file() and path.stat().st_mtime <= limit] if folder.is_dir() else []
    for path in old:
        if not run.dry_run:
            path.unlink(missing_ok=True)
    return len(old)


def _trackers(run: Run) -> int:
    """Conversations in the engine's own store that are older than any conversation can be.

    Counted are conversations. Only whole ones go: the engine counts the events of a conversation.
    """
    engine = create_engine(run.settings.tracker_url, future=True, hide_parameters=True)
    limit = (run.now - timedelta(hours=run.settings.absolute_hours) - TRACKER_MARGIN).timestamp()
    try:
        if not inspect(engine).has_table("events"):
            return 0
        with engine.begin() as connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete=ON")
            old = text("SELECT sender_id FROM events GROUP BY sender_id HAVING MAX(timestamp) <= :limit")
            ids = [row[0] for row in connection.execute(old, {"limit": limit})]
            if not run.dry_run:
                for one in ids:
                    connection.execute(text("DELETE FROM events WHERE sender_id = :id"), {"id": one})
        if ids and not run.dry_run and engine.dialect.name == "sqlite":
            _checkpoint(engine)
        return len(ids)
    finally:
        engine.dispose()


STEPS: tuple[tuple[str, Callable[[Run], int]], ...] = (
    ("live conversations", _live),
    ("transcripts with consent", _transcripts),
    ("structure without consent", _structure),
    ("call-back requests", _callbacks),
    ("mails that wait", _notifications),
    ("model comparisons", _comparisons),
    ("deleted labels", _labels),
    ("sessions of the staff", _staff_sessions),
    ("uploaded files", _uploads),
    ("conversations in the engine", _trackers),
)


# ---------------------------------------------------------------------- helpers


def _in_batches(run: Run, query: Any, remove: Callable[[Session, Sequence[Any]], None]) -> int:
    if run.dry_run:
        return _count(run.url, query)
    number = 0
    while True:
        # A transaction for each batch: a long one would keep the chat from writing (SQLite).
        with database.session(run.url) as session:
            found = list(session.scalars(query.limit(AT_ONCE)))
            remove(session, found)
        number += len(found)
        if len(found) < AT_ONCE:
            return number


def _delete(run: Run, table: Any, condition: Any) -> int:
    if run.dry_run:
        return _count(run.url, select(table.id).where(condition))
    with database.session(run.url) as session:
        return int(session.execute(delete(table).where(condition).execution_options(synchronize_session=False)).rowcount)


def _count(url: str, query: Any) -> int:
    with database.session(url) as session:
        return int(session.execute(select(func.count()).select_from(query.subquery())).scalar_one())


def _some(counts: dict[str, int]) -> dict[str, int]:
    return {name: number for name, number in counts.items() if number}


def _compact(url: str) -> None:
    """Rewrite what still holds deleted words: the search index, SQLite's journal, PostgreSQL's dead rows."""
    engine = database.engine(url)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in ("transcript", "transcript_turn", "transcript_search", "note", "undo", "callback_request"):
                connection.exec_driver_sql(f"VACUUM {table}")
        return
    with database.session(url) as session:
        search.compact(session)


def _checkpoint(engine: Any) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
