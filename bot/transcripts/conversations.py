"""All queries on live conversations. Everything here blocks: call it in a thread, never on the event loop."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.transcripts import database, deletion, records
from bot.transcripts.models import (
    ANSWERED,
    PROCESSING,
    UNANSWERED,
    Button,
    Conversation,
    MessageFeedback,
    PendingDeletion,
    Turn,
)
from bot.transcripts.records import FinishedTurn, TurnFacts

# A conversation of many hundred turns must not make one answer of a megabyte.
HISTORY_TURNS = 200


class TurnInProgressError(Exception):
    """The same message is being processed at this moment, by another process."""


@dataclass(frozen=True)
class LiveConversation:
    """A conversation that has not ended."""

    id: str
    channel: str
    language: str
    language_chosen: bool
    consent_to_review: bool
    engine_started: bool


@dataclass(frozen=True)
class OfferedButton:
    """What stands behind a button's id."""

    payload: str
    title: str


@dataclass(frozen=True)
class BegunTurn:
    """A turn that may be worked on, or, if ``answer`` is set, that has been answered before."""

    id: int
    answer: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class StoredTurn:
    """One turn of the conversation so far."""

    client_id: str
    kind: str
    state: str
    question: str | None
    answer: list[dict[str, Any]]


class Conversations:
    """The live conversations in one database.

    Args:
        url: the database.
        key: 32 bytes; with another key nothing stored before can be read.
        idle: a conversation ends after so long without a message.
        absolute: a conversation ends after so long in any case.
    """

    def __init__(self, url: str, key: bytes, idle: timedelta, absolute: timedelta) -> None:
        self.url = url
        self.idle = idle
        self.absolute = absolute
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    # ------------------------------------------------------------------ life of a conversation

    def create(self, channel: str, language: str, language_chosen: bool, now: datetime) -> LiveConversation:
        """Begin a conversation with a new, unguessable id."""
        row = Conversation(
            id=secrets.token_hex(16),
            channel=channel,
            language=language,
            language_chosen=language_chosen,
            started_at=now,
            last_activity_at=now,
            consent_to_review=False,
            engine_started=False,
        )
        with database.session(self.url) as session:
            session.add(row)
        return _live(row)

    def find(self, conversation_id: str, now: datetime) -> LiveConversation | None:
        """Return the conversation, or None if it does not exist, is deleted, or has ended by time."""
        with database.session(self.url) as session:
            row = session.execute(
                select(Conversation).where(
                    Conversation.id == conversation_id,
                    Conversation.last_activity_at > now - self.idle,
                    Conversation.started_at > now - self.absolute,
                )
            ).scalar_one_or_none()
            return _live(row) if row else None

    def claim(self, conversation_id: str, now: datetime, seconds: float) -> bool:
        """Take the conversation's turn for at most ``seconds``; False if somebody else has it, or if it is gone.

        This counts as activity, so that the conversation does not end by time in the middle of a turn.
        """
        with database.session(self.url) as session:
            result = session.execute(
                update(Conversation)
                .where(
                    Conversation.id == conversation_id,
                    or_(Conversation.busy_until.is_(None), Conversation.busy_until <= now),
                )
                .values(busy_until=now + timedelta(seconds=seconds), last_activity_at=now)
                .execution_options(synchronize_session=False)
            )
            return bool(result.rowcount)

    def release(self, conversation_id: str) -> None:
        """Give the conversation's turn back."""
        self._change(conversation_id, busy_until=None)

    def set_language(self, conversation_id: str, language: str, now: datetime) -> None:
        """Note the language that the person chose."""
        self._change(conversation_id, language=language, language_chosen=True, last_activity_at=now)

    def set_consent(self, conversation_id: str, consent: bool, now: datetime) -> None:
        """Note that the person agrees, or no longer agrees, to the review, and bring the transcript in line with it."""
        answered = select(Turn).where(Turn.conversation_id == conversation_id, Turn.state == ANSWERED).order_by(Turn.id)
        ready: dict[int, FinishedTurn] = {}
        if consent:
            with database.session(self.url) as session:
                row = session.get(Conversation, conversation_id)
                language = row.language if row else ""
                turns = [self._finished(turn) for turn in session.scalars(answered)]
            ready = {turn.turn_id: records.redacted(turn, language) for turn in turns}
        with database.session(self.url) as session:
            row = session.get(Conversation, conversation_id, with_for_update=True)
            if row is None:
                return
            row.consent_to_review, row.consent_at, row.last_activity_at = consent, now, now
            # A turn that was answered in the meantime is redacted in here.
            finished = [ready.get(turn.id) or self._finished(turn) for turn in session.scalars(answered)]
            records.set_consent(session, row, finished, now)

    def set_engine_started(self, conversation_id: str) -> None:
        """Note that the engine knows the conversation."""
        self._change(conversation_id, engine_started=True)

    def delete(self, conversation_id: str, now: datetime) -> None:
        """Delete everything of a conversation here, its transcript too, and note that the engine has to do the same."""
        with database.session(self.url) as session:
            deletion.forget_person(session, [conversation_id])
            self._delete(session, [conversation_id], now)

    def purge_expired(self, now: datetime) -> list[str]:
        """Delete all conversations that have ended by time, and note them for the engine.

        What is kept for review loses its link to the person by this (``bot.transcripts.closing``).

        Returns:
            The ids of the deleted conversations.
        """
        with database.session(self.url) as session:
            expired: list[str] = list(
                session.execute(
                    select(Conversation.id).where(
                        or_(
                            Conversation.last_activity_at <= now - self.idle,
                            Conversation.started_at <= now - self.absolute,
                        )
                    )
                ).scalars()
            )
            # In steps: the number of parameters of one statement is limited.
            for start in range(0, len(expired), 500):
                self._delete(session, expired[start : start + 500], now)
            return expired

    def pending_deletions(self, limit: int = 100) -> list[str]:
        """Return the ids that the engine has still to delete, the oldest first."""
        with database.session(self.url) as session:
            query = select(PendingDeletion.conversation_id).order_by(PendingDeletion.since).limit(limit)
            return list(session.execute(query).scalars())

    def pending_deletion(self, conversation_id: str, now: datetime) -> None:
        """Note that the engine has (again) to delete a conversation that no longer exists here."""
        with database.session(self.url) as session:
            _note_for_engine(session, [conversation_id], now)

    def deletion_done(self, conversation_id: str) -> None:
        """Note that the engine has deleted the conversation."""
        with database.session(self.url) as session:
            session.execute(delete(PendingDeletion).where(PendingDeletion.conversation_id == conversation_id))

    # ------------------------------------------------------------------ turns

    def begin_turn(self, conversation_id: str, client_id: str, kind: str, question: str | None, now: datetime) -> BegunTurn:
        """Begin a turn, or return the stored answer of the same client message.

        The caller holds the conversation's turn (:meth:`claim`), so a row that is still "processing" was left by a
        process that died, and is taken over.

        Raises:
            TurnInProgressError: if two processes insert the same client message at once, in spite of the claim.
        """
        sealed = None if question is None else self._seal(question)
        try:
            with database.session(self.url) as session:
                row = session.execute(
                    select(Turn).where(Turn.conversation_id == conversation_id, Turn.client_id == client_id)
                ).scalar_one_or_none()
                if row is not None and row.state == ANSWERED:
                    return BegunTurn(row.id, self._messages(row.answer))
                if row is not None:
                    row.state, row.question, row.kind = PROCESSING, sealed, kind
                    return BegunTurn(row.id)
                row = Turn(
                    conversation_id=conversation_id,
                    client_id=client_id,
                    kind=kind,
                    state=PROCESSING,
                    created_at=now,
                    question=sealed,
                )
                session.add(row)
                session.flush()
                return BegunTurn(row.id)
        except IntegrityError as error:
            raise TurnInProgressError from error

    def finish_turn(
        self,
        conversation_id: str,
        turn_id: int,
        messages: Sequence[dict[str, Any]],
        buttons: dict[str, OfferedButton],
        language: str,
        now: datetime,
        facts: TurnFacts | None = None,
    ) -> bool:
        """Store the answer of a turn, the buttons that it offers, the language, and what is kept for review.

        Returns:
            False if the conversation was deleted in the meantime; then nothing is stored.
        """
        ready: FinishedTurn | None = None
        if self._consents(conversation_id):
            kind, question = self._asked(turn_id)
            ready = records.redacted(FinishedTurn(turn_id, kind, question, messages, facts or TurnFacts()), language)
        with database.session(self.url) as session:
            # The conversation first: its row is locked from here on, so a deletion comes before or after all of it.
            changed = session.execute(
                update(Conversation)
                .where(Conversation.id == conversation_id)
                .values(language=language, last_activity_at=now)
                .execution_options(synchronize_session=False)
            )
            if not changed.rowcount:
                return False
            turn = session.get(Turn, turn_id)
            if turn is None:
                return False
            turn.state, turn.answer = ANSWERED, self._seal(json.dumps(list(messages), ensure_ascii=False))
            turn.facts = None if facts is None else self._seal(facts.to_json())
            finished = replace(self._finished(turn), redacted=ready.redacted if ready else {})
            records.write(session, session.get(Conversation, conversation_id), finished, now)
            if buttons:
                session.execute(
                    insert(Button),
                    [
                        {
                            "id": key,
                            "conversation_id": conversation_id,
                            "payload": self._seal(button.payload),
                            "title": self._seal(button.title),
                        }
                        for key, button in buttons.items()
                    ],
                )
            return True

    def fail_turn(self, turn_id: int) -> None:
        """Note that a turn got no answer; the same client message may be sent again."""
        with database.session(self.url) as session:
            session.execute(update(Turn).where(Turn.id == turn_id).values(state=UNANSWERED).execution_options(synchronize_session=False))

    def button(self, conversation_id: str, button_id: str) -> OfferedButton | None:
        """Return what stands behind a button, if this conversation offered it."""
        with database.session(self.url) as session:
            row = session.execute(
                select(Button).where(Button.id == button_id, Button.conversation_id == conversation_id)
            ).scalar_one_or_none()
            return OfferedButton(self._open(row.payload), self._open(row.title)) if row else None

    def history(self, conversation_id: str) -> list[StoredTurn]:
        """Return the newest turns of the conversation, the oldest of them first."""
        with database.session(self.url) as session:
            rows = session.execute(
                select(Turn).where(Turn.conversation_id == conversation_id).order_by(Turn.id.desc()).limit(HISTORY_TURNS)
            ).scalars()
            return [
                StoredTurn(
                    row.client_id,
                    row.kind,
                    row.state,
                    None if row.question is None else self._open(row.question),
                    self._messages(row.answer),
                )
                for row in reversed(list(rows))
            ]

    def give_feedback(self, conversation_id: str, message_id: str, helpful: bool, now: datetime) -> bool:
        """Store whether a message helped; a second opinion replaces the first.

        Returns:
            False if the guide did not write such a message in this conversation.
        """
        known = {message["id"] for turn in self.history(conversation_id) for message in turn.answer}
        if message_id not in known:
            return False
        row = MessageFeedback(conversation_id=conversation_id, message_id=message_id, helpful=helpful, created_at=now)
        try:
            with database.session(self.url) as session:
                session.merge(row)
                records.set_helpful(session, conversation_id, message_id, helpful)
        except IntegrityError:  # the conversation was deleted in this moment
            return False
        return True

    def count(self) -> int:
        """Return the number of conversations; the health check asks this to see that the database answers."""
        with database.session(self.url) as session:
            return int(session.execute(select(func.count()).select_from(Conversation)).scalar_one())

    # ------------------------------------------------------------------ helpers

    def _change(self, conversation_id: str, **values: Any) -> None:
        with database.session(self.url) as session:
            session.execute(
                update(Conversation).where(Conversation.id == conversation_id).values(**values).execution_options(synchronize_session=False)
            )

    @staticmethod
    def _delete(session: Session, ids: list[str], now: datetime) -> None:
        session.execute(delete(Conversation).where(Conversation.id.in_(ids)).execution_options(synchronize_session=False))
        _note_for_engine(session, ids, now)

    def _consents(self, conversation_id: str) -> bool:
        with database.session(self.url) as session:
            return bool(session.scalar(select(Conversation.consent_to_review).where(Conversation.id == conversation_id)))

    def _asked(self, turn_id: int) -> tuple[str, str | None]:
        with database.session(self.url) as session:
            found = session.execute(select(Turn.kind, Turn.question).where(Turn.id == turn_id)).one_or_none()
        return ("", None) if found is None else (found.kind, None if found.question is None else self._open(found.question))

    def _finished(self, turn: Turn) -> FinishedTurn:
        facts = TurnFacts() if turn.facts is None else TurnFacts.from_json(self._open(turn.facts))
        question = None if turn.question is None else self._open(turn.question)
        return FinishedTurn(turn.id, turn.kind, question, self._messages(turn.answer), facts)

    def _seal(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode("utf-8"))

    def _open(self, sealed: bytes) -> str:
        return self._fernet.decrypt(bytes(sealed)).decode("utf-8")

    def _messages(self, sealed: bytes | None) -> list[dict[str, Any]]:
        return [] if sealed is None else json.loads(self._open(sealed))


def _note_for_engine(session: Session, ids: Sequence[str], now: datetime) -> None:
    for conversation_id in ids:
        session.merge(PendingDeletion(conversation_id=conversation_id, since=now))


def _live(row: Conversation) -> LiveConversation:
    return LiveConversation(row.id, row.channel, row.language, row.language_chosen, row.consent_to_review, row.engine_started)
