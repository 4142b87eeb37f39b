"""WCAG 2.2 AA as far as a machine can tell (axe), and what it cannot: zoom, motion, contrast modes, who speaks, what is announced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.gateway.app import create_app

from .browser import browsing, needs_chromium, open_page, open_website, say, serving
from .fake_engine import FakeEngine, free_port
from .support import make_settings

axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pytestmark = needs_chromium
PHONE = {"viewport": {"width": 320, "height": 640}}
# 1280 x 1024 pixels at 400 %
ZOOMED = {"viewport": {"width": 320, "height": 256}}


@pytest.fixture(name="engine", scope="module")
def _engine() -> Iterator[FakeEngine]:
    made = FakeEngine().start()
    yield made
    made.stop()


def violations(page: Any) -> list[str]:
    """Return what axe finds wrong on the page, shadow roots included."""
    found = axe.Axe().run(page).response["violations"]
    return [f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize(
    "context",
    [
        {},
        PHONE,
        ZOOMED,
        {"color_scheme": "dark"},
        {"forced_colors": "active"},
        {"locale": "ar"},
        {"locale": "fa", "color_scheme": "dark", **PHONE},
    ],
    ids=["desktop", "phone", "zoom", "dark", "forced colours", "arabic", "persian dark phone"],
)
def test_axe_finds_nothing_wrong_with_the_widget_at_any_moment(tmp_path: Path, engine: FakeEngine, context: dict[str, Any]) -> None:
    engine.reset()
    with open_website(tmp_path, engine, 'data-greeting="Willkommen" data-color="#ffcc00"', **context) as (window, site, _):
        page = window.new_page()
        page.goto(site)
        page.locator(".launcher").wait_for()
        assert violations(page) == []
        page.locator(".launcher").click()
        page.locator(".message.bot").nth(1).wait_for()
        assert violations(page) == []
        page.locator(".panel summary").click()
        say(page, "Dortmund", 2)
        page.locator(".consent").wait_for()
        assert violations(page) == []
        page.locator("#delete").click()
        page.locator("#question").wait_for()
        assert violations(page) == []


@pytest.mark.parametrize("path", ["/", "/?language=ar", "/embed-demo?language=en", "/sheet?need=human&office=gone&language=fa"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong_with_the_pages(tmp_path: Path, engine: FakeEngine, path: str, scheme: str) -> None:
    engine.reset()
    settings = make_settings(tmp_path, engine_port=engine.port, actions_port=engine.port)
    with serving(create_app(settings), free_port()) as guide, browsing(guide, color_scheme=scheme) as window:
        page = window.new_page()
        from actions.directory.database import upgrade

        upgrade(settings.directory_url)
        page.goto(guide + path)
        if not path.startswith(("/sheet", "/embed")):
            page.locator(".message.bot").nth(1).wait_for()
        assert violations(page) == []


def test_at_400_percent_nothing_is_cut_off_and_everything_can_be_reached(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_website(tmp_path, engine, **ZOOMED) as (window, site, _):
        page = window.new_page()
        page.goto(site)
        page.locator(".launcher").click()
        page.locator(".message.bot").nth(1).wait_for()
        assert page.evaluate("document.querySelector('lotse-chat').shadowRoot.querySelector('.panel').scrollWidth") <= 320
        for control in ("#close", "#language", "summary", "#input", "#send", "#start-over", "#delete"):
            page.locator(control).scroll_into_view_if_needed()
            box = page.locator(control).bounding_box()
            assert box and box["x"] >= 0 and box["x"] + box["width"] <= 320 and 0 <= box["y"] < 256, control


def test_answers_are_announced_while_the_focus_stays_and_who_speaks_is_said(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        log = page.locator("#log")
        kinds = [log.get_attribute(name) for name in ("role", "aria-live", "aria-relevant")]
        assert kinds == ["log", "polite", "additions"]
        say(page, "مرحبا")
        assert page.locator("#input").evaluate("one => one === one.getRootNode().activeElement")
        tree = page.get_by_role("log").aria_snapshot()
        assert "Lotse (automatisch)" in tree and "Sie" in tree
        answer = page.locator(".message.bot .body").last
        assert (answer.get_attribute("lang"), answer.get_attribute("dir")) == ("ar", "rtl")


def test_nothing_moves_for_those_who_do_not_want_it(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine, reduced_motion="reduce") as page:
        page.locator(".message.bot").nth(1).wait_for()
        names = page.locator(".dots i").evaluate_all("all => all.map(one => getComputedStyle(one).animationName)")
        assert set(names) == {"none"}


def test_the_chat_can_be_used_with_the_keyboard_alone(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    focused = "document.querySelector('lotse-chat').shadowRoot.activeElement"
    with open_website(tmp_path, engine, 'data-language="de"') as (window, site, _):
        page = window.new_page()
        page.goto(site)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.locator(".message.bot").nth(1).wait_for()
        page.keyboard.type("Dortmund")
        page.keyboard.press("Enter")
        page.locator(".office").nth(1).wait_for()
        seen = set()
        for _ in range(80):
            page.keyboard.press("Shift+Tab")
            one = page.evaluate(f"{focused} ? ({focused}.id || {focused}.textContent) : ''")
            seen.add(one)
            if one == "Kopieren":
                page.keyboard.press("Enter")
        assert {"Kopieren", "Drucken", "close", "language", "log"} <= seen
        page.evaluate("Lotse.element.shadowRoot.getElementById('delete').focus()")
        page.keyboard.press("Enter")
        assert page.evaluate(f"{focused}.id") == "confirm-no", "the safe answer has the focus"
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_text("Ihr Gespräch ist gelöscht.").wait_for()
        assert page.evaluate(f"{focused}.textContent") == "Neues Gespräch beginnen"
        page.keyboard.press("Enter")
        page.locator(".message.bot").nth(1).wait_for()
