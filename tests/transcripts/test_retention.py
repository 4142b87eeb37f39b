"""The retention: on both sides of each limit, repeatable, going on after an error; and nothing is left in any file."""

from __future__ import annotations

import json
import re
import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from actions.directory.text import strip_invisible
from bot.cli import app
from bot.dialogue.catalogues import period
from bot.dialogue.nlg import TranslatedReplies
from bot.gateway.page import _widget_texts
from bot.languages import SPOKEN_LANGUAGES
from bot.settings import PROJECT, Settings
from bot.settings import settings as process_settings
from bot.transcripts import audit, database, retention
from bot.transcripts.conversations import Conversations
from bot.transcripts.deletion import delete_transcripts
from bot.transcripts.record_models import CallbackRequest, DailyCount, Notification, Transcript, TranscriptTurn
from bot.transcripts.records import TurnFacts
from tests.review.support import make_settings, make_transcript

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
MARKER = "zwiebelkuchenmarkierung"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with an empty database."""
    made = make_settings(tmp_path)
    database.upgrade(made.transcripts_url)
    return made


def add(settings: Settings, *said: str, age: timedelta = timedelta(0), **more: Any) -> str:
    """Add a transcript whose last message is ``age`` old; return its key."""
    with database.session(settings.transcripts_url) as session:
        return str(make_transcript(session, *said, last_activity_at=NOW - age, **more).key)


def keys(settings: Settings) -> set[str]:
    """Return the keys of the transcripts that are there."""
    with database.session(settings.transcripts_url) as session:
        return set(session.scalars(select(Transcript.key)))


def everything_in(folder: Path) -> bytes:
    """Return the content of every file in a folder."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("consent", "limit"), [(True, timedelta(days=30)), (False, timedelta(hours=48))], ids=["with consent", "without consent"]
)
def test_a_transcript_goes_at_its_limit_and_not_before(settings: Settings, consent: bool, limit: timedelta) -> None:
    young = add(settings, age=limit - timedelta(minutes=1), consent=consent)
    old = add(settings, age=limit, consent=consent)
    assert keys(settings) == {young, old}
    retention.run(settings, NOW)
    assert keys(settings) == {young}


def test_a_dry_run_counts_and_deletes_nothing(settings: Settings) -> None:
    for _ in range(3):
        add(settings, age=timedelta(days=31))
    report = retention.run(settings, NOW, dry_run=True)
    assert report.gone["transcripts with consent"] == 3
    assert len(keys(settings)) == 3
    assert retention.run(settings, NOW).gone["transcripts with consent"] == 3
    assert retention.run(settings, NOW).total == 0, "a second run has nothing to do"


def test_an_error_in_one_step_does_not_keep_the_others_from_running(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    old = add(settings, age=timedelta(days=31))

    def broken(_: retention.Run) -> int:
        raise OSError(f"the disk says {old}")

    steps = [(name, broken if name == "live conversations" else step) for name, step in retention.STEPS]
    monkeypatch.setattr(retention, "STEPS", steps)
    report = retention.run(settings, NOW)
    assert report.failed == {"live conversations": "OSError"}
    assert keys(settings) == set()


def test_call_back_requests_go_some_days_after_they_are_done(settings: Settings) -> None:
    def request(key: str, **more: Any) -> CallbackRequest:
        return CallbackRequest(**{"key": key, "language": "de", "sealed": b"-", "created_at": NOW - timedelta(days=20), **more})

    with database.session(settings.transcripts_url) as session:
        session.add(request("just done", status="done", done_at=NOW - timedelta(days=13, hours=23)))
        session.add(request("long done", status="done", done_at=NOW - timedelta(days=14)))
        session.add(request("open"))
        session.add(request("never answered", created_at=NOW - timedelta(days=60)))
    retention.run(settings, NOW)
    with database.session(settings.transcripts_url) as session:
        assert set(session.scalars(select(CallbackRequest.key))) == {"just done", "open"}


def test_mails_that_cannot_be_sent_and_files_that_nobody_confirms_go(settings: Settings) -> None:
    with database.session(settings.transcripts_url) as session:
        session.add(Notification(kind="crisis", object_key="k", created_at=NOW - timedelta(days=4), attempts=9))
    uploads = settings.home / retention.UPLOADS
    uploads.mkdir()
    (uploads / "offices.csv").write_text("x")
    report = retention.run(settings, datetime.now(timezone.utc) + timedelta(days=2))
    assert report.gone["mails that wait"] == report.gone["uploaded files"] == 1
    assert list(uploads.iterdir()) == []


def test_the_figures_stay_when_the_transcripts_go(settings: Settings) -> None:
    store = Conversations(settings.transcripts_url, b"k" * 32, timedelta(minutes=30), timedelta(hours=12))
    conversation = store.create("web", "tr", True, NOW)
    begun = store.begin_turn(conversation.id, "a", "text", "merhaba", NOW)
    store.finish_turn(conversation.id, begun.id, [], {}, "tr", NOW, TurnFacts(intent="greet"))
    later = NOW + timedelta(hours=50)
    retention.run(settings, NOW + timedelta(hours=1))
    retention.run(settings, later)
    assert keys(settings) == set()
    with database.session(settings.transcripts_url) as session:
        counted = session.execute(select(DailyCount.measure, DailyCount.key, DailyCount.count)).all()
    assert ("language", "tr", 1) in counted


def test_what_is_told_in_the_audit_trail_is_blanked_and_the_entry_stays(settings: Settings) -> None:
    key = add(settings, age=timedelta(days=31))
    with database.session(settings.transcripts_url) as session:
        audit.write(session, NOW, 1, "Frau Muster", "label.add", "transcript", key, label=MARKER)
    retention.run(settings, NOW)
    with database.session(settings.transcripts_url) as session:
        trail = audit.entries(session)
    assert [entry.action for entry in trail] == ["retention.run", "label.add"]
    assert trail[1].blanked and trail[1].object_key == "" and trail[1].details == {} and trail[1].staff_name == "Frau Muster"


def test_the_engine_forgets_what_is_older_than_any_conversation(settings: Settings) -> None:
    path = settings.home / "tracker.db"
    with sqlite3.connect(path) as tracker:
        tracker.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, sender_id TEXT, timestamp REAL, data TEXT)")
        for sender, age in (("old", 13 * 3600 + 1), ("live", 12 * 3600)):
            tracker.execute(
                "INSERT INTO events (sender_id, timestamp, data) VALUES (?, ?, ?)", (sender, NOW.timestamp() - age, f"{MARKER} {sender}")
            )
    tracker.close()
    assert retention.run(settings, NOW, dry_run=True).gone["conversations in the engine"] == 1
    assert retention.run(settings, NOW).gone["conversations in the engine"] == 1
    assert f"{MARKER} old".encode() not in everything_in(settings.home)
    assert f"{MARKER} live".encode() in everything_in(settings.home)


