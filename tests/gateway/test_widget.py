"""The widget on somebody else's website: one line of HTML, and what the website and its visitors can do with it."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.gateway import files
from bot.gateway.page import _widget_texts
from bot.languages import SPOKEN_LANGUAGES

from .browser import needs_chromium, open_website, say
from .fake_engine import FakeEngine

BUDGET = 20_000  # bytes, packed: all scripts and styles of the widget and the texts of one language


@pytest.fixture(name="engine", scope="module")
def _engine() -> Iterator[FakeEngine]:
    made = FakeEngine().start()
    yield made
    made.stop()


def open_chat(window: Any, site: str, path: str = "/") -> Any:
    """Open a page of the website, then the chat."""
    page = window.new_page()
    page.goto(site + path)
    page.locator(".launcher").click()
    page.locator(".message.bot").nth(1).wait_for()
    return page


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_everything_that_a_visitor_loads_fits_into_the_budget(language: str) -> None:
    parts = [file.packed for name, file in files.files().items() if name.endswith(".js") and name not in ("page.js", "sheet.js")]
    parts += [files.loader().packed, files.files()["chat.css"].packed, _widget_texts(language, "Ein Verein e. V.", 30)[1]]
    assert sum(len(part) for part in parts) < BUDGET


def test_no_file_of_the_widget_names_another_site() -> None:
    for name, file in [*files.files().items(), ("widget.js", files.loader())]:
        addresses = re.findall(rb"https?://[\w.-]+", file.content)
        allowed = {b"https://www.openstreetmap.org", b"http://www.w3.org"}
        assert set(addresses) <= allowed, name
        assert gzip.decompress(file.packed) == file.content


@needs_chromium
def test_a_website_loads_one_small_script_until_the_chat_is_opened(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_website(tmp_path, engine) as (window, site, guide):
        page = window.new_page()
        asked: list[str] = []
        page.on("request", lambda one: asked.append(one.url) if one.url.startswith(guide) else None)
        page.goto(site)
        page.locator(".launcher").wait_for()
        assert asked == [f"{guide}/widget.js"]
        assert engine.asked == []
        page.locator(".launcher").click()
        page.locator(".message.bot").nth(1).wait_for()
        assert len(asked) == len(set(asked)), "something was loaded twice"


@needs_chromium
def test_the_widget_works_under_a_strict_policy_of_the_website(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    policy = "default-src 'none'; script-src GUIDE; connect-src GUIDE"
    with open_website(tmp_path, engine, policy=policy) as (window, site, _):
        page = open_chat(window, site)
        say(page, "Dortmund", 2)
        assert page.locator(".office").count() == 2


@needs_chromium
def test_opening_and_closing_moves_the_focus_and_tells_screen_readers(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_website(tmp_path, engine) as (window, site, _):
        page = window.new_page()
        page.goto(site)
        launcher = page.locator(".launcher")
        assert launcher.get_attribute("aria-expanded") == "false"
        launcher.focus()
        page.keyboard.press("Enter")
        page.locator(".message.bot").nth(1).wait_for()
        focused = "document.querySelector('lotse-chat').shadowRoot.activeElement.id"
        assert page.evaluate(focused) == "input"
        assert page.get_by_role("dialog", name="Lotse").is_visible()
        page.keyboard.press("Escape")
        assert not page.get_by_role("dialog").is_visible()
        assert page.evaluate("document.querySelector('lotse-chat').shadowRoot.activeElement.className") == "launcher"
        assert launcher.get_attribute("aria-expanded") == "false"


@needs_chromium
def test_the_page_can_use_attributes_methods_and_events(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    attributes = 'data-language="tr" data-title="Fragen?" data-greeting="Willkommen" data-color="#ffcc00" data-position="left"'
    with open_website(tmp_path, engine, attributes) as (window, site, _):
        page = window.new_page()
        page.goto(site)
        page.locator(".launcher").wait_for()
        page.evaluate(
            "window.heard = []; for (const name of ['open', 'close', 'language', 'referral'])"
            " document.addEventListener('lotse:' + name, (event) => window.heard.push([name, event.detail]))"
        )
        assert page.locator(".launcher").inner_text() == "Fragen?"
        assert page.locator(".greeting").inner_text() == "Willkommen"
        box = page.locator(".launcher").bounding_box()
        assert box and box["x"] < 100
        page.evaluate("Lotse.open()")
        page.locator(".message.bot").nth(1).wait_for()
        assert engine.asked[0]["language"] == "tr"
        assert page.locator("#title").inner_text() == "Fragen?"
        assert page.locator("#send").inner_text() == "Gönder"
        say(page, "Dortmund", 2)
        page.evaluate("Lotse.setLanguage('fa')")
        page.locator(".panel[dir=rtl][lang=fa]").wait_for()
        page.evaluate("Lotse.close()")
        heard = dict(page.evaluate("window.heard"))
        assert heard == {"open": {}, "referral": {"offices": 2}, "language": {"language": "fa"}, "close": {}}


@needs_chromium
def test_a_target_shows_the_chat_in_the_page_and_a_wrong_target_is_told(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_website(tmp_path, engine, 'data-target="#here"', body='<div id="here" style="height:700px"></div>') as (window, site, _):
        page = window.new_page()
        page.goto(site)
        page.locator("#here .message.bot").nth(1).wait_for()
        assert page.locator(".launcher").count() == 0
        assert page.evaluate("document.activeElement === document.body"), "a page that loads must not move the focus"


@needs_chromium
def test_the_conversation_follows_the_visitor_to_the_next_page_and_to_a_second_tab(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_website(tmp_path, engine) as (window, site, _):
        first = open_chat(window, site)
        say(first, "hello")
        first.goto(f"{site}/other")
        first.get_by_text("to hello").wait_for()
        second = window.new_page()
        second.goto(site)
        assert not second.get_by_role("dialog").is_visible()
        second.locator(".launcher").click()
        second.get_by_text("to hello").wait_for()
        say(second, "again")
        first.get_by_text("to again").wait_for()
        assert engine.texts == ["hello", "again"]
        assert len([body for body in engine.asked if "start" in body]) == 1
        second.locator("#delete").click()
        second.locator("#confirm-yes").click()
        first.get_by_text("Ihr Gespräch ist gelöscht.").wait_for()
        assert first.locator(".message").count() == 0


@needs_chromium
def test_the_browser_keeps_the_token_and_what_is_unsent_and_forgets_them_with_the_conversation(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    kept = "Object.keys({...localStorage}).sort()"
    with open_website(tmp_path, engine) as (window, site, _):
        page = open_chat(window, site)
        say(page, "hello")
        assert page.evaluate(kept) == ["lotse.token", "lotse.turn"]
        assert page.evaluate("Object.keys({...sessionStorage})") == ["lotse.open"]
        window.set_offline(True)
        page.locator("#input").fill("unsent")
        page.locator("#send").click()
        page.locator(".message.waiting").wait_for()
        assert page.evaluate(kept) == ["lotse.outbox", "lotse.token", "lotse.turn"]
        window.set_offline(False)
        page.get_by_text("to unsent").wait_for()
        page.locator("#delete").click()
        page.locator("#confirm-yes").click()
        page.get_by_text("Ihr Gespräch ist gelöscht.").wait_for()
        assert page.evaluate(kept) == ["lotse.turn"], "the time of the last turn tells other tabs that there is something new"


@needs_chromium
def test_consent_is_asked_once_after_the_first_referral_and_can_be_withdrawn(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_website(tmp_path, engine) as (window, site, _):
        page = open_chat(window, site)
        say(page, "hello")
        assert page.locator(".consent").count() == 0
        say(page, "Dortmund", 2)
        box = page.locator(".consent")
        assert box.locator("input").count() == 0, "nothing is chosen before"
        with page.expect_response("**/sessions/current") as answer:
            box.get_by_role("button", name="Ja, ich stimme zu").click()
        assert answer.value.json()["consent_to_review"] is True
        page.get_by_text("Sie können die Zustimmung jederzeit zurücknehmen").wait_for()
        page.reload()
        page.locator("#withdraw").wait_for()
        say(page, "Dortmund", 2)
        assert page.locator(".consent").count() == 0
        with page.expect_response("**/sessions/current") as answer:
            page.locator("#withdraw").click()
        assert answer.value.json()["consent_to_review"] is False
        assert not page.locator("#withdraw").is_visible()


@needs_chromium
def test_offices_can_be_copied_sent_and_printed(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_website(tmp_path, engine, permissions=["clipboard-read", "clipboard-write"]) as (window, site, guide):
        page = open_chat(window, site)
        say(page, "Dortmund", 2)
        page.locator(".tools").get_by_role("button", name="Kopieren").click()
        page.get_by_text("Kopiert.").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert "Anerkennungsberatung Dortmund (Beispiel)" in copied
        assert "Anschrift: Beispielstraße 1, 44137 Dortmund" in copied
        assert "Telefon: 0231 0000-000" in copied
        assert "Bitte vorher nachfragen" in copied, "the second office is not confirmed"
        mail = page.locator(".tools a").first.get_attribute("href")
        assert mail and mail.startswith("mailto:?subject=Ihre%20Beratungsstellen&body=Anerkennungsberatung")
        sheet = page.locator(".tools a").last.get_attribute("href")
        assert sheet == f"{guide}/sheet?language=de&need=recognition&office=iq-dortmund&office=iq-bochum"


@needs_chromium
def test_in_danger_nothing_is_asked_and_nothing_printed(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_website(tmp_path, engine) as (window, site, _):
        page = open_chat(window, site)
        say(page, "ich bin in Gefahr")
        assert page.locator(".office a[href^='tel:']").count() == 1
        assert page.locator(".consent").count() == 0
        assert "Drucken" not in page.locator(".tools").inner_text()


@needs_chromium
def test_on_an_android_phone_the_share_sheet_and_the_phones_own_map_are_used(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    agent = "Mozilla/5.0 (Linux; Android 11; SM-A125F) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36"
    phone = {"user_agent": agent, "viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
    with open_website(tmp_path, engine, **phone) as (window, site, _):
        window.add_init_script("navigator.share = async (what) => { window.shared = what; }")
        page = open_chat(window, site)
        say(page, "Dortmund", 2)
        assert page.locator(".office a").first.get_attribute("href") == "geo:0,0?q=Beispielstra%C3%9Fe%201%2C%2044137%20Dortmund"
        page.locator(".tools").get_by_role("button", name="An mein Handy senden").click()
        shared = page.evaluate("window.shared")
        assert "0231 0000-000" in shared["text"]
        assert "/sheet?" in shared["url"]


@needs_chromium
def test_where_the_panel_covers_the_page_the_focus_stays_in_it(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_website(tmp_path, engine, viewport={"width": 360, "height": 640}) as (window, site, _):
        page = open_chat(window, site)
        for _ in range(60):
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.localName") == "lotse-chat"


@needs_chromium
def test_a_site_that_is_not_allowed_is_told_why_in_the_console(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    with open_website(tmp_path, engine) as (window, site, _):
        page = window.new_page()
        lines: list[str] = []
        page.on("console", lambda line: lines.append(line.text))
        page.goto(site)
        page.route("**/api/chat/sessions", lambda route: route.abort())
        page.locator(".launcher").click()
        page.get_by_text("Der Chat ist gerade nicht erreichbar.").wait_for()
        assert page.locator("#emergency[open]").count() == 1, "without the chat the numbers are what is left"
        assert any("LOTSE_ALLOWED_ORIGINS" in line for line in lines)
