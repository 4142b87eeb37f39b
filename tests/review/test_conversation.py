"""The page of one conversation: what it shows, and what a reviewer can do there."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from bot.review import conversation_view, texts
from bot.review.conversation import REASONS
from bot.transcripts import audit, labels
from bot.transcripts.record_models import DONE, IN_REVIEW, NEW, Note, Notification, Transcript, TranscriptTurn, Verdict
from bot.transcripts.staff_models import ADMIN, COORDINATOR, EDITOR
from tests.review.support import NOW, Browser, Review, make_staff, make_transcript, text_of

CARD = {
    "need": "recognition",
    "place": {"name": "Dortmund"},
    "offices": [
        {
            "id": "nw-1",
            "name": "Anerkennungsberatung Dortmund",
            "carrier": "Beispielverein",
            "street": "Südwall 2",
            "postcode": "44137",
            "city": "Dortmund",
            "phone": "0231 5555",
            "email": "beratung@example.org",
            "website": "https://beratung.example.org/",
            "languages": ["de", "ar"],
            "opening_hours": "Mo-Fr 09:00-17:00",
            "appointment": "required",
            "distance_km": 3,
            "checked_on": "2026-10-01",
            "confirmed": True,
        },
        {"id": "nw-2", "name": "Zweite Stelle", "confirmed": False},
    ],
    "notes": ["Bringen Sie Ihre Zeugnisse mit."],
}


@pytest.fixture
def browser(review: Review) -> Browser:
    return review.log_in(name="Berta Beraterin")


def add(review: Review, *said: str, **more: Any) -> str:
    with review.session() as session:
        return str(make_transcript(session, *said, **more).key)


def load(review: Review, key: str) -> Transcript:
    with review.session() as session:
        return session.execute(select(Transcript).where(Transcript.key == key)).scalar_one()


def turns(review: Review, key: str) -> list[TranscriptTurn]:
    with review.session() as session:
        query = select(TranscriptTurn).join(Transcript).where(Transcript.key == key).order_by(TranscriptTurn.position)
        return list(session.scalars(query))


def alter(review: Review, key: str, position: int, **values: Any) -> int:
    with review.session() as session:
        query = select(TranscriptTurn).join(Transcript).where(Transcript.key == key, TranscriptTurn.position == position)
        turn = session.execute(query).scalar_one()
        for name, value in values.items():
            setattr(turn, name, value)
        return int(turn.id)


def verdict(review: Review, turn_id: int) -> Verdict | None:
    with review.session() as session:
        return session.get(Verdict, turn_id)


def trail(review: Review, key: str) -> list[tuple[str, dict[str, Any]]]:
    with review.session() as session:
        return [(one.action, one.details) for one in reversed(audit.entries(session, object_key=key))]


def page(browser: Browser, key: str, query: str = "") -> str:
    answer = browser.get(f"/conversations/{key}{query}")
    assert answer.status_code == 200
    return str(answer.text)


def send(browser: Browser, key: str, what: str, **fields: Any) -> Any:
    answer = browser.post(f"/conversations/{key}/{what}", fields)
    assert answer.status_code == 303, text_of(answer.text)
    return urlsplit(answer.headers["location"])


# ---------------------------------------------------------------- reading


def test_both_sides_are_shown_each_in_its_language_and_direction(review: Review, browser: Browser) -> None:
    key = add(review, "أنا ممرضة من سوريا", language="ar")
    alter(review, key, 1, text="Guten Tag", language="de")
    html = page(browser, key)
    assert '<div class="text" lang="ar" dir="rtl">أنا ممرضة من سوريا</div>' in html
    assert '<div class="text" lang="de" dir="ltr">Guten Tag</div>' in html
    assert html.count('<li id="turn-') == 2


def test_the_page_says_since_when_and_until_when_the_text_may_be_read(review: Review, browser: Browser) -> None:
    key = add(review, last_activity_at=NOW - timedelta(hours=1))
    assert "Er darf bis 22.12.2026 gelesen werden" in text_of(page(browser, key))
    assert "may be read until 22 Dec 2026" in text_of(page(review.log_in(language="en"), key))


def test_without_consent_there_is_the_course_and_a_reason_but_no_text(review: Review, browser: Browser) -> None:
    key = add(review, "GEHEIM", consent=False, consent_at=None)
    html = page(browser, key)
    assert "Die Person hat nicht zugestimmt" in html
    assert "(Text nicht gespeichert)" in html
    assert "GEHEIM" not in html
    assert 'name="verdict"' not in html
    assert "Verstanden als: Anerkennung" in html


def test_what_was_understood_is_said_in_words(review: Review, browser: Browser) -> None:
    key = add(review, "Hallo", min_confidence=0.87)
    found = [
        {"entity": "place", "value": "DE-NW"},
        {"entity": "place", "value": "Frankfurt (Oder)@12053"},
        {"entity": "country", "value": "SY"},
        {"entity": "profession", "value": "Arzt*Ärztin"},
        {"entity": "residence", "value": "abroad"},
        {"entity": "confirmed", "value": True},
        {"entity": "made_up", "value": 3},
    ]
    alter(review, key, 0, entities=json.dumps(found), intent="faq/dismissal")
    words = text_of(page(browser, key))
    for said in ("Nordrhein-Westfalen", "Frankfurt (Oder)", "Syrien", "Arzt*Ärztin", "im Ausland", "made_up 3", "87 %", "Kündigung"):
        assert said in words
    assert "12053" not in words
    assert "Syria" in text_of(page(review.log_in(language="en"), key))


def test_a_card_is_shown_as_the_person_saw_it(review: Review, browser: Browser) -> None:
    key = add(review)
    alter(review, key, 1, referral=json.dumps(CARD))
    html = page(browser, key)
    words = text_of(html)
    for said in (
        "Anerkennungsberatung Dortmund bestätigt",
        "Beispielverein",
        "Südwall 2, 44137 Dortmund",
        "0231 5555",
        "beratung@example.org",
        "Deutsch, Arabisch",
        "Mo-Fr 09:00-17:00; bitte vorher einen Termin machen",
        "3 km",
        "Geprüft am 01.10.2026",
        "Zweite Stelle nicht bestätigt",
        "Bringen Sie Ihre Zeugnisse mit.",
    ):
        assert said in words
    assert '<a href="https://beratung.example.org/" rel="noreferrer noopener">' in html


def test_marks_feedback_buttons_and_times_are_visible(review: Review, browser: Browser) -> None:
    key = add(review, "Ich heiße [Name], meine Nummer ist [Telefon]", "Ja", language="fr")
    alter(review, key, 0, redacted=json.dumps({"name": 1, "phone": 2}))
    alter(review, key, 1, helpful=True, latency_ms=2_340, turn_id=1)
    alter(review, key, 2, kind="button")
    alter(review, key, 3, helpful=False, turn_id=2)
    html, words = page(browser, key), text_of(page(browser, key))
    assert '<mark title="entfernt: Telefonnummer"><bdi lang="de">Telefonnummer</bdi></mark>' in html
    assert "1 × Name, 2 × Telefonnummer" in words
    for said in ("Rückmeldung: hat geholfen", "Rückmeldung: hat nicht geholfen", "Knopf gedrückt", "Antwort nach 2,3 s"):
        assert said in words
    assert "phone number" in page(review.log_in(language="en"), key)


def test_facts_of_the_conversation_stand_on_top(review: Review, browser: Browser) -> None:
    key = add(review, needs=("recognition", "human"), channel="telegram", language="tr", fallbacks=2, unanswered=True, not_helpful=True)
    words = text_of(page(browser, key))
    for said in ("Türkisch", "Telegram", "Anerkennung, Möchte einen Menschen sprechen", "Dortmund", "Frage beantwortet", "vor 30 Minuten"):
        assert said in words
    for flag in ("ohne Antwort", "nicht geholfen", "nicht verstanden"):
        assert flag in words


def test_unknown_values_are_shown_as_they_are(review: Review, browser: Browser) -> None:
    key = add(review, channel="fax", outcome="odd", need="strange", needs=("strange",), language="tlh", state="DE-XX", district="99999")
    alter(review, key, 0, intent="faq/gone", language='x" onload="', kind="odd")
    words = text_of(page(browser, key))
    for said in ("fax", "odd", "strange", "99999", "faq/gone"):
        assert said in words
    assert 'onload="' not in page(browser, key)


@pytest.mark.parametrize("flag", ["crisis", "dangerous"])
def test_danger_stands_on_top(review: Review, browser: Browser, flag: str) -> None:
    html = page(browser, add(review, **{flag: True}))
    assert html.count('class="alarm"') == 1
    assert 'class="alarm"' not in page(browser, add(review))


HOSTILE = (
    "not json",
    "[",
    "null",
    "3",
    '"text"',
    "{}",
    "[1, null, {}]",
    '{"offices": 3, "notes": {"a": 1}}',
    '{"offices": [null, 1, {}], "notes": [null, 2, "<script>"]}',
    '{"offices": [{"name": 3, "languages": "de", "distance_km": "far", "confirmed": "yes", "checked_on": "never", "website": 5}]}',
    '{"offices": [{"name": "<script>x", "website": "javascript:alert(1)", "distance_km": 1e400, "checked_on": "2026-13-45"}]}',
    '{"offices": [{"name": "x", "website": "http://[", "distance_km": NaN, "languages": ["../", 4, "de"], "email": "\\u202ex"}]}',
    '[{"entity": "place", "value": "<script>"}, {"entity": ["a"], "value": {}}, {"entity": "country", "value": "\\ud800"}]',
    '[{"entity": "language", "value": "zz"}, {"entity": "need", "value": "none"}, {"entity": "<b>", "value": null}]',
    '{"name": "many", "phone": -1, "<i>": 2, "email": true, "iban": 1e9}',
    "[" * 100_000,
    '{"offices": [' + '{"name": "' + "x" * 5_000 + '"},' * 1 + "{}]}",
)


@pytest.mark.parametrize("stored", HOSTILE, ids=range(len(HOSTILE)))
def test_broken_columns_are_shown_as_far_as_they_can_be_read(review: Review, browser: Browser, stored: str) -> None:
    key = add(review)
    alter(review, key, 0, entities=stored, redacted=stored)
    alter(review, key, 1, referral=stored, redacted=stored, entities=stored)
    html = page(browser, key)
    assert "<script>" not in html.replace("<script src", "")
    assert "javascript:" not in html
    assert "<i>" not in html


def test_script_and_tricks_with_the_direction_stay_text(review: Review, browser: Browser) -> None:
    key = add(review, "<script>alert(1)</script><img src=x onerror=alert(1)>", "\u202egnp.exe\u202c und \u2066x\u2069 \x07", "می‌خواهم")
    html = page(browser, key)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x" in html
    for hidden in ("\u202e", "\u202c", "\u2066", "\u2069", "\x07"):
        assert hidden not in html
    assert "U+202E" in html
    assert "می‌خواهم" in html, "what Persian is written with stays"


def test_a_very_long_message_is_folded_but_whole(review: Review, browser: Browser) -> None:
    key = add(review, "hallo " * 3_400, "x" * 20_000)
    html = page(browser, key)
    assert html.count("hallo") == 3_400
    assert html.count('<details class="more">') == 2
    assert "18.5" in html


def test_a_long_conversation_comes_in_parts(review: Review, browser: Browser) -> None:
    key = add(review, *[f"Nachricht-{number}." for number in range(45)])
    crisis = alter(review, key, 82, intent="crisis")
    first = page(browser, key)
    assert "Nachricht-0." in first
    assert "Nachricht-20." not in first
    assert f"part=3#turn-{crisis}" in first
    assert "Nachrichten 1 bis 40 von 90" in text_of(first)
    last = page(browser, key, "?part=3")
    assert "Nachricht-44." in last
    assert 'start="81"' in last
    for odd in ("?part=99", "?part=-1", "?part=x", "?part=" + "9" * 50):
        assert browser.get(f"/conversations/{key}{odd}").status_code == 200


def test_an_empty_conversation_is_shown(review: Review, browser: Browser) -> None:
    key = add(review)
    with review.session() as session:
        for turn in session.scalars(select(TranscriptTurn)):
            session.delete(turn)
    assert "wurde nichts geschrieben" in page(browser, key)


def test_a_conversation_that_goes_on_says_so(review: Review, browser: Browser) -> None:
    assert "Das Gespräch läuft noch." in page(browser, add(review, ended_at=None, searchable=False))


def test_reading_changes_nothing(review: Review, browser: Browser) -> None:
    key = add(review)
    page(browser, key)
    assert load(review, key).review_state == NEW
    assert trail(review, key) == []


# ---------------------------------------------------------------- who may

CHANGES = {
    "need": {"verdict": "right"},
    "intent": {"turn": "1", "verdict": "right"},
    "answer": {"turn": "2", "verdict": "helpful"},
    "labels": {"new_label": "Lohn"},
    "notes": {"note": "Hallo"},
    "assign": {"staff": "me"},
    "state": {"review_state": "done"},
    "undo": {},
    "delete": {"reason": "test", "sure": "1"},
}


def test_another_region_does_not_exist(review: Review) -> None:
    key, stranger = add(review), review.log_in(states=["DE-BY"])
    for path in ("", "/next", "/delete"):
        assert stranger.get(f"/conversations/{key}{path}").status_code == 404
    for what, fields in CHANGES.items():
        assert stranger.post(f"/conversations/{key}/{what}", fields).status_code == 404, what
    assert trail(review, key) == []
    assert load(review, key).review_state == NEW


@pytest.mark.parametrize("role", [COORDINATOR, EDITOR, ADMIN])
def test_other_roles_are_refused(review: Review, role: str) -> None:
    key, other = add(review), review.log_in(role)
    for path in ("", "/next", "/delete"):
        assert other.get(f"/conversations/{key}{path}").status_code == 403
    for what, fields in CHANGES.items():
        assert other.post(f"/conversations/{key}/{what}", fields).status_code == 403, what


@pytest.mark.parametrize("key", ["unknown", "a" * 22, "%00", "%F0%9F%98%80", "a" * 300, "%27%20OR%201=1--"])
def test_an_unknown_conversation_is_not_found(browser: Browser, key: str) -> None:
    assert browser.get(f"/conversations/{key}").status_code == 404
    assert browser.post(f"/conversations/{key}/need", {"verdict": "right"}).status_code == 404


def test_nothing_changes_without_the_word_of_the_session(review: Review, browser: Browser) -> None:
    key = add(review)
    for what, fields in CHANGES.items():
        assert browser.post(f"/conversations/{key}/{what}", fields, csrf="wrong").status_code == 403, what
        assert browser.get(f"/conversations/{key}/{what}").status_code == (200 if what == "delete" else 405)
    assert trail(review, key) == []


# ---------------------------------------------------------------- judging


def test_the_need_is_right_with_one_click(review: Review, browser: Browser) -> None:
    key = add(review)
    where = send(browser, key, "need", verdict="right")
    assert where.path.endswith(f"/conversations/{key}")
    assert where.fragment == "judgement"
    found = load(review, key)
    assert (found.need_right, found.review_state) == (True, IN_REVIEW)
    assert 'value="none" data-key="r"' in page(browser, key), "the next click takes it back"
    send(browser, key, "need", verdict="none")
    assert load(review, key).need_right is None
    assert [action for action, _ in trail(review, key)] == ["transcript.need", "transcript.need"]


def test_the_need_is_wrong_and_another_is_right(review: Review, browser: Browser) -> None:
    key = add(review)
    send(browser, key, "need", verdict="wrong", right_need="fair_integration")
    assert load(review, key).right_need == "fair_integration"
    assert "Beurteilt: falsch, richtig ist Faire Integration" in text_of(page(browser, key))


@pytest.mark.parametrize(("language", "sentence"), [("de", "welches Anliegen richtig wäre"), ("en", "which need would be right")])
def test_wrong_without_which_is_explained(review: Review, language: str, sentence: str) -> None:
    key = add(review)
    answer = review.log_in(language=language).post(f"/conversations/{key}/need", {"verdict": "wrong"})
    assert answer.status_code == 422
    assert sentence in answer.text
    assert load(review, key).review_state == NEW
    assert trail(review, key) == []


def test_an_intent_is_judged_at_its_message(review: Review, browser: Browser) -> None:
    key = add(review, *[str(number) for number in range(30)])
    turn = turns(review, key)[50]
    where = send(browser, key, "intent", turn=turn.id, verdict="wrong", right_intent="faq/dismissal")
    assert (parse_qs(where.query), where.fragment) == ({"part": ["2"]}, f"turn-{turn.id}")
    found = verdict(review, turn.id)
    assert found is not None
    assert (found.intent_right, found.right_intent) == (False, "faq/dismissal")
    assert "Falsch, gemeint war: Kündigung" in page(browser, key, "?part=2")
    send(browser, key, "intent", turn=turn.id, verdict="right")
    assert trail(review, key)[-1] == ("transcript.intent", {"turn": 50, "right": True, "right_intent": None})


@pytest.mark.parametrize("intent", ["", "nlu_fallback", "made_up", "faq/made_up", "<script>"])
def test_an_intent_that_does_not_exist_is_explained(review: Review, browser: Browser, intent: str) -> None:
    key = add(review)
    turn = turns(review, key)[0]
    answer = browser.post(f"/conversations/{key}/intent", {"turn": turn.id, "verdict": "wrong", "right_intent": intent})
    assert answer.status_code == 422
    assert "was gemeint war" in answer.text


def test_a_dangerous_answer_is_flagged_and_told_until_it_is_taken_back(review: Review, browser: Browser) -> None:
    key = add(review)
    turn = turns(review, key)[1]
    where = send(browser, key, "answer", turn=turn.id, verdict="dangerous")
    assert where.fragment == f"turn-{turn.id}"
    assert load(review, key).dangerous
    with review.session() as session:
        assert [(row.kind, row.object_key, row.state) for row in session.scalars(select(Notification))] == [("dangerous", key, "DE-NW")]
    html = page(browser, key)
    assert "Gefährliche Antwort:" in html
    assert f"#turn-{turn.id}" in html
    send(browser, key, "answer", turn=turn.id, verdict="none")
    assert not load(review, key).dangerous
    assert verdict(review, turn.id) is None


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("need", {}),
        ("need", {"verdict": "maybe"}),
        ("intent", {"verdict": "right"}),
        ("intent", {"verdict": "right", "turn": "x"}),
        ("intent", {"verdict": "right", "turn": "-1"}),
        ("intent", {"verdict": "right", "turn": "9" * 40}),
        ("intent", {"verdict": "right", "turn": "²"}),
        ("intent", {"verdict": "right", "turn": "123456789"}),
        ("answer", {"verdict": "helpful", "turn": "\x00"}),
        ("assign", {"staff": "x"}),
        ("assign", {"staff": "99999"}),
        ("state", {}),
        ("state", {"review_state": "closed", "onward": "1"}),
        ("labels", {}),
        ("labels", {"label": "99999"}),
        ("labels", {"label": "' OR 1=1"}),
        ("labels", {"new_label": "x" * 41}),
        ("labels", {"new_label": "\x00\x01"}),
        ("notes", {}),
        ("notes", {"note": " \n "}),
        ("notes", {"note": "x" * 4_001}),
        ("notes", {"remove": "99999"}),
        ("notes", {"remove": "x"}),
        ("undo", {}),
        ("delete", {}),
        ("delete", {"reason": "test"}),
        ("delete", {"reason": "<b>", "sure": "1"}),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(review: Review, browser: Browser, what: str, fields: dict[str, str]) -> None:
    key = add(review)
    assert browser.post(f"/conversations/{key}/{what}", fields).status_code in (404, 422)
    assert trail(review, key) == []
    assert load(review, key).review_state == NEW


def test_a_message_of_another_conversation_is_not_judged_here(review: Review, browser: Browser) -> None:
    key, other = add(review), add(review)
    for what, position in (("intent", 0), ("answer", 1)):
        fields = {"turn": turns(review, other)[position].id, "verdict": "right" if what == "intent" else "helpful"}
        assert browser.post(f"/conversations/{key}/{what}", fields).status_code == 404
    with review.session() as session:
        assert session.scalars(select(Verdict)).all() == []


def test_what_has_no_text_any_more_is_not_judged(review: Review, browser: Browser) -> None:
    key = add(review, consent=False)
    answer = browser.post(f"/conversations/{key}/answer", {"turn": turns(review, key)[1].id, "verdict": "helpful"})
    assert answer.status_code == 422
    assert "nicht (mehr) gespeichert" in answer.text


# ---------------------------------------------------------------- sorting, noting, assigning


def test_a_label_is_made_chosen_and_taken_off(review: Review, browser: Browser) -> None:
    key, other = add(review), add(review)
    send(browser, key, "labels", new_label="Lohn <b>")
    assert "Lohn &lt;b&gt;" in page(browser, key)
    with review.session() as session:
        label_id = labels.all_labels(session)[0].id
    send(browser, other, "labels", label=str(label_id))
    send(browser, key, "labels", remove=str(label_id))
    with review.session() as session:
        assert labels.of(session, load(review, key).id) == []
        assert [one.id for one in labels.of(session, load(review, other).id)] == [label_id]
    assert load(review, key).review_state == NEW, "only a judgement begins the review"
    assert trail(review, key) == [("transcript.label_add", {"label": label_id}), ("transcript.label_remove", {"label": label_id})]


def test_a_note_is_kept_without_personal_data(review: Review, browser: Browser) -> None:
    key = add(review)
    send(browser, key, "notes", note="Bitte prüfen <b>!\nTelefon 0231 4567890")
    with review.session() as session:
        note = session.scalars(select(Note)).one()
    assert "4567890" not in note.text
    html = page(browser, key)
    assert "Bitte prüfen &lt;b&gt;!" in html
    assert "Berta Beraterin" in html
    assert trail(review, key) == [("transcript.note_add", {"note": note.id, "taken_out": {"phone": 1}})]
    other = review.log_in()
    assert other.post(f"/conversations/{key}/notes", {"remove": note.id}).status_code == 422
    send(browser, key, "notes", remove=note.id)
    assert "Bitte prüfen" not in page(browser, key)


def test_a_note_that_is_too_long_is_not_lost(review: Review, browser: Browser) -> None:
    answer = browser.post(f"/conversations/{add(review)}/notes", {"note": "Anfang" + "x" * 4_000})
    assert answer.status_code == 422
    assert ">Anfang" in answer.text


def test_a_conversation_is_assigned(review: Review, browser: Browser) -> None:
    key = add(review)
    with review.session() as session:
        near, far = make_staff(session, name="Nahe", states=["DE-NW"]).id, make_staff(session, name="Ferne", states=["DE-BY"]).id
    html = page(browser, key)
    assert "Nahe" in html
    assert "Ferne" not in html
    for given, expected in (("me", browser.staff_id), (str(near), near), ("nobody", None)):
        send(browser, key, "assign", staff=given)
        assert load(review, key).assigned_to == expected
    assert browser.post(f"/conversations/{key}/assign", {"staff": far}).status_code == 422


# ---------------------------------------------------------------- going on


def test_done_and_next_leads_to_the_next_of_the_list(review: Review, browser: Browser) -> None:
    first = add(review, language="tr", last_activity_at=NOW - timedelta(hours=1))
    add(review, language="ar", last_activity_at=NOW - timedelta(hours=2))
    second = add(review, language="tr", last_activity_at=NOW - timedelta(hours=3))
    assert 'name="filter" value="language=tr"' in page(browser, first, "?language=tr")
    where = send(browser, first, "state", review_state="done", onward="1", filter="language=tr")
    assert where.path.endswith(f"/conversations/{second}")
    assert parse_qs(where.query) == {"language": ["tr"], "done": ["conversation_state_done"]}
    found = load(review, first)
    assert (found.review_state, found.reviewed_by) == (DONE, browser.staff_id)
    where = send(browser, second, "state", review_state="done", onward="1", filter="language=tr")
    assert where.path.endswith("/conversations")
    assert parse_qs(where.query)["done"] == ["conversation_none_left"]


def test_next_passes_over_this_one_and_changes_nothing(review: Review, browser: Browser) -> None:
    first, second = add(review), add(review, last_activity_at=NOW - timedelta(hours=5))
    add(review, review_state=DONE, last_activity_at=NOW - timedelta(hours=6))
    answer = browser.get(f"/conversations/{first}/next")
    assert answer.headers["location"].endswith(f"/conversations/{second}")
    assert load(review, first).review_state == NEW


def test_a_filter_from_the_address_leads_nowhere_else(review: Review, browser: Browser) -> None:
    key = add(review)
    where = send(browser, key, "state", review_state="done", filter="//evil.example/?x=1&q=\r\nSet-Cookie: a=b")
    assert where.netloc == ""
    assert where.path.endswith(f"/conversations/{key}")


def test_changes_are_taken_back_one_after_the_other(review: Review, browser: Browser) -> None:
    key = add(review)
    turn = turns(review, key)[1]
    assert "/undo" not in page(browser, key)
    send(browser, key, "answer", turn=turn.id, verdict="dangerous")
    send(browser, key, "labels", new_label="Lohn")
    assert 'data-key="u"' in page(browser, key)
    send(browser, key, "undo")
    with review.session() as session:
        assert labels.of(session, load(review, key).id) == []
    assert load(review, key).dangerous
    send(browser, key, "undo")
    assert not load(review, key).dangerous
    assert load(review, key).review_state == NEW
    assert browser.post(f"/conversations/{key}/undo").status_code == 422
    assert [details for action, details in trail(review, key) if action == "transcript.undo"] == [
        {"taken_back": ["label"]},
        {"taken_back": ["review", "verdict"]},
    ]


# ---------------------------------------------------------------- deleting


def test_a_conversation_is_deleted_with_a_reason_after_a_question(review: Review, browser: Browser) -> None:
    key = add(review, "Ein Wort, das bleibt")
    send(browser, key, "need", verdict="right")
    question = browser.get(f"/conversations/{key}/delete")
    assert question.status_code == 200
    for reason in REASONS:
        assert f'value="{reason}"' in question.text
    where = send(browser, key, "delete", reason="personal_data", sure="1", filter="language=de")
    assert where.path.endswith("/conversations")
    assert browser.get(f"/conversations/{key}").status_code == 404
    with review.session() as session:
        entries = audit.entries(session)
        assert session.scalars(select(TranscriptTurn)).all() == []
    assert (entries[0].action, entries[0].staff_name, entries[0].details["reason"]) == (
        "transcript.delete",
        "Berta Beraterin",
        "personal_data",
    )
    assert all(entry.object_key != key for entry in entries)


# ---------------------------------------------------------------- words and keys


def test_every_intent_has_a_name_in_both_languages() -> None:
    for language in texts.LANGUAGES:
        for intent in conversation_view.intents():
            assert conversation_view.intent_name(intent, language) != intent, intent
        offered = [value for _, options in conversation_view.intent_choices(language) for value, _ in options]
        assert sorted(offered) == sorted(conversation_view.intents())


def test_every_problem_and_every_kind_of_mark_has_words(review: Review) -> None:
    for kind in conversation_view.MARKS.values():
        assert texts.has(f"conversation.kind.{kind}")
    for reason in ("empty", "long", "taken", "many", "gone"):
        assert texts.has(f"conversation.problem.label_{reason}")


@pytest.mark.parametrize("language", ["de", "en"])
def test_the_page_speaks_both_languages_and_has_its_keys(review: Review, language: str) -> None:
    key, browser = add(review), review.log_in(language=language)
    send(browser, key, "labels", new_label="Lohn")
    html = page(browser, key)
    assert f'<html lang="{language}">' in html
    assert html.count("<h1") == 1
    for pressed in "ndrwlcaujk":
        assert html.count(f'data-key="{pressed}"') == 1, pressed
    assert "conversation." not in text_of(html)
