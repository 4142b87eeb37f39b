"""Values of the directory as people read them: names instead of codes, hours in words, what a change changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from babel.dates import format_date

from actions.directory import changes
from actions.directory.changes import Change, FieldDiff
from actions.directory.office_rows import OfficeRow
from bot.review import texts
from bot.review.names import district_name, language_name, state_name

_LISTS = {"needs": ";", "phone": " / ", "email": ";", "website": r";(?=https?://)", "languages": ";", "coverage": ";", "professions": ";"}
_DAYS = {"de": {"Mo": "Mo", "Tu": "Di", "We": "Mi", "Th": "Do", "Fr": "Fr", "Sa": "Sa", "Su": "So"}, "en": {}}
_DAY = re.compile(r"\b(Mo|Tu|We|Th|Fr|Sa|Su|PH|off)\b")


@dataclass(frozen=True)
class ShownDiff:
    """One field of a change: what went and what came."""

    column: str
    gone: list[str]
    came: list[str]


def words_of(column: str, cell: str, language: str) -> list[str]:
    """Return a cell in words, its items one by one; an empty cell has none."""
    if not cell:
        return []
    items = re.split(_LISTS[column], cell) if column in _LISTS else [cell]
    return [_word(column, item.strip(), language) for item in items]


def _word(column: str, item: str, language: str) -> str:
    prefix = {"needs": "need", "kind": "directory.kind", "appointment": "directory.appointment", "confidence": "directory.confidence"}
    key = f"{prefix.get(column, '')}.{item}"
    if column in prefix and texts.has(key):
        return texts.text(key, language)
    if column in _SPECIAL:
        return str(_SPECIAL[column](item, language))
    return item


def coverage_name(item: str, language: str) -> str:
    """Return the name of a part of the country, as written in the table (``DE``, ``DE-NW``, ``05913``, ``abroad``)."""
    if item in ("DE", "abroad"):
        return texts.text(f"directory.coverage.{item}", language)
    return state_name(item) if item.startswith("DE-") else district_name(item)


def profession_name(item: str, language: str) -> str:
    """Return a profession as it stands, or the name of a field of professions (``field:health``)."""
    key = f"directory.field_of.{item[6:]}"
    if item.startswith("field:") and texts.has(key):
        return texts.text("directory.whole_field", language, field=texts.text(key, language))
    return item


def spoken_name(code: str, language: str) -> str:
    """Return the name of a language; Babel has no name of its own for Dari."""
    return "Dari" if code == "prs" else language_name(code, language)


def hours_as_typed(text: str, language: str) -> str:
    """Return opening hours as an editor types them: in German with German days."""
    return re.sub(r"\b(Tu|We|Th|Su)\b", lambda found: _DAYS[language].get(found.group(), found.group()), text)


def hours(text: str, language: str) -> str:
    """Return opening hours with the names of the days."""

    def named(found: re.Match[str]) -> str:
        word = found.group()
        return texts.text(f"directory.hours.{word}", language) if word in ("PH", "off") else _DAYS[language].get(word, word)

    if text == "24/7":
        return texts.text("directory.hours.always", language)
    return _DAY.sub(named, text).replace("-", "–").replace(",", ", ")


def _day(text: str, language: str) -> str:
    try:
        return str(format_date(date.fromisoformat(text), "medium", locale={"de": "de_DE", "en": "en_GB"}[language]))
    except ValueError:
        return text  # a source may have only a year or a month


_SPECIAL: dict[str, Any] = {
    "languages": spoken_name,
    "coverage": coverage_name,
    "professions": profession_name,
    "state": lambda item, language: state_name(item),
    "opening_hours": hours,
    "confirmed": lambda item, language: texts.text("names.yes" if item == "true" else "names.no", language),
    "valid_from": _day,
    "valid_until": _day,
    "checked_on": _day,
    "source_date": _day,
}


def difference(field: FieldDiff, language: str) -> ShownDiff:
    """Return a changed field; of a list only the items that went or came."""
    old, new = words_of(field.column, field.old or "", language), words_of(field.column, field.new or "", language)
    gone, came = [item for item in old if item not in new], [item for item in new if item not in old]
    # The same items in another order: then the order is the change.
    return ShownDiff(field.column, gone, came) if gone or came else ShownDiff(field.column, [", ".join(old)], [", ".join(new)])


def differences(change: Change, language: str) -> list[ShownDiff]:
    """Return what a change changed, field by field."""
    return [difference(field, language) for field in change.fields]


def between(old: OfficeRow, new: Mapping[str, str], language: str) -> list[ShownDiff]:
    """Return how cells differ from an office."""
    before = old.cells()

    def same(column: str) -> bool:
        split = column in ("needs", "coverage", "professions")  # kept without an order
        return sorted(before[column].split(";")) == sorted(new[column].split(";")) if split else before[column] == new[column]

    return [difference(FieldDiff(c, before[c], new[c]), language) for c in before if c in new and not same(c)]


def who(name: str, language: str) -> str:
    """Return who made a change."""
    key = {changes.COMMAND: "command", changes.PROJECT: "project"}.get(name)
    return texts.text(f"directory.who.{key}", language) if key else name


def hidden_reason(office: OfficeRow, today: date) -> str:
    """Return why the chat does not show an office: ``expired`` or ``future``; "" if it may be shown."""
    if office.valid_until and office.valid_until < today:
        return "expired"
    return "future" if office.valid_from and office.valid_from > today else ""
