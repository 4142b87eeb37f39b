"""``redaction``: how much of the personal data in made-up messages is found, what is lost with it, and how long it takes.

Only totals are shown, never a sentence: what the figures are made for must not become what the rules are made from.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.options import Options
from bench.results import Result, Table, Target, at_least, below, say, spread
from bot.languages import SPOKEN_LANGUAGES
from bot.settings import PROJECT
from bot.transcripts.redaction import names_by_model, redact
from bot.transcripts.redaction.digits import clean

SET = PROJECT / "data" / "evaluation" / "redaction"
KINDS = ("phone", "email", "iban", "birth_date", "address", "document_number", "name")
WANTED = 0.95
_LONG = 3  # letters of a part of a name that must be gone
_DIGITS = 4  # consecutive digits of a number that must not remain
# A fresh process: what the first message pays for, and what stays in memory.
_START = """
import json, resource, sys, time
def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, began = memory(), time.perf_counter()
from bot.transcripts.redaction import redact
redact("Ich heiße Anna.", "de")
print(json.dumps({"seconds": time.perf_counter() - began, "megabytes": memory() - before}))
"""


def survives(kind: str, value: str, text: str) -> bool:
    """Return whether a planted value, or too much of it, is still in a redacted text.

    Args:
        kind: of :data:`KINDS`; of names each part of three letters or more must be gone, of numbers fewer than four
            consecutive digits may remain.
        value: what was planted.
        text: the redacted text.
    """
    if kind == "name":
        # As it is written: made uniform, the Arabic "on" would be the name Ali.
        rest = _spelled(text)
        parts = [part for part in re.findall(r"[^\W\d_]+", _spelled(value)) if len(part) >= _LONG]
        return any(re.search(_begins(part), rest) for part in parts or [re.escape(_spelled(value))])
    planted, rest = _uniform(value), _uniform(text)
    if planted in rest:
        return True
    if kind in ("phone", "iban", "document_number", "birth_date"):
        digits, left = re.sub(r"\D", "", planted), re.sub(r"(?<=\d)[\s\-./()]{1,4}(?=\d)", "", rest)
        return any(digits[place : place + _DIGITS] in left for place in range(len(digits) - _DIGITS + 1))
    return False


def _uniform(text: str) -> str:
    return " ".join(clean(text).text.split())


def _begins(part: str) -> str:
    """Return the pattern for a part of a name, with the endings of bent forms and the Arabic words written in one with it."""
    arabic = "\u0600" <= part[0] <= "\u06ff"
    prefix, ending = ("[ولبفك]?", r"(?![^\W\d_])") if arabic else ("", "" if len(part) > _LONG else r"(?![^\W\d_])")
    return rf"(?<![^\W\d_]){prefix}{re.escape(part)}{ending}"


def _spelled(text: str) -> str:
    visible = "".join(one for one in unicodedata.normalize("NFKC", text) if unicodedata.category(one) not in ("Cf", "Cs"))
    return " ".join(visible.split())


def lines(folder: Path, language: str) -> list[dict[str, Any]]:
    """Return the messages of one language; none if there is no file."""
    path = folder / f"{language}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def measure(messages: Iterable[dict[str, Any]], language: str) -> dict[str, Any]:
    """Return, for the messages of one language, what was planted, found, meant to stay and stayed."""
    planted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    stays = stayed = 0
    milliseconds = []
    for message in messages:
        began = time.thread_time()
        text = redact(message["text"], language).text
        milliseconds.append((time.thread_time() - began) * 1000)
        for one in message.get("planted", ()):
            planted[one["kind"]] += 1
            found[one["kind"]] += not survives(one["kind"], one["value"], text)
        for word in message.get("stays", ()):
            stays += 1
            stayed += _uniform(word) in _uniform(text)
    return {"planted": dict(planted), "found": dict(found), "stays": stays, "stayed": stayed, "ms": milliseconds}


def _speed() -> dict[str, float]:
    """Return the median milliseconds for messages of 100 and of 1000 characters."""
    message = "Ich heiße Mehmet Yılmaz und wohne in der Gartenstr. 12 in 50667 Köln, Tel. 0176 1234567. Was kann ich tun?"
    times: dict[str, list[float]] = defaultdict(list)
    for round_number in range(60):
        for name, text in (("100", message[:100]), ("1000", (f"{message} " * 10)[:1000])):
            # Of this thread alone: other work on the machine does not count.
            began = time.thread_time()
            redact(text, "de")
            if round_number > 9:
                times[name].append((time.thread_time() - began) * 1000)
    return {name: spread(values)["p50"] for name, values in times.items()}


def run(options: Options) -> Result:
    """Measure recall for each kind and language, what survived of the rest, times and memory; write ``docs/redaction.md``."""
    started = json.loads(subprocess.run([sys.executable, "-c", _START], cwd=PROJECT, check=True, capture_output=True, text=True).stdout)
    languages = {}
    for language in SPOKEN_LANGUAGES:
        messages = lines(SET, language)
        if not messages:
            say(f"redaction: no messages for {language} in {SET}")
            continue
        say(f"redaction: {language}, {len(messages)} messages")
        languages[language] = {"messages": len(messages), **measure(messages, language)}
    speed = _speed()
    everything = [one for each in languages.values() for one in each.pop("ms")]
    data = {"languages": languages, "start": started, "speed": speed, "ms": spread(everything)}
    result = Result("redaction", {}, data, _tables(data), _targets(data))
    if not options.quick and languages:
        _write(PROJECT / "docs" / "redaction.md", result)
    return result


def _ratio(part: int, whole: int) -> str:
    return f"{part}/{whole}" + (f" ({part / whole:.0%})" if whole else "")


def _tables(data: dict[str, Any]) -> list[Table]:
    rows = []
    total: Counter[tuple[str, str]] = Counter()
    for language, each in data["languages"].items():
        for kind in KINDS:
            total["found", kind] += each["found"].get(kind, 0)
            total["planted", kind] += each["planted"].get(kind, 0)
        total["stayed", ""] += each["stayed"]
        total["stays", ""] += each["stays"]
        cells = [_ratio(each["found"].get(kind, 0), each["planted"].get(kind, 0)) for kind in KINDS]
        names = "model" if names_by_model(language) else "lists"
        rows.append([language, str(each["messages"]), *cells, _ratio(each["stayed"], each["stays"]), names])
    cells = [_ratio(total["found", kind], total["planted", kind]) for kind in KINDS]
    messages = sum(each["messages"] for each in data["languages"].values())
    rows.append(["all", str(messages), *cells, _ratio(total["stayed", ""], total["stays", ""]), ""])
    note = (
        "Found of planted. A value counts as found if it is gone as a whole, of a name each part of three letters or more, of a "
        "number all but three consecutive digits. *stays*: towns, professions, amounts and other words that must survive."
    )
    speed, start = data["speed"], data["start"]
    times = [
        ["first message in a fresh process", f"{start['seconds']:.1f} s"],
        ["memory for it", f"{start['megabytes']:.0f} MB"],
        ["message of 100 characters, median, time of the processor", f"{speed['100']:.1f} ms"],
        ["message of 1000 characters, median, time of the processor", f"{speed['1000']:.1f} ms"],
        ["messages of the set, median and 95th percentile", f"{data['ms']['p50']:.1f} ms, {data['ms']['p95']:.1f} ms"],
    ]
    columns = ["language", "messages", *KINDS, "stays", "names by"]
    return [Table("Recall for each kind and language", columns, rows, note), Table("Times and memory", ["what", "measured"], times)]


def _targets(data: dict[str, Any]) -> list[Target]:
    targets = []
    for kind in KINDS[:-1]:
        shares = {
            language: each["found"].get(kind, 0) / each["planted"][kind]
            for language, each in data["languages"].items()
            if each["planted"].get(kind)
        }
        if shares:
            worst = min(shares, key=lambda language: shares[language])
            targets.append(at_least(f"recall of {kind}, worst language ({worst})", shares[worst], WANTED))
    targets.append(below("message of 100 characters", data["speed"]["100"], 5, "ms"))
    targets.append(below("message of 1000 characters", data["speed"]["1000"], 30, "ms"))
    return targets


def _write(path: Path, result: Result) -> None:
    """Write the page: what stands between the marks is made anew, the prose is kept."""
    from bench import report

    template = report.TEMPLATES / "redaction.md"
    text = (path if path.exists() else template).read_text(encoding="utf-8")
    block = f"<!-- bench:redaction -->\n{report.section(result)}\n\n{report.targets([result])}\n<!-- end of bench:redaction -->"
    text = re.sub(r"<!-- bench:redaction -->\n.*?<!-- end of bench:redaction -->", lambda _: block, text, flags=re.DOTALL)
    path.write_text(text, encoding="utf-8")
