"""What a conversation looks like: stored values, of which none is trusted to be well-formed, as words and pieces to show."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from babel import Locale
from babel.numbers import format_decimal, format_percent
from ruamel.yaml import YAML

from actions.directory.database import DATA, PROJECT
from actions.directory.models import NEEDS
from actions.directory.places import states
from bot.languages import RIGHT_TO_LEFT
from bot.review import texts
from bot.review.names import language_name, state_name
from bot.transcripts.reading import Part
from bot.transcripts.record_models import GUIDE, TranscriptTurn, Verdict
from bot.transcripts.records import FALLBACK_INTENT

# What the redaction leaves in the place of personal data.
MARKS = {
    "Name": "name",
    "Telefon": "phone",
    "E-Mail": "email",
    "IBAN": "iban",
    "Geburtsdatum": "birth_date",
    "Adresse": "address",
    "Nummer": "document_number",
}
# Characters that turn the direction of what follows, or that cannot be seen and have no place in a message. The marks
# that Arabic and Persian are written with (U+200C to U+200F, U+061C) stay.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2060-\u206f\ufff9-\ufffb\ufeff\ud800-\udfff]")
# The guide isolates foreign words in its right-to-left texts with these; in its own texts they are no news.
_ISOLATES = "\u2066\u2067\u2068\u2069"
_PIECES = re.compile(rf"(?P<mark>\[(?:{'|'.join(MARKS)})\])|(?P<unseen>{_UNSEEN.pattern})")
# What is longer is folded away from here on.
SHOWN, LONGEST_VALUE, MOST_OFFICES = 1_500, 300, 20
_CODE = re.compile(r"^[a-z]{2,3}$")

Piece = tuple[str, str]  # "text", "mark" or "unseen", and what to show


@dataclass(frozen=True)
class Office:
    """A referral card as it was shown; what it did not say is empty."""

    name: str
    carrier: str
    address: str
    phone: str
    email: str
    website: str  # only http(s)
    languages: str
    hours: str
    audience: str
    distance: str
    checked_on: date | None
    confirmed: bool | None


@dataclass(frozen=True)
class Referral:
    """The offices of one answer, and what was said with them."""

    offices: tuple[Office, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Message:
    """One turn as the page shows it."""

    turn: TranscriptTurn
    verdict: Verdict | None
    pieces: tuple[Piece, ...]
    more: tuple[Piece, ...]  # the rest of a very long text
    more_length: str
    lang: str
    dir: str
    intent: str
    confidence: str
    right_intent: str
    response: str
    entities: tuple[tuple[str, str], ...]
    taken_out: tuple[tuple[str, int], ...]
    referral: Referral | None
    seconds: str  # of the first answer to a message


def messages(part: Part, language: str) -> Iterator[Message]:
    """Return the turns of a part as they are shown.

    Args:
        part: the turns.
        language: the language of the page.
    """
    answered: object = None
    for turn in part.turns:
        verdict = part.verdicts.get(turn.id)
        shown, more = _cut(turn.text or "")
        first = turn.author == GUIDE and turn.kind != "start" and turn.turn_id != answered
        answered = turn.turn_id if turn.author == GUIDE and turn.turn_id is not None else None
        code = turn.language if _CODE.match(turn.language) else "und"
        yield Message(
            turn=turn,
            verdict=verdict,
            pieces=pieces(shown, language, own=turn.author == GUIDE),
            more=pieces(more, language, own=turn.author == GUIDE),
            more_length=str(format_decimal(len(more), "#,##0", locale=_locale(language))),
            lang=code,
            dir="rtl" if code in RIGHT_TO_LEFT else "ltr",
            intent=intent_name(turn.intent, language) if turn.intent else "",
            confidence=percent(turn.confidence, language),
            right_intent=intent_name(verdict.right_intent, language) if verdict is not None and verdict.right_intent else "",
            response=response_name(turn.response, language),
            entities=tuple(entities(turn.entities, language)),
            taken_out=tuple(taken_out(turn.redacted, language)),
            referral=referral(turn.referral, language),
            seconds=seconds(turn.latency_ms, language) if first else "",
        )


def pieces(text: str, language: str, own: bool = False) -> tuple[Piece, ...]:
    """Cut a text into what is read, marks of the redaction, and characters that would otherwise work unseen.

    Args:
        text: what was said.
        language: the language of the page.
        own: whether the guide said it.
    """
    found: list[Piece] = []
    end = 0
    for match in _PIECES.finditer(text):
        if own and match.group() in _ISOLATES:
            continue
        if match.start() > end:
            found.append(("text", text[end : match.start()]))
        if match.lastgroup == "mark":
            found.append(("mark", texts.text(f"conversation.kind.{MARKS[match.group()[1:-1]]}", language)))
        else:
            found.append(("unseen", f"U+{ord(match.group()):04X}"))
        end = match.end()
    if end < len(text):
        found.append(("text", text[end:]))
    return tuple(found)


def entities(stored: str | None, language: str) -> Iterator[tuple[str, str]]:
    """Return what was found in a message as pairs of words (what it is, its value); what cannot be read is left out."""
    for one in _list(stored):
        if isinstance(one, dict) and isinstance(one.get("entity"), str) and isinstance(one.get("value"), (str, int, float, bool)):
            name, value = one["entity"], visible(str(one["value"]))
            key = f"conversation.entity.{name}"
            yield texts.text(key, language) if texts.has(key) else visible(name), _entity_value(name, value, language)


def taken_out(stored: str | None, language: str) -> Iterator[tuple[str, int]]:
    """Return what the redaction took out as pairs of kind and number."""
    found = _json(stored)
    for kind, number in found.items() if isinstance(found, dict) else ():
        if isinstance(number, int) and not isinstance(number, bool) and 0 < number < 10**6:
            key = f"conversation.kind.{kind}"
            yield texts.text(key, language) if texts.has(key) else visible(str(kind)), number


def referral(stored: str | None, language: str) -> Referral | None:
    """Return the card of an answer; None if it had none or nothing of it can be read."""
    found = _json(stored)
    if not isinstance(found, dict):
        return None
    offices = [one for one in _items(found.get("offices")) if isinstance(one, dict)][:MOST_OFFICES]
    notes = [visible(one, 2000) for one in _items(found.get("notes")) if isinstance(one, str)][:MOST_OFFICES]
    return Referral(tuple(_office(one, language) for one in offices), tuple(notes)) if offices or notes else None


def visible(value: str, most: int = LONGEST_VALUE) -> str:
    """Return a short text of a card or an entity in one line, without what would work unseen."""
    tidy = " ".join(_UNSEEN.sub(" ", value[: most + 1]).split())
    return f"{tidy[:most]}…" if len(value) > most else tidy


def intent_name(intent: str, language: str) -> str:
    """Return the name of an intent; the intent itself if it has none."""
    for key in (f"need.{intent}", f"conversation.intent.{intent}", f"conversation.topic.{intent.removeprefix('faq/')}"):
        if texts.has(key):
            return texts.text(key, language)
    return visible(intent)


def response_name(response: str | None, language: str) -> str:
    """Return which prepared answer was given: the topic of a question, else the id of the answer."""
    if not response:
        return ""
    topic = response.removeprefix("utter_")
    return f"{intent_name(topic, language)} ({visible(response)})" if topic.startswith("faq/") else visible(response)


def intent_choices(language: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the intents to choose from, as groups of pairs of intent and name: needs, questions by need, dialogue."""
    topics = _topics()
    groups = [(texts.text("conversation.group.needs", language), [(need, intent_name(need, language)) for need in NEEDS])]
    for need in dict.fromkeys(topics.values()):
        named = [(f"faq/{topic}", intent_name(f"faq/{topic}", language)) for topic, of in topics.items() if of == need]
        groups.append((texts.text("conversation.group.questions", language, need=texts.text(f"need.{need}", language)), _sorted(named)))
    dialogue = [(one, intent_name(one, language)) for one in intents() if one not in NEEDS and not one.startswith("faq/")]
    return [*groups, (texts.text("conversation.group.dialogue", language), _sorted(dialogue))]


