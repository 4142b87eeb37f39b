"""Run the web process: ``python -m bot.web``."""

from __future__ import annotations

from bot.settings import settings
from bot.web.app import create_app
from bot.web.server import serve

if __name__ == "__main__":
    serve(create_app(), settings())
