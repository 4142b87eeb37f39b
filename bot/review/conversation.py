"""The page of one conversation: both sides to read, and forms to judge, sort, assign, note, undo and delete.

Everything works without a script: each judgement is a small form, after which the page is at the same message again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from actions.directory.models import NEEDS
from bot.review import conversation_view as view
from bot.review.access import find_transcript
from bot.review.guards import Visit, staff_change, staff_page
from bot.review.names import district_name, language_name, state_name
from bot.review.pages import back_to, not_found, render
from bot.transcripts import deletion, inbox, labels, reading, reviews
from bot.transcripts.inbox import InboxFilter
from bot.transcripts.record_models import DONE, REVIEW_STATES, Transcript, TranscriptTurn
from bot.transcripts.staff_models import REVIEWER

# Why a conversation is deleted; the audit trail keeps the word, so nobody writes a name into it.
REASONS = ("person_asks", "personal_data", "test", "other")
_PSEUDONYM = re.compile(r"[A-Za-z0-9_-]{1,22}")
# A number of more digits is no id of ours.
_DIGITS = 10

Change = Callable[[Session, Transcript, reviews.By], None]


@staff_page(REVIEWER)
def conversation(visit: Visit) -> Response:
    """Show a conversation, or the part of it that is asked for."""
    return _page(visit, _number(visit.value("part")) or 1)


@staff_page(REVIEWER)
def next_conversation(visit: Visit) -> Response:
    """Lead to the next conversation of the list that waits for a reviewer."""
    key, asked = _key(visit), _filter(visit)
    with visit.services.session() as session:
        find_transcript(session, visit.staff, key)
        return _to_next(visit, session, key, asked, "")


@staff_change(REVIEWER)
def judge_need(visit: Visit) -> Response:
    """Say whether the need of the conversation was understood."""
    right = _right(visit)

    def change(session: Session, transcript: Transcript, by: reviews.By) -> None:
        reviews.judge_need(transcript, right, visit.value("right_need"))
        visit.audit(session, "transcript.need", "transcript", transcript.key, right=right, right_need=transcript.right_need)

    return _change(visit, change, "#judgement", "judged")


@staff_change(REVIEWER)
def judge_intent(visit: Visit) -> Response:
    """Say whether one message of the person was understood."""
    right = _right(visit)

    def judge(session: Session, transcript: Transcript, turn: TranscriptTurn, by: reviews.By) -> None:
        right_intent = visit.value("right_intent")
        reviews.judge_intent(session, transcript, turn, by, right, right_intent, frozenset(view.intents()))
        known = right_intent if right is False else None
        visit.audit(session, "transcript.intent", "transcript", transcript.key, turn=turn.position, right=right, right_intent=known)

    return _judge_turn(visit, judge)


@staff_change(REVIEWER)
def judge_answer(visit: Visit) -> Response:
    """Say what one answer of the guide was worth."""
    verdict = visit.value("verdict")

    def judge(session: Session, transcript: Transcript, turn: TranscriptTurn, by: reviews.By) -> None:
        reviews.judge_answer(session, transcript, turn, by, None if verdict == "none" else verdict)
        visit.audit(session, "transcript.answer", "transcript", transcript.key, turn=turn.position, verdict=verdict)

    return _judge_turn(visit, judge)


@staff_change(REVIEWER)
def change_labels(visit: Visit) -> Response:
    """Put a label on the conversation, one that exists or a new one, or take one off."""
    removed, chosen, typed = visit.value("remove"), visit.value("label"), visit.value("new_label")

    def change(session: Session, transcript: Transcript, by: reviews.By) -> None:
        if removed:
            label_id = _number(removed) or 0
            labels.remove(session, transcript, label_id)
            visit.audit(session, "transcript.label_remove", "transcript", transcript.key, label=label_id)
            return
        known = labels.find(session, _number(chosen) or 0) if chosen and not typed else None
        if chosen and not typed and known is None:
            raise reviews.NotPossible("label_gone")
        try:
            label = labels.add(session, transcript, typed if known is None else known.name)
        except labels.LabelError as error:
            raise reviews.NotPossible(f"label_{error.reason}") from None
        visit.audit(session, "transcript.label_add", "transcript", transcript.key, label=label.id)

    return _change(visit, change, "#labels", "label_removed" if removed else "labelled")


@staff_change(REVIEWER)
def change_notes(visit: Visit) -> Response:
    """Write a note for the colleagues, or take away one of one's own."""
    removed, text = visit.value("remove"), visit.value("note")
    try:
        note = None if removed else reviews.clean_note(text, visit.language)
    except reviews.NotPossible as error:
        return _refused(visit, error.reason, text)

    def change(session: Session, transcript: Transcript, by: reviews.By) -> None:
        if note is None:
            note_id = _number(removed) or 0
            reviews.remove_note(session, transcript, by, note_id)
            visit.audit(session, "transcript.note_remove", "transcript", transcript.key, note=note_id)
            return
        note_id = reviews.add_note(session, transcript, by, note)
        visit.audit(session, "transcript.note_add", "transcript", transcript.key, note=note_id, taken_out=note.kinds)

    return _change(visit, change, "#notes", "note_removed" if removed else "noted", typed=text)


