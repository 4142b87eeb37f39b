"""Judging a conversation: what a change does, and how it is taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot.transcripts import database, labels, reading, review_steps, reviews
from bot.transcripts.record_models import DONE, IN_REVIEW, NEW, Note, Notification, Transcript, TranscriptTurn, Undo, Verdict
from bot.transcripts.redaction import Redacted
from bot.transcripts.reviews import By, NotPossible
from bot.transcripts.staff_models import EDITOR, Staff
from tests.review.support import NOW, make_staff, make_transcript

KNOWN = frozenset({"recognition", "crisis", "faq/dismissal"})


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    url = f"sqlite:///{tmp_path / 'transcripts.db'}"
    database.upgrade(url)
    with database.session(url) as opened:
        yield opened


@pytest.fixture
def staff(session: Session) -> Staff:
    return make_staff(session, name="Eine Beraterin")


@pytest.fixture
def transcript(session: Session) -> Transcript:
    return make_transcript(session, "eins", "zwei")


def turns(session: Session, transcript: Transcript) -> list[TranscriptTurn]:
    query = select(TranscriptTurn).where(TranscriptTurn.transcript_id == transcript.id).order_by(TranscriptTurn.position)
    return list(session.scalars(query))


def do(session: Session, transcript: Transcript, staff: Staff, change: Callable[[By], Any], minutes: int = 0) -> Any:
    by = By(staff.id, NOW + timedelta(minutes=minutes))
    with reviews.change(session, transcript, by):
        return change(by)


def answer(session: Session, transcript: Transcript, staff: Staff, turn: TranscriptTurn, verdict: str | None) -> None:
    do(session, transcript, staff, lambda by: reviews.judge_answer(session, transcript, turn, by, verdict))


def undo(session: Session, transcript: Transcript, staff: Staff) -> list[str]:
    return reviews.undo(session, transcript, By(staff.id, NOW))


def waiting(session: Session) -> list[str]:
    return [row.kind for row in session.scalars(select(Notification))]


def test_a_right_need_is_noted_and_the_review_begins(session: Session, transcript: Transcript, staff: Staff) -> None:
    do(session, transcript, staff, lambda by: reviews.judge_need(transcript, True))
    assert (transcript.need_right, transcript.right_need, transcript.review_state) == (True, None, IN_REVIEW)


def test_a_wrong_need_keeps_which_one_is_right(session: Session, transcript: Transcript, staff: Staff) -> None:
    do(session, transcript, staff, lambda by: reviews.judge_need(transcript, False, "crisis"))
    assert (transcript.need_right, transcript.right_need) == (False, "crisis")


def test_whoever_says_wrong_and_chooses_the_same_need_says_right(session: Session, transcript: Transcript, staff: Staff) -> None:
    do(session, transcript, staff, lambda by: reviews.judge_need(transcript, False, "recognition"))
    assert (transcript.need_right, transcript.right_need) == (True, None)


@pytest.mark.parametrize("need", ["", "unknown", "x" * 100])
def test_a_wrong_need_without_the_right_one_is_refused(session: Session, transcript: Transcript, staff: Staff, need: str) -> None:
    with pytest.raises(NotPossible, match="which_need"):
        do(session, transcript, staff, lambda by: reviews.judge_need(transcript, False, need))


def test_an_intent_is_judged_and_the_judgement_taken_back(session: Session, transcript: Transcript, staff: Staff) -> None:
    turn = turns(session, transcript)[0]

    def judge(right: bool | None, intent: str = "") -> Verdict | None:
        do(session, transcript, staff, lambda by: reviews.judge_intent(session, transcript, turn, by, right, intent, KNOWN))
        return session.get(Verdict, turn.id)

    wrong = judge(False, "faq/dismissal")
    assert wrong is not None
    assert (wrong.intent_right, wrong.right_intent, wrong.staff_id) == (False, "faq/dismissal", staff.id)
    right = judge(True)
    assert right is not None
    assert (right.intent_right, right.right_intent) == (True, None)
    assert judge(None) is None


def test_only_known_intents_of_texts_of_the_person_are_taken(session: Session, transcript: Transcript, staff: Staff) -> None:
    person, guide, button, _ = turns(session, transcript)
    button.kind = "button"
    session.flush()

    def judge(turn: TranscriptTurn, intent: str) -> None:
        do(session, transcript, staff, lambda by: reviews.judge_intent(session, transcript, turn, by, False, intent, KNOWN))

    with pytest.raises(NotPossible, match="which_intent"):
        judge(person, "made_up")
    for other in (guide, button):
        with pytest.raises(NotPossible, match="not_judged"):
            judge(other, "crisis")


def test_the_purpose_of_an_exported_correction_outlives_the_judgement(session: Session, transcript: Transcript, staff: Staff) -> None:
    turn = turns(session, transcript)[0]
    for right in (True, None):
        do(session, transcript, staff, lambda by, right=right: reviews.judge_intent(session, transcript, turn, by, right, "", KNOWN))
        verdict = session.get(Verdict, turn.id)
        if right:
            assert verdict is not None
            verdict.purpose, verdict.exported_at = "evaluation", NOW
            session.flush()
    kept = session.get(Verdict, turn.id)
    assert kept is not None
    assert (kept.intent_right, kept.purpose, kept.exported_at) == (None, "evaluation", None)


def test_without_text_nothing_is_judged(session: Session, staff: Staff) -> None:
    silent = make_transcript(session, "eins", consent=False)
    person, guide = turns(session, silent)
    changes: list[Callable[[By], Any]] = [
        lambda by: reviews.judge_need(silent, True),
        lambda by: reviews.judge_intent(session, silent, person, by, True),
        lambda by: reviews.judge_answer(session, silent, guide, by, "helpful"),
    ]
    for change in changes:
        with pytest.raises(NotPossible, match="no_text"):
            do(session, silent, staff, change)


def test_a_dangerous_answer_flags_the_conversation_and_is_told(session: Session, transcript: Transcript, staff: Staff) -> None:
    _, first, _, second = turns(session, transcript)
    answer(session, transcript, staff, first, "dangerous")
    answer(session, transcript, staff, second, "dangerous")
    assert transcript.dangerous
    assert waiting(session) == ["dangerous"]
    answer(session, transcript, staff, first, "wrong")
    assert transcript.dangerous, "another answer is dangerous still"
    answer(session, transcript, staff, second, None)
    assert not transcript.dangerous
    assert waiting(session) == [], "nobody needs to be told any more"


@pytest.mark.parametrize("verdict", ["", "fatal", "DANGEROUS"])
def test_an_unknown_verdict_is_refused(session: Session, transcript: Transcript, staff: Staff, verdict: str) -> None:
    with pytest.raises(NotPossible, match="not_judged"):
        answer(session, transcript, staff, turns(session, transcript)[1], verdict)


def test_done_says_who_and_when_and_new_again_forgets_it(session: Session, transcript: Transcript, staff: Staff) -> None:
    do(session, transcript, staff, lambda by: reviews.set_state(transcript, by, DONE))
    assert (transcript.review_state, transcript.reviewed_by, transcript.reviewed_at) == (DONE, staff.id, NOW)
    do(session, transcript, staff, lambda by: reviews.set_state(transcript, by, NEW))
    assert (transcript.review_state, transcript.reviewed_by, transcript.reviewed_at) == (NEW, None, None)
    with pytest.raises(NotPossible, match="state"):
        do(session, transcript, staff, lambda by: reviews.set_state(transcript, by, "closed"))


def test_a_conversation_is_given_only_to_those_who_may_see_it(session: Session, transcript: Transcript, staff: Staff) -> None:
    same = make_staff(session, states=["DE-NW", "DE-HH"])
    others = [make_staff(session, states=["DE-BY"]), make_staff(session, EDITOR), make_staff(session, disabled_at=NOW)]
    assert {one.id for one in reading.colleagues(session, "DE-NW")} == {staff.id, same.id}
    do(session, transcript, staff, lambda by: reviews.assign(session, transcript, same.id))
    assert transcript.assigned_to == same.id
    for other_id in [*(one.id for one in others), 0, 99_999, 2**40]:
        with pytest.raises(NotPossible, match="colleague"):
            do(session, transcript, staff, lambda by, other_id=other_id: reviews.assign(session, transcript, other_id))
    do(session, transcript, staff, lambda by: reviews.assign(session, transcript, None))
    assert transcript.assigned_to is None


def test_a_note_is_redacted_before_it_is_stored() -> None:
    found = reviews.clean_note("  Bitte zurückrufen: 0231 4567890  ", "de")
    assert "4567890" not in found.text
    assert found.text.startswith("Bitte zurückrufen")
    for text, reason in ((" \n ", "note_empty"), ("x" * (reviews.LONGEST_NOTE + 1), "note_long")):
        with pytest.raises(NotPossible, match=reason):
            reviews.clean_note(text, "de")


def test_only_the_own_note_is_taken_away(session: Session, transcript: Transcript, staff: Staff) -> None:
    other = make_staff(session)
    note_id = do(session, transcript, staff, lambda by: reviews.add_note(session, transcript, by, Redacted("Hallo")))
    for person, wrong_id in ((other, note_id), (staff, note_id + 1), (staff, 2**40)):
        with pytest.raises(NotPossible, match="note_other"):
            do(session, transcript, person, lambda by, wrong_id=wrong_id: reviews.remove_note(session, transcript, by, wrong_id))
    do(session, transcript, staff, lambda by: reviews.remove_note(session, transcript, by, note_id))
    assert reading.notes(session, transcript) == []


def test_every_step_is_taken_back_in_turn(session: Session, transcript: Transcript, staff: Staff) -> None:
    person, guide, _, _ = turns(session, transcript)
    beginning = review_steps.snapshot(session, transcript)
    steps: list[tuple[Callable[[By], Any], list[str]]] = [
        (lambda by: reviews.judge_need(transcript, False, "crisis"), ["need", "review"]),
        (lambda by: reviews.judge_intent(session, transcript, person, by, False, "crisis", KNOWN), ["verdict"]),
        (lambda by: reviews.judge_answer(session, transcript, guide, by, "dangerous"), ["verdict"]),
        (lambda by: reviews.judge_answer(session, transcript, guide, by, "helpful"), ["verdict"]),
        (lambda by: labels.add(session, transcript, "Lohn"), ["label"]),
        (lambda by: reviews.add_note(session, transcript, by, Redacted("Hallo")), ["note"]),
        (lambda by: reviews.remove_note(session, transcript, by, reading.notes(session, transcript)[0].id), ["note"]),
        (lambda by: labels.remove(session, transcript, labels.of(session, transcript.id)[0].id), ["label"]),
        (lambda by: reviews.assign(session, transcript, staff.id), ["assigned"]),
        (lambda by: reviews.set_state(transcript, by, DONE), ["review"]),
    ]
    states = []
    for number, (step, _) in enumerate(steps):
        states.append((review_steps.snapshot(session, transcript), transcript.dangerous))
        do(session, transcript, staff, step, number)
    for (_, expected), (state, dangerous) in reversed(list(zip(steps, states, strict=True))):
        assert undo(session, transcript, staff) == expected
        assert review_steps.snapshot(session, transcript) == state
        assert transcript.dangerous == dangerous
    assert review_steps.snapshot(session, transcript) == beginning
    with pytest.raises(NotPossible, match="nothing_to_undo"):
        undo(session, transcript, staff)


def test_the_same_on_postgresql(postgres_url: str) -> None:
    database.upgrade(postgres_url)
    with database.session(postgres_url) as session:
        test_every_step_is_taken_back_in_turn(session, make_transcript(session, "eins", "zwei"), make_staff(session))


def test_two_people_judge_the_same_message_at_the_same_moment(tmp_path: Path, postgres_url: str) -> None:
    for url in (f"sqlite:///{tmp_path / 'transcripts.db'}", postgres_url):
        database.upgrade(url)
        with database.session(url) as session:
            staff_ids = [make_staff(session).id for _ in range(4)]
            transcript = make_transcript(session)
            key, turn_id = transcript.key, turns(session, transcript)[1].id
        start = Barrier(len(staff_ids))

        def judge(staff_id: int, url: str = url, key: str = key, turn_id: int = turn_id, start: Barrier = start) -> None:
            start.wait()
            with database.session(url) as session:
                found = session.execute(select(Transcript).where(Transcript.key == key)).scalar_one()
                with reviews.change(session, found, By(staff_id, NOW)):
                    turn = reading.find_turn(session, found, turn_id)
                    assert turn is not None
                    reviews.judge_answer(session, found, turn, By(staff_id, NOW), "dangerous")

        with ThreadPoolExecutor(len(staff_ids)) as pool:
            list(pool.map(judge, staff_ids))
        with database.session(url) as session:
            assert len(session.scalars(select(Verdict)).all()) == 1
            assert len(session.scalars(select(Undo)).all()) == 1, "only the first has changed something"
            assert waiting(session) == ["dangerous"]


def test_an_undo_takes_back_only_what_one_has_done_oneself(session: Session, transcript: Transcript, staff: Staff) -> None:
    other = make_staff(session)
    do(session, transcript, staff, lambda by: labels.add(session, transcript, "Lohn"))
    do(session, transcript, other, lambda by: reviews.add_note(session, transcript, by, Redacted("von jemand anderem")))
    assert undo(session, transcript, staff) == ["label"]
    assert [note.text for note in reading.notes(session, transcript)] == ["von jemand anderem"]
    assert not reading.can_undo(session, transcript, staff.id)
    assert reading.can_undo(session, transcript, other.id)


def test_what_a_colleague_has_changed_since_stays(session: Session, transcript: Transcript, staff: Staff) -> None:
    other = make_staff(session)
    do(session, transcript, staff, lambda by: reviews.judge_need(transcript, True))
    do(session, transcript, other, lambda by: reviews.judge_need(transcript, False, "crisis"))
    do(session, transcript, other, lambda by: reviews.set_state(transcript, by, DONE))
    assert undo(session, transcript, staff) == []
    assert (transcript.need_right, transcript.right_need, transcript.review_state) == (False, "crisis", DONE)


def test_a_judgement_of_a_deleted_account_is_restored_without_it(session: Session, transcript: Transcript, staff: Staff) -> None:
    other = make_staff(session)
    guide = turns(session, transcript)[1]
    answer(session, transcript, other, guide, "wrong")
    answer(session, transcript, staff, guide, "helpful")
    session.execute(delete(Staff).where(Staff.id == other.id).execution_options(synchronize_session=False))
    session.expire_all()
    assert undo(session, transcript, staff) == ["verdict"]
    restored = session.get(Verdict, guide.id)
    assert restored is not None
    assert (restored.answer, restored.staff_id) == ("wrong", None)


def test_what_changes_nothing_is_no_step(session: Session, transcript: Transcript, staff: Staff) -> None:
    for _ in range(3):
        do(session, transcript, staff, lambda by: reviews.judge_need(transcript, True))
    assert undo(session, transcript, staff) == ["need", "review"]
    assert not reading.can_undo(session, transcript, staff.id)


def test_only_the_last_steps_are_kept(session: Session, transcript: Transcript, staff: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviews, "STEPS_KEPT", 3)
    for number in range(6):
        do(session, transcript, staff, lambda by, number=number: labels.add(session, transcript, f"Wort {number}"))
    assert len(session.scalars(select(Undo)).all()) == 3


def test_a_conversation_that_is_gone_is_not_changed(session: Session, transcript: Transcript, staff: Staff) -> None:
    session.execute(delete(Transcript).where(Transcript.id == transcript.id).execution_options(synchronize_session=False))
    with pytest.raises(NotPossible, match="gone"):
        do(session, transcript, staff, lambda by: reviews.judge_need(transcript, True))
    with pytest.raises(NotPossible, match="gone"):
        undo(session, transcript, staff)


def test_a_refused_change_leaves_nothing_behind(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'transcripts.db'}"
    database.upgrade(url)
    with database.session(url) as session:
        staff_id, key = make_staff(session).id, make_transcript(session).key
    with pytest.raises(NotPossible), database.session(url) as session:
        found = session.execute(select(Transcript).where(Transcript.key == key)).scalar_one()
        by = By(staff_id, NOW)
        with reviews.change(session, found, by):
            reviews.add_note(session, found, by, Redacted("Hallo"))
            reviews.set_state(found, by, "closed")
    with database.session(url) as session:
        assert session.scalars(select(Note)).all() == []
        assert session.scalars(select(Undo)).all() == []


def test_a_long_conversation_is_read_in_parts(session: Session) -> None:
    long = make_transcript(session, *[f"Nachricht {number}" for number in range(50)])
    first, last = reading.part(session, long, 1), reading.part(session, long, 3)
    assert (first.parts, first.total, len(first.turns), first.first) == (3, 100, 40, 1)
    assert (last.number, len(last.turns), last.first) == (3, 20, 81)
    assert [reading.part(session, long, number).number for number in (-5, 0, 4, 10**6)] == [1, 1, 3, 3]
    assert {reading.part_of(session, turn) for turn in last.turns} == {3}
    everything = turns(session, long)
    everything[44].intent, everything[90].intent, everything[51].helpful = "nlu_fallback", "crisis", False
    session.flush()
    marks = {mark.kind: (mark.turn_id, mark.part) for mark in reading.landmarks(session, long)}
    assert marks == {"crisis": (everything[90].id, 3), "not_helpful": (everything[51].id, 2), "fallback": (everything[44].id, 2)}
