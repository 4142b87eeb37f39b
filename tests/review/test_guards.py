"""Every route of the review: log-in, role, region, CSRF, no caching. New routes are tried without anybody thinking of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from actions.directory.fill import fill
from bot.review import texts
from bot.review.app import ROUTES
from bot.review.guards import Access
from bot.review.pages import NAVIGATION
from bot.transcripts.record_models import CallbackRequest
from bot.transcripts.staff_models import ADMIN, COORDINATOR, EDITOR, REVIEWER, ROLES
from bot.web.limits import LIMITS

from .support import NOW, Browser, Review, make_transcript, open_review

# What anybody may call: logging in, and style sheets. Everything else needs an account.
OPEN = {"/login", "/logout", "/static/{name}"}
# What an account may call before its second factor.
HALF = {"/second-factor", "/second-factor/start-again", "/logout", "/language"}
OF_REGION = ("/conversations/{key}", "/callbacks/{key}")


def access(route: Route) -> Access:
    """Return the mark of a route's endpoint."""
    return route.endpoint.access  # type: ignore[attr-defined,no-any-return]


def name(route: Route) -> str:
    """Return the name of a test case."""
    return f"{'+'.join(sorted((route.methods or set()) - {'HEAD'}))} {route.path}"


def path(route: Route, **values: Any) -> str:
    """Return an address of the route."""
    return re.sub(r"{(\w+)(?::\w+)?}", lambda found: str(values.get(found[1], "1")), route.path)


def changes(route: Route) -> bool:
    """Return whether the route is called by POST."""
    return "POST" in (route.methods or set())


guarded = [route for route in ROUTES if access(route).session and access(route).complete]
actions = [route for route in ROUTES if access(route).action]


@pytest.fixture(scope="module")
def review(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Review]:
    """A review that the cases share: each logs in with accounts of its own."""
    with open_review(tmp_path_factory.mktemp("review")) as opened:
        fill(opened.settings.directory_url)
        yield opened


def call(browser: Browser, route: Route, where: str, **more: Any) -> Any:
    """Call a route as its form or link would."""
    return browser.post(where, **more) if changes(route) else browser.get(where)


def test_every_route_says_who_may_call_it_and_how_often() -> None:
    for route in ROUTES:
        assert isinstance(getattr(route.endpoint, "access", None), Access), route.path
        assert access(route).limit in LIMITS, route.path


def test_only_few_routes_are_open() -> None:
    assert {route.path for route in ROUTES if not access(route).session} <= OPEN
    assert {route.path for route in ROUTES if access(route).session and not access(route).complete} <= HALF


def test_what_changes_something_is_called_by_post_and_nothing_else_is() -> None:
    for route in ROUTES:
        if access(route).action:
            assert route.methods == {"POST"}, route.path
        elif access(route).session:
            assert not changes(route), route.path


@pytest.mark.parametrize("route", guarded, ids=name)
def test_without_a_session_nothing_is_shown_or_changed(review: Review, route: Route) -> None:
    answer = call(review.browser(), route, path(route))
    if changes(route):
        assert answer.status_code == 401
    else:
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/review/login?next=")


@pytest.mark.parametrize("route", guarded, ids=name)
def test_a_session_between_password_and_second_factor_opens_nothing(review: Review, route: Route) -> None:
    from bot.review.guards import COOKIE
    from bot.transcripts import staff_sessions

    from .support import make_staff

    with review.session() as session:
        token = staff_sessions.begin(session, make_staff(session, *ROLES).id, "test", False, NOW)
    browser = review.browser()
    browser.client.cookies.set(COOKIE, token, path="/review")
    answer = call(browser, route, path(route))
    assert (answer.status_code, answer.headers["location"]) == (303, "/review/second-factor")


@pytest.mark.parametrize("route", [route for route in guarded if access(route).roles != set(ROLES)], ids=name)
def test_a_role_that_is_not_named_is_refused(review: Review, route: Route) -> None:
    for role in set(ROLES) - access(route).roles:
        assert call(review.log_in(role), route, path(route)).status_code == 403, role


