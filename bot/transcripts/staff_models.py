"""Tables of the people who work with the review: accounts, sessions, saved filters, and the audit trail."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint

from bot.transcripts.models import Base, UtcDateTime

REVIEWER, EDITOR, COORDINATOR, ADMIN = "reviewer", "editor", "coordinator", "admin"
ROLES = (REVIEWER, EDITOR, COORDINATOR, ADMIN)


class Staff(Base):
    """An account of the review application."""

    __tablename__ = "staff"
    id = Column(Integer, primary_key=True)
    email = Column(String(254), nullable=False, unique=True)  # lower case; the login name
    name = Column(String(120), nullable=False)
    password_hash = Column(String(200), nullable=False)
    # An account that somebody else made begins with a password that must be changed.
    must_change_password = Column(Boolean, nullable=False, default=False)
    password_until = Column(UtcDateTime)  # a one-time password is good until then; empty for a password of one's own
    roles = Column(String(60), nullable=False)  # comma separated
    states = Column(String(120), nullable=False, default="")  # comma separated regions of a reviewer; "" is all
    language = Column(String(2), nullable=False, default="de")
    notify = Column(Boolean, nullable=False, default=False)
    totp_secret = Column(LargeBinary)  # encrypted; set up but not confirmed while totp_confirmed_at is empty
    totp_confirmed_at = Column(UtcDateTime)
    totp_last_step = Column(Integer)  # a code is good once
    failures = Column(Integer, nullable=False, default=0)
    locked_until = Column(UtcDateTime)
    created_at = Column(UtcDateTime, nullable=False)
    disabled_at = Column(UtcDateTime)
    # The audit trail names accounts by their ids: the id of a deleted one must never come back for somebody else.
    __table_args__ = {"sqlite_autoincrement": True}


class EmergencyCode(Base):
    """A code that replaces the second factor once."""

    __tablename__ = "emergency_code"
    id = Column(Integer, primary_key=True)
    staff_id = Column(Integer, ForeignKey("staff.id", ondelete="CASCADE"), nullable=False, index=True)
    code_hash = Column(String(64), nullable=False)
    used_at = Column(UtcDateTime)


class StaffSession(Base):
    """A session of somebody who is logged in; the browser holds the token, here is only its hash."""

    __tablename__ = "staff_session"
    token_hash = Column(String(64), primary_key=True)
    public_id = Column(String(16), nullable=False, unique=True)  # to name it in the list of one's own sessions
    staff_id = Column(Integer, ForeignKey("staff.id", ondelete="CASCADE"), nullable=False, index=True)
    created_at = Column(UtcDateTime, nullable=False)
    last_seen_at = Column(UtcDateTime, nullable=False)
    # False between password and second factor: then it opens only the page that asks for it.
    complete = Column(Boolean, nullable=False, default=False)
    device = Column(String(120), nullable=False, default="")


class SavedFilter(Base):
    """A filter of the inbox under a name."""

    __tablename__ = "saved_filter"
    id = Column(Integer, primary_key=True)
    staff_id = Column(Integer, ForeignKey("staff.id", ondelete="CASCADE"), nullable=False)
    name = Column(String(60), nullable=False)
    query = Column(Text, nullable=False)
    __table_args__ = (UniqueConstraint("staff_id", "name", name="uq_saved_filter_name"),)


class AuditEntry(Base):
    """Who did what, when. Entries are never deleted, only blanked: ``details`` and ``object_key`` then are empty."""

    __tablename__ = "audit_entry"
    id = Column(Integer, primary_key=True)
    at = Column(UtcDateTime, nullable=False)
    staff_id = Column(Integer)  # no foreign key: the entry outlives the account
    staff_name = Column(String(120), nullable=False)
    action = Column(String(40), nullable=False)
    object_kind = Column(String(20), nullable=False)
    object_key = Column(String(80), nullable=False, default="")
    details = Column(Text, nullable=False, default="")
    blanked = Column(Boolean, nullable=False, default=False)
    __table_args__ = (Index("audit_by_object", "object_kind", "object_key"), Index("audit_by_time", "at", "id"))
