"""The chat page and its files."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from bot.gateway import languages
from bot.gateway.body import MESSAGE_LIMIT
from bot.gateway.guards import public
from bot.gateway.services import services
from bot.gateway.texts import contacts, direction, language_names, texts
from bot.languages import SPOKEN_LANGUAGES, own_name

HERE = Path(__file__).parent
STATIC = HERE / "static"
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
# A file's address holds the hash of its content, so it may be kept for long.
KEPT = "public, max-age=31536000, immutable"

templates = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@lru_cache(maxsize=1)
def static_files() -> dict[str, tuple[bytes, str]]:
    """Return the contents of all files and their hashes, by name; what is not in here is not served."""
    found = {}
    for path in sorted(STATIC.iterdir()):
        if path.suffix in MEDIA_TYPES:
            content = path.read_bytes()
            found[path.name] = (content, hashlib.sha256(content).hexdigest()[:12])
    return found


@public("page")
async def page(request: Request) -> Response:
    """Return the chat page in ``?language=`` or else in the browser's language."""
    wanted = request.query_params.get("language", "")
    language = wanted if wanted in SPOKEN_LANGUAGES else languages.of_request(request)
    html = templates.get_template("page.html").render(
        language=language,
        language_chosen=wanted in SPOKEN_LANGUAGES,
        direction=direction(language),
        languages=[(code, own_name(code)) for code in SPOKEN_LANGUAGES],
        texts=texts(language),
        contacts=contacts(language),
        operator=services(request).settings.operator,
        message_limit=MESSAGE_LIMIT,
        versions={name: version for name, (_, version) in static_files().items()},
    )
    return HTMLResponse(html, headers={"Content-Language": language, "Vary": "Accept-Language"})


@public("page")
async def page_texts(request: Request) -> Response:
    """Return everything that the page needs to speak another language."""
    language = request.path_params["language"]
    if language not in SPOKEN_LANGUAGES:
        raise HTTPException(404)
    body = {
        "language": language,
        "direction": direction(language),
        "texts": texts(language),
        "language_names": language_names(language),
        "contacts": [
            {"name": contact.name, "phones": [{"text": shown, "number": number} for shown, number in contact.links]}
            for contact in contacts(language)
        ],
    }
    return JSONResponse(body, headers={"Cache-Control": "public, max-age=300"})


@public("page")
async def static_file(request: Request) -> Response:
    """Return a file of the page."""
    name = request.path_params["name"]
    if name not in static_files():
        raise HTTPException(404)
    content, version = static_files()[name]
    kept = KEPT if request.query_params.get("v") == version else "no-cache"
    return Response(content, media_type=MEDIA_TYPES[Path(name).suffix], headers={"Cache-Control": kept})


@public("page")
async def robots(request: Request) -> Response:
    """Ask search engines to stay away: each visit begins a conversation."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")
