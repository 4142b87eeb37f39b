"""The review application; the web process mounts it at ``/review``, ``python -m bot.review`` runs it alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from actions.directory.office_rows import PlacesMissingError
from bot.review import (
    account,
    audit_trail,
    callbacks,
    conversation,
    corrections,
    directory,
    directory_changes,
    figures,
    home,
    inbox,
    login,
    models,
    pages,
    staff,
)
from bot.review.middleware import ReviewDoor
from bot.review.services import ReviewServices, utc_now
from bot.settings import Settings
from bot.settings import settings as process_settings
from bot.transcripts import database
from bot.web import logs
from bot.web.clients import Clients
from bot.web.limits import Limits

MOUNTED_AT = "/review"
# A directory file may be imported; nothing else is large.
BODY_LIMIT = 5 * 1024 * 1024

ROUTES: tuple[Route, ...] = (
    *home.ROUTES,
    *login.ROUTES,
    *account.ROUTES,
    *inbox.ROUTES,
    *conversation.ROUTES,
    *callbacks.ROUTES,
    *directory.ROUTES,
    *directory_changes.ROUTES,
    *figures.ROUTES,
    *corrections.ROUTES,
    *models.ROUTES,
    *staff.ROUTES,
    *audit_trail.ROUTES,
    Route("/static/{name}", pages.static),
)


def create_app(settings: Settings | None = None, now: Callable[[], datetime] = utc_now) -> Starlette:
    """Return the review application.

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
        exception_handlers={HTTPException: _on_http_exception, PlacesMissingError: _on_missing_places},
        middleware=[Middleware(ReviewDoor), Middleware(RequestBodyLimitMiddleware, max_body_size=BODY_LIMIT)],
    )
    app.router.redirect_slashes = False
    app.state.services = ReviewServices(
        settings=used,
        limits=Limits(used.redis_url),
        clients=Clients(used.trusted_proxies, used.secret_key),
        now=now,
    )
    return app


def create_standalone(settings: Settings | None = None, now: Callable[[], datetime] = utc_now) -> Starlette:
    """Return the review as an application of its own, at the same address as in the web process.

    Args:
        settings: the settings; those of the process if not given.
        now: the clock, for tests.
    """
    review = create_app(settings, now)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with review.router.lifespan_context(review):
            yield

    app = Starlette(routes=[*mounted(review), Route("/", _to_review)], lifespan=lifespan)
    app.router.redirect_slashes = False
    return app


def mounted(review: Starlette) -> list[BaseRoute]:
    """Return the routes by which another application shows the review; people type its address without the last slash."""
    return [Mount(MOUNTED_AT, review), Route(MOUNTED_AT, _to_review)]


async def _to_review(request: Request) -> Response:
    # A path only: the Host header of the caller has no part in it.
    return RedirectResponse(f"{MOUNTED_AT}/", 308)


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    service: ReviewServices = app.state.services
    await run_in_threadpool(database.upgrade, service.settings.transcripts_url)
    yield


async def _on_http_exception(request: Request, error: Any) -> Response:
    return pages.error_page(request, error)


async def _on_missing_places(request: Request, error: Exception) -> Response:
    return pages.error_page(request, HTTPException(503, "no_places"))
