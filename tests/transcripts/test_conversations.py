"""The queries on live conversations."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import InvalidToken
from sqlalchemy import func, select

from bot.dialogue.engine_key import derived_key, engine_key
from bot.transcripts import database
from bot.transcripts.conversations import Conversations, LiveConversation, OfferedButton
from bot.transcripts.models import Base, PendingDeletion

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)


def make_store(folder: Path, key: bytes = b"k" * 32) -> Conversations:
    """Return a store on a database in ``folder``."""
    url = f"sqlite:///{folder / 'transcripts.db'}"
    database.upgrade(url)
    return Conversations(url, key, timedelta(minutes=30), timedelta(hours=12))


def begin(store: Conversations, now: datetime = NOW) -> LiveConversation:
    """Begin a conversation."""
    return store.create("web", "de", False, now)


def take_turn(
    store: Conversations, conversation: LiveConversation, question: str = "hello", key: str | None = None
) -> list[dict[str, Any]]:
    """Take one turn from beginning to end and return its answer."""
    begun = store.begin_turn(conversation.id, key or str(uuid.uuid4()), "text", question, NOW)
    messages = [{"id": uuid.uuid4().hex[:16], "text": f"answer to {question}"}]
    buttons = {uuid.uuid4().hex[:16]: OfferedButton("/recognition", "Anerkennung")}
    assert store.finish_turn(conversation.id, begun.id, messages, buttons, "de", NOW)
    return messages


def rows(store: Conversations) -> int:
    """Return the number of rows in all tables but the list for the engine."""
    tables = [table for table in Base.metadata.sorted_tables if table.name != PendingDeletion.__tablename__]
    with database.session(store.url) as session:
        return sum(session.execute(select(func.count()).select_from(table)).scalar_one() for table in tables)


def test_ids_of_conversations_are_long_and_differ(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    ids = {begin(store).id for _ in range(20)}
    assert len(ids) == 20
    assert {len(one) for one in ids} == {32}


def test_a_conversation_ends_at_the_idle_and_at_the_absolute_limit(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    conversation = begin(store)
    assert store.find(conversation.id, NOW + timedelta(minutes=29, seconds=59))
    assert store.find(conversation.id, NOW + timedelta(minutes=30)) is None
    store.set_language(conversation.id, "en", NOW + timedelta(hours=12))
    assert store.find(conversation.id, NOW + timedelta(hours=12, minutes=1)) is None


def test_only_one_can_claim_a_conversation_until_it_is_released_or_time_is_up(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    conversation = begin(store)
    assert store.claim(conversation.id, NOW, 30)
    assert not store.claim(conversation.id, NOW + timedelta(seconds=29), 30)
    assert store.claim(conversation.id, NOW + timedelta(seconds=30), 30)
    store.release(conversation.id)
    assert store.claim(conversation.id, NOW, 30)


def test_of_many_who_claim_at_once_one_succeeds(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    conversation = begin(store)
    won: list[bool] = []
    threads = [threading.Thread(target=lambda: won.append(store.claim(conversation.id, NOW, 30))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


def test_a_conversation_that_does_not_exist_cannot_be_claimed(tmp_path: Path) -> None:
    assert not make_store(tmp_path).claim("0" * 32, NOW, 30)


def test_an_answered_message_gives_its_stored_answer_again(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    conversation = begin(store)
    key = str(uuid.uuid4())
    answer = take_turn(store, conversation, key=key)
    assert store.begin_turn(conversation.id, key, "text", "something else", NOW).answer == answer


def test_an_unanswered_message_may_be_begun_again(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    conversation = begin(store)
    key = str(uuid.uuid4())
    first = store.begin_turn(conversation.id, key, "text", "hello", NOW)
    store.fail_turn(first.id)
    assert store.history(conversation.id)[0].state == "unanswered"
    again = store.begin_turn(conversation.id, key, "text", "hello", NOW)
    assert (again.id, again.answer) == (first.id, None)


def test_a_button_is_known_only_where_it_was_offered(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    mine, other = begin(store), begin(store)
    begun = store.begin_turn(mine.id, str(uuid.uuid4()), "text", "x", NOW)
    store.finish_turn(mine.id, begun.id, [], {"abc": OfferedButton("/thank", "Danke")}, "de", NOW)
    assert store.button(mine.id, "abc") == OfferedButton("/thank", "Danke")
    assert store.button(other.id, "abc") is None
    assert store.button(mine.id, "abd") is None


def test_the_answer_of_a_conversation_that_is_gone_is_not_stored(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    conversation = begin(store)
    begun = store.begin_turn(conversation.id, str(uuid.uuid4()), "text", "x", NOW)
    store.delete(conversation.id, NOW)
    assert not store.finish_turn(conversation.id, begun.id, [], {"a": OfferedButton("/b", "c")}, "de", NOW)
    assert rows(store) == 0


def test_deleting_takes_every_row_of_the_conversation_and_no_other(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    mine, other = begin(store), begin(store)
    for conversation in (mine, other):
        (message,) = take_turn(store, conversation)
        assert store.give_feedback(conversation.id, message["id"], True, NOW)
    before = rows(store)
    store.delete(mine.id, NOW)
    assert rows(store) == before / 2
    assert store.pending_deletions() == [mine.id]
    store.deletion_done(mine.id)
    assert store.pending_deletions() == []


def test_purging_deletes_what_has_ended_and_tells_which(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    idle, old, young = begin(store), begin(store, NOW - timedelta(hours=12)), begin(store)
    store.set_consent(old.id, True, NOW + timedelta(minutes=29))
    store.set_consent(young.id, True, NOW + timedelta(minutes=29))
    assert set(store.purge_expired(NOW + timedelta(minutes=30))) == {idle.id, old.id}
    assert set(store.pending_deletions()) == {idle.id, old.id}
    assert store.find(young.id, NOW + timedelta(minutes=30))
    assert store.purge_expired(NOW + timedelta(minutes=30)) == []


def test_purging_copes_with_very_many(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    for _ in range(520):
        begin(store)
    assert len(store.purge_expired(NOW + timedelta(hours=1))) == 520
    assert rows(store) == 0


def test_feedback_is_only_taken_for_a_message_of_this_conversation(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    mine, other = begin(store), begin(store)
    (message,) = take_turn(store, mine)
    assert not store.give_feedback(other.id, message["id"], True, NOW)
    assert store.give_feedback(mine.id, message["id"], True, NOW)
    assert store.give_feedback(mine.id, message["id"], False, NOW)


def test_nothing_that_was_said_stands_in_the_files(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    take_turn(store, begin(store), "Zwiebelkuchen")
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for word in (b"Zwiebelkuchen", b"answer to", b"/recognition", b"Anerkennung"):
        assert word not in content


def test_with_another_key_nothing_can_be_read(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    conversation = begin(store)
    take_turn(store, conversation)
    with pytest.raises(InvalidToken):
        make_store(tmp_path, b"x" * 32).history(conversation.id)


def test_a_long_conversation_shows_its_newest_turns(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    conversation = begin(store)
    for number in range(203):
        store.begin_turn(conversation.id, str(uuid.uuid4()), "text", f"message {number}", NOW)
    shown = [turn.question for turn in store.history(conversation.id)]
    assert (len(shown), shown[0], shown[-1]) == (200, "message 3", "message 202")


def test_a_moment_keeps_its_zone(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    berlin = timezone(timedelta(hours=1))
    conversation = store.create("web", "de", False, NOW.astimezone(berlin))
    assert store.find(conversation.id, NOW + timedelta(minutes=29))
    assert store.find(conversation.id, NOW + timedelta(minutes=31)) is None


def test_keys_differ_by_purpose_and_by_secret() -> None:
    keys = {derived_key("one", "secret"), derived_key("two", "secret"), derived_key("one", "other")}
    assert len(keys) == 3
    assert {len(key) for key in keys} == {32}
    assert len(engine_key("secret")) == 64
    assert int(engine_key("secret"), 16)
