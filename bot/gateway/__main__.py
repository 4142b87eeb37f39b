"""Run the gateway alone, without the review: ``python -m bot.gateway``."""

from __future__ import annotations

from bot.gateway.app import create_app
from bot.settings import settings
from bot.web.server import serve

if __name__ == "__main__":
    serve(create_app(), settings())
