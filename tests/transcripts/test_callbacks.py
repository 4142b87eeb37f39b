"""Call-back requests in the database: encrypted, seen by their region only, gone when they are deleted."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from bot.transcripts import audit, callbacks, database, deletion
from bot.transcripts.callbacks import Contact, NewCallback
from bot.transcripts.models import Conversation
from bot.transcripts.record_models import CALLBACK_CALLED, CALLBACK_DONE, CALLBACK_NEW, CallbackRequest, Notification
from bot.transcripts.staff_models import REVIEWER, AuditEntry, Staff

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
CIPHER = b"k" * 32
MARKER = "Zaubernuss"
CONTACT = Contact(f"{MARKER} Öztürk", "+4915123456789", f"{MARKER}@example.org", "morning", f"{MARKER} dienstags", f"{MARKER} Zeugnis")


@pytest.fixture(name="url")
def _url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'transcripts.db'}"
    database.upgrade(url)
    return url


def ask(url: str, key: str = "a" * 22, contact: Contact = CONTACT, cipher: bytes = CIPHER, at: datetime = NOW, **changes: Any) -> bool:
    """Store a request."""
    values: dict[str, Any] = {"conversation_id": "gone", "state": "DE-NW", "district": "05913", "need": "recognition", "language": "tr"}
    with database.session(url) as session:
        return callbacks.create(session, cipher, NewCallback(key, **{**values, **changes}), contact, at)


def converse(url: str, conversation_id: str) -> None:
    """Begin a conversation."""
    with database.session(url) as session:
        session.add(
            Conversation(
                id=conversation_id,
                channel="web",
                language="tr",
                language_chosen=False,
                started_at=NOW,
                last_activity_at=NOW,
                consent_to_review=False,
                engine_started=True,
            )
        )


def count(url: str, table: Any) -> int:
    """Return how many rows a table has."""
    with database.session(url) as session:
        return int(session.execute(select(func.count()).select_from(table)).scalar_one())


def on_disk(url: str) -> bytes:
    """Return all bytes of the database, those that wait to be written into it too."""
    path = Path(url.removeprefix("sqlite:///"))
    return b"".join(one.read_bytes() for one in sorted(path.parent.iterdir()) if one.name.startswith(path.name))


def test_a_request_comes_back_as_it_was_written_and_staff_are_to_hear_of_it(url: str) -> None:
    assert ask(url)
    with database.session(url) as session:
        found = callbacks.find(session, CIPHER, (), "a" * 22)
        assert found is not None
        assert found.contact == CONTACT
        assert (found.state, found.district, found.need, found.language, found.status) == (
            "DE-NW",
            "05913",
            "recognition",
            "tr",
            CALLBACK_NEW,
        )
        note = session.execute(select(Notification)).scalar_one()
        assert (note.kind, note.state, note.object_key) == ("callback", "DE-NW", "a" * 22)


def test_nothing_that_a_person_wrote_can_be_read_on_the_disk(url: str) -> None:
    ask(url)
    raw = on_disk(url)
    assert b"recognition" in raw
    for word in (MARKER, "Öztürk", "23456789"):
        assert word.encode("utf-8") not in raw


def test_after_deletion_not_even_the_encrypted_bytes_are_left(url: str) -> None:
    ask(url)
    with database.session(url) as session:
        sealed = bytes(session.execute(select(CallbackRequest.sealed)).scalar_one())
        callbacks.delete(session, "a" * 22)
    with database.engine(url).connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    raw = on_disk(url)
    assert sealed[:40] not in raw
    assert MARKER.encode() not in raw
    assert b"a" * 22 not in raw
    assert count(url, Notification) == 0


def test_another_key_reads_nothing_and_breaks_nothing(url: str) -> None:
    ask(url)
    with database.session(url) as session:
        found = callbacks.find(session, b"x" * 32, (), "a" * 22)
        assert found is not None
        assert found.contact is None
        assert len(callbacks.listed(session, b"x" * 32, (), CALLBACK_NEW)) == 1


def test_a_ticket_is_good_for_one_request_but_the_same_may_arrive_twice(url: str) -> None:
    assert ask(url)
    assert ask(url, at=NOW + timedelta(minutes=1)), "a second click"
    assert not ask(url, contact=Contact(phone="+4915100000000"))
    assert not ask(url, language="de")
    assert count(url, CallbackRequest) == count(url, Notification) == 1


@pytest.mark.parametrize(
    ("states", "seen"), [((), {"n", "b", "o"}), (("DE-NW",), {"n"}), (("DE-BE", "DE-NW"), {"n", "b"}), (("DE-SN",), set())]
)
def test_each_region_sees_its_own_requests_and_those_for_all_see_all(url: str, states: tuple[str, ...], seen: set[str]) -> None:
    for letter, state in (("n", "DE-NW"), ("b", "DE-BE"), ("o", None)):
        ask(url, letter * 22, state=state)
    with database.session(url) as session:
        assert {one.key[0] for one in callbacks.listed(session, CIPHER, states, CALLBACK_NEW)} == seen
        assert callbacks.counts(session, states) == {"new": len(seen), "called": 0, "done": 0}
        for letter in "nbo":
            assert (callbacks.find(session, CIPHER, states, letter * 22) is not None) == (letter in seen)


def test_those_who_wait_longest_come_first_a_page_at_a_time(url: str) -> None:
    for number in (3, 0, 4, 1, 2):
        ask(url, f"{number}" * 22, at=NOW + timedelta(minutes=number // 2))
    with database.session(url) as session:
        first = callbacks.listed(session, CIPHER, (), CALLBACK_NEW, limit=3)
        rest = callbacks.listed(session, CIPHER, (), CALLBACK_NEW, (first[-1].created_at, first[-1].id), 3)
    assert [one.key[0] for one in (*first, *rest)] == ["0", "1", "3", "2", "4"]


def test_a_status_changes_only_from_what_was_seen_and_can_be_taken_back(url: str) -> None:
    ask(url)
    with database.session(url) as session:
        staff = Staff(email="a@example.org", name="Ada", password_hash="-", roles=REVIEWER, states="", language="de", created_at=NOW)
        session.add(staff)
        session.flush()
        key = "a" * 22
        assert callbacks.change(session, key, CALLBACK_NEW, CALLBACK_CALLED, staff.id, NOW)
        assert not callbacks.change(session, key, CALLBACK_NEW, CALLBACK_CALLED, staff.id, NOW), "a colleague was quicker"
        assert callbacks.change(session, key, CALLBACK_CALLED, CALLBACK_DONE, staff.id, NOW)
        session.expire_all()
        done = callbacks.find(session, CIPHER, (), key)
        assert done is not None
        assert (done.status, done.done_at, done.staff_name) == (CALLBACK_DONE, NOW, "Ada")
        assert callbacks.change(session, key, CALLBACK_DONE, CALLBACK_NEW, staff.id, NOW)
        session.expire_all()
        new = callbacks.find(session, CIPHER, (), key)
        assert new is not None
        assert (new.status, new.done_at, new.staff_name) == (CALLBACK_NEW, None, None)
        assert not callbacks.change(session, "gone" * 5, CALLBACK_NEW, CALLBACK_DONE, staff.id, NOW)


def test_the_data_of_a_conversation_are_deleted_with_its_request(url: str) -> None:
    converse(url, "c" * 32)
    ask(url, conversation_id="c" * 32)
    ask(url, "b" * 22, conversation_id="another")
    with database.session(url) as session:
        deletion.forget_person(session, ["c" * 32])
    assert count(url, CallbackRequest) == count(url, Notification) == 1


def test_a_request_outlives_the_end_of_its_conversation_without_a_link_to_it(url: str) -> None:
    converse(url, "c" * 32)
    ask(url, conversation_id="c" * 32)
    with database.session(url) as session:
        session.delete(session.get(Conversation, "c" * 32))
    with database.session(url) as session:
        assert session.execute(select(CallbackRequest.conversation_id)).scalar_one() is None


def test_a_person_takes_a_request_back_once(url: str) -> None:
    ask(url)
    with database.session(url) as session:
        audit.write(session, NOW, 1, "Ada", "callback.change", "callback", "a" * 22, state="called")
        assert callbacks.withdraw(session, "a" * 22, NOW)
        assert not callbacks.withdraw(session, "a" * 22, NOW)
    assert count(url, CallbackRequest) == count(url, Notification) == 0
    with database.session(url) as session:
        entries = list(session.scalars(select(AuditEntry).order_by(AuditEntry.id)))
    assert [(one.action, one.object_key, one.details) for one in entries] == [("callback.change", "", ""), ("callback.withdraw", "", "")]
