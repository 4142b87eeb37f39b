"""What a reviewer asks of the list of transcripts; it stands in the address, so that it can be kept and passed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urlencode

from bot.transcripts.record_models import DONE, IN_REVIEW, NEW

ALL = "all"
TABS = (NEW, IN_REVIEW, DONE, ALL)
ME, NOBODY = "me", "nobody"
# Of the filter for the state: transcripts without a place.
NO_STATE = "none"
LONGEST_SEARCH, LONGEST_WORD, MOST_OFFICES = 200, 80, 40
FLAGS = ("fallback", "crisis", "dangerous", "not_helpful", "unanswered")
_WORDS = ("language", "channel", "need", "state", "outcome", "assigned", "office")


@dataclass(frozen=True)
class InboxFilter:
    """A filter of the inbox; what is empty does not filter.

    Attributes:
        tab: ``new``, ``in_review``, ``done`` or ``all``.
        q: words that the person wrote (full-text search).
        since: the first day of the last activity.
        until: its last day.
        need: a need that came up, not only the last one.
        office: an office as it was asked for: its name or its id.
        offices: the ids that this means (see :meth:`with_offices`).
        state: a state (``DE-NW``), or ``none``.
        confidence: per cent; the least sure message is below.
        label: the id of a label.
        assigned: ``me``, ``nobody`` or the id of an account.
        structure: those without consent (no texts) instead of those with consent.
        problems: names of the fields that could not be read.
    """

    tab: str = NEW
    q: str = ""
    language: str = ""
    channel: str = ""
    since: date | None = None
    until: date | None = None
    need: str = ""
    office: str = ""
    offices: tuple[str, ...] = ()
    state: str = ""
    outcome: str = ""
    confidence: int | None = None
    fallback: bool = False
    crisis: bool = False
    dangerous: bool = False
    not_helpful: bool = False
    unanswered: bool = False
    label: int | None = None
    assigned: str = ""
    structure: bool = False
    problems: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def from_query(cls, query: Mapping[str, str] | str) -> InboxFilter:
        """Read a filter from the fields of an address, or from what :meth:`to_query` wrote.

        What cannot be read filters nothing and is named in ``problems``; nothing raises.
        """
        given = dict(parse_qsl(query[:4000], max_num_fields=None)) if isinstance(query, str) else query
        said = {one.name: _tidy(given.get(one.name, "")) for one in fields(cls)}
        problems: list[str] = []
        for name in _WORDS:
            if len(said[name]) > LONGEST_WORD:
                problems.append(name)
                said[name] = ""
        offices = tuple(dict.fromkeys(one.strip()[:LONGEST_WORD] for one in said["offices"].split(",") if one.strip()))
        plain: dict[str, Any] = {**{name: said[name] for name in _WORDS}, **{name: said[name] == "1" for name in FLAGS}}
        return cls(
            tab=said["tab"] if said["tab"] in TABS else NEW,
            q=said["q"][:LONGEST_SEARCH],
            since=_day("since", said, problems),
            until=_day("until", said, problems),
            offices=offices[:MOST_OFFICES] if said["office"] else (),
            confidence=_number("confidence", said, problems, 100),
            label=_number("label", said, problems, 2**31 - 1),
            structure=said["structure"] == "1",
            **plain,
            problems=tuple(problems),
        )

    def as_fields(self) -> dict[str, str]:
        """Return the fields of the address that differ from the default."""
        shown: dict[str, str] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "problems" or value == one.default or value in ("", None, ()):
                continue
            shown[one.name] = "1" if value is True else ",".join(value) if isinstance(value, tuple) else str(value)
        return shown

    def to_query(self) -> str:
        """Return the filter as the query of an address; "" for the default."""
        return urlencode(self.as_fields())

    def without(self, *names: str) -> InboxFilter:
        """Return the filter without some of its fields."""
        gone = {"office", "offices"} if "office" in names else set()
        defaults: dict[str, Any] = {one.name: one.default for one in fields(self) if one.name in gone | set(names)}
        return replace(self, **defaults)

    def with_offices(self, ids: tuple[str, ...]) -> InboxFilter:
        """Return the filter with the ids of the offices that are meant."""
        return replace(self, offices=ids[:MOST_OFFICES])

    @property
    def active(self) -> tuple[str, ...]:
        """The names of the fields that filter, besides the tab."""
        return tuple(name for name in self.as_fields() if name not in ("tab", "offices"))


def _tidy(value: object) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(one if one.isprintable() else " " for one in value[:6000]).strip()


def _day(name: str, said: Mapping[str, str], problems: list[str]) -> date | None:
    if not said[name]:
        return None
    try:
        day = date.fromisoformat(said[name])
    except ValueError:
        day = None
    if day is None or not 2000 <= day.year <= 2200:
        problems.append(name)
        return None
    return day


def _number(name: str, said: Mapping[str, str], problems: list[str], most: int) -> int | None:
    text = said[name]
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 12 and 0 < int(text) <= most):
        problems.append(name)
        return None
    return int(text)
