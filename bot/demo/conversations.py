"""The conversations of the demonstration: when, where and in which language, and written as the gateway writes them.

Conversations of 60 days are written with the code of the gateway, closed and counted. After that the retention runs, and
what stays is what would stay of real ones: figures of 60 days, texts of the last four weeks, structure of two days.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from actions.directory import database as directory
from actions.directory import places
from actions.directory.models import Town
from actions.directory.places import Place
from bot.demo.replies import Answers, Case
from bot.demo.scripts import ABROAD, PLACE, POSTCODE, SOMEWHERE, Line, Script, ScriptError, Scripts
from bot.settings import Settings
from bot.transcripts import closing, database, records
from bot.transcripts.models import Conversation
from bot.transcripts.record_models import PERSON, Transcript, TranscriptTurn
from bot.transcripts.records import FinishedTurn, TurnFacts

ZONE = ZoneInfo("Europe/Berlin")
# Days whose texts are there, and days of which only figures are.
DAYS, FIGURE_DAYS = 28, 60
CONSENT = 0.85
LANGUAGES = {"de": 24, "uk": 13, "ar": 13, "en": 12, "tr": 9, "ru": 8, "fa": 8, "es": 5, "fr": 5, "pl": 4, "ro": 4}
CHANNELS = {"web": 76, "telegram": 13, "whatsapp": 11}
# More people write at noon and in the evening than early in the morning.
HOURS = {7: 2, 8: 5, 9: 8, 10: 9, 11: 9, 12: 8, 13: 7, 14: 8, 15: 8, 16: 8, 17: 7, 18: 7, 19: 6, 20: 5, 21: 3}
WEEKEND = 0.4
SMALLEST_TOWN = 25_000
_OWN_WAY = 0.6  # how often a place is one of the file's, written as people of the language write it
_RATED = 0.3
_KINDS = {
    "[Name]": "name",
    "[Telefon]": "phone",
    "[E-Mail]": "email",
    "[IBAN]": "iban",
    "[Geburtsdatum]": "birth_date",
    "[Adresse]": "address",
    "[Nummer]": "document_number",
}
_TAKEN_OUT = re.compile("|".join(map(re.escape, _KINDS)))


@dataclass(frozen=True)
class Performance:
    """A script with everything that differs from one time to the next.

    ``kept`` is False for a conversation of which only figures will stay.
    """

    script: Script
    started: datetime
    channel: str
    consent: bool
    kept: bool
    place: Place | None
    written: str
    postcode: str


@dataclass
class Stage:
    """Where conversations are written.

    Attributes:
        session: a transaction on the transcripts.
        answers: the answers of the guide.
        rng: what is left to chance.
        scripts_of: the script of each transcript that is kept, for the reviewers.
    """

    session: Session
    answers: Answers
    rng: random.Random
    scripts_of: dict[str, Script] = field(default_factory=dict)


def perform(
    settings: Settings, files: list[Scripts], number: int, seed: int, now: datetime, say: Callable[[int, int], None]
) -> dict[str, Script]:
    """Write conversations into empty transcripts.

    Args:
        settings: the databases.
        files: the scripts.
        number: how many conversations are kept.
        seed: the same seed gives the same conversations.
        now: the moment; the newest conversation has just ended.
        say: told how many of how many are written.

    Returns:
        The script of each transcript that the retention will leave, by its key.

    Raises:
        ScriptError: if a script cannot be performed.
    """
    rng = random.Random(seed)
    with directory.session(settings.directory_url) as offices:
        answers = Answers(offices)
        planned = list(_plan(offices, files, number, rng, now))
        written: dict[str, Script] = {}
        for begin in range(0, len(planned), 20):
            with database.session(settings.transcripts_url) as session:
                stage = Stage(session, answers, rng, written)
                for one in planned[begin : begin + 20]:
                    _write(stage, one)
            say(min(begin + 20, len(planned)), len(planned))
    _end_all(settings, set(written), rng, now)
    return written


# ---------------------------------------------------------------------- plan


def _plan(offices: Session, files: list[Scripts], number: int, rng: random.Random, now: datetime) -> Iterator[Performance]:
    towns = _towns(offices)
    decks = {one.language: _Deck(one.scripts, rng) for one in files}
    places_of = {one.language: one.places for one in files}
    chosen = {language: LANGUAGES.get(language, 4) for language in decks}
    moments = [(started, True) for started in _moments(number, 0, DAYS, rng, now)]
    # Without consent nothing is left of a conversation after two days but its figures.
    gone = round(number * (1 - CONSENT) / CONSENT), round(number * (FIGURE_DAYS - DAYS) / DAYS / CONSENT)
    moments += [(started, False) for started in _moments(gone[0], 3, DAYS, rng, now)]
    moments += [(started, False) for started in _moments(gone[1], DAYS, FIGURE_DAYS, rng, now)]
    recent = now - timedelta(hours=46)
    # Each language is there, however few conversations there are.
    first = dict(zip(rng.sample(range(number), len(chosen)), chosen, strict=True)) if number >= len(chosen) else {}
    of_kept = iter(range(number))
    for position, (started, kept) in enumerate(sorted(moments)):
        language = first.get(next(of_kept)) if kept else None
        script = decks[language or _weighted(chosen, rng)].draw()
        place, written, postcode = _place(offices, script, places_of[script.language], towns, rng)
        # The last but two of all has not consented, so that everybody can see what that looks like.
        last_but_two = position == len(moments) - 3
        consent = (rng.random() < CONSENT and not last_but_two) or (kept and started < recent)
        yield Performance(script, started, _weighted(CHANNELS, rng), consent, kept, place, written, postcode)


class _Deck:
    """Scripts in chance order, each once before any comes again; emergencies are rarer."""

    def __init__(self, scripts: tuple[Script, ...], rng: random.Random) -> None:
        self._scripts, self._rng, self._left = scripts, rng, list[Script]()

    def draw(self) -> Script:
        if not self._left:
            some = [one for one in self._scripts if not one.emergency or self._rng.random() < 0.5]
            self._left = self._rng.sample(some, len(some))
        return self._left.pop()


def _moments(number: int, first: int, last: int, rng: random.Random, now: datetime) -> Iterator[datetime]:
    """Return moments from ``last`` to ``first`` days ago, at times when people are awake, more of them lately."""
    today = now.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    days = {back: (WEEKEND if (today - timedelta(days=back)).weekday() > 4 else 1.0) * (1.3 - back / 150) for back in range(first, last)}
    latest = now - timedelta(minutes=35)
    for count in range(number):
        back = _weighted(days, rng)
        moment = today - timedelta(days=back) + timedelta(hours=_weighted(HOURS, rng), seconds=rng.randrange(3600))
        if moment > latest:
            moment -= timedelta(days=rng.randrange(1, 8))
        # A few have just been, at any hour of the day.
        yield latest - timedelta(minutes=rng.randrange(2, 90)) if first == 0 and count < 3 else moment.astimezone(now.tzinfo)


def _towns(offices: Session) -> dict[str, float]:
    """Return the towns in which conversations take place: the larger, the likelier."""
    query = select(Town.name, Town.population).where(Town.population >= SMALLEST_TOWN).order_by(Town.population.desc(), Town.id)
    return {row.name: row.population**0.5 for row in offices.execute(query)}


def _place(
    offices: Session, script: Script, own: Mapping[str, str], towns: dict[str, float], rng: random.Random
) -> tuple[Place | None, str, str]:
    """Return a place for a conversation, how the person writes it, and its postcode."""
    if script.where != SOMEWHERE:
        return (places.abroad() if script.where == ABROAD else None), "", ""
    while True:
        name = rng.choice(list(own)) if rng.random() < _OWN_WAY else _weighted(towns, rng)
        found = places.resolve(offices, name).place
        # Towns of one name in several places would need a question.
        if found is not None:
            query = select(Town.postcode).where(Town.name == found.name, Town.district == found.district)
            return found, own.get(name, found.name), offices.scalars(query).first() or ""
        if name in own:
            raise ScriptError(f"{script.language}.yml: the place {name!r} is unknown or ambiguous.")


def _weighted(weights: dict[Any, Any], rng: random.Random) -> Any:
    return rng.choices(list(weights), list(weights.values()))[0]


# ---------------------------------------------------------------------- writing


def _write(stage: Stage, one: Performance) -> None:
    """Write one conversation turn by turn, as the gateway does."""
    rng, session = stage.rng, stage.session
    conversation = Conversation(
        id=_word(rng, 32),
        channel=one.channel,
        language=one.script.language,
        language_chosen=True,
        started_at=one.started,
        last_activity_at=one.started,
        consent_to_review=False,
        engine_started=True,
    )
    session.add(conversation)
    session.flush()
    moment, turns = one.started, list[FinishedTurn]()
    for turn in _turns(stage, one):
        moment += timedelta(seconds=rng.randrange(12, 75)) if turns else timedelta()
        conversation.last_activity_at = moment
        records.write(session, conversation, turn, moment)
        turns.append(turn)
        if one.consent and one.kept and not conversation.consent_to_review and len(turns) == 2:
            # The chat asks for consent after its first answer.
            conversation.consent_to_review, conversation.consent_at = True, moment + timedelta(seconds=8)
            records.set_consent(session, conversation, turns, conversation.consent_at)
    for turn, line in zip(turns[1:], one.script.lines, strict=True):
        helpful = _feedback(line, rng)
        if helpful is not None and turn.messages:
            records.set_helpful(session, conversation.id, turn.messages[0]["id"], helpful)
    transcript = session.execute(select(Transcript).where(Transcript.conversation_id == conversation.id)).scalar_one()
    transcript.key = _word(rng, 22)
    # The words that were taken out stand in the script already; real ones are counted by the redaction.
    for row in session.scalars(select(TranscriptTurn).where(TranscriptTurn.transcript_id == transcript.id)):
        found = Counter(_KINDS[word] for word in _TAKEN_OUT.findall(row.text or "")) if row.author == PERSON else None
        if found:
            row.redacted = json.dumps(found)
    if one.kept:
        stage.scripts_of[transcript.key] = one.script
    session.flush()


def _turns(stage: Stage, one: Performance) -> Iterator[FinishedTurn]:
    rng, case = stage.rng, Case(one.script.language)
    # On a messenger the conversation begins with what the person wants.
    greeting = ("utter_welcome", "utter_ask_need") if one.channel == "web" else ("utter_welcome",)
    yield _finished(stage, case, "start", None, None, greeting)
    for number, line in enumerate(one.script.lines, 1):
        said = stage.answers.title(line.press, case.language) if line.press else _fill(rng.choice(line.say), one)
        _learn(stage, case, line, one)
        try:
            yield _finished(stage, case, "button" if line.press else "text", said, line, line.reply, one)
        except LookupError as error:
            raise ScriptError(f"{case.language}.yml: conversation {one.script.id!r}, turn {number}: {error}.") from error


def _learn(stage: Stage, case: Case, line: Line, one: Performance) -> None:
    """Note what a message tells, as the slots of the guide do."""
    if line.intent in (
        "recognition",
        "qualification",
        "fair_integration",
        "employer_service",
        "immigration_law",
        "programme_info",
        "human",
    ):
        case.need = line.intent
    case.profession = line.entities.get("profession", case.profession)
    named = line.entities.get("place", "")
    if one.script.where == ABROAD:
        case.place = one.place
    elif named in (PLACE, POSTCODE) and one.place is not None:
        case.place = one.place if named == PLACE else places.resolve(stage.answers.directory, one.postcode).place
    case.named_place = _fill(named, one)


def _finished(
    stage: Stage, case: Case, kind: str, said: str | None, line: Line | None, reply: tuple[str, ...], one: Performance | None = None
) -> FinishedTurn:
    rng = stage.rng
    messages = [{**message, "id": _word(rng, 32)} for message in stage.answers.to(case, reply)]
    responses, latency = [message["response"] for message in messages], round(rng.lognormvariate(4.6, 0.5))
    if line is None or one is None:
        return FinishedTurn(rng.randrange(1, 2**31), kind, said, messages, TurnFacts(responses=responses, latency_ms=latency))
    # The same sentence is understood a little better or worse each time.
    confidence = line.confidence if line.press else round(min(0.999, max(0.3, line.confidence + rng.uniform(-0.04, 0.02))), 3)
    entities = [
        {"entity": name, "value": one.place.name if value == PLACE and one.place else _fill(value, one)}
        for name, value in line.entities.items()
    ]
    facts = TurnFacts(line.intent, confidence, case.need, entities, responses, latency)
    return FinishedTurn(rng.randrange(1, 2**31), kind, said, messages, facts)


def _fill(text: str, one: Performance) -> str:
    return text.replace(PLACE, one.written).replace(POSTCODE, one.postcode)


def _feedback(line: Line, rng: random.Random) -> bool | None:
    if rng.random() > _RATED + (0.3 if line.answer else 0):
        return None
    return {"helpful": True, "wrong": False, "dangerous": False}.get(line.answer, rng.random() < 0.85)


def _word(rng: random.Random, length: int) -> str:
    """Return a random word; not secret, but the same for the same seed."""
    return "".join(rng.choices("0123456789abcdef", k=length))


# ---------------------------------------------------------------------- the end


def _end_all(settings: Settings, kept: set[str], rng: random.Random, now: datetime) -> None:
    """End all conversations and count them; the retention then takes those that are not ``kept``."""
    url = settings.transcripts_url
    with database.session(url) as session:
        session.execute(delete(Conversation).execution_options(synchronize_session=False))
        keys = sorted(set(session.scalars(select(Transcript.key))) - kept)
        consented = [key for key in keys if rng.random() < CONSENT]
        _set_consent(session, consented, True)
    closing.close_ended(url, now)
    with database.session(url) as session:
        # Counted with consent; their texts were never written, so that they go now with those without.
        _set_consent(session, consented, False)
        for row in session.scalars(select(Transcript)):
            row.ended_at = row.last_activity_at + timedelta(minutes=settings.idle_minutes)


def _set_consent(session: Session, keys: list[str], consent: bool) -> None:
    for begin in range(0, len(keys), 500):
        some = Transcript.key.in_(keys[begin : begin + 500])
        session.execute(update(Transcript).where(some).values(consent=consent).execution_options(synchronize_session=False))
