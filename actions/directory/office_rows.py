"""One row of the office table: its columns, its checked form, and every rule a row must keep.

A wrong address does harm, so a row is either right in every cell or refused, and the reason is said in words that
somebody who keeps a spreadsheet understands.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from datetime import date
from functools import lru_cache
from urllib.parse import urlsplit

import phonenumbers
from babel import Locale
from babel.core import get_global
from email_validator import EmailNotValidError, validate_email
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from sqlalchemy import select
from sqlalchemy.orm import Session

from actions.directory.database import DATA
from actions.directory.models import ABROAD, NEEDS, OFFICE_KINDS, District, PostcodeRange, Profession, Town, TownName
from actions.directory.places_build import kilometres
from actions.directory.text import name_key

COLUMNS = (
    "id", "kind", "needs", "name", "carrier", "street", "postcode", "city", "state", "phone", "email", "website",
    "languages", "opening_hours", "appointment", "coverage", "coverage_note", "professions", "valid_from",
    "valid_until", "confirmed", "confidence", "source_url", "source_date", "checked_on", "remark",
)  # fmt: skip
APPOINTMENTS = ("required", "walk_in", "phone_email", "online")
CONFIDENCES = ("high", "medium", "low")
# A postcode range is a run of postcodes: its centre may lie some way from the town that an address names.
SAME_PLACE_KM = 30.0

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_HTML = re.compile(r"<\s*[a-z/!?]|&(amp|lt|gt|quot|apos|nbsp|#\d+|#x[0-9a-f]+);", re.IGNORECASE)
_DAY = r"(?:Mo|Tu|We|Th|Fr|Sa|Su|PH)"
_HOURS = re.compile(rf"({_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*) (off|\d\d:\d\d-\d\d:\d\d(?:,\d\d:\d\d-\d\d:\d\d)*)")
_SPAN = re.compile(r"(\d\d:[0-5]\d)-(\d\d:[0-5]\d)")
_LIMITS = {"name": 200, "carrier": 300, "street": 200, "city": 120, "coverage_note": 300, "remark": 10_000}
_CONTACT_LIMIT = 300
FORMULA = ("=", "+", "-", "@")
_TRUE_FALSE = {"true": True, "false": False, "wahr": True, "falsch": False}  # German Excel writes WAHR and FALSCH


class PlacesMissingError(Exception):
    """The tables of places are empty, so no address can be checked."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one cell. A warning does not stop an import."""

    line: int
    column: str
    value: str
    reason: str
    warning: bool = False


@dataclass(frozen=True)
class Row:
    """A row as it stands in the file: its line, its cells by column, and how many cells it has instead of 26."""

    line: int
    cells: dict[str, str]
    width: int = len(COLUMNS)


@dataclass(frozen=True)
class OfficeRow:
    """A checked office; ``coverage`` holds prefixes of the district key as in the database."""

    id: str
    kind: str
    needs: tuple[str, ...]
    name: str
    carrier: str | None
    street: str | None
    postcode: str | None
    city: str | None
    state: str | None
    phones: tuple[str, ...]
    emails: tuple[str, ...]
    websites: tuple[str, ...]
    languages: tuple[str, ...]
    opening_hours: str | None
    appointment: str | None
    coverage: tuple[str, ...]
    coverage_note: str | None
    professions: tuple[str, ...]
    valid_from: date | None
    valid_until: date | None
    confirmed: bool
    confidence: str
    source_url: str
    source_date: str | None
    checked_on: date
    remark: str | None
    line: int = field(default=0, compare=False)

    def cells(self) -> dict[str, str]:
        """Return the row as it is written into a file, by column."""
        # The fields stand in the order of the columns; only the last one, the line, is no column.
        values = (getattr(self, f.name) for f in fields(self)[:-1])
        cells = {column: _cell(column, value) for column, value in zip(COLUMNS, values, strict=True)}
        cells["coverage"] = ";".join(coverage_item(prefix) for prefix in self.coverage)
        return cells

    def is_current(self, today: date) -> bool:
        """Return whether the office exists on ``today`` as far as is known."""
        return (self.valid_from or today) <= today <= (self.valid_until or today)


