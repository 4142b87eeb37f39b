"""The work that has been done already in the demonstration: judgements, labels, notes, call-backs, saved filters.

Done with the code of the review, so that everything can be taken back, counted and exported like the work of people.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from actions.directory import database as directory
from actions.directory import places
from bot.demo.conversations import ZONE
from bot.demo.scripts import Call, Line, Script, Scripts, known_intents
from bot.review.services import ReviewServices
from bot.transcripts import audit, callbacks, labels, reading, reviews
from bot.transcripts.callbacks import Contact, NewCallback
from bot.transcripts.inbox_filter import ALL, ME, InboxFilter
from bot.transcripts.record_models import (
    CALLBACK_CALLED,
    CALLBACK_DONE,
    CALLBACK_NEW,
    DONE,
    GUIDE,
    IN_REVIEW,
    PERSON,
    Transcript,
    TranscriptTurn,
)
from bot.transcripts.reviews import By
from bot.transcripts.staff_models import REVIEWER, SavedFilter, Staff

DONE_SHARE, BEGUN_SHARE = 1 / 3, 1 / 10
CALLS = 12
# Nobody has reviewed what came in within the last hours.
UNTOUCHED = timedelta(hours=8)
_CALL_STATUS = (CALLBACK_NEW, CALLBACK_CALLED, CALLBACK_NEW, CALLBACK_DONE, CALLBACK_NEW, CALLBACK_CALLED)
_CALL_TOWNS = ("Dortmund", "Köln", "Berlin", "München", "Leipzig", "Hamburg", "Stuttgart", "Bremen", "Mainz", "Kiel", "Essen", "Erfurt")
FILTERS = (
    ("Notfälle", InboxFilter(tab=ALL, crisis=True)),
    ("Nicht verstanden, noch neu", InboxFilter(fallback=True)),
    ("Arabisch, Lohn und Kündigung", InboxFilter(tab=ALL, language="ar", need="fair_integration")),
    ("Mir zugewiesen", InboxFilter(tab=ALL, assigned=ME)),
)


def do(services: ReviewServices, files: Sequence[Scripts], scripts_of: Mapping[str, Script], seed: int, now: datetime) -> None:
    """Judge a part of the conversations, ask for call-backs and answer some, save filters.

    Args:
        services: settings and keys.
        files: all scripts, for the call-backs.
        scripts_of: what each transcript was made from, by its key.
        seed: the same seed gives the same work.
        now: the moment.
    """
    rng = random.Random(f"work {seed}")
    with services.session() as session:
        people = [one for one in session.scalars(select(Staff).order_by(Staff.id)) if REVIEWER in one.roles.split(",")]
        _judge_some(session, people, scripts_of, rng, now)
        for staff in people:
            session.add_all(SavedFilter(staff_id=staff.id, name=name, query=found.to_query()) for name, found in FILTERS)
        _ask_for_calls(session, services, [call for one in files for call in one.calls], people, rng, now)


# ---------------------------------------------------------------------- judgements


def _judge_some(session: Session, people: list[Staff], scripts_of: Mapping[str, Script], rng: random.Random, now: datetime) -> None:
    query = select(Transcript).where(Transcript.consent, Transcript.last_activity_at < now - UNTOUCHED)
    waiting = [one for one in session.scalars(query.order_by(Transcript.last_activity_at)) if one.key in scripts_of]
    total = len(scripts_of)

    def order(transcript: Transcript) -> float:
        # What is old has been seen, and so has what is wrong; of either a part still waits for whoever looks.
        age = (now - transcript.last_activity_at) / timedelta(days=28)
        return rng.random() + age + (0.9 if scripts_of[transcript.key].judged else 0.0) + (0.4 if transcript.crisis else 0.0)

    ranked = sorted(waiting, key=order, reverse=True)
    done, begun = round(total * DONE_SHARE), round(total * BEGUN_SHARE)
    jobs = []
    for transcript in ranked[: done + begun]:
        who = _reviewer(people, transcript.state, rng)
        when = _in_office_hours(transcript.last_activity_at + timedelta(hours=rng.uniform(3, 40)), rng)
        when = min(when, now - timedelta(minutes=rng.randrange(130, 400)))
        jobs.append((when, transcript, who, transcript in ranked[:done]))
    # In the order of time, like the entries of the audit trail.
    for when, transcript, who, finished in sorted(jobs, key=lambda job: job[0]):
        _Desk(session, transcript, who, By(who.id, when)).judge(scripts_of[transcript.key], rng, finished)
    left = ranked[done + begun :]
    for transcript in rng.sample(left, min(max(len(ranked) // 20, 1), len(left))):
        who = _reviewer(people, transcript.state, rng)
        _Desk(session, transcript, who, By(who.id, now - timedelta(hours=2))).assign(who)


def _in_office_hours(moment: datetime, rng: random.Random) -> datetime:
    """Return the moment, or the next one at which somebody is in the office."""
    local = moment.astimezone(ZONE)
    if not 8 <= local.hour < 17:
        local = local.replace(hour=rng.randrange(8, 17)) + timedelta(days=local.hour >= 17)
    return (local + timedelta(days=max(0, 7 - local.weekday()) if local.weekday() > 4 else 0)).astimezone(moment.tzinfo)


def _reviewer(people: list[Staff], state: str | None, rng: random.Random) -> Staff:
    return rng.choice([one for one in people if reading.is_reviewer_of(one, state)])


class _Desk:
    """One reviewer at work on one conversation."""

    def __init__(self, session: Session, transcript: Transcript, who: Staff, by: By) -> None:
        self.session, self.transcript, self.who, self.by = session, transcript, who, by

    def judge(self, script: Script, rng: random.Random, finished: bool) -> None:
        """Do what a reviewer does; stop in the middle if it is not ``finished``."""
        transcript = self.transcript
        if transcript.need or script.right_need:
            wrong = bool(script.right_need) and script.right_need != transcript.need
            right_need = script.right_need if wrong else ""
            self._do("transcript.need", {"right": not wrong, "right_need": right_need or None},
                     lambda: reviews.judge_need(transcript, not wrong, right_need))  # fmt: skip
        turns = list(self.session.scalars(select(TranscriptTurn).where(TranscriptTurn.transcript_id == transcript.id).order_by("position")))
        said = [one for one in turns if one.author == PERSON]
        for turn, line in zip(said, script.lines, strict=True):
            if finished or line.should_be:
                self._understood(turn, line, rng)
            answer = next((one for one in turns if one.author == GUIDE and one.position > turn.position), None)
            if answer is not None and (line.answer or finished and rng.random() < 0.4):
                self._answered(answer, line.answer or "helpful")
        for name in script.labels:
            self._label(name)
        if script.note:
            note = reviews.clean_note(script.note, "de")
            self._do("transcript.note_add", {}, lambda: reviews.add_note(self.session, transcript, self.by, note))
        if finished:
            self._do("transcript.state", {"state": DONE}, lambda: reviews.set_state(transcript, self.by, DONE))
        else:
            self._do("transcript.state", {"state": IN_REVIEW}, lambda: reviews.set_state(transcript, self.by, IN_REVIEW))
            self.assign(self.who)

    def assign(self, who: Staff) -> None:
        """Let somebody look after the conversation."""
        self._do("transcript.assign", {"to": who.id}, lambda: reviews.assign(self.session, self.transcript, who.id))

    def _understood(self, turn: TranscriptTurn, line: Line, rng: random.Random) -> None:
        if not reviews.is_understood(turn) or not (line.should_be or rng.random() < 0.7):
            return
        wrong = bool(line.should_be)
        details = {"turn": turn.position, "right": not wrong, "right_intent": line.should_be or None}
        arguments: tuple[Any, ...] = (self.session, self.transcript, turn, self.by, not wrong, line.should_be, known_intents())
        self._do("transcript.intent", details, lambda: reviews.judge_intent(*arguments))

    def _answered(self, turn: TranscriptTurn, verdict: str) -> None:
        details = {"turn": turn.position, "verdict": verdict}
        self._do("transcript.answer", details, lambda: reviews.judge_answer(self.session, self.transcript, turn, self.by, verdict))

    def _label(self, name: str) -> None:
        label = labels.create(self.session, name)
        details = {"label": label.id}
        self._do("transcript.label_add", details, lambda: labels.add_to_many(self.session, [self.transcript.id], label.id))

    def _do(self, action: str, details: dict[str, Any], change: Any) -> None:
        with reviews.change(self.session, self.transcript, self.by):
            change()
        audit.write(self.session, self.by.now, self.who.id, self.who.name, action, "transcript", self.transcript.key, **details)


# ---------------------------------------------------------------------- call-backs


def _ask_for_calls(
    session: Session, services: ReviewServices, calls: list[Call], people: list[Staff], rng: random.Random, now: datetime
) -> None:
    asked_at: list[tuple[datetime, str, Call]] = []
    for number, call in enumerate(rng.sample(calls, min(CALLS, len(calls)))):
        status = _CALL_STATUS[number % len(_CALL_STATUS)]
        # What is new came lately; what is done is a few days old.
        hours = rng.uniform(1, 40) + {CALLBACK_NEW: 0, CALLBACK_CALLED: 30, CALLBACK_DONE: 90}[status]
        asked_at.append((now - timedelta(hours=hours), status, call))
    for number, (asked, status, call) in enumerate(sorted(asked_at, key=lambda one: one[0])):
        with directory.session(services.settings.directory_url) as offices:
            place = places.resolve(offices, _CALL_TOWNS[number % len(_CALL_TOWNS)]).place
        assert place is not None and place.state is not None
        key = "".join(rng.choices("0123456789abcdef", k=22))
        # Numbers and addresses that belong to nobody (Bundesnetzagentur: numbers for films; RFC 2606).
        reached = {"phone": f"+4917139200{rng.randrange(100):02d}"} if number % 4 != 3 else {"email": f"person{number}@example.org"}
        contact = Contact(name=call.name, time=call.time, time_note=call.time_note, topic=call.topic, **reached)
        new = NewCallback(key, "", place.state, place.district, call.need, call.language)
        callbacks.create(session, services.callback_key, new, contact, asked)
        who = _reviewer(people, place.state, rng)
        steps = {CALLBACK_NEW: (), CALLBACK_CALLED: (CALLBACK_CALLED,), CALLBACK_DONE: (CALLBACK_CALLED, CALLBACK_DONE)}[status]
        was, when = CALLBACK_NEW, asked
        for step in steps:
            when += timedelta(hours=rng.uniform(1, 12))
            callbacks.change(session, key, was, step, who.id, when)
            was = step
