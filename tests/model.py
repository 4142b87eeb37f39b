"""The trained model, for all tests that need one; trained at most once, also across test runs."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from bot.settings import settings
from bot.training import train
from bot.understanding import Understanding


@pytest.fixture(scope="session")
def trained_model(lotse_home: Path) -> Path:
    """The file of the model for the present data (``bot.training`` knows by a fingerprint whether there is one)."""
    settings().models.mkdir(parents=True, exist_ok=True)
    # Two test runs that start together must not train into the same file.
    with (settings().models / ".training.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return train()


@pytest.fixture(scope="session")
def understanding(trained_model: Path) -> Understanding:
    """The model in this process: parses messages without a conversation."""
    return Understanding(trained_model)