def _cell(column: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return (" / " if column == "phone" else ";").join(value)
    return str(value)


@lru_cache(maxsize=1)
def state_prefixes() -> dict[str, str]:
    """Return the first two digits of the district keys of each state: ``{"DE-NW": "05", ...}``."""
    with (DATA / "places" / "states.csv").open(encoding="utf-8", newline="") as file:
        return {row["state"]: row["ags"] for row in csv.DictReader(file)}


def coverage_item(prefix: str) -> str:
    """Return how a prefix of the database is written in the table (``""`` -> ``DE``, ``05`` -> ``DE-NW``)."""
    if prefix == "":
        return "DE"
    return {ags: state for state, ags in state_prefixes().items()}.get(prefix, prefix)


class PlaceIndex:
    """The places of the database, in memory, for checking and locating addresses.

    Raises:
        PlacesMissingError: if the tables of places are empty.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.ranges = list(session.scalars(select(PostcodeRange).order_by(PostcodeRange.first)))
        if not self.ranges:
            raise PlacesMissingError("The directory knows no postcodes yet. Run `lotse directory fill` first.")
        self._firsts = [r.first for r in self.ranges]
        self.districts: dict[str, District] = {d.ags: d for d in session.scalars(select(District))}
        self.titles = set(session.scalars(select(Profession.title)))
        self.fields = set(session.scalars(select(Profession.field)))
        self._towns: dict[str, list[Town]] = {}

    def postcode(self, code: str) -> PostcodeRange | None:
        """Return the range that holds a postcode."""
        at = bisect_right(self._firsts, code) - 1
        return self.ranges[at] if at >= 0 and code <= self.ranges[at].last else None

    def towns(self, city: str) -> list[Town]:
        """Return the towns of a name, the largest first."""
        for key in dict.fromkeys((name_key(city), name_key(re.split(r"[(/,]", city)[0]))):
            if key not in self._towns:
                found = select(Town).join(TownName, TownName.town_id == Town.id).where(TownName.key == key)
                self._towns[key] = list(self._session.scalars(found.order_by(Town.population.desc(), Town.id)))
            if self._towns[key]:
                return self._towns[key]
        return []

    def position(self, office: OfficeRow) -> tuple[float, float] | None:
        """Return where an office is: its postcode, else its town, else its only district.

        Nationwide services have no place: a distance to them would say nothing.
        """
        if "" in office.coverage or all(prefix == ABROAD for prefix in office.coverage):
            return None
        found = self.postcode(office.postcode) if office.postcode else None
        if found is None and office.city:
            towns = self.towns(office.city)
            found = next((t for t in towns if office.state in (None, self.districts[t.district].state)), None)
        if found is None and not office.city and len(office.coverage) == 1:
            found = self.districts.get(office.coverage[0])
        return (found.latitude, found.longitude) if found else None


class _RefusedError(Exception):
    """A cell cannot be used; the message is the reason."""


class _Checker:
    """Reads the cells of one row and collects what is wrong with them."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.problems: list[Problem] = []
        self.cells = {column: self._clean(column) for column in COLUMNS}

    def report(self, column: str, reason: str, warning: bool = False) -> None:
        """Note that something is wrong with a cell."""
        self.problems.append(Problem(self.row.line, column, shown(self.row.cells.get(column, "")), reason, warning))

    def _clean(self, column: str) -> str:
        text = unicodedata.normalize("NFC", self.row.cells.get(column, ""))
        text = re.sub(r"[^\S\n\r\t\v\f\x1c-\x1f\x85\u2028\u2029]+", " ", text).strip(" ")
        reason = _unsafe(column, text)
        if reason is None and len(text) > _LIMITS.get(column, 10_000):
            reason = f"has {len(text)} characters; at most {_LIMITS.get(column, 10_000)} are kept"
        if reason:
            self.report(column, reason)
            return ""
        return text

    def text(self, column: str, parse: Callable[[str], str] = str) -> str | None:
        """Return a cell that may be empty, checked by ``parse``."""
        try:
            return parse(self.cells[column]) if self.cells[column] else None
        except _RefusedError as error:
            self.report(column, str(error))
            return None

    def needed(self, column: str, parse: Callable[[str], str] = str) -> str:
        """Return a cell that must not be empty."""
        if not self.cells[column] and not self.reported(column):
            self.report(column, "is missing")
        return self.text(column, parse) or ""

    def reported(self, column: str) -> bool:
        """Return whether a cell has been found wrong already."""
        return any(p.column == column for p in self.problems)

    def items(self, column: str, parse: Callable[[str], str], separator: str = ";", needed: bool = False) -> tuple[str, ...]:
        """Return the items of a list cell, each checked by ``parse`` and without repetitions."""
        kept: list[str] = []
        for item in re.split(separator, self.cells[column]):
            if not item.strip():
                continue
            try:
                kept.append(parse(item.strip()))
            except _RefusedError as error:
                self.report(column, str(error))
        if needed and not kept and not self.reported(column):
            self.report(column, "is missing")
        return tuple(dict.fromkeys(kept))

    def day(self, column: str) -> date | None:
        """Return a date cell."""
        text = self.text(column, _iso_date)
        return date.fromisoformat(text) if text else None


def shown(value: str, limit: int = 80) -> str:
    """Return a cell for a message: control characters made visible, long texts cut."""
    visible = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in value)
    return visible if len(visible) <= limit else visible[: limit - 1] + "…"


