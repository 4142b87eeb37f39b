"""Tables of the live conversations.

Every row belongs to one conversation and goes with it (``ON DELETE CASCADE``). What a person wrote, what was answered
and what a button carries is encrypted in the application; the columns that are readable say nothing about the content.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Boolean, Column, DateTime, ForeignKey, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import declarative_base
from sqlalchemy.types import TypeDecorator

Base: Any = declarative_base()

PROCESSING = "processing"
ANSWERED = "answered"
UNANSWERED = "unanswered"


class UtcDateTime(TypeDecorator):
    """A moment, stored as UTC without a zone, because SQLite forgets zones and PostgreSQL would convert them."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Turn an aware moment into UTC without a zone."""
        return None if value is None else value.astimezone(timezone.utc).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Give the moment its zone back."""
        return None if value is None else value.replace(tzinfo=timezone.utc)


class Conversation(Base):
    """One conversation of one person with the guide."""

    __tablename__ = "conversation"
    id = Column(String(32), primary_key=True)
    channel = Column(String(20), nullable=False)
    language = Column(String(8), nullable=False)
    # Chosen by the person, in contrast to guessed from the browser.
    language_chosen = Column(Boolean, nullable=False, default=False)
    started_at = Column(UtcDateTime, nullable=False, index=True)
    last_activity_at = Column(UtcDateTime, nullable=False, index=True)
    consent_to_review = Column(Boolean, nullable=False, default=False)
    consent_at = Column(UtcDateTime)
    # False while the engine does not know the conversation, because it was down when it began.
    engine_started = Column(Boolean, nullable=False, default=False)
    # One message at a time, also with several web processes: whoever sets this has the turn until then.
    busy_until = Column(UtcDateTime)


class Turn(Base):
    """One request of the person and its answer, stored so that the same request can be answered again."""

    __tablename__ = "turn"
    __table_args__ = (UniqueConstraint("conversation_id", "client_id", name="uq_turn_client_id"),)
    id = Column(Integer, primary_key=True)
    conversation_id = Column(String(32), ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False)
    client_id = Column(String(36), nullable=False)
    kind = Column(String(10), nullable=False)  # start, text, button, language
    state = Column(String(10), nullable=False)
    created_at = Column(UtcDateTime, nullable=False)
    question = Column(LargeBinary)  # encrypted: the person's text
    answer = Column(LargeBinary)  # encrypted: the messages as JSON
    facts = Column(LargeBinary)  # encrypted: what the engine understood, as JSON


class Button(Base):
    """A button that was offered in a conversation; its id means nothing anywhere else."""

    __tablename__ = "button"
    id = Column(String(32), primary_key=True)
    conversation_id = Column(String(32), ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False, index=True)
    payload = Column(LargeBinary, nullable=False)  # encrypted
    title = Column(LargeBinary, nullable=False)  # encrypted


class MessageFeedback(Base):
    """Whether one message of the guide helped."""

    __tablename__ = "message_feedback"
    conversation_id = Column(String(32), ForeignKey("conversation.id", ondelete="CASCADE"), primary_key=True)
    message_id = Column(String(32), primary_key=True)
    helpful = Column(Boolean, nullable=False)
    created_at = Column(UtcDateTime, nullable=False)


class PendingDeletion(Base):
    """A conversation that is deleted here, but of which the engine may still hold something."""

    __tablename__ = "pending_deletion"
    conversation_id = Column(String(32), primary_key=True)
    since = Column(UtcDateTime, nullable=False)
