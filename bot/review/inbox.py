"""The inbox: the list of transcripts with its filters, what is done to several of them at once, and the labels."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlencode

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from actions.directory import database as directory_database
from actions.directory import office_list
from bot.review import inbox_view, texts
from bot.review.guards import Visit, staff_change, staff_page
from bot.review.pages import ZONE, back_to, not_found, render
from bot.transcripts import inbox, labels, reviews, saved_filters, search
from bot.transcripts.inbox_filter import MOST_OFFICES, InboxFilter
from bot.transcripts.record_models import REVIEW_STATES, Label, Transcript
from bot.transcripts.staff_models import REVIEWER

LIST = "/conversations"
# What can be done to the selected conversations.
ADD, REMOVE, ASSIGN, RELEASE = "add", "remove", "assign", "release"
ACTIONS = (ADD, REMOVE, ASSIGN, RELEASE, *REVIEW_STATES)


@staff_page(REVIEWER)
def list_page(visit: Visit) -> Response:
    """Show a page of the list."""
    given = visit.request.query_params
    asked = InboxFilter.from_query(given)
    if asked.office and not asked.offices:
        asked = asked.with_offices(_offices(visit, asked.office))
    if "" in given.values() or (asked.offices and "offices" not in given):
        # The form sends its empty fields, too: an address that is kept should only say what filters.
        kept = {key: value for key, value in given.items() if key in ("cursor", "done") and value}
        return RedirectResponse(f"{visit.request.scope.get('root_path', '')}{_address(asked, **kept)}", 303)
    return _list(visit, asked)


@staff_change(REVIEWER)
def change_selected(visit: Visit) -> Response:
    """Label, assign or move the selected conversations."""
    asked, action = InboxFilter.from_query(visit.value("list")), visit.value("do")
    cursor = visit.value("cursor")
    keys = [key for key in visit.values("key") if 0 < len(key) <= 22][: inbox.PAGE + inbox.URGENT]
    if action not in ACTIONS:
        return _list(visit, asked, problem="unknown")
    with visit.services.session() as session:
        chosen = inbox.visible(session, visit.staff, keys)
        try:
            label = _label(session, visit.value("label"), action) if chosen else None
        except labels.LabelError as error:
            return _list(visit, asked, problem=f"label_{error.reason}")
        for transcript in chosen:
            # One that is deleted meanwhile is no reason to leave the others.
            with suppress(reviews.NotPossible), reviews.change(session, transcript, _by(visit)):
                _change(visit, session, transcript, action, label)
    if not chosen:
        return _list(visit, asked, problem="none")
    return back_to(visit, _address(asked, **({"cursor": cursor} if cursor else {})), "inbox_changed")


@staff_change(REVIEWER)
def save_filter(visit: Visit) -> Response:
    """Keep the filter of the list under a name."""
    asked = InboxFilter.from_query(visit.value("list"))
    with visit.services.session() as session:
        try:
            filter_id = saved_filters.save(session, visit.staff.id, visit.value("name"), asked)
        except saved_filters.NotSaved as error:
            return _list(visit, asked, problem=f"filter_{error.reason}")
        visit.audit(session, "filter.save", "filter", str(filter_id))
    return back_to(visit, _address(asked), "filter_saved")


@staff_change(REVIEWER)
def delete_filter(visit: Visit) -> Response:
    """Delete one of one's own filters."""
    asked = InboxFilter.from_query(visit.value("list"))
    with visit.services.session() as session:
        filter_id = _id(visit)
        if not saved_filters.forget(session, visit.staff.id, filter_id):
            raise not_found()
        visit.audit(session, "filter.delete", "filter", str(filter_id))
    return back_to(visit, _address(asked), "filter_deleted")


@staff_page(REVIEWER)
def labels_page(visit: Visit) -> Response:
    """Show the labels."""
    return _labels(visit)


@staff_change(REVIEWER)
def change_labels(visit: Visit) -> Response:
    """Make, rename, delete or restore a label."""
    action, said, label_id = visit.value("do"), visit.value("name"), visit.value("label")
    number = int(label_id) if label_id.isascii() and label_id.isdigit() and len(label_id) < 12 else 0
    with visit.services.session() as session:
        try:
            if action == "create":
                label: Label | None = labels.create(session, said)
            elif action == "rename":
                label = labels.rename(session, number, said)
            elif action == "delete":
                label = labels.put_away(session, number, visit.services.now())
            elif action == "restore":
                label = labels.restore(session, number)
            else:
                return _labels(visit, "unknown")
        except labels.LabelError as error:
            session.rollback()
            return _labels(visit, f"label_{error.reason}")
        if label is None:
            return _labels(visit, "label_gone")
        visit.audit(session, f"label.{action}", "label", str(label.id))
    return back_to(visit, "/labels", {"create": "label_created", "delete": "label_deleted"}.get(action, f"label_{action}d"))


