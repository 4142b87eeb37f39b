"""Fixtures of the tests of the dialogue."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def directory_url(full_directory_url: str) -> str:
    """The shipped directory (tests/directory has an empty one under the same name)."""
    return full_directory_url
