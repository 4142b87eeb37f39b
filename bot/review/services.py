"""What the endpoints of the review work with; made once by ``create_app``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import cast

from sqlalchemy.orm import Session
from starlette.requests import Request

from bot.dialogue.engine_key import derived_key
from bot.settings import Settings
from bot.transcripts import database
from bot.transcripts.staff_models import ADMIN
from bot.transcripts.staff_sessions import SignedIn
from bot.web.clients import Clients
from bot.web.limits import Limits


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class ReviewServices:
    """The parts of one running review."""

    settings: Settings
    limits: Limits
    clients: Clients
    now: Callable[[], datetime] = utc_now

    @property
    def idle(self) -> timedelta:
        """After so long without a click a session ends."""
        return timedelta(minutes=self.settings.review_idle_minutes)

    @property
    def absolute(self) -> timedelta:
        """After so long a session ends in any case."""
        return timedelta(hours=self.settings.review_absolute_hours)

    @property
    def csrf_key(self) -> bytes:
        """The key of the words that forms carry."""
        return derived_key("review forms", self.settings.secret_key)

    @property
    def totp_key(self) -> bytes:
        """The key that encrypts the secrets of second factors."""
        return derived_key("second factors", self.settings.secret_key)

    @property
    def callback_key(self) -> bytes:
        """The key that encrypts call-back requests."""
        return derived_key("call-back requests", self.settings.secret_key)

    def session(self) -> AbstractContextManager[Session]:
        """Open a session on the transcripts; committed when the block ends well."""
        return database.session(self.settings.transcripts_url)

    def needs_second_factor(self, roles: frozenset[str]) -> bool:
        """Return whether an account with these roles must have a second factor."""
        return self.settings.second_factor or ADMIN in roles

    def has_needed_factor(self, who: SignedIn) -> bool:
        """Return whether somebody has the second factor, if one is needed."""
        return who.second_factor or not self.needs_second_factor(who.roles)


def services(request: Request) -> ReviewServices:
    """Return the services of the application that handles ``request``."""
    return cast(ReviewServices, request.app.state.services)
