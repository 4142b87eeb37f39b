"""Staff of a region see who asked for a call-back there, say what became of it, and delete; nobody else sees anything."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot.transcripts import callbacks
from bot.transcripts.callbacks import DELETE_REASONS, Contact, NewCallback
from bot.transcripts.record_models import CALLBACK_STATES, CallbackRequest
from bot.transcripts.staff_models import ADMIN, COORDINATOR, EDITOR, REVIEWER, AuditEntry

from .support import Browser, Review, open_review, text_of

KEY = "k" * 22
MARKER = "Zaubernuss"
CONTACT = Contact(
    f"{MARKER} <b>Öz</b>", "+4915123456789", "o@example.org", "morning", "nur dienstags", "Mein Zeugnis\n<script>alert(1)</script>"
)


@pytest.fixture(name="review")
def _review(tmp_path: Path) -> Iterator[Review]:
    with open_review(tmp_path) as review:
        yield review


def ask(review: Review, key: str = KEY, contact: Contact = CONTACT, **changes: Any) -> None:
    """Store a request as the gateway does."""
    values: dict[str, Any] = {"conversation_id": "gone", "state": "DE-NW", "district": "05913", "need": "recognition", "language": "tr"}
    with review.session() as session:
        assert callbacks.create(session, review.services.callback_key, NewCallback(key, **{**values, **changes}), contact, review.clock())


def status_of(review: Review, key: str = KEY) -> str | None:
    """Return the status of a request, None if it is gone."""
    with review.session() as session:
        return session.execute(select(CallbackRequest.status).where(CallbackRequest.key == key)).scalar_one_or_none()


def change(browser: Browser, was: str, status: str, key: str = KEY) -> Any:
    """Press a button of the page of a request."""
    return browser.post(f"/callbacks/{key}/status", {"was": was, "status": status})


def trail(review: Review) -> list[tuple[str, str, str]]:
    """Return what the audit trail says about call-backs."""
    with review.session() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.object_kind == "callback").order_by(AuditEntry.id))
        return [(one.action, one.object_key, one.details) for one in entries]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", ["Rückrufe", "Anerkennung", "Türkisch", "Dortmund, Nordrhein-Westfalen", "vormittags", "vor 2 Stunden", "nur dienstags"]),
        ("en", ["Call-backs", "Recognition", "Turkish", "Dortmund, Nordrhein-Westfalen", "in the morning", "2 hours ago"]),
    ],
)
def test_the_list_says_what_a_colleague_needs_to_choose(review: Review, language: str, words: list[str]) -> None:
    ask(review)
    review.clock.forward(hours=2)
    page = review.log_in(language=language).get("/callbacks")
    assert page.status_code == 200
    for word in words:
        assert word in text_of(page.text), word
    assert MARKER not in page.text, "names are on the page of the request only"


@pytest.mark.parametrize("language", ["de", "en"])
def test_a_request_shows_how_to_reach_the_person_and_nothing_in_it_runs(review: Review, language: str) -> None:
    ask(review)
    page = review.log_in(language=language).get(f"/callbacks/{KEY}")
    assert 'href="tel:+4915123456789"' in page.text
    assert 'href="mailto:o@example.org"' in page.text
    assert "+49 1512 3456789" in page.text
    assert f"{MARKER} &lt;b&gt;Öz&lt;/b&gt;" in page.text
    assert "<script>alert" not in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_an_email_address_cannot_add_to_the_mail_that_it_opens(review: Review) -> None:
    ask(review, contact=Contact(email="a?bcc=x&subject=y@example.org"))
    page = review.log_in().get(f"/callbacks/{KEY}")
    assert 'href="mailto:a%3Fbcc%3Dx%26subject%3Dy@example.org"' in page.text


@pytest.mark.parametrize(("phone", "abroad"), [("+4915123456789", None), ("+905301234567", "Türkei"), ("+963944567890", "Syrien")])
def test_a_number_from_abroad_is_marked(review: Review, phone: str, abroad: str | None) -> None:
    ask(review, contact=Contact(phone=phone))
    page = text_of(review.log_in().get(f"/callbacks/{KEY}").text)
    assert (f"Nummer aus: {abroad}" in page) if abroad else ("Nummer aus" not in page)


def test_the_tabs_count_and_the_oldest_comes_first(review: Review) -> None:
    browser = review.log_in()
    for letter in "abc":
        ask(review, letter * 22)
        review.clock.forward(minutes=5)
    assert change(browser, "new", "done", "b" * 22).status_code == 303
    page = browser.get("/callbacks").text
    assert page.index("/callbacks/" + "a" * 22) < page.index("/callbacks/" + "c" * 22)
    assert "b" * 22 not in page
    assert "Neu 2 Angerufen 0 Erledigt 1" in text_of(page)
    done = browser.get("/callbacks?status=done")
    assert "b" * 22 in done.text
    assert "06.12.2026" in done.text, "14 days after it was done"
    assert "Niemand" not in text_of(page)
    assert "noch einmal anrufen" in text_of(browser.get("/callbacks?status=called").text)


def test_long_lists_have_pages(review: Review) -> None:
    for number in range(52):
        ask(review, f"{number:022}")
    browser = review.log_in()
    first = browser.get("/callbacks").text
    more = re.search(r'/callbacks(\?status=new&amp;after=\d+-50)"', first)
    assert more
    second = browser.get(f"/callbacks{html.unescape(more[1])}").text
    assert f"{51:022}" in second
    assert f"{49:022}" not in second
    assert "Zum Anfang" in second


def test_a_request_goes_through_its_states_and_back(review: Review) -> None:
    ask(review)
    browser = review.log_in(name="Ada Beispiel")
    assert change(browser, "new", "called").headers["location"].endswith(f"/callbacks/{KEY}?done=callback_called")
    assert status_of(review) == "called"
    assert "Ada Beispiel" in browser.get("/callbacks?status=called").text
    change(browser, "called", "done")
    assert "Diese Bitte wird am 06.12.2026 gelöscht." in text_of(browser.get(f"/callbacks/{KEY}").text)
    change(browser, "done", "new")
    assert status_of(review) == "new"
    assert "spätestens am 21.01.2027 gelöscht" in text_of(browser.get(f"/callbacks/{KEY}").text)
    assert [(action, details) for action, _, details in trail(review)] == [
        ("callback.change", '{"state": "called"}'),
        ("callback.change", '{"state": "done"}'),
        ("callback.undo", '{"state": "new"}'),
    ]


def test_whoever_is_slower_is_told_so_that_nobody_is_called_twice(review: Review) -> None:
    ask(review)
    change(review.log_in(name="Erste"), "new", "called")
    answer = change(review.log_in(name="Zweite"), "new", "called")
    assert answer.status_code == 409
    assert "Jemand hat den Stand inzwischen geändert" in answer.text
    assert "Erste" in answer.text
    assert len(trail(review)) == 1


@pytest.mark.parametrize("reason", DELETE_REASONS)
def test_a_request_is_deleted_with_a_reason_and_the_trail_names_neither_person_nor_request(review: Review, reason: str) -> None:
    ask(review)
    browser = review.log_in()
    change(browser, "new", "called")
    assert browser.post(f"/callbacks/{KEY}/delete", {"reason": reason}).headers["location"].endswith("status=called&done=callback_deleted")
    assert status_of(review) is None
    assert trail(review) == [("callback.change", "", ""), ("callback.delete", "", f'{{"reason": "{reason}"}}')]
    assert browser.get(f"/callbacks/{KEY}").status_code == 404


@pytest.mark.parametrize("reason", ["", "because", "x" * 10_000, "<script>"])
def test_without_a_known_reason_nothing_is_deleted(review: Review, reason: str) -> None:
    ask(review)
    answer = review.log_in().post(f"/callbacks/{KEY}/delete", {"reason": reason})
    assert answer.status_code == 422
    assert "Bitte wählen Sie einen Grund." in answer.text
    assert status_of(review) == "new"


def test_a_request_of_another_region_does_not_exist(review: Review) -> None:
    ask(review)
    ask(review, "o" * 22, state=None)
    elsewhere, there, everywhere = review.log_in(states=["DE-BE"]), review.log_in(states=["DE-NW"]), review.log_in()
    for key in (KEY, "o" * 22):
        assert elsewhere.get(f"/callbacks/{key}").status_code == 404
        assert change(elsewhere, "new", "done", key).status_code == 404
        assert elsewhere.post(f"/callbacks/{key}/delete", {"reason": "spam"}).status_code == 404
        assert status_of(review, key) == "new"
        assert key not in elsewhere.get("/callbacks").text
        assert everywhere.get(f"/callbacks/{key}").status_code == 200
    assert "Neu 0" in text_of(elsewhere.get("/callbacks").text)
    assert there.get(f"/callbacks/{KEY}").status_code == 200
    assert there.get(f"/callbacks/{'o' * 22}").status_code == 404, "without a region it is for those who see all"
    assert trail(review) == []


@pytest.mark.parametrize("role", [EDITOR, COORDINATOR, ADMIN])
def test_other_roles_see_no_requests(review: Review, role: str) -> None:
    ask(review)
    browser = review.log_in(role)
    assert browser.get("/callbacks").status_code == 403
    assert browser.get(f"/callbacks/{KEY}").status_code == 403
    assert change(browser, "new", "done").status_code == 403
    assert browser.post(f"/callbacks/{KEY}/delete", {"reason": "spam"}).status_code == 403
    assert status_of(review) == "new"


def test_nobody_changes_anything_without_the_word_of_the_session_or_without_logging_in(review: Review) -> None:
    ask(review)
    browser = review.log_in(REVIEWER)
    data = {"was": "new", "status": "done"}
    assert browser.post(f"/callbacks/{KEY}/status", data, csrf="wrong").status_code == 403
    assert browser.post(f"/callbacks/{KEY}/status", data, headers={"Origin": "https://evil.example"}).status_code == 403
    assert review.browser().get("/callbacks").status_code == 303
    assert review.browser().post(f"/callbacks/{KEY}/status", data).status_code == 401
    assert browser.get(f"/callbacks/{KEY}/status").status_code == 405
    assert status_of(review) == "new"


@pytest.mark.parametrize(
    "path",
    ["?status=x", "?status=new&after=x", "?status=new&after=-1", "?after=٣-1", "?after=5", f"?after={'9' * 40}-1", "?status=' OR 1=1 --"],
)
def test_an_address_that_makes_no_sense_is_a_clear_error(review: Review, path: str) -> None:
    assert review.log_in().get(f"/callbacks{path}").status_code == 400


@pytest.mark.parametrize("key", ["x", "x" * 5000, "%00" * 22, "..%2f..%2fetc", "' OR 1=1 --", "🙂" * 22])
def test_an_unknown_request_is_not_found(review: Review, key: str) -> None:
    ask(review)
    assert review.log_in().get(f"/callbacks/{key}").status_code == 404


@pytest.mark.parametrize(("was", "status"), [("new", "new"), ("x", "done"), ("done", "called"), ("new", "x"), ("", "")])
def test_only_changes_that_there_are_can_be_made(review: Review, was: str, status: str) -> None:
    ask(review)
    assert change(review.log_in(), was, status).status_code == 400
    assert status_of(review) == "new"


def test_a_request_that_was_encrypted_with_another_key_is_told_and_not_shown(review: Review) -> None:
    with review.session() as session:
        new = NewCallback(KEY, "gone", "DE-NW", None, "human", "ar")
        callbacks.create(session, b"x" * 32, new, CONTACT, review.clock() - timedelta(days=1))
    browser = review.log_in()
    assert browser.get("/callbacks").status_code == 200
    assert "nicht lesbar" in browser.get(f"/callbacks/{KEY}").text


def test_what_is_unknown_to_the_texts_is_no_broken_page(review: Review) -> None:
    ask(review, need="something_new", district="99999", language="xx")
    browser = review.log_in()
    for status in CALLBACK_STATES:
        assert browser.get(f"/callbacks?status={status}").status_code == 200
    assert browser.get(f"/callbacks/{KEY}").status_code == 200


def test_nothing_of_a_request_is_written_into_a_log(review: Review, caplog: pytest.LogCaptureFixture) -> None:
    ask(review)
    browser = review.log_in()
    with caplog.at_level("DEBUG"):
        browser.get(f"/callbacks/{KEY}")
        change(browser, "new", "done")
        browser.post(f"/callbacks/{KEY}/delete", {"reason": "wish"})
    assert MARKER not in caplog.text
    assert "o@example.org" not in caplog.text
    assert "123456789" not in caplog.text
