"""Alembic's entry point for the transcripts; the engine is handed over by ``bot.transcripts.database.upgrade``."""

from alembic import context

from bot.transcripts import record_models, staff_models  # noqa: F401 (their tables join the metadata)
from bot.transcripts.models import Base

engine = context.config.attributes["engine"]
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
