"""The web process of the benchmarks: the gateway itself, with wide limits for each conversation.

There is no setting for the limits. Those for an address are left as they are (each simulated person has an address of
their own, ``LOTSE_TRUSTED_PROXIES``); only those for a conversation are widened, because 20 messages a minute would
measure nothing but the limit. The limiter still counts every call.
"""

from __future__ import annotations

from throttled.asyncio.rate_limiter import per_min

from bot.gateway.app import create_app
from bot.settings import settings
from bot.web import limits
from bot.web.server import serve

WIDE = 100_000  # calls a minute

if __name__ == "__main__":
    for name in ("conversation_messages", "conversation_calls"):
        limits.LIMITS[name] = per_min(WIDE)
    serve(create_app(), settings())
