"""Who may do what. Every endpoint carries one of these marks; a test checks that none forgets, and tries each.

Deny by default: without a session only what is marked :func:`open_page` answers, and a role that is not named is refused.
Endpoints are plain functions that run in a thread, because everything they do blocks.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.review.services import ReviewServices, services
from bot.transcripts import staff_sessions
from bot.transcripts.staff_models import ROLES
from bot.transcripts.staff_sessions import SignedIn

COOKIE = "lotse_review"
FORM_LIMITS = {"max_files": 1, "max_fields": 400, "max_part_size": 4 * 1024 * 1024}
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Access:
    """What an endpoint asks of its caller."""

    session: bool  # somebody must be logged in
    complete: bool  # ... and be past the second factor
    roles: frozenset[str]  # ... and have one of these roles
    limit: str
    action: bool = False  # changes something: POST, CSRF token, audit entry


@dataclass
class Visit:
    """One request, as the endpoints see it."""

    request: Request
    services: ReviewServices
    signed_in: SignedIn | None
    form: FormData
    audited: bool = field(default=False)

    @property
    def staff(self) -> SignedIn:
        """Who is logged in."""
        assert self.signed_in is not None, "this endpoint is open to everybody"
        return self.signed_in

    @property
    def language(self) -> str:
        """The language of the pages: ``de`` or ``en``."""
        if self.signed_in is not None:
            return self.signed_in.language
        return "en" if self.request.headers.get("accept-language", "").lower().startswith("en") else "de"

    def value(self, name: str, default: str = "") -> str:
        """Return a field of the form (else of the address) as text without space around it and without control characters."""
        found = self.form.get(name)
        if not isinstance(found, str):
            found = self.request.query_params.get(name, default)
        found = found.replace("\r\n", "\n")
        # Blanks of every kind are blanks: two pasted words must not grow together.
        return "".join(one if one.isprintable() or one in "\n\t" else " " for one in found if one.isprintable() or one.isspace()).strip()

    def values(self, name: str) -> list[str]:
        """Return all values of a field of the form (else of the address)."""
        found = [one for one in self.form.getlist(name) if isinstance(one, str)]
        return found or self.request.query_params.getlist(name)

    def audit(self, session: Any, action: str, object_kind: str, object_key: str = "", **details: Any) -> None:
        """Write an audit entry for what this endpoint changes, in the same transaction."""
        from bot.transcripts import audit

        who = self.signed_in
        audit.write(
            session,
            self.services.now(),
            who.id if who else None,
            who.name if who else audit.SYSTEM,
            action,
            object_kind,
            object_key,
            **details,
        )
        self.audited = True


Endpoint = Callable[[Visit], Response]


def open_page(limit: str = "review_pages") -> Callable[[Endpoint], Any]:
    """Mark an endpoint as open to everybody (log-in, style sheets)."""
    return _mark(Access(False, False, frozenset(), limit))


def half_page(limit: str = "review_login") -> Callable[[Endpoint], Any]:
    """Mark an endpoint as open after the password and before the second factor."""
    return _mark(Access(True, False, frozenset(), limit))


def half_change(limit: str = "review_login") -> Callable[[Endpoint], Any]:
    """Mark an endpoint that changes something after the password and before the second factor (it checks or sets it up)."""
    return _mark(Access(True, False, frozenset(), limit, action=True))


def staff_page(*roles: str, limit: str = "review_pages") -> Callable[[Endpoint], Any]:
    """Mark a page for people with one of the roles (any role if none is named)."""
    return _mark(Access(True, True, frozenset(roles or ROLES), limit))


def staff_change(*roles: str, limit: str = "review_changes") -> Callable[[Endpoint], Any]:
    """Mark an endpoint that changes something: it is called by POST, with the session's word, and writes an audit entry."""
    return _mark(Access(True, True, frozenset(roles or ROLES), limit, action=True))


def csrf_of(visit: Visit) -> str:
    """Return the word that the forms of this session carry."""
    return staff_sessions.csrf_token(visit.staff.token_hash, visit.services.csrf_key) if visit.signed_in else ""


def _mark(access: Access) -> Callable[[Endpoint], Any]:
    def mark(endpoint: Endpoint) -> Any:
        @wraps(endpoint)
        async def guarded(request: Request) -> Response:
            service = services(request)
            await _limit(service, request, access.limit)
            _same_origin(request)
            form = await request.form(**FORM_LIMITS) if request.method in UNSAFE else FormData()
            visit = Visit(request, service, await run_in_threadpool(_signed_in, service, request), form)
            request.state.visit = visit
            refused = _refusal(access, visit)
            if refused is not None:
                return refused
            if access.action:
                given = visit.form.get("csrf", "")
                if not isinstance(given, str) or not hmac.compare_digest(given.encode("utf-8", "replace"), csrf_of(visit).encode("ascii")):
                    raise HTTPException(403, "csrf")
            answer = await run_in_threadpool(endpoint, visit)
            if access.action and answer.status_code < 400 and not visit.audited:
                raise RuntimeError(f"{endpoint.__name__} changes something without an audit entry")
            return answer

        guarded.access = access  # type: ignore[attr-defined]
        return guarded

    return mark


async def _limit(service: ReviewServices, request: Request, name: str) -> None:
    seconds = await service.limits.retry_after(name, service.clients.key(request.scope, service.now()))
    if seconds:
        raise HTTPException(429, str(seconds), headers={"Retry-After": str(seconds)})


def _same_origin(request: Request) -> None:
    """Refuse requests that another site sends: browsers say so, by ``Sec-Fetch-Site`` or by ``Origin``."""
    if request.method not in UNSAFE:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise HTTPException(403, "csrf")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "csrf")


def _signed_in(service: ReviewServices, request: Request) -> SignedIn | None:
    token = request.cookies.get(COOKIE)
    if not token or len(token) > 200:
        return None
    with service.session() as session:
        return staff_sessions.find(session, token, service.now(), service.idle, service.absolute)


def _refusal(access: Access, visit: Visit) -> Response | None:
    """Return where to send a caller who may not (yet) come in; None if the way is free."""
    if not access.session:
        return None
    request, who = visit.request, visit.signed_in
    base = request.scope.get("root_path", "")
    if who is None:
        if request.method in UNSAFE:
            raise HTTPException(401, "session_ended")
        path = request.scope["path"].removeprefix(base)
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{base}/login?next={quote(path + query)}", 303)
    if not access.complete:
        return None
    if not who.complete:
        return RedirectResponse(f"{base}/second-factor", 303)
    if not visit.services.has_needed_factor(who):
        return (
            None
            if request.scope["path"].removeprefix(base).startswith("/account")
            else RedirectResponse(f"{base}/account/second-factor", 303)
        )
    if who.must_change_password:
        return (
            None if request.scope["path"].removeprefix(base).startswith("/account") else RedirectResponse(f"{base}/account/password", 303)
        )
    if not access.roles & who.roles:
        raise HTTPException(403, "role")
    return None
