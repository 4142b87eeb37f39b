"""`lotse evaluate`: how well messages are understood that training never saw (``data/evaluation``)."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from actions.directory.database import DATA
from actions.directory.models import NEEDS

# Outcomes of the dialogue intents are one column in the confusion matrix: the needs are what matters.
OTHER = "(dialogue)"
UNSURE = "(asks back)"


@dataclass(frozen=True)
class Case:
    """A message of the evaluation set, what is right, and what was understood."""

    text: str
    language: str
    kind: str
    intent: str
    need: str | None
    place: str | None
    country: str | None
    profession: bool
    parsed: dict[str, Any]

    @property
    def right(self) -> bool:
        """Whether the need was understood (for dialogue intents: the intent)."""
        return bool(self.parsed["need"] == self.need if self.need else self.parsed["intent"] == self.intent)

    @property
    def unsure(self) -> bool:
        """Whether the guide would ask back."""
        return bool(self.parsed["intent"] == "nlu_fallback")


def languages() -> list[str]:
    """Return the languages that have an evaluation set."""
    return sorted(path.stem for path in (DATA / "evaluation").glob("*.yml"))


def load(language: str) -> list[dict[str, Any]]:
    """Return the messages of an evaluation set.

    Raises:
        FileNotFoundError: if the language has none.
    """
    return list(YAML(typ="safe").load(DATA / "evaluation" / f"{language}.yml")["messages"])


# What the guide should reach, measured on these sets: in every language, and on average (docs/decisions).
TARGETS = {
    "need_accuracy": (">=", 0.90),
    "crisis_recall": (">=", 0.98),
    "crisis_precision": (">=", 0.90),
    "out_of_scope_recall": (">=", 0.85),
    "wrong_and_sure": ("<=", 0.02),
}
AVERAGE_NEED_ACCURACY = 0.93
# A message of so many words is a clear sentence, in whose language the guide should answer.
CLEAR_SENTENCE = 5


def run(parse: Callable[[str], dict[str, Any]], chosen: Iterable[str]) -> tuple[list[Case], list[float]]:
    """Parse all messages of the chosen languages; return the cases and the parse times (milliseconds)."""
    from bot.nlu.intent import need_of

    cases, times = [], []
    for language in chosen:
        for message in load(language):
            began = time.perf_counter()
            parsed = parse(message["text"])
            times.append((time.perf_counter() - began) * 1000)
            cases.append(
                Case(
                    text=message["text"],
                    language=language,
                    kind=message["kind"],
                    intent=message["intent"],
                    need=need_of(message["intent"]),
                    place=message.get("place"),
                    country=message.get("country"),
                    profession=bool(message.get("profession")),
                    parsed=parsed,
                )
            )
    return cases, times


def share(values: Iterable[bool]) -> float:
    """Return the share of true values; 0 for none."""
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0


def summary(cases: list[Case]) -> dict[str, float]:
    """Return the main figures of some cases.

    ``need_accuracy`` is over the messages that state a need (the nine needs as intents); ``all_accuracy`` over all
    messages, questions and dialogue intents included; ``wrong_and_sure`` is the share of needs answered wrongly without
    asking back; ``stays`` the share of messages at which a conversation in that language keeps it; ``follows`` the share
    of clear sentences into whose language a conversation in another one changes.
    """
    stated = [c for c in cases if c.intent in NEEDS]
    needs = per_need(cases)
    return {
        "messages": len(cases),
        "need_accuracy": share(c.right for c in stated),
        "wrong_and_sure": share(not c.right and not c.unsure for c in stated),
        "asks_back": share(c.unsure for c in stated),
        "crisis_recall": needs["crisis"]["recall"],
        "crisis_precision": needs["crisis"]["precision"],
        "out_of_scope_recall": needs["out_of_scope"]["recall"],
        "faq_accuracy": share(c.parsed["intent"] == c.intent for c in cases if c.intent.startswith("faq/")),
        "dialogue_accuracy": share(c.right for c in cases if c.need is None),
        "all_accuracy": share(c.right for c in cases),
        "places": share(_same_place(c) for c in cases if c.place),
        "countries": share(c.parsed["country"] == c.country for c in cases if c.country),
        "professions": share(bool(c.parsed["profession"]) for c in cases if c.profession),
        "stays": share(_follows(c, c.language) is None for c in cases),
        "follows": share(_follows(c, "en" if c.language == "de" else "de") == c.language for c in cases if _is_clear(c)),
    }


def _follows(case: Case, current: str) -> str | None:
    from bot.nlu.language import followed

    return followed(case.text, current, tuple((e["start"], e["end"]) for e in case.parsed["entities"]))


def _is_clear(case: Case) -> bool:
    return case.kind in ("plain", "long", "indirect") and len(case.text.split()) >= CLEAR_SENTENCE


def _same_place(case: Case) -> bool:
    from actions.directory.text import name_key

    found = next((e["value"] for e in case.parsed["entities"] if e["entity"] == "place"), "")
    place = case.parsed["place"] or {}
    wanted = name_key(str(case.place))
    return wanted in (name_key(found), name_key(place.get("name") or ""), place.get("postcode"))


def per_need(cases: list[Case]) -> dict[str, dict[str, float]]:
    """Return precision, recall and number of messages for each need, over all messages."""
    figures = {}
    for need in NEEDS:
        found = [c for c in cases if c.parsed["need"] == need]
        true = [c for c in cases if c.need == need]
        figures[need] = {
            "precision": share(c.need == need for c in found),
            "recall": share(c.parsed["need"] == need for c in true),
            "messages": len(true),
        }
    return figures


def confusion(cases: list[Case]) -> tuple[list[str], dict[tuple[str, str], int]]:
    """Return the labels and the counts (right, understood) of the confusion matrix over needs."""
    labels = [*NEEDS, OTHER, UNSURE]
    counts: Counter[tuple[str, str]] = Counter()
    for case in cases:
        understood = UNSURE if case.unsure else case.parsed["need"] or OTHER
        counts[case.need or OTHER, understood] += 1
    return labels, counts


def report(cases: list[Case], times: list[float]) -> str:
    """Return the report as Markdown."""
    lines = [
        "# Evaluation",
        "",
        "Messages that training never saw (`data/evaluation`), written by another hand. Made by `lotse evaluate`.",
        "",
    ]
    by_language = {language: [c for c in cases if c.language == language] for language in sorted({c.language for c in cases})}
    groups = {"all": cases} | by_language
    figures = {name: summary(members) for name, members in groups.items()}
    columns = list(figures["all"])
    lines += ["## By language", "", *_head(["", *(c.replace("_", " ") for c in columns)])]
    lines += [_row([name, *(_cell(k, v) for k, v in figures[name].items())]) for name in groups]
    lines += ["", f"Parse time: p50 {statistics.median(times):.2f} ms, p95 {statistics.quantiles(times, n=20)[-1]:.2f} ms.", ""]
    lines += _targets(figures)
    lines += ["## By language and kind of message (need accuracy; in brackets the messages)", ""]
    kinds = sorted({c.kind for c in cases})
    lines += _head(["", *kinds])
    for name, members in groups.items():
        lines.append(_row([name, *(_kind_cell([c for c in members if c.kind == kind and c.intent in NEEDS]) for kind in kinds)]))
    lines += ["", "## Recall and precision of each need", "", *_head(["", *NEEDS])]
    for name, members in groups.items():
        lines.append(_row([name, *(f"{f['recall']:.2f} / {f['precision']:.2f}" for f in per_need(members).values())]))
    labels, counts = confusion(cases)
    lines += ["", "## Confusion (rows: right, columns: understood)", "", "![Confusion matrix](evaluation.png)", "", *_head(["", *labels])]
    lines += [_row([row, *(str(counts.get((row, column), 0) or "") for column in labels)]) for row in labels[:-1]]
    return "\n".join(lines) + "\n"


def _targets(figures: dict[str, dict[str, float]]) -> list[str]:
    """Return the part of the report that tells where the targets are met, each language on its own."""
    lines = ["## Targets", "", *_head(["figure", "target", "all", "languages that miss it"])]
    average = statistics.mean(values["need_accuracy"] for name, values in figures.items() if name != "all")
    lines.append(_row(["need accuracy, mean of the languages", f">= {AVERAGE_NEED_ACCURACY}", f"{average:.3f}", ""]))
    for figure, (sign, target) in TARGETS.items():
        missed = [
            f"{name} {values[figure]:.3f}"
            for name, values in figures.items()
            if name != "all" and (values[figure] < target if sign == ">=" else values[figure] > target)
        ]
        name = figure.replace("_", " ")
        lines.append(_row([f"{name}, in every language", f"{sign} {target}", f"{figures['all'][figure]:.3f}", ", ".join(missed) or "none"]))
    return [*lines, ""]


def _head(cells: list[str]) -> list[str]:
    return [_row(cells), "|---" * len(cells) + "|"]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _kind_cell(cases: list[Case]) -> str:
    return f"{share(c.right for c in cases):.2f} ({len(cases)})" if cases else ""


def _cell(name: str, value: float) -> str:
    return str(int(value)) if name == "messages" else f"{value:.3f}"


def picture(cases: list[Case], path: Path) -> None:
    """Draw the confusion matrix as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    labels, counts = confusion(cases)
    rows = labels[:-1]
    grid = np.array([[counts.get((row, column), 0) for column in labels] for row in rows], dtype=float)
    shown = grid / np.maximum(grid.sum(axis=1, keepdims=True), 1)
    figure, axes = plt.subplots(figsize=(9, 7.5))
    axes.imshow(shown, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=40, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xlabel("understood")
    axes.set_ylabel("right")
    for i, row in enumerate(grid):
        for j, value in enumerate(row):
            if value:
                axes.text(j, i, int(value), ha="center", va="center", color="white" if shown[i, j] > 0.5 else "black")
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)
