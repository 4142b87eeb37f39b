"""Run the review alone, for example on an address that only the office can reach: ``python -m bot.review``."""

from __future__ import annotations

from bot.review.app import create_standalone
from bot.settings import settings
from bot.web.server import serve

if __name__ == "__main__":
    serve(create_standalone(), settings())