@staff_change(REVIEWER)
def assign(visit: Visit) -> Response:
    """Say who looks after the conversation: oneself, nobody, or a colleague who may see the region."""
    given = visit.value("staff")
    staff_id = visit.staff.id if given == "me" else _number(given)
    if staff_id is None and given not in ("", "nobody"):
        raise not_found()

    def change(session: Session, transcript: Transcript, by: reviews.By) -> None:
        reviews.assign(session, transcript, staff_id)
        visit.audit(session, "transcript.assign", "transcript", transcript.key, to=staff_id)

    return _change(visit, change, "", "assigned" if staff_id else "unassigned")


@staff_change(REVIEWER)
def set_state(visit: Visit) -> Response:
    """Say where the review stands; on the wish of the reader go on to the next conversation."""
    state, onward = visit.value("review_state"), visit.value("onward") == "1"

    def change(session: Session, transcript: Transcript, by: reviews.By) -> None:
        reviews.set_state(transcript, by, state)
        visit.audit(session, "transcript.state", "transcript", transcript.key, state=state)

    return _change(visit, change, "", f"state_{state}" if state in REVIEW_STATES else "", onward=onward)


@staff_change(REVIEWER)
def undo(visit: Visit) -> Response:
    """Take back the last change of one's own to this conversation."""
    key, now = _key(visit), visit.services.now()
    try:
        with visit.services.session() as session:
            transcript = find_transcript(session, visit.staff, key)
            taken_back = reviews.undo(session, transcript, reviews.By(visit.staff.id, now))
            visit.audit(session, "transcript.undo", "transcript", key, taken_back=taken_back)
    except reviews.NotPossible as error:
        return _refused(visit, error.reason)
    return _back(visit, "", "undone" if taken_back else "undone_nothing")


@staff_page(REVIEWER)
def ask_deletion(visit: Visit) -> Response:
    """Ask whether the conversation should be deleted, and why."""
    return _deletion_page(visit, "", 200)


@staff_change(REVIEWER)
def delete(visit: Visit) -> Response:
    """Delete the conversation, with a reason."""
    key, reason = _key(visit), visit.value("reason")
    if reason not in REASONS or visit.value("sure") != "1":
        return _deletion_page(visit, "reason" if reason not in REASONS else "sure", 422)
    with visit.services.session() as session:
        find_transcript(session, visit.staff, key)
        deletion.delete_transcripts(session, [key], visit.staff.id, visit.staff.name, reason, visit.services.now())
        # The workflow has written the entry: without the pseudonym, which must not stay behind.
        visit.audited = True
    return back_to(visit, _list(_filter(visit)), "conversation_deleted")


def _judge_turn(visit: Visit, judge: Callable[[Session, Transcript, TranscriptTurn, reviews.By], None]) -> Response:
    turn_id = _number(visit.value("turn"))
    if turn_id is None:
        raise not_found()
    part = 1

    def change(session: Session, transcript: Transcript, by: reviews.By) -> None:
        nonlocal part
        turn = reading.find_turn(session, transcript, turn_id)
        if turn is None:
            raise not_found()
        part = reading.part_of(session, turn)
        judge(session, transcript, turn, by)

    return _change(visit, change, f"#turn-{turn_id}", "", part=lambda: part)


def _change(
    visit: Visit,
    change: Change,
    anchor: str,
    done: str,
    *,
    part: Callable[[], int] | None = None,
    onward: bool = False,
    typed: str = "",
) -> Response:
    """Make a change to the conversation of the address, in one transaction, and go back to where it was made."""
    key, by = _key(visit), reviews.By(visit.staff.id, visit.services.now())
    try:
        with visit.services.session() as session:
            transcript = find_transcript(session, visit.staff, key)
            with reviews.change(session, transcript, by):
                change(session, transcript, by)
            if onward:
                return _to_next(visit, session, key, _filter(visit), done)
    except reviews.NotPossible as error:
        return _refused(visit, error.reason, typed, part() if part else None)
    return _back(visit, anchor, done, part() if part else None)


def _refused(visit: Visit, reason: str, typed: str = "", part: int | None = None) -> Response:
    if reason == "gone":
        raise not_found()
    # The transaction has been taken back, and the entry of the audit trail with it.
    visit.audited = False
    return _page(visit, part or _number(visit.value("part")) or 1, f"conversation.problem.{reason}", typed, 422)


def _back(visit: Visit, anchor: str, done: str, part: int | None = None) -> RedirectResponse:
    part = part or _number(visit.value("part")) or 1
    word = f"conversation_{done}" if done else ""
    answer = back_to(visit, _own(_key(visit), _filter(visit)), word, **({"part": part} if part > 1 else {}))
    answer.headers["location"] += anchor
    return answer


