"""The audit trail, for admins: who did what, when. Nothing can be changed here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from bot.review import texts
from bot.review.guards import Visit, staff_page
from bot.review.names import state_name
from bot.review.pages import render
from bot.transcripts import audit, staff
from bot.transcripts.staff import Account
from bot.transcripts.staff_models import ADMIN

PAGE = 50
ACTION = "audit.action."
# Details that hold the id of an account.
PEOPLE = ("to", "staff")
# Where the words for the values of details stand.
WORDS = (
    "audit.value.",
    "role.",
    "need.",
    "review_state.",
    "callbacks.status.",
    "conversation.answer.",
    "conversation.reason.",
    "callbacks.reason.",
    "conversation.intent.",
    "conversation.topic.",
    "conversation.kind.",
    "directory.field.",
    "corrections.stand.",
)
NOBODY = (audit.SYSTEM, audit.PERSON, audit.COMMAND)


@staff_page(ADMIN)
def trail(visit: Visit) -> Response:
    """Show entries, the newest first; filtered by person, by what was done, or by what it was done to."""
    person, action, key = visit.value("person")[:120], visit.value("action")[:40], visit.value("object")[:80]
    # The kind belongs to a key, and goes with it.
    before, of_kind = visit.value("before"), visit.value("kind")[:20] if key else ""
    if before and not (before.isascii() and before.isdigit() and len(before) <= 10):
        raise HTTPException(400)
    with visit.services.session() as session:
        known = {str(account.id): account for account in staff.accounts(session)}
        found = audit.entries(
            session,
            before=int(before) if before else None,
            action=action,
            staff_name=person,
            object_key=key,
            object_kind=of_kind,
            limit=PAGE + 1,
        )
    shown = found[:PAGE]
    names = sorted({account.name for account in known.values()}, key=str.casefold)
    if person and person not in (*names, *NOBODY):
        names.append(person)  # Somebody whose account is gone.
    chosen = (("person", person), ("action", action), ("object", key), ("kind", of_kind))
    filters = {name: value for name, value in chosen if value}
    return render(
        visit,
        "audit.html",
        entries=shown,
        older=shown[-1].id if len(found) > PAGE else None,
        first=not before,
        person=person,
        action=action,
        object=key,
        of_kind=of_kind,
        filters=filters,
        names=names,
        nobody=NOBODY,
        groups=_groups(visit.language),
        known=known,
        who=lambda name: texts.text(f"audit.who.{name}", visit.language) if name in NOBODY else name,
        what=lambda name: _text(f"{ACTION}{name}", name, visit.language),
        kind=lambda name: _text(f"audit.kind.{name}", name, visit.language),
        details=lambda entry: _details(entry, known, visit.language),
    )


def _text(key: str, fallback: str, language: str) -> str:
    return texts.text(key, language) if texts.has(key) else fallback


def _groups(language: str) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return what can be filtered by: a group, its name, and its actions with their names."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for key in texts.source():
        if key.startswith(ACTION):
            action = key.removeprefix(ACTION)
            groups.setdefault(f"{action.partition('.')[0]}.", []).append((action, texts.text(key, language)))
    return [(group, _text(f"audit.group.{group.rstrip('.')}", group, language), actions) for group, actions in groups.items()]


def _details(entry: audit.Entry, known: Mapping[str, Account], language: str) -> list[tuple[str, str]]:
    def shown(name: str, value: Any) -> str:
        if value == [] and name.startswith("states"):
            return texts.text("staff.regions_all", language)  # no region is all of them
        if name in PEOPLE and str(value) in known:
            return known[str(value)].name
        return str(value) if name == "name" else _shown(value, language)

    return [(_text(f"audit.detail.{name}", name, language), shown(name, value)) for name, value in entry.details.items()]


def _shown(value: Any, language: str) -> str:
    if isinstance(value, bool):
        return texts.text("names.yes" if value else "names.no", language)
    if value in (None, "", [], {}):
        return "–"
    if isinstance(value, dict):
        return ", ".join(f"{_word(str(name), language)}: {_shown(one, language)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(_shown(one, language) for one in value)
    return _word(str(value), language)


def _word(value: str, language: str) -> str:
    """Return the word that the pages use for a value of an entry; the value itself if they have none."""
    value_keys = (f"{group}{value.removeprefix('faq/')}" for group in WORDS)
    return next((texts.text(key, language) for key in value_keys if texts.has(key)), state_name(value))


ROUTES: tuple[Route, ...] = (Route("/audit", trail),)
