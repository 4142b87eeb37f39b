"""Made-up conversations in eleven languages, from a handful to a million: for a look at the review, and for its benchmark.

They go straight into the tables of the transcripts, with their index for the search and their figures, as if they had been
held and had ended. The same seed makes the same conversations.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any

from sqlalchemy import func, insert, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bot.transcripts import database, labels
from bot.transcripts import generator_material as material
from bot.transcripts.figures import FEEDBACK, GAP_RESPONSES, MONTHLY
from bot.transcripts.generator_material import Card, Chance, Said, Town
from bot.transcripts.record_models import (
    DONE,
    GUIDE,
    IN_REVIEW,
    NEW,
    OUTCOMES,
    PERSON,
    DailyCount,
    Transcript,
    TranscriptLabel,
    TranscriptNeed,
    TranscriptOffice,
    TranscriptTurn,
)
from bot.transcripts.records import ANSWERS, NO_ANSWER

AT_ONCE = 5_000
# Stands for "no value" in what PostgreSQL reads.
_NULL = "\\N"
# Name of a label and the share of the transcripts that have it.
LABELS = {"Gute Antwort": 0.02, "Übersetzung prüfen": 0.01, "Verzeichnis prüfen": 0.005, "Für die Schulung": 0.001}
# A label that is on so many transcripts, however many there are.
RARE_LABEL, RARE = "Rückfrage an das Netzwerk", 20
_HOURS = Chance(dict(enumerate((1, 1, 1, 1, 1, 2, 4, 7, 12, 15, 16, 15, 12, 13, 14, 13, 12, 11, 11, 12, 12, 10, 6, 3))))
_LANGUAGE, _NEED, _CHANNEL = Chance(material.LANGUAGES), Chance(material.NEEDS), Chance(material.CHANNELS)
_MESSAGES = Chance({1: 38, 2: 36, 3: 13, 4: 6, 5: 3, 6: 2, 9: 1, 18: 0.3, 45: 0.1})


# Answers to a need without a place, by the need.
_ANSWERED = {"programme_info": "utter_programme_info", "immigration_law": "utter_immigration_law"}
_EMPTY: dict[str, Any] = {
    "kind": "text",
    "text": None,
    "intent": None,
    "confidence": None,
    "entities": None,
    "message_id": None,
    "response": None,
    "referral": None,
    "helpful": None,
    "latency_ms": None,
}


@dataclass(frozen=True)
class _Exchange:
    """A message of the person and the answer to it."""

    intent: str
    said: Said
    response: str
    confidence: float
    cards: tuple[Card, ...] = ()


@dataclass
class _Batch:
    """Rows that are written together."""

    transcripts: list[dict[str, Any]] = field(default_factory=list)
    turns: list[dict[str, Any]] = field(default_factory=list)
    needs: list[dict[str, Any]] = field(default_factory=list)
    offices: list[dict[str, Any]] = field(default_factory=list)
    labels: list[dict[str, Any]] = field(default_factory=list)
    words: list[dict[str, Any]] = field(default_factory=list)


def generate(
    url: str,
    count: int,
    seed: int = 1,
    *,
    now: datetime | None = None,
    days: int = 365,
    staff_ids: Sequence[int] = (),
    progress: Callable[[int], None] | None = None,
) -> int:
    """Add made-up conversations of the last days.

    Args:
        url: the database, with its tables.
        count: how many.
        seed: the same seed and moment make the same conversations.
        now: the moment at which the last one has ended.
        days: over how many days they are spread.
        staff_ids: accounts to which some are assigned.
        progress: called after each batch with the number that is done.

    Returns:
        How many were added.
    """
    moment = now or datetime.now(timezone.utc)
    maker = _Maker(random.Random(seed), moment, days, tuple(staff_ids))
    with database.session(url) as session:
        first = (session.scalar(select(func.max(Transcript.id))) or 0) + 1
        maker.label_ids = {name: labels.create(session, name).id for name in (*LABELS, RARE_LABEL)}
    rare = {count * (2 * number + 1) // (2 * RARE) for number in range(min(RARE, count))}
    for begin in range(0, count, AT_ONCE):
        batch = _Batch()
        for number in range(begin, min(begin + AT_ONCE, count)):
            maker.conversation(batch, first + number, number / count, number in rare)
        with database.session(url) as session:
            _write(session, batch)
        if progress is not None:
            progress(min(begin + AT_ONCE, count))
    with database.session(url) as session:
        _count(session, maker.counts)
        _finish(session)
    return count


class _Maker:
    """Makes one conversation after the other."""

    def __init__(self, chance: random.Random, now: datetime, days: int, staff_ids: tuple[int, ...]) -> None:
        self.chance, self.now, self.days, self.staff_ids = chance, now, days, staff_ids
        self.label_ids: dict[str, int] = {}
        self.counts: Counter[tuple[date, str, str]] = Counter()
        self.towns, self.sizes = material.towns()
        self.town: Town | None = None  # where the person of this conversation lives, once it is known

    def conversation(self, batch: _Batch, id_: int, share: float, rare_label: bool) -> None:
        """Add one conversation to a batch; ``share`` tells how far in the period it lies."""
        chance = self.chance
        begin = self._begin(share)
        need = _NEED.one(chance)
        row: dict[str, Any] = {
            "id": id_,
            "key": f"{chance.getrandbits(130):027x}"[:22],
            "channel": _CHANNEL.one(chance),
            "language": _LANGUAGE.one(chance),
            "started_at": begin,
            "consent": chance.random() < 0.6,
            "state": None,
            "district": None,
            "need": need,
            "outcome": OUTCOMES[-1],
            "messages": 0,
            "fallbacks": 0,
            "min_confidence": None,
            "crisis": need == "crisis",
            "not_helpful": False,
            "unanswered": False,
            "dangerous": False,
        }
        seconds = self._turns(batch, row, begin)
        last = min(begin + timedelta(seconds=seconds), self.now - timedelta(minutes=1))
        row["last_activity_at"], row["ended_at"] = last, min(last + timedelta(minutes=30), self.now)
        row["consent_at"] = begin + timedelta(seconds=40) if row["consent"] else None
        self._review(row)
        batch.transcripts.append(row)
        needs = {need} | ({_NEED.one(chance)} - {"crisis", "out_of_scope"} if chance.random() < 0.2 else set())
        batch.needs += [{"transcript_id": id_, "need": one, "last_activity_at": last} for one in sorted(needs)]
        for one in reversed(batch.offices):
            if one["transcript_id"] != id_:
                break
            one["last_activity_at"] = last
        chosen = [name for name, part in LABELS.items() if chance.random() < part] + ([RARE_LABEL] if rare_label else [])
        batch.labels += [{"transcript_id": id_, "label_id": self.label_ids[name], "last_activity_at": last} for name in chosen]
        self._figures(batch, row, needs)

    def _begin(self, share: float) -> datetime:
        day = self.now - timedelta(days=self.days * (1 - share))
        begin = day.replace(hour=_HOURS.one(self.chance), minute=self.chance.randrange(60), second=self.chance.randrange(60))
        begin = begin.replace(microsecond=self.chance.randrange(1_000_000))
        return begin if begin < self.now - timedelta(minutes=20) else day - timedelta(minutes=20, seconds=self.chance.randrange(1200))

    def _turns(self, batch: _Batch, row: dict[str, Any], begin: datetime) -> int:
        """Add what was said; return how many seconds it took."""
        chance, seconds, kept = self.chance, 0, row["consent"]
        words: list[str] = []
        offices: set[str] = set()
        self.town = None
        for number in range(_MESSAGES.one(chance)):
            one = self._exchange(row, number)
            common: dict[str, Any] = {
                **_EMPTY,
                "transcript_id": row["id"],
                "created_at": begin + timedelta(seconds=seconds),
                "language": row["language"],
            }
            asked = {**common, "author": PERSON, "position": 2 * number, "intent": one.intent, "confidence": one.confidence}
            place = self.town.name.text if self.town else ""
            answered = {**common, "author": GUIDE, "position": 2 * number + 1, "response": one.response}
            answered |= {"message_id": f"{chance.getrandbits(64):016x}", "latency_ms": chance.randrange(15, 90)}
            if chance.random() < 0.12:
                answered["helpful"] = chance.random() < 0.75
            if kept:
                entities = [{"entity": "place", "value": place}] if one.intent == "inform" else []
                asked |= {"text": one.said.text, "entities": json.dumps(entities, ensure_ascii=False)}
                answered["text"] = material.answer(one.response, row["language"], place)
                answered["referral"] = material.referral(row["need"], self.town, one.cards) if one.cards and self.town else None
            batch.turns += [asked, answered]
            words.append(one.said.words)
            offices.update(card.id for card in one.cards)
            _carry(row, one, answered["helpful"])
            seconds += chance.randrange(15, 120)
        batch.offices += [{"transcript_id": row["id"], "office_id": office} for office in sorted(offices)]
        if kept:
            batch.words.append({"id": row["id"], "words": " ".join(words)})
        return seconds

    def _exchange(self, row: dict[str, Any], number: int) -> _Exchange:
        """Return what the person says next and what the guide answers."""
        chance, need, known = self.chance, row["need"], material.examples()
        confidence = round(min(0.99, max(0.02, chance.gauss(0.86, 0.14))), 3)

        def said(intent: str) -> Said:
            return chance.choice(known[row["language"], intent])

        if need in ("crisis", "out_of_scope"):
            return _Exchange(need, said(need), f"utter_{need}", confidence)
        if chance.random() < 0.06:
            return _Exchange("nlu_fallback", said(need), "utter_default", round(chance.uniform(0.02, 0.4), 3))
        if number == 0 or (number > 1 and chance.random() < 0.7):
            intent = chance.choice([need, *material.topics().get(need, [])]) if chance.random() < 0.6 else need
            alone = "utter_ask_place" if self.town is None and need not in ("programme_info", "immigration_law") else "utter_thank"
            response = f"utter_{intent}" if intent != need else _ANSWERED.get(need, alone)
            return _Exchange(intent, said(intent), response, confidence)
        if self.town is None:
            self.town = chance.choices(self.towns, cum_weights=self.sizes)[0]
            row["state"], row["district"] = self.town.state, self.town.district
            cards = material.cards(need, self.town.state, chance)
            local = "utter_referral" if any(card.state for card in cards) else "utter_referral_next_best"
            return _Exchange("inform", self.town.name, local if cards else "utter_referral_none", confidence, tuple(cards))
        return _Exchange("thank", said("thank"), "utter_thank", confidence)

    def _review(self, row: dict[str, Any]) -> None:
        """Say where its review stands: most of the older ones are done."""
        chance, age = self.chance, self.now - row["last_activity_at"]
        open_ = chance.random() < (0.85 if age < timedelta(days=10) else 0.2)
        row["dangerous"] = chance.random() < 0.002
        row["review_state"] = (IN_REVIEW if chance.random() < 0.03 else NEW) if open_ else DONE
        row["reviewed_at"] = None if open_ else min(row["ended_at"] + timedelta(hours=chance.randrange(1, 90)), self.now)
        row["need_right"] = None if open_ else chance.random() < 0.93
        somebody = chance.choice(self.staff_ids) if self.staff_ids else None
        row["reviewed_by"] = None if open_ else somebody
        row["assigned_to"] = somebody if row["review_state"] == IN_REVIEW or chance.random() < 0.02 else None

    def _figures(self, batch: _Batch, row: dict[str, Any], needs: set[str]) -> None:
        """Count the conversation as :mod:`bot.transcripts.figures` does when it has ended."""
        number = 2 * row["messages"]
        turns = batch.turns[-number:] if number else []
        state, district = row["state"], row["district"]
        measures = [("visit", "all"), ("conversation", "all"), ("channel", row["channel"]), ("language", row["language"])]
        measures += [("outcome", row["outcome"]), *(("need", need) for need in needs)]
        measures += [("message", "all")] * row["messages"] + [("message", "fallback")] * row["fallbacks"]
        measures += [("conversation", "consent")] if row["consent"] else []
        measures += [("state", state), ("district", district), *(("need_state", f"{need}|{state}") for need in needs)] if state else []
        measures += [("unanswered", row["language"])] if row["unanswered"] else []
        measures += [("feedback", FEEDBACK[turn["helpful"]]) for turn in turns if turn["helpful"] is not None]
        if any(turn["response"] in GAP_RESPONSES for turn in turns):
            measures.append(("gap", f"{row['need']}|{district or state or ''}"))
        day = row["started_at"].date()
        month = day.replace(day=1)
        self.counts.update((month if measure in MONTHLY else day, measure, key) for measure, key in measures)


def _carry(row: dict[str, Any], one: _Exchange, helpful: bool | None) -> None:
    """Carry an exchange over into the columns by which transcripts are found."""
    row["messages"] += 1
    row["min_confidence"] = min(one.confidence, row["min_confidence"] or 1.0)
    row["fallbacks"] += one.intent == "nlu_fallback"
    row["not_helpful"] = row["not_helpful"] or helpful is False
    row["unanswered"] = row["unanswered"] or one.response in NO_ANSWER
    if one.cards:
        reached = "referred"
    elif "/" in one.response or one.response in ANSWERS:
        reached = "answered"
    else:
        reached = "emergency" if row["need"] == "crisis" else "unanswered"
    row["outcome"] = min(reached, row["outcome"], key=OUTCOMES.index)


def _write(session: Session, batch: _Batch) -> None:
    postgres = session.get_bind().dialect.name == "postgresql"
    for model, rows in (
        (Transcript, batch.transcripts),
        (TranscriptTurn, batch.turns),
        (TranscriptNeed, batch.needs),
        (TranscriptOffice, batch.offices),
        (TranscriptLabel, batch.labels),
    ):
        if rows and postgres:
            _copy(session, model.__tablename__, rows)
        elif rows:
            session.execute(insert(model.__table__), rows)
    if batch.words and postgres:
        session.execute(text("CREATE TEMPORARY TABLE said (id INTEGER, words TEXT) ON COMMIT DROP"))
        _copy(session, "said", batch.words)
        session.execute(text("INSERT INTO transcript_search (id, words) SELECT id, to_tsvector('simple', words) FROM said"))
    elif batch.words:
        session.execute(text("INSERT INTO transcript_search (rowid, words) VALUES (:id, :words)"), batch.words)


def _copy(session: Session, table: str, rows: list[dict[str, Any]]) -> None:
    """Write rows into a table of PostgreSQL: several times as fast as INSERT."""
    columns = list(rows[0])
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerows([_NULL if row[name] is None else row[name] for name in columns] for row in rows)
    lines.seek(0)
    names = ", ".join(f'"{name}"' for name in columns)
    with session.connection().connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {table} ({names}) FROM STDIN WITH (FORMAT csv, NULL '{_NULL}')", lines)


def _count(session: Session, counts: Counter[tuple[date, str, str]]) -> None:
    """Add the figures to those that are there."""
    made: Any = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    rows = [{"day": day, "measure": measure, "key": key, "count": number} for (day, measure, key), number in sorted(counts.items())]
    statement = made(DailyCount)
    more = statement.on_conflict_do_update(
        index_elements=["day", "measure", "key"], set_={"count": DailyCount.count + statement.excluded.count}
    )
    if rows:
        session.execute(more, rows)


def _finish(session: Session) -> None:
    """Let the database go on counting behind the new rows."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT setval(pg_get_serial_sequence('transcript', 'id'), (SELECT max(id) FROM transcript))"))
