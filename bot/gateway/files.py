"""The files of the widget: read once, made small, served under an address that changes when they change.

``widget.js`` is what a website names; it asks for the others by a path with the hash of all of them, so browsers may keep
those for good, and never mix two versions.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import rcssmin
import rjsmin
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bot.gateway.guards import public
from bot.gateway.texts import text
from bot.languages import RIGHT_TO_LEFT, SPOKEN_LANGUAGES

STATIC = Path(__file__).parent / "static"
LOADER = "widget.js"
# The modules of the open chat, those that others import first. They are served as one file: one request and not six, and
# together they pack to less. So their names must differ; a browser refuses to run them otherwise, and every test fails.
BUNDLE = "chat.js"
MODULES = ("speech.js", "api.js", "outbox.js", "cards.js", "messages.js", "panel.js")
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
KEPT = "public, max-age=31536000, immutable"
# How long an old version of the loader may live on in a browser.
LOADER_KEPT = "public, max-age=600"
# Scripts, styles and texts are no secrets: any website may load them. The chat API asks for more.
OPEN = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
_SERVED = '"@served@"'
_IMPORT = re.compile(r"^import .*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:class|const|function))", re.MULTILINE)


@dataclass(frozen=True)
class File:
    """A file as it is served."""

    content: bytes
    packed: bytes
    media_type: str

    @classmethod
    def of(cls, name: str, content: str) -> File:
        """Return a file without comments and blanks, and the same packed."""
        suffix = Path(name).suffix
        if suffix == ".js":
            content = rjsmin.jsmin(content)
        elif suffix == ".css":
            content = rcssmin.cssmin(content)
        raw = content.encode("utf-8")
        return cls(raw, gzip.compress(raw, 9, mtime=0), MEDIA_TYPES[suffix])

    def response(self, request: Request, kept: str) -> Response:
        """Return the answer to a request, packed if the browser takes that.

        Args:
            request: the request.
            kept: the header ``Cache-Control``.
        """
        headers = {**OPEN, "Cache-Control": kept, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.packed, media_type=self.media_type, headers={**headers, "Content-Encoding": "gzip"})
        return Response(self.content, media_type=self.media_type, headers=headers)


@lru_cache(maxsize=1)
def files() -> dict[str, File]:
    """Return all files but the loader, by name; what is not in here is not served."""
    paths = sorted(path for path in STATIC.iterdir() if path.suffix in MEDIA_TYPES and path.name not in (LOADER, *MODULES))
    served = {path.name: File.of(path.name, path.read_text(encoding="utf-8")) for path in paths}
    return {**served, BUNDLE: File.of(BUNDLE, _bundle())}


def _bundle() -> str:
    parts = [_EXPORT.sub("", _IMPORT.sub("", (STATIC / name).read_text(encoding="utf-8"))) for name in MODULES]
    return "\n".join([*parts, "export { Panel };"])


@lru_cache(maxsize=1)
def version() -> str:
    """Return the hash of all files but the loader."""
    digest = hashlib.sha256()
    for name, file in files().items():
        digest.update(name.encode() + b"\0" + file.content)
    return digest.hexdigest()[:12]


@lru_cache(maxsize=1)
def loader() -> File:
    """Return ``widget.js`` with what it has to know before it asks for anything."""
    served = {
        "version": version(),
        "languages": list(SPOKEN_LANGUAGES),
        "right_to_left": [code for code in SPOKEN_LANGUAGES if code in RIGHT_TO_LEFT],
        "open": {code: text("launcher.open", code) for code in SPOKEN_LANGUAGES},
        "failed": {code: f"{text('action.start_failed', code)} 112 · 110" for code in SPOKEN_LANGUAGES},
    }
    source = (STATIC / LOADER).read_text(encoding="utf-8")
    assert source.count(_SERVED) == 1
    return File.of(LOADER, source.replace(_SERVED, json.dumps(served, ensure_ascii=False)))


@public("page")
async def widget(request: Request) -> Response:
    """Return the script that a website loads."""
    return loader().response(request, LOADER_KEPT)


@public("page")
async def static_file(request: Request) -> Response:
    """Return a file of the widget; an old version's address gets the present one, which is not kept."""
    file = files().get(request.path_params["name"])
    if file is None:
        raise HTTPException(404)
    return file.response(request, KEPT if request.path_params["version"] == version() else "no-cache")
