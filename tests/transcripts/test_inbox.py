"""The inbox: filters, pages in both directions, regions, tabs; the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from bot.transcripts import database, inbox, inbox_plan, inbox_search, labels
from bot.transcripts.inbox import InboxFilter
from bot.transcripts.record_models import DONE, IN_REVIEW, NEW, Transcript
from bot.transcripts.staff_sessions import SignedIn
from tests.review.support import NOW, make_staff, make_transcript


@pytest.fixture(params=["sqlite", "postgresql"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    url = f"sqlite:///{tmp_path / 'transcripts.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    database.upgrade(url)
    with database.session(url) as opened:
        yield opened
    database.engine(url).dispose()


@pytest.fixture(params=["few rows", "walking"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to read the list must bring the same."""
    if request.param == "walking":
        monkeypatch.setattr(inbox_plan, "FEW", -1)
    return str(request.param)


def reviewer(*states: str, id_: int = 1) -> SignedIn:
    return SignedIn(id_, "a@example.org", "A", frozenset({"reviewer"}), states, "de", False, True, True, "s", "h")


def asked(query: str = "") -> InboxFilter:
    return InboxFilter.from_query(query)


def keys(session: Session, query: str = "", who: SignedIn | None = None) -> list[str]:
    """Return the pseudonyms of the first page."""
    return [row.transcript.key for row in inbox.page(session, who or reviewer(), asked(query)).rows]


def fill(session: Session, count: int, **more: Any) -> list[Transcript]:
    """Add transcripts, the newest last."""
    return [make_transcript(session, key=f"k{n:03}", last_activity_at=NOW - timedelta(hours=count - n), **more) for n in range(count)]


def test_the_newest_activity_comes_first(session: Session, way: str) -> None:
    fill(session, 4)
    assert keys(session) == ["k003", "k002", "k001", "k000"]


