"""Directory administration: the list, one office, its form, "checked today", closing and deleting."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from actions.directory import importer, offices
from actions.directory.database import engine, session
from actions.directory.office_edit import version
from actions.directory.office_rows import COLUMNS, OfficeRow, PlaceIndex, Row, check_row
from actions.directory.places import resolve
from bot.languages import LANGUAGES
from bot.review import directory_problems, texts
from bot.transcripts import audit
from bot.transcripts.staff_models import COORDINATOR, EDITOR, REVIEWER
from tests.directory.factories import WRONG_CELLS, cells, minimal, write_csv
from tests.review.support import Browser, Review, open_review, text_of

pytest_plugins = ["tests.directory.factories", "tests.postgres"]

DORTMUND = "recognition-nw-dortmund"
OFFICE = f"/directory/office/{DORTMUND}"


def take(url: str, folder: Path, *rows: dict[str, str]) -> None:
    """Import rows as the command line does."""
    with session(url) as opened:
        found, problems = importer.validate(opened, importer.read_rows(write_csv(folder / "t.csv", rows)))
        assert not [p for p in problems if not p.warning]
        importer.apply(opened, importer.plan(opened, found))


@pytest.fixture
def review(home: Path, directory_url: str, tmp_path: Path) -> Iterator[Review]:
    """A review on a directory with four offices."""
    take(
        directory_url,
        tmp_path,
        cells(professions=""),
        minimal(1, name="Hotline Eins & Co", remark="1 < 2"),
        minimal(2, name="Überall", confirmed="false", confidence="low"),
        minimal(3, name="Vorbei", valid_until="2026-05-01"),
    )
    with open_review(home, directory_url=directory_url) as opened:
        yield opened
    engine(directory_url).dispose()


@pytest.fixture
def editor(review: Review) -> Browser:
    return review.log_in(EDITOR, name="Ayşe Demir")


def stored(review: Review, office_id: str = DORTMUND) -> OfficeRow:
    with session(review.settings.directory_url) as opened:
        return importer.stored_offices(opened)[office_id]


def fields_of(page: str) -> dict[str, list[str]]:
    """Return the fields of the office form as a browser would send them."""
    form = page[page.index('class="office-form"') :]
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        values = {name: html.unescape(value) for name, value in re.findall(r'([a-z]+)="([^"]*)"', tag)}
        if "name" in values and (values.get("type") != "checkbox" or " checked" in tag):
            found.setdefault(values["name"], []).append(values.get("value", ""))
    for name, value in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>([^<]*)</textarea>', form):
        found[name] = [html.unescape(value)]
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected>', options)
        found[name] = [chosen.group(1) if chosen else ""]
    return found


def send(browser: Browser, path: str = f"{OFFICE}/edit", fields: dict[str, list[str]] | None = None, **differences: Any) -> Any:
    """Open the form, type some fields over, and send it."""
    data = fields or fields_of(browser.get(path).text)
    return browser.post(path, {**data, **differences, "csrf": browser.csrf()})


def entries(review: Review) -> list[audit.Entry]:
    with review.session() as opened:
        return audit.entries(opened)


# Who may


@pytest.mark.parametrize("role", [REVIEWER, COORDINATOR])
def test_only_editors_see_the_directory(review: Review, role: str) -> None:
    browser = review.log_in(role)
    for path in ("/directory", "/directory/stale", "/directory/new", OFFICE, f"{OFFICE}/edit"):
        assert browser.get(path).status_code == 403
    for path in ("/directory/new", f"{OFFICE}/edit", f"{OFFICE}/checked", f"{OFFICE}/close", f"{OFFICE}/delete"):
        assert browser.post(path).status_code == 403


def test_a_form_without_the_words_of_the_session_changes_nothing(review: Review, editor: Browser) -> None:
    before = stored(review)
    for path in ("checked", "delete", "close", "edit"):
        assert editor.post(f"{OFFICE}/{path}", {"version": version(before)}, csrf="x").status_code == 403
    assert stored(review) == before


# The list


def test_the_list_shows_the_offices_in_both_languages(review: Review, editor: Browser) -> None:
    page = editor.get("/directory")
    assert page.status_code == 200
    assert "4 Stellen" in text_of(page.text)
    assert "nicht bestätigt Quelle: gering" in text_of(page.text)
    english = review.log_in(EDITOR, language="en").get("/directory")
    assert "4 offices" in text_of(english.text)


FILTERS: list[tuple[str, list[str] | None]] = [
    ("q=DORTMUND", ["Anerkennungsberatung Dortmund"]),
    ("q=ueberall", ["Überall"]),
    ("confirmed=no", ["Überall"]),
    ("status=expired", ["Vorbei"]),
    ("kind=recognition_counselling&state=DE-NW&need=recognition", ["Anerkennungsberatung Dortmund"]),
    ("q=gibtesnicht", []),
    ("kind=nonsense&state=XX&page=-3&order=drop&confirmed=%00", None),
    ("page=999999999999999999999999", None),
    ("q=%27%3B+DROP+TABLE+office%3B--", []),
]


def test_the_list_is_filtered_by_its_address_and_what_it_does_not_know_restricts_nothing(editor: Browser) -> None:
    for query, shown in FILTERS:
        page = editor.get(f"/directory?{query}")
        names = re.findall(r'<th scope="row"><a[^>]*><bdi lang="de">([^<]*)<', page.text)
        assert page.status_code == 200
        assert names == shown if shown is not None else len(names) == 4, query


def test_what_an_office_says_is_never_markup(review: Review, editor: Browser) -> None:
    with session(review.settings.directory_url) as opened:
        opened.connection().exec_driver_sql("UPDATE office SET name = '<script>alert(1)</script>' WHERE id = 'hotline-1'")
    for path in ("/directory", "/directory/office/hotline-1", "/directory/office/hotline-1/edit", "/directory/stale?days=1"):
        assert "<script>alert" not in editor.get(path).text


# One office


def test_an_office_is_shown_as_in_the_chat_and_in_full(editor: Browser) -> None:
    page = text_of(editor.get(OFFICE).text)
    for word in ("Königswall 1, 44137 Dortmund", "Mo–Fr 09:00–17:00; Sa 10:00–12:00", "Türkisch", "Eingang im Hof", "Stand: 03.02.2026"):
        assert word in page
    assert "nicht mehr: Sie ist am 01.05.2026 abgelaufen" in text_of(editor.get("/directory/office/hotline-3").text)
    assert "Bitte vorher nachfragen" in text_of(editor.get("/directory/office/hotline-2").text)


def test_an_office_that_does_not_exist_is_not_found(editor: Browser) -> None:
    for key in ("unknown", "A", "..%2f..", "x" * 200, "%00", "ä"):
        for path in ("", "/edit"):
            assert editor.get(f"/directory/office/{key}{path}").status_code == 404
        assert editor.post(f"/directory/office/{key}/checked", {"version": "x"}).status_code == 404


# The form


def test_a_form_sent_as_it_came_changes_nothing_and_says_so(review: Review, editor: Browser) -> None:
    before = stored(review)
    answer = send(editor)
    assert answer.headers["location"].endswith(f"{OFFICE}?done=directory_same")
    assert stored(review) == before
    assert entries(review) == []


def test_a_change_is_live_in_the_chat_audited_and_can_be_undone_at_once(review: Review, editor: Browser) -> None:
    answer = send(editor, street="Neuer Weg 7")
    assert answer.status_code == 303
    with session(review.settings.directory_url) as opened:
        place = resolve(opened, "44137").place
        found = offices.find(opened, "recognition", place).public()["offices"]
    assert "Neuer Weg 7" in [office["street"] for office in found]
    entry = entries(review)[0]
    assert (entry.action, entry.object_key, entry.staff_name) == ("office.change", DORTMUND, "Ayşe Demir")
    assert entry.details["fields"] == ["street"]
    assert "Neuer Weg" not in str(entry.details)
    page = editor.get(answer.headers["location"].removeprefix("/review"))
    action = re.search(r'action="/review(/directory/history/\d+/undo)"', page.text)
    assert action is not None
    assert editor.post(action.group(1)).status_code == 303
    assert stored(review).street == "Königswall 1"


def test_mistakes_are_told_at_their_fields_and_nothing_typed_is_lost(review: Review, editor: Browser) -> None:
    typed = {"phone": "abc", "postcode": "1067", "source_url": "", "street": "Noch <nicht> gespeichert", "districts": "Karlsruhe\nUnna"}
    answer = send(editor, **typed, confirmed="true", confidence="low")
    assert answer.status_code == 422
    words = text_of(answer.text)
    for message in (
        "Postleitzahl : Eine Postleitzahl hat fünf Ziffern",
        "Bitte nur Ziffern",
        "Ohne Quelle wird nichts gespeichert",
        "Bei geringer Güte der Quelle kann nichts bestätigt sein",
        "08212 Karlsruhe",
    ):
        assert re.sub(r"\W+", " ", message) in re.sub(r"\W+", " ", words)
    assert 'id="postcode" name="postcode" value="1067"' in answer.text
    again = fields_of(answer.text)
    for name, value in {**typed, "confidence": "low", "confirmed": "true"}.items():
        assert again[name] == [value]
    assert again["languages"] == fields_of(editor.get(f"{OFFICE}/edit").text)["languages"]
    english = review.log_in(EDITOR, language="en")
    assert "Nothing is saved without a source" in send(english, source_url="").text


def test_every_reason_of_the_importer_has_words_in_both_languages(editor: Browser) -> None:
    with session(editor.review.settings.directory_url) as opened:
        places = PlaceIndex(opened)
        places.titles = {"Hebamme"}
        for column, value, _ in [*WRONG_CELLS, ("city", "Atlantis", ""), ("professions", "Zauberer", "")]:
            _, problems = check_row(Row(2, cells(**{column: value})), places, date(2026, 3, 1))
            assert problems
            for problem in problems:
                assert directory_problems.reason_key(problem.reason) is not None, problem.reason
                german, english = (directory_problems.problem_text(problem, language) for language in texts.LANGUAGES)
                assert german != english


def test_every_column_and_value_has_a_name_in_both_languages() -> None:
    for column in COLUMNS:
        assert texts.has(f"directory.field.{column}")
    own = {key: forms for key, forms in texts.source().items() if key.startswith(("directory.", "done.directory"))}
    for key, forms in own.items():
        assert set(forms) == set(texts.LANGUAGES), key
        assert all(text.strip() for text in forms.values()), key
        german, english = (set(re.findall(r"{\w+}", forms[language])) for language in texts.LANGUAGES)
        assert german == english, key


def test_the_form_offers_the_languages_of_the_guide(editor: Browser) -> None:
    page = editor.get("/directory/new").text
    assert all(f'name="languages" value="{code}"' in page for code in LANGUAGES)


HOSTILE: list[dict[str, Any]] = [
    {},
    {"name": ["x"] * 50, "needs": ["recognition"] * 100},
    {"name": "\x00\x1b[31m" + "A" * 5000, "kind": "x" * 5000, "coverage": ["DE", "../../etc", "05913"]},
    {"districts": "\n".join(["Dortmund"] * 4000)},
    {"checked_on": "9999-99-99", "valid_from": "0000-00-00", "valid_until": "∞"},
    {"phone": "+" * 3000, "email": "@" * 3000, "website": "http://[::1"},
    {"languages": ["de", "__class__", "{0}"], "more_languages": "{evil}\n%s"},
    {"source_url": "https://user:pw@x.de", "postcode": "٤٤١٣٧"},
]


def test_hostile_forms_get_a_clear_answer(review: Review, editor: Browser) -> None:
    before = stored(review)
    for fields in HOSTILE:
        data = {"version": version(before), "csrf": editor.csrf(), **fields}
        assert editor.post(f"{OFFICE}/edit", data).status_code == 422
        assert editor.post("/directory/new", data).status_code == 422
    assert stored(review) == before


def test_more_than_any_office_can_hold_is_refused(editor: Browser) -> None:
    assert send(editor, remark="x" * 50_000).status_code == 400


def test_a_file_in_the_place_of_a_text_is_no_text(editor: Browser) -> None:
    assert editor.post(f"{OFFICE}/edit", {"version": "x"}, files={"name": ("a.txt", b"x")}).status_code == 409


def test_pasted_spaces_and_invisible_characters_do_no_harm(review: Review, editor: Browser) -> None:
    assert send(editor, street="Neuer\u00a0Weg\u200b 7").status_code == 303
    assert stored(review).street == "Neuer Weg 7"


def test_who_saves_upon_an_older_version_sees_both_and_may_then_save(review: Review, editor: Browser) -> None:
    mine = fields_of(editor.get(f"{OFFICE}/edit").text)
    other = review.log_in(EDITOR, name="Tom Weber")
    assert send(other, carrier="Toms Träger").status_code == 303
    answer = send(editor, fields=mine, street="Mein Weg 1")
    assert answer.status_code == 409
    words = text_of(answer.text)
    assert "Tom Weber" in words
    assert "Träger Toms Träger Beispielträger e. V." in words
    assert "Straße und Hausnummer Königswall 1 Mein Weg 1" in words
    assert stored(review).carrier == "Toms Träger"
    assert send(editor, fields=fields_of(answer.text)).status_code == 303
    assert (stored(review).carrier, stored(review).street) == ("Beispielträger e. V.", "Mein Weg 1")


def test_who_edits_an_office_that_was_deleted_can_make_it_anew(review: Review, editor: Browser) -> None:
    mine = fields_of(editor.get(f"{OFFICE}/edit").text)
    editor.post(f"{OFFICE}/delete", {"version": version(stored(review))})
    answer = send(editor, fields=mine, street="Mein Weg 1")
    assert answer.status_code == 409
    made = send(editor, "/directory/new", fields_of(answer.text))
    assert made.status_code == 303
    assert stored(review, "anerkennungsberatung-dortmund").street == "Mein Weg 1"


def test_a_new_office_is_added_with_an_id_of_its_name_and_town(review: Review, editor: Browser) -> None:
    fields = {
        "name": "Beratung Köln", "kind": "recognition_counselling", "needs": ["recognition", "qualification"], "city": "Köln",
        "postcode": "50667", "state": "DE-NW", "districts": "Köln", "add_district": "05913 Kreisfreie Stadt Dortmund",
        "website": "beratung.example.org", "source_url": "https://beratung.example.org/impressum", "confidence": "high",
        "confirmed": "true",
    }  # fmt: skip
    answer = send(editor, "/directory/new", **fields)
    assert answer.status_code == 303
    made = stored(review, "beratung-koeln")
    assert (made.coverage, made.websites, made.languages) == (("05315", "05913"), ("https://beratung.example.org",), ("de",))
    assert made.checked_on.isoformat() == "2026-11-22"
    assert entries(review)[0].action == "office.create"
    assert "Die Stelle ist angelegt" in editor.get(answer.headers["location"].removeprefix("/review")).text


# Checked today, closing, deleting


def test_checked_today_takes_one_click_and_leads_back(review: Review, editor: Browser) -> None:
    page = editor.get("/directory/stale")
    assert "4 Stellen, seit mehr als 180 Tagen nicht geprüft" in text_of(page.text)
    form = {"version": version(stored(review)), "back": "/directory/stale?days=180&page=1"}
    answer = editor.post(f"{OFFICE}/checked", form)
    assert answer.headers["location"] == "/review/directory/stale?days=180&page=1&change=5&done=directory_checked"
    assert stored(review).checked_on.isoformat() == "2026-11-22"
    assert entries(review)[0].action == "office.check"
    assert "3 Stellen, seit mehr" in text_of(editor.get("/directory/stale").text)


def test_checked_today_never_leads_elsewhere(review: Review, editor: Browser) -> None:
    for back in ("https://evil.example", "//evil.example", "/conversations", "/directory\\evil", ""):
        answer = editor.post(f"{OFFICE}/checked", {"version": version(stored(review)), "back": back})
        assert answer.headers["location"].startswith(f"/review{OFFICE}?")


def test_an_office_that_changed_since_it_was_shown_is_not_checked_closed_or_deleted(review: Review, editor: Browser) -> None:
    seen = version(stored(review))
    send(editor, street="Neuer Weg 7")
    before = stored(review)
    for word in ("checked", "close", "delete"):
        answer = editor.post(f"{OFFICE}/{word}", {"version": seen, "until": "2026-12-31"})
        assert answer.status_code == 409
        assert "Es ist nichts gespeichert" in answer.text
    assert stored(review) == before


def test_a_closed_office_is_not_shown_in_the_chat_any_more(review: Review, editor: Browser) -> None:
    answer = editor.post(f"{OFFICE}/close", {"version": version(stored(review)), "until": "2026-11-21"})
    assert answer.status_code == 303
    with session(review.settings.directory_url) as opened:
        assert offices.by_ids(opened, [DORTMUND], on=review.clock().date()) == []
    for day in ("2020-01-01", "morgen", ""):
        wrong = editor.post(f"{OFFICE}/close", {"version": version(stored(review)), "until": day})
        assert wrong.status_code == 422


def test_a_deleted_office_is_gone_and_can_be_brought_back(review: Review, editor: Browser) -> None:
    before = stored(review)
    answer = editor.post(f"{OFFICE}/delete", {"version": version(before)})
    assert editor.get(OFFICE).status_code == 404
    page = editor.get(answer.headers["location"].removeprefix("/review"))
    action = re.search(r'action="/review(/directory/history/\d+/undo)"', page.text)
    assert action is not None
    editor.post(action.group(1))
    assert stored(review) == before
    assert [entry.action for entry in entries(review)] == ["office.undo", "office.delete"]


def test_nothing_is_changed_if_the_audit_entry_cannot_be_written(review: Review, editor: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    before = stored(review)
    fields = fields_of(editor.get(f"{OFFICE}/edit").text)
    monkeypatch.setattr(audit, "write", lambda *_, **__: 1 / 0)
    assert send(editor, fields=fields, street="Neuer Weg 7").status_code == 500
    assert stored(review) == before
