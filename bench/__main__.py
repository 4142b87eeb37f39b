"""``python -m bench``: the command line of the benchmarks."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from types import FrameType

from bench import fuzz, long, lookup, pipelines, redaction, report, results, review, serve, turns
from bench.client import NotAnswered
from bench.guide import GuideFailed
from bench.options import Options, quick
from bench.results import Result, say
from bench.variants import VARIANTS
from bot.settings import PROJECT

# In the order in which they run: the longest last.
BENCHMARKS: dict[str, Callable[[Options], Result]] = {
    "lookup": lookup.run,
    "redaction": redaction.run,
    "serve": serve.run,
    "turns": turns.run,
    "long": long.run,
    "pipelines": pipelines.run,
}
# Run only if they are named, and fail if what they check does not hold.
CHECKS: dict[str, Callable[[Options], Result]] = {"fuzz": fuzz.run}
# Run only if they are named, because they are large; one result for each database.
LARGE: dict[str, Callable[[Options], Result]] = {"review": review.run}
STORED = [*BENCHMARKS, *CHECKS, *(f"review{kind}" for kind in review.DATABASES)]
REPORT = "report"
_EPILOG = """\
benchmarks:
  lookup     finding offices in the directory, in one process, also with 5,000 made-up offices more
  redaction  personal data found and lost in made-up messages, time for one; writes docs/redaction.md
  serve      `lotse serve`: start to first answer, memory of each process
  turns      turns over the chat API: one client, then 20 at once
  long       turn 100 of a conversation against turn 5
  pipelines  training, size, start, memory, parse time and accuracy of our pipeline, Rasa's default and others
  fuzz       conversations and attacks side by side; no benchmark but a check: only if named, exit code 1 if a promise
             of the chat API is broken
  review     the inbox of the review among a million conversations (--count, --database); only if named
  report     measure nothing; print (and with --write: write) what was measured before

examples:
  python -m bench --write                              all of it, then docs/; an hour or two (DIET is stopped after 30 min)
  python -m bench turns long                           two of them
  python -m bench pipelines --pipelines diet --fraction 0.1 --limit 60
                                                       one row more for the same table
  python -m bench fuzz --inputs 3000 --fake-engine     the gateway alone; the default is the whole guide
  python -m bench review --database postgresql         a million conversations; --count 20000 to try
  python -m bench --quick                              smoke test; its results are kept apart (results/bench/quick)
  python -m bench report --write                       docs/ anew from the stored results

