"""Every environment variable of the project, named and explained once.

``docs/operating.md`` lists the same names; a test compares the two. All have a default that works on one machine.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


class SettingsError(Exception):
    """A setting has a value that cannot be used; the message says which and what to do."""


def _integer(name: str, default: int, least: int, most: int) -> int:
    value = os.environ.get(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError as error:
        raise SettingsError(f"{name} must be a whole number, but is {value!r}.") from error
    if not least <= number <= most:
        raise SettingsError(f"{name} must be between {least} and {most}, but is {number}.")
    return number


def _port(name: str, default: int) -> int:
    return _integer(name, default, 0, 65_535)


def _switch(name: str, default: bool) -> bool:
    value = os.environ.get(name)
    if value and value not in ("on", "off"):
        raise SettingsError(f"{name} must be on or off, but is {value!r}.")
    return value == "on" if value else default


def _list(name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in os.environ.get(name, "").split(",") if part.strip())


def _states(name: str) -> tuple[str, ...]:
    found = _list(name)
    for one in found:
        if one != "all" and not re.fullmatch(r"DE-(BB|BE|BW|BY|HB|HE|HH|MV|NI|NW|RP|SH|SL|SN|ST|TH)", one):
            raise SettingsError(f"{name} must be states such as DE-NW, comma separated, or `all`, but holds {one!r}.")
    return found


def _key_in(path: Path) -> str:
    # Another process may have made the file and not yet written it.
    for _ in range(50):
        key = path.read_text(encoding="ascii").strip()
        if key:
            return key
        time.sleep(0.02)
    raise SettingsError(f"The key file {path} is empty. Delete it (running conversations end) or set LOTSE_SECRET_KEY.")


@dataclass(frozen=True)
class Settings:
    """The settings of one process, read from the environment by :func:`settings`."""

    host: str  # LOTSE_HOST: address of the web process
    port: int  # LOTSE_PORT: port of the web process
    engine_port: int  # LOTSE_ENGINE_PORT: loopback port of `rasa run`
    actions_port: int  # LOTSE_ACTIONS_PORT: loopback port of the action server
    home: Path  # LOTSE_HOME: databases, keys, logs
    models: Path  # LOTSE_MODELS: trained models
    directory_url: str  # LOTSE_DIRECTORY_URL
    transcripts_url: str  # LOTSE_TRANSCRIPTS_URL
    tracker_url: str  # LOTSE_TRACKER_URL
    redis_url: str | None  # LOTSE_REDIS_URL: shared rate limits, if there is more than one web process
    allowed_origins: tuple[str, ...]  # LOTSE_ALLOWED_ORIGINS: sites that may call the chat API, comma separated
    trusted_proxies: tuple[str, ...]  # LOTSE_TRUSTED_PROXIES: addresses whose X-Forwarded-For counts, comma separated
    operator: str  # LOTSE_OPERATOR: who runs the guide, shown to users
    idle_minutes: int  # LOTSE_IDLE_MINUTES: a conversation ends after so many minutes without a message
    absolute_hours: int  # LOTSE_ABSOLUTE_HOURS: a conversation ends after so many hours in any case
    engine_timeout: int  # LOTSE_ENGINE_TIMEOUT: seconds until the gateway gives up on an answer
    transcript_days: int = 30  # LOTSE_TRANSCRIPT_DAYS: redacted texts are kept so many days for review, with consent
    structure_hours: int = 48  # LOTSE_STRUCTURE_HOURS: without consent the structure is kept so many hours, without texts
    callback_days: int = 14  # LOTSE_CALLBACK_DAYS: a call-back request is deleted so many days after it is done
    callback_states: tuple[str, ...] = ()  # LOTSE_CALLBACK_STATES: states (DE-NW, ...) whose offices call back, or `all`
    review: bool = True  # LOTSE_REVIEW: `off` leaves the review out of the web process
    second_factor: bool = True  # LOTSE_REVIEW_SECOND_FACTOR: `off` asks only admins for a second factor
    review_idle_minutes: int = 30  # LOTSE_REVIEW_IDLE_MINUTES: staff are logged out after so many minutes without a click
    review_absolute_hours: int = 10  # LOTSE_REVIEW_ABSOLUTE_HOURS: staff are logged out after so many hours in any case
    public_url: str | None = None  # LOTSE_PUBLIC_URL: address of the web process as people type it, for links in mails
    smtp_url: str | None = field(default=None, repr=False)  # LOTSE_SMTP_URL: smtp[s]://user:password@host:port, for mails to staff
    mail_from: str | None = None  # LOTSE_MAIL_FROM: sender of these mails
    _secret: str | None = field(default=None, repr=False)  # LOTSE_SECRET_KEY

    @property
    def engine_url(self) -> str:
        """The loopback address of the engine channel."""
        return f"http://127.0.0.1:{self.engine_port}/webhooks/lotse"

    @property
    def actions_url(self) -> str:
        """The loopback address of the action server."""
        return f"http://127.0.0.1:{self.actions_port}"

    @property
    def secret_key(self) -> str:
        """The key from which all signatures derive; made at first use and kept in ``LOTSE_HOME`` with mode 600."""
        if self._secret:
            return self._secret
        path = self.home / "secret.key"
        if path.exists():
            return _key_in(path)
        self.home.mkdir(parents=True, exist_ok=True)
        try:
            # O_EXCL: two processes that start together must not overwrite each other's key.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _key_in(path)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        return _key_in(path)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process.

    Raises:
        SettingsError: if a variable has a value that cannot be used.
    """
    home = Path(os.environ.get("LOTSE_HOME") or PROJECT / "var").resolve()
    return Settings(
        host=os.environ.get("LOTSE_HOST") or "127.0.0.1",
        port=_port("LOTSE_PORT", 8080),
        engine_port=_port("LOTSE_ENGINE_PORT", 5005),
        actions_port=_port("LOTSE_ACTIONS_PORT", 5055),
        home=home,
        models=Path(os.environ.get("LOTSE_MODELS") or PROJECT / "models").resolve(),
        directory_url=os.environ.get("LOTSE_DIRECTORY_URL") or f"sqlite:///{home / 'directory.db'}",
        transcripts_url=os.environ.get("LOTSE_TRANSCRIPTS_URL") or f"sqlite:///{home / 'transcripts.db'}",
        tracker_url=os.environ.get("LOTSE_TRACKER_URL") or f"sqlite:///{home / 'tracker.db'}",
        redis_url=os.environ.get("LOTSE_REDIS_URL") or None,
        allowed_origins=_list("LOTSE_ALLOWED_ORIGINS"),
        trusted_proxies=_list("LOTSE_TRUSTED_PROXIES"),
        operator=os.environ.get("LOTSE_OPERATOR") or "Testbetrieb (kein Betreiber eingetragen)",
        idle_minutes=_integer("LOTSE_IDLE_MINUTES", 30, 1, 24 * 60),
        absolute_hours=_integer("LOTSE_ABSOLUTE_HOURS", 12, 1, 7 * 24),
        engine_timeout=_integer("LOTSE_ENGINE_TIMEOUT", 10, 1, 600),
        transcript_days=_integer("LOTSE_TRANSCRIPT_DAYS", 30, 1, 90),
        structure_hours=_integer("LOTSE_STRUCTURE_HOURS", 48, 1, 168),
        callback_days=_integer("LOTSE_CALLBACK_DAYS", 14, 1, 90),
        callback_states=_states("LOTSE_CALLBACK_STATES"),
        review=_switch("LOTSE_REVIEW", True),
        second_factor=_switch("LOTSE_REVIEW_SECOND_FACTOR", True),
        review_idle_minutes=_integer("LOTSE_REVIEW_IDLE_MINUTES", 30, 1, 24 * 60),
        review_absolute_hours=_integer("LOTSE_REVIEW_ABSOLUTE_HOURS", 10, 1, 7 * 24),
        public_url=(os.environ.get("LOTSE_PUBLIC_URL") or "").rstrip("/") or None,
        smtp_url=os.environ.get("LOTSE_SMTP_URL") or None,
        mail_from=os.environ.get("LOTSE_MAIL_FROM") or None,
        _secret=os.environ.get("LOTSE_SECRET_KEY") or None,
    )
