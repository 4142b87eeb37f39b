"""What was changed in the directory, and undoing it; import of a table with preview, export."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from actions.directory import changes, importer, office_edit
from actions.directory.office_rows import PlacesMissingError, Problem
from bot.review import directory_problems, directory_words, texts
from bot.review import directory_uploads as uploads
from bot.review.directory_form import directory, number_of, show, stale_count, today, undoable
from bot.review.guards import Visit, staff_change, staff_page
from bot.review.pages import back_to, download, not_found
from bot.transcripts.staff_models import EDITOR

PAGE = 40
# How much of a preview is shown; the whole table lies on the editor's desk.
SHOWN = 200
MODES = ("merge", "replace")
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@staff_page(EDITOR)
def history_page(visit: Visit) -> Response:
    """Show who changed what and when, the newest first."""
    return _history_page(visit)


def _history_page(visit: Visit, refused: str = "", details: list[str] | None = None, status: int = 200) -> Response:
    office, who = visit.request.query_params.get("office", "")[:80], visit.request.query_params.get("who", "")[:120]
    office, who = ("".join(one for one in text if one.isprintable()) for text in (office, who))
    before = number_of(visit, "before", 0) or None
    with directory(visit) as session:
        found = changes.history(session, office_id=office, who=who, before=before, limit=PAGE + 1)
        people, undo, stale = changes.people(session), undoable(session, visit), stale_count(session, visit)
        exists = bool(office) and office_edit.load(session, office) is not None
    return show(
        visit,
        "directory_history.html",
        status,
        found=found[:PAGE],
        more=found[PAGE - 1].id if len(found) > PAGE else None,
        office=office,
        exists=exists,
        name=found[0].name if office and found else office,
        who_chosen=who,
        people=people,
        refused=refused,
        details=details or [],
        undo=undo,
        stale=stale,
    )


@staff_change(EDITOR)
def undo(visit: Visit) -> Response:
    """Undo one change."""
    change_id = int(visit.request.path_params["change_id"])
    try:
        with visit.services.session() as records, directory(visit) as session:
            done = office_edit.undo(session, change_id, visit.staff.name, visit.services.now())
            if done is None:
                raise not_found()
            made, row = done
            visit.audit(records, "office.undo", "office", row.office_id, change=row.id, undone=made.id)
            records.flush()
    except office_edit.UndoRefused as refused:
        text, details = _refusal(visit, refused)
        return _history_page(visit, text, details, 409)
    gone = row.after is None
    path = "/directory" if gone else f"/directory/office/{row.office_id}"
    return back_to(visit, path, "directory_undone", change=row.id)


def _refusal(visit: Visit, refused: office_edit.UndoRefused) -> tuple[str, list[str]]:
    language, later = visit.language, refused.later
    if refused.reason == "later" and later is not None:
        who = directory_words.who(later.who, language)
        fields = [texts.text(f"directory.field.{diff.column}", language) for diff in later.fields]
        details = fields if later.before is not None and later.after is not None else []
        return texts.text("directory.undo.refused_by", language, who=who, number=later.id), details
    found = [
        f"{texts.text(f'directory.field.{p.column}', language)}: {directory_problems.problem_text(p, language)}" for p in refused.problems
    ]
    return texts.text(f"directory.undo.refused_{refused.reason}", language), found


# ---------------------------------------------------------------- import


@staff_page(EDITOR)
def import_page(visit: Visit) -> Response:
    """Show the form for a table."""
    return _import_page(visit)


def _import_page(visit: Visit, problem: str = "", mode: str = "merge", status: int = 200) -> Response:
    with directory(visit) as session:
        stale = stale_count(session, visit)
    return show(visit, "directory_import.html", status, problem=problem, mode=mode, stale=stale, megabytes=uploads.MAX_BYTES // 1024**2)


@staff_change(EDITOR)
def preview(visit: Visit) -> Response:
    """Read a table and show what is wrong with it or what it would change; nothing is changed yet."""
    folder, mode = _folder(visit), _mode(visit)
    uploads.remove_old(folder, visit.services.now())
    file = visit.form.get("file")
    content = file.file.read(uploads.MAX_BYTES + 1) if isinstance(file, UploadFile) else b""
    if not isinstance(file, UploadFile) or not file.filename:
        return _import_page(visit, texts.text("directory.table.none", visit.language), mode, 422)
    if len(content) > uploads.MAX_BYTES:
        return _import_page(visit, texts.text("directory.table.too_large", visit.language), mode, 413)
    return _preview(visit, uploads.keep(folder, content), mode)


def _preview(visit: Visit, upload: uploads.Upload, mode: str, changed_meanwhile: bool = False) -> Response:
    try:
        with visit.services.session() as records, directory(visit) as session:
            plan, problems = _plan(visit, session, upload, mode)
            wrong = [problem for problem in problems if not problem.warning]
            ready = not wrong and not plan.is_empty
            if not ready:
                uploads.remove(upload)
            counts = {"added": len(plan.added), "changed": len(plan.changed), "removed": len(plan.removed)}
            visit.audit(records, "directory.preview", "directory", "", problems=len(wrong), **counts)
            stale = stale_count(session, visit)
    except importer.TableError as error:
        uploads.remove(upload)
        return _import_page(visit, directory_problems.table_text(str(error), visit.language), mode, 422)
    except PlacesMissingError:
        uploads.remove(upload)
        return _import_page(visit, texts.text("directory.table.no_places", visit.language), mode, 422)
    return show(
        visit,
        "directory_preview.html",
        422 if wrong else 409 if changed_meanwhile else 200,
        plan=plan,
        mode=mode,
        counts=counts,
        wrong=[_told(problem, visit.language) for problem in wrong[:SHOWN]],
        wrong_count=len(wrong),
        doubts=[_told(problem, visit.language) for problem in problems if problem.warning][:SHOWN],
        shown=SHOWN,
        diffs=lambda change: [directory_words.difference(changes.FieldDiff(f.column, f.old, f.new), visit.language) for f in change.fields],
        changed_meanwhile=changed_meanwhile,
        ready=ready,
        upload=upload.name,
        seal=uploads.seal(visit, upload, mode, _digest(plan)) if ready else "",
        stale=stale,
    )


def _told(problem: Problem, language: str) -> dict[str, Any]:
    column = f"directory.field.{problem.column}"
    return {
        "line": problem.line,
        "field": texts.text(column, language) if texts.has(column) else "",
        "value": problem.value,
        "text": directory_problems.problem_text(problem, language),
    }


def _plan(visit: Visit, session: Any, upload: uploads.Upload, mode: str) -> tuple[importer.Plan, list[Problem]]:
    rows = importer.read_rows(upload.path)
    offices, problems = importer.validate(session, rows, today(visit))
    if any(not problem.warning for problem in problems):
        return importer.Plan(), problems
    return importer.plan(session, offices, mode == "replace"), problems


def _digest(plan: importer.Plan) -> str:
    """Return a text that differs whenever a plan does something else, or does it to another directory."""
    parts = [plan.state, *(repr(office) for office in plan.added), *(repr(change) for change in plan.changed)]
    return uploads.digest("\n".join([*parts, "-", *(office.id for office in plan.removed)]).encode())


@staff_change(EDITOR)
def apply(visit: Visit) -> Response:
    """Apply exactly what the preview showed; if that is not possible any more, show a new preview."""
    upload, mode = uploads.find(_folder(visit), visit.value("upload")), _mode(visit)
    if upload is None:
        return _import_page(visit, texts.text("directory.table.expired", visit.language), mode, 409)
    try:
        with visit.services.session() as records, directory(visit) as session:
            importer.lock(session)
            plan, problems = _plan(visit, session, upload, mode)
            if not uploads.fits(visit, upload, mode, _digest(plan), visit.value("seal")) or any(not p.warning for p in problems):
                raise importer.DirectoryChangedError
            counts = {"added": len(plan.added), "changed": len(plan.changed), "removed": len(plan.removed)}
            visit.audit(records, "directory.import", "directory", "", mode=mode, **counts)
            records.flush()
            importer.apply(session, plan, who=visit.staff.name, folder=visit.services.settings.home / "directory-backups")
    except importer.DirectoryChangedError:
        return _preview(visit, upload, mode, changed_meanwhile=True)
    except (importer.TableError, PlacesMissingError, FileNotFoundError):
        uploads.remove(upload)
        return _import_page(visit, texts.text("directory.table.expired", visit.language), mode, 409)
    uploads.remove(upload)
    return back_to(visit, "/directory/history", "directory_imported")


@staff_change(EDITOR)
def cancel(visit: Visit) -> Response:
    """Throw a table away that was looked at and is not wanted."""
    upload = uploads.find(_folder(visit), visit.value("upload"))
    if upload is not None:
        uploads.remove(upload)
    with visit.services.session() as records:
        visit.audit(records, "directory.cancel", "directory")
    return back_to(visit, "/directory/import", "directory_cancelled")


def _folder(visit: Visit) -> Path:
    return visit.services.settings.home / "uploads"


def _mode(visit: Visit) -> str:
    mode = visit.value("mode", "merge")
    if mode not in MODES:
        raise HTTPException(400)
    return mode


# ---------------------------------------------------------------- export


@staff_page(EDITOR)
def export(visit: Visit) -> Response:
    """Return all offices as a table that can be imported again."""
    ending = visit.request.path_params["ending"]
    if ending not in _TYPES:
        raise not_found()
    with directory(visit) as session, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"offices.{ending}"
        importer.write_table(path, importer.stored_offices(session).values(), for_excel=True)
        content = path.read_bytes()
    return download(content, f"lotse-directory-{today(visit):%Y-%m-%d}.{ending}", _TYPES[ending])


ROUTES: tuple[Route, ...] = (
    Route("/directory/history", history_page),
    Route("/directory/history/{change_id:int}/undo", undo, methods=["POST"]),
    Route("/directory/import", import_page),
    Route("/directory/import", preview, methods=["POST"]),
    Route("/directory/import/apply", apply, methods=["POST"]),
    Route("/directory/import/cancel", cancel, methods=["POST"]),
    Route("/directory/export.{ending}", export),
)
