"""WCAG 2.2 AA of the review as far as a machine can tell (axe): every page, on a computer, on a tablet, in the dark, at 400 %."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actions.directory import database as directory
from actions.directory.models import Office
from bot.transcripts.record_models import CallbackRequest, Transcript
from bot.transcripts.staff_models import ADMIN, COORDINATOR, EDITOR, REVIEWER
from tests.gateway.browser import needs_chromium

from .accounts import PASSWORD, make_account
from .browser import TABLET, ZOOMED, Demonstration, compare_models, keys_of, logged_in, open_demonstration, visiting

axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pytestmark = [needs_chromium, pytest.mark.browser]
ALL = (REVIEWER, EDITOR, COORDINATOR, ADMIN)
SMALLEST_TARGET = 24  # pixels, WCAG 2.5.8; links in a text may be smaller
# What may look different in another scheme or width; all other rules are checked on a computer.
LOOKS = {"runOnly": ["color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block"]}
OTHER_LOOKS = {"dark tablet": {"color_scheme": "dark", **TABLET}, "forced colours": {"forced_colors": "active"}}
MOST_USED = ("inbox", "arabic", "figures", "edit")
# Their style sheets add to the common one.
WITH_COLOURS_OF_THEIR_OWN = ("corrections", "history", "account")


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    with open_demonstration(tmp_path_factory.mktemp("review")) as opened:
        yield opened


@pytest.fixture(name="pages", scope="module")
def _pages(place: Demonstration) -> dict[str, str]:
    """The addresses of all pages that somebody with every role can open."""
    (german, *_), (arabic, *_), (silent, *_), (crisis, *_) = (
        keys_of(place, Transcript.language == "de", Transcript.consent),
        keys_of(place, Transcript.language == "ar", Transcript.consent),
        keys_of(place, Transcript.consent.is_(False)),
        keys_of(place, Transcript.crisis),
    )
    with place.session() as session:
        call = session.query(CallbackRequest.key).order_by(CallbackRequest.id).first()
    with directory.session(place.settings.directory_url) as session:
        office = session.query(Office.id).order_by(Office.name).first()
    return {
        "inbox": "/conversations",
        "filtered": "/conversations?tab=all&language=de&need=recognition",
        "nothing found": "/conversations?q=xyzxyz",
        "german": f"/conversations/{german}",
        "arabic": f"/conversations/{arabic}",
        "without consent": f"/conversations/{silent}",
        "crisis": f"/conversations/{crisis}",
        "deletion": f"/conversations/{german}/delete",
        "labels": "/labels",
        "call-backs": "/callbacks",
        "call-back": f"/callbacks/{call[0]}",
        "directory": "/directory",
        "office": f"/directory/office/{office[0]}",
        "edit": f"/directory/office/{office[0]}/edit",
        "new office": "/directory/new",
        "stale": "/directory/stale?days=3",
        "history": "/directory/history",
        "import": "/directory/import",
        "figures": "/figures",
        "corrections": "/corrections",
        "models": "/models",
        "comparison": f"/models/{compare_models(place)}",
        "accounts": "/staff",
        "new account": "/staff/new",
        "audit": "/audit",
        "account": "/account",
        "password": "/account/password",
        "second factor": "/account/second-factor",
        "not found": "/nowhere",
    }


def open_all(page: Any) -> None:
    """Open what is folded away."""
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")


def violations(page: Any, options: dict[str, Any] | None = None) -> list[str]:
    """Return what axe finds wrong on the page."""
    found = axe.Axe().run(page, options=options).response["violations"]
    return [f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


def check(page: Any, name: str, options: dict[str, Any] | None = None) -> list[str]:
    """Return what is wrong with the page that is shown."""
    open_all(page)
    wrong = [f"{name}: {one}" for one in violations(page, options)]
    if page.locator("h1").count() != 1:
        wrong.append(f"{name}: {page.locator('h1').count()} main headings")
    if sideways(page):
        wrong.append(f"{name}: moves sideways by {sideways(page)} px")
    small = page.evaluate(
        """least => [...document.querySelectorAll("button, input:not([type=hidden]), select, textarea, summary, nav a, .button")]
            .filter(one => one.checkVisibility() && !one.closest("dialog, label, [aria-hidden=true]"))
            .map(one => [one.outerHTML.slice(0, 90), one.getBoundingClientRect().height])
            .filter(([, height]) => height < least).map(([html]) => html)""",
        SMALLEST_TARGET,
    )
    return wrong + [f"{name}: too small to hit: {one}" for one in small]


def sideways(page: Any) -> int:
    """Return by how much the page itself moves sideways; tables may, in their own box."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_axe_finds_nothing_wrong_with_any_page(place: Demonstration, pages: dict[str, str]) -> None:
    wrong = []
    with logged_in(place, *ALL) as page:
        for name, path in pages.items():
            page.goto(place.address + path)
            wrong += check(page, name)
    assert wrong == []


