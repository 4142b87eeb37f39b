"""The same queries on PostgreSQL: a server of the test run's own, where PostgreSQL is installed."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timedelta, timezone

from sqlalchemy import select

from bot.transcripts import database
from bot.transcripts.conversations import Conversations, OfferedButton, TurnInProgressError
from bot.transcripts.models import Base
from bot.transcripts.record_models import Transcript, TranscriptTurn

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)


def make_store(url: str) -> Conversations:
    """Return a store on an empty database."""
    database.upgrade(url)
    return Conversations(url, b"k" * 32, timedelta(minutes=30), timedelta(hours=12))


def test_a_conversation_lives_and_leaves_nothing(postgres_url: str) -> None:
    store = make_store(postgres_url)
    conversation = store.create("web", "de", True, NOW)
    key = str(uuid.uuid4())
    assert store.claim(conversation.id, NOW, 30)
    begun = store.begin_turn(conversation.id, key, "text", "hello", NOW)
    answer = [{"id": "m1", "text": "مرحبا"}]
    assert store.finish_turn(conversation.id, begun.id, answer, {"b": OfferedButton("/x", "y")}, "ar", NOW)
    store.release(conversation.id)
    assert store.begin_turn(conversation.id, key, "text", "hello", NOW).answer == answer
    assert store.button(conversation.id, "b") == OfferedButton("/x", "y")
    assert store.give_feedback(conversation.id, "m1", True, NOW)
    assert store.give_feedback(conversation.id, "m1", False, NOW)
    assert store.find(conversation.id, NOW + timedelta(minutes=29))
    assert store.purge_expired(NOW + timedelta(minutes=30)) == [conversation.id]
    with database.session(postgres_url) as session:
        for table in Base.metadata.sorted_tables:
            if table.name not in ("pending_deletion", "transcript", "transcript_turn"):
                assert session.execute(table.select()).all() == [], table.name
        # Without consent the structure stays for the figures, without a word and without a way back to the person.
        assert session.execute(select(Transcript.conversation_id, Transcript.consent)).all() == [(None, False)]
        assert set(session.execute(select(TranscriptTurn.text)).scalars()) == {None}


def test_of_many_who_claim_or_begin_at_once_one_succeeds(postgres_url: str) -> None:
    store = make_store(postgres_url)
    conversation = store.create("web", "de", True, NOW)
    key = str(uuid.uuid4())
    won: list[bool] = []
    refused: list[bool] = []

    def attempt() -> None:
        won.append(store.claim(conversation.id, NOW, 30))
        try:
            store.begin_turn(conversation.id, key, "text", "hello", NOW)
        except TurnInProgressError:
            refused.append(True)

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(won) == 1
    assert len(store.history(conversation.id)) == 1
