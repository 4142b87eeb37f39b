"""Tables that were uploaded and wait to be confirmed in ``LOTSE_HOME/uploads``.

They are deleted afterwards; those that nobody came back for, with the next upload after an hour.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bot.review.guards import Visit

MAX_BYTES = 4 * 1024 * 1024
KEPT_FOR = timedelta(hours=1)


@dataclass(frozen=True)
class Upload:
    """A kept file. Its name is a random word; what the file was called does not matter to us."""

    name: str
    path: Path


def keep(folder: Path, content: bytes) -> Upload:
    """Keep the content of a file and return where."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = secrets.token_hex(16)
    path = folder / name
    path.touch(mode=0o600)
    path.write_bytes(content)
    return Upload(name, path)


def find(folder: Path, name: str) -> Upload | None:
    """Return a kept file by its name; none if there is none (any more)."""
    path = folder / name
    return Upload(name, path) if re.fullmatch("[0-9a-f]{32}", name, re.ASCII) and path.is_file() else None


def remove(upload: Upload) -> None:
    """Delete a kept file."""
    upload.path.unlink(missing_ok=True)


def remove_old(folder: Path, now: datetime) -> None:
    """Delete the files that nobody came back for."""
    for path in folder.glob("[0-9a-f]*"):
        try:
            old = path.stat().st_mtime < (now - KEPT_FOR).timestamp()
        except FileNotFoundError:
            continue  # somebody else was quicker
        if old:
            path.unlink(missing_ok=True)


def digest(content: bytes) -> str:
    """Return a fingerprint."""
    return hashlib.sha256(content).hexdigest()


def seal(visit: Visit, upload: Upload, mode: str, plan: str) -> str:
    """Return the word that a preview carries: it stands for this file, this plan, this person, and cannot be made up."""
    said = "|".join((str(visit.staff.id), upload.name, digest(upload.path.read_bytes()), mode, plan))
    return hmac.new(visit.services.csrf_key, f"upload|{said}".encode(), hashlib.sha256).hexdigest()


def fits(visit: Visit, upload: Upload, mode: str, plan: str, given: str) -> bool:
    """Return whether a preview's word belongs to this file and this plan."""
    return hmac.compare_digest(seal(visit, upload, mode, plan).encode(), given.encode("utf-8", "replace"))
