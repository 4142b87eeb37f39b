"""What surrounds every request: headers, one access log line, and an answer also when something breaks."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.gateway.body import BODY_LIMIT
from bot.gateway.errors import ApiError
from bot.gateway.languages import of_request
from bot.gateway.openapi import API_PREFIX, VERSION_HEADER, api_version
from bot.web import logs

logger = logging.getLogger(__name__)
access_log = logging.getLogger(logs.ACCESS)
METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT")


def content_security_policy(allowed_origins: Iterable[str], nonce: str | None = None) -> str:
    """Return the policy: everything from here, nothing inline, framed only by us and by the allowed sites.

    Args:
        allowed_origins: the sites that may show a page of ours in a frame.
        nonce: the word by which a page names its own scripts; without it no script runs at all.
    """
    ancestors = " ".join(["'self'", *allowed_origins])
    # Scripts that a named script loads may run, too; 'self' is for browsers that do not know 'strict-dynamic'.
    scripts = f"'nonce-{nonce}' 'strict-dynamic' 'self'" if nonce else "'none'"
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"base-uri 'none'; form-action 'self'; frame-ancestors {ancestors}"
    )


class DoorMiddleware:
    """Adds the security headers and the version of the API, and writes one line on each request: method, route, status, time."""

    def __init__(self, app: ASGIApp, allowed_origins: Iterable[str]) -> None:
        self.app = app
        # Read here, so that a description that is missing or broken stops the start and not a request.
        self.api_version = api_version()
        self.headers = {
            "Content-Security-Policy": content_security_policy(allowed_origins),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), interest-cohort=()",
            "Cross-Origin-Opener-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                if scope["path"].startswith(API_PREFIX):
                    headers[VERSION_HEADER] = self.api_version
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        finally:
            method = scope["method"] if scope["method"] in METHODS else "other"
            milliseconds = (time.perf_counter() - begun) * 1000
            # Health is asked every few seconds; as long as it is well, that is no news.
            level = logging.DEBUG if _route(scope) == "/health" else logging.INFO
            access_log.log(level, "%s %s %s %.0f ms", method, _route(scope), status, milliseconds)


class JsonErrorMiddleware:
    """Turns what nobody foresaw into a JSON 500, and refuses bodies that announce themselves as too large.

    Nothing gets past it to the server, which would log the exception with its message, and so perhaps with a text.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        async def answer(error: ApiError) -> None:
            await error.response(of_request(Request(scope)))(scope, receive, send)

        length = Headers(scope=scope).get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            await answer(ApiError(400, "bad_request"))
            return
        if int(length[:12]) > BODY_LIMIT:
            await answer(ApiError(413, "body_too_large", headers={"Connection": "close"}))
            return
        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            logger.error("%s fails: %s", _route(scope), logs.describe(error))
            if not started:
                await answer(ApiError(500, "internal"))


class JsonCORSMiddleware(CORSMiddleware):
    """Starlette's CORS, with refusals in the shape of all other errors."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a preflight request."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        body = {"error": {"code": "origin_not_allowed", "message": bytes(response.body).decode("ascii", "replace")}}
        response.body = json.dumps(body).encode("ascii")
        response.headers["content-length"] = str(len(response.body))
        response.headers["content-type"] = "application/json"
        return response


def _route(scope: Scope) -> str:
    """Return the route's pattern; the path itself may be anything that somebody typed."""
    endpoint = scope.get("endpoint")
    for route in scope["app"].routes:
        if getattr(route, "endpoint", None) is endpoint and endpoint is not None:
            return str(route.path)
    return "(unknown)"
