"""The pages on which a person asks an office to call back, and takes the request back. They work without scripts.

Whoever comes here has a ticket from the chat (``bot.gateway.callback_tickets``): a call-back is promised only where staff
really call.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

import phonenumbers
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from actions.directory.places import states
from bot.dialogue.engine_key import derived_key
from bot.gateway import languages
from bot.gateway.callback_form import LIMITS, TIMES, TRAP, Form, empty, filled
from bot.gateway.callback_tickets import PATH, Ticket, tickets
from bot.gateway.errors import CODES, ApiError
from bot.gateway.guards import public
from bot.gateway.page import html, page_language
from bot.gateway.services import Services, services
from bot.gateway.texts import contacts, source, text
from bot.languages import SPOKEN_LANGUAGES, own_name
from bot.transcripts import callbacks, database
from bot.transcripts.callbacks import Contact, NewCallback
from bot.transcripts.retention import OPEN_CALLBACK_DAYS
from bot.web.logs import describe

logger = logging.getLogger(__name__)
FORM_FIELDS = 30
DANGER = ("police", "ambulance")


def _as_page(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Let an endpoint answer its errors as pages: who comes here is a person, not a program."""

    @wraps(endpoint)
    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ApiError as error:
            refused = error
        except SQLAlchemyError as error:
            logger.error("The transcripts do not answer: %s", describe(error))
            refused = ApiError(500, "internal")
        if getattr(request.state, "language", None) not in SPOKEN_LANGUAGES:
            _set_language(request)
        page = _says(request, text(f"error.{refused.code}", languages.of_request(request), **refused.values), refused.status)
        page.headers.update(refused.headers)
        return page

    return answered


@_as_page
@public("page")
async def callback_form(request: Request) -> Response:
    """Return the empty form for ``?ticket=...``."""
    ticket = _ticket(request, request.query_params.get("ticket", ""))
    if ticket is None:
        return _message(request, "callback.invalid", 404)
    if await run_in_threadpool(_is_used, services(request), ticket):
        return _message(request, "callback.already")
    return _form(request, ticket, request.query_params["ticket"], empty(ticket.language))


@_as_page
@public("callbacks")
async def callback_send(request: Request) -> Response:
    """Store a request, or return the form with what has to be put right."""
    form = await _sent(request)
    given = form.get("ticket", "")
    ticket = _ticket(request, given if isinstance(given, str) else "")
    if ticket is None:
        return _message(request, "callback.invalid", 404)
    sent = filled(form, ticket.language)
    if form.get(TRAP):
        # A browser may have filled it in by itself: the person loses nothing and sends again.
        sent = Form(sent.values, sent.consent, {**sent.problems, "send": ("callback.error.again", {})})
    if sent.problems:
        return _form(request, ticket, str(given), sent, 422)
    service = services(request)
    if not await run_in_threadpool(_store, service, ticket, sent.values["language"], sent.contact):
        return _message(request, "callback.already")
    return _page(
        request,
        "callback_received.html",
        contact=sent.contact,
        times=TIMES,
        phone=_readable(sent.contact.phone),
        withdraw=f"{PATH}/withdraw",
        word=tickets(service.settings).withdrawal(ticket.id),
    )


@_as_page
@public("page")
async def callback_ask_withdraw(request: Request) -> Response:
    """Ask whether a request is to be taken back."""
    _set_language(request)
    word = request.query_params.get("word", "")
    key = tickets(services(request).settings).withdrawn_key(word)
    if key is None:
        return _message(request, "callback.unknown_word", 404)
    if not await run_in_threadpool(_exists, services(request), key):
        return _message(request, "callback.gone")
    return _page(request, "callback_withdraw.html", word=word)


@_as_page
@public("callbacks")
async def callback_withdraw(request: Request) -> Response:
    """Take a request back: all of it is deleted."""
    _set_language(request)
    word = (await _sent(request)).get("word", "")
    service = services(request)
    key = tickets(service.settings).withdrawn_key(word if isinstance(word, str) else "")
    if key is None:
        return _message(request, "callback.unknown_word", 404)
    return _message(request, "callback.withdrawn" if await run_in_threadpool(_withdraw, service, key) else "callback.gone")


