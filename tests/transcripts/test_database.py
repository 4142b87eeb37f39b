"""The database of the transcripts: its migrations and how it is opened."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from bot.transcripts import database, record_models, staff_models  # noqa: F401 (their tables join the metadata)
from bot.transcripts.models import Base


def migrated(folder: Path) -> str:
    """Return the address of a new database with all tables."""
    url = f"sqlite:///{folder / 'deep' / 'transcripts.db'}"
    database.upgrade(url)
    return url


def test_the_migrations_make_exactly_the_tables_of_the_models(tmp_path: Path) -> None:
    def ours(name: str | None, kind: str, _parents: object) -> bool:
        # The search index differs between the databases, and SQLite keeps a table of its own for ids.
        return kind != "table" or not str(name).startswith(("transcript_search", "sqlite_"))

    with database.engine(migrated(tmp_path)).connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": ours})
        assert compare_metadata(context, Base.metadata) == []


def test_upgrading_twice_changes_nothing(tmp_path: Path) -> None:
    assert migrated(tmp_path) == migrated(tmp_path)


def test_the_first_migration_can_be_undone(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    url = migrated(tmp_path)
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    config.attributes["engine"] = database.engine(url)
    command.downgrade(config, "base")
    with database.engine(url).connect() as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
    assert [name for name in names if not name.startswith("sqlite_")] == ["alembic_version"]


@pytest.mark.parametrize(("pragma", "value"), [("journal_mode", "wal"), ("foreign_keys", 1), ("secure_delete", 1), ("busy_timeout", 5000)])
def test_sqlite_is_opened_so_that_it_is_safe(tmp_path: Path, pragma: str, value: object) -> None:
    with database.engine(migrated(tmp_path)).connect() as connection:
        assert connection.execute(text(f"PRAGMA {pragma}")).scalar_one() == value


def test_an_error_of_the_database_does_not_quote_the_values(tmp_path: Path) -> None:
    url = migrated(tmp_path)
    with pytest.raises(IntegrityError) as caught, database.session(url) as session:
        session.execute(text("INSERT INTO turn (conversation_id) VALUES (:value)"), {"value": "secret words"})
    assert "secret words" not in str(caught.value)


def test_a_block_that_raises_leaves_nothing_behind(tmp_path: Path) -> None:
    url = migrated(tmp_path)
    insert = text("INSERT INTO pending_deletion VALUES ('x', '2026-11-22')")
    with pytest.raises(RuntimeError), database.session(url) as session:
        session.execute(insert)
        raise RuntimeError
    with database.session(url) as session:
        assert session.execute(text("SELECT count(*) FROM pending_deletion")).scalar_one() == 0
