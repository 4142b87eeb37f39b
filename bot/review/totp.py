"""The second factor: codes of an authenticator app (TOTP, RFC 6238) and the emergency codes that stand in for them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import unicodedata
from datetime import datetime

import pyotp
import segno
from cryptography.fernet import Fernet, InvalidToken
from markupsafe import Markup

from bot.review.passwords import ALPHABET

ISSUER = "iq-lotse"
PERIOD = 30
# A clock may be one step off, either way.
WINDOW = (0, -1, 1)
EMERGENCY_CODES = 10


def offered_secret(key: bytes, token_hash: str) -> str:
    """Return the secret that a session offers for setting up a second factor.

    It derives from the session, so that looking at the page stores nothing, and the form need not carry it.

    Args:
        key: the key of the secrets (``services.totp_key``).
        token_hash: the session.
    """
    made = hmac.new(key, f"offer {token_hash}".encode("ascii"), hashlib.sha256).digest()
    return base64.b32encode(made[:20]).decode("ascii")


def sealed(secret: str, key: bytes) -> bytes:
    """Return a secret as it is stored: encrypted."""
    return _fernet(key).encrypt(secret.encode("ascii"))


def opened(stored: bytes | None, key: bytes) -> str | None:
    """Return a stored secret; None if there is none or the key is another (``LOTSE_SECRET_KEY`` has changed)."""
    if stored is None:
        return None
    try:
        return _fernet(key).decrypt(stored).decode("ascii")
    except InvalidToken:
        return None


def cleaned(text: str) -> str:
    """Return a typed code without the spaces and hyphens that make it readable, its digits as 0-9."""
    kept = (one for one in text.casefold() if one.isalnum())
    return "".join(str(unicodedata.decimal(one, one)) for one in kept)


def matching_step(secret: str, code: str, now: datetime, last_step: int | None) -> int | None:
    """Return the time step that a code belongs to.

    Args:
        secret: the secret of the account.
        code: what was typed.
        now: the moment.
        last_step: the step of the last code that was used: neither it nor an earlier one is good again.
    """
    given = cleaned(code).encode("utf-8")
    present = int(now.timestamp()) // PERIOD
    for step in (present + offset for offset in WINDOW):
        expected = pyotp.TOTP(secret).generate_otp(step).encode("ascii")
        if hmac.compare_digest(expected, given) and (last_step is None or step > last_step):
            return step
    return None


def address(secret: str, email: str) -> str:
    """Return the address that an authenticator app understands (``otpauth://``)."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def qr_code(content: str) -> Markup:
    """Return a QR code as SVG; black on white also in the dark scheme, because many cameras need it so."""
    # What comes back are paths only: the content is nowhere in it as text.
    return Markup(segno.make(content, error="m").svg_inline(scale=5, border=4, dark="#000", light="#fff", svgclass="qr", lineclass=None))


def new_emergency_codes() -> list[str]:
    """Return ten random codes (59 bits each) in groups of four."""
    return ["-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(3)) for _ in range(EMERGENCY_CODES)]


def emergency_hash(code: str) -> str:
    """Return what is stored of an emergency code. It is random, so a quick hash is enough."""
    return hashlib.sha256(cleaned(code).encode("utf-8")).hexdigest()


def _fernet(key: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(key))
