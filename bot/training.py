"""Training the model, and knowing when it must be trained.

Rasa's own fingerprints decide which components are trained again, but finding out that nothing changed takes Rasa a
quarter of a minute of imports. A hash over everything the model depends on answers in milliseconds.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from ruamel.yaml import YAML

from bot.settings import PROJECT, settings

# Everything that changes the model: configuration, examples, rules, tables, and the code of the components.
_SOURCES = (
    "config.yml",
    "domain.yml",
    "data/*.yml",
    "data/nlu/*.yml",
    "data/lookups/**/*.csv",
    "data/places/*.csv",
    "bot/nlu/*.py",
    "actions/directory/text.py",
    "actions/directory/places.py",
)


class TrainingFailed(Exception):
    """Rasa could not train a model; its own output says why."""


def fingerprint() -> str:
    """Return a hash over all that the model is made from, the installed spaCy model included."""
    digest = hashlib.sha256()
    for pattern in _SOURCES:
        for path in sorted(PROJECT.glob(pattern)):
            digest.update(path.relative_to(PROJECT).as_posix().encode())
            digest.update(_without_texts(path) if path.name == "domain.yml" else path.read_bytes())
    for package in ("rasa", "spacy", "scikit-learn", "de-core-news-sm"):
        try:
            digest.update(version(package).encode())
        except Exception:
            digest.update(b"-")
    return digest.hexdigest()[:16]


def _without_texts(path: Path) -> bytes:
    """Return a domain without what it says: the model knows only the names of the responses, not their texts."""
    domain = YAML(typ="safe").load(path)
    domain["responses"] = sorted(domain["responses"])
    return json.dumps(domain, sort_keys=True, default=str).encode()


def current_model() -> Path | None:
    """Return the model that belongs to the present data, or None if it must be trained."""
    path = settings().models / f"lotse-{fingerprint()}.tar.gz"
    return path if path.exists() else None


def environment() -> dict[str, str]:
    """Return the environment in which Rasa is started: addresses from the settings, quiet, no telemetry, loopback."""
    return {
        **os.environ,
        "LOTSE_ACTIONS_WEBHOOK": f"{settings().actions_url}/webhook",
        "RASA_TELEMETRY_ENABLED": "false",
        "SANIC_HOST": "127.0.0.1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
    }


def train(force: bool = False) -> Path:
    """Train the model if anything has changed; return its file. Who comes while another trains waits for the same model.

    Args:
        force: train every component anew.

    Raises:
        TrainingFailed: if Rasa ends with an error.
    """
    settings().models.mkdir(parents=True, exist_ok=True)
    with (settings().models / ".training.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        model = current_model()
        return model if model is not None and not force else _train(force)


def _train(force: bool) -> Path:
    name = f"lotse-{fingerprint()}"
    command = [sys.executable, "-m", "rasa", "train", "--out", str(settings().models), "--fixed-model-name", name, "--skip-validation"]
    if force:
        command.append("--force")
    done = subprocess.run(command, cwd=PROJECT, env={**environment(), "LOG_LEVEL": "INFO"}, check=False)
    model = settings().models / f"{name}.tar.gz"
    if done.returncode or not model.exists():
        raise TrainingFailed("Training failed; the lines above say why. Often a YAML file in data/ is not well-formed.")
    return model
