"""Geometry of the charts: numbers in, places in an SVG out. The templates ``figures_charts.html`` draw them.

A count that is not shown has no height of its own: it is drawn as a hatched stub that is the same for all.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from actions.directory.database import DATA
from bot.transcripts.suppression import SMALLEST_SHOWN, Figure, Mark

STEPS = 5
# The line of the conversations, in units of its SVG.
CHART_WIDTH, CHART_HEIGHT, AXIS_WIDTH, STUB = 900, 180, 40, 6
MOST_LABELS = 12


@dataclass(frozen=True)
class Bar:
    """One bar of the timeline."""

    day: date
    count: Figure
    x: float
    y: float
    width: float
    height: float
    marked: bool  # not shown: a hatched stub
    labelled: bool  # there is room for its date under it


@dataclass(frozen=True)
class Line:
    """A horizontal line of the grid."""

    y: float
    value: int


@dataclass(frozen=True)
class Shape:
    """One state of the map. ``step``: 0 for none, 1 to 5 by size, -1 if the count is not shown."""

    code: str
    path: str
    label_x: float
    label_y: float
    count: Figure
    step: int


@dataclass(frozen=True)
class Step:
    """One step of the colours of the map: the counts from ``least`` to ``most``."""

    number: int
    least: int
    most: int


def bars(counts: Mapping[date, Figure]) -> tuple[list[Bar], list[Line]]:
    """Return the bars of a timeline and the lines behind them.

    Args:
        counts: the count by the day on which each step of time begins.
    """
    highest = _round_up(max((count for count in counts.values() if isinstance(count, int)), default=0))
    slot = (CHART_WIDTH - AXIS_WIDTH) / max(len(counts), 1)
    every = -(-len(counts) // MOST_LABELS)
    found = []
    for number, (day, count) in enumerate(counts.items()):
        marked = isinstance(count, Mark)
        height = STUB if isinstance(count, Mark) else round(count / highest * CHART_HEIGHT, 1)
        x, width = AXIS_WIDTH + number * slot + slot * 0.1, slot * 0.8
        found.append(Bar(day, count, round(x, 1), round(CHART_HEIGHT - height, 1), round(width, 1), height, marked, number % every == 0))
    return found, [Line(round(CHART_HEIGHT * (1 - part), 1), round(highest * part)) for part in (0, 0.5, 1)]


def width_of(count: Figure, largest: int) -> float:
    """Return the length of a bar in per cent of the longest one; 0 if the count is not shown."""
    return 0 if isinstance(count, Mark) or not largest else round(100 * count / largest, 1)


def largest(cells: Mapping[str, Figure]) -> int:
    """Return the largest count that is shown."""
    return max((count for count in cells.values() if isinstance(count, int)), default=0)


def steps(cells: Mapping[str, Figure]) -> list[Step]:
    """Return the steps of colour for some counts: equally wide, the first begins with the smallest count that is shown."""
    highest = largest(cells)
    bounds = [highest * number // STEPS for number in range(STEPS + 1)]
    found = [Step(number, max(bounds[number - 1] + 1, SMALLEST_SHOWN), bounds[number]) for number in range(1, STEPS + 1)]
    return [step for step in found if step.least <= step.most]


def shapes(cells: Mapping[str, Figure]) -> list[Shape]:
    """Return the map of the sixteen states.

    Args:
        cells: the count by state; a state that is missing counts as not shown.
    """
    colours = steps(cells)
    found = []
    for code, (path, x, y) in _outlines().items():
        count = cells.get(code, Mark.HIDDEN)
        step = -1 if isinstance(count, Mark) else next((one.number for one in colours if one.least <= count <= one.most), 0)
        found.append(Shape(code, path, x, y, count, step))
    return found


def _round_up(value: int) -> int:
    """Return the next number that looks good at the top of an axis: even, and round from 10 on."""
    if value <= 10:
        return 10
    unit = 10 ** (len(str(value)) - 1)
    return next(int(unit * factor) for factor in (1, 1.2, 1.6, 2, 3, 4, 6, 8, 10) if unit * factor >= value)


@lru_cache(maxsize=1)
def _outlines() -> dict[str, tuple[str, float, float]]:
    with (DATA / "places" / "states_map.csv").open(encoding="utf-8", newline="") as file:
        return {row["state"]: (row["path"], float(row["label_x"]), float(row["label_y"])) for row in csv.DictReader(file)}
