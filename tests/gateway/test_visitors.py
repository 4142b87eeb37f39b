"""Three visitors of an association's website, from opening the chat to the printed sheet, with the real guide behind it.

With ``LOTSE_PICTURES`` the screens are kept (docs/screens is made so).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from bot.gateway.texts import text

from .browser import browsing, needs_chromium, serving
from .fake_engine import free_port

pytestmark = [needs_chromium, pytest.mark.browser]
ANSWER_MS = 20_000


@contextmanager
def visiting(guide: str, language: str, path: str = "/", **context: Any) -> Iterator[Any]:
    """Open a page of the guide in a browser of this language."""
    with browsing(guide, locale=language, **context) as window:
        page = window.new_page()
        page.set_default_timeout(ANSWER_MS)
        page.goto(guide + path)
        yield page


def picture(page: Any, name: str, tmp_path: Path) -> None:
    """Take a picture of the screen."""
    page.screenshot(path=str(Path(os.environ.get("LOTSE_PICTURES") or tmp_path) / f"{name}.png"))


def print_sheet(page: Any, language: str) -> Any:
    """Press *print*; return the sheet in its new tab, after checking that it is one page in both languages."""
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=text("card.print", language)).first.click()
    sheet = opened.value
    sheet.wait_for_load_state()
    assert sheet.locator("html").get_attribute("lang") == language
    assert len(re.findall(rb"/Type\s*/Page\b", sheet.pdf(format="A4", prefer_css_page_size=True))) == 1
    return sheet


def test_a_turkish_visitor_on_a_phone(guide: str, tmp_path: Path) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
    with visiting(guide, "tr-TR", "/embed-demo?title=Sorunuz+mu+var%3F&greeting=Merhaba!", **phone) as page:
        picture(page, "widget-closed-phone", tmp_path)
        page.locator(".launcher").click()
        log = page.get_by_role("log")
        expect(log).to_contain_text("bilgisayar programı", timeout=ANSWER_MS)
        page.locator("#input").fill("Hemşireyim, Ankara'da okudum. Cottbus'ta oturuyorum, diplomamı tanıtmak istiyorum")
        page.locator("#send").click()
        expect(log.get_by_role("article").first).to_contain_text("Cottbus", timeout=ANSWER_MS)
        expect(log).to_contain_text("Querstraße 48")
        picture(page, "widget-tr-phone", tmp_path)
        expect(page.locator(".consent")).to_contain_text(text("consent.question", "tr", days="30 gün"))
        page.locator(".consent").get_by_role("button", name=text("consent.no", "tr")).click()
        expect(page.locator(".consent")).to_contain_text(text("consent.declined", "tr"))
        sheet = print_sheet(page, "tr")
        expect(sheet.locator("body")).to_contain_text(text("bring.certificates", "tr"))
        expect(sheet.locator("body")).to_contain_text(text("bring.certificates", "de"))
        picture(sheet, "sheet-tr", tmp_path)


def test_an_arabic_visitor_who_reloads_in_the_middle_of_a_question(guide: str, tmp_path: Path) -> None:
    with visiting(guide, "ar", "/embed-demo?color=%237a1f5c") as page:
        page.locator(".launcher").click()
        expect(page.locator(".panel")).to_have_attribute("dir", "rtl")
        first = page.locator(".message.bot .replies button").first
        first.wait_for()
        first.click()
        page.locator(".message.user").wait_for()
        expect(page.locator("#typing")).to_be_hidden(timeout=ANSWER_MS)
        question = page.locator(".message.bot .body").last.inner_text()
        page.reload()
        expect(page.locator(".message.bot .body").last).to_have_text(question, timeout=ANSWER_MS, use_inner_text=True)
        page.locator("#input").fill("كوتبوس")
        page.locator("#input").press("Enter")
        card = page.get_by_role("article").first
        expect(card).to_contain_text("Cottbus", timeout=ANSWER_MS)
        # Not every office has a telephone; the address of its website is left to right as well.
        assert set(card.locator("dd a bdi").evaluate_all("all => all.map(one => one.dir)")) <= {"ltr", ""}
        assert card.locator("[lang=de][dir=ltr]").count() >= 1
        picture(page, "widget-ar", tmp_path)
        sheet = print_sheet(page, "ar")
        assert sheet.locator("html").get_attribute("dir") == "rtl"
        picture(sheet, "sheet-ar", tmp_path)


def test_a_german_visitor_with_two_tabs_and_without_a_connection_for_a_while(guide: str, tmp_path: Path) -> None:
    with visiting(guide, "de-DE", color_scheme="dark") as page:
        log = page.get_by_role("log")
        expect(log).to_contain_text("Computer-Programm", timeout=ANSWER_MS)
        picture(page, "chat-dark", tmp_path)
        page.context.set_offline(True)
        page.locator("#input").fill("Mein Chef zahlt seit zwei Monaten keinen Lohn, ich wohne in Cottbus")
        page.keyboard.press("Enter")
        expect(page.locator(".message.waiting")).to_contain_text(text("message.waiting", "de"))
        page.context.set_offline(False)
        expect(log.get_by_role("article").first).to_be_visible(timeout=ANSWER_MS)
        assert page.locator(".message.user").count() == 1
        second = page.context.new_page()
        second.goto(guide)
        expect(second.get_by_role("article").first).to_be_visible(timeout=ANSWER_MS)
        print_sheet(second, "de")
        second.locator("#delete").click()
        second.locator("#confirm-yes").click()
        expect(page.locator("#notice")).to_contain_text("gelöscht", timeout=ANSWER_MS)
        assert page.locator(".message").count() == 0


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("ar", "أنا ممرضة من سوريا وأسكن في كوتبوس، أريد الاعتراف بشهادتي"),
        ("fa", "من پرستار هستم، از ایران آمده‌ام و در کوتبوس زندگی می‌کنم. برای به رسمیت شناختن مدرکم مشاوره می‌خواهم"),
        ("tr", "Suriye'den gelen bir hemşireyim, Cottbus'ta oturuyorum, diplomamı tanıtmak istiyorum"),
        ("uk", "Я медсестра з України, живу в Котбусі, хочу визнати свій диплом"),
    ],
)
def test_one_sentence_in_the_own_language_gives_the_office(guide: str, tmp_path: Path, language: str, sentence: str) -> None:
    with visiting(guide, language, f"/?language={language}", viewport={"width": 800, "height": 1000}) as page:
        page.locator(".message.bot").first.wait_for()
        page.locator("#input").fill(sentence)
        page.locator("#input").press("Enter")
        expect(page.get_by_role("article").first).to_contain_text("Querstraße 48", timeout=ANSWER_MS)
        assert page.locator(".message.bot .body").last.get_attribute("lang") == language
        picture(page, language, tmp_path)


def test_a_strange_website_cannot_show_the_chat_in_a_frame(guide: str) -> None:
    site = Starlette(routes=[Route("/", _frame(guide))])
    with serving(site, free_port()) as address:
        from playwright.sync_api import sync_playwright

        from .browser import CHROMIUM

        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page()
            refused: list[str] = []
            page.on("console", lambda line: refused.append(line.text) if "frame-ancestors" in line.text else None)
            page.goto(address)
            page.wait_for_timeout(500)
            assert refused, "the browser was not told to refuse the frame"
            browser.close()


def _frame(guide: str) -> Any:
    def page(request: Request) -> HTMLResponse:
        return HTMLResponse(f"<!doctype html><title>x</title><iframe src='{guide}/'></iframe>")

    return page
