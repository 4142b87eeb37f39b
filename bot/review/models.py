"""Comparing the model in use with a candidate on what reviewers judged. The work is done by a process of its own."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from datetime import datetime
from typing import Any

from babel.numbers import format_percent
from starlette.responses import Response
from starlette.routing import Route

from bot import model_comparison
from bot.review import conversation_view, names
from bot.review.guards import Visit, staff_change, staff_page
from bot.review.pages import back_to, not_found, render
from bot.settings import PROJECT, Settings
from bot.training import environment
from bot.transcripts import comparisons, corrections, database
from bot.transcripts.corrections import Correction, Filter, Scope
from bot.transcripts.record_models import EVALUATION
from bot.transcripts.staff_models import COORDINATOR, REVIEWER

logger = logging.getLogger(__name__)
PATH = "/models"
# A process that takes longer is ended.
LONGEST_SECONDS = 2 * 60 * 60


@staff_page(COORDINATOR)
def list_page(visit: Visit) -> Response:
    """Show the comparisons, and let start another one."""
    return _list(visit)


@staff_page(COORDINATOR)
def comparison_page(visit: Visit) -> Response:
    """Show one comparison: the figures by language, and the messages that got better and worse."""
    given = visit.request.path_params["number"]
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 11 else 0
    with visit.services.session() as session:
        found = comparisons.find(session, number, visit.services.now())
        if found is None:
            raise not_found()
        known = {one.digest: one for one in corrections.all_of(session, _scope(visit), Filter())} if found.result else {}
    result = found.result or {}
    figures = [("", result["all"]), *((code, result["languages"][code]) for code in result["languages"])] if result else []
    changes = [_change(visit, change, known) for change in result.get("changes", ())]
    return render(
        visit,
        "models_comparison.html",
        one=found,
        figures=[
            {**line, "name": names.language_name(code, visit.language) if code else "", "verdict": _verdict(line)} for code, line in figures
        ],
        better=[change for change in changes if change["better"]],
        worse=[change for change in changes if not change["better"]],
        chosen=result.get("chosen_for_evaluation", False),
        percent=lambda part, whole: str(format_percent(part / whole, "#,##0.0 %", locale=visit.language)) if whole else "–",
        level=round(model_comparison.LEVEL * 100),
        is_reviewer=REVIEWER in visit.staff.roles,
    )


@staff_change(COORDINATOR)
def start(visit: Visit) -> Response:
    """Start a comparison of the newest model with the chosen one."""
    settings, now = visit.services.settings, visit.services.now()
    models = model_comparison.available(settings.models)
    # The name is only looked for among the files that there are.
    candidate = next((model for model in models[1:] if model.name == visit.value("candidate")), None)
    if candidate is None:
        return _list(visit, "models.problem_candidate")
    with visit.services.session() as session:
        if not sum(corrections.counts(session, _scope(visit)).values()):
            return _list(visit, "models.problem_no_messages")
        try:
            number = comparisons.start(session, models[0].name, candidate.name, visit.staff.id, now)
        except comparisons.AlreadyRunning:
            return _list(visit, "models.problem_running")
        visit.audit(session, "comparison.start", "comparison", str(number), current=models[0].name, candidate=candidate.name)
    run_in_background(settings, number)
    return back_to(visit, f"{PATH}/{number}", "models_started")


def run_in_background(settings: Settings, number: int) -> None:
    """Let ``lotse review compare`` run a comparison, and note if it ends without a word.

    Args:
        settings: the settings of this application; the process gets the same.
        number: the id of the comparison.
    """
    own = {
        "LOTSE_HOME": str(settings.home),
        "LOTSE_MODELS": str(settings.models),
        "LOTSE_TRANSCRIPTS_URL": settings.transcripts_url,
        "LOTSE_DIRECTORY_URL": settings.directory_url,
        "LOTSE_TRANSCRIPT_DAYS": str(settings.transcript_days),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.cli", "review", "compare", "--id", str(number)],
        cwd=PROJECT,
        env={**environment(), **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # It goes on when the web process is restarted.
        start_new_session=True,
    )
    threading.Thread(target=_watch, args=(process, settings, number), daemon=True).start()


def _watch(process: subprocess.Popen[bytes], settings: Settings, number: int) -> None:
    try:
        process.wait(LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.returncode:
        logger.error("The comparison %s ended with code %s", number, process.returncode)
        with database.session(settings.transcripts_url) as session:
            comparisons.fail(session, number, comparisons.STOPPED, datetime.now().astimezone())


def _list(visit: Visit, problem: str = "") -> Response:
    settings = visit.services.settings
    models = model_comparison.available(settings.models)
    with visit.services.session() as session:
        found = comparisons.listed(session, visit.services.now())
        counts = corrections.counts(session, _scope(visit))
    return render(
        visit,
        "models.html",
        400 if problem else 200,
        current=models[0] if models else None,
        candidates=models[1:],
        comparisons=found,
        running=comparisons.running(found),
        judged=sum(counts.values()),
        for_evaluation=counts[EVALUATION],
        verdict=lambda one: _verdict(one.result["all"]) if one.result else "",
        problem=problem,
        size=lambda megabytes: f"{megabytes:.0f} MB",
        days=settings.transcript_days,
    )


def _verdict(line: dict[str, Any]) -> str:
    """Return what a line of figures says of the candidate: ``better``, ``worse``, or ``equal`` if it may be chance."""
    if line["chance"] >= model_comparison.LEVEL:
        return "equal"
    return "better" if line["better"] > line["worse"] else "worse"


def _change(visit: Visit, change: dict[str, Any], known: dict[str, Correction]) -> dict[str, Any]:
    one = known.get(change["message"])
    intents = {name: conversation_view.intent_name(change[name], visit.language) for name in ("right", "current", "candidate")}
    return {
        **intents,
        "better": change["candidate"] == change["right"],
        "code": change["language"],
        "language": names.language_name(change["language"], visit.language),
        "pieces": conversation_view.pieces(one.text, visit.language) if one else None,
        "key": one.key if one else "",
    }


def _scope(visit: Visit) -> Scope:
    return Scope.of(visit.services.now(), visit.services.settings.transcript_days, visit.staff.states)


ROUTES: tuple[Route, ...] = (
    Route(PATH, list_page),
    Route(f"{PATH}/start", start, methods=["POST"]),
    Route(f"{PATH}/{{number}}", comparison_page),
)
