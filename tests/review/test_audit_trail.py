"""The page of the audit trail."""

from __future__ import annotations

import re

import pytest

from bot.transcripts import audit
from bot.transcripts.staff_models import ADMIN, COORDINATOR, EDITOR, REVIEWER
from tests.review.support import Browser, Review, text_of


@pytest.fixture
def admin(review: Review) -> Browser:
    return review.log_in(ADMIN, name="Ada Admin")


def note(review: Review, name: str, action: str, kind: str = "transcript", key: str = "abc", **details: object) -> None:
    with review.session() as session:
        audit.write(session, review.clock(), None, name, action, kind, key, **details)


def rows(html: str) -> list[str]:
    body = html.partition("<tbody>")[2].partition("</tbody>")[0]
    return [text_of(row) for row in re.findall(r"<tr>(.*?)</tr>", body, re.S)]


def test_entries_stand_with_the_newest_first_in_plain_words(review: Review, admin: Browser) -> None:
    note(review, "Boris", "transcript.label_add", label=3)
    note(review, audit.COMMAND, "staff.create", "staff", str(admin.staff_id), roles=["admin"], states=[])
    newest, older = rows(admin.get("/audit").text)
    assert "(die Kommandozeile) Konto angelegt Konto Ada Admin" in newest and "Rollen: Verwaltung" in newest and "alle Länder" in newest
    assert "Boris Schlagwort gesetzt Gespräch abc" in older


def test_details_stand_in_plain_words(review: Review, admin: Browser) -> None:
    note(review, audit.SYSTEM, "retention.run", "retention", "", gone={"structure without consent": 3}, failed={})
    note(review, "Boris", "transcript.assign", to=admin.staff_id)
    note(review, "Boris", "transcript.intent", turn=4, right=False, right_intent="faq/dismissal")
    note(review, "Boris", "office.change", "office", fields=["phone"])
    office, intent, assigned, retention = rows(admin.get("/audit").text)
    assert "gelöscht: Gespräche ohne Text: 3" in retention and "gescheitert: –" in retention
    assert "an: Ada Admin" in assigned
    assert "richtig: nein" in intent and "richtige Absicht: Kündigung" in intent
    assert "Felder: Telefon" in office


def test_an_action_without_a_text_of_its_own_is_shown_as_it_is(review: Review, admin: Browser) -> None:
    note(review, "Boris", "quite.new", "thing", more={"a": [1, None, True]})
    assert "Boris quite.new thing abc" in rows(admin.get("/audit").text)[0]


def test_the_trail_is_filtered_by_person_action_and_object(review: Review, admin: Browser) -> None:
    note(review, "Boris", "office.change", "office", "of-1")
    note(review, "Boris", "transcript.state", "transcript", "1")
    note(review, "Carla", "transcript.assign", "transcript", "k2")
    note(review, "Carla", "staff.change", "staff", "1")
    count = lambda query: len(rows(admin.get(f"/audit?{query}").text))  # noqa: E731
    assert [count(one) for one in ("", "person=Boris", "action=transcript.", "action=transcript.state", "object=1")] == [4, 2, 2, 1, 2]
    assert count("object=1&kind=staff") == 1
    assert count("kind=staff") == 4, "a kind belongs to a key"
    assert count("person=Boris&action=office.") == 1
    page = admin.get("/audit?person=Boris").text
    assert '<option value="Boris" selected>' in page, "also for whom there is no account any more"
    assert "keine Einträge" in admin.get("/audit?person=Nobody").text


def test_older_entries_follow_on_further_pages_with_the_same_filter(review: Review, admin: Browser) -> None:
    for number in range(120):
        note(review, "Boris" if number % 2 else "Carla", "transcript.state", key=f"k{number:03}")
    seen: list[str] = []
    address: str | None = "/audit?person=Boris"
    while address:
        page = admin.get(address).text
        seen += re.findall(r"k\d{3}(?=</code>)", page)
        link = re.search(r'rel="next" href="/review([^"]+)"', page)
        address = link[1].replace("&amp;", "&") if link else None
        # What comes in meanwhile moves nothing.
        note(review, "Boris", "transcript.state", key="new")
    assert seen == [f"k{number:03}" for number in range(119, 0, -2)]


def test_a_blanked_entry_says_so(review: Review, admin: Browser) -> None:
    note(review, "Boris", "transcript.need", key="gone", right=False)
    with review.session() as session:
        audit.blank(session, "transcript", ["gone"])
    row = rows(admin.get("/audit").text)[0]
    assert "gelöscht" in row and "gone" not in row and "richtig" not in row


@pytest.mark.parametrize("before", ["x", "-1", "1.5", "9" * 30, "²", "%00x", "' OR 1=1"])
def test_a_wrong_page_is_refused(admin: Browser, before: str) -> None:
    assert admin.get("/audit", params={"before": before}).status_code == 400


@pytest.mark.parametrize("text", ["' OR 1=1 --", "%", "_", "\0", "<script>alert(1)</script>", "x" * 5000], ids=len)
@pytest.mark.parametrize("name", ["person", "action", "object", "kind"])
def test_filters_with_hostile_text_find_nothing_and_harm_nothing(review: Review, admin: Browser, name: str, text: str) -> None:
    note(review, "Boris", "transcript.state")
    answer = admin.get("/audit", params={name: text})
    assert answer.status_code == 200 and "<script>alert" not in answer.text
    assert len(rows(answer.text)) == (1 if text == "\0" or name == "kind" else 0)


def test_what_stands_in_an_entry_is_shown_as_text(review: Review, admin: Browser) -> None:
    evil = "<script>alert(1)</script>"
    note(review, evil, evil[:40], evil[:20], evil, field=evil)
    assert "<script>alert" not in admin.get("/audit").text


@pytest.mark.parametrize("role", [REVIEWER, EDITOR, COORDINATOR])
def test_only_admins_read_the_trail(review: Review, role: str) -> None:
    assert review.log_in(role).get("/audit").status_code == 403
    assert review.browser().get("/audit").headers["location"] == "/review/login?next=/audit"


def test_nobody_can_change_it(admin: Browser) -> None:
    assert admin.post("/audit").status_code == 405


def test_the_page_is_in_english_too(review: Review) -> None:
    note(review, audit.SYSTEM, "session.lock", "staff", "1", until="2026-11-22")
    assert "(the system) account closed for a while" in rows(review.log_in(ADMIN, language="en").get("/audit").text)[0]
