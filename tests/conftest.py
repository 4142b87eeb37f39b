"""What all tests share: an environment of their own, and the fixtures that need a model or running processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.settings import settings
from bot.transcripts import database
from tests.processes import free_port

pytest_plugins = ["tests.model", "tests.processes", "tests.postgres"]

SECRET = "a secret for tests"
OPERATOR = "Testbetreiber gGmbH"


@pytest.fixture(scope="session", autouse=True)
def lotse_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A LOTSE_HOME and ports of this test run's own: no test touches ``./var`` or a guide that is running here.

    Models stay where they are (``./models``): a model belongs to its data, and training takes long.
    """
    home = tmp_path_factory.mktemp("lotse-home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("LOTSE_DIRECTORY_URL", "LOTSE_TRANSCRIPTS_URL", "LOTSE_TRACKER_URL", "LOTSE_REDIS_URL", "LOTSE_ALLOWED_ORIGINS"):
            patch.delenv(name, raising=False)
        patch.setenv("LOTSE_HOME", str(home))
        patch.setenv("LOTSE_SECRET_KEY", SECRET)
        patch.setenv("LOTSE_OPERATOR", OPERATOR)
        for name in ("LOTSE_PORT", "LOTSE_ENGINE_PORT", "LOTSE_ACTIONS_PORT"):
            patch.setenv(name, str(free_port()))
        settings.cache_clear()
        yield home
    settings.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def migrated_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run the migrations of the transcripts once; every other new SQLite file of the run is a copy of the result.

    The migrations take a third of a second, and a thousand tests begin with an empty database. What exists already, and
    PostgreSQL, is migrated as ever.
    """
    template = tmp_path_factory.mktemp("migrated") / "transcripts.db"
    migrate = database.upgrade
    migrate(f"sqlite:///{template}")
    engine = database.engine(f"sqlite:///{template}")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()

    def upgrade(url: str | None = None) -> None:
        path = Path((url or database.default_url()).removeprefix("sqlite:///"))
        if not (url or database.default_url()).startswith("sqlite:///") or path.exists():
            migrate(url)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(template, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "upgrade", upgrade)
        yield