@pytest.mark.parametrize("context", OTHER_LOOKS.values(), ids=OTHER_LOOKS.keys())
def test_pages_are_good_to_read_and_to_touch_in_every_look(place: Demonstration, pages: dict[str, str], context: dict[str, Any]) -> None:
    wrong = []
    with logged_in(place, *ALL, **context) as page:
        for name in (*MOST_USED, *WITH_COLOURS_OF_THEIR_OWN) if "color_scheme" in context else MOST_USED:
            page.goto(place.address + pages[name])
            wrong += check(page, name, LOOKS)
    assert wrong == []


def test_at_400_percent_axe_finds_nothing_wrong_with_the_most_used_pages(place: Demonstration, pages: dict[str, str]) -> None:
    wrong = []
    with logged_in(place, *ALL, **ZOOMED) as page:
        for name in MOST_USED:
            page.goto(place.address + pages[name])
            wrong += check(page, name)
    assert wrong == []


def test_at_400_percent_no_page_moves_sideways(place: Demonstration, pages: dict[str, str]) -> None:
    with logged_in(place, *ALL, **ZOOMED) as page:
        found = {}
        for name, path in pages.items():
            page.goto(place.address + path)
            open_all(page)
            found[name] = sideways(page)
    assert {name: by for name, by in found.items() if by} == {}


def test_axe_finds_nothing_wrong_on_the_way_in(place: Demonstration) -> None:
    account = make_account(place, REVIEWER, factor=False)
    wrong = []
    with visiting(place) as page:
        page.goto(f"{place.address}/login")
        wrong += check(page, "login")
        page.fill("#email", account.email)
        page.fill("#password", "wrong")
        page.keyboard.press("Enter")
        page.locator("[role=alert]").wait_for()
        wrong += check(page, "failed login")
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.locator(".secret").wait_for()
        wrong += check(page, "set-up")
        page.fill("#code", "000000")
        page.keyboard.press("Enter")
        page.locator("[role=alert]").wait_for()
        wrong += check(page, "wrong code")
    assert wrong == []


def test_axe_finds_nothing_wrong_with_answers_to_mistakes(place: Demonstration, pages: dict[str, str], tmp_path: Path) -> None:
    table = tmp_path / "wrong.csv"
    wrong = []
    with logged_in(place, *ALL) as page:
        page.goto(place.address + pages["edit"])
        page.fill("#phone", "call me")
        page.fill("#postcode", "1")
        page.locator("form.office-form button.primary").click()
        wrong += check(page, "office with mistakes")
        exported = page.context.request.get(f"{place.address}/directory/export.csv").text()
        header, first, *_ = exported.splitlines(keepends=True)
        for name, line in (("preview", first.replace("true", "false", 1)), ("preview with mistakes", first.replace(",high,", ",very,"))):
            table.write_text(header + line, encoding="utf-8")
            page.goto(place.address + pages["import"])
            page.set_input_files("#file", table)
            page.locator("form[enctype] button.primary").click()
            page.locator("h1", has_text=place.say("directory.preview.title")).wait_for()
            wrong += check(page, name)
        page.goto(f"{place.address}/corrections")
        page.locator(".bulk button").first.click()
        wrong += check(page, "nothing chosen")
        page.goto(f"{place.address}/staff/new")
        page.locator("main form button.primary").evaluate("one => { one.form.noValidate = true; one.click() }")
        page.locator("[role=alert]").wait_for()
        wrong += check(page, "account with mistakes")
    assert wrong == []


def test_foreign_texts_say_their_language_and_direction(place: Demonstration, pages: dict[str, str]) -> None:
    with logged_in(place, REVIEWER) as page:
        page.goto(place.address + pages["arabic"])
        assert page.locator(".turn .text").evaluate_all("all => all.every(one => one.lang && one.dir)")
        assert page.locator(".turn.person .text[lang=ar][dir=rtl]").count() >= 1
        assert page.locator("html").get_attribute("lang") == "de"
        assert page.locator(".turn .unseen").count() == 0, "the guide's own isolates are no news"