ROUTES = (
    Route(PATH, callback_form),
    Route(PATH, callback_send, methods=["POST"]),
    Route(f"{PATH}/withdraw", callback_ask_withdraw),
    Route(f"{PATH}/withdraw", callback_withdraw, methods=["POST"]),
)


# ---------------------------------------------------------------------- the request


def _ticket(request: Request, given: str) -> Ticket | None:
    service = services(request)
    ticket = tickets(service.settings).read(given, service.now())
    _set_language(request, ticket.language if ticket else None)
    return ticket


def _set_language(request: Request, language: str | None = None) -> None:
    """Note the language of the page: that of the address if it names one, else that of the conversation, else the browser's."""
    asked, chosen = page_language(request)
    request.state.language = asked if chosen or language is None else language


async def _sent(request: Request) -> FormData:
    """Return the fields of a form that was sent from a page of ours.

    Raises:
        ApiError: 403 if another site sends it, 400 if it cannot be read.
    """
    _set_language(request)
    # Browsers say where a form comes from; in both ways, of which older ones know the second only.
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    public_url = services(request).settings.public_url or ""
    own = {request.headers.get("host"), urlsplit(public_url).netloc or None}
    if site not in (None, "same-origin", "none") or (site is None and origin is not None and urlsplit(origin).netloc not in own):
        raise ApiError(403, "bad_request")
    try:
        return await request.form(max_files=0, max_fields=FORM_FIELDS)
    except HTTPException as error:
        raise ApiError(error.status_code, CODES.get(error.status_code, "bad_request")) from None
    except (ClientDisconnect, ValueError):
        raise ApiError(400, "bad_request") from None


# ---------------------------------------------------------------------- the pages


def _page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    language = languages.of_request(request)
    page = html(
        request,
        template,
        language,
        say=lambda key, **more: text(key, language, **more),
        danger=[one for one in contacts(language) if one.id in DANGER],
        **values,
    )
    page.status_code = status
    # The browser must say that the form comes from here; nobody else learns the address.
    page.headers["Referrer-Policy"] = "same-origin"
    return page


def _message(request: Request, key: str, status: int = 200) -> HTMLResponse:
    """Return a page that says one thing."""
    return _says(request, text(key, languages.of_request(request)), status)


def _says(request: Request, said: str, status: int) -> HTMLResponse:
    return _page(request, "callback_message.html", status, said=said)


def _form(request: Request, ticket: Ticket, given: str, form: Form, status: int = 200) -> HTMLResponse:
    settings = services(request).settings
    language = languages.of_request(request)
    need = f"need.{ticket.need}"
    return _page(
        request,
        "callback_form.html",
        status,
        ticket=given,
        values=form.values,
        consent=form.consent,
        problems={name: text(key, language, **more) for name, (key, more) in form.problems.items()},
        limits=LIMITS,
        times=TIMES,
        trap=TRAP,
        days=settings.callback_days,
        most_days=OPEN_CALLBACK_DAYS,
        state=states()[ticket.state].name,
        need=text(need, language) if need in source() else "",
        spoken=[(code, own_name(code)) for code in SPOKEN_LANGUAGES],
    )


def _readable(phone: str) -> str:
    if not phone:
        return ""
    return str(phonenumbers.format_number(phonenumbers.parse(phone), phonenumbers.PhoneNumberFormat.INTERNATIONAL))


# ---------------------------------------------------------------------- the database; everything here blocks


def _is_used(service: Services, ticket: Ticket) -> bool:
    return _exists(service, ticket.id)


def _exists(service: Services, key: str) -> bool:
    with database.session(service.settings.transcripts_url) as session:
        return callbacks.is_known(session, key)


def _store(service: Services, ticket: Ticket, language: str, contact: Contact) -> bool:
    cipher = derived_key("call-back requests", service.settings.secret_key)
    new = NewCallback(ticket.id, ticket.conversation_id, ticket.state, ticket.district, ticket.need, language)
    for last in (False, True):
        try:
            with database.session(service.settings.transcripts_url) as session:
                return callbacks.create(session, cipher, new, contact, service.now())
        except IntegrityError:
            # The same form twice at once, or the conversation deleted in this moment: now it can be seen.
            if last:
                raise
    return False


def _withdraw(service: Services, key: str) -> bool:
    with database.session(service.settings.transcripts_url) as session:
        return callbacks.withdraw(session, key, service.now())