def test_pages_lead_through_the_whole_list_and_back(session: Session, way: str) -> None:
    # Several at the same moment: their ids keep them apart.
    for number in range(11):
        make_transcript(session, key=f"k{number:03}", last_activity_at=NOW - timedelta(hours=number // 4))
    for query in ("", "q=krankenschwester", "need=recognition", "language=de&state=DE-NW"):
        seen, cursors, cursor = [], [], ""
        while True:
            page = inbox.page(session, reviewer(), asked(query), cursor, limit=3)
            seen.append([row.transcript.key for row in page.rows])
            cursors.append(page)
            if page.older is None:
                break
            cursor = page.older
        assert [len(one) for one in seen] == [3, 3, 3, 2]
        assert len({key for one in seen for key in one}) == 11
        assert cursors[0].newer is None
        back = inbox.page(session, reviewer(), asked(query), cursors[3].newer or "", limit=3)
        assert [row.transcript.key for row in back.rows] == seen[2]
        first = inbox.page(session, reviewer(), asked(query), back.newer or "", limit=3)
        first = inbox.page(session, reviewer(), asked(query), first.newer or "", limit=3)
        assert [row.transcript.key for row in first.rows] == seen[0]
        assert first.newer is None


def test_what_is_new_in_the_meantime_moves_no_page(session: Session) -> None:
    fill(session, 6)
    page = inbox.page(session, reviewer(), asked(), limit=3)
    make_transcript(session, key="new", last_activity_at=NOW)
    following = inbox.page(session, reviewer(), asked(), page.older or "", limit=3)
    assert [row.transcript.key for row in following.rows] == ["k002", "k001", "k000"]
    back = inbox.page(session, reviewer(), asked(), following.newer or "", limit=3)
    assert [row.transcript.key for row in back.rows] == ["k005", "k004", "k003"]
    assert back.newer is not None


@pytest.mark.parametrize(
    "cursor",
    ["x", "older", "older.1", "older.1.2.3", "older.9999999999999999.1", "older.١.١", "newer.-1.-1", "older.1.999999999999999999", "'"],
)
def test_a_cursor_of_somebody_elses_making_does_no_harm(session: Session, cursor: str) -> None:
    fill(session, 2)
    for query in ("", "q=krankenschwester"):
        assert len(inbox.page(session, reviewer(), asked(query), cursor).rows) in (0, 2)


def _varied(session: Session) -> dict[str, int]:
    """Add one transcript for each filter, and some for none; return ids of labels and accounts."""
    who, other = make_staff(session, name="Eva"), make_staff(session, name="Ali")
    make_transcript(session, key="plain")
    make_transcript(session, key="turkish", language="tr")
    make_transcript(session, key="telegram", channel="telegram")
    make_transcript(session, key="old", last_activity_at=datetime(2026, 3, 1, 22, 30, tzinfo=timezone.utc))
    make_transcript(session, key="needs", needs=("qualification", "human"))
    make_transcript(session, key="office", offices=("office-1", "office-2"))
    make_transcript(session, key="elsewhere", state="DE-BY")
    make_transcript(session, key="nowhere", state=None, district=None)
    make_transcript(session, key="emergency", outcome="emergency", crisis=True)
    make_transcript(session, key="unsure", min_confidence=0.2, fallbacks=2)
    make_transcript(session, key="bad", not_helpful=True, unanswered=True)
    make_transcript(session, key="dangerous", dangerous=True)
    make_transcript(session, key="mine", assigned_to=who.id)
    make_transcript(session, key="theirs", assigned_to=other.id)
    make_transcript(session, key="secret", consent=False)
    make_transcript(session, key="begun", review_state=IN_REVIEW)
    make_transcript(session, key="over", review_state=DONE)
    label = labels.add(session, make_transcript(session, key="labelled"), "Frage")
    session.flush()
    return {"me": who.id, "other": other.id, "label": label.id}


FILTERS = {
    "language=tr": {"turkish"},
    "channel=telegram": {"telegram"},
    "since=2026-03-01&until=2026-03-01": {"old"},
    "until=2026-02-28": set(),
    "need=qualification": {"needs"},
    "need=human": {"needs"},
    "office=x&offices=office-1": {"office"},
    "office=x&offices=office-1,office-2,office-3": {"office"},
    "office=nothing": set(),
    "state=DE-BY": {"elsewhere"},
    "state=none": {"nowhere"},
    "outcome=emergency": {"emergency"},
    "confidence=21": {"unsure"},
    "fallback=1": {"unsure"},
    "crisis=1": {"emergency"},
    "dangerous=1": {"dangerous"},
    "not_helpful=1": {"bad"},
    "unanswered=1": {"bad"},
    "label={label}": {"labelled"},
    "assigned=me": {"mine"},
    "assigned={other}": {"theirs"},
    "assigned=99": set(),
    "structure=1": {"secret"},
    "tab=in_review": {"begun"},
    "tab=done": {"over"},
}


@pytest.mark.parametrize("query", FILTERS)
def test_each_filter_finds_what_it_names(session: Session, way: str, query: str) -> None:
    ids = _varied(session)
    me = reviewer(id_=ids["me"])
    found = keys(session, query.format(**ids), me)
    assert set(found) == FILTERS[query]
    assert len(found) == len(set(found))
    counts = inbox.counts(session, me, asked(query.format(**ids)))
    assert counts[asked(query).tab] == len(FILTERS[query])


def test_filters_are_combined_also_with_words(session: Session, way: str) -> None:
    """Whatever drives the query, a pair of filters finds what both find."""
    ids = _varied(session)
    me = reviewer(id_=ids["me"])
    single = {query: set(keys(session, f"tab=all&{query.format(**ids)}", me)) for query in FILTERS if "tab" not in query}
    for first, second in combinations(single, 2):
        if {part.split("=")[0] for part in first.split("&")} & {
            part.split("=")[0] for part in second.split("&")
        } or "structure" in first + second:
            continue
        both = set(keys(session, f"tab=all&{first}&{second}".format(**ids), me))
        assert both == single[first] & single[second], (first, second)
    for query, found in single.items():
        # Without consent there are no words; all others begin alike.
        assert set(keys(session, f"tab=all&q=krankensch&{query}".format(**ids), me)) == found - {"secret"}, query


def test_nobody_sees_another_region(session: Session, way: str) -> None:
    ids = _varied(session)
    assert keys(session, "tab=all", reviewer("DE-BY")) == ["elsewhere"]
    assert keys(session, "tab=all&state=DE-NW", reviewer("DE-BY")) == []
    assert keys(session, "tab=all&state=none", reviewer("DE-BY")) == []
    assert keys(session, f"tab=all&label={ids['label']}", reviewer("DE-BY")) == []
    assert keys(session, "tab=all&q=krankenschwester", reviewer("DE-BY")) == ["elsewhere"]
    assert "nowhere" not in keys(session, "tab=all", reviewer("DE-BY", "DE-NW"))
    assert "elsewhere" in keys(session, "tab=all", reviewer("DE-BY", "DE-NW"))
    assert inbox.counts(session, reviewer("DE-BY"), asked())["all"] == 1
    assert inbox.urgent(session, reviewer("DE-BY"), asked()) == []
    assert [one.key for one in inbox.visible(session, reviewer("DE-BY"), ["plain", "elsewhere", "nowhere", "x"])] == ["elsewhere"]


def test_tabs_are_counted_up_to_a_limit(session: Session, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "COUNTED", 3)
    monkeypatch.setattr(inbox, "SAMPLE", 6)
    fill(session, 8)
    for number in range(2):
        make_transcript(session, review_state=DONE, last_activity_at=NOW - timedelta(days=number + 1))
    assert inbox.counts(session, reviewer(), asked()) == {NEW: 4, IN_REVIEW: 0, DONE: 2, "all": 4}
    assert inbox.counts(session, reviewer(), asked("q=syrien")) == {NEW: 4, IN_REVIEW: 0, DONE: 2, "all": 4}


def test_emergencies_and_dangerous_answers_stand_on_top_of_the_new_ones(session: Session, way: str) -> None:
    make_transcript(session, key="c", crisis=True, last_activity_at=NOW - timedelta(days=2))
    make_transcript(session, key="d", dangerous=True, last_activity_at=NOW - timedelta(days=1))
    make_transcript(session, key="seen", crisis=True, review_state=IN_REVIEW)
    make_transcript(session, key="without", crisis=True, consent=False)
    fill(session, 3)
    assert [row.transcript.key for row in inbox.urgent(session, reviewer(), asked())] == ["d", "c"]
    assert [row.transcript.key for row in inbox.urgent(session, reviewer(), asked("crisis=1"))] == ["c"]
    assert inbox.urgent(session, reviewer(), asked("tab=all")) == inbox.urgent(session, reviewer(), asked("q=syrien")) == []
    assert keys(session)[-2:] == ["d", "c"]


def test_the_next_unreviewed_one_follows_the_list(session: Session, way: str) -> None:
    fill(session, 4)
    make_transcript(session, key="done", review_state=DONE, last_activity_at=NOW - timedelta(minutes=150))
    make_transcript(session, key="turkish", language="tr", last_activity_at=NOW - timedelta(minutes=90))
    for query in ("language=de", "language=de&tab=done", "language=de&q=syrien"):
        assert inbox.next_unreviewed(session, reviewer(), asked(query)) == "k003"
    assert inbox.next_unreviewed(session, reviewer(), asked("language=de"), "k003") == "k002"
    assert inbox.next_unreviewed(session, reviewer(), asked("language=de&q=syrien"), "k003") == "k002"
    assert inbox.next_unreviewed(session, reviewer(), asked("language=de"), "done") == "k001"
    # At the end it begins again, but does not lead to where one is.
    assert inbox.next_unreviewed(session, reviewer(), asked("language=de"), "k000") == "k003"
    assert inbox.next_unreviewed(session, reviewer(), asked("language=tr"), "turkish") is None
    assert inbox.next_unreviewed(session, reviewer(), asked("language=de"), "nobody knows") == "k003"
    assert inbox.next_unreviewed(session, reviewer("DE-BY"), asked(), "k003") is None
    assert inbox.next_unreviewed(session, reviewer(), asked("tab=in_review"), "k003") is None


def test_a_row_has_all_that_is_shown(session: Session) -> None:
    who = make_staff(session, name="Eva")
    transcript = make_transcript(
        session, "مرحبا   بكم\nفي كولونيا", "zweite", language="ar", needs=("recognition", "human"), need="human", assigned_to=who.id
    )
    labels.add(session, transcript, "b")
    labels.add(session, transcript, "A")
    row = inbox.page(session, reviewer(), asked()).rows[0]
    assert (row.first_words, row.first_language) == ("مرحبا بكم في كولونيا", "ar")
    assert row.needs == ("human", "recognition")
    assert [label.name for label in row.labels] == ["A", "b"]
    assert row.assigned_name == "Eva"
    assert row.waits_since == transcript.ended_at


def test_first_words_are_cut_between_words(session: Session) -> None:
    make_transcript(session, "wort " * 100)
    words = inbox.page(session, reviewer(), asked()).rows[0].first_words
    assert words.endswith("wort …")
    assert len(words) <= inbox.EXCERPT + 2


def test_without_consent_a_row_has_no_words(session: Session) -> None:
    make_transcript(session, "etwas", consent=False)
    assert inbox.page(session, reviewer(), asked("structure=1")).rows[0].first_words == ""


def test_what_is_done_or_still_goes_on_waits_for_nobody(session: Session) -> None:
    make_transcript(session, review_state=DONE)
    make_transcript(session, ended_at=None)
    assert [row.waits_since for row in inbox.page(session, reviewer(), asked("tab=all")).rows] == [None, None]


@pytest.mark.parametrize("query", ["", "language=de&need=recognition&crisis=1", "q=krankenschwester"])
def test_a_page_takes_as_many_queries_for_fifty_rows_as_for_two(session: Session, query: str) -> None:
    who = make_staff(session)
    taken = []

    def count(*_: Any) -> None:
        taken.append(1)

    numbers = []
    for more in (2, 48):
        for transcript in fill_more(session, more, len(numbers), assigned_to=who.id, crisis=True):
            labels.add(session, transcript, "Frage")
        session.flush()
        session.expire_all()
        session.info.clear()
        taken.clear()
        event.listen(session.get_bind(), "before_cursor_execute", count)
        page = inbox.page(session, reviewer(), asked(query))
        [(row.transcript.key, row.needs, [one.name for one in row.labels], row.first_words, row.assigned_name) for row in page.rows]
        event.remove(session.get_bind(), "before_cursor_execute", count)
        numbers.append(len(taken))
    assert len(page.rows) == 50
    assert numbers[0] == numbers[1] <= 12


def fill_more(session: Session, count: int, series: int, **more: Any) -> list[Transcript]:
    return [make_transcript(session, key=f"s{series}-{n}", **more) for n in range(count)]


def test_words_are_also_found_far_from_the_newest_conversations(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_search, "STRETCH", 2)
    make_transcript(session, "Zahnarzt in Aurich", key="first")
    fill(session, 6)
    make_transcript(session, "Zahnarzt", key="last", last_activity_at=NOW - timedelta(days=40))
    assert keys(session, "q=zahnarzt") == ["last", "first"]
    assert inbox.counts(session, reviewer(), asked("q=zahnarzt"))["new"] == 2


@pytest.mark.parametrize(
    "said",
    [
        "'",
        '"',
        "' OR 1=1 --",
        "*",
        "a* OR b",
        "NEAR(a b)",
        "words:ich",
        "ich NOT bin",
        "(",
        "ich & !bin",
        "a:*",
        "\\",
        "%",
        "🙂",
        "!" * 300,
        "x" * 5000,
    ]
    + ["ich " * 1250, "\u202eich", "Ⅷ ² ½ ௧", "-- ; DROP TABLE transcript", "\ud800🙂", "{}", "^ich", "ich:B <-> bin", "'':*"],
)
def test_no_search_raises_or_finds_what_has_not_its_words(session: Session, said: str) -> None:
    make_transcript(session, "Guten Tag", key="a")
    wanted = InboxFilter.from_query({"q": said, "tab": "all"})
    assert inbox.page(session, reviewer(), wanted).rows == []
    assert inbox.counts(session, reviewer(), wanted)["all"] == 0


@pytest.mark.parametrize(
    "query",
    [
        {"since": "gestern", "until": "2026-02-30", "confidence": "-1", "label": "1e9"},
        {"since": "99999-01-01", "until": "0001-01-01", "confidence": "101", "label": "99999999999999999999"},
        {"language": "x" * 5000, "need": "'", "state": "\x00", "office": "%", "offices": "," * 500, "assigned": "9" * 60},
        {"tab": "nonsense", "crisis": "yes", "outcome": "';--", "channel": "\u202e", "assigned": "²"},
    ],
)
def test_what_cannot_be_read_filters_nothing_and_raises_nothing(session: Session, query: dict[str, str]) -> None:
    fill(session, 2)
    wanted = InboxFilter.from_query(query)
    inbox.page(session, reviewer(), wanted)
    inbox.counts(session, reviewer(), wanted)
    inbox.urgent(session, reviewer(), wanted)
    assert InboxFilter.from_query(wanted.to_query()) == wanted


def test_a_filter_says_what_it_could_not_read() -> None:
    wanted = InboxFilter.from_query({"since": "gestern", "confidence": "0", "label": "x", "until": "2026-01-31"})
    assert wanted.problems == ("since", "confidence", "label")
    assert wanted.until == date(2026, 1, 31)


def test_a_filter_comes_back_from_its_address() -> None:
    wanted = InboxFilter.from_query(
        "tab=all&q=K%C3%B6ln+%26+Bonn&since=2026-01-01&office=a&offices=b,c&crisis=1&confidence=50&label=3&structure=1"
    )
    assert InboxFilter.from_query(wanted.to_query()) == wanted
    assert wanted.active == ("q", "since", "office", "confidence", "crisis", "label", "structure")
    assert InboxFilter().to_query() == ""
    assert wanted.without("office", "crisis").active == ("q", "since", "confidence", "label", "structure")
    assert wanted.without("office").offices == ()


def test_only_people_who_review_can_be_responsible(session: Session) -> None:
    make_staff(session, "editor", name="E")
    make_staff(session, "admin", "reviewer", name="B")
    make_staff(session, name="A")
    make_staff(session, name="Gone", disabled_at=NOW)
    assert [name for _, name in inbox.reviewers(session)] == ["A", "B"]


def test_a_dangerous_answer_stands_on_top_until_somebody_is_done_with_it(session: Session) -> None:
    for key, state in (("new", "new"), ("in work", "in_review"), ("done", "done")):
        make_transcript(session, key=key, review_state=state, dangerous=True)
    make_transcript(session, key="emergency in work", review_state="in_review", crisis=True)
    assert {row.transcript.key for row in inbox.urgent(session, reviewer(), asked())} == {"new", "in work"}
