"""Alembic's entry point for the directory; the engine is handed over by ``actions.directory.database.upgrade``."""

from alembic import context

from actions.directory.models import Base

engine = context.config.attributes["engine"]
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
