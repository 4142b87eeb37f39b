"""What the inbox shows, in the words of its reader: lines, chips, choices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from babel import Locale
from babel.core import UnknownLocaleError
from babel.dates import format_date, format_timedelta

from actions.directory.models import NEEDS
from bot.languages import SPOKEN_LANGUAGES
from bot.review import texts
from bot.review.names import district_name, language_name, state_codes, state_name
from bot.transcripts import inbox
from bot.transcripts.inbox_filter import FLAGS, ME, NO_STATE, NOBODY, TABS, InboxFilter
from bot.transcripts.record_models import OUTCOMES, Label

CHANNELS = ("web", "telegram", "whatsapp", "messenger")
# What a tag looks like; the words say it as well.
_LOOKS = {"crisis": "bad", "dangerous": "bad", "fallback": "warn", "not_helpful": "warn", "unanswered": "warn"}


@dataclass(frozen=True)
class Tag:
    """A mark on a conversation."""

    text: str
    look: str


@dataclass(frozen=True)
class Line:
    """One conversation in the list."""

    key: str
    row: inbox.Row
    words: str  # what it is called where its words cannot be shown: in names of controls
    language: str
    own_language: str  # the language in itself; "" if that is the same word
    needs: tuple[str, ...]
    outcome: str
    district: str
    state: str
    flags: tuple[Tag, ...]
    confidence: int | None
    waits: str
    live: bool


@dataclass(frozen=True)
class Chip:
    """An active filter, and the address without it."""

    name: str
    text: str
    href: str


@dataclass(frozen=True)
class Choice:
    """One choice of a list."""

    value: str
    text: str


def named(kind: str, value: str, language: str) -> str:
    """Return the name of a need, outcome or channel; the value itself if it has none."""
    key = f"{kind}.{value}"
    return texts.text(key, language) if texts.has(key) else value


def lines(rows: Sequence[inbox.Row], language: str, now: datetime) -> list[Line]:
    """Return rows as they are shown."""
    return [_line(row, language, now) for row in rows]


def chips(asked: InboxFilter, language: str, labels: Sequence[Label], people: Mapping[int, str], href: Callable[..., str]) -> list[Chip]:
    """Return what filters, each with the address of the list without it.

    Args:
        asked: the filter.
        language: the reader's.
        labels: all labels.
        people: names of the reviewers.
        href: makes the address of a filter.
    """
    found = []
    for name in asked.active:
        title = texts.text(f"inbox.f.{name}", language)
        value = _value(asked, name, language, labels, people)
        found.append(Chip(name, f"{title}: {value}" if value else title, href(asked.without(name))))
    return found


def choices(language: str, staff_states: Sequence[str], labels: Sequence[Label], people: Mapping[int, str]) -> dict[str, list[Choice]]:
    """Return what can be chosen in the form of filters."""

    def name(key: str) -> str:
        return texts.text(key, language)

    states = [Choice(code, state_name(code)) for code in state_codes() if not staff_states or code in staff_states]
    return {
        "language": [Choice(code, language_name(code, language)) for code in SPOKEN_LANGUAGES],
        "channel": [Choice(one, named("channel", one, language)) for one in CHANNELS],
        "need": [Choice(one, named("need", one, language)) for one in NEEDS],
        "state": [*states, *([] if staff_states else [Choice(NO_STATE, name("names.no_state"))])],
        "outcome": [Choice(one, named("outcome", one, language)) for one in OUTCOMES],
        "label": [Choice(str(one.id), one.name) for one in labels],
        "assigned": [
            Choice(ME, name("inbox.me")),
            Choice(NOBODY, name("inbox.nobody")),
            *(Choice(str(id_), person) for id_, person in people.items()),
        ],
    }


def tabs(asked: InboxFilter, counts: Mapping[str, int], language: str, href: Callable[..., str]) -> list[dict[str, Any]]:
    """Return the tabs with their numbers."""
    return [
        {
            "text": texts.text(f"inbox.tab.{tab}", language),
            "count": number(counts[tab], language),
            "href": href(replace(asked, tab=tab)),
            "current": tab == asked.tab,
        }
        for tab in TABS
    ]


def number(count: int, language: str) -> str:
    """Return a number that was counted only up to a limit."""
    if count <= inbox.COUNTED:
        return str(count)
    return texts.text("inbox.more_than", language, count="1.000" if language == "de" else "1,000")


def _line(row: inbox.Row, language: str, now: datetime) -> Line:
    one = row.transcript
    name = language_name(one.language, language)
    own = _own_name(one.language)
    flags = {**{flag: getattr(one, flag) for flag in FLAGS if flag != "fallback"}, "fallback": one.fallbacks > 0}
    empty = texts.text("inbox.nothing_said" if one.consent else "inbox.no_text", language)
    return Line(
        key=one.key,
        row=row,
        words=row.first_words or empty,
        language=name,
        own_language="" if own.casefold() == name.casefold() else own,
        needs=tuple(named("need", need, language) for need in row.needs),
        outcome=named("outcome", one.outcome, language),
        district=district_name(one.district),
        state=state_name(one.state),
        flags=tuple(Tag(texts.text(f"inbox.f.{flag}", language), look) for flag, look in _LOOKS.items() if flags[flag]),
        confidence=None if one.min_confidence is None else round(one.min_confidence * 100),
        waits=_duration(now - row.waits_since, language) if row.waits_since else "",
        live=one.ended_at is None,
    )


def _value(asked: InboxFilter, name: str, language: str, labels: Sequence[Label], people: Mapping[int, str]) -> str:
    """Return the value of a filter in words; "" for those that are on or off."""
    value = getattr(asked, name)
    if value is True:
        return ""
    if name in ("since", "until"):
        return str(format_date(value, "medium", locale=_locale(language)))
    if name in ("need", "outcome", "channel"):
        return named(name, value, language)
    if name == "language":
        return language_name(value, language)
    if name == "state":
        return texts.text("names.no_state", language) if value == NO_STATE else state_name(value)
    if name == "label":
        return next((one.name for one in labels if one.id == value), texts.text("inbox.unknown_label", language))
    if name == "assigned":
        return _person(value, language, people)
    return str(value)


def _person(value: str, language: str, people: Mapping[int, str]) -> str:
    if value in (ME, NOBODY):
        return texts.text(f"inbox.{value}", language)
    known = people.get(int(value)) if value.isdecimal() and len(value) < 10 else None
    return known or texts.text("inbox.unknown_person", language)


def _own_name(code: str) -> str:
    try:
        return str(Locale.parse(code).languages.get(code, ""))
    except (UnknownLocaleError, ValueError):
        return ""


def _duration(waited: Any, language: str) -> str:
    return str(format_timedelta(waited, granularity="minute", locale=_locale(language)))


def _locale(language: str) -> str:
    return {"de": "de_DE", "en": "en_GB"}[language]
