"""Session tokens: a signed conversation id. When a conversation ends is a matter of the database alone."""

from __future__ import annotations

import hashlib

from itsdangerous import BadData, URLSafeSerializer

TOKEN_LIMIT = 300


class Tokens:
    """Makes and checks session tokens.

    Args:
        key: the signing key.
    """

    def __init__(self, key: bytes) -> None:
        self._serializer = URLSafeSerializer(
            key, salt="chat session", signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        )

    def issue(self, conversation_id: str) -> str:
        """Return the token for a conversation."""
        token = self._serializer.dumps(conversation_id)
        return token if isinstance(token, str) else token.decode("ascii")

    def conversation(self, header: str) -> str | None:
        """Return the conversation id in an ``Authorization`` header, None if it has no token that we signed."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or len(token) > TOKEN_LIMIT:
            return None
        try:
            value = self._serializer.loads(token.strip())
        except (BadData, ValueError):
            return None
        return value if isinstance(value, str) else None
