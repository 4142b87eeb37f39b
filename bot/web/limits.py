"""Rate limits. They are generous to people and stop scripts; each is counted under one name and one key."""

from __future__ import annotations

import logging
import math
from datetime import timedelta

from throttled.asyncio import BaseStore, MemoryStore, Quota, RedisStore, Throttled, exceptions
from throttled.asyncio.rate_limiter import per_duration, per_min

logger = logging.getLogger(__name__)

LIMITS: dict[str, Quota] = {
    # per conversation
    "conversation_messages": per_min(20),
    "conversation_calls": per_min(60),
    # per client address; a whole shelter may stand behind one
    "messages": per_min(120),
    "sessions": per_duration(timedelta(minutes=10), 30),
    "calls": per_min(240),
    "page": per_min(300),
    "health": per_min(60),
    # also those that are refused because something in the form is wrong
    "callbacks": per_duration(timedelta(minutes=10), 20),
    # of the review, per client address; an office may stand behind one
    "review_login": per_duration(timedelta(minutes=10), 40),
    "review_pages": per_min(600),
    "review_changes": per_min(240),
    # of the review, per account
    "review_account": per_duration(timedelta(minutes=15), 10),
}
# GCRA: a caller may use the whole quota at once, and is then told the exact moment of the next free place.
ALGORITHM = "gcra"
REDIS_SECONDS = 1


class Limits:
    """Counts calls in memory, or in Redis if there are several web processes.

    Args:
        redis_url: the Redis server; None counts in this process.
    """

    def __init__(self, redis_url: str | None) -> None:
        # The library's default of 1,024 keys would let an attacker push out the counters of everybody else.
        self._memory = _throttles(MemoryStore(options={"MAX_SIZE": 100_000}))
        self._redis: dict[str, Throttled] | None = None
        if redis_url:
            pool = {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
            self._redis = _throttles(RedisStore(server=redis_url, options={"CONNECTION_POOL_KWARGS": pool}))

    async def retry_after(self, name: str, key: str) -> int:
        """Count a call.

        Args:
            name: one of :data:`LIMITS`.
            key: who is calling.

        Returns:
            0 if the call is within the limit, else the seconds until the next one will be.
        """
        if self._redis is not None:
            try:
                return await _count(self._redis[name], f"{name}:{key}")
            except (exceptions.StoreUnavailableError, OSError) as error:
                # A limit that fails open would be none, one that fails closed would stop the chat.
                logger.warning("Redis does not answer (%s); this process counts for itself", type(error).__name__)
        return await _count(self._memory[name], f"{name}:{key}")


def _throttles(store: BaseStore) -> dict[str, Throttled]:
    return {name: Throttled(using=ALGORITHM, quota=quota, store=store) for name, quota in LIMITS.items()}


async def _count(throttled: Throttled, key: str) -> int:
    result = await throttled.limit(key)
    return max(1, math.ceil(result.state.retry_after)) if result.limited else 0
