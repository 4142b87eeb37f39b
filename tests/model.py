"""The trained model, for all tests that need one; trained at most once, also across test runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.training import train
from bot.understanding import Understanding


@pytest.fixture(scope="session")
def trained_model(lotse_home: Path) -> Path:
    """The file of the model for the present data (``bot.training`` knows by a fingerprint whether there is one)."""
    return train()


@pytest.fixture(scope="session")
def understanding(trained_model: Path) -> Understanding:
    """The model in this process: parses messages without a conversation."""
    return Understanding(trained_model)
