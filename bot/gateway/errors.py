"""Every error leaves the gateway as ``{"error": {"code", "message"}}``, in the person's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.gateway import languages
from bot.gateway.texts import text

CODES = {
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    500: "internal",
}


class ApiError(Exception):
    """An answer other than the wished one.

    Args:
        status: the HTTP status.
        code: the code for programs; ``error.<code>`` is the text for people.
        headers: further headers of the answer.
        extra: further members of the body.
        values: what fills the placeholders of the text. Never anything that the person wrote.
    """

    def __init__(
        self,
        status: int,
        code: str,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        self.values = values

    def response(self, language: str) -> JSONResponse:
        """Return the answer in ``language``."""
        message = text(f"error.{self.code}", language, **self.values)
        body = {"error": {"code": self.code, "message": message}, **self.extra}
        return JSONResponse(body, self.status, headers=self.headers)


async def on_api_error(request: Request, error: Exception) -> Response:
    """Answer an :class:`ApiError`."""
    assert isinstance(error, ApiError)
    return error.response(languages.of_request(request))


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what Starlette itself refuses: unknown paths, wrong methods, too large bodies."""
    assert isinstance(error, HTTPException)
    status = error.status_code
    code = CODES.get(status, "bad_request" if status < 500 else "internal")
    headers = dict(error.headers or {})
    if status == 405:
        # Starlette names the methods of one route only; several may share a path.
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    return ApiError(status, code, headers=headers).response(languages.of_request(request))


def _methods(request: Request) -> set[str]:
    path = request.scope["path"]
    routes = [route for route in request.app.routes if isinstance(route, Route) and route.path_regex.match(path)]
    return {method for route in routes for method in route.methods or ()}
