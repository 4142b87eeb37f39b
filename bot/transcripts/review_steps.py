"""How the judgement of a transcript looks at a moment, as plain values, and how one of them is brought back (for undo)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.transcripts import labels, reading
from bot.transcripts.record_models import Note, Transcript, Verdict
from bot.transcripts.staff_models import Staff


def snapshot(session: Session, transcript: Transcript) -> dict[str, Any]:
    """Return the judgement of a transcript as plain values that can be compared and restored one by one."""
    reviewed_at = transcript.reviewed_at.isoformat() if transcript.reviewed_at else None
    found: dict[str, Any] = {
        "need": [transcript.need_right, transcript.right_need],
        "review": [transcript.review_state, reviewed_at, transcript.reviewed_by],
        "assigned": transcript.assigned_to,
    }
    for row in session.scalars(select(Verdict).where(Verdict.transcript_id == transcript.id)):
        said = {"intent_right": row.intent_right, "right_intent": row.right_intent, "answer": row.answer}
        if any(value is not None for value in said.values()):
            found[f"verdict:{row.turn_id}"] = {**said, "staff_id": row.staff_id, "created_at": row.created_at.isoformat()}
    for label in labels.of(session, transcript.id):
        found[f"label:{label.id}"] = True
    for note in session.scalars(select(Note).where(Note.transcript_id == transcript.id)):
        found[f"note:{note.id}"] = {"text": note.text, "staff_id": note.staff_id, "created_at": note.created_at.isoformat()}
    return found


def restore(session: Session, transcript: Transcript, key: str, old: Any) -> bool:
    """Bring one value of a snapshot back; return whether that was possible."""
    kind, _, number = key.partition(":")
    if kind == "need":
        transcript.need_right, transcript.right_need = old
    elif kind == "review":
        transcript.review_state, reviewed_at, reviewed_by = old
        transcript.reviewed_by = _account(session, reviewed_by)
        transcript.reviewed_at = datetime.fromisoformat(reviewed_at) if reviewed_at else None
    elif kind == "assigned":
        if old is not None and not reading.may_look_after(session, old, transcript.state):
            return False
        transcript.assigned_to = old
    elif kind == "verdict":
        _restore_verdict(session, transcript, int(number), old)
    elif kind == "label":
        return _restore_label(session, transcript, int(number), old)
    elif kind == "note":
        _restore_note(session, transcript, int(number), old)
    return True


def _restore_verdict(session: Session, transcript: Transcript, turn_id: int, old: dict[str, Any] | None) -> None:
    row = session.get(Verdict, turn_id)
    if row is None:
        row = Verdict(turn_id=turn_id, transcript_id=transcript.id)
        session.add(row)
    said: dict[str, Any] = {"intent_right": None, "right_intent": None, "answer": None} if old is None else dict(old)
    if "created_at" in said:
        said["created_at"] = datetime.fromisoformat(said["created_at"])
        said["staff_id"] = _account(session, said["staff_id"])
    write_verdict(session, row, said)


def _account(session: Session, staff_id: int | None) -> int | None:
    """Return the id of an account, None if it has been deleted."""
    return staff_id if staff_id is not None and session.get(Staff, staff_id) is not None else None


def _restore_label(session: Session, transcript: Transcript, label_id: int, old: Any) -> bool:
    if old is None:
        return labels.remove(session, transcript, label_id)
    return labels.find(session, label_id) is not None and labels.add_to_many(session, [transcript.id], label_id) > 0


def _restore_note(session: Session, transcript: Transcript, note_id: int, old: dict[str, Any] | None) -> None:
    if old is None:
        session.delete(session.get(Note, note_id))
        return
    values = {"text": old["text"], "staff_id": _account(session, old["staff_id"]), "created_at": datetime.fromisoformat(old["created_at"])}
    # The same id, so that earlier steps still know the note; another transcript may have got it meanwhile.
    free = session.get(Note, note_id) is None
    session.add(Note(**({"id": note_id} if free else {}), transcript_id=transcript.id, **values))


def write_verdict(session: Session, row: Verdict, values: dict[str, Any]) -> None:
    """Change a verdict; if nothing is said any more it goes."""
    for name, value in values.items():
        setattr(row, name, value)
    # What was exported is no longer what is said.
    row.exported_at = None
    # An example that has been exported stays where it is for good, training or evaluation, so its row stays, too.
    if row.intent_right is None and row.answer is None and row.purpose is None:
        if row in session.new:
            session.expunge(row)
        else:
            session.delete(row)
    session.flush()
