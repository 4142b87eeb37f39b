"""Factories for the tests of the review: the real application on a database of its own, accounts, transcripts."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.testclient import TestClient

from bot.review.app import MOUNTED_AT, create_standalone
from bot.review.guards import COOKIE
from bot.review.services import ReviewServices
from bot.settings import Settings
from bot.transcripts import database, search, staff_sessions
from bot.transcripts.record_models import GUIDE, PERSON, Transcript, TranscriptNeed, TranscriptOffice, TranscriptTurn
from bot.transcripts.staff_models import REVIEWER, Staff
from tests.support import NOW, Clock, make_settings


@dataclass
class Review:
    """A running review."""

    app: Starlette
    settings: Settings
    clock: Clock
    services: ReviewServices
    visitors: int = 0

    def session(self) -> Any:
        """Open a session on the transcripts."""
        return database.session(self.settings.transcripts_url)

    def browser(self) -> Browser:
        """Return a browser in which nobody is logged in."""
        # An address of its own: the limits count by address.
        self.visitors += 1
        address = (f"10.{self.visitors >> 16}.{self.visitors >> 8 & 255}.{self.visitors & 255}", 50000)
        client = TestClient(self.app, base_url="http://review.test", client=address, follow_redirects=False)
        return Browser(client, self)

    def log_in(self, *roles: str, states: Sequence[str] = (), **more: Any) -> Browser:
        """Return a browser in which a new account is logged in, past the second factor.

        Args:
            roles: the roles of the account; a reviewer if none is named.
            states: the regions of the account; all if none is named.
            more: columns of the account that differ.
        """
        with self.session() as session:
            account = make_staff(session, *roles, states=states, **more)
            token = staff_sessions.begin(session, account.id, "test", True, self.clock())
            staff_id = account.id
        browser = self.browser()
        browser.staff_id = staff_id
        browser.client.cookies.set(COOKIE, token, path=MOUNTED_AT)
        return browser


@dataclass
class Browser:
    """One person in front of the review."""

    client: TestClient
    review: Review
    staff_id: int = 0

    def get(self, path: str, **more: Any) -> Any:
        """Open a page (``path`` from the root of the review)."""
        return self.client.get(f"{MOUNTED_AT}{path}", **more)

    def post(self, path: str, data: dict[str, Any] | None = None, *, csrf: str | None = None, **more: Any) -> Any:
        """Send a form with the word of this session, or with ``csrf``."""
        return self.client.post(f"{MOUNTED_AT}{path}", data={"csrf": self.csrf() if csrf is None else csrf, **(data or {})}, **more)

    def csrf(self) -> str:
        """Return the word that the forms of this session carry."""
        token = next((c.value for c in self.client.cookies.jar if c.name == COOKIE), None)
        if token is None:
            return ""
        return staff_sessions.csrf_token(staff_sessions._hash(token), self.review.services.csrf_key)


@contextmanager
def open_review(home: Path, **changes: Any) -> Iterator[Review]:
    """Run a review on a database of its own."""
    settings, clock = make_settings(home, **changes), Clock()
    app = create_standalone(settings, clock)
    database.upgrade(settings.transcripts_url)
    inner = app.routes[0].app  # type: ignore[attr-defined]
    yield Review(app, settings, clock, inner.state.services)


def make_staff(session: Session, *roles: str, states: Sequence[str] = (), **more: Any) -> Staff:
    """Add an account; it has a second factor, and a password that fits no hash."""
    values: dict[str, Any] = {
        "email": f"{secrets.token_hex(4)}@example.org",
        "name": "Test Person",
        "password_hash": "-",
        "roles": ",".join(roles or (REVIEWER,)),
        "states": ",".join(states),
        "language": "de",
        "totp_secret": b"-",
        "totp_confirmed_at": NOW,
        "created_at": NOW,
    }
    row = Staff(**{**values, **more})
    session.add(row)
    session.flush()
    return row


def make_transcript(
    session: Session,
    *said: str,
    needs: Sequence[str] = ("recognition",),
    offices: Sequence[str] = (),
    searchable: bool = True,
    **more: Any,
) -> Transcript:
    """Add a transcript of an ended conversation in which the person said ``said`` and got an answer to each.

    Args:
        session: a session on the transcripts.
        said: what the person said, one message each.
        needs: the needs that came up.
        offices: the ids of the offices shown.
        searchable: whether it is in the search index.
        more: columns of the transcript that differ.
    """
    said = said or ("Ich bin Krankenschwester aus Syrien und wohne in Dortmund",)
    values: dict[str, Any] = {
        "key": secrets.token_urlsafe(16)[:22],
        "channel": "web",
        "language": "de",
        "started_at": NOW - timedelta(hours=2),
        "last_activity_at": NOW - timedelta(hours=1),
        "ended_at": NOW - timedelta(minutes=30),
        "consent": True,
        "consent_at": NOW - timedelta(hours=1),
        "state": "DE-NW",
        "district": "05913",
        "need": needs[0] if needs else None,
        "outcome": "referred" if offices else "answered",
        "messages": len(said),
        "min_confidence": 0.9,
    }
    row = Transcript(**{**values, **more})
    session.add(row)
    session.flush()
    for need in needs:
        session.add(TranscriptNeed(transcript_id=row.id, need=need, last_activity_at=row.last_activity_at))
    for office in offices:
        session.add(TranscriptOffice(transcript_id=row.id, office_id=office, last_activity_at=row.last_activity_at))
    for number, text in enumerate(said):
        common: dict[str, Any] = {"transcript_id": row.id, "created_at": row.started_at, "language": row.language, "kind": "text"}
        kept = text if row.consent else None
        session.add(
            TranscriptTurn(
                **common,
                position=2 * number,
                author=PERSON,
                text=kept,
                intent=row.need or "nlu_fallback",
                confidence=row.min_confidence,
                entities=json.dumps([{"entity": "place", "value": "Dortmund"}]) if row.consent else None,
            )
        )
        session.add(
            TranscriptTurn(
                **common,
                position=2 * number + 1,
                author=GUIDE,
                text=f"Antwort {number}" if row.consent else None,
                message_id=secrets.token_hex(8),
                response="utter_referral" if offices else "utter_faq/costs",
                latency_ms=120,
            )
        )
    session.flush()
    if row.consent and searchable:
        search.add(session, row.id)
    return row


def text_of(html: str) -> str:
    """Return the words of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).strip()
