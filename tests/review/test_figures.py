"""The page of the figures: tables, map and CSV, with the small counts left out of all of them."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from typing import Any

import pytest

from actions.directory.places import states
from bot.review import charts, figures, texts
from bot.review.figures import CSV_TABLES, OVERVIEW, choose_period
from bot.transcripts import figures as counted
from bot.transcripts.staff_models import ADMIN, COORDINATOR, EDITOR, REVIEWER
from bot.transcripts.suppression import Mark
from tests.review.support import NOW, Browser, Review, text_of

TODAY = NOW.date()


@pytest.fixture
def coordinator(review: Review) -> Browser:
    return review.log_in(COORDINATOR)


def count(review: Review, day: date = TODAY, **measures: dict[str, int]) -> None:
    with review.session() as session:
        for measure, numbers in measures.items():
            for key, number in numbers.items():
                counted._add(session, day.replace(day=1) if measure in counted.MONTHLY else day, measure, key, number)


def fill(review: Review) -> None:
    count(
        review,
        visit={"all": 120},
        conversation={"all": 100, "consent": 40},
        message={"all": 300, "fallback": 30},
        feedback={"helpful": 30, "not_helpful": 10},
        need={"recognition": 60, "qualification": 37, "crisis": 3},
        language={"de": 60, "ar": 30, "tr": 8, "pl": 2},
        channel={"web": 100},
        outcome={"referred": 70, "answered": 30},
        state={"DE-NW": 50, "DE-BY": 20, "DE-HB": 3},
        district={"05913": 30, "05315": 20, "09162": 20, "04011": 3},
        need_state={"recognition|DE-NW": 40, "recognition|DE-HB": 2},
        gap={"qualification|09162": 6, "recognition|05913": 2},
        unanswered={"de": 9, "ar": 6},
    )


def table(page: Any) -> list[list[str]]:
    assert page.content.startswith("\ufeff".encode())
    return list(csv.reader(io.StringIO(page.content.decode("utf-8-sig")), delimiter=";"))


def test_a_coordinator_sees_the_figures_of_this_month(review: Review, coordinator: Browser) -> None:
    fill(review)
    page = coordinator.get("/figures")
    assert page.status_code == 200
    words = text_of(page.text)
    assert "01.11.2026 bis 22.11.2026" in words
    assert "Gespräche 100 von 120 Besuchen, 20 ohne Nachricht" in words
    assert "Nicht verstanden (Anteil) 10 %" in words
    assert "Hilfreich (Anteil) 75 % 30 hilfreich, 10 nicht" in words
    assert "Anerkennung 60 60 %" in words
    assert "Fragen ohne Antwort 15" in words


def test_the_page_is_in_english_for_those_who_chose_it(review: Review) -> None:
    fill(review)
    page = review.log_in(COORDINATOR, language="en").get("/figures")
    assert "Questions without an answer" in page.text
    assert "hidden" in page.text
    assert "Anliegen" not in page.text


@pytest.mark.parametrize("role", [REVIEWER, EDITOR, ADMIN])
def test_others_do_not_see_the_figures(review: Review, role: str) -> None:
    browser = review.log_in(role)
    assert browser.get("/figures").status_code == 403
    assert browser.get("/figures/needs.csv").status_code == 403


def test_small_counts_are_left_out_of_tables_map_and_csv(review: Review, coordinator: Browser) -> None:
    fill(review)
    page = coordinator.get("/figures").text
    words = text_of(page)
    assert "Notfall &lt; 5 –" in words
    assert "Polnisch &lt; 5" in words
    # 100 - 60 - 30 - 8 would be 2.
    assert "Türkisch verdeckt" in words
    bremen = re.search(r'<a href="[^"]*state=DE-HB[^"]*" aria-label="([^"]*)".*?<path class="([^"]*)"', page, re.DOTALL)
    assert bremen and bremen.groups() == ("Bremen: &lt; 5", "step-none")
    found = {row[1]: row[2:] for row in table(coordinator.get("/figures/languages.csv"))}
    assert found["Polnisch"] == ["< 5", ""]
    assert found["Türkisch"] == ["verdeckt", ""]
    assert found["Deutsch"] == ["60", "60"]


def test_the_map_shows_each_state_with_its_number_and_colour(review: Review, coordinator: Browser) -> None:
    fill(review)
    page = coordinator.get("/figures").text
    shapes = re.findall(r'<path class="step-(\w+)" fill-rule="evenodd"', page)
    assert len(shapes) == 16
    assert "5" in shapes and "0" in shapes
    assert 'aria-label="Nordrhein-Westfalen: 50"' in page
    assert page.count("<title>") >= 17


def test_a_state_of_the_map_filters_the_districts(review: Review, coordinator: Browser) -> None:
    fill(review)
    page = coordinator.get("/figures", params={"state": "DE-BY"})
    districts = page.text.split('id="title-districts"')[1].split("</section>")[0]
    assert "09162" in districts
    assert "05913" not in districts
    rows = table(coordinator.get("/figures/districts.csv", params={"state": "DE-BY"}))
    assert [row[1] for row in rows[1:]] == ["09162"]


@pytest.mark.parametrize("state", ["DE-XX", "<script>", "DE-NW' OR 1=1"])
def test_an_unknown_state_is_ignored(review: Review, coordinator: Browser, state: str) -> None:
    fill(review)
    page = coordinator.get("/figures", params={"state": state})
    assert page.status_code == 200
    assert state not in page.text or state == "DE-XX"


@pytest.mark.parametrize("measure", sorted(CSV_TABLES))
@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_each_table_comes_as_csv(review: Review, measure: str, language: str) -> None:
    fill(review)
    answer = review.log_in(COORDINATOR, language=language).get(f"/figures/{measure}.csv")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="lotse-{measure.replace("_", "-")}-2026-11-01')
    rows = table(answer)
    assert len(rows) > 1
    assert len({len(row) for row in rows}) == 1
    assert not any(cell in {"1", "2", "3", "4"} for row in rows for cell in row)


def test_an_unknown_table_does_not_exist(coordinator: Browser) -> None:
    assert coordinator.get("/figures/secrets.csv").status_code == 404


def test_a_csv_file_holds_no_formula(review: Review, coordinator: Browser) -> None:
    count(review, visit={"all": 9}, conversation={"all": 9}, channel={"=cmd|' /C calc'!A0": 9})
    assert "'=cmd" in coordinator.get("/figures/channels.csv").text


def test_names_in_figures_are_escaped(review: Review, coordinator: Browser) -> None:
    count(review, visit={"all": 9}, conversation={"all": 9}, channel={"<script>alert(1)</script>": 9})
    assert "<script>alert" not in coordinator.get("/figures").text


def test_without_conversations_the_page_says_so(coordinator: Browser) -> None:
    page = coordinator.get("/figures")
    assert page.status_code == 200
    assert "noch kein Gespräch gezählt" in page.text
    assert "<svg" not in page.text
    assert coordinator.get("/figures/timeline.csv").status_code == 200


def test_it_says_what_is_not_counted(coordinator: Browser) -> None:
    assert "die die Person gelöscht hat" in coordinator.get("/figures").text


def test_a_gap_leads_editors_to_the_directory(review: Review) -> None:
    fill(review)
    plain = review.log_in(COORDINATOR).get("/figures").text
    assert "München" in plain
    assert "/directory?" not in plain
    assert "/directory?need=qualification&amp;state=DE-BY" in review.log_in(COORDINATOR, EDITOR).get("/figures").text


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("", ""),
        ("gestern", "heute"),
        ("2026-11-10", "2026-11-01"),
        ("1990-01-01", "2026-11-01"),
        ("2030-01-01", "2030-02-01"),
        ("9" * 500, "\0"),
    ],
)
def test_a_period_that_cannot_be_used_is_explained(coordinator: Browser, first: str, last: str) -> None:
    page = coordinator.get("/figures", params={"period": "own", "from": first, "to": last})
    assert page.status_code == 200
    assert 'role="alert"' in page.text
    assert "01.11.2026 bis 22.11.2026" in page.text
    assert coordinator.get("/figures/needs.csv", params={"period": "own", "from": first, "to": last}).status_code == 200


def test_a_period_of_ones_own_is_kept_in_all_links(review: Review, coordinator: Browser) -> None:
    fill(review)
    count(review, TODAY - timedelta(days=300), visit={"all": 50}, conversation={"all": 50})
    page = coordinator.get("/figures", params={"period": "own", "from": "2026-01-01", "to": "2026-11-22"}).text
    assert "Gespräche 150 von 170" in text_of(page)
    links = re.findall(r'href="[^"]*\.csv\?([^"]*)"', page)
    assert links and all("from=2026-01-01&amp;to=2026-11-22" in link for link in links)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("this_month", date(2026, 3, 1), date(2026, 3, 3)),
        ("last_month", date(2026, 2, 1), date(2026, 2, 28)),
        ("days_90", date(2025, 12, 4), date(2026, 3, 3)),
        ("year", date(2026, 1, 1), date(2026, 3, 3)),
        ("anything", date(2026, 3, 1), date(2026, 3, 3)),
    ],
)
def test_the_named_periods_end_where_their_names_say(name: str, first: date, last: date) -> None:
    period = choose_period(name, "", "", date(2026, 3, 3)).period
    assert (period.first, period.last) == (first, last)


def test_bars_of_hidden_counts_all_look_the_same() -> None:
    days = [TODAY + timedelta(days=n) for n in range(3)]
    bars, _ = charts.bars(dict(zip(days, (Mark.FEW, Mark.HIDDEN, 40), strict=True)))
    assert (bars[0].height, bars[0].marked) == (bars[1].height, bars[1].marked)
    assert bars[2].height == charts.CHART_HEIGHT


def test_the_steps_of_the_map_cover_every_count_that_is_shown() -> None:
    for highest in (5, 6, 9, 13, 50, 999):
        cells = dict.fromkeys(states(), 0) | {"DE-NW": highest, "DE-BY": 5}
        for shape in charts.shapes(cells):
            assert shape.step == 0 if shape.count == 0 else shape.step >= 1


def test_every_key_figure_has_a_name() -> None:
    assert all(texts.has(f"figures.{name}") for name in OVERVIEW)
    assert all(texts.has(f"figures.table_{measure}") for measure in figures.CSV_TABLES)
