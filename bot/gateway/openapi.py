"""The description of the chat API (OpenAPI 3.1): ``openapi.json``, written by hand and compared with the API by tests."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bot.gateway.files import OPEN
from bot.gateway.guards import public

DESCRIPTION = Path(__file__).parent / "openapi.json"
VERSION_HEADER = "Lotse-Api-Version"
# Whatever begins with this belongs to the API and names its version.
API_PREFIX = "/api/"


@lru_cache(maxsize=1)
def description() -> dict[str, Any]:
    """Return the description; nobody may change what is returned."""
    loaded: dict[str, Any] = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    return loaded


def api_version() -> str:
    """Return the version of the API. The description is the only home of the number."""
    return str(description()["info"]["version"])


@public("page")
async def openapi(request: Request) -> Response:
    """Return the description; any website may read it."""
    headers = {**OPEN, "Cache-Control": "public, max-age=300"}
    return Response(_raw(), media_type="application/json", headers=headers)


@lru_cache(maxsize=1)
def _raw() -> bytes:
    return json.dumps(description(), ensure_ascii=False, separators=(",", ":")).encode("utf-8")
