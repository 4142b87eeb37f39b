"""The form for one office, and what the pages on the directory share: its database, the day, ids, undo buttons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.responses import Response

from actions.directory import changes, database, importer, office_edit, office_list
from actions.directory.fill import prepare
from actions.directory.models import ABROAD, NEEDS, OFFICE_KINDS
from actions.directory.office_rows import APPOINTMENTS, CONFIDENCES, OfficeRow, PlaceIndex, Problem
from bot.languages import LANGUAGES
from bot.review import directory_problems, directory_words
from bot.review.guards import Visit
from bot.review.names import state_codes, state_name
from bot.review.pages import ZONE, not_found, render

# The fields in the order of the form: what an error summary is sorted by.
ORDER = (
    "name", "kind", "carrier", "needs", "street", "postcode", "city", "state", "phone", "email", "website", "languages",
    "opening_hours", "appointment", "coverage", "coverage_note", "professions", "valid_from", "valid_until", "source_url",
    "source_date", "checked_on", "confidence", "confirmed", "remark",
)  # fmt: skip
# Where a problem of a column leads to, if the field is called otherwise.
ANCHORS = {"needs": "needs-1", "languages": "languages-1", "coverage": "coverage-1", "professions": "fields-1"}
# The longest text that the database keeps has 10,000 characters; with many lines more may be typed.
_MOST = 40_000
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)


@lru_cache(maxsize=8)
def _prepare(url: str) -> None:
    prepare(url)


@contextmanager
def directory(visit: Visit) -> Iterator[Session]:
    """Open a session on the directory; committed when the block ends well."""
    url = visit.services.settings.directory_url
    _prepare(url)
    with database.session(url) as session:
        yield session


def today(visit: Visit) -> date:
    """Return the day where the offices are."""
    return visit.services.now().astimezone(ZONE).date()


def office_id(visit: Visit) -> str:
    """Return the id of the address.

    Raises:
        HTTPException: 404 if it cannot be one.
    """
    given = str(visit.request.path_params["office_id"])
    if len(given) > office_edit.ID_LIMIT or not _ID.fullmatch(given):
        raise not_found()
    return given


def office_of(session: Session, visit: Visit) -> OfficeRow:
    """Return the office of the address.

    Raises:
        HTTPException: 404 if there is none.
    """
    office = office_edit.load(session, office_id(visit))
    if office is None:
        raise not_found()
    return office


def show(visit: Visit, template: str, status: int = 200, **values: Any) -> Response:
    """Return a page on the directory, with what all of them need to put values into words."""
    language = visit.language
    common: dict[str, Any] = {
        "state_name": state_name,
        "differences": lambda change: directory_words.differences(change, language),
        "who": lambda name: directory_words.who(name, language),
        "undo": None,
        "stale": 0,
    }
    return render(visit, template, status, **{**common, **values})


def undoable(session: Session, visit: Visit) -> changes.Change | None:
    """Return the change that was just made, so that the page can offer to undo it."""
    given = visit.request.query_params.get("change", "")
    if not visit.request.query_params.get("done") or not re.fullmatch(r"\d{1,10}", given, re.ASCII):
        return None
    found = changes.find(session, int(given))
    return found if found is not None and found.undone_by is None else None


def typed(visit: Visit) -> dict[str, list[str]]:
    """Return what was typed into the form, by field.

    Raises:
        HTTPException: 400 if more was sent than any office can hold.
    """
    found: dict[str, list[str]] = {}
    for name in (*office_edit.TEXTS, *office_edit.LINES, *office_edit.CHOICES):
        values = [_clean(value) for value in visit.form.getlist(name) if isinstance(value, str)]
        if sum(map(len, values)) > _MOST:
            raise HTTPException(400)
        found[name] = values
    # One more district, chosen from the list of names.
    found["districts"] += [line for line in [_clean(visit.value("add_district"))] if line]
    found["professions"] += [line for line in [_clean(visit.value("add_profession"))] if line]
    return found


def _clean(text: str) -> str:
    """Return a text without what cannot be seen; spaces of every kind, as they come with pasted texts, are spaces."""
    spaced = re.sub(r"[^\S\n]", " ", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(one for one in spaced if one.isprintable() or one == "\n").strip()


def empty(visit: Visit) -> dict[str, list[str]]:
    """Return the fields of a new office."""
    return {"confidence": ["medium"], "checked_on": [today(visit).isoformat()], "languages": ["de"]}


def form_page(
    visit: Visit,
    values: dict[str, list[str]],
    *,
    office: OfficeRow | None,
    problems: list[Problem] | None = None,
    status: int = 200,
    **more: Any,
) -> Response:
    """Return the form.

    Args:
        visit: the request.
        values: what stands in the fields.
        office: the office as it is stored; none for a new one.
        problems: what is wrong.
        status: the HTTP status.
        more: what the template needs besides.
    """
    with directory(visit) as session:
        places = PlaceIndex(session)
        used = office_list.languages_in_use(session)
        stale = stale_count(session, visit)
    language = visit.language
    wrong = directory_problems.by_field(problems or [], language)
    chosen = values.get("languages", [])
    codes = sorted({*LANGUAGES, *used, *(code for code in chosen if re.fullmatch("[a-z]{2,3}", code))}, key=lambda c: _name(c, language))
    return show(
        visit,
        "directory_edit.html",
        status,
        office=office,
        version=office_edit.version(office) if office else "",
        stale=stale,
        one=lambda name: (values.get(name) or [""])[0],
        lines=lambda name: "\n".join(values.get(name, [])),
        chosen=lambda name, item: item in values.get(name, []),
        chosen_any=lambda name: bool(values.get(name)),
        # Not only the first of a column: a summary that hides the second problem costs another round.
        wrong={column: wrong[column] for column in sorted(wrong, key=_order)},
        anchors=ANCHORS,
        # No office is the answer to what the guide does not do.
        needs=[need for need in NEEDS if need != "out_of_scope" or need in values.get("needs", [])],
        kinds=OFFICE_KINDS,
        states=state_codes(),
        appointments=APPOINTMENTS,
        confidences=CONFIDENCES,
        languages=[(code, _name(code, language)) for code in codes],
        areas=[(item, directory_words.coverage_name(item, language)) for item in _areas()],
        districts=sorted((f"{ags} {district.name}" for ags, district in places.districts.items()), key=lambda text: text[6:]),
        fields=sorted(
            ((f"field:{field}", directory_words.profession_name(f"field:{field}", language)) for field in places.fields),
            key=lambda item: item[1],
        ),
        titles=sorted(places.titles),
        **{"conflict": None, "gone": False, **more},
    )


def _name(code: str, language: str) -> str:
    return directory_words.spoken_name(code, language)


def _areas() -> list[str]:
    return ["DE", ABROAD, *state_codes()]


def _order(column: str) -> int:
    return ORDER.index(column) if column in ORDER else len(ORDER)


def filter_of(visit: Visit) -> office_list.OfficeFilter:
    """Return the filter of the address; what it does not know restricts nothing."""

    def among(name: str, allowed: Any) -> str:
        value = visit.request.query_params.get(name, "")
        return value if value in allowed else ""

    return office_list.OfficeFilter(
        text=visit.value("q")[:200],
        kind=among("kind", OFFICE_KINDS),
        state=among("state", (*state_codes(), "none")),
        need=among("need", NEEDS),
        confirmed=among("confirmed", ("yes", "no")),
        confidence=among("confidence", CONFIDENCES),
        status=among("status", office_list.STATUSES),
        order=among("order", office_list.ORDERS) or "name",
        descending=among("direction", ("down",)) == "down",
    )


def number_of(visit: Visit, name: str, default: int, most: int = 2**31 - 1) -> int:
    """Return a whole number of the address, at least 1."""
    value = visit.request.query_params.get(name, "")
    return min(max(1, int(value)), most) if re.fullmatch(r"\d{1,12}", value, re.ASCII) else default


def stale_count(session: Session, visit: Visit) -> int:
    """Return how many offices nobody has checked for long."""
    return len(importer.stale(session, office_edit.STALE_DAYS, today(visit)))
