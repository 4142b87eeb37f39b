"""What the tests of several packages share: settings that keep everything in one folder, and a clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from bot.settings import Settings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)


def make_settings(home: Path, **changes: Any) -> Settings:
    """Return settings that keep everything in ``home``."""
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 0,
        "engine_port": 9,
        "actions_port": 9,
        "home": home,
        "models": home,
        "directory_url": f"sqlite:///{home / 'directory.db'}",
        "transcripts_url": f"sqlite:///{home / 'transcripts.db'}",
        "tracker_url": f"sqlite:///{home / 'tracker.db'}",
        "redis_url": None,
        "allowed_origins": (),
        "trusted_proxies": (),
        "operator": "Testbetreiber gGmbH",
        "idle_minutes": 30,
        "absolute_hours": 12,
        "engine_timeout": 10,
        "_secret": "a secret for tests",
    }
    return Settings(**{**values, **changes})


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    moment: datetime = NOW

    def __call__(self) -> datetime:
        """Return the present moment."""
        return self.moment

    def forward(self, **by: float) -> None:
        """Let time pass."""
        self.moment += timedelta(**by)
