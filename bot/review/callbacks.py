"""Call-back requests: who wants to be called in the own regions, how to reach them, and what has become of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import phonenumbers
from babel import Locale
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from bot.review import texts
from bot.review.guards import Visit, staff_change, staff_page
from bot.review.names import district_name, language_name, state_name
from bot.review.pages import back_to, not_found, render
from bot.transcripts import callbacks
from bot.transcripts.callbacks import DELETE_REASONS, Callback
from bot.transcripts.record_models import CALLBACK_CALLED, CALLBACK_DONE, CALLBACK_NEW, CALLBACK_STATES
from bot.transcripts.retention import OPEN_CALLBACK_DAYS
from bot.transcripts.staff_models import REVIEWER

PAGE = 50
KEY = re.compile(r"[A-Za-z0-9_-]{22}")
PLACE = re.compile(r"[0-9]{1,16}-[0-9]{1,9}")
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# What can be done with a request, by its status; the first is what mostly comes next.
NEXT = {
    CALLBACK_NEW: (CALLBACK_CALLED, CALLBACK_DONE),
    CALLBACK_CALLED: (CALLBACK_DONE, CALLBACK_NEW),
    CALLBACK_DONE: (CALLBACK_NEW,),
}


@dataclass(frozen=True)
class Shown:
    """A request with what the pages say about it."""

    request: Callback
    need: str
    language: str
    place: str
    time: str
    deleted_on: datetime


@staff_page(REVIEWER)
def callback_list(visit: Visit) -> Response:
    """Show the requests of the own regions, those that wait longest first."""
    status = visit.value("status") or CALLBACK_NEW
    if status not in CALLBACK_STATES:
        raise HTTPException(400)
    after = _after(visit.value("after"))
    states, cipher = visit.staff.states, visit.services.callback_key
    with visit.services.session() as session:
        found = callbacks.listed(session, cipher, states, status, after, PAGE + 1)
        counts = callbacks.counts(session, states)
    return render(
        visit,
        "callbacks.html",
        chosen=status,
        statuses=CALLBACK_STATES,
        counts=counts,
        rows=[_shown(visit, one) for one in found[:PAGE]],
        after=_place_of(found[PAGE - 1]) if len(found) > PAGE else "",
        later=after is not None,
    )


@staff_page(REVIEWER)
def callback_one(visit: Visit) -> Response:
    """Show one request with the contact data."""
    return _one(visit, _find(visit))


@staff_change(REVIEWER)
def callback_change(visit: Visit) -> Response:
    """Say that somebody was called, that a request is done, or that it is new again."""
    found = _find(visit)
    was, status = visit.value("was"), visit.value("status")
    if was not in CALLBACK_STATES or status not in NEXT[was]:
        raise HTTPException(400)
    with visit.services.session() as session:
        if callbacks.change(session, found.key, was, status, visit.staff.id, visit.services.now()):
            visit.audit(session, "callback.undo" if status == CALLBACK_NEW else "callback.change", "callback", found.key, state=status)
            return back_to(visit, f"/callbacks/{found.key}", f"callback_{status}")
    # A colleague was quicker: nobody should be called twice.
    return _one(visit, _find(visit), 409, "callbacks.changed")


@staff_change(REVIEWER)
def callback_delete(visit: Visit) -> Response:
    """Delete a request before its time, with a reason."""
    found, reason = _find(visit), visit.value("reason")
    if reason not in DELETE_REASONS:
        return _one(visit, found, 422, reason_missing=True)
    with visit.services.session() as session:
        callbacks.delete(session, found.key)
        # No key: the entry stays, and must not name what is gone.
        visit.audit(session, "callback.delete", "callback", reason=reason)
    return back_to(visit, f"/callbacks?status={found.status}", "callback_deleted")


ROUTES: tuple[Route, ...] = (
    Route("/callbacks", callback_list),
    Route("/callbacks/{key}", callback_one),
    Route("/callbacks/{key}/status", callback_change, methods=["POST"]),
    Route("/callbacks/{key}/delete", callback_delete, methods=["POST"]),
)


def _place_of(found: Callback) -> str:
    """Return the place of a request in the list, for the address of the next page."""
    return f"{(found.created_at - EPOCH) // timedelta(microseconds=1)}-{found.id}"


def _after(given: str) -> tuple[datetime, int] | None:
    if not given:
        return None
    if not PLACE.fullmatch(given):
        raise HTTPException(400)
    microseconds, last = given.split("-")
    return EPOCH + timedelta(microseconds=int(microseconds)), int(last)


def _find(visit: Visit) -> Callback:
    """Return the request of the address.

    Raises:
        HTTPException: 404 if there is none, or if it belongs to another region.
    """
    key = visit.request.path_params["key"]
    if KEY.fullmatch(key):
        with visit.services.session() as session:
            found = callbacks.find(session, visit.services.callback_key, visit.staff.states, key)
        if found is not None:
            return found
    raise not_found()


def _one(visit: Visit, found: Callback, status: int = 200, notice: str = "", *, reason_missing: bool = False) -> Response:
    contact = found.contact
    return render(
        visit,
        "callbacks_one.html",
        status,
        shown=_shown(visit, found),
        contact=contact,
        phone=_phone(contact.phone, visit.language) if contact and contact.phone else None,
        mailto=f"mailto:{quote(contact.email, safe='@')}" if contact and contact.email else None,
        next_statuses=NEXT[found.status],
        reasons=DELETE_REASONS,
        notice=notice,
        reason_missing=reason_missing,
    )


def _shown(visit: Visit, found: Callback) -> Shown:
    language = visit.language
    latest = found.created_at + timedelta(days=OPEN_CALLBACK_DAYS)
    if found.done_at is not None:
        latest = min(latest, found.done_at + timedelta(days=visit.services.settings.callback_days))
    time = "" if found.contact is None else texts.text(f"callbacks.time.{found.contact.time}", language)
    need = f"need.{found.need}"
    return Shown(
        found,
        texts.text(need if texts.has(need) else "need.none", language),
        language_name(found.language, language),
        ", ".join(filter(None, [district_name(found.district), state_name(found.state)])) or texts.text("names.no_state", language),
        time,
        latest,
    )


def _phone(number: str, language: str) -> dict[str, str]:
    """Return a number as it is dialled and read, and its country if that is not Germany: such a call may cost."""
    parsed = phonenumbers.parse(number)
    country = phonenumbers.region_code_for_number(parsed)
    return {
        "dial": number,
        "text": phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL),
        "country": "" if country == "DE" else str(Locale.parse(language).territories.get(country, country)),
    }
