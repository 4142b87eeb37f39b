"""Training of one variant in a process of its own, with a limit on the clock."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench import processes
from bench.results import say
from bot.settings import PROJECT
from bot.training import environment

REPORT_SECONDS = 30
_COMPONENT = re.compile(r"Starting to train component '([^']+)'")
_EPOCH = re.compile(r"Epochs:[^\r\n]*?(\d+)/(\d+)")


class TrainingEnded(Exception):
    """Rasa ended with an error; the message carries the end of its log."""


@dataclass(frozen=True)
class Trained:
    """What became of a training: the model (None if it was stopped), seconds, peak memory, where it was when it ended."""

    model: Path | None
    seconds: float
    peak_mb: float
    where: str


def train(name: str, folder: Path, limit_minutes: float) -> Trained:
    """Train the Rasa project in ``folder``; stop after ``limit_minutes``.

    Raises:
        TrainingEnded: if Rasa fails.
    """
    log = folder / "train.log"
    command = [sys.executable, "-m", "rasa", "train", "--config", "config.yml", "--domain", "domain.yml", "--data", "data"]
    command += ["--out", "models", "--fixed-model-name", name]
    # INFO: the progress of the epochs is written only then. The cache of Rasa lies in the folder and is empty.
    # What Rasa leaves behind when it is stopped goes away with the folder.
    (folder / "tmp").mkdir()
    env = {
        **environment(),
        "TMPDIR": str(folder / "tmp"),
        "LOG_LEVEL": "INFO",
        "RASA_CACHE_DIRECTORY": str(folder / "cache"),
        "PYTHONPATH": str(PROJECT),
    }
    began = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    peak, reported, stopped = 0.0, began, False
    try:
        while process.poll() is None:
            now = time.monotonic()
            peak = max(peak, processes.peak_mb(process.pid))
            if now - began > limit_minutes * 60:
                stopped = True
                break
            if now - reported > REPORT_SECONDS:
                reported = now
                say(f"pipelines: {name} trains since {(now - began) / 60:.1f} min: {where(log) or 'preparing'}")
            time.sleep(0.1)
        seconds = time.monotonic() - began
        reached = where(log)
    finally:
        processes.stop(process, everyone=True)
    model = folder / "models" / f"{name}.tar.gz"
    if stopped:
        return Trained(None, seconds, peak, reached)
    if process.returncode or not model.exists():
        raise TrainingEnded(f"The training of {name!r} ended with {process.returncode}:\n{log.read_text('utf-8', 'replace')[-3000:]}")
    return Trained(model, seconds, peak, reached)


def where(log: Path) -> str:
    """Return where a training is, after its log: the component and, if it counts them, the epoch."""
    text = log.read_text("utf-8", "replace") if log.exists() else ""
    begun = list(_COMPONENT.finditer(text))
    if not begun:
        return ""
    epochs = _EPOCH.findall(text[begun[-1].end() :])
    return begun[-1].group(1) + (f", epoch {epochs[-1][0]} of {epochs[-1][1]}" if epochs else "")
