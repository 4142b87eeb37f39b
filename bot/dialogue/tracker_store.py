"""Rasa's tracker store on SQL, made fit for long conversations and for deletion.

Three differences to ``SQLTrackerStore``:

* The tracker of a live conversation is kept in memory between turns, so that it need not be read and replayed.
* A long conversation is *compacted*: after some turns a new Rasa session begins with all slots carried over, so that
  Rasa, which loads, replays and sends along the whole session on each turn, does not get slower with every turn.
* Its queries run in a thread, so that a slow database does not stop the other conversations.

One engine process serves a conversation at a time (the lock store); with several engine processes the in-memory copy
must be switched off (``LOTSE_TRACKER_CACHE=0``).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Coroutine
from typing import Any

import sqlalchemy as sa
from rasa.core.brokers.broker import EventBroker
from rasa.core.tracker_store import SQLTrackerStore
from rasa.shared.core.constants import ACTION_LISTEN_NAME, ACTION_SESSION_START_NAME
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, ActiveLoop, SessionStarted, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig

from bot.settings import settings

TURNS_BEFORE_COMPACTION = 6
LIVE_CONVERSATIONS = 500


class LotseTrackerStore(SQLTrackerStore):
    """The tracker store named in ``endpoints.yml``; the database is ``LOTSE_TRACKER_URL``."""

    def __init__(
        self,
        domain: Domain | None = None,
        host: EndpointConfig | str | None = None,
        event_broker: EventBroker | None = None,
        **kwargs: Any,
    ) -> None:
        url = settings().tracker_url
        if url.startswith("sqlite:///"):
            settings().home.mkdir(parents=True, exist_ok=True)
        super().__init__(domain=domain, host=url, event_broker=event_broker)
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _configure_sqlite)
            self.engine.dispose()
        self._live: OrderedDict[str, DialogueStateTracker] = OrderedDict()
        self._size = LIVE_CONVERSATIONS if os.environ.get("LOTSE_TRACKER_CACHE") != "0" else 0

    async def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        """Return the tracker of the current session for a new turn, compacted if the session has become long.

        It leaves the memory until it is saved: a turn that fails in the middle must not leave half its events behind.
        """
        tracker = self._live.pop(sender_id, None) or await self._load(sender_id)
        if tracker is not None and _turns(tracker) >= TURNS_BEFORE_COMPACTION:
            compact(tracker, self.domain)
        return tracker

    async def peek(self, sender_id: str) -> DialogueStateTracker | None:
        """Return the tracker for reading only."""
        return self._live.get(sender_id) or await self._load(sender_id)

    async def _load(self, sender_id: str) -> DialogueStateTracker | None:
        return await asyncio.to_thread(_finish, super().retrieve(sender_id))

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Store the new events."""
        await asyncio.to_thread(_finish, super().save(tracker))
        if self._size:
            self._live[tracker.sender_id] = _current_session(tracker, self.domain)
            while len(self._live) > self._size:
                self._live.popitem(last=False)

    async def delete(self, sender_id: str) -> int:
        """Delete a whole conversation; return the number of events that are gone."""
        self._live.pop(sender_id, None)
        return await asyncio.to_thread(self._delete_rows, sender_id)

    def _delete_rows(self, sender_id: str) -> int:
        with self.session_scope() as session:
            result = session.execute(sa.delete(self.SQLEvent).where(self.SQLEvent.sender_id == sender_id))
            session.commit()
            return int(result.rowcount)

    def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: if it gives none.
        """
        with self.engine.connect() as connection:
            connection.execute(sa.select(sa.literal(1)))


def _finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never waits to its end: Rasa's store is ``async`` in name only, its SQL blocks."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("The tracker store waited for something; with an event broker it needs an event loop.")


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA busy_timeout=5000")
    # What is deleted must be gone from the file as well.
    connection.execute("PRAGMA secure_delete=ON")


def _turns(tracker: DialogueStateTracker) -> int:
    return sum(1 for event in tracker.applied_events() if isinstance(event, UserUttered))


def compact(tracker: DialogueStateTracker, domain: Domain) -> None:
    """Begin a new Rasa session in which every slot has the value it had, and an open question stays open.

    The events are those of Rasa's own session start with carry-over, so that the stored conversation stays readable
    for every tool that knows Rasa.
    """
    slots = [(name, slot.value) for name, slot in tracker.slots.items() if slot.value is not None]
    loop = tracker.active_loop_name
    now = time.time()
    # A little before the session: Rasa counts what is stored from the session's time on, and skips as many events.
    tracker.update(ActionExecuted(ACTION_SESSION_START_NAME, timestamp=now - 0.001), domain)
    tracker.update(SessionStarted(timestamp=now), domain)
    for name, value in slots:
        tracker.update(SlotSet(name, value, timestamp=now), domain)
    if loop:
        tracker.update(ActiveLoop(loop, timestamp=now), domain)
    tracker.update(ActionExecuted(ACTION_LISTEN_NAME, timestamp=now), domain)


def _current_session(tracker: DialogueStateTracker, domain: Domain) -> DialogueStateTracker:
    """Return the tracker as it would come back from the database: only the events since the session began."""
    events = list(tracker.events)
    starts = [i for i, event in enumerate(events) if isinstance(event, SessionStarted)]
    if not starts or len(events) - starts[-1] == len(events):
        return tracker
    if starts[-1] <= 1:
        return tracker
    return DialogueStateTracker.from_events(tracker.sender_id, events[starts[-1] :], domain.slots, sender_source=None)
