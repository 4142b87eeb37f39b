"""The web application: ``uvicorn bot.gateway.app:create_app --factory``, or ``python -m bot.gateway``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.routing import Route

from bot.dialogue.engine_key import derived_key
from bot.gateway import callback, chat
from bot.gateway.body import BODY_LIMIT
from bot.gateway.engine import EngineClient
from bot.gateway.errors import ApiError, on_api_error, on_http_exception
from bot.gateway.files import loader, static_file, widget
from bot.gateway.health import health
from bot.gateway.middleware import DoorMiddleware, JsonCORSMiddleware, JsonErrorMiddleware
from bot.gateway.openapi import VERSION_HEADER, openapi
from bot.gateway.page import embed_demo, page, page_texts, robots
from bot.gateway.services import Services, utc_now
from bot.gateway.sheet import sheet
from bot.gateway.tokens import Tokens
from bot.settings import Settings
from bot.settings import settings as process_settings
from bot.transcripts import database
from bot.transcripts.conversations import Conversations
from bot.transcripts.redaction import redact
from bot.web import logs
from bot.web.clients import Clients
from bot.web.limits import Limits

logger = logging.getLogger(__name__)
TIDY_UP_SECONDS = 60

ROUTES = (
    Route("/", page),
    Route("/robots.txt", robots),
    Route("/health", health),
    Route("/texts/{language}.json", page_texts),
    Route("/static/{version}/{name}", static_file),
    Route("/widget.js", widget),
    Route("/embed-demo", embed_demo),
    Route("/sheet", sheet),
    *callback.ROUTES,
    Route("/api/openapi.json", openapi),
    Route("/api/chat/sessions", chat.create_session, methods=["POST"]),
    Route("/api/chat/sessions/current", chat.change_session, methods=["PATCH"]),
    Route("/api/chat/sessions/current", chat.delete_session, methods=["DELETE"]),
    Route("/api/chat/messages", chat.send_message, methods=["POST"]),
    Route("/api/chat/messages", chat.read_messages, methods=["GET"]),
    Route("/api/chat/feedback", chat.give_feedback, methods=["POST"]),
)


def create_app(settings: Settings | None = None, now: Callable[[], datetime] = utc_now) -> Starlette:
    """Return the web application.

    Args:
        settings: the settings; those of the process if not given.
        now: the clock, for tests.

    Raises:
        SettingsError: if a setting cannot be used.
    """
    used = settings or process_settings()
    logs.configure()
    app = Starlette(
        routes=ROUTES,
        lifespan=_lifespan,
        exception_handlers={ApiError: on_api_error, HTTPException: on_http_exception},
        # From the outside in. CORS stands around the errors, so that a page elsewhere can read them too.
        middleware=[
            Middleware(DoorMiddleware, allowed_origins=used.allowed_origins),
            Middleware(
                JsonCORSMiddleware,
                allow_origins=list(used.allowed_origins),
                allow_methods=["GET", "POST", "PATCH", "DELETE"],
                allow_headers=["Authorization", "Content-Type"],
                expose_headers=["Retry-After", VERSION_HEADER],
            ),
            Middleware(JsonErrorMiddleware),
            Middleware(RequestBodyLimitMiddleware, max_body_size=BODY_LIMIT),
        ],
    )
    # A redirect to the path without slash would be built from the Host header of the caller.
    app.router.redirect_slashes = False
    app.state.services = Services(
        settings=used,
        store=Conversations(
            used.transcripts_url,
            derived_key("transcripts", used.secret_key),
            timedelta(minutes=used.idle_minutes),
            timedelta(hours=used.absolute_hours),
        ),
        engine=EngineClient(used),
        limits=Limits(used.redis_url),
        tokens=Tokens(derived_key("session tokens", used.secret_key)),
        clients=Clients(used.trusted_proxies, used.secret_key),
        now=now,
    )
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    service: Services = app.state.services
    await run_in_threadpool(database.upgrade, service.settings.transcripts_url)
    # Made small once, now, and not while the first visitor waits.
    await run_in_threadpool(loader)
    # Takes seconds, and only those who consent need it: nobody waits for it at the start, nor in a transaction later.
    warming = asyncio.create_task(run_in_threadpool(redact, "", "de"))
    tidying = asyncio.create_task(_tidy_up_for_ever(service))
    try:
        yield
    finally:
        tidying.cancel()
        await asyncio.gather(tidying, warming, return_exceptions=True)
        await service.engine.close()


async def _tidy_up_for_ever(service: Services) -> None:
    while True:
        try:
            await service.tidy_up()
        except Exception as error:
            # The next round may work; a loop that died would keep personal data without anybody noticing.
            logger.error("Tidying up fails: %s", logs.describe(error))
        await asyncio.sleep(TIDY_UP_SECONDS)
