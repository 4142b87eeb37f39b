"""The page of the corrections: the list, giving purposes, and the downloads."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import timedelta
from typing import Any

import pytest

from bot.review import texts
from bot.review.corrections import REASONS, STANDS
from bot.transcripts import exports
from bot.transcripts.record_models import EVALUATION, PERSON, TRAINING, TranscriptTurn, Verdict
from bot.transcripts.staff_models import ADMIN, COORDINATOR, EDITOR, REVIEWER, AuditEntry
from tests.review.support import NOW, Browser, Review, make_staff, make_transcript, text_of

SAID = "Blaue Kakteen verlangen nachts ihren Stempel zurück"
OTHER = "Quittenmus ersetzt kein Gutachten über Fagottbau"


@pytest.fixture
def coordinator(review: Review) -> Browser:
    return review.log_in(COORDINATOR)


def judged(review: Review, *said: str, right_intent: str | None = None, purpose: str | None = None, **more: Any) -> list[int]:
    """Add a transcript whose messages are judged; return their ids."""
    with review.session() as session:
        staff = make_staff(session, name="Rita Review")
        transcript = make_transcript(session, *said, **more)
        ids = []
        for turn in session.query(TranscriptTurn).filter_by(transcript_id=transcript.id, author=PERSON).order_by("position"):
            values = {"intent_right": right_intent is None, "right_intent": right_intent, "purpose": purpose}
            session.add(Verdict(turn_id=turn.id, transcript_id=transcript.id, staff_id=staff.id, created_at=NOW, **values))
            ids.append(turn.id)
        return ids


def purpose_of(review: Review, turn_id: int) -> str | None:
    with review.session() as session:
        return session.get(Verdict, turn_id).purpose


def audited(review: Review) -> list[tuple[str, dict[str, Any]]]:
    with review.session() as session:
        return [(row.action, json.loads(row.details)) for row in session.query(AuditEntry).order_by(AuditEntry.id)]


def test_the_list_tells_what_was_understood_and_what_is_right(review: Review, coordinator: Browser) -> None:
    judged(review, SAID, right_intent="faq/costs", language="ar")
    page = coordinator.get("/corrections")
    assert page.status_code == 200
    assert SAID in page.text
    assert 'lang="ar" dir="rtl"' in page.text
    assert "Rita Review" in page.text
    assert re.search(r"falsch verstanden.*Anerkennung", text_of(page.text))
    assert "offen (1)" in page.text


def test_the_list_is_in_english_for_those_who_chose_it(review: Review) -> None:
    judged(review, SAID)
    page = review.log_in(COORDINATOR, language="en").get("/corrections")
    assert "understood" in page.text
    assert "Korrekturen" not in page.text


@pytest.mark.parametrize("role", [REVIEWER, EDITOR, ADMIN])
def test_others_see_nothing_and_change_nothing(review: Review, role: str) -> None:
    (turn_id,) = judged(review, SAID)
    browser = review.log_in(role)
    assert browser.get("/corrections").status_code == 403
    assert browser.post("/corrections/purpose", {"turn": turn_id, "purpose_of_selected": TRAINING}).status_code == 403
    assert browser.post("/corrections/export", {"format": "nlu", "purpose_to_export": TRAINING}).status_code == 403
    assert purpose_of(review, turn_id) is None


def test_a_coordinator_of_one_region_sees_only_that_region(review: Review) -> None:
    (turn_id,) = judged(review, SAID, state="DE-BY")
    judged(review, OTHER, state="DE-NW")
    browser = review.log_in(COORDINATOR, states=["DE-NW"])
    page = browser.get("/corrections").text
    assert OTHER in page and SAID not in page
    assert browser.post("/corrections/purpose", {"turn": turn_id, "purpose_of_selected": TRAINING}).status_code == 400
    assert purpose_of(review, turn_id) is None


def test_without_corrections_the_page_says_how_they_come_about(coordinator: Browser) -> None:
    page = coordinator.get("/corrections")
    assert page.status_code == 200
    assert "Noch keine Korrekturen" in page.text


def test_what_a_person_wrote_is_escaped(review: Review, coordinator: Browser) -> None:
    judged(review, "<script>alert(1)</script> [Name]")
    page = coordinator.get("/corrections").text
    assert "<script>alert(1)" not in page
    assert "<mark>Name</mark>" in page
    assert "mit Platzhalter" in page


def test_the_list_goes_on_with_older_messages(review: Review, coordinator: Browser) -> None:
    judged(review, *(f"Nachricht {number:03d}" for number in range(60)))
    first = coordinator.get("/corrections").text
    assert "Nachricht 059" in first and "Nachricht 009" not in first
    older = re.search(r"before=(\d+)", first)
    assert older
    second = coordinator.get("/corrections", params={"before": older[1]}).text
    assert "Nachricht 009" in second and "Nachricht 010" not in second


def test_a_filter_narrows_the_list(review: Review, coordinator: Browser) -> None:
    judged(review, SAID, language="tr")
    judged(review, OTHER, right_intent="human", purpose=TRAINING)
    for query, here in (
        ({"language": "tr"}, SAID),
        ({"verdict": "wrong"}, OTHER),
        ({"purpose": TRAINING}, OTHER),
        ({"purpose": "undecided"}, SAID),
    ):
        page = coordinator.get("/corrections", params=query).text
        assert here in page and (OTHER if here == SAID else SAID) not in page


@pytest.mark.parametrize(
    "query", [{"before": "x"}, {"before": "9" * 30}, {"before": "-1"}, {"language": "<x>"}, {"purpose": "'"}, {"changed": "²"}]
)
def test_an_address_that_makes_no_sense_shows_the_list(review: Review, coordinator: Browser, query: dict[str, str]) -> None:
    judged(review, SAID)
    page = coordinator.get("/corrections", params=query)
    assert page.status_code == 200
    assert SAID in page.text


def test_selected_messages_get_a_purpose_and_an_audit_entry(review: Review, coordinator: Browser) -> None:
    ids = judged(review, SAID, OTHER)
    answer = coordinator.post("/corrections/purpose?x=1", {"turn": ids, "purpose_of_selected": EVALUATION, "language": "de"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/review/corrections?language=de&changed=2")
    assert [purpose_of(review, one) for one in ids] == [EVALUATION] * 2
    assert audited(review) == [("corrections.purpose", {"changed": 2, "purpose": EVALUATION})]
    assert "Nachrichten geändert: 2" in coordinator.get(answer.headers["location"].removeprefix("/review")).text


def test_a_refused_message_is_explained(review: Review, coordinator: Browser) -> None:
    judged(review, SAID, purpose=TRAINING)
    (turn_id,) = judged(review, SAID.lower())
    page = text_of(coordinator.get("/corrections").text)
    assert "nicht für die Prüfung Zu 100 % gleich mit einer Nachricht fürs Training:" in page
    answer = coordinator.post("/corrections/purpose", {"turn": turn_id, "purpose_of_selected": EVALUATION})
    assert purpose_of(review, turn_id) is None
    assert "other_side=1" in answer.headers["location"]
    assert "1 fast gleich mit einer Nachricht der anderen Seite" in coordinator.get(answer.headers["location"].removeprefix("/review")).text
    assert audited(review) == []


@pytest.mark.parametrize("turn", ["", "x", "0", "-1", "9" * 40, "1; DROP TABLE verdict", "99999999999999999999", "²"])
def test_a_selection_that_makes_no_sense_is_refused(review: Review, coordinator: Browser, turn: str) -> None:
    judged(review, SAID)
    answer = coordinator.post("/corrections/purpose", {"turn": turn, "purpose_of_selected": TRAINING})
    assert answer.status_code == 400
    assert "Bitte wählen Sie zuerst Nachrichten aus." in answer.text


def test_an_unknown_purpose_is_refused(review: Review, coordinator: Browser) -> None:
    (turn_id,) = judged(review, SAID)
    assert coordinator.post("/corrections/purpose", {"turn": turn_id, "purpose_of_selected": "both"}).status_code == 400
    assert purpose_of(review, turn_id) is None


def test_undecided_messages_are_divided(review: Review, coordinator: Browser) -> None:
    ids = judged(review, SAID) + judged(review, OTHER)
    answer = coordinator.post("/corrections/split", {"share": "100"})
    assert answer.status_code == 303
    assert [purpose_of(review, one) for one in ids] == [EVALUATION] * 2
    assert audited(review) == [("corrections.split", {"changed": 2, "share": 100})]
    assert "done=corrections_nothing" in coordinator.post("/corrections/split", {"share": "100"}).headers["location"]


@pytest.mark.parametrize("share", ["", "-1", "101", "20.5", "viel", "9" * 50, "²"])
def test_a_share_that_makes_no_sense_is_refused(review: Review, coordinator: Browser, share: str) -> None:
    (turn_id,) = judged(review, SAID)
    answer = coordinator.post("/corrections/split", {"share": share})
    assert answer.status_code == 400
    assert "ganze Zahl von 0 bis 100" in answer.text
    assert purpose_of(review, turn_id) is None


@pytest.mark.parametrize("kind", exports.FORMATS)
def test_a_download_holds_the_messages_and_is_audited(review: Review, coordinator: Browser, kind: str) -> None:
    (turn_id,) = judged(review, SAID, purpose=TRAINING, review_state="done")
    answer = coordinator.post("/corrections/export", {"format": kind, "purpose_to_export": TRAINING})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["cache-control"] == "no-store"
    assert f"lotse-{kind}-training-2026-11-22.zip" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as opened:
        assert SAID in b"".join(opened.read(name) for name in opened.namelist()).decode()
    ((action, details),) = audited(review)
    assert action == "corrections.export"
    assert (details["format"], details["messages"]) == (kind, 1)
    assert SAID not in json.dumps(details, ensure_ascii=False)
    with review.session() as session:
        assert session.get(Verdict, turn_id).exported_at == review.clock()
    assert "heruntergeladen am 22.11.2026" in coordinator.get("/corrections").text


def test_after_a_download_the_purpose_stays(review: Review, coordinator: Browser) -> None:
    (turn_id,) = judged(review, SAID, purpose=TRAINING)
    coordinator.post("/corrections/export", {"format": "nlu", "purpose_to_export": TRAINING})
    for purpose in (EVALUATION, "undecided"):
        answer = coordinator.post("/corrections/purpose", {"turn": turn_id, "purpose_of_selected": purpose})
        assert "fixed=1" in answer.headers["location"]
    assert purpose_of(review, turn_id) == TRAINING


def test_a_download_without_messages_says_why(review: Review, coordinator: Browser) -> None:
    judged(review, "[Name] " + SAID, purpose=TRAINING)
    answer = coordinator.post("/corrections/export", {"format": "nlu", "purpose_to_export": TRAINING})
    assert answer.status_code == 400
    assert "nichts herunterzuladen" in answer.text
    assert "1 mit Platzhalter" in answer.text
    assert (
        coordinator.post("/corrections/export", {"format": "nlu", "purpose_to_export": TRAINING, "placeholders": "yes"}).status_code == 200
    )


@pytest.mark.parametrize(("kind", "purpose"), [("", ""), ("exe", TRAINING), ("nlu", "both"), ("../../etc/passwd", EVALUATION)])
def test_an_unknown_download_is_refused(review: Review, coordinator: Browser, kind: str, purpose: str) -> None:
    judged(review, SAID, purpose=TRAINING)
    assert coordinator.post("/corrections/export", {"format": kind, "purpose_to_export": purpose}).status_code == 400


def test_a_form_of_another_site_changes_nothing(review: Review, coordinator: Browser) -> None:
    (turn_id,) = judged(review, SAID)
    assert coordinator.post("/corrections/purpose", {"turn": turn_id, "purpose_of_selected": TRAINING}, csrf="x").status_code == 403
    assert purpose_of(review, turn_id) is None


def test_messages_that_are_too_old_are_gone_from_list_and_download(review: Review, coordinator: Browser) -> None:
    judged(review, SAID, purpose=TRAINING)
    review.clock.forward(days=29)
    browser = review.log_in(COORDINATOR)
    assert SAID in browser.get("/corrections").text
    review.clock.forward(days=2)
    browser = review.log_in(COORDINATOR)
    assert SAID not in browser.get("/corrections").text
    assert browser.post("/corrections/export", {"format": "jsonl", "purpose_to_export": TRAINING}).status_code == 400


def test_a_withdrawn_consent_takes_the_message_out(review: Review, coordinator: Browser) -> None:
    judged(review, SAID, purpose=TRAINING, consent=True, consent_at=NOW - timedelta(hours=1))
    with review.session() as session:
        session.query(TranscriptTurn).update({"text": None})
    assert "Noch keine Korrekturen" in coordinator.get("/corrections").text


def test_every_reason_and_purpose_has_its_text() -> None:
    assert all(texts.has(f"corrections.left_out_{reason}") for reason in REASONS)
    assert all(texts.has(f"corrections.stand_{stand}") for stand in STANDS)
    assert all(texts.has(f"corrections.format_{kind}") for kind in exports.FORMATS)