def _unsafe(column: str, text: str) -> str | None:
    """Return why a text must not get into any office, whatever its column."""
    hidden = next((c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")), None)
    if hidden is not None:
        return f"contains a line break, a control character or an invisible character (U+{ord(hidden):04X})"
    if _HTML.search(text):
        return "contains HTML; write plain text"
    # A spreadsheet runs such a cell as a formula when the exported table is opened.
    # Items of lists count too: they are sorted, so each may come first.
    if any(item.strip()[:1] in FORMULA for item in text.split(";") if column != "phone" or item.strip()[:1] != "+"):
        return "begins like a spreadsheet formula (=, +, - or @)"
    return None


def _slug(text: str) -> str:
    if not _SLUG.fullmatch(text) or len(text) > 80:
        raise _RefusedError("must be at most 80 small letters, digits and single hyphens, like recognition-nw-dortmund")
    return text


def _one_of(allowed: Iterable[str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in allowed:
            raise _RefusedError(f"{shown(text)!r} is unknown; allowed: {', '.join(allowed)}")
        return text

    return check


def _iso_date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()  # Python 3.10 takes no other form than YYYY-MM-DD
    except ValueError:
        raise _RefusedError("is not a date like 2026-11-30 (year-month-day)") from None


def _source_date(text: str) -> str:
    _iso_date(text + {4: "-01-01", 7: "-01"}.get(len(text), ""))  # a year or a month will do for a source
    return text


def _phone(text: str) -> str:
    if not re.fullmatch(r"[0-9+()/. \-–]+", text, re.ASCII):
        raise _RefusedError(f"{shown(text)!r}: write only digits, blanks and + ( ) - / and ' / ' between two numbers")
    try:
        number = phonenumbers.parse(text.replace("–", "-"), "DE")
    except phonenumbers.NumberParseException:
        raise _RefusedError(f"{shown(text)!r} is not a phone number") from None
    digits = re.sub(r"\D", "", text)
    if re.fullmatch(r"116\d{3}", digits):  # European numbers of social value; not all are in the library's tables
        return f"{digits[:3]} {digits[3:]}"
    if phonenumbers.is_valid_short_number_for_region(number, "DE") and not text.startswith("+"):
        return digits
    if not phonenumbers.is_valid_number(number):
        raise _RefusedError(f"{shown(text)!r} cannot be a phone number (too short, too long or an unknown area code)")
    # Free and shared-cost numbers mostly cannot be reached from abroad: +49 800 would mislead.
    local = (PhoneNumberType.TOLL_FREE, PhoneNumberType.SHARED_COST, PhoneNumberType.PREMIUM_RATE)
    national = number.country_code == 49 and phonenumbers.number_type(number) in local
    form = PhoneNumberFormat.NATIONAL if national else PhoneNumberFormat.INTERNATIONAL
    return _short(str(phonenumbers.format_number(number, form)))


def _email(text: str) -> str:
    try:
        checked = validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise _RefusedError(f"is not an e-mail address: {error}") from None
    return _short(checked)


def _short(text: str) -> str:
    if len(text) > _CONTACT_LIMIT:
        raise _RefusedError(f"is longer than {_CONTACT_LIMIT} characters")
    return text


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and "." in (parts.hostname or "") and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\"'<>\\^`{|}]", text):
        raise _RefusedError(f"{shown(text)!r} is not a web address like https://www.example.org/page")
    if parts.username is not None or parts.password is not None:
        raise _RefusedError("must not hold a user name or a password")
    return text


def _language(text: str) -> str:
    if text in ("und", "mul", "zxx", "mis") or not re.fullmatch("[a-z]{2,3}", text):
        raise _RefusedError(f"{shown(text)!r} is not an ISO 639 code like de, uk or ckb")
    alias = get_global("language_aliases").get(text)
    if alias and "_" not in alias and alias in Locale("en").languages:
        raise _RefusedError(f"write {alias!r} instead of {text!r}")
    if not alias and text not in Locale("en").languages:
        raise _RefusedError(f"{shown(text)!r} is not an ISO 639 code like de, uk or ckb")
    return text


def _opening_hours(text: str) -> str:
    if text == "24/7":
        return text
    rules = [rule.strip() for rule in text.split(";") if rule.strip()]
    for rule in rules:
        matched = _HOURS.fullmatch(rule)
        if not matched:
            raise _RefusedError("must be like 'Mo-Fr 09:00-17:00; Sa 10:00-12:00' (Mo Tu We Th Fr Sa Su PH) or 24/7")
        for begin, end in _SPAN.findall(matched.group(2)):
            if not begin < end <= "24:00":
                raise _RefusedError(f"{begin}-{end}: the end must lie after the begin, at the latest at 24:00")
        if matched.group(2) != "off" and len(_SPAN.findall(matched.group(2))) != matched.group(2).count("-"):
            raise _RefusedError("has minutes above 59")
    text = "; ".join(rules)
    if not text:
        raise _RefusedError("holds no hours")
    if len(text) > 200:
        raise _RefusedError("is longer than 200 characters")
    return text


def _coverage(places: PlaceIndex) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text == ABROAD:
            return text
        if text == "DE":
            return ""
        if text in state_prefixes():
            return state_prefixes()[text]
        if text in places.districts:
            return text
        hint = " (is a leading zero missing?)" if re.fullmatch(r"\d{4}", text, re.ASCII) else ""
        raise _RefusedError(f"{shown(text)!r} is not DE, a state like DE-NW, a 5-digit district key or abroad{hint}")

    return check


def _profession(text: str) -> str:
    if len(text) > 120:
        raise _RefusedError("a profession has more than 120 characters")
    if text.startswith("field:") and not re.fullmatch(r"field:[a-z_]+", text):
        raise _RefusedError(f"{shown(text)!r}: a field is written like field:health")
    return text


def check_row(row: Row, places: PlaceIndex, today: date) -> tuple[OfficeRow | None, list[Problem]]:
    """Check one row and return the office (none if something is wrong) and everything that is wrong."""
    c = _Checker(row)
    if row.width != len(COLUMNS):
        c.report("", f"the row has {row.width} cells instead of {len(COLUMNS)}: is a quotation mark wrong?")
        return None, c.problems[-1:]  # the cells may be shifted: whatever else seems wrong would mislead
    confirmed = _TRUE_FALSE.get(c.needed("confirmed").lower())
    if confirmed is None and not c.reported("confirmed"):
        c.report("confirmed", "must be true or false")
    checked_on = c.needed("checked_on") and c.day("checked_on") or date.min
    office = OfficeRow(
        id=c.needed("id", _slug),
        kind=c.needed("kind", _one_of(OFFICE_KINDS)),
        needs=tuple(sorted(c.items("needs", _one_of(NEEDS), needed=True))),
        name=c.needed("name"),
        carrier=c.text("carrier"),
        street=c.text("street"),
        postcode=c.text("postcode", _postcode),
        city=c.text("city"),
        state=c.text("state", _one_of(tuple(state_prefixes()))),
        phones=c.items("phone", _phone, r";|(?<=\s)/(?=\s)"),
        emails=c.items("email", _email),
        # A web address may itself hold a semicolon: only one before the next address separates.
        websites=c.items("website", lambda t: _short(_url(t)), r"\s*;\s*(?=https?://)"),
        languages=c.items("languages", _language),
        opening_hours=c.text("opening_hours", _opening_hours),
        appointment=c.text("appointment", _one_of(APPOINTMENTS)),
        coverage=tuple(sorted(c.items("coverage", _coverage(places), needed=True))),
        coverage_note=c.text("coverage_note"),
        professions=tuple(sorted(c.items("professions", _profession))),
        valid_from=c.day("valid_from"),
        valid_until=c.day("valid_until"),
        confirmed=bool(confirmed),
        confidence=c.needed("confidence", _one_of(CONFIDENCES)),
        source_url=c.needed("source_url", _url),
        source_date=c.text("source_date", _source_date),
        checked_on=checked_on,
        remark=c.text("remark"),
        line=row.line,
    )
    _check_together(c, office, today)
    _check_address(c, office, places)
    for title in office.professions if places.titles else ():
        known = title[6:] in places.fields if title.startswith("field:") else title in places.titles
        if not known:
            c.report("professions", f"{shown(title)!r} is not in the list of professions", warning=True)
    return (None if any(not p.warning for p in c.problems) else office), c.problems


def _postcode(text: str) -> str:
    if not re.fullmatch(r"\d{5}", text, re.ASCII):
        raise _RefusedError("must have five digits" + (" (is a leading zero missing?)" if len(text) == 4 else ""))
    return text


def _check_together(c: _Checker, office: OfficeRow, today: date) -> None:
    if office.valid_from and office.valid_until and office.valid_from > office.valid_until:
        c.report("valid_until", f"lies before valid_from ({office.valid_from})")
    if office.checked_on > today:
        c.report("checked_on", "lies in the future")
    if office.confidence == "low" and office.confirmed:
        c.report("confirmed", "must be false if confidence is low")


def _check_address(c: _Checker, office: OfficeRow, places: PlaceIndex) -> None:
    towns = places.towns(office.city) if office.city else []
    if office.city and not towns:
        c.report("city", "is not in the list of towns; please check the spelling", warning=True)
    if not office.postcode:
        if towns and office.state and all(places.districts[t.district].state != office.state for t in towns):
            c.report("city", f"no town of this name lies in {office.state}")
        return
    found = places.postcode(office.postcode)
    if found is None:
        c.report("postcode", "no place in Germany has this postcode")
        return
    district = places.districts[found.district]
    if office.state and district.state != office.state:
        c.report("postcode", f"belongs to {district.name} in {district.state}, not to {office.state}")
        return
    centre = (found.latitude, found.longitude)
    near = any(t.district == found.district or kilometres(t.latitude, t.longitude, *centre) <= SAME_PLACE_KM for t in towns)
    if towns and not near:
        c.report("postcode", f"belongs to {district.name}, which is not near {office.city}")
