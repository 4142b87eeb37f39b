"""The printed sheet: one page of A4, in the person's language with the German beneath, of public facts only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from actions.directory import offices, places
from actions.directory.database import session
from actions.directory.fill import fill
from bot.gateway.app import create_app
from bot.gateway.texts import text
from bot.languages import RIGHT_TO_LEFT, SPOKEN_LANGUAGES

from .browser import browsing, needs_chromium, serving
from .fake_engine import free_port
from .support import make_settings, open_gate


@pytest.fixture(name="home", scope="module")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with the real directory."""
    home = tmp_path_factory.mktemp("sheet")
    fill(f"sqlite:///{home / 'directory.db'}")
    yield home


def offices_for(home: Path, need: str, town: str) -> list[str]:
    """Return the ids of the offices that the guide would name."""
    with session(f"sqlite:///{home / 'directory.db'}") as opened:
        return [match.office.id for match in offices.find(opened, need, places.resolve(opened, town).place).matches]


def address(need: str, ids: list[str], language: str) -> str:
    """Return the address of a sheet."""
    return f"/sheet?language={language}&need={need}" + "".join(f"&office={one}" for one in ids)


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
async def test_the_sheet_says_everything_in_both_languages(home: Path, language: str) -> None:
    async with open_gate(home) as gate:
        ids = offices_for(home, "recognition", "Cottbus")
        html = (await gate.http.get(address("recognition", ids, language))).text
        direction = "rtl" if language in RIGHT_TO_LEFT else "ltr"
        assert f'<html lang="{language}" dir="{direction}">' in html
        for key in ("sheet.title", "sheet.bring", "bring.certificates", "need.recognition", "office.address"):
            assert text(key, language) in html, key
            assert text(key, "de") in html, key
        assert html.count('class="office"') == len(ids)
        assert ('class="german"' in html) == (language != "de")


@pytest.mark.parametrize(
    "query", ["", "?need=recognition", "?need=xx&office=a", "?office=a", "?need=crisis&office=a", f"?need=human&office={'x' * 500}"]
)
async def test_a_sheet_of_nothing_is_not_found(home: Path, query: str) -> None:
    async with open_gate(home) as gate:
        assert (await gate.http.get(f"/sheet{query}")).status_code == 404


async def test_offices_that_are_gone_are_told_and_hostile_ids_do_no_harm(home: Path) -> None:
    async with open_gate(home) as gate:
        for one in ("gone", "' OR 1=1 --", "<script>", "%00", "🙂"):
            answer = await gate.http.get("/sheet", params={"need": "human", "office": one, "language": "tr"})
            assert answer.status_code == 200
            assert text("sheet.none", "tr") in answer.text
            assert "<script>" not in answer.text


async def test_a_directory_that_does_not_answer_is_no_broken_page(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        answer = await gate.http.get(address("human", ["any"], "ro"))
        assert answer.status_code == 503
        assert answer.json()["error"]["message"] == text("error.engine_unavailable", "ro")


async def test_an_unconfirmed_office_is_marked(home: Path) -> None:
    with session(f"sqlite:///{home / 'directory.db'}") as opened:
        from sqlalchemy import select

        from actions.directory.models import Office

        doubtful = opened.scalars(select(Office.id).where(Office.confirmed.is_(False))).first()
    async with open_gate(home) as gate:
        html = (await gate.http.get(address("recognition", [str(doubtful)], "de"))).text
        assert text("office.unconfirmed", "de") in html


@needs_chromium
@pytest.mark.parametrize(("need", "town"), [("recognition", "Dortmund"), ("fair_integration", "Hamburg")])
def test_the_sheet_prints_on_one_page_in_every_language(home: Path, need: str, town: str) -> None:
    with serving(create_app(make_settings(home)), free_port()) as guide, browsing(guide) as window:
        page = window.new_page()
        for language in SPOKEN_LANGUAGES:
            page.goto(guide + address(need, offices_for(home, need, town), language))
            assert page.locator(".office").count() >= 1
            assert page.get_by_role("button").is_visible()
            printed = page.pdf(format="A4", prefer_css_page_size=True)
            assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1, language