Run it on a machine that does nothing else. Traffic goes to 127.0.0.1 only; everything that is started is stopped.
"""
_NUMBERS: dict[str, tuple[str, type, str]] = {
    "limit_minutes": ("--limit", float, "pipelines: minutes after which a training is stopped"),
    "diet_epochs": ("--diet-epochs", int, "pipelines: epochs of the neural parts (DIET, ResponseSelector, TED, UnexpecTED)"),
    "fraction": ("--fraction", float, "pipelines: share of the training examples of each intent"),
    "loads": ("--loads", int, "pipelines: how often each model is loaded in a fresh process"),
    "starts": ("--starts", int, "serve: how often the guide is started (and once more, in an empty home)"),
    "turns": ("--turns", int, "turns: turns of each kind for one client"),
    "clients": ("--clients", int, "turns: clients at once"),
    "client_turns": ("--client-turns", int, "turns: turns of each of these clients"),
    "runs": ("--runs", int, "long: conversations"),
    "long_turns": ("--long-turns", int, "long: turns of each; from 301 on, turn 300 is compared too"),
    "lookups": ("--lookups", int, "lookup: lookups in each directory"),
    "offices": ("--offices", int, "lookup: made-up offices"),
    "inputs": ("--inputs", int, "fuzz: requests, at least"),
    "seed": ("--seed", int, "fuzz: the same seed brings the same conversations"),
    "people": ("--people", int, "fuzz: conversations at once"),
    "count": ("--count", int, "review: conversations"),
    "repeats": ("--repeats", int, "review: questions of each kind"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Benchmarks of iq-lotse. They measure and report; a target that is not met is no error.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to measure; all if none is given (see below)")
    parser.add_argument("--quick", action="store_true", help="smoke test with tiny settings; the numbers mean nothing")
    parser.add_argument(
        "--write", nargs="?", const=PROJECT / "docs", type=Path, metavar="FOLDER", help="write the pages into FOLDER (default: docs)"
    )
    parser.add_argument("--fake-engine", action="store_true", help="fuzz: the gateway with a stand-in for the engine, without a model")
    parser.add_argument("--database", choices=review.DATABASES, default="sqlite", help="review: where the conversations are")
    known = ",".join(VARIANTS)
    parser.add_argument("--pipelines", metavar="LIST", help=f"pipelines: which ones, with commas (default: {known})")
    defaults = {field.name: field.default for field in fields(Options)}
    for name, (flag, kind, text) in _NUMBERS.items():
        parser.add_argument(flag, dest=name, type=kind, metavar="N", help=f"{text} (default: {defaults[name]})")
    return parser


def _options(parser: argparse.ArgumentParser, given: argparse.Namespace) -> Options:
    options = quick() if given.quick else Options()
    chosen = {name: getattr(given, name) for name in _NUMBERS if getattr(given, name) is not None}
    for name, value in chosen.items():
        if value <= 0 or (name == "fraction" and value > 1):
            parser.error(f"{_NUMBERS[name][0]} must be above 0" + (" and at most 1" if name == "fraction" else ""))
    if chosen.get("long_turns", long.FEWEST_TURNS) < long.FEWEST_TURNS:
        parser.error(f"--long-turns must be at least {long.FEWEST_TURNS}")
    if given.pipelines:
        chosen["pipelines"] = tuple(given.pipelines.split(","))
        unknown = set(chosen["pipelines"]) - set(VARIANTS)
        if unknown:
            parser.error(f"unknown pipelines: {', '.join(sorted(unknown))}; there are {', '.join(VARIANTS)}")
    return replace(options, fake_engine=given.fake_engine, database=given.database, **chosen)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    # As Ctrl-C: the processes that were started are stopped on the way out.
    raise KeyboardInterrupt


def main() -> int:
    """Measure what was asked for; return the exit code."""
    parser = _parser()
    given = parser.parse_args()
    unknown = set(given.names) - {*BENCHMARKS, *CHECKS, *LARGE, REPORT}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join([*BENCHMARKS, *CHECKS, *LARGE])} and {REPORT}")
    if given.quick and given.write == PROJECT / "docs":
        parser.error("the numbers of a smoke test do not belong into docs/; give --write another folder")
    options = _options(parser, given)
    # This process only measures; TensorFlow, which comes along with the intents, has nothing to say here.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    signal.signal(signal.SIGTERM, _terminate)
    code = 0
    try:
        if REPORT in given.names:
            for result in filter(None, (results.load(name, given.quick) for name in STORED)):
                print(report.show(result))
        for name in [n for n in BENCHMARKS if n in given.names or not given.names]:
            code = max(code, _measure(name, BENCHMARKS[name], options)[0])
        for name in [n for n in LARGE if n in given.names]:
            code = max(code, _measure(name, LARGE[name], options)[0])
        for name in [n for n in CHECKS if n in given.names]:
            failed, checked = _measure(name, CHECKS[name], options)
            code = max(code, failed, int(checked is not None and not all(target.met for target in checked.targets)))
    except KeyboardInterrupt:
        say("Interrupted; everything that was started has been stopped.")
        return 130
    if given.write:
        for page in report.write(given.write, STORED, given.quick):
            say(f"written: {page}")
    return code


def _measure(name: str, benchmark: Callable[[Options], Result], options: Options) -> tuple[int, Result | None]:
    say(f"{name}: begins" + (" (smoke test)" if options.quick else ""))
    try:
        result = benchmark(options)
    except (GuideFailed, NotAnswered) as error:
        say(f"{name}: FAILED: {error}")
        return 1, None
    path = results.save(result, options.quick)
    print(report.show(result), flush=True)
    say(f"{name}: done, {path}")
    return 0, result


if __name__ == "__main__":
    sys.exit(main())
