"""How the endpoints answer: pages from templates, redirects with a word on what was done, downloads."""

from __future__ import annotations

import hashlib
import mimetypes
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bot.languages import RIGHT_TO_LEFT
from bot.review import texts
from bot.review.guards import Visit, csrf_of, open_page
from bot.transcripts.staff_models import ADMIN, COORDINATOR, EDITOR, REVIEWER

HERE = Path(__file__).parent
ZONE = ZoneInfo("Europe/Berlin")
# The parts of the application: address, text key, roles that see it.
NAVIGATION = (
    ("/conversations", "nav.conversations", {REVIEWER}),
    ("/callbacks", "nav.callbacks", {REVIEWER}),
    ("/directory", "nav.directory", {EDITOR}),
    ("/figures", "nav.figures", {COORDINATOR}),
    ("/corrections", "nav.corrections", {COORDINATOR}),
    ("/models", "nav.models", {COORDINATOR}),
    ("/staff", "nav.staff", {ADMIN}),
    ("/audit", "nav.audit", {ADMIN}),
)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

templates = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def render(visit: Visit, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page.

    Args:
        visit: the request.
        template: the file in ``templates``.
        status: the HTTP status.
        values: what the template needs besides ``t`` (texts), ``language``, ``base``, ``staff``, ``csrf``, ``nav``,
            ``done``, ``moment``, ``day``, ``ago`` and ``direction``.
    """
    language, who = visit.language, visit.signed_in
    base = visit.request.scope.get("root_path", "")
    path = visit.request.scope["path"].removeprefix(base)
    done = visit.request.query_params.get("done", "")
    complete = who is not None and who.complete and not who.must_change_password and visit.services.has_needed_factor(who)
    html = templates.get_template(template).render(
        t=lambda key, **more: texts.text(key, language, **more),
        language=language,
        base=base,
        path=path,
        staff=who,
        csrf=Markup(f'<input type="hidden" name="csrf" value="{csrf_of(visit)}">'),
        nav=[
            {"href": f"{base}{href}", "text": texts.text(key, language), "current": path.startswith(href)}
            for href, key, roles in NAVIGATION
            if who is not None and complete and roles & who.roles
        ],
        done=texts.text(f"done.{done}", language) if texts.has(f"done.{done}") else "",
        moment=lambda value: format_datetime(value.astimezone(ZONE), "short", locale=_locale(language)) if value else "",
        day=lambda value: _day(value, language),
        ago=lambda value: format_timedelta(
            value - visit.services.now(), granularity="minute", add_direction=True, locale=_locale(language)
        ),
        direction=lambda code: "rtl" if code in RIGHT_TO_LEFT else "ltr",
        asset=lambda name: f"{base}/static/{name}?v={version()}",
        **values,
    )
    return HTMLResponse(html, status)


def back_to(visit: Visit, path: str, done: str = "", **query: Any) -> RedirectResponse:
    """Return a redirect inside the review after something was done.

    Args:
        visit: the request.
        path: where to go, from the root of the review; must be a path of ours.
        done: the word of ``done.<word>`` that says what was done.
        query: more of the address.
    """
    if not is_own_path(path):
        path = "/"
    more = {**query, **({"done": done} if done else {})}
    query_text = urlencode(more)
    joined = f"{path}{'&' if '?' in path else '?'}{query_text}" if query_text else path
    return RedirectResponse(f"{visit.request.scope.get('root_path', '')}{joined}", 303)


def is_own_path(path: str) -> bool:
    """Return whether a path leads to a page of the review and nowhere else."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and "\\" not in path and path.isprintable()


def download(content: bytes | str, name: str, media_type: str) -> Response:
    """Return a file to be saved; the name must be of our making (letters, digits, dots, hyphens)."""
    return Response(content, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def csv_cell(value: Any) -> Any:
    """Return a value as it may stand in a CSV file: a spreadsheet must not take a text for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def not_found() -> HTTPException:
    """Return the 404 for what does not exist or is not this person's business: nobody learns which."""
    return HTTPException(404)


@lru_cache(maxsize=1)
def version() -> str:
    """Return a word that changes when a style sheet or script changes."""
    files = sorted((HERE / "static").iterdir())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


@open_page("page")
def static(visit: Visit) -> Response:
    """Return a style sheet, a script or a picture."""
    name = visit.request.path_params["name"]
    known = {path.name: path for path in (HERE / "static").iterdir()}
    if name not in known:
        raise not_found()
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(known[name].read_bytes(), media_type=kind, headers={"Cache-Control": "public, max-age=31536000, immutable"})


def error_page(request: Request, error: Exception) -> Response:
    """Return what went wrong as a page; a page that cannot be shown any more never takes the reason with it."""
    assert isinstance(error, HTTPException)
    visit: Visit | None = getattr(request.state, "visit", None)
    language = visit.language if visit else ("en" if request.headers.get("accept-language", "").startswith("en") else "de")
    key = error.detail if error.detail in ("csrf", "role", "session_ended", "no_places") else str(error.status_code)
    key = key if texts.has(f"error.{key}") else "other"
    html = templates.get_template("error.html").render(
        t=lambda name, **more: texts.text(name, language, **more),
        language=language,
        base=request.scope.get("root_path", ""),
        asset=lambda name: f"{request.scope.get('root_path', '')}/static/{name}?v={version()}",
        message=texts.text(f"error.{key}", language),
    )
    return HTMLResponse(html, error.status_code, headers=dict(error.headers or {}))


def _day(value: date | datetime | None, language: str) -> str:
    if value is None:
        return ""
    shown = value.astimezone(ZONE).date() if isinstance(value, datetime) else value
    return str(format_date(shown, "medium", locale=_locale(language)))


def _locale(language: str) -> str:
    return {"de": "de_DE", "en": "en_GB"}[language]