def _list(visit: Visit, asked: InboxFilter, problem: str = "") -> Response:
    """Return the list; with a problem it is the answer to a form that could not be carried out."""
    language, now = visit.language, visit.services.now()
    cursor = visit.value("cursor")
    with visit.services.session() as session:
        page = inbox.page(session, visit.staff, asked, cursor)
        first = page.newer is None
        urgent = inbox.urgent(session, visit.staff, asked) if first else []
        counts = inbox.counts(session, visit.staff, asked)
        all_labels, people = labels.all_labels(session), dict(inbox.reviewers(session))
        saved = saved_filters.all_of(session, visit.staff.id)

    def href(other: InboxFilter, **more: str) -> str:
        return f"{visit.request.scope.get('root_path', '')}{_address(other, **more)}"

    return render(
        visit,
        "inbox.html",
        400 if problem else 200,
        asked=asked,
        query=asked.to_query(),
        cursor=cursor,
        first=first,
        lines=inbox_view.lines(page.rows, language, now),
        urgent=inbox_view.lines(urgent, language, now),
        urgent_href=href(InboxFilter(crisis=True)),
        tabs=inbox_view.tabs(asked, counts, language, href),
        chips=inbox_view.chips(asked, language, all_labels, people, href),
        clear=href(InboxFilter(tab=asked.tab)),
        choices=inbox_view.choices(language, visit.staff.states, all_labels, people),
        labels=all_labels,
        saved=[(one, href(one.filter)) for one in saved],
        newer=href(asked, cursor=page.newer) if page.newer else None,
        older=href(asked, cursor=page.older) if page.older else None,
        start=href(asked),
        remarks=_remarks(asked, language),
        problem=texts.text(f"inbox.problem.{problem}", language) if problem else "",
    )


def _labels(visit: Visit, problem: str = "") -> Response:
    with visit.services.session() as session:
        used = labels.usage(session, inbox.COUNTED)
        known, gone = labels.all_labels(session), labels.deleted_labels(session)
    return render(
        visit,
        "inbox_labels.html",
        400 if problem else 200,
        labels=[(one, inbox_view.number(used.get(one.id, 0), visit.language)) for one in known],
        deleted=gone,
        longest=labels.LONGEST,
        problem=texts.text(f"inbox.problem.{problem}", visit.language) if problem else "",
    )


def _by(visit: Visit) -> reviews.By:
    return reviews.By(visit.staff.id, visit.services.now())


def _label(session: Session, said: str, action: str) -> Label | None:
    """Return the label that an action is about."""
    if action == ADD:
        return labels.create(session, said)
    if action != REMOVE:
        return None
    found = labels.named(session, labels.clean_name(said))
    if found is None:
        raise labels.LabelError("gone")
    return found


def _change(visit: Visit, session: Session, transcript: Transcript, action: str, label: Label | None) -> None:
    """Do one thing to one conversation, and write it into the trail."""
    if label is not None:
        change = labels.add_to_many if action == ADD else labels.remove_from_many
        change(session, [transcript.id], label.id)
        visit.audit(session, f"label.{action}", "transcript", transcript.key, label=label.id)
    elif action in (ASSIGN, RELEASE):
        reviews.assign(session, transcript, visit.staff.id if action == ASSIGN else None)
        visit.audit(session, "transcript.assign", "transcript", transcript.key, staff=transcript.assigned_to)
    else:
        reviews.set_state(transcript, _by(visit), action)
        visit.audit(session, "transcript.state", "transcript", transcript.key, state=action)


def _offices(visit: Visit, said: str) -> tuple[str, ...]:
    """Return the ids of the offices that are meant: one that is called so, else those in which all words occur."""
    wanted = office_list.OfficeFilter(text=said)
    today = visit.services.now().astimezone(ZONE).date()
    try:
        with directory_database.session(visit.services.settings.directory_url) as session:
            found = office_list.find(session, wanted, today, size=MOST_OFFICES).offices
    except SQLAlchemyError:
        # Without a directory an office is still known by its id.
        found = []
    exact = [one.id for one in found if said in (one.id, one.name)]
    ids = exact or [one.id for one in found]
    return tuple(ids) or ((said,) if said.isascii() and " " not in said else ())


def _remarks(asked: InboxFilter, language: str) -> list[str]:
    """Return what should be said about a filter that does not do what was meant."""
    found = []
    if asked.problems:
        fields = ", ".join(texts.text(f"inbox.f.{name}", language) for name in asked.problems)
        found.append(f"{texts.text('inbox.unreadable', language)} {fields}")
    if asked.office and not asked.offices:
        found.append(texts.text("inbox.no_office", language, said=asked.office))
    if asked.q and not search.words(asked.q):
        found.append(texts.text("inbox.no_words", language))
    return found


def _address(asked: InboxFilter, **more: str) -> str:
    query = urlencode({**asked.as_fields(), **more})
    return f"{LIST}?{query}" if query else LIST


def _id(visit: Visit) -> int:
    given = str(visit.request.path_params["id"])
    return int(given) if given.isascii() and given.isdigit() and len(given) < 12 else 0


ROUTES: tuple[Route, ...] = (
    Route(LIST, list_page),
    Route(f"{LIST}/labels", change_selected, methods=["POST"]),
    Route(f"{LIST}/filters", save_filter, methods=["POST"]),
    Route(f"{LIST}/filters/{{id}}/delete", delete_filter, methods=["POST"]),
    Route("/labels", labels_page),
    Route("/labels", change_labels, methods=["POST"]),
)