@pytest.mark.parametrize("route", actions, ids=name)
def test_a_form_without_the_word_of_its_session_changes_nothing(review: Review, route: Route) -> None:
    browser, other = review.log_in(*ROLES), review.log_in(*ROLES)
    for word in ("", "x" * 32, other.csrf()):
        assert browser.post(path(route), csrf=word).status_code == 403


@pytest.mark.parametrize("route", [route for route in ROUTES if changes(route)], ids=name)
def test_another_website_cannot_send_a_form(review: Review, route: Route) -> None:
    browser = review.log_in(*ROLES)
    for header in (
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
    ):
        assert browser.post(path(route), headers=dict([header])).status_code == 403, header


@pytest.mark.parametrize("route", [route for route in ROUTES if route.path != "/static/{name}"], ids=name)
def test_no_page_is_kept_by_a_browser_or_shown_in_a_frame(review: Review, route: Route) -> None:
    answer = call(review.log_in(*ROLES), route, path(route))
    assert answer.status_code < 500
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("route", [route for route in ROUTES if route.path.startswith(OF_REGION)], ids=name)
def test_what_belongs_to_another_region_does_not_exist(review: Review, route: Route) -> None:
    with review.session() as session:
        mine = make_transcript(session, state="DE-NW").key
        session.add(CallbackRequest(key=mine, state="DE-NW", language="de", sealed=b"-", created_at=NOW, status="new"))
    foreign = review.log_in(REVIEWER, states=["DE-BY"])
    unknown = call(foreign, route, path(route, key="nothing"))
    hidden = call(foreign, route, path(route, key=mine))
    assert hidden.status_code == unknown.status_code == 404
    assert hidden.text == unknown.text


@pytest.mark.parametrize("route", [route for route in guarded if "{" in route.path], ids=name)
def test_odd_addresses_never_break_anything(review: Review, route: Route) -> None:
    browser = review.log_in(*ROLES)
    for value in ("'", "../../etc/passwd", "%00", "a" * 500, "１"):
        where = re.sub(r"{\w+(?::\w+)?}", value, route.path)
        assert call(browser, route, where).status_code < 500, value


def test_a_directory_without_places_is_named_and_breaks_nothing(tmp_path: Path) -> None:
    with open_review(tmp_path) as empty:
        answer = empty.log_in(EDITOR).get("/directory/new")
    assert answer.status_code == 503
    assert "lotse directory fill" in answer.text


def test_the_navigation_shows_what_a_role_may_open(review: Review) -> None:
    for role in (REVIEWER, EDITOR, COORDINATOR, ADMIN):
        browser = review.log_in(role)
        for href, _, roles in NAVIGATION:
            assert (browser.get(href).status_code == 200) == (role in roles), (role, href)


def test_every_text_is_there_in_both_languages_with_the_same_placeholders() -> None:
    for key, forms in texts.source().items():
        assert set(forms) == set(texts.LANGUAGES), key
        assert all(form.strip() for form in forms.values()), key
        assert len({frozenset(re.findall(r"{(\w+)", form)) for form in forms.values()}) == 1, key


def test_every_text_that_the_code_names_exists_and_none_is_left_over() -> None:
    package = Path(texts.__file__).parent
    code = "\n".join(one.read_text(encoding="utf-8") for one in [*package.rglob("*.py"), *package.rglob("*.html"), *package.rglob("*.js")])
    code += (package.parent / "transcripts" / "mails.py").read_text(encoding="utf-8")
    named = set(re.findall(r"""["'`]([a-z_]+(?:\.[a-z_0-9-]+)+)["'`]""", code)) | {
        f"done.{word}" for word in re.findall(r'"([a-z_]+)"', code)
    }
    # Keys that are put together: "need." ~ need, f"inbox.tab_{state}".
    prefixes = set(re.findall(r"""["'`]([a-z_]+\.[a-z_0-9.]*[._])(?:["'`]|{)""", code)) | set(
        re.findall(r"""["'`]([a-z_]+\.)["'`{]""", code)
    )
    left = [key for key in texts.source() if key not in named and not key.startswith(tuple(prefixes))]
    assert left == []
