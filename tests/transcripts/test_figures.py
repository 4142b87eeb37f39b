"""Figures: what is counted when a conversation ends, and that small counts can neither be read nor computed."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product
from pathlib import Path

import pytest

from bot.transcripts import database, figure_tables, figures
from bot.transcripts.figure_tables import Period
from bot.transcripts.record_models import GUIDE
from bot.transcripts.suppression import Mark, by_size, free, parts, protect, rate
from tests.review.support import NOW, make_transcript

DAY = (NOW - timedelta(hours=2)).date()
MONTH = Period(DAY.replace(day=1), DAY)


@pytest.fixture
def url(tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path / 'transcripts.db'}"
    database.upgrade(made)
    return made


def test_a_conversation_is_counted_once_in_each_measure(url: str) -> None:
    with database.session(url) as session:
        transcript = make_transcript(session, "eins", "zwei", needs=("recognition", "qualification"), fallbacks=1, unanswered=True)
        next(turn for turn in transcript.turns if turn.author == GUIDE).helpful = True
        figures.count_conversation(session, transcript)
        assert figures.totals(session, "conversation", DAY, DAY) == {"all": 1, "consent": 1}
        assert figures.totals(session, "visit", DAY, DAY) == {"all": 1}
        assert figures.totals(session, "message", DAY, DAY) == {"all": 2, "fallback": 1}
        assert figures.totals(session, "need", DAY, DAY) == {"qualification": 1, "recognition": 1}
        assert figures.totals(session, "feedback", DAY, DAY) == {"helpful": 1}
        assert figures.totals(session, "unanswered", DAY, DAY) == {"de": 1}
        assert figures.totals(session, "state", DAY, DAY) == {"DE-NW": 1}
        assert figures.totals(session, "need_state", DAY, DAY) == {"qualification|DE-NW": 1, "recognition|DE-NW": 1}


def test_a_visit_without_a_message_is_only_a_visit(url: str) -> None:
    with database.session(url) as session:
        figures.count_conversation(session, make_transcript(session, messages=0))
        assert figures.totals(session, "visit", DAY, DAY) == {"all": 1}
        assert figures.totals(session, "conversation", DAY, DAY) == {}


def test_a_place_without_a_confirmed_office_is_a_gap(url: str) -> None:
    with database.session(url) as session:
        transcript = make_transcript(session)
        next(turn for turn in transcript.turns if turn.author == GUIDE).response = "utter_referral_next_best"
        figures.count_conversation(session, transcript)
        (gap,) = figure_tables.gaps(session, MONTH)
        assert (gap.need, gap.place, gap.count) == ("recognition", "05913", Mark.FEW)


def test_what_is_rare_is_counted_by_month(url: str) -> None:
    with database.session(url) as session:
        figures.count_conversation(session, make_transcript(session))
        assert figures.totals(session, "district", DAY, DAY) == {"05913": 1}
        assert figures.by_day(session, "district", "05913", DAY.replace(day=1), DAY) == {DAY.replace(day=1): 1}


def test_whole_months_end_with_their_last_day() -> None:
    assert Period(date(2024, 2, 10), date(2024, 2, 11)).whole_months() == Period(date(2024, 2, 1), date(2024, 2, 29))


def test_numbers_from_1_to_4_are_not_shown() -> None:
    assert free({"a": 0, "b": 1, "c": 4, "d": 5}).cells == {"a": 0, "b": Mark.FEW, "c": Mark.FEW, "d": 5}


def test_a_single_small_count_takes_the_next_smallest_with_it() -> None:
    shown = protect({"de": 60, "ar": 30, "tr": 12, "pl": 2}, 104, exhaustive=True)
    assert shown.cells == {"de": 60, "ar": 30, "tr": Mark.HIDDEN, "pl": Mark.FEW}
    assert shown.total == 104


def test_of_a_small_total_no_part_is_shown() -> None:
    assert protect({"de": 2, "ar": 1}, 3, exhaustive=True).blank
    assert protect({}, 3, exhaustive=True).total is Mark.FEW


def test_a_table_that_would_tell_all_its_small_counts_is_not_shown() -> None:
    assert protect({"a": 4, "b": 4}, 8, exhaustive=True).blank


def test_parts_that_were_counted_differently_from_the_whole_are_shown() -> None:
    assert protect({"a": 9, "b": 3}, 7, exhaustive=False).cells == {"a": 9, "b": Mark.FEW}


@pytest.mark.parametrize("exhaustive", [True, False])
def test_nobody_who_knows_the_rules_can_compute_a_small_count(exhaustive: bool) -> None:
    """All tables of four counts: among those that look the same when shown, each small count has several values."""
    for total in range(5, 19):
        same: dict[object, list[tuple[int, ...]]] = {}
        for counts in product(range(total + 1), repeat=4):
            if sum(counts) == total or (not exhaustive and sum(counts) < total):
                shown = protect(dict(zip("abcd", counts, strict=True)), total, exhaustive=exhaustive)
                same.setdefault((tuple(shown.cells.items()), shown.blank), []).append(counts)
        for (cells, blank), tables in same.items():
            for place in range(4):
                values = {counts[place] for counts in tables}
                small = blank or dict(cells)["abcd"[place]] is Mark.FEW
                assert not small or len(values) > 1, (total, cells, values)


def test_the_order_of_a_table_does_not_tell_which_small_count_is_larger() -> None:
    one, other = (by_size(free({"x": x, "y": y, "z": 9})) for x, y in ((1, 4), (4, 1)))
    assert list(one.cells.items()) == list(other.cells.items())


def test_a_rate_does_not_give_a_small_count_away() -> None:
    assert rate(25, 100) == 25
    assert rate(0, 100) == 0
    assert rate(3, 100) is Mark.FEW
    assert rate(97, 100) is Mark.FEW
    assert rate(0, 0) is None


def test_the_whole_is_hidden_where_it_would_give_a_part_away() -> None:
    assert parts(3, 100) == (Mark.FEW, Mark.HIDDEN)
    assert parts(97, 100) == (97, Mark.HIDDEN)
    assert parts(40, 100) == (40, 100)
    assert parts(1, 2) == (Mark.FEW, Mark.FEW)


def _count(session: object, measure: str, key: str, number: int, day: date = DAY) -> None:
    figures._add(session, day.replace(day=1) if measure in figures.MONTHLY else day, measure, key, number)  # type: ignore[arg-type]


def test_districts_are_protected_against_their_state(url: str) -> None:
    with database.session(url) as session:
        _count(session, "conversation", "all", 40)
        _count(session, "state", "DE-NW", 22)
        for district, number in (("05913", 12), ("05315", 9), ("05111", 1)):
            _count(session, "district", district, number)
        # 22 - 12 - 9 would be 1.
        assert figure_tables.by_district(session, MONTH)["DE-NW"].cells == {"05913": 12, "05111": Mark.FEW, "05315": Mark.HIDDEN}


def test_the_needs_of_a_state_are_protected_against_the_need(url: str) -> None:
    with database.session(url) as session:
        _count(session, "need", "recognition", 13)
        for state, number in (("DE-NW", 8), ("DE-BY", 4), ("DE-HB", 1)):
            _count(session, "need_state", f"recognition|{state}", number)
        found = figure_tables.needs_by_state(session, MONTH)["recognition"]
        assert found.cells["DE-HB"] is Mark.FEW
        assert found.cells["DE-BY"] is Mark.FEW
        assert found.cells["DE-NW"] is Mark.HIDDEN
        assert found.cells["DE-SN"] == 0


@pytest.mark.parametrize(("days", "step", "bars"), [(30, "day", 30), (90, "week", None), (500, "month", None)])
def test_the_steps_of_time_fit_the_period(url: str, days: int, step: str, bars: int | None) -> None:
    with database.session(url) as session:
        _count(session, "conversation", "all", 50)
        found = figure_tables.timeline(session, Period(DAY - timedelta(days=days - 1), DAY))
    assert found.step == step
    assert sum(number for number in found.counts.values() if isinstance(number, int)) == 50
    assert bars is None or len(found.counts) == bars


def test_the_visits_are_hidden_where_they_would_tell_how_few_said_nothing(url: str) -> None:
    with database.session(url) as session:
        _count(session, "visit", "all", 22)
        _count(session, "conversation", "all", 20)
        found = figure_tables.overview(session, MONTH)
    assert (found.conversations, found.silent, found.visits) == (20, Mark.FEW, Mark.HIDDEN)