def test_nothing_is_left_in_any_file_after_retention(settings: Settings) -> None:
    key = add(settings, f"Ich suche {MARKER} in Köln", age=timedelta(days=31))
    assert MARKER.encode() in everything_in(settings.home)
    retention.run(settings, NOW)
    assert MARKER.encode() not in everything_in(settings.home).lower()
    assert key.encode() not in everything_in(settings.home)


def test_nothing_is_left_in_any_file_after_staff_deletes(settings: Settings) -> None:
    key = add(settings, f"Ich suche {MARKER} in Köln")
    with database.session(settings.transcripts_url) as session:
        assert delete_transcripts(session, [key], 1, "Frau Muster", "auf Wunsch", NOW) == 1
        assert delete_transcripts(session, ["unknown"], 1, "Frau Muster", "auf Wunsch", NOW) == 0
    retention.run(settings, NOW)
    assert MARKER.encode() not in everything_in(settings.home).lower()
    assert key.encode() not in everything_in(settings.home)
    with database.session(settings.transcripts_url) as session:
        told = [entry for entry in audit.entries(session) if entry.action == "transcript.delete"]
    assert [(entry.staff_name, entry.details["reason"], entry.object_key) for entry in told] == [("Frau Muster", "auf Wunsch", "")]


def test_on_postgresql_the_retention_deletes_and_vacuums(postgres_url: str, tmp_path: Path) -> None:
    settings = make_settings(tmp_path, transcripts_url=postgres_url)
    database.upgrade(postgres_url)
    young, old = add(settings, MARKER), add(settings, MARKER, age=timedelta(days=30))
    report = retention.run(settings, NOW)
    assert report.failed == {}
    assert keys(settings) == {young} != {old}
    with database.session(postgres_url) as session:
        assert session.scalar(select(func.count()).select_from(TranscriptTurn)) == 2


def test_the_command_reports_each_kind_of_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOTSE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "120")
    process_settings.cache_clear()
    try:
        done = CliRunner().invoke(app, ["retention", "run", "--dry-run"])
    finally:
        monkeypatch.undo()
        process_settings.cache_clear()
    assert done.exit_code == 0, done.output
    for name, _ in retention.STEPS:
        assert name in done.output


def test_settings_and_document_name_the_same_periods() -> None:
    """The widget's and the chat's texts take theirs from the settings; the document is written by hand."""
    fields = Settings.__dataclass_fields__
    rows = {
        "LOTSE_TRANSCRIPT_DAYS": (fields["transcript_days"].default, "Tage"),
        "LOTSE_STRUCTURE_HOURS": (fields["structure_hours"].default, "Stunden"),
        "LOTSE_CALLBACK_DAYS": (fields["callback_days"].default, "Tage"),
        "LOTSE_REVIEW_IDLE_MINUTES": (fields["review_idle_minutes"].default, "Minuten"),
        "LOTSE_REVIEW_ABSOLUTE_HOURS": (fields["review_absolute_hours"].default, "Stunden"),
    }
    document = (PROJECT / "docs" / "datenschutz.md").read_text(encoding="utf-8")
    for name, (default, unit) in rows.items():
        found = re.search(rf"(\d+) {unit}[^|]*?\(`{name}`\)", document)
        assert found and int(found[1]) == default, name
    assert f"höchstens {retention.OPEN_CALLBACK_DAYS} Tage" in document


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_the_notices_of_every_language_follow_the_setting_by_which_is_deleted(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOTSE_TRANSCRIPT_DAYS", "17")
    monkeypatch.setenv("LOTSE_IDLE_MINUTES", "23")
    process_settings.cache_clear()
    try:
        answer = TranslatedReplies().reply("utter_faq/privacy", language, {})["text"]
    finally:
        monkeypatch.undo()
        process_settings.cache_clear()
    question = json.loads(_widget_texts(language, "Verein", 17)[0])["texts"]["consent.question"]
    for said in (answer, question):
        assert period(language, days=17) in strip_invisible(said)
        assert "duration" not in said
    assert period(language, minutes=23) in strip_invisible(answer)
    used = make_settings(tmp_path, transcript_days=17)
    database.upgrade(used.transcripts_url)
    young, old = add(used, age=timedelta(days=17, minutes=-1)), add(used, age=timedelta(days=17))
    retention.run(used, NOW)
    assert keys(used) == {young} != {old}
