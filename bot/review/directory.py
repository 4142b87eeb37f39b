"""Directory administration: the list of offices, one office, its form, and "checked today"."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from actions.directory import changes, importer, office_edit, office_list
from actions.directory.models import NEEDS, OFFICE_KINDS, Office, OfficeChange
from actions.directory.office_rows import COLUMNS, CONFIDENCES, OfficeRow, PlaceIndex, PlacesMissingError
from actions.directory.offices import Match
from bot.review import directory_problems, directory_words
from bot.review.directory_form import (
    directory,
    empty,
    filter_of,
    form_page,
    number_of,
    office_id,
    office_of,
    show,
    stale_count,
    today,
    typed,
    undoable,
)
from bot.review.guards import Visit, staff_change, staff_page
from bot.review.names import state_codes
from bot.review.pages import back_to, is_own_path, not_found
from bot.transcripts.staff_models import EDITOR

# How old a check may be, to choose from.
DAYS = (30, 90, office_edit.STALE_DAYS, 365)
STALE_PAGE = 50


@staff_page(EDITOR)
def list_page(visit: Visit) -> Response:
    """Show the offices that fit the filter."""
    wanted = filter_of(visit)
    with directory(visit) as session:
        page = office_list.find(session, wanted, today(visit), number_of(visit, "page", 1))
        undo, stale = undoable(session, visit), stale_count(session, visit)
    kept = {name: value for name, value in visit.request.query_params.items() if value and name in _FILTERS}

    def address(**more: Any) -> str:
        return "?" + urlencode({name: value for name, value in {**kept, **more}.items() if value})

    return show(
        visit,
        "directory_list.html",
        page=page,
        wanted=wanted,
        filtered=bool(set(kept) - {"order", "direction"}),
        address=address,
        here=f"/directory{address(page=page.number)}",
        kinds=OFFICE_KINDS,
        states=state_codes(),
        needs=NEEDS,
        confidences=CONFIDENCES,
        statuses=office_list.STATUSES,
        orders=office_list.ORDERS,
        undo=undo,
        stale=stale,
        **_of_lines(visit),
    )


_FILTERS = ("q", "kind", "state", "need", "confirmed", "confidence", "status", "order", "direction")


@staff_page(EDITOR)
def stale_page(visit: Visit) -> Response:
    """Show the offices that nobody has checked for long, the oldest first."""
    days = number_of(visit, "days", office_edit.STALE_DAYS, 3650)
    with directory(visit) as session:
        found = importer.stale(session, days, today(visit))
        undo, stale = undoable(session, visit), stale_count(session, visit)
    pages = max(1, -(-len(found) // STALE_PAGE))
    number = min(number_of(visit, "page", 1), pages)
    page = office_list.OfficePage(found[(number - 1) * STALE_PAGE : number * STALE_PAGE], len(found), number, pages)
    return show(
        visit,
        "directory_stale.html",
        page=page,
        days=days,
        choices=sorted({*DAYS, days}),
        address=lambda **more: f"?{urlencode({'days': days, **more})}",
        here=f"/directory/stale?{urlencode({'days': days, 'page': number})}",
        undo=undo,
        stale=stale,
        **_of_lines(visit),
    )


def _of_lines(visit: Visit) -> dict[str, Any]:
    """Return what the lines of the lists need."""
    return {
        "version": office_edit.version,
        "today": today(visit),
        "hidden_reason": lambda office: directory_words.hidden_reason(office, today(visit)),
        "stale_before": date.fromordinal(today(visit).toordinal() - office_edit.STALE_DAYS),
    }


@staff_page(EDITOR)
def office_page(visit: Visit) -> Response:
    """Show one office: as the chat shows it, all fields, and what was changed lately."""
    with directory(visit) as session:
        office = office_of(session, visit)
        return _office_page(visit, session, office)


def _office_page(visit: Visit, session: Any, office: OfficeRow, problems: list[str] | None = None, status: int = 200) -> Response:
    language, cells = visit.language, office.cells()
    card = Match(session.get(Office, office.id), "nationwide", None).public()
    try:
        doubts = [(p.column, directory_problems.problem_text(p, language)) for p in office_edit.warnings(office, PlaceIndex(session))]
    except PlacesMissingError:
        doubts = []
    latest = changes.history(session, office_id=office.id, limit=5)
    return show(
        visit,
        "directory_office.html",
        status,
        office=office,
        card=card,
        spoken=[directory_words.spoken_name(code, language) for code in office.languages],
        hours=directory_words.hours(office.opening_hours, language) if office.opening_hours else "",
        facts=[(column, directory_words.words_of(column, cells[column], language)) for column in COLUMNS],
        doubts=doubts,
        problems=problems or [],
        hidden=directory_words.hidden_reason(office, today(visit)),
        latest=latest,
        undo=undoable(session, visit),
        stale=stale_count(session, visit),
        version=office_edit.version(office),
        today=today(visit),
        last_day=visit.value("until") or today(visit).isoformat(),
    )


@staff_page(EDITOR)
def edit_page(visit: Visit) -> Response:
    """Show the form for an office."""
    with directory(visit) as session:
        office = office_of(session, visit)
        values = office_edit.form_values(office, PlaceIndex(session).districts)
    values["opening_hours"] = [directory_words.hours_as_typed(text, visit.language) for text in values["opening_hours"]]
    return form_page(visit, values, office=office)


@staff_change(EDITOR)
def save(visit: Visit) -> Response:
    """Change an office to what the form says."""
    values, key = typed(visit), office_id(visit)
    try:
        # The transcripts outside: the directory commits first, and not at all if the audit entry cannot be written.
        with visit.services.session() as records, directory(visit) as session:
            done = office_edit.change(session, key, visit.value("version"), values, visit.staff.name, today(visit), visit.services.now())
            if done:
                _audit(visit, records, "office.change", done[1])
    except office_edit.EditConflict as conflict:
        return _edit_conflict(visit, values, conflict.current)
    except importer.ProblemsError as error:
        with directory(visit) as session:
            office = office_of(session, visit)
        return form_page(visit, values, office=office, problems=error.problems, status=422)
    if done is None:
        return _nothing_changed(visit, f"/directory/office/{key}")
    return back_to(visit, f"/directory/office/{key}", "directory_saved", change=done[1].id)


def _edit_conflict(visit: Visit, values: dict[str, list[str]], current: OfficeRow | None) -> Response:
    """Show both versions; who then saves does so on purpose, upon the version that is stored now."""
    if current is None:
        return form_page(visit, values, office=None, gone=True, status=409)
    with directory(visit) as session:
        cells, _ = office_edit.cells_of(values, PlaceIndex(session), current.languages)
        latest = next(iter(changes.history(session, office_id=current.id, limit=1)), None)
    diffs = directory_words.between(current, {c: v for c, v in cells.items() if c != "id"}, visit.language)
    who = directory_words.who(latest.who, visit.language) if latest else ""
    return form_page(visit, values, office=current, conflict={"diffs": diffs, "who": who, "at": latest.at if latest else None}, status=409)


@staff_page(EDITOR)
def new_page(visit: Visit) -> Response:
    """Show the form for a new office."""
    return form_page(visit, empty(visit), office=None)


@staff_change(EDITOR)
def create(visit: Visit) -> Response:
    """Add an office."""
    values = typed(visit)
    try:
        with visit.services.session() as records, directory(visit) as session:
            office, row = office_edit.create(session, values, visit.staff.name, today(visit), visit.services.now())
            _audit(visit, records, "office.create", row)
    except importer.ProblemsError as error:
        return form_page(visit, values, office=None, problems=error.problems, status=422)
    return back_to(visit, f"/directory/office/{office.id}", "directory_created", change=row.id)


@staff_change(EDITOR)
def check(visit: Visit) -> Response:
    """Note that the facts of an office were looked up today."""
    key = office_id(visit)
    back = visit.value("back")
    back = back if back.startswith("/directory") and is_own_path(back) else f"/directory/office/{key}"
    try:
        with visit.services.session() as records, directory(visit) as session:
            done = office_edit.mark_checked(session, key, visit.value("version"), visit.staff.name, today(visit), visit.services.now())
            if done:
                _audit(visit, records, "office.check", done[1])
    except office_edit.EditConflict as conflict:
        return _changed_meanwhile(visit, conflict.current)
    return back_to(visit, back, "directory_checked", change=done[1].id) if done else _nothing_changed(visit, back)


@staff_change(EDITOR)
def close(visit: Visit) -> Response:
    """Set the last day of an office."""
    key, until = office_id(visit), visit.value("until")[:40]
    try:
        with visit.services.session() as records, directory(visit) as session:
            done = office_edit.close(session, key, visit.value("version"), until, visit.staff.name, today(visit), visit.services.now())
            if done:
                _audit(visit, records, "office.close", done[1])
    except office_edit.EditConflict as conflict:
        return _changed_meanwhile(visit, conflict.current)
    except importer.ProblemsError as error:
        with directory(visit) as session:
            told = [directory_problems.problem_text(problem, visit.language) for problem in error.problems]
            return _office_page(visit, session, office_of(session, visit), told, 422)
    path = f"/directory/office/{key}"
    return back_to(visit, path, "directory_closed", change=done[1].id) if done else _nothing_changed(visit, path)


@staff_change(EDITOR)
def delete(visit: Visit) -> Response:
    """Remove an office."""
    try:
        with visit.services.session() as records, directory(visit) as session:
            row = office_edit.delete(session, office_id(visit), visit.value("version"), visit.staff.name, visit.services.now())
            _audit(visit, records, "office.delete", row)
    except office_edit.EditConflict as conflict:
        return _changed_meanwhile(visit, conflict.current)
    return back_to(visit, "/directory", "directory_deleted", change=row.id)


def _changed_meanwhile(visit: Visit, current: OfficeRow | None) -> Response:
    if current is None:
        raise not_found()
    with directory(visit) as session:
        latest = next(iter(changes.history(session, office_id=current.id, limit=1)), None)
    return show(
        visit,
        "directory_conflict.html",
        409,
        office=current,
        latest=latest,
    )


def _nothing_changed(visit: Visit, path: str) -> Response:
    visit.audited = True  # nothing was changed, so there is nothing to enter
    return back_to(visit, path, "directory_same")


def _audit(visit: Visit, records: Any, action: str, row: OfficeChange) -> None:
    """Enter a change in the audit trail before the directory is committed: no change without an entry."""
    made = changes.Change(row.id, row.at, row.who, row.office_id, row.action, row.before, row.after, row.undone_by)
    columns = sorted(made.columns) if row.before and row.after else []
    visit.audit(records, action, "office", row.office_id, change=row.id, **({"fields": columns} if columns else {}))
    records.flush()


ROUTES: tuple[Route, ...] = (
    Route("/directory", list_page),
    Route("/directory/stale", stale_page),
    Route("/directory/new", new_page),
    Route("/directory/new", create, methods=["POST"]),
    Route("/directory/office/{office_id}", office_page),
    Route("/directory/office/{office_id}/edit", edit_page),
    Route("/directory/office/{office_id}/edit", save, methods=["POST"]),
    Route("/directory/office/{office_id}/checked", check, methods=["POST"]),
    Route("/directory/office/{office_id}/close", close, methods=["POST"]),
    Route("/directory/office/{office_id}/delete", delete, methods=["POST"]),
)