@lru_cache(maxsize=1)
def intents() -> tuple[str, ...]:
    """Return what a person can mean: the intents of the domain, and the topics of questions with a fixed answer."""
    named = YAML(typ="safe").load((PROJECT / "domain.yml").read_text(encoding="utf-8"))["intents"]
    plain = [next(iter(one)) if isinstance(one, dict) else one for one in named]
    return (*(one for one in plain if one not in (FALLBACK_INTENT, "faq")), *(f"faq/{topic}" for topic in _topics()))


def percent(number: float | None, language: str) -> str:
    """Return a part of one as per cent; "" if there is none."""
    return str(format_percent(number, "#,##0 %", locale=_locale(language))) if number is not None and 0 <= number <= 1 else ""


def seconds(milliseconds: int | None, language: str) -> str:
    """Return a duration in seconds with one decimal; "" if it is not known."""
    if milliseconds is None or milliseconds < 0:
        return ""
    return str(format_decimal(milliseconds / 1000, "#,##0.0", locale=_locale(language)))


def _office(given: dict[str, Any], language: str) -> Office:
    def said(name: str) -> str:
        value = given.get(name)
        return visible(value) if isinstance(value, str) else ""

    distance, confirmed = given.get("distance_km"), given.get("confirmed")
    is_number = isinstance(distance, (int, float)) and not isinstance(distance, bool) and 0 <= distance < 50_000
    spoken = [visible(one, 20) for one in _items(given.get("languages")) if isinstance(one, str)]
    hours, appointment = said("opening_hours"), given.get("appointment")
    visit = f"conversation.appointment.{appointment}"
    if isinstance(appointment, str) and texts.has(visit):
        hours = "; ".join(filter(None, [hours, texts.text(visit, language)]))
    name = said("name") or texts.text("conversation.card.no_name", language)
    return Office(
        name=name,
        carrier=said("carrier") if said("carrier") != name else "",
        address=", ".join(filter(None, [said("street"), f"{said('postcode')} {said('city')}".strip()])),
        phone=said("phone"),
        email=said("email"),
        website=_web_address(given.get("website")),
        languages=", ".join(language_name(one, language) if _CODE.match(one) else one for one in spoken[:40]),
        hours=hours,
        audience=said("audience"),
        distance=str(format_decimal(distance, "#,##0", locale=_locale(language))) if is_number and distance is not None else "",
        checked_on=_date(given.get("checked_on")),
        confirmed=confirmed if isinstance(confirmed, bool) else None,
    )


