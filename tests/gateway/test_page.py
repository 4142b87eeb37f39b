"""The page as it is served, and its texts in every spoken language."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from bot.dialogue.catalogues import category
from bot.gateway import texts
from bot.gateway.files import STATIC, files, loader, version
from bot.gateway.page import HERE
from bot.languages import SPOKEN_LANGUAGES
from bot.translations import check

from .support import open_gate

NUMBERS = ("110", "112", "116016", "116123", "+493018151111")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("query", "header", "language"),
    [("", "en", "en"), ("?language=de", "en", "de"), ("?language=xx", "en", "en"), ("?language=%ff", "", "de")],
)
async def test_the_page_begins_in_the_language_of_the_address_or_else_of_the_browser(
    tmp_path: Path, query: str, header: str, language: str
) -> None:
    async with open_gate(tmp_path) as gate:
        answer = await gate.http.get(f"/{query}", headers={"Accept-Language": header})
        assert answer.status_code == 200
        assert f'<html lang="{language}" dir="ltr">' in answer.text


@pytest.mark.asyncio
@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
async def test_the_page_says_without_javascript_what_it_is_and_whom_to_call(tmp_path: Path, language: str) -> None:
    async with open_gate(tmp_path) as gate:
        html = (await gate.http.get(f"/?language={language}")).text
        assert "Testbetreiber gGmbH" in html
        assert "Ausländerbehörde" in html
        noscript = html[html.index("<noscript>") : html.index("</noscript>")]
        assert all(f"tel:{number}" in noscript for number in NUMBERS)


@pytest.mark.asyncio
async def test_the_page_has_no_inline_script_or_style_and_asks_nobody_else(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        pages = [(await gate.http.get(path)).text for path in ("/", "/embed-demo", "/embed-demo?language=tr&color=%23ffcc00")]
    for html in pages:
        assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
        assert re.findall(r"<style|\sstyle=|\son\w+=", html) == []
    pages = [re.sub(r"<pre.*?</pre>", "", html, flags=re.DOTALL) for html in pages]  # there the line to copy is shown
    for content in [*pages, loader().content.decode(), *(file.content.decode() for file in files().values())]:
        assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", content)
        assert not re.findall(r"@import|url\(|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", content)
        assert "document.cookie" not in content


@pytest.mark.asyncio
async def test_an_operator_with_special_characters_cannot_break_the_page(tmp_path: Path) -> None:
    async with open_gate(tmp_path, operator='<script>alert("x")</script> & Söhne') as gate:
        html = (await gate.http.get("/")).text
        assert "<script>alert" not in html
        assert "&amp; Söhne" in html


@pytest.mark.asyncio
async def test_every_file_of_the_page_is_served_and_kept_under_its_version(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        html = (await gate.http.get("/")).text
        addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', html)
        assert len(addresses) == 3
        addresses += [f"/static/{version()}/{name}" for name in files()]
        for address in addresses:
            answer = await gate.http.get(address)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["Cache-Control"]
        old = await gate.http.get("/static/old/chat.js")
        assert old.headers["Cache-Control"] == "no-cache"
        assert old.headers["Content-Type"].startswith("text/javascript")


@pytest.mark.asyncio
async def test_search_engines_are_asked_to_stay_away(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        assert (await gate.http.get("/robots.txt")).text == "User-agent: *\nDisallow: /\n"


@pytest.mark.asyncio
@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
async def test_the_texts_hold_all_that_the_page_needs_to_speak_a_language(tmp_path: Path, language: str) -> None:
    async with open_gate(tmp_path) as gate:
        body = (await gate.http.get(f"/texts/{language}.json")).json()
        assert body["language"] == language
        used = set(re.findall(r"""["'`]((?:[a-z]+)\.[a-z_]+)["'`]""", files()["chat.js"].content.decode())) & set(texts.source())
        assert used <= set(body["texts"])
        assert [code for code, _ in body["languages"]] == list(SPOKEN_LANGUAGES)
        assert [phone["number"] for one in body["contacts"] for phone in one["phones"]][:3] == list(NUMBERS[:3])


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_a_text_with_a_number_has_the_plural_forms_of_its_language(language: str) -> None:
    for key, german in texts.source().items():
        if isinstance(german, str):
            continue
        forms = texts.texts(language)[key]
        assert isinstance(forms, dict)
        # What a browser asks for must be there: the categories of whole numbers in CLDR.
        assert set(forms) >= {category(number, language) for number in range(200)}
        for number in (0, 1, 2, 5, 11, 21, 100):
            assert str(number) in texts.text(key, language, count=number)


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_the_catalogue_of_the_page_is_complete_and_says_the_same(language: str) -> None:
    assert [finding for finding in check(language) if finding.domain == texts.DOMAIN] == []


def test_every_text_that_the_page_uses_exists_and_every_text_is_used() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (*STATIC.glob("*.js"), *HERE.glob("templates/*"), *HERE.glob("*.py"))]
    code = "\n".join(sources)
    for prefix in {key.partition(".")[0] for key in texts.source()}:
        for used in re.findall(rf"""["'`]({prefix}\.[a-z_]+)["'`]""", code):
            assert used in texts.source() or used.endswith((".css", ".js", ".html"))
    for key in texts.source():
        built = key.startswith(("kind.", "error.", "appointment.", "contact.", "need.", "bring."))
        assert built or f'"{key}"' in code or f"'{key}'" in code, key


def test_every_nationwide_number_has_a_source_and_a_date() -> None:
    with texts.CONTACTS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["id"] for row in rows} >= set(texts.ALWAYS_SHOWN)
    for row in rows:
        assert all(row.values()), row["id"]
        assert row["source_url"].startswith("http")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", row["checked_on"])


@pytest.mark.asyncio
async def test_every_page_has_its_own_nonce_and_no_other_script_may_run(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        seen = set()
        for path in ("/", "/", "/embed-demo"):
            answer = await gate.http.get(path)
            nonce = re.search(r"'nonce-([\w-]{20,})'", answer.headers["Content-Security-Policy"])
            assert nonce
            seen.add(nonce[1])
            assert len(re.findall("<script ", answer.text)) == answer.text.count(f'nonce="{nonce[1]}"')
        assert len(seen) == 3
        assert "script-src 'none'" in (await gate.http.get("/nothing")).headers["Content-Security-Policy"]


@pytest.mark.asyncio
@pytest.mark.parametrize("value", ['"><script>alert(1)</script>', "javascript:alert(1)", "red;background:url(//x)", "' onload='x"])
async def test_the_page_for_trying_the_widget_takes_nothing_for_html(tmp_path: Path, value: str) -> None:
    async with open_gate(tmp_path) as gate:
        for name in ("color", "title", "greeting", "position", "language", "open"):
            answer = await gate.http.get("/embed-demo", params={name: value})
            assert answer.status_code == 200
            assert value not in answer.text or not set(value) & set("<>\"'")


@pytest.mark.asyncio
async def test_any_website_may_load_the_widget_packed_but_not_the_api(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        for path in ("/widget.js", f"/static/{version()}/chat.js", f"/static/{version()}/chat.css", "/texts/ar.json"):
            answer = await gate.http.get(path, headers={"Origin": "https://verein.example", "Accept-Encoding": "gzip"})
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert answer.headers["Content-Encoding"] == "gzip"
            plain = await gate.http.get(path, headers={"Accept-Encoding": "identity"})
            assert plain.content == answer.content
            assert "Content-Encoding" not in plain.headers
