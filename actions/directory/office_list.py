"""The list of the offices for editors: search, filters, order, pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from actions.directory import importer
from actions.directory.models import Office, OfficeCoverage, OfficeLanguage, OfficeNeed
from actions.directory.office_edit import STALE_DAYS
from actions.directory.office_rows import OfficeRow, state_prefixes
from actions.directory.places import states
from actions.directory.text import fold

PAGE_SIZE = 50
STATUSES = ("current", "stale", "expired", "future", "no_contact")
ORDERS = ("name", "city", "state", "kind", "checked_on")


@dataclass(frozen=True)
class OfficeFilter:
    """What to list. Empty values do not restrict."""

    text: str = ""  # words of name, carrier, town, postcode, id
    kind: str = ""
    state: str = ""  # where the office is, or "none"
    need: str = ""
    confirmed: str = ""  # yes | no
    confidence: str = ""
    status: str = ""  # one of STATUSES
    order: str = "name"
    descending: bool = False


@dataclass(frozen=True)
class OfficePage:
    """One page of the list."""

    offices: list[OfficeRow] = field(default_factory=list)
    total: int = 0
    number: int = 1
    pages: int = 1


class _Line(NamedTuple):
    """What is needed of each office to search and to sort."""

    id: str
    name: str
    carrier: str | None
    city: str | None
    postcode: str | None
    state: str | None
    kind: str
    checked_on: date


def find(session: Session, wanted: OfficeFilter, today: date, page: int = 1, size: int = PAGE_SIZE) -> OfficePage:
    """Return one page of the offices that fit.

    The words are compared as the chat compares names (``koln`` finds Köln); that cannot be done by the database, so the
    lines are read and only the page is loaded in full.

    Args:
        session: a session on the directory.
        wanted: the filter and the order.
        today: the day for what is stale, expired or not yet valid.
        page: its number, from 1; behind the last one the last is returned.
        size: how many offices a page has.
    """
    columns = (Office.id, Office.name, Office.carrier, Office.city, Office.postcode, Office.state, Office.kind, Office.checked_on)
    rows = session.execute(select(*columns).where(*_conditions(wanted, today))).all()
    words = fold(wanted.text).split()
    lines = [line for line in (_Line(*row) for row in rows) if not words or _fits(line, words)]
    key = _ORDER_KEYS.get(wanted.order, _ORDER_KEYS["name"])
    lines.sort(key=lambda line: (fold(line.name), line.id))
    # What has no value stands at the end, whichever way the rest is sorted.
    held = sorted((line for line in lines if key(line)), key=key, reverse=wanted.descending)
    lines = [*held, *(line for line in lines if not key(line))]
    pages = max(1, -(-len(lines) // size))
    number = min(max(1, page), pages)
    ids = [line.id for line in lines[(number - 1) * size : number * size]]
    query = select(Office).where(Office.id.in_(ids)).execution_options(populate_existing=True)
    found = {office.id: importer.from_office(office) for office in session.scalars(query)}
    return OfficePage([found[one] for one in ids if one in found], len(lines), number, pages)


_ORDER_KEYS: dict[str, Callable[[_Line], Any]] = {
    "name": lambda line: fold(line.name),
    "city": lambda line: fold(line.city or ""),
    "state": lambda line: fold(states()[line.state].name) if line.state in states() else "",
    "kind": lambda line: line.kind,
    "checked_on": lambda line: line.checked_on,
}


def _fits(line: _Line, words: list[str]) -> bool:
    text = fold(" ".join(filter(None, (line.name, line.carrier, line.city, line.postcode, line.id))))
    return all(word in text for word in words)


def _conditions(wanted: OfficeFilter, today: date) -> list[Any]:
    found: list[Any] = []
    if wanted.kind:
        found.append(Office.kind == wanted.kind)
    if wanted.state == "none":
        found.append(Office.state.is_(None))
    elif wanted.state:
        # An office of the whole state, too, if it is known only by its area.
        inside = select(OfficeCoverage.office_id).where(OfficeCoverage.prefix.startswith(state_prefixes().get(wanted.state, "-")))
        found.append(or_(Office.state == wanted.state, Office.state.is_(None) & Office.id.in_(inside)))
    if wanted.need:
        found.append(Office.id.in_(select(OfficeNeed.office_id).where(OfficeNeed.need == wanted.need)))
    if wanted.confirmed:
        found.append(Office.confirmed.is_(wanted.confirmed == "yes"))
    if wanted.confidence:
        found.append(Office.confidence == wanted.confidence)
    return [*found, *_status(wanted.status, today)]


def _status(status: str, today: date) -> list[Any]:
    expired, future = Office.valid_until < today, Office.valid_from > today
    if status == "stale":
        return [Office.checked_on < today - timedelta(days=STALE_DAYS)]
    if status == "expired":
        return [expired]
    if status == "future":
        return [future]
    if status == "no_contact":
        return [~Office.contacts.any()]
    if status == "current":
        return [or_(Office.valid_until.is_(None), ~expired), or_(Office.valid_from.is_(None), ~future)]
    return []


def languages_in_use(session: Session) -> list[str]:
    """Return the languages in which any office gives advice."""
    return sorted(session.scalars(select(OfficeLanguage.language).distinct()))
