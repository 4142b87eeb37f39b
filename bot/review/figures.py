"""Figures: what people need where, for a period; every table also as CSV. Nothing here is about a single person."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, Optional
from urllib.parse import urlencode

from babel.numbers import format_decimal
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.responses import Response
from starlette.routing import Route

from actions.directory import database as directory
from actions.directory import gaps as directory_gaps
from actions.directory.models import NEEDS
from actions.directory.places import states
from bot.review import charts, names, texts
from bot.review.guards import Visit, staff_page
from bot.review.pages import ZONE, csv_cell, download, not_found, render
from bot.transcripts import figure_tables as tables
from bot.transcripts.figure_tables import Period
from bot.transcripts.staff_models import COORDINATOR, EDITOR
from bot.transcripts.suppression import SMALLEST_SHOWN, Figure, Mark, Protected, figure

PRESETS = ("this_month", "last_month", "days_90", "year")
OWN = "own"
EARLIEST = date(2020, 1, 1)
# Spreadsheet programs recognise UTF-8 by it.
BOM = "\ufeff"


@dataclass(frozen=True)
class Chosen:
    """The period that is shown, how it was chosen, and what was wrong with the dates that somebody entered ("" if nothing)."""

    name: str
    period: Period
    problem: str = ""
    entered: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Row:
    """One line of a table: a share and the length of a bar are per cent."""

    key: str
    name: str
    count: Figure
    share: Optional[int]
    width: float


def choose_period(name: str, first: str, last: str, today: date) -> Chosen:
    """Return the period that an address asks for; this month, with a problem, if its dates cannot be used.

    Args:
        name: one of :data:`PRESETS`, or ``own``.
        first: the first day of a period of one's own (``2026-11-01``).
        last: its last day.
        today: the present day.
    """
    month = today.replace(day=1)
    presets = {
        "this_month": Period(month, today),
        "last_month": Period((month - timedelta(days=1)).replace(day=1), month - timedelta(days=1)),
        "days_90": Period(today - timedelta(days=89), today),
        "year": Period(today.replace(month=1, day=1), today),
    }
    if name != OWN:
        return Chosen(name, presets[name]) if name in presets else Chosen("this_month", presets["this_month"])
    problem = ""
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        begin = end = today
        problem = "figures.problem_date"
    if not problem and begin > end:
        problem = "figures.problem_order"
    elif not problem and (begin < EARLIEST or begin > today):
        problem = "figures.problem_range"
    if problem:
        return Chosen("this_month", presets["this_month"], problem, (first[:10], last[:10]))
    return Chosen(OWN, Period(begin, min(end, today)), "", (first, last))


@staff_page(COORDINATOR)
def figures(visit: Visit) -> Response:
    """Show the figures of a period."""
    chosen, state = _chosen(visit), _state(visit)
    with visit.services.session() as session:
        values = _values(visit, session, chosen.period, state)
    own = {"from": chosen.entered[0], "to": chosen.entered[1]} if chosen.name == OWN else {}
    return render(
        visit,
        "figures.html",
        chosen=chosen,
        presets=PRESETS,
        state=state,
        today=_today(visit),
        fig=partial(_shown, language=visit.language),
        link=lambda **more: urlencode({"period": chosen.name, **own, **({"state": state} if state else {}), **more}),
        state_name=names.state_name,
        is_editor=EDITOR in visit.staff.roles,
        few=Mark.FEW,
        hidden=Mark.HIDDEN,
        smallest=SMALLEST_SHOWN,
        **values,
    )


@staff_page(COORDINATOR)
def figures_csv(visit: Visit) -> Response:
    """Return one table of a period as a CSV file."""
    measure = visit.request.path_params["measure"]
    if measure not in CSV_TABLES:
        raise not_found()
    chosen = _chosen(visit)
    with visit.services.session() as session:
        heads, rows = CSV_TABLES[measure](visit, session, chosen.period)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow([texts.text(f"figures.{head}", visit.language) if texts.has(f"figures.{head}") else head for head in heads])
    writer.writerows([[csv_cell(_plain(value, visit.language)) for value in row] for row in rows])
    name = f"lotse-{measure.replace('_', '-')}-{chosen.period.first}-{chosen.period.last}.csv"
    return download((BOM + out.getvalue()).encode("utf-8"), name, "text/csv; charset=utf-8")


def _values(visit: Visit, session: Session, period: Period, state: str) -> dict[str, Any]:
    overview = tables.overview(session, period)
    timeline = tables.timeline(session, period)
    by_state = tables.by_state(session, period)
    bars, grid = charts.bars(timeline.counts)
    language = visit.language
    conversations = overview.conversations
    gaps = tables.gaps(session, period)
    return {
        "empty": tables.is_empty(session, period),
        "months": period.whole_months(),
        "overview": overview,
        "timeline": timeline,
        "bars": bars,
        "grid": grid,
        "tables": {
            "needs": _rows(tables.needs(session, period), "need", language, conversations),
            **{
                f"{measure}s": _rows(tables.of_conversations(session, measure, period), measure, language, conversations)
                for measure in ("outcome", "language", "channel")
            },
            "states": _rows(by_state, "state", language, conversations),
            "unanswered": _rows(tables.unanswered(session, period), "language", language, None),
        },
        "shapes": charts.shapes(by_state.cells),
        "steps": charts.steps(by_state.cells),
        "districts": [
            {"state": code, "name": names.state_name(code), "rows": _rows(table, "district", language, None)}
            for code, table in sorted(tables.by_district(session, period, state).items(), key=lambda item: names.state_name(item[0]))
        ],
        "gaps": [
            {"need": gap.need, "state": _state_of(gap.place), "name": _place_name(gap.place, language), "count": gap.count, "today": today}
            for gap, today in zip(gaps, _still_open(visit, gaps), strict=True)
        ],
        "needs_by_state": tables.needs_by_state(session, period),
        "state_codes": names.state_codes(),
    }


def _rows(table: Protected, measure: str, language: str, whole: Figure | None) -> list[Row] | None:
    """Return the lines of a table; None if nothing of it may be shown."""
    if table.blank:
        return None
    largest = charts.largest(table.cells)
    return [
        Row(key, _name(measure, key, language), count, _share(count, whole), charts.width_of(count, largest))
        for key, count in table.cells.items()
    ]


def _share(count: Figure, whole: Figure | None) -> int | None:
    if isinstance(count, Mark) or isinstance(whole, Mark) or not whole:
        return None
    return round(100 * count / whole)


def _name(measure: str, key: str, language: str) -> str:
    if measure == "language":
        return names.language_name(key, language)
    if measure == "state":
        return names.state_name(key)
    if measure == "district":
        return names.district_name(key)
    return texts.text(f"{measure}.{key}", language) if texts.has(f"{measure}.{key}") else key


def _place_name(place: str, language: str) -> str:
    if not place:
        return texts.text("names.no_state", language)
    return names.state_name(place) if place in states() else f"{names.district_name(place)} ({place})"


def _state_of(place: str) -> str:
    return place if place in states() else next((code for code, one in states().items() if place and one.ags == place[:2]), "")


def _still_open(visit: Visit, gaps: list[tables.Gap]) -> list[bool | None]:
    """Return for each gap whether there is still no confirmed office today; None if the directory does not know."""
    try:
        with directory.session(visit.services.settings.directory_url) as opened:
            return [directory_gaps.is_open(opened, gap.need, gap.place, _today(visit)) for gap in gaps]
    except SQLAlchemyError:
        return [None] * len(gaps)


def _chosen(visit: Visit) -> Chosen:
    return choose_period(visit.value("period"), visit.value("from"), visit.value("to"), _today(visit))


def _state(visit: Visit) -> str:
    asked = visit.value("state")
    return asked if asked in states() else ""


def _today(visit: Visit) -> date:
    return visit.services.now().astimezone(ZONE).date()


def _shown(count: Figure | None, language: str, unit: str = "") -> str:
    """Return a count as the pages show it."""
    if count is None:
        return "–"
    if isinstance(count, Mark):
        return texts.text(f"figures.{count.value}", language)
    return f"{format_decimal(count, locale=language)}{unit}"


def _plain(value: Any, language: str) -> Any:
    """Return a value as it stands in a CSV file: numbers without points, dates as ISO, marks as words."""
    if value is None:
        return ""
    if isinstance(value, Mark):
        return texts.text(f"figures.{value.value}", language)
    return value.isoformat() if isinstance(value, date) else value


# ---------------------------------------------------------------------- the tables as CSV: heads and rows

CsvTable = tuple[list[str], list[list[Any]]]


def _csv_overview(visit: Visit, session: Session, period: Period) -> CsvTable:
    found = tables.overview(session, period)
    rows = [[texts.text(f"figures.{name}", visit.language), getattr(found, name)] for name in OVERVIEW]
    return ["key_figure", "value"], [["", f"{period.first} – {period.last}"], *rows]


def _csv_timeline(visit: Visit, session: Session, period: Period) -> CsvTable:
    found = tables.timeline(session, period)
    return [f"{found.step}_from", "conversations"], [[day, count] for day, count in found.counts.items()]


def _csv_rows(visit: Visit, session: Session, period: Period, *, measure: str, find: Callable[..., Protected], whole: bool) -> CsvTable:
    conversations = tables.overview(session, period).conversations if whole else None
    rows = _rows(find(session, period), measure, visit.language, conversations) or []
    return (
        ["key", measure, "conversations", *(["share"] if whole else [])],
        [[row.key, row.name, row.count, *([row.share] if whole else [])] for row in rows],
    )


def _csv_districts(visit: Visit, session: Session, period: Period) -> CsvTable:
    rows: list[list[Any]] = []
    for code, table in tables.by_district(session, period, _state(visit)).items():
        found = _rows(table, "district", visit.language, None)
        rows += [[names.state_name(code), row.key, row.name, row.count] for row in found or []]
        rows += [] if found is not None else [[names.state_name(code), "", "", Mark.HIDDEN]]
    return ["state", "key", "district", "conversations"], sorted(rows, key=lambda row: row[0])


def _csv_gaps(visit: Visit, session: Session, period: Period) -> CsvTable:
    rows = [
        [_name("need", gap.need, visit.language), gap.place, _place_name(gap.place, visit.language), gap.count]
        for gap in tables.gaps(session, period, None)
    ]
    return ["need", "key", "place", "conversations"], rows


def _csv_needs_by_state(visit: Visit, session: Session, period: Period) -> CsvTable:
    found = tables.needs_by_state(session, period)
    shown = [need for need in NEEDS if need in found]
    rows = [[names.state_name(code), *(cell(found[need], code) for need in shown)] for code in names.state_codes()]
    return ["state", *(_name("need", need, visit.language) for need in shown)], rows


def cell(table: Protected, key: str) -> Figure:
    """Return one count of a table; hidden if the whole table is."""
    return Mark.HIDDEN if table.blank else table.cells.get(key, figure(0))


OVERVIEW = (
    "conversations",
    "visits",
    "silent",
    "messages",
    "fallbacks",
    "fallback_rate",
    "helpful",
    "not_helpful",
    "helpful_rate",
    "unanswered",
    "consent_rate",
)
CSV_TABLES: Mapping[str, Callable[[Visit, Session, Period], CsvTable]] = {
    "overview": _csv_overview,
    "timeline": _csv_timeline,
    "needs": partial(_csv_rows, measure="need", find=tables.needs, whole=True),
    **{
        f"{measure}s": partial(
            _csv_rows, measure=measure, find=lambda session, period, one=measure: tables.of_conversations(session, one, period), whole=True
        )
        for measure in ("outcome", "language", "channel")
    },
    "states": partial(_csv_rows, measure="state", find=tables.by_state, whole=True),
    "districts": _csv_districts,
    "unanswered": partial(_csv_rows, measure="language", find=tables.unanswered, whole=False),
    "gaps": _csv_gaps,
    "needs_by_state": _csv_needs_by_state,
}

ROUTES: tuple[Route, ...] = (Route("/figures", figures), Route("/figures/{measure}.csv", figures_csv))
