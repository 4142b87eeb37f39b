"""A fresh process that loads one trained model and parses: ``python -m bench.probe MODEL MESSAGES OUT STARTED``.

``MESSAGES`` is a JSON list of texts; the first is parsed once before, as the first message of a fresh process.
``STARTED`` is the time (``time.time()``) right before this process was started.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def main(model: str, messages: str, out: str, started: str) -> None:
    """Load, parse, write what was measured."""
    from bench.processes import peak_mb
    from bot.dialogue.channel import plain
    from bot.understanding import Understanding

    texts = [plain(text) or "…" for text in json.loads(Path(messages).read_text(encoding="utf-8"))]
    understanding = Understanding(Path(model))
    understanding.raw(texts[0])
    start_up = time.time() - float(started)
    times: list[float] = []
    parsed: list[dict[str, Any]] = []
    for text in texts[1:]:
        began = time.perf_counter()
        raw = understanding.raw(text)
        times.append((time.perf_counter() - began) * 1000)
        parsed.append(_outcome(raw))
    measured = {"start_up": start_up, "peak_mb": peak_mb(), "times": times, "parsed": parsed}
    Path(out).write_text(json.dumps(measured), encoding="utf-8")


def _outcome(raw: dict[str, Any]) -> dict[str, Any]:
    """Return of a parse what the comparison needs: intent, likeliest intents, the question that was selected."""
    selected = raw.get("response_selector") or {}
    answers = [value["response"] for key, value in selected.items() if key != "all_retrieval_intents"]
    return {
        "intent": raw["intent"]["name"],
        "confidence": float(raw["intent"].get("confidence") or 0.0),
        "ranking": [entry["name"] for entry in raw.get("intent_ranking", [])[:3]],
        "question": next((a["intent_response_key"] for a in answers if a.get("intent_response_key")), None),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
