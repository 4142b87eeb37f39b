"""Keys that derive from ``LOTSE_SECRET_KEY``: one secret to keep, one key for each purpose."""

from __future__ import annotations

import hashlib
import hmac

from bot.settings import settings


def derived_key(purpose: str, secret: str | None = None) -> bytes:
    """Return the 32-byte key for one purpose.

    Args:
        purpose: what the key is for; another purpose gives another key, and none tells anything about the secret.
        secret: the secret to derive from; ``LOTSE_SECRET_KEY`` if not given.
    """
    root = settings().secret_key if secret is None else secret
    return hmac.new(root.encode("utf-8"), f"iq-lotse {purpose}".encode(), hashlib.sha256).digest()


def engine_key(secret: str | None = None) -> str:
    """Return the key (hexadecimal) with which the gateway identifies itself to the engine channel."""
    return derived_key("engine channel", secret).hex()
