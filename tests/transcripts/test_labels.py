"""Labels: made once, put on and taken off, put away and restored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.transcripts import database, labels
from bot.transcripts.record_models import TranscriptLabel
from tests.review.support import NOW, make_transcript


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    url = f"sqlite:///{tmp_path / 'transcripts.db'}"
    database.upgrade(url)
    with database.session(url) as opened:
        yield opened


def names(found: list) -> list[str]:
    return [label.name for label in found]


def test_a_label_is_made_when_it_is_first_put_on_a_transcript(session: Session) -> None:
    transcript = make_transcript(session)
    labels.add(session, transcript, "  Übersetzung \n prüfen ")
    assert names(labels.of(session, transcript.id)) == names(labels.all_labels(session)) == ["Übersetzung prüfen"]


def test_putting_a_label_on_twice_is_as_good_as_once(session: Session) -> None:
    transcript = make_transcript(session)
    first, second = labels.add(session, transcript, "Frage"), labels.add(session, transcript, "FRAGE")
    assert first.id == second.id
    assert names(labels.of(session, transcript.id)) == ["Frage"]


def test_upper_and_lower_case_outside_ascii_are_the_same(session: Session) -> None:
    assert labels.create(session, "Öffnung").id == labels.create(session, "öFFNUNG").id


def test_a_label_repeats_the_time_of_its_transcript(session: Session) -> None:
    transcript = make_transcript(session)
    labels.add(session, transcript, "Frage")
    assert session.scalar(select(TranscriptLabel.last_activity_at)) == transcript.last_activity_at


def test_a_label_is_taken_off(session: Session) -> None:
    transcript = make_transcript(session)
    label = labels.add(session, transcript, "Frage")
    assert labels.remove(session, transcript, label.id)
    assert not labels.remove(session, transcript, label.id)
    assert labels.of(session, transcript.id) == []


def test_many_transcripts_are_labelled_at_once(session: Session) -> None:
    ids = [make_transcript(session).id for _ in range(3)]
    label = labels.create(session, "Frage")
    assert labels.add_to_many(session, ids[:2], label.id) == 2
    assert labels.add_to_many(session, ids, label.id) == 1
    assert set(labels.of_many(session, ids)) == set(ids)
    assert labels.remove_from_many(session, ids, label.id) == 3


@pytest.mark.parametrize(("name", "reason"), [("", "empty"), (" \n\t ", "empty"), ("\x00\x07", "empty"), ("x" * 41, "long")])
def test_a_name_that_cannot_be_used_is_refused(session: Session, name: str, reason: str) -> None:
    with pytest.raises(labels.LabelError) as caught:
        labels.create(session, name)
    assert caught.value.reason == reason


def test_there_are_not_endlessly_many_labels(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "MOST", 2)
    labels.create(session, "a")
    labels.create(session, "b")
    with pytest.raises(labels.LabelError, match="many"):
        labels.create(session, "c")
    assert labels.create(session, "A").name == "a"


def test_a_label_is_renamed_but_not_to_a_name_that_is_taken(session: Session) -> None:
    first, second = labels.create(session, "Frage"), labels.create(session, "Antwort")
    assert labels.rename(session, first.id, "FRAGE").name == "FRAGE"
    with pytest.raises(labels.LabelError, match="taken"):
        labels.rename(session, second.id, "frage")
    for number in (0, -1, 99, 2**40):
        with pytest.raises(labels.LabelError, match="gone"):
            labels.rename(session, number, "Neu")


def test_a_deleted_label_is_gone_everywhere_and_comes_back_everywhere(session: Session) -> None:
    transcript = make_transcript(session)
    label = labels.add(session, transcript, "Frage")
    assert labels.put_away(session, label.id, NOW) is not None
    assert labels.all_labels(session) == labels.of(session, transcript.id) == []
    assert labels.find(session, label.id) is labels.named(session, "Frage") is None
    assert names(labels.deleted_labels(session)) == ["Frage"]
    assert labels.restore(session, label.id) is not None
    assert names(labels.of(session, transcript.id)) == ["Frage"]


def test_a_new_label_with_the_name_of_a_deleted_one_begins_empty(session: Session) -> None:
    transcript = make_transcript(session)
    old = labels.add(session, transcript, "Frage")
    labels.put_away(session, old.id, NOW)
    labels.create(session, "frage")
    assert labels.of(session, transcript.id) == []
    assert labels.deleted_labels(session) == []


def test_a_label_may_take_the_name_of_a_deleted_one(session: Session) -> None:
    labels.put_away(session, labels.create(session, "Alt").id, NOW)
    assert labels.rename(session, labels.create(session, "Neu").id, "alt").name == "alt"


def test_what_was_deleted_long_ago_is_purged(session: Session) -> None:
    transcript = make_transcript(session)
    old, new = labels.add(session, transcript, "Alt"), labels.add(session, transcript, "Neu")
    labels.put_away(session, old.id, NOW - timedelta(days=31))
    labels.put_away(session, new.id, NOW)
    assert labels.purge(session, NOW - timedelta(days=30)) == 1
    assert names(labels.deleted_labels(session)) == ["Neu"]
    assert session.scalars(select(TranscriptLabel.label_id)).all() == [new.id]


def test_it_is_counted_on_how_many_transcripts_a_label_is(session: Session) -> None:
    first, second = labels.create(session, "a"), labels.create(session, "b")
    labels.add_to_many(session, [make_transcript(session).id for _ in range(3)], first.id)
    assert labels.usage(session) == {first.id: 3, second.id: 0}
    assert labels.usage(session, most=1)[first.id] == 2
