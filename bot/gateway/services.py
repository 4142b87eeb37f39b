"""What the endpoints work with; made once by ``create_app`` and kept in the application's state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import cast
from weakref import WeakValueDictionary

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from bot.gateway.engine import EngineClient, EngineError
from bot.gateway.tokens import Tokens
from bot.settings import Settings
from bot.transcripts import mails, retention
from bot.transcripts.closing import close_ended
from bot.transcripts.conversations import Conversations
from bot.web.clients import Clients
from bot.web.limits import Limits

logger = logging.getLogger(__name__)
# Deleting by the night's rules, once an hour: it is cheap when there is nothing to do.
RETENTION_EVERY = timedelta(hours=1)
RETENTION_FIRST = timedelta(minutes=1)
# An engine that is down is asked so often a minute, not once for each conversation.
FAILURES_A_ROUND = 3


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(timezone.utc)


@dataclass
class Services:
    """The parts of one running gateway."""

    settings: Settings
    store: Conversations
    engine: EngineClient
    limits: Limits
    tokens: Tokens
    clients: Clients
    now: Callable[[], datetime] = utc_now
    # Weak: a lock lives as long as somebody holds or awaits it.
    locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    retention_due: datetime | None = None

    def lock(self, conversation_id: str) -> asyncio.Lock:
        """Return the lock of a conversation, the same for all who ask at the same time."""
        lock = self.locks.get(conversation_id)
        if lock is None:
            lock = self.locks[conversation_id] = asyncio.Lock()
        return lock

    async def tidy_up(self) -> int:
        """Delete the conversations that have ended by time, here and in the engine; count what stays of them.

        Returns:
            How many ended.
        """
        expired = await run_in_threadpool(self.store.purge_expired, self.now())
        await run_in_threadpool(close_ended, self.store.url, self.now())
        # Not in the first minute after a start, when everybody comes back at once.
        self.retention_due = self.retention_due or self.now() + RETENTION_FIRST
        if self.now() >= self.retention_due:
            self.retention_due = self.now() + RETENTION_EVERY
            await run_in_threadpool(retention.run, self.settings, self.now())
        await self.forget_pending()
        # Last: a mail server that does not answer must not keep anything from being deleted.
        await run_in_threadpool(mails.send_waiting, self.settings, self.now())
        return len(expired)

    async def forget_pending(self) -> None:
        """Have the engine delete what is deleted here; what does not work stays noted for the next time."""
        failures = 0
        for conversation_id in await run_in_threadpool(self.store.pending_deletions):
            if await self.forget(conversation_id):
                continue
            # To the end of the queue: one that never works must not keep the others from being deleted.
            await run_in_threadpool(self.store.pending_deletion, conversation_id, self.now())
            failures += 1
            if failures == FAILURES_A_ROUND:
                return

    async def forget(self, conversation_id: str) -> bool:
        """Have the engine delete one conversation that is noted for it; False if it did not."""
        try:
            await self.engine.forget(conversation_id)
        except EngineError as error:
            logger.warning("The engine did not delete a conversation (%s); it is tried again", error)
            return False
        await run_in_threadpool(self.store.deletion_done, conversation_id)
        return True


def services(request: Request) -> Services:
    """Return the services of the application that handles ``request``."""
    return cast(Services, request.app.state.services)
