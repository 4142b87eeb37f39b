"""What surrounds every request of the review: headers, one access line, and a plain page when something breaks."""

from __future__ import annotations

import logging
import time

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.review.pages import POLICY
from bot.web import logs

logger = logging.getLogger(__name__)
access_log = logging.getLogger(logs.ACCESS)
HEADERS = {
    "Content-Security-Policy": POLICY,
    # Not even the own address goes to a website that is opened from a referral card; forms still send their origin.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), interest-cohort=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
    # Pages on persons: no browser, proxy or back button keeps them.
    "Cache-Control": "no-store",
}


class ReviewDoor:
    """Adds the headers, writes one line on each request without its query, and answers when an endpoint raises."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, status, started = time.perf_counter(), 500, False

        async def send_with_headers(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception as error:
            logger.error("%s fails: %s", _route(scope), logs.describe(error))
            if not started:
                sentence = "Da ist etwas schiefgegangen. Bitte versuchen Sie es noch einmal.\nSomething went wrong. Please try again.\n"
                await PlainTextResponse(sentence, 500)(scope, receive, send_with_headers)
        finally:
            access_log.info("%s /review%s %s %.0f ms", scope["method"], _route(scope), status, (time.perf_counter() - begun) * 1000)


def _route(scope: Scope) -> str:
    """Return the pattern of the route; the path itself holds pseudonyms."""
    endpoint = scope.get("endpoint")
    for route in scope["app"].routes:
        if endpoint is not None and getattr(route, "endpoint", None) is endpoint:
            return str(route.path)
    return " (unknown)"
