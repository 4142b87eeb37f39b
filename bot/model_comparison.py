"""Measures two models on the messages that reviewers judged: which gets more of them right, and which messages change.

The models are loaded one after the other: each takes half a gigabyte.
"""

from __future__ import annotations

import gc
import logging
import math
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from bot.settings import Settings
from bot.transcripts import comparisons, corrections, database
from bot.transcripts.comparisons import BEAT, NO_MESSAGES, NOT_LOADABLE, OTHER
from bot.transcripts.corrections import Correction, Scope
from bot.transcripts.records import FALLBACK_INTENT

logger = logging.getLogger(__name__)
SUFFIX = ".tar.gz"
# Below this probability the difference of two models is taken for more than chance.
LEVEL = 0.05

# Told how many messages of how many are done (both models together).
Progress = Callable[[int, int], None]


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(timezone.utc)


class Failed(Exception):
    """A comparison cannot be made; ``reason`` is one of ``comparisons.ERRORS``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Model:
    """A file with a trained model."""

    name: str
    changed_at: datetime
    megabytes: float


def available(folder: Path) -> list[Model]:
    """Return the models in a folder, the newest first."""
    found = []
    for path in folder.glob(f"*{SUFFIX}") if folder.is_dir() else ():
        with suppress(OSError):
            if path.is_file():
                status = path.stat()
                found.append(Model(path.name, datetime.fromtimestamp(status.st_mtime, timezone.utc), status.st_size / 1e6))
    return sorted(found, key=lambda model: (model.changed_at, model.name), reverse=True)


def understand(model: Path, texts: Sequence[str], done: Callable[[int], None]) -> list[str]:
    """Return the intent that a model finds in each text.

    Args:
        model: its file.
        texts: the messages.
        done: told after each message how many are done.

    Raises:
        Exception: whatever Rasa raises if the model cannot be loaded.
    """
    from bot.dialogue.channel import plain
    from bot.understanding import Understanding

    loaded = Understanding(model)
    found = []
    for number, text in enumerate(texts, 1):
        cleaned = plain(text)
        found.append(_intent(loaded.raw(cleaned)) if cleaned else FALLBACK_INTENT)
        done(number)
    del loaded
    gc.collect()
    return found


def compare(current: Path, candidate: Path, examples: Sequence[Correction], progress: Progress, parse: Any = understand) -> dict[str, Any]:
    """Measure two models on the same messages.

    Args:
        current: the file of the model in use.
        candidate: the file of the other one.
        examples: the messages, with what they mean.
        progress: told how far it is.
        parse: finds the intents of texts (for tests).

    Returns:
        Figures of all messages and of each language, and the messages that changed, as plain values without any text.

    Raises:
        Failed: if there is no message, or a model cannot be loaded.
    """
    if not examples:
        raise Failed(NO_MESSAGES)
    texts, found = [one.text for one in examples], {}
    # The candidate first: it is the one that may not be loadable, and the person who waits should learn that soon.
    for part, (side, path) in enumerate((("candidate", candidate), ("current", current))):
        try:
            found[side] = parse(path, texts, lambda number, part=part: progress(part * len(texts) + number, 2 * len(texts)))
        except Exception as error:
            # The message of an error may quote a text or a path.
            logger.error("The %s model cannot be used: %s", side, type(error).__name__)
            raise Failed(NOT_LOADABLE[side]) from error
    rows = list(zip(examples, found["current"], found["candidate"], strict=True))
    return {
        "all": _figures(rows),
        "languages": {code: _figures([row for row in rows if row[0].language == code]) for code in sorted({e.language for e in examples})},
        "changes": [
            {"message": one.digest, "language": one.language, "right": one.intent, "current": before, "candidate": after}
            for one, before, after in rows
            if (before == one.intent) != (after == one.intent)
        ],
    }


def run(
    settings: Settings,
    comparison_id: int,
    progress: Progress | None = None,
    parse: Any = understand,
    now: Callable[[], datetime] = utc_now,
    files: tuple[Path, Path] | None = None,
) -> dict[str, Any]:
    """Run a comparison that has been entered, and keep its result or why it failed.

    Args:
        settings: databases, the folder of the models, how long texts are kept.
        comparison_id: which.
        progress: told how far it is.
        parse: finds the intents of texts (for tests).
        now: the clock (for tests).
        files: the current and the candidate model, if they are not where the names of the comparison lead.

    Raises:
        LookupError: if there is no such comparison that waits to be run.
        Failed: if it cannot be made.
    """
    with database.session(settings.transcripts_url) as session:
        found = comparisons.find(session, comparison_id, now())
        if found is None or found.status != comparisons.RUNNING:
            raise LookupError(f"There is no comparison {comparison_id} that waits to be run.")
        examples, chosen = corrections.reviewed_set(session, Scope.of(now(), settings.transcript_days))
    pulse = _Pulse(settings.transcripts_url, comparison_id, now)

    def both(done: int, total: int) -> None:
        pulse.done, pulse.total = done, total
        if progress:
            progress(done, total)

    result, reason = None, OTHER
    pulse.start()
    try:
        current, candidate = files or (_file(settings.models, found.current), _file(settings.models, found.candidate))
        result = compare(current, candidate, examples, both, parse)
        result["chosen_for_evaluation"] = chosen
    except Failed as failed:
        reason = failed.reason
        raise
    finally:
        # The pulse would otherwise write over the result.
        pulse.end()
        with database.session(settings.transcripts_url) as session:
            if result is not None:
                comparisons.finish(session, comparison_id, result, now())
            else:
                comparisons.fail(session, comparison_id, reason, now())
    return result


def chance(better: int, worse: int) -> float:
    """Return how likely so one-sided a change is by chance alone (McNemar's test, exact, two-sided)."""
    changed = better + worse
    if not changed:
        return 1.0
    tail = sum(math.comb(changed, n) for n in range(min(better, worse) + 1))
    return min(1.0, 2 * tail / 2**changed)


class _Pulse:
    """Says every few seconds that a comparison is running, also while a model takes long to load."""

    def __init__(self, url: str, comparison_id: int, now: Callable[[], datetime]) -> None:
        self.done = self.total = 0
        self._url, self._id, self._now = url, comparison_id, now
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Say nothing any more."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            # A database that is busy for a moment is no reason to stop.
            with suppress(SQLAlchemyError), database.session(self._url) as session:
                comparisons.beat(session, self._id, self.done, self.total, self._now())
            if self._ended.wait(BEAT.total_seconds()):
                return


def _figures(rows: Sequence[tuple[Correction, str, str]]) -> dict[str, Any]:
    before = [one.intent == current for one, current, _ in rows]
    after = [one.intent == candidate for one, _, candidate in rows]
    better = sum(new and not old for old, new in zip(before, after, strict=True))
    worse = sum(old and not new for old, new in zip(before, after, strict=True))
    return {
        "messages": len(rows),
        "current_right": sum(before),
        "candidate_right": sum(after),
        "better": better,
        "worse": worse,
        "chance": round(chance(better, worse), 4),
    }


def _intent(raw: dict[str, Any]) -> str:
    name = str(raw["intent"]["name"])
    return str(raw["response_selector"]["faq"]["response"]["name"]) if name == "faq" else name


def _file(folder: Path, name: str) -> Path:
    """Return the file of a model; a name that is no file of the folder leads nowhere."""
    return folder / name if any(model.name == name for model in available(folder)) else folder / "missing"
