"""A marker is planted in a conversation with the whole running guide and looked for in every database, file and log:
after redaction, after deletion, after retention."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from sqlalchemy import create_engine, select

from bot.settings import settings
from bot.transcripts import database, retention
from bot.transcripts.record_models import PERSON, Transcript, TranscriptTurn
from tests.processes import RunningEngine

from .test_whole_guide import Visitor

PHONE = "0176 9081 7263"
NAME = "Zwiebelfried"
# No kind of personal data: what redaction leaves, deletion and retention have to take away.
WORD = "zwiebelkuchenmarkierung"
LONGEST = 30  # seconds until the engine has deleted its part


def holding(home: Path, marker: str) -> list[str]:
    """Return the names of the files in ``home`` that hold a marker, in any case of letters; journals are written back first."""
    for url in (settings().transcripts_url, settings().tracker_url, settings().directory_url):
        engine = create_engine(url)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        engine.dispose()
    wanted = marker.lower().encode()
    return sorted(path.name for path in home.rglob("*") if path.is_file() and wanted in path.read_bytes().lower())


def eventually(condition: Callable[[], bool]) -> bool:
    """Wait until a condition holds; return whether it did in time."""
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return condition()


def texts_of(visitor: Visitor) -> list[str]:
    """Return what is kept of what this person wrote."""
    with database.session(settings().transcripts_url) as session:
        newest = session.scalars(select(Transcript.id).order_by(Transcript.id.desc())).first()
        query = select(TranscriptTurn.text).where(TranscriptTurn.transcript_id == newest, TranscriptTurn.author == PERSON)
        return list(session.scalars(query.order_by(TranscriptTurn.position)))


def test_a_marker_is_in_no_store_longer_than_it_may_be(guide: str, running_engine: RunningEngine) -> None:
    home = running_engine.home
    visitor = Visitor(guide, "de")
    visitor.say(f"Ich heiße {NAME} Markermann, Tel. {PHONE}, {WORD}. Ich bin Krankenschwester aus Syrien und wohne in Cottbus")

    # Without consent: no word of it in the transcripts; the engine alone knows it while the conversation is live.
    assert texts_of(visitor) == [None]
    assert holding(home, WORD) == ["tracker.db"]

    # With consent, redacted: name and number are gone, place and profession stay.
    assert visitor.http.patch("/api/chat/sessions/current", json={"consent_to_review": True}).status_code == 200
    (kept,) = texts_of(visitor)
    assert "[Name]" in kept and "[Telefon]" in kept and "Krankenschwester" in kept and "Cottbus" in kept and WORD in kept
    for marker in (NAME, PHONE, PHONE.replace(" ", "")):
        assert set(holding(home, marker)) <= {"tracker.db"}, marker
    assert holding(home, WORD) == ["tracker.db", "transcripts.db"]

    # Deleted by the person: in no database, no file, no log.
    assert visitor.http.delete("/api/chat/sessions/current").status_code == 204
    assert eventually(lambda: holding(home, WORD) == [])
    for marker in (NAME, PHONE):
        assert holding(home, marker) == []

    # Another one says nothing more: the retention ends the conversation, and thirty days later all of it.
    visitor = Visitor(guide, "tr")
    visitor.say(f"{WORD} Köln'de diplomamı tanıtmak istiyorum")
    assert visitor.http.patch("/api/chat/sessions/current", json={"consent_to_review": True}).status_code == 200
    now = datetime.now(timezone.utc)
    ended = retention.run(settings(), now + timedelta(days=1))
    assert ended.failed == {}
    assert "transcripts.db" in holding(home, WORD), "it is kept for review, and can be searched"
    assert retention.run(settings(), now + timedelta(days=31)).failed == {}
    assert eventually(lambda: holding(home, WORD) == []), holding(home, WORD)
    assert visitor.http.get("/api/chat/messages").status_code == 401
