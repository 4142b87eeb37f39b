"""Tables of what is kept for review: transcripts (redacted), judgements on them, figures, call-back requests.

A *transcript* is what stays of a conversation. While the conversation is live, ``conversation_id`` links the two; when it
has ended the link is gone, and nothing leads from the transcript back to the person. Without consent a transcript holds
structure only (``text``, ``entities`` and ``referral`` of its turns are empty).
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, Float, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import relationship

from bot.transcripts.models import Base, UtcDateTime

# Who wrote a turn.
PERSON, GUIDE = "person", "guide"
# Where the review of a transcript stands.
NEW, IN_REVIEW, DONE = "new", "in_review", "done"
REVIEW_STATES = (NEW, IN_REVIEW, DONE)
# How a conversation came out, the best first: an office was named, a question was answered, the emergency numbers were
# shown, something was asked and nothing fitted, nothing was asked.
OUTCOMES = ("referred", "answered", "emergency", "unanswered", "nothing_asked")
# What a reviewer says about an answer of the guide.
ANSWER_VERDICTS = ("helpful", "wrong", "dangerous")
# Where an exported correction goes; never both.
TRAINING, EVALUATION = "training", "evaluation"
CALLBACK_NEW, CALLBACK_CALLED, CALLBACK_DONE = "new", "called", "done"
CALLBACK_STATES = (CALLBACK_NEW, CALLBACK_CALLED, CALLBACK_DONE)


def _cascade() -> Column:
    return Column(Integer, ForeignKey("transcript.id", ondelete="CASCADE"), primary_key=True)


class Transcript(Base):
    """What is kept of one conversation, and where its review stands."""

    __tablename__ = "transcript"
    id = Column(Integer, primary_key=True)
    # The pseudonym under which staff know it; random, so that it says nothing.
    key = Column(String(22), nullable=False, unique=True)
    conversation_id = Column(String(32), ForeignKey("conversation.id", ondelete="SET NULL"), unique=True)
    channel = Column(String(20), nullable=False)
    language = Column(String(8), nullable=False)
    started_at = Column(UtcDateTime, nullable=False)
    last_activity_at = Column(UtcDateTime, nullable=False)
    ended_at = Column(UtcDateTime)
    consent = Column(Boolean, nullable=False, default=False)
    consent_at = Column(UtcDateTime)
    state = Column(String(5))
    district = Column(String(5))
    need = Column(String(40))
    outcome = Column(String(20), nullable=False, default="nothing_asked")
    messages = Column(Integer, nullable=False, default=0)  # of the person
    fallbacks = Column(Integer, nullable=False, default=0)
    min_confidence = Column(Float)  # of the texts that the person wrote
    crisis = Column(Boolean, nullable=False, default=False)
    not_helpful = Column(Boolean, nullable=False, default=False)
    unanswered = Column(Boolean, nullable=False, default=False)
    dangerous = Column(Boolean, nullable=False, default=False)
    review_state = Column(String(10), nullable=False, default=NEW)
    need_right = Column(Boolean)
    right_need = Column(String(40))
    reviewed_at = Column(UtcDateTime)
    reviewed_by = Column(Integer, ForeignKey("staff.id", ondelete="SET NULL"))
    assigned_to = Column(Integer, ForeignKey("staff.id", ondelete="SET NULL"))

    turns = relationship("TranscriptTurn", cascade="all, delete-orphan", passive_deletes=True, order_by="TranscriptTurn.position")
    needs = relationship("TranscriptNeed", cascade="all, delete-orphan", passive_deletes=True)
    offices = relationship("TranscriptOffice", cascade="all, delete-orphan", passive_deletes=True)
    labels = relationship("TranscriptLabel", cascade="all, delete-orphan", passive_deletes=True)
    notes = relationship("Note", cascade="all, delete-orphan", passive_deletes=True, order_by="Note.id")

    # The list is read from its newest end, a page at a time: each filter has an index that yields the rows in that order.
    __table_args__ = (
        Index("transcript_by_activity", "last_activity_at", "id"),
        Index("transcript_by_review_state", "review_state", "last_activity_at", "id"),
        Index("transcript_by_language", "language", "last_activity_at", "id"),
        Index("transcript_by_state", "state", "last_activity_at", "id"),
        Index("transcript_by_channel", "channel", "last_activity_at", "id"),
        Index("transcript_by_outcome", "outcome", "last_activity_at", "id"),
        *(
            Index(
                f"transcript_{flag}",
                "last_activity_at",
                "id",
                sqlite_where=text(f"{flag}"),
                postgresql_where=text(f"{flag}"),
            )
            for flag in ("crisis", "not_helpful", "unanswered", "dangerous")
        ),
        Index(
            "transcript_assigned",
            "assigned_to",
            "last_activity_at",
            "id",
            sqlite_where=text("assigned_to IS NOT NULL"),
            postgresql_where=text("assigned_to IS NOT NULL"),
        ),
        # What stands on top of the new ones.
        Index(
            "transcript_urgent",
            "review_state",
            "last_activity_at",
            "id",
            sqlite_where=text("crisis OR dangerous"),
            postgresql_where=text("crisis OR dangerous"),
        ),
        # Tells how many are less sure than asked for; the few that are very unsure are found by it.
        Index("transcript_by_confidence", "min_confidence", "last_activity_at"),
        Index(
            "transcript_fallback",
            "last_activity_at",
            "id",
            sqlite_where=text("fallbacks > 0"),
            postgresql_where=text("fallbacks > 0"),
        ),
    )


class TranscriptNeed(Base):
    """A need that came up; the time of the transcript is repeated, so that the list can be read by need in its order."""

    __tablename__ = "transcript_need"
    transcript_id = _cascade()
    need = Column(String(40), primary_key=True)
    last_activity_at = Column(UtcDateTime, nullable=False)
    __table_args__ = (Index("transcript_need_by_activity", "need", "last_activity_at", "transcript_id"),)


class TranscriptOffice(Base):
    """An office that was shown (its id in the directory)."""

    __tablename__ = "transcript_office"
    transcript_id = _cascade()
    office_id = Column(String(80), primary_key=True)
    last_activity_at = Column(UtcDateTime, nullable=False)
    __table_args__ = (Index("transcript_office_by_activity", "office_id", "last_activity_at", "transcript_id"),)


class TranscriptTurn(Base):
    """One message of one side."""

    __tablename__ = "transcript_turn"
    id = Column(Integer, primary_key=True)
    transcript_id = Column(Integer, ForeignKey("transcript.id", ondelete="CASCADE"), nullable=False)
    position = Column(Integer, nullable=False)
    # The request of the live conversation that this message belongs to, for the time after consent is given.
    turn_id = Column(Integer)
    author = Column(String(6), nullable=False)
    kind = Column(String(10), nullable=False)  # of the request: start, text, button, language
    created_at = Column(UtcDateTime, nullable=False)
    language = Column(String(8), nullable=False)
    text = Column(Text)  # redacted; None without consent
    redacted = Column(Text)  # JSON: kind of personal data -> how often it was taken out
    # Of the person's messages: what was understood.
    intent = Column(String(60))
    confidence = Column(Float)
    entities = Column(Text)  # JSON: list of {"entity", "value"}; None without consent
    # Of the guide's messages: what was answered.
    message_id = Column(String(32))
    response = Column(String(80))
    referral = Column(Text)  # JSON as shown; None without consent
    helpful = Column(Boolean)
    latency_ms = Column(Integer)

    __table_args__ = (UniqueConstraint("transcript_id", "position", name="uq_transcript_turn_position"),)


class Verdict(Base):
    """What a reviewer says about one message: its intent (of the person's), or its use (of the guide's)."""

    __tablename__ = "verdict"
    turn_id = Column(Integer, ForeignKey("transcript_turn.id", ondelete="CASCADE"), primary_key=True)
    transcript_id = Column(Integer, ForeignKey("transcript.id", ondelete="CASCADE"), nullable=False, index=True)
    intent_right = Column(Boolean)
    right_intent = Column(String(60))
    answer = Column(String(10))
    # Kept from the first export on, also if the message is judged anew: an example of the training set must never come into
    # the evaluation set.
    purpose = Column(String(10))
    purpose_fixed_at = Column(UtcDateTime)
    staff_id = Column(Integer, ForeignKey("staff.id", ondelete="SET NULL"))
    created_at = Column(UtcDateTime, nullable=False)
    exported_at = Column(UtcDateTime)


class Label(Base):
    """A word by which reviewers sort transcripts."""

    __tablename__ = "label"
    id = Column(Integer, primary_key=True)
    name = Column(String(40), nullable=False, unique=True)
    deleted_at = Column(UtcDateTime)  # put away, and to be restored until it is purged


class TranscriptLabel(Base):
    """A label on a transcript."""

    __tablename__ = "transcript_label"
    transcript_id = _cascade()
    label_id = Column(Integer, ForeignKey("label.id", ondelete="CASCADE"), primary_key=True)
    last_activity_at = Column(UtcDateTime, nullable=False)
    __table_args__ = (Index("transcript_label_by_activity", "label_id", "last_activity_at", "transcript_id"),)


class Note(Base):
    """What a reviewer writes about a transcript for the colleagues; redacted like the transcript."""

    __tablename__ = "note"
    id = Column(Integer, primary_key=True)
    transcript_id = Column(Integer, ForeignKey("transcript.id", ondelete="CASCADE"), nullable=False, index=True)
    staff_id = Column(Integer, ForeignKey("staff.id", ondelete="SET NULL"))
    text = Column(Text, nullable=False)
    created_at = Column(UtcDateTime, nullable=False)


class Undo(Base):
    """How the judgement of a transcript looked before somebody changed it (JSON), to go back to it."""

    __tablename__ = "undo"
    id = Column(Integer, primary_key=True)
    transcript_id = Column(Integer, ForeignKey("transcript.id", ondelete="CASCADE"), nullable=False, index=True)
    staff_id = Column(Integer, ForeignKey("staff.id", ondelete="CASCADE"), nullable=False)
    before = Column(Text, nullable=False)
    created_at = Column(UtcDateTime, nullable=False)


class DailyCount(Base):
    """How often something happened on a day (a month for what is rare): figures without persons, kept for good.

    ``measure`` names what is counted, ``key`` the value: ``("2026-11-01", "need", "recognition", 12)``.
    """

    __tablename__ = "daily_count"
    day = Column(Date, primary_key=True)
    measure = Column(String(30), primary_key=True)
    key = Column(String(80), primary_key=True)
    count = Column(Integer, nullable=False)


class CallbackRequest(Base):
    """A person asks an office to call back. Who, where and why are encrypted; what is readable decides who may see it."""

    __tablename__ = "callback_request"
    id = Column(Integer, primary_key=True)
    key = Column(String(22), nullable=False, unique=True)
    conversation_id = Column(String(32), ForeignKey("conversation.id", ondelete="SET NULL"), index=True)
    state = Column(String(5), index=True)
    district = Column(String(5))
    need = Column(String(40))
    language = Column(String(8), nullable=False)
    sealed = Column(LargeBinary, nullable=False)  # encrypted JSON: name, phone, email, time, topic
    status = Column(String(10), nullable=False, default=CALLBACK_NEW)
    created_at = Column(UtcDateTime, nullable=False)
    done_at = Column(UtcDateTime)
    staff_id = Column(Integer, ForeignKey("staff.id", ondelete="SET NULL"))


class Notification(Base):
    """A mail that has to be sent to staff; it says that there is something, never what."""

    __tablename__ = "notification"
    id = Column(Integer, primary_key=True)
    kind = Column(String(12), nullable=False)  # crisis, dangerous, callback
    state = Column(String(5))  # region that it concerns
    object_key = Column(String(22), nullable=False)
    created_at = Column(UtcDateTime, nullable=False)
    attempts = Column(Integer, nullable=False, default=0)
    delivered = Column(Text, nullable=False, default="")  # comma separated accounts that have it already
    __table_args__ = (UniqueConstraint("kind", "object_key", name="uq_notification_object"),)


class ModelComparison(Base):
    """The evaluation of two models on the reviewed messages."""

    __tablename__ = "model_comparison"
    id = Column(Integer, primary_key=True)
    current = Column(String(120), nullable=False)
    candidate = Column(String(120), nullable=False)
    status = Column(String(10), nullable=False)  # running, done, failed
    result = Column(Text)  # JSON
    error = Column(Text)
    staff_id = Column(Integer, ForeignKey("staff.id", ondelete="SET NULL"))
    created_at = Column(UtcDateTime, nullable=False)
    finished_at = Column(UtcDateTime)
