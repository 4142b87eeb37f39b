"""``pipelines``: our pipeline, Rasa's default, a linear one of Rasa's, and ours with parts taken away, on the same data."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import processes, results
from bench.options import Options
from bench.results import Result, Table, Target, at_least, below, say, spread
from bench.training import TrainingEnded, train
from bench.variants import FLAT_QUESTION, VARIANTS, data_hash, project
from bot import evaluation
from bot.settings import PROJECT
from bot.training import environment

LONGEST_PROBE = 1800
WARM_UP = "Aufwärmen, damit die Zeiten stimmen"
FALLBACK = "nlu_fallback"


def run(options: Options) -> Result:
    """Train, load and evaluate each chosen pipeline; rows of earlier runs on the same data are kept."""
    rows = _earlier_rows(options.quick)
    for name in options.pipelines:
        key = f"{name} {options.fraction:g}" + (f" {options.diet_epochs}" if VARIANTS[name].neural else "")
        try:
            rows[key] = _row(name, options)
        except TrainingEnded as error:
            say(str(error))
            rows[key] = {**_facts(name, options), "outcome": "failed (see the output)"}
        # After each one: an interrupted run keeps what it has.
        results.save(_result(rows, options), options.quick)
    return _result(rows, options)


def _result(rows: dict[str, dict[str, Any]], options: Options) -> Result:
    order = list(VARIANTS)
    ordered = dict(sorted(rows.items(), key=lambda item: (order.index(item[1]["variant"]), -item[1]["fraction"], -item[1]["epochs"])))
    settings = options.only("pipelines", "limit_minutes", "diet_epochs", "fraction", "loads")
    return Result("pipelines", settings, {"rows": ordered}, _tables(ordered), _targets(ordered))


def _earlier_rows(quick: bool) -> dict[str, dict[str, Any]]:
    stored = results.load("pipelines", quick)
    rows = stored.data["rows"] if stored else {}
    return {key: row for key, row in rows.items() if row["data"] == data_hash(row["variant"])}


def _facts(name: str, options: Options) -> dict[str, Any]:
    epochs = options.diet_epochs if VARIANTS[name].neural else 0
    return {
        "variant": name,
        "title": VARIANTS[name].title,
        "epochs": epochs,
        "fraction": options.fraction,
        "data": data_hash(name),
        "date": results.now(),
        "command": results.command(),
    }


def _row(name: str, options: Options) -> dict[str, Any]:
    """Measure one pipeline."""
    variant = VARIANTS[name]
    with tempfile.TemporaryDirectory(prefix=f"lotse-bench-{name}-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        examples = project(variant, folder, options.diet_epochs, options.fraction)
        row = {**_facts(name, options), "examples": examples}
        say(f"pipelines: training {name} on {examples} examples, at most {options.limit_minutes:g} min")
        trained = train(name, folder, options.limit_minutes)
        row |= {"training_s": round(trained.seconds, 1), "training_peak_mb": round(trained.peak_mb)}
        if trained.model is None:
            outcome = f"stopped after {options.limit_minutes:g} min" + (f", {trained.where}" if trained.where else "")
            say(f"pipelines: {name} {outcome}")
            return {**row, "outcome": outcome}
        say(f"pipelines: {name} trained in {trained.seconds:.0f} s; loading it {options.loads} times, then parsing")
        row |= {"outcome": "trained", "model_mb": round(trained.model.stat().st_size / 1024**2, 1)}
        return row | _probed(trained.model, folder, options)


def _probed(model: Path, folder: Path, options: Options) -> dict[str, Any]:
    listed = [(language, message) for language in evaluation.languages() for message in _messages(language, options.messages)]
    start_ups = []
    for number in range(options.loads):
        last = number == options.loads - 1
        measured = _probe(model, folder, [WARM_UP, *(message["text"] for _, message in listed if last)])
        start_ups.append(round(measured["start_up"], 2))
    return {
        "start_up_s": round(statistics.median(start_ups), 2),
        "start_ups": start_ups,
        "peak_mb": round(measured["peak_mb"]),
        "parse_ms": spread(measured["times"]),
        "accuracy": _accuracy(listed, measured["parsed"]),
    }


def _messages(language: str, count: int) -> list[dict[str, Any]]:
    """Return the evaluation messages of a language, or about ``count`` of them, evenly spread (0: all)."""
    loaded = evaluation.load(language)
    return loaded[:: max(1, len(loaded) // count)] if count else loaded


def _probe(model: Path, folder: Path, texts: list[str]) -> dict[str, Any]:
    given, out = folder / "messages.json", folder / "measured.json"
    given.write_text(json.dumps(texts), encoding="utf-8")
    command = [sys.executable, "-m", "bench.probe", str(model), str(given), str(out), str(time.time())]
    with (folder / "probe.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        code = process.wait(timeout=LONGEST_PROBE)
    finally:
        processes.stop(process, everyone=True)
    if code:
        raise TrainingEnded(f"Loading {model.name} failed:\n{(folder / 'probe.log').read_text('utf-8', 'replace')[-3000:]}")
    return dict(json.loads(out.read_text(encoding="utf-8")))


def understood(parsed: dict[str, Any], threshold: bool) -> str:
    """Return the full intent that a parse stands for.

    Args:
        parsed: the outcome of ``bench.probe``.
        threshold: whether what is below it counts as not understood; else the likeliest intent counts.
    """
    intent = parsed["intent"]
    if intent == FALLBACK and not threshold:
        intent = next((name for name in parsed["ranking"] if name != FALLBACK), FALLBACK)
    if intent == "faq":
        intent = parsed["question"] or "faq"
    return f"faq/{intent.removeprefix(FLAT_QUESTION)}" if intent.startswith(FLAT_QUESTION) else str(intent)


def _accuracy(listed: list[tuple[str, dict[str, Any]]], parsed: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    figures: dict[str, dict[str, float]] = {}
    for threshold in (True, False):
        cases = [_case(language, message, understood(one, threshold)) for (language, message), one in zip(listed, parsed, strict=True)]
        for group in ("all", *evaluation.languages()):
            summary = evaluation.summary([c for c in cases if group in ("all", c.language)])
            chosen = figures.setdefault(group, {})
            if threshold:
                kept = ("messages", "need_accuracy", "faq_accuracy", "all_accuracy", "asks_back", "wrong_and_sure")
                chosen.update({key: round(summary[key], 4) for key in kept})
            else:
                chosen["need_accuracy_no_threshold"] = round(summary["need_accuracy"], 4)
    return figures


def _case(language: str, message: dict[str, Any], intent: str) -> evaluation.Case:
    from bot.nlu.intent import need_of

    return evaluation.Case(
        text=message["text"],
        language=language,
        kind=message["kind"],
        intent=message["intent"],
        need=need_of(message["intent"]),
        place=None,
        country=None,
        profession=False,
        parsed={"intent": intent, "need": need_of(intent)},
    )


def _name(row: dict[str, Any]) -> str:
    notes = [f"{row['epochs']} epochs"] if row["epochs"] else []
    if row["fraction"] < 1:
        notes.append(f"{row['fraction']:.0%} of the examples")
    return row["title"] + (f" ({', '.join(notes)})" if notes else "")


def _tables(rows: dict[str, dict[str, Any]]) -> list[Table]:
    cost, quality = [], []
    for row in rows.values():
        name = _name(row)
        if row["outcome"] != "trained":
            cost.append([name, row["outcome"], *["–"] * 6])
            quality.append([name, row["outcome"], *["–"] * 8])
            continue
        parse = row["parse_ms"]
        cost.append(
            [
                name,
                f"{row['training_s']:.0f} s",
                f"{row['training_peak_mb']:.0f} MB",
                f"{row['model_mb']:.1f} MB",
                f"{row['start_up_s']:.1f} s",
                f"{row['peak_mb']:.0f} MB",
                f"{parse['p50']:.2f} ms",
                f"{parse['p95']:.2f} ms",
            ]
        )
        per = row["accuracy"]
        quality.append(
            [
                name,
                *(f"{per[group]['need_accuracy']:.3f}" for group in ("de", "en", "all")),
                *(f"{per[group]['need_accuracy_no_threshold']:.3f}" for group in ("de", "en", "all")),
                *(f"{per['all'][key]:.3f}" for key in ("faq_accuracy", "asks_back", "wrong_and_sure")),
            ]
        )
    examples = ", ".join(sorted({f"{row['examples']:,}" for row in rows.values() if "examples" in row}))
    first = Table(
        "Cost of the pipelines",
        ["pipeline", "training", "peak of training", "model", "start to first parse", "peak of parsing", "parse p50", "parse p95"],
        cost,
        f"{examples} training examples. Training: wall time of `rasa train` in a fresh process with an empty cache, imports included. "
        "Start: fresh process until the first message is parsed (median). Peak: VmHWM of the process. "
        "Parse: Rasa's own parse of the evaluation messages, one at a time.",
    )
    second = Table(
        "Needs understood on `data/evaluation`",
        ["pipeline", "de", "en", "all", *(f"{g}, no threshold" for g in ("de", "en", "all")), "questions", "asks back", "wrong and sure"],
        quality,
        "Share of the messages with a need that are understood; what is below the threshold counts as not understood, or, in the "
        "columns without threshold, as the likeliest intent. Questions: share with the right answer. Our rows include the emergency "
        "lexicon and the rules for bare names; the logistic one has each question as an intent of its own, Rasa's default a "
        "ResponseSelector.",
    )
    return [first, second]


def _targets(rows: dict[str, dict[str, Any]]) -> list[Target]:
    row = next((r for r in rows.values() if r["variant"] == "ours" and r["outcome"] == "trained"), None)
    if row is None:
        return []
    part = f" ({row['fraction']:.0%} of the examples)" if row["fraction"] < 1 else ""
    return [
        below(f"training{part}", row["training_s"], 120, "s"),
        below("parse, p50", row["parse_ms"]["p50"], 5, "ms"),
        *(at_least(f"need accuracy, {code}{part}", row["accuracy"][code]["need_accuracy"], 0.92) for code in evaluation.languages()),
    ]
