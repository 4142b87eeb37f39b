"""What the tests of the review share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .support import Review, open_review


@pytest.fixture
def review(tmp_path: Path) -> Iterator[Review]:
    """A review with an empty database."""
    with open_review(tmp_path) as opened:
        yield opened
