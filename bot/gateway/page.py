"""The pages of the gateway: the chat on a page of its own, a page for trying the widget, and the widget's texts."""

from __future__ import annotations

import gzip
import json
import re
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from bot.dialogue.catalogues import period
from bot.gateway import languages
from bot.gateway.body import MESSAGE_LIMIT
from bot.gateway.files import OPEN, version
from bot.gateway.guards import public
from bot.gateway.middleware import content_security_policy
from bot.gateway.services import services
from bot.gateway.texts import contacts, direction, text, texts
from bot.languages import SPOKEN_LANGUAGES, own_name

HERE = Path(__file__).parent
# Texts that the widget never shows: pages, errors (they come with the answer), the printed sheet.
_NOT_IN_WIDGET = ("page.", "error.", "welcome", "unavailable", "noscript", "sheet.", "need.", "bring.", "callback.", "launcher.open")
_SHEET_TITLE = "sheet.title"  # the subject of the message to the own phone
COLOR = re.compile(r"#[0-9a-fA-F]{3,8}|[a-z]{3,30}")

templates = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def html(request: Request, template: str, language: str, **values: Any) -> HTMLResponse:
    """Return a page whose scripts carry a nonce that nobody can guess.

    Args:
        request: the request.
        template: the file in ``templates``.
        language: the language of the page.
        values: what the template needs besides language, direction, texts, version, nonce and operator.
    """
    service = services(request)
    nonce = secrets.token_urlsafe(16)
    page_html = templates.get_template(template).render(
        language=language,
        direction=direction(language),
        texts=texts(language),
        operator=service.settings.operator,
        version=version(),
        nonce=nonce,
        **values,
    )
    policy = content_security_policy(service.settings.allowed_origins, nonce)
    headers = {"Content-Language": language, "Vary": "Accept-Language", "Content-Security-Policy": policy}
    return HTMLResponse(page_html, headers=headers)


def page_language(request: Request) -> tuple[str, bool]:
    """Return the language of a page, and whether it was chosen by ``?language=`` and not by the browser."""
    wanted = request.query_params.get("language", "")
    chosen = wanted in SPOKEN_LANGUAGES
    return (wanted if chosen else languages.of_request(request)), chosen


@public("page")
async def page(request: Request) -> Response:
    """Return the chat page in ``?language=`` or else in the browser's language."""
    language, chosen = page_language(request)
    return html(request, "page.html", language, language_chosen=chosen, contacts=contacts(language))


@public("page")
async def embed_demo(request: Request) -> Response:
    """Return a page of an invented association with the widget, and a form for trying its attributes."""
    language, _ = page_language(request)
    query = request.query_params
    color = query.get("color", "")
    attributes = {
        "language": language if query.get("language") in SPOKEN_LANGUAGES else "auto",
        "title": query.get("title", "")[:60],
        "greeting": query.get("greeting", "")[:120],
        "color": color if COLOR.fullmatch(color) else "",
        "position": "left" if query.get("position") == "left" else "right",
        "open": "true" if query.get("open") else "",
    }
    shown = "en" if languages.of_request(request) != "de" else "de"
    return html(request, "embed_demo.html", shown, attributes=attributes, languages=[(code, own_name(code)) for code in SPOKEN_LANGUAGES])


@public("page")
async def page_texts(request: Request) -> Response:
    """Return everything that the widget needs to speak a language."""
    language = request.path_params["language"]
    if language not in SPOKEN_LANGUAGES:
        raise HTTPException(404)
    headers = {**OPEN, "Cache-Control": "public, max-age=300", "Vary": "Accept-Encoding"}
    used = services(request).settings
    raw, packed = _widget_texts(language, used.operator, used.transcript_days)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, media_type="application/json", headers={**headers, "Content-Encoding": "gzip"})
    return Response(raw, media_type="application/json", headers=headers)


@lru_cache(maxsize=32)
def _widget_texts(language: str, operator: str, days: int) -> tuple[bytes, bytes]:
    spoken = {key: value for key, value in texts(language).items() if key == _SHEET_TITLE or not key.startswith(_NOT_IN_WIDGET)}
    # How long a conversation can be read, from the setting by which the retention deletes it.
    spoken["consent.question"] = text("consent.question", language, days=period(language, days=days))
    body = {
        "language": language,
        "direction": direction(language),
        "languages": [(code, own_name(code)) for code in SPOKEN_LANGUAGES],
        "operator": operator,
        "message_limit": MESSAGE_LIMIT,
        "texts": spoken,
        "contacts": [
            {"name": contact.name, "phones": [{"text": shown, "number": number} for shown, number in contact.links]}
            for contact in contacts(language)
        ],
    }
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return raw, gzip.compress(raw, 9, mtime=0)


@public("page")
async def robots(request: Request) -> Response:
    """Ask search engines to stay away: each visit begins a conversation."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")
