"""Corrections: the messages that reviewers judged, as examples for training or evaluation, and their export."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.orm import Session
from starlette.responses import Response
from starlette.routing import Route

from bot.languages import LANGUAGES
from bot.review import conversation_view, names
from bot.review.guards import Visit, staff_change, staff_page
from bot.review.pages import back_to, download, render
from bot.transcripts import corrections, exports
from bot.transcripts.corrections import PAGE, PURPOSES, UNDECIDED, Correction, Filter, Outcome, Scope, Sides
from bot.transcripts.export_records import Wanted
from bot.transcripts.staff_models import COORDINATOR, REVIEWER

PATH = "/corrections"
STANDS = (UNDECIDED, *PURPOSES)
CHOICES = {"purpose": STANDS, "language": LANGUAGES, "verdict": ("right", "wrong"), "exported": ("yes", "no")}
# Why messages were not given a purpose, or not exported.
REASONS = ("fixed", "conversation", "other_side", "project", "placeholder", "fallback", "incomplete")
USUAL_SHARE = 20


@staff_page(COORDINATOR)
def list_page(visit: Visit) -> Response:
    """Show the corrections, the newest first."""
    return _list(visit)


@staff_change(COORDINATOR)
def set_purpose(visit: Visit) -> Response:
    """Give the selected messages a purpose."""
    purpose = visit.value("purpose_of_selected")
    ids = [int(one) for one in visit.values("turn")[:PAGE] if one.isascii() and one.isdigit() and len(one) < 11]
    if purpose not in STANDS:
        return _list(visit, "corrections.problem_purpose")
    with visit.services.session() as session:
        chosen = corrections.by_turns(session, _scope(visit), ids)
        if not chosen:
            return _list(visit, "corrections.problem_none")
        outcome = corrections.set_purpose(session, chosen, None if purpose == UNDECIDED else purpose)
        _audit(visit, session, "purpose", outcome, purpose=purpose)
    return _back(visit, outcome)


@staff_change(COORDINATOR)
def split(visit: Visit) -> Response:
    """Give all undecided messages of the list a purpose, by share."""
    given = visit.value("share")
    if not (given.isascii() and given.isdigit() and len(given) < 4 and int(given) <= 100):
        return _list(visit, "corrections.problem_share")
    with visit.services.session() as session:
        outcome = corrections.split(session, _scope(visit), _filter(visit), int(given), bool(visit.value("placeholders")))
        _audit(visit, session, "split", outcome, share=int(given))
    return _back(visit, outcome)


@staff_change(COORDINATOR)
def export(visit: Visit) -> Response:
    """Return what was chosen for a purpose as a file, and note that it was exported."""
    kind, purpose = visit.value("format"), visit.value("purpose_to_export")
    if kind not in exports.FORMATS or purpose not in PURPOSES:
        return _list(visit, "corrections.problem_export")
    wanted = Wanted(purpose, bool(visit.value("only_new")), bool(visit.value("placeholders")))
    with visit.services.session() as session:
        made = exports.make(session, kind, _scope(visit), wanted, visit.services.now())
        if made.files:
            visit.audit(
                session,
                "corrections.export",
                "corrections",
                purpose,
                format=kind,
                messages=made.messages,
                conversations=made.conversations,
                **{name: value for name, value in asdict(wanted).items() if name != "purpose"},
            )
    if not made.files:
        return _list(visit, "corrections.problem_nothing", left_out=made.left_out)
    return download(exports.archive(made.files), f"lotse-{kind}-{purpose}-{visit.services.now():%Y-%m-%d}.zip", "application/zip")


def _list(visit: Visit, problem: str = "", left_out: dict[str, int] | None = None) -> Response:
    chosen, scope = _filter(visit), _scope(visit)
    given = visit.value("before")
    before = int(given) if given.isascii() and given.isdigit() and len(given) < 11 else None
    with visit.services.session() as session:
        found = corrections.listed(session, scope, chosen, before, PAGE + 1)
        sides = Sides(session)
        rows = [_row(one, sides, visit.language) for one in found[:PAGE]]
        numbers = corrections.counts(session, scope)
        languages = corrections.languages(session, scope)
    return render(
        visit,
        "corrections.html",
        400 if problem else 200,
        chosen=chosen,
        rows=rows,
        counts=numbers,
        total=sum(numbers.values()),
        languages=[(code, names.language_name(code, visit.language)) for code in languages],
        link=lambda **more: urlencode({name: value for name, value in {**asdict(chosen), **more}.items() if value}),
        next_before=found[PAGE - 1].turn_id if len(found) > PAGE else None,
        later_pages=before is not None,
        problem=problem,
        left_out=_reasons(left_out or {}) if problem else _reasons(visit.request.query_params),
        changed=_number(visit.request.query_params.get("changed", "")),
        formats=exports.FORMATS,
        purposes=PURPOSES,
        stands=STANDS,
        usual_share=USUAL_SHARE,
        is_reviewer=REVIEWER in visit.staff.roles,
        days=visit.services.settings.transcript_days,
        similar=corrections.duplicates.NEARLY_EQUAL,
    )


def _row(one: Correction, sides: Sides, language: str) -> dict[str, Any]:
    refusals = {purpose: sides.refusal(one, purpose) for purpose in PURPOSES if purpose != one.purpose and not one.fixed}
    return {
        "one": one,
        "pieces": conversation_view.pieces(one.text, language),
        "understood": conversation_view.intent_name(one.understood, language) if one.understood else "–",
        "right": conversation_view.intent_name(one.intent, language),
        "language": names.language_name(one.language, language),
        # That its own conversation is on one side goes without saying once the message is, too.
        "refusals": [
            (purpose, refusal)
            for purpose, refusal in refusals.items()
            if refusal is not None and not (refusal.reason == "conversation" and one.purpose)
        ],
    }


def _back(visit: Visit, outcome: Outcome) -> Response:
    refused = {name: number for name, number in outcome.refused.items() if number}
    if not outcome.changed and not refused:
        return back_to(visit, _address(visit), "corrections_nothing")
    done = "corrections_changed" if outcome.changed else "corrections_refused"
    return back_to(visit, _address(visit), done, changed=outcome.changed, **refused)


def _audit(visit: Visit, session: Session, what: str, outcome: Outcome, **details: Any) -> None:
    if outcome.changed:
        visit.audit(session, f"corrections.{what}", "corrections", "", changed=outcome.changed, **details)
    visit.audited = True  # if nothing was changed, there is nothing to enter


def _scope(visit: Visit) -> Scope:
    return Scope.of(visit.services.now(), visit.services.settings.transcript_days, visit.staff.states)


def _filter(visit: Visit) -> Filter:
    return Filter(**{name: visit.value(name) if visit.value(name) in allowed else "" for name, allowed in CHOICES.items()})


def _address(visit: Visit) -> str:
    query = {name: value for name, value in asdict(_filter(visit)).items() if value}
    return f"{PATH}?{urlencode(query)}" if query else PATH


def _reasons(given: Any) -> list[tuple[str, int]]:
    found = [(reason, _number(str(given.get(reason, "")))) for reason in REASONS]
    return [(reason, number) for reason, number in found if number]


def _number(given: str) -> int:
    return int(given) if given.isascii() and given.isdigit() and len(given) < 8 else 0


ROUTES: tuple[Route, ...] = (
    Route(PATH, list_page),
    Route(f"{PATH}/purpose", set_purpose, methods=["POST"]),
    Route(f"{PATH}/split", split, methods=["POST"]),
    Route(f"{PATH}/export", export, methods=["POST"]),
)
