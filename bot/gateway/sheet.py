"""The printed sheet: the offices and what to bring, in the person's language with the German beneath.

Its address holds public facts only (ids of offices, a need, a language), so it can be sent to a phone or another person.
"""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

from babel.dates import format_date
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from actions.directory import offices
from actions.directory.database import session
from bot.dialogue.direction import isolate
from bot.gateway.errors import ApiError
from bot.gateway.guards import public
from bot.gateway.page import html, page_language
from bot.gateway.services import services
from bot.gateway.texts import language_names, text
from bot.web.logs import describe

logger = logging.getLogger(__name__)
MOST_OFFICES = 3  # as many as fit on a page of A4
# Papers that help a counsellor: what people are asked for at the first appointment (docs/widget.md).
BRING: dict[str, tuple[str, ...]] = {
    "recognition": ("identity", "certificates", "experience", "cv", "decision", "language"),
    "qualification": ("identity", "decision", "certificates", "language", "cv"),
    "fair_integration": ("identity", "contract", "payslips", "hours", "letters"),
    "immigration_law": ("identity", "offer", "certificates", "decision"),
    "employer_service": ("offer", "certificates"),
    "human": ("identity",),
}


@public("page")
async def sheet(request: Request) -> Response:
    """Return the sheet for ``?office=<id>&office=<id>&need=<need>&language=<code>``."""
    language, _ = page_language(request)
    request.state.language = language  # also for an error
    need = request.query_params.get("need", "")
    ids = list(dict.fromkeys(request.query_params.getlist("office")))[:MOST_OFFICES]
    if not ids or f"need.{need}" not in _needs() or any(len(one) > 200 for one in ids):
        raise HTTPException(404)
    url = services(request).settings.directory_url
    try:
        cards = await run_in_threadpool(_cards, url, ids)
    except SQLAlchemyError as error:
        logger.error("The directory does not answer: %s", describe(error))
        raise ApiError(503, "engine_unavailable", headers={"Retry-After": "30"}) from None
    today = date.today()
    return html(
        request,
        "sheet.html",
        language,
        need=need,
        cards=[{**card, "language_names": _languages(card["languages"], language)} for card in cards],
        bring=BRING.get(need, ()),
        say=lambda key: text(key, language),
        # Some translations have the German word with them already.
        german=lambda key: "" if text(key, "de") in text(key, language) else text(key, "de"),
        made_on=text("sheet.made_on", language, date=_date(today, language)),
        stand=lambda iso: text("office.checked_on", language, date=_date(date.fromisoformat(iso), language)),
        isolate=lambda value: isolate(value, language),
    )


def _needs() -> frozenset[str]:
    return frozenset(f"need.{need}" for need in (*BRING, "programme_info"))


def _cards(url: str, ids: list[str]) -> list[dict[str, Any]]:
    with session(url) as opened:
        return [match.public() for match in offices.by_ids(opened, ids)]


def _languages(codes: list[str], language: str) -> str:
    names = language_names(language)
    return ", ".join(names.get(code, code) for code in codes)


def _date(day: date, language: str) -> str:
    # As on German letters: the Western calendar and digits, also in Arabic and Persian.
    return f"{day:%d.%m.%Y}" if language in ("ar", "fa") else format_date(day, "medium", locale=language)
