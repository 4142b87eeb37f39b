"""The inbox in the browser: the list, its filters in the address, what is done to several at once, labels, saved filters."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from actions.directory.fill import fill
from bot.review import texts
from bot.transcripts import audit, labels, reviews
from bot.transcripts.record_models import DONE, IN_REVIEW, Transcript
from bot.transcripts.staff_models import COORDINATOR, EDITOR, REVIEWER, SavedFilter
from tests.review.support import NOW, Browser, Review, make_transcript, text_of


@pytest.fixture
def browser(review: Review) -> Browser:
    return review.log_in(REVIEWER, name="Eva Muster")


def shown(browser: Browser, query: str = "") -> str:
    """Return the page of the list."""
    answer = browser.get(f"/conversations{query}")
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def listed(html: str) -> list[str]:
    """Return the pseudonyms in the table."""
    return re.findall(r'name="key" value="([^"]*)"', html)


def test_only_reviewers_see_the_inbox(review: Review) -> None:
    for role in (EDITOR, COORDINATOR):
        browser = review.log_in(role)
        for path in ("/conversations", "/labels"):
            assert browser.get(path).status_code == 403
    assert review.browser().get("/conversations").status_code == 303


@pytest.mark.parametrize("language", ["de", "en"])
def test_a_row_tells_what_a_counsellor_needs_to_choose(review: Review, language: str) -> None:
    browser = review.log_in(REVIEWER, language=language, name="Eva Muster")
    with review.session() as session:
        row = make_transcript(
            session,
            "مرحبا، شهادتي",
            language="ar",
            crisis=True,
            fallbacks=1,
            min_confidence=0.314,
            assigned_to=browser.staff_id,
            outcome="emergency",
        )
        labels.add(session, row, "<b>Frage</b>")
    html = shown(browser)
    assert '<bdi lang="ar" dir="rtl">مرحبا، شهادتي</bdi>' in html
    said = text_of(html)
    for key in ("need.recognition", "outcome.emergency", "inbox.f.crisis", "inbox.f.fallback"):
        assert texts.text(key, language) in said
    for word in ("العربية", "Dortmund", "Nordrhein-Westfalen", "31", "Eva Muster", "&lt;b&gt;Frage&lt;/b&gt;"):
        assert word in said
    assert {"de": "wartet 30 Minuten", "en": "waiting 30 minutes"}[language] in said
    assert {"de": "vor 1 Stunde", "en": "1 hour ago"}[language] in said
    assert "<b>Frage" not in html


def test_what_a_person_wrote_is_text_and_nothing_else(review: Review, browser: Browser) -> None:
    with review.session() as session:
        make_transcript(session, "<script>alert(1)</script> \"' {{ 7*7 }}")
    html = shown(browser)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "{{ 7*7 }}" in html


def test_without_anything_the_list_says_so(browser: Browser) -> None:
    assert texts.text("inbox.none", "de") in shown(browser)
    assert texts.text("inbox.none_filtered", "de") in shown(browser, "?crisis=1")


def test_tabs_show_how_many_there_are(review: Review, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    with review.session() as session:
        for state in ("new", "new", "in_review", "done"):
            make_transcript(session, review_state=state)
    said = text_of(shown(browser))
    assert "Neu 2 In Arbeit 1 Erledigt 1 Alle 4" in said
    html = shown(browser, "?tab=done")
    assert len(listed(html)) == 1
    assert re.search(r'href="[^"]*tab=done" aria-current="page"', html)


def test_emergencies_stand_on_top_of_the_first_page_only(review: Review, browser: Browser) -> None:
    with review.session() as session:
        make_transcript(session, "Hilfe", crisis=True, last_activity_at=NOW - timedelta(days=3), key="crisis")
        for number in range(50):
            make_transcript(session, f"Frage {number}", last_activity_at=NOW - timedelta(hours=number))
    first = shown(browser)
    assert texts.text("inbox.urgent", "de") in first
    assert "/conversations/crisis" in first
    assert "crisis" not in listed(first)
    older = unescape(re.search(r'href="/review(/conversations\?cursor=older[^"]*)"', first)[1])  # type: ignore[index]
    second = browser.get(older).text
    assert texts.text("inbox.urgent", "de") not in second
    assert listed(second) == ["crisis"]
    newer = unescape(re.search(r'href="/review(/conversations\?cursor=newer[^"]*)"', second)[1])  # type: ignore[index]
    assert listed(browser.get(newer).text) == listed(first)


def test_the_address_says_only_what_filters(browser: Browser) -> None:
    answer = browser.get("/conversations?q=&language=tr&need=&since=&tab=all&crisis=1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/review/conversations?tab=all&language=tr&crisis=1"


def test_active_filters_are_chips_that_can_be_taken_off(review: Review, browser: Browser) -> None:
    html = shown(browser, "?tab=all&language=tr&confidence=40&q=K%C3%B6ln+%3Cb%3E")
    chips = dict(re.findall(r'<a class="chip" href="([^"]*)" aria-label="([^"]*)"', html))
    by_name = {unescape(label): parse_qs(urlsplit(unescape(href)).query) for href, label in chips.items()}
    assert by_name["Filter entfernen: Sprache: Türkisch"] == {"tab": ["all"], "confidence": ["40"], "q": ["Köln <b>"]}
    assert by_name["Filter entfernen: Suche: Köln <b>"] == {"tab": ["all"], "language": ["tr"], "confidence": ["40"]}
    assert 'href="/review/conversations?tab=all">Alle entfernen' in html


def test_rows_lead_to_the_conversation_and_know_the_list(review: Review, browser: Browser) -> None:
    with review.session() as session:
        key = make_transcript(session, language="tr").key
    assert f'href="/review/conversations/{key}?tab=all&amp;language=tr"' in shown(browser, "?tab=all&language=tr")


def test_an_office_is_found_by_its_name_or_its_id(review: Review, browser: Browser) -> None:
    fill(review.settings.directory_url)
    with review.session() as session:
        make_transcript(session, key="police", offices=("hotline-de-110",))
        make_transcript(session, key="other", offices=("another",))
    answer = browser.get("/conversations?office=Polizei-Notruf")
    assert answer.status_code == 303
    assert "offices=hotline-de-110" in answer.headers["location"]
    assert listed(browser.get(answer.headers["location"].removeprefix("/review")).text) == ["police"]
    answer = browser.get("/conversations?office=another")
    assert listed(browser.get(answer.headers["location"].removeprefix("/review")).text) == ["other"]
    html = shown(browser, "?office=gibt+es+nicht")
    assert listed(html) == []
    assert "gibt es nicht“ gibt es keine Stelle" in text_of(html)


def test_without_a_directory_the_inbox_still_works(browser: Browser) -> None:
    assert browser.get("/conversations?office=Polizei+Notruf").status_code == 200


def test_what_cannot_be_read_is_said(browser: Browser) -> None:
    said = text_of(shown(browser, "?since=gestern&confidence=900&q=!!!"))
    assert "filtert nicht: Letzte Aktivität ab, Sicherheit unter (%)" in said
    assert "enthält kein Wort" in said


@pytest.mark.parametrize(
    "query",
    ["?q=" + "x" * 5000, "?q=%27+OR+1%3D1+--", "?q=%00", "?q=%ff%fe", "?cursor=older.99999999999999999.1", "?label=-1", "?assigned=%C2%B2"]
    + [
        "?tab[]=x",
        "?language=" + "y" * 4000,
        "?offices=a,b&office=x",
        "?since=2026-02-31",
        "?structure=2",
        "?state=DE-XX&need=%3Cscript%3E",
    ],
)
def test_hostile_addresses_are_answered(review: Review, browser: Browser, query: str) -> None:
    with review.session() as session:
        make_transcript(session)
    html = shown(browser, query)
    assert "<script>" not in html.replace("<script src", "")


def test_a_reviewer_of_a_region_sees_only_this_region(review: Review) -> None:
    browser = review.log_in(REVIEWER, states=("DE-BY",))
    with review.session() as session:
        make_transcript(session, key="mine", state="DE-BY")
        make_transcript(session, key="theirs", state="DE-NW", crisis=True)
        make_transcript(session, key="nowhere", state=None)
    for query in ("?tab=all", "?tab=all&q=krankenschwester", "?state=DE-NW", "?state=none", "?crisis=1"):
        assert set(listed(shown(browser, query))) <= {"mine"}
    html = shown(browser)
    assert "theirs" not in html
    assert '<option value="DE-NW"' not in html
    browser.post("/conversations/labels", {"key": ["theirs", "nowhere", "mine"], "do": "add", "label": "Frage"})
    with review.session() as session:
        found = {row.key: [one.name for one in labels.of(session, row.id)] for row in session.scalars(select(Transcript))}
    assert found == {"mine": ["Frage"], "theirs": [], "nowhere": []}


@pytest.mark.parametrize(
    ("action", "column", "value"),
    [
        ("in_review", "review_state", IN_REVIEW),
        ("done", "review_state", DONE),
        ("assign", "assigned_to", "me"),
        ("release", "assigned_to", None),
    ],
)
def test_selected_conversations_are_changed_at_once(review: Review, browser: Browser, action: str, column: str, value: str | None) -> None:
    with review.session() as session:
        rows = [make_transcript(session, key=f"k{number}") for number in range(3)]
        if action == "release":
            for row in rows:
                row.assigned_to = browser.staff_id
    answer = browser.post("/conversations/labels", {"key": ["k0", "k1"], "do": action, "list": "language=de"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/review/conversations?language=de&done=inbox_changed"
    expected = browser.staff_id if value == "me" else value
    with review.session() as session:
        found = {row.key: getattr(row, column) for row in session.scalars(select(Transcript))}
        assert found["k0"] == found["k1"] == expected != found["k2"]
        assert {(one.object_kind, one.object_key) for one in audit.entries(session)} == {("transcript", "k0"), ("transcript", "k1")}
        # Each of them can be taken back on its own page.
        row = session.execute(select(Transcript).where(Transcript.key == "k0")).scalar_one()
        assert reviews.undo(session, row, reviews.By(browser.staff_id, NOW))


def test_labels_are_put_on_and_taken_off_several_at_once(review: Review, browser: Browser) -> None:
    with review.session() as session:
        for number in range(3):
            make_transcript(session, key=f"k{number}")

    def labelled() -> list[str]:
        with review.session() as session:
            return sorted(row.key for row in session.scalars(select(Transcript)) if labels.of(session, row.id))

    browser.post("/conversations/labels", {"key": ["k0", "k1"], "do": "add", "label": " Frage  an alle "})
    assert labelled() == ["k0", "k1"]
    browser.post("/conversations/labels", {"key": ["k1", "k2"], "do": "remove", "label": "frage an alle"})
    assert labelled() == ["k0"]
    with review.session() as session:
        entries = audit.entries(session)
        assert [one.action for one in entries] == ["label.remove", "label.remove", "label.add", "label.add"]
        assert "Frage" not in str([one.details for one in entries])


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"do": "done"}, "none"),
        ({"do": "done", "key": ["unknown", "", "x" * 500]}, "none"),
        ({"do": "delete everything", "key": ["k0"]}, "unknown"),
        ({"key": ["k0"]}, "unknown"),
        ({"do": "add", "key": ["k0"], "label": "  "}, "label_empty"),
        ({"do": "add", "key": ["k0"], "label": "x" * 41}, "label_long"),
        ({"do": "remove", "key": ["k0"], "label": "never made"}, "label_gone"),
    ],
)
def test_a_bulk_change_that_cannot_be_made_says_why_and_changes_nothing(
    review: Review, browser: Browser, form: dict[str, object], problem: str
) -> None:
    with review.session() as session:
        make_transcript(session, key="k0")
    answer = browser.post("/conversations/labels", {**form, "list": "language=de&tab=all"})
    assert answer.status_code == 400
    assert texts.text(f"inbox.problem.{problem}", "de") in unescape(answer.text)
    assert listed(answer.text) == ["k0"]
    with review.session() as session:
        assert audit.entries(session) == []


def test_nothing_is_changed_without_the_word_of_the_session(review: Review, browser: Browser) -> None:
    for path in ("/conversations/labels", "/conversations/filters", "/conversations/filters/1/delete", "/labels"):
        assert browser.post(path, csrf="wrong").status_code == 403


def test_a_filter_is_saved_used_replaced_and_deleted(review: Review, browser: Browser) -> None:
    answer = browser.post("/conversations/filters", {"list": "language=tr&crisis=1", "name": " Türkisch  <b> "})
    assert answer.headers["location"] == "/review/conversations?language=tr&crisis=1&done=filter_saved"
    html = shown(browser)
    assert '<a href="/review/conversations?language=tr&amp;crisis=1"><bdi>Türkisch &lt;b&gt;</bdi></a>' in html
    browser.post("/conversations/filters", {"list": "language=ar", "name": "Türkisch <b>"})
    with review.session() as session:
        saved = session.scalars(select(SavedFilter)).all()
        assert [(one.name, one.query) for one in saved] == [("Türkisch <b>", "language=ar")]
        number = saved[0].id
    assert browser.post(f"/conversations/filters/{number}/delete", {"list": "language=ar"}).status_code == 303
    assert "Türkisch &lt;b&gt;" not in shown(browser)
    with review.session() as session:
        assert [one.action for one in audit.entries(session)] == ["filter.delete", "filter.save", "filter.save"]


def test_saved_filters_are_ones_own(review: Review, browser: Browser) -> None:
    browser.post("/conversations/filters", {"list": "language=ar", "name": "Mein Filter"})
    other = review.log_in(REVIEWER)
    assert "Mein Filter" not in shown(other)
    with review.session() as session:
        number = session.scalars(select(SavedFilter.id)).one()
    for wrong in (number, 0, 99, "x", "99999999999999", "²"):
        assert other.post(f"/conversations/filters/{wrong}/delete").status_code == 404
    assert "Mein Filter" in shown(browser)


@pytest.mark.parametrize(("name", "problem"), [("", "empty"), ("   ", "empty"), ("x" * 61, "long")])
def test_a_filter_needs_a_name(browser: Browser, name: str, problem: str) -> None:
    answer = browser.post("/conversations/filters", {"list": "language=ar", "name": name})
    assert answer.status_code == 400
    assert texts.text(f"inbox.problem.filter_{problem}", "de") in answer.text


def test_labels_are_made_renamed_deleted_and_restored(review: Review, browser: Browser) -> None:
    assert browser.post("/labels", {"do": "create", "name": "Frage"}).headers["location"] == "/review/labels?done=label_created"
    with review.session() as session:
        (label,) = labels.all_labels(session)
        labels.add_to_many(session, [make_transcript(session).id], label.id)
    assert browser.post("/labels", {"do": "rename", "label": label.id, "name": "Frage & Antwort"}).status_code == 303
    said = text_of(browser.get("/labels").text)
    assert "Frage &amp; Antwort 1" in said
    assert browser.post("/labels", {"do": "delete", "label": label.id}).status_code == 303
    assert "Frage &amp; Antwort" not in shown(browser)
    html = browser.get("/labels").text
    assert texts.text("inbox.labels.deleted", "de") in html
    assert browser.post("/labels", {"do": "restore", "label": label.id}).status_code == 303
    assert "Frage &amp; Antwort" in shown(browser)
    with review.session() as session:
        assert [one.action for one in audit.entries(session)] == ["label.restore", "label.delete", "label.rename", "label.create"]


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"do": "create", "name": ""}, "label_empty"),
        ({"do": "create", "name": "x" * 41}, "label_long"),
        ({"do": "rename", "label": "1", "name": "Antwort"}, "label_taken"),
        ({"do": "rename", "label": "77", "name": "Neu"}, "label_gone"),
        ({"do": "delete", "label": "99999999999999999999"}, "label_gone"),
        ({"do": "restore", "label": "x"}, "label_gone"),
        ({"do": "explode", "label": "1"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_a_label_that_cannot_be_changed_stays(review: Review, browser: Browser, form: dict[str, str], problem: str) -> None:
    with review.session() as session:
        labels.create(session, "Frage")
        labels.create(session, "Antwort")
    answer = browser.post("/labels", form)
    assert answer.status_code == 400
    assert texts.text(f"inbox.problem.{problem}", "de") in answer.text
    with review.session() as session:
        assert [one.name for one in labels.all_labels(session)] == ["Antwort", "Frage"]


def test_every_text_of_the_inbox_is_there_in_both_languages() -> None:
    for key, forms in texts.source().items():
        if key.startswith("inbox."):
            assert set(forms) == {"de", "en"}
            assert all(forms.values()), key
