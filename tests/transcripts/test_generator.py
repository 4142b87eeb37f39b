"""The generator of made-up conversations: believable, the same for the same seed, counted and searchable like real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from bot.languages import SPOKEN_LANGUAGES
from bot.transcripts import database, figures, search
from bot.transcripts.generator import LABELS, RARE, RARE_LABEL, generate
from bot.transcripts.record_models import (
    GUIDE,
    OUTCOMES,
    PERSON,
    DailyCount,
    Label,
    Transcript,
    TranscriptLabel,
    TranscriptNeed,
    TranscriptOffice,
    TranscriptTurn,
)
from tests.review.support import NOW, make_staff, make_transcript

COUNT = 400


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = f"sqlite:///{tmp_path_factory.mktemp('generated') / 'transcripts.db'}"
    database.upgrade(made)
    with database.session(made) as session:
        ids = [make_staff(session).id for _ in range(2)]
    generate(made, COUNT, seed=3, now=NOW, days=60, staff_ids=ids)
    return made


@pytest.fixture
def session(url: str) -> Iterator[Session]:
    with database.session(url) as opened:
        yield opened


def test_it_makes_as_many_as_asked_for_in_all_languages(session: Session) -> None:
    rows = session.scalars(select(Transcript)).all()
    assert len(rows) == COUNT
    assert {row.language for row in rows} == set(SPOKEN_LANGUAGES)
    assert {row.review_state for row in rows} == {"new", "in_review", "done"}
    assert {row.outcome for row in rows} <= set(OUTCOMES)
    assert len({row.key for row in rows}) == COUNT


def test_times_fit_together(session: Session) -> None:
    for row in session.scalars(select(Transcript)):
        assert row.started_at <= row.last_activity_at <= row.ended_at <= NOW
        assert row.reviewed_at is None or row.ended_at <= row.reviewed_at <= NOW
    for model in (TranscriptNeed, TranscriptOffice, TranscriptLabel):
        query = select(func.count()).select_from(model).join(Transcript, Transcript.id == model.transcript_id)
        assert session.scalar(query.where(model.last_activity_at != Transcript.last_activity_at)) == 0


def test_texts_are_kept_only_with_consent(session: Session) -> None:
    rows = session.execute(select(TranscriptTurn, Transcript.consent).join(Transcript, Transcript.id == TranscriptTurn.transcript_id)).all()
    assert {consent for _, consent in rows} == {True, False}
    for turn, consent in rows:
        assert (turn.text is not None) == consent
        assert consent or (turn.entities is None and turn.referral is None)


def test_the_columns_of_a_transcript_say_what_its_turns_say(session: Session) -> None:
    for row in session.scalars(select(Transcript)):
        asked = [turn for turn in row.turns if turn.author == PERSON]
        answers = [turn for turn in row.turns if turn.author == GUIDE]
        assert [turn.position for turn in row.turns] == list(range(len(row.turns)))
        assert row.messages == len(asked) == len(answers)
        assert row.min_confidence == min(turn.confidence for turn in asked)
        assert row.fallbacks == sum(turn.intent == "nlu_fallback" for turn in asked)
        assert row.not_helpful == any(turn.helpful is False for turn in answers)
        assert row.need in {one.need for one in row.needs}


def test_it_counts_as_the_figures_count(session: Session) -> None:
    expected: Counter[tuple[object, str, str]] = Counter()
    for row in session.scalars(select(Transcript)):
        day = row.started_at.date()
        for (measure, key), number in [*figures._measures(session, row).items(), (("visit", "all"), 1)]:
            expected[day.replace(day=1) if measure in figures.MONTHLY else day, measure, key] += number
    found = {(row.day, row.measure, row.key): row.count for row in session.scalars(select(DailyCount))}
    assert found == {key: number for key, number in expected.items() if number}


def test_the_search_finds_what_was_said_and_can_forget_it(session: Session) -> None:
    query = select(TranscriptTurn).where(TranscriptTurn.author == PERSON, TranscriptTurn.text.is_not(None))
    turn = session.scalars(query.order_by(TranscriptTurn.id.desc())).first()
    assert turn is not None
    hits = search.matching(session, turn.text)
    assert hits is not None
    assert turn.transcript_id in session.scalars(hits).all()
    search.remove(session, [turn.transcript_id])
    assert turn.transcript_id not in session.scalars(hits).all()
    session.execute(text("INSERT INTO transcript_search (transcript_search) VALUES ('integrity-check')"))
    session.rollback()


def test_labels_are_frequent_and_rare(session: Session) -> None:
    query = select(Label.name, func.count(TranscriptLabel.transcript_id)).outerjoin(TranscriptLabel).group_by(Label.name)
    counts = {row[0]: row[1] for row in session.execute(query)}
    assert set(counts) == {*LABELS, RARE_LABEL}
    assert counts[RARE_LABEL] == RARE


def _all(url: str) -> list[tuple]:
    with database.session(url) as session:
        return [tuple(row) for row in session.execute(select(Transcript.__table__).order_by(Transcript.id))]


def test_the_same_seed_makes_the_same_conversations(tmp_path: Path) -> None:
    made = []
    for number, seed in enumerate((1, 1, 2)):
        url = f"sqlite:///{tmp_path / str(number)}.db"
        database.upgrade(url)
        generate(url, 20, seed, now=NOW)
        made.append(_all(url))
    assert made[0] == made[1] != made[2]


def test_it_adds_to_what_is_there_and_tells_its_progress(tmp_path: Path, postgres_url: str) -> None:
    for url in (f"sqlite:///{tmp_path / 'transcripts.db'}", postgres_url):
        database.upgrade(url)
        with database.session(url) as session:
            make_transcript(session)
        told: list[int] = []
        assert generate(url, 15, now=NOW, progress=told.append) == 15
        generate(url, 5, seed=2, now=NOW)
        assert told == [15]
        with database.session(url) as session:
            # The next real one gets an id of its own.
            make_transcript(session)
            assert session.scalar(select(func.count()).select_from(Transcript)) == 22
            assert session.scalar(select(func.sum(DailyCount.count)).where(DailyCount.measure == "visit")) == 20
        database.engine(url).dispose()