def _entity_value(name: str, value: str, language: str) -> str:
    word = f"conversation.value.{value}"
    if name == "country" and len(value) == 2:
        return str(Locale.parse(language).territories.get(value.upper(), value))
    if name == "place" and value in states():
        return state_name(value)
    if name == "place" and value != "abroad":
        return value.partition("@")[0]
    if name == "language" and _CODE.match(value):
        return language_name(value, language)
    if name == "need" and texts.has(f"need.{value}"):
        return texts.text(f"need.{value}", language)
    return texts.text(word, language) if texts.has(word) else value


def _cut(text: str) -> tuple[str, str]:
    """Cut a very long text at a space."""
    if len(text) <= SHOWN + 300:
        return text, ""
    place = max(text.rfind(" ", SHOWN - 200, SHOWN), text.rfind("\n", SHOWN - 200, SHOWN))
    place = place + 1 if place > 0 else SHOWN
    return text[:place], text[place:]


def _json(stored: str | None) -> Any:
    try:
        return json.loads(stored) if stored else None
    except (ValueError, RecursionError):
        return None


def _list(stored: str | None) -> list[Any]:
    return _items(_json(stored))


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _web_address(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 2000 or _UNSEEN.search(value):
        return ""
    try:
        parts = urlsplit(value)
    except ValueError:
        return ""
    return value if parts.scheme in ("http", "https") and parts.netloc else ""


def _date(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _sorted(named: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(named, key=lambda one: one[1].casefold())


@lru_cache(maxsize=1)
def _topics() -> dict[str, str]:
    with (DATA / "lookups" / "faq_topics.csv").open(encoding="utf-8", newline="") as file:
        return {row["topic"]: row["need"] for row in csv.DictReader(file)}


def _locale(language: str) -> str:
    return {"de": "de_DE", "en": "en_GB"}[language]
