"""Passwords of the staff: how they are kept, which are allowed, and one-time passwords.

Kept as argon2id with the parameters that OWASP recommends; when the parameters change, the hash is made anew at the next
login. Allowed is what is long enough and not easily guessed; there is no rule on kinds of characters and none on age,
because both make passwords worse (NIST SP 800-63B, ASVS 6.2).
"""

from __future__ import annotations

import re
import secrets
import threading
import unicodedata
from datetime import timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

LEAST = 12
# Nobody needs more, and argon2 must not be fed megabytes.
MOST = 1_000
FEWEST_DIFFERENT = 5
# A one-time password lies in a mail or on a slip of paper: it is good for a week.
ONE_TIME = timedelta(days=7)
# Without letters and digits that look alike.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
COMMON = Path(__file__).parent / "common_passwords.txt"

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Each computation holds 19 MB; so many at once, the others wait.
_at_once = threading.BoundedSemaphore(8)


def hashed(password: str) -> str:
    """Return the hash under which a password is kept."""
    with _at_once:
        return _hasher.hash(_normal(password))


def verify(password: str, known: str | None) -> bool:
    """Return whether a password is the one that is kept.

    Args:
        password: what was typed.
        known: the hash; None if there is no account or it may not be tried. The work is the same, so that nobody can tell.
    """
    usable = len(password) <= MOST
    try:
        with _at_once:
            _hasher.verify(known or _dummy(), _normal(password) if usable else "")
    except InvalidHashError:
        return verify(password, None) and False
    except Argon2Error:
        return False
    return usable and known is not None


def needs_rehash(known: str) -> bool:
    """Return whether a hash was made with other parameters than those of today."""
    return _hasher.check_needs_rehash(known)


def problem(password: str, email: str, name: str = "") -> str | None:
    """Return why a password is not allowed: ``short``, ``long``, ``personal`` or ``common``; None if it is.

    Args:
        password: the password that somebody chose.
        email: the login name of the account.
        name: the name of its holder.
    """
    if len(password) < LEAST:
        return "short"
    if len(password) > MOST:
        return "long"
    plain = password.casefold()
    local = email.partition("@")[0]
    personal = {_core(word.casefold()) for word in (email, local, re.sub(r"[\W_]", "", local), *name.split(), name.replace(" ", ""))}
    if email.casefold() in plain or _core(plain) in personal - {""}:
        return "personal"
    if len(set(plain)) < FEWEST_DIFFERENT or _is_run(plain) or plain in _common() or _core(plain) in _common():
        return "common"
    return None


def one_time() -> str:
    """Return a random password that can be read out on the telephone (99 bits)."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(4))


@lru_cache(maxsize=1)
def _dummy() -> str:
    return _hasher.hash(secrets.token_urlsafe())


def _normal(password: str) -> str:
    # The same "ü" is one character on one keyboard and two on another.
    return unicodedata.normalize("NFC", password)


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    words = COMMON.read_text(encoding="utf-8").split()
    return frozenset(words) | frozenset(_core(word) for word in words if len(_core(word)) > 2)


def _core(text: str) -> str:
    """Return a word without the digits and signs that people put around it to please a rule, and without repetition."""
    word = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", text)
    repeated = re.fullmatch(r"(.+?)\1+", word)
    return repeated[1] if repeated else word


def _is_run(text: str) -> bool:
    """Return whether a text is a row of neighbours: 123456789012, abcdefghijkl, cba..."""
    steps = {(ord(after) - ord(before)) % 10 if after.isdigit() else ord(after) - ord(before) for before, after in pairwise(text)}
    return len(steps) == 1 and steps <= {-1, 0, 1, 9}
