"""uvicorn with our habits, for the web process and for each of its parts alone."""

from __future__ import annotations

import uvicorn
from starlette.types import ASGIApp

from bot.settings import Settings


def serve(app: ASGIApp, settings: Settings) -> None:
    """Serve an application at ``LOTSE_HOST`` and ``LOTSE_PORT``, with uvicorn's own habits that we do not want off.

    Its access log holds addresses; its proxy headers would let any program on this machine choose its address, past
    ``LOTSE_TRUSTED_PROXIES``; its server header tells what we run.

    Args:
        app: the application.
        settings: where to listen.
    """
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
        log_level="info",
    )