def _to_next(visit: Visit, session: Session, key: str, asked: InboxFilter, done: str) -> Response:
    # The change of this request must not bring the same conversation again.
    session.flush()
    following = inbox.next_unreviewed(session, visit.staff, asked, key)
    if following is None or following == key:
        return back_to(visit, _list(asked), "conversation_none_left")
    return back_to(visit, _own(following, asked), f"conversation_{done}" if done else "")


def _page(visit: Visit, number: int, problem: str = "", typed: str = "", status: int = 200) -> Response:
    key, asked, language = _key(visit), _filter(visit), visit.language
    with visit.services.session() as session:
        transcript = find_transcript(session, visit.staff, key)
        part = reading.part(session, transcript, number)
        colleagues = reading.colleagues(session, transcript.state)
        values: dict[str, Any] = {
            "landmarks": reading.landmarks(session, transcript),
            "needs": sorted(reading.needs(session, transcript), key=lambda need: need != transcript.need),
            "notes": reading.notes(session, transcript),
            "own_labels": labels.of(session, transcript.id),
            "all_labels": labels.all_labels(session),
            "colleagues": colleagues,
            "names": reading.names(session, [transcript.assigned_to, transcript.reviewed_by]),
            "can_undo": reading.can_undo(session, transcript, visit.staff.id),
        }
    return render(
        visit,
        "conversation.html",
        status,
        transcript=transcript,
        part=part,
        messages=list(view.messages(part, language)),
        here=f"/conversations/{transcript.key}",
        query=asked.to_query(),
        problem=problem,
        typed=typed,
        facts=_facts(visit, transcript),
        pieces=lambda text: view.pieces(text, language),
        choices=view.intent_choices(language) if transcript.consent else [],
        all_needs=NEEDS,
        states=REVIEW_STATES,
        longest_note=reviews.LONGEST_NOTE,
        longest_label=labels.LONGEST,
        is_understood=reviews.is_understood,
        **values,
    )


def _facts(visit: Visit, transcript: Transcript) -> dict[str, Any]:
    settings, language = visit.services.settings, visit.language
    kept = timedelta(days=settings.transcript_days) if transcript.consent else timedelta(hours=settings.structure_hours)
    return {
        "language": language_name(transcript.language, language),
        "place": ", ".join(dict.fromkeys(filter(None, [district_name(transcript.district), state_name(transcript.state)]))),
        "until": transcript.last_activity_at + kept,
        "waits_since": None if transcript.review_state == DONE else transcript.ended_at,
        "confidence": view.percent(transcript.min_confidence, language),
        "hours": settings.structure_hours,
    }


def _deletion_page(visit: Visit, problem: str, status: int) -> Response:
    key, asked = _key(visit), _filter(visit)
    with visit.services.session() as session:
        transcript = find_transcript(session, visit.staff, key)
    return render(
        visit,
        "conversation_delete.html",
        status,
        transcript=transcript,
        here=f"/conversations/{key}",
        query=asked.to_query(),
        reasons=REASONS,
        chosen=visit.value("reason"),
        problem=problem,
    )


def _key(visit: Visit) -> str:
    key = str(visit.request.path_params["key"])
    if not _PSEUDONYM.fullmatch(key):
        # Also because PostgreSQL does not even compare some characters.
        raise not_found()
    return key


def _filter(visit: Visit) -> InboxFilter:
    """Return the filter of the list from which somebody came: forms carry it in one field, addresses as it is."""
    given = visit.form.get("filter")
    return InboxFilter.from_query(given if isinstance(given, str) else visit.request.query_params)


def _own(key: str, asked: InboxFilter) -> str:
    return f"/conversations/{key}?{asked.to_query()}".rstrip("?")


def _list(asked: InboxFilter) -> str:
    return f"/conversations?{asked.to_query()}".rstrip("?")


def _right(visit: Visit) -> bool | None:
    verdict = visit.value("verdict")
    if verdict not in ("right", "wrong", "none"):
        raise not_found()
    return {"right": True, "wrong": False, "none": None}[verdict]


def _number(text: str) -> int | None:
    """Return the id or the number that a field holds; None if it holds none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else None


ROUTES: tuple[Route, ...] = (
    Route("/conversations/{key}", conversation),
    Route("/conversations/{key}/next", next_conversation),
    Route("/conversations/{key}/need", judge_need, methods=["POST"]),
    Route("/conversations/{key}/intent", judge_intent, methods=["POST"]),
    Route("/conversations/{key}/answer", judge_answer, methods=["POST"]),
    Route("/conversations/{key}/labels", change_labels, methods=["POST"]),
    Route("/conversations/{key}/notes", change_notes, methods=["POST"]),
    Route("/conversations/{key}/assign", assign, methods=["POST"]),
    Route("/conversations/{key}/state", set_state, methods=["POST"]),
    Route("/conversations/{key}/undo", undo, methods=["POST"]),
    Route("/conversations/{key}/delete", ask_deletion),
    Route("/conversations/{key}/delete", delete, methods=["POST"]),
)
