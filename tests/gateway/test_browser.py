"""The page in a real browser: what a person does, on a desk and on a small phone, by mouse and by keyboard."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from bot.gateway.app import create_app

from .fake_engine import FakeEngine, free_port
from .support import make_settings

CHROMIUM = "/usr/bin/chromium"
playwright = pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="Chromium is not installed")


@contextmanager
def open_page(home: Path, engine: FakeEngine, width: int = 1000, query: str = "", **context: object) -> Iterator[playwright.Page]:
    """Serve a gateway and open its page; fail on any error in the console and any request to somebody else."""
    port = free_port()
    app = create_app(make_settings(home, engine_port=engine.port, actions_port=engine.port))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = f"http://127.0.0.1:{port}"
    problems: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        view = {"width": width, "height": 800}
        page = browser.new_context(**{"viewport": view, "locale": "de-DE", **context}).new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(line.text) if "Security Policy" in line.text else None)
        page.on("request", lambda one: None if one.url.startswith(address) else problems.append(one.url))
        page.goto(f"{address}/{query}")
        try:
            yield page
            assert page.context.cookies() == []
        finally:
            browser.close()
            server.should_exit = True
            thread.join(10)
    assert problems == []


@pytest.fixture(name="engine", scope="module")
def _engine() -> Iterator[FakeEngine]:
    made = FakeEngine().start()
    yield made
    made.stop()


def say(page: playwright.Page, text: str, answers: int = 1) -> None:
    """Write a message, send it with Enter, and wait for the answers."""
    before = page.locator(".message.bot").count()
    page.locator("#input").fill(text)
    page.locator("#input").press("Enter")
    page.locator(".message.bot").nth(before + answers - 1).wait_for()


def test_a_person_gets_a_referral_and_the_focus_stays_in_the_field(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        page.locator("#input").focus()
        say(page, "Krankenschwester, Dortmund", 2)
        card = page.locator(".office").first
        assert card.locator("h3").inner_text() == "Anerkennungsberatung Dortmund (Beispiel)"
        assert "Deutsch, Englisch, Arabisch, Türkisch" in card.inner_text()
        assert "2,3 km" in card.inner_text()
        assert "Stand: 02.11.2026" in card.inner_text()
        links = card.locator("a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
        assert "https://www.openstreetmap.org/search?query=Beispielstra%C3%9Fe%201%2C%2044137%20Dortmund" in links
        assert {"tel:02310000000", "mailto:beratung@example.org", "https://www.example.org/quelle"} <= set(links)
        assert "Bitte vorher nachfragen" in page.locator(".office").nth(1).inner_text()
        assert "Bitte vorher nachfragen" not in card.inner_text()
        assert page.locator("#input").evaluate("one => one === document.activeElement")


def test_a_conversation_survives_a_reload(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        say(page, "hello")
        before = page.locator(".message .body").all_inner_texts()
        page.reload()
        page.locator(".message.user").wait_for()
        assert page.locator(".message .body").all_inner_texts() == before
        assert len([body for body in engine.asked if "start" in body]) == 1


def test_text_is_never_taken_for_html_and_keeps_its_lines(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        say(page, "<img src=x onerror=alert(1)>\n<b>fett</b>")
        assert page.locator(".message img, .message b").count() == 0
        assert page.locator(".message.bot .body").last.inner_text().endswith("onerror=alert(1)>\n<b>fett</b>")


def test_quick_replies_are_disabled_after_one_is_chosen_by_keyboard(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        button = page.locator(".replies button").first
        button.focus()
        button.press("Enter")
        page.locator(".message.bot").nth(2).wait_for()
        assert engine.asked[-1]["payload"] == "/recognition"
        assert page.locator(".message.user .body").inner_text() == "Anerkennung"
        assert page.locator(".replies button:not([disabled])").count() == 0
        assert page.locator("#input").evaluate("one => one === document.activeElement")


def test_a_message_that_failed_is_sent_again_with_the_same_id(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        sent: list[str] = []
        page.on("request", lambda one: sent.append(one.post_data_json["id"]) if one.post_data else None)
        engine.mode = "error"
        say(page, "hello")
        assert "116 123" in page.locator(".message.bot").last.inner_text()
        engine.reset()
        page.locator(".message.failed button").click()
        page.get_by_text("to hello").wait_for()
        assert page.locator(".message.failed").count() == 0
        assert len(sent) == 2
        assert len(set(sent)) == 1


def test_without_a_connection_a_message_can_be_sent_later(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        page.context.set_offline(True)
        page.locator("#input").fill("hello")
        page.locator("#send").click()
        page.locator(".message.failed").wait_for()
        assert "Keine Verbindung" in page.locator(".message.failed").inner_text()
        page.context.set_offline(False)
        page.locator(".message.failed button").click()
        page.get_by_text("to hello").wait_for()


def test_the_whole_page_changes_its_language_and_tells_the_engine(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        page.locator("#language").select_option("en")
        page.get_by_text("We speak English now.").wait_for()
        assert page.locator("html").get_attribute("lang") == "en"
        assert page.locator("#send").inner_text() == "Send"
        assert "language=en" in page.url


def test_a_person_can_delete_everything_after_a_question(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        say(page, "hello")
        page.locator("#delete").click()
        page.keyboard.press("Escape")
        assert page.locator(".message.user").count() == 1
        page.locator("#delete").click()
        page.locator("#confirm-yes").click()
        page.get_by_text("Ihr Gespräch ist gelöscht.").wait_for()
        assert page.locator(".message").count() == 0
        assert len(engine.deleted) == 1
        page.get_by_role("button", name="Neues Gespräch beginnen").click()
        page.locator(".message.bot").nth(1).wait_for()


def test_a_conversation_that_ended_offers_a_new_one(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        page.evaluate("sessionStorage.setItem('lotse.token', 'nonsense')")
        page.locator("#input").fill("hello")
        page.locator("#input").press("Enter")
        page.get_by_role("button", name="Neues Gespräch beginnen").click()
        page.locator(".message.user").wait_for(state="detached")
        say(page, "again")


def test_whether_a_referral_helped_is_asked_and_stored(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        assert page.locator(".feedback").count() == 0
        say(page, "Dortmund", 2)
        with page.expect_response("**/feedback") as answer:
            page.locator(".feedback").get_by_role("button", name="Ja").click()
        assert answer.value.status == 204
        page.get_by_text("Danke für die Rückmeldung.").wait_for()


def test_messages_are_marked_with_their_language_and_direction(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine) as page:
        page.locator(".message.bot").nth(1).wait_for()
        say(page, "مرحبا")
        answer = page.locator(".message.bot .body").last
        assert (answer.get_attribute("lang"), answer.get_attribute("dir")) == ("ar", "rtl")
        assert page.locator(".message.user [dir=auto]").count() == 1
        assert page.locator("#log").get_attribute("role") == "log"


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen_and_every_control_is_large_enough(
    tmp_path: Path, engine: FakeEngine, width: int, scheme: str
) -> None:
    engine.reset()
    with open_page(tmp_path, engine, width, color_scheme=scheme) as page:
        page.locator(".message.bot").nth(1).wait_for()
        say(page, "Dortmund " + "x" * 200, 2)
        page.locator("summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        heights = page.locator("button:visible, select:visible, summary:visible, textarea:visible").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().height)"
        )
        assert min(heights) >= 44


def test_without_javascript_the_numbers_are_there(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_page(tmp_path, engine, java_script_enabled=False) as page:
        assert page.locator(".noscript").is_visible()
        assert "116 016" in page.locator(".noscript").inner_text()
