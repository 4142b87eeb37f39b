"""The web process: the gateway, and the review below ``/review`` unless ``LOTSE_REVIEW`` is ``off``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Mount

from bot.gateway.app import create_app as create_gateway
from bot.review.app import create_app as create_review
from bot.review.app import mounted
from bot.settings import Settings
from bot.settings import settings as process_settings


def create_app(settings: Settings | None = None) -> Starlette:
    """Return the application of the web process.

    Args:
        settings: the settings; those of the process if not given.

    Raises:
        SettingsError: if a setting cannot be used.
    """
    used = settings or process_settings()
    parts = [create_review(used)] if used.review else []
    gateway = create_gateway(used)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        # Starlette does not start what is mounted.
        async with AsyncExitStack() as stack:
            for part in [gateway, *parts]:
                await stack.enter_async_context(part.router.lifespan_context(part))
            yield

    app = Starlette(routes=[*(route for part in parts for route in mounted(part)), Mount("", gateway)], lifespan=lifespan)
    app.router.redirect_slashes = False
    return app
