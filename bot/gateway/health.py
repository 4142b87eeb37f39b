"""Whether the parts work: each is really asked."""

from __future__ import annotations

import asyncio
import logging

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.gateway.guards import public
from bot.gateway.services import Services, services
from bot.web.logs import describe

logger = logging.getLogger(__name__)


@public("health")
async def health(request: Request) -> Response:
    """Answer 200 if people get answers, 503 if not; "degraded" if something else is broken."""
    service = services(request)
    engine, actions, transcripts = await asyncio.gather(
        service.engine.engine_works(), service.engine.actions_work(), _transcripts_work(service)
    )
    parts = {"engine": engine, "actions": actions, "transcripts": transcripts}
    # Without its database the gateway cannot hold a conversation either.
    works = engine and transcripts
    body = {
        "status": "ok" if all(parts.values()) else "degraded",
        "parts": {name: "ok" if fine else "down" for name, fine in parts.items()},
    }
    return JSONResponse(body, 200 if works else 503)


async def _transcripts_work(service: Services) -> bool:
    try:
        await run_in_threadpool(service.store.count)
    except Exception as error:
        logger.error("The transcripts database does not answer: %s", describe(error))
        return False
    return True
