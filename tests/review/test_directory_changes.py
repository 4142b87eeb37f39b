"""History and undo, import with preview, and export of the directory in the review."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from actions.directory import changes, importer, office_edit
from actions.directory.database import engine, session
from actions.directory.office_rows import OfficeRow
from bot.review import directory_problems
from bot.transcripts import audit
from bot.transcripts.staff_models import EDITOR, REVIEWER
from tests.directory.factories import cells, minimal, write_csv, write_xlsx
from tests.review.support import Browser, Review, open_review, text_of

pytest_plugins = ["tests.directory.factories", "tests.postgres"]

DORTMUND = "recognition-nw-dortmund"


def take(url: str, folder: Path, *rows: dict[str, str]) -> None:
    with session(url) as opened:
        found, _ = importer.validate(opened, importer.read_rows(write_csv(folder / "t.csv", rows)))
        importer.apply(opened, importer.plan(opened, found))


@pytest.fixture
def review(home: Path, directory_url: str, tmp_path: Path) -> Iterator[Review]:
    take(directory_url, tmp_path, cells(professions=""), minimal(1), minimal(2))
    with open_review(home, directory_url=directory_url) as opened:
        yield opened
    engine(directory_url).dispose()


@pytest.fixture
def editor(review: Review) -> Browser:
    return review.log_in(EDITOR, name="Ayşe Demir")


def stored(review: Review) -> dict[str, OfficeRow]:
    with session(review.settings.directory_url) as opened:
        return importer.stored_offices(opened)


def check(browser: Browser, office_id: str = DORTMUND) -> int:
    """Mark an office as checked; return the id of the change."""
    office = stored(browser.review)[office_id]
    answer = browser.post(f"/directory/office/{office_id}/checked", {"version": office_edit.version(office)})
    found = re.search(r"change=(\d+)", answer.headers["location"])
    assert found is not None
    return int(found.group(1))


def upload(browser: Browser, content: bytes, mode: str = "merge", name: str = "new.csv") -> Any:
    return browser.post("/directory/import", {"mode": mode}, files={"file": (name, content)})


def table(folder: Path, *rows: dict[str, str]) -> bytes:
    return write_csv(folder / "new.csv", rows).read_bytes()


def hidden(page: str) -> dict[str, str]:
    """Return what the button of a preview sends."""
    form = page[page.index("/directory/import/apply") :]
    return dict(re.findall(r'name="(upload|mode|seal)" value="([^"]*)"', form[: form.index("</form>")]))


def uploads(review: Review) -> list[Path]:
    return list((review.settings.home / "uploads").glob("*"))


# History


def test_only_editors_see_history_import_and_export(review: Review) -> None:
    browser = review.log_in(REVIEWER)
    for path in ("/directory/history", "/directory/import", "/directory/export.csv"):
        assert browser.get(path).status_code == 403
    for path in ("/directory/history/1/undo", "/directory/import", "/directory/import/apply", "/directory/import/cancel"):
        assert browser.post(path).status_code == 403


def test_the_history_says_who_changed_what(review: Review, editor: Browser) -> None:
    check(editor)
    page = text_of(editor.get("/directory/history").text)
    assert "geprüft Ayşe Demir, 22.11.26, 13:00" in page
    assert "vorher: 03.02.2026 nachher: 22.11.2026" in page
    assert "Import hinzugefügt Befehlszeile" in page
    english = text_of(review.log_in(EDITOR, language="en").get("/directory/history").text)
    assert "before: 3 Feb 2026 after: 22 Nov 2026" in english
    assert "Command line" in english


def test_the_history_of_one_office_and_of_one_person_is_shown_alone(editor: Browser) -> None:
    check(editor)
    assert editor.get(f"/directory/history?office={DORTMUND}").text.count('class="card change"') == 2
    assert editor.get("/directory/history?who=Ay%C5%9Fe+Demir").text.count('class="card change"') == 1
    for query in ("office=%00&who=%00", "office=<script>", "before=0", "before=99999999999999999999", "before=x", "who=" + "x" * 5000):
        assert editor.get(f"/directory/history?{query}").status_code == 200


def test_a_long_history_has_pages(editor: Browser, tmp_path: Path) -> None:
    take(editor.review.settings.directory_url, tmp_path, *(minimal(number) for number in range(10, 60)))
    first = editor.get("/directory/history").text
    assert first.count('class="card change"') == 40
    older = re.search(r'href="/review(/directory/history\?before=\d+)"', first)
    assert older is not None
    assert editor.get(older.group(1)).text.count('class="card change"') == 13


def test_a_change_is_undone_with_an_entry_in_the_audit_trail(review: Review, editor: Browser) -> None:
    change_id = check(editor)
    answer = editor.post(f"/directory/history/{change_id}/undo")
    assert answer.headers["location"] == f"/review/directory/office/{DORTMUND}?change={change_id + 1}&done=directory_undone"
    assert stored(review)[DORTMUND].checked_on.isoformat() == "2026-02-03"
    with review.session() as opened:
        entry = audit.entries(opened)[0]
    assert (entry.action, entry.object_key, entry.details) == ("office.undo", DORTMUND, {"change": change_id + 1, "undone": change_id})


def test_an_undo_that_is_not_possible_says_why(review: Review, editor: Browser, tmp_path: Path) -> None:
    change_id = check(editor)
    take(review.settings.directory_url, tmp_path, cells(professions="", checked_on="2026-11-01"))
    answer = editor.post(f"/directory/history/{change_id}/undo")
    assert answer.status_code == 409
    assert "Danach hat Befehlszeile dieselben Angaben geändert" in text_of(answer.text)
    assert stored(review)[DORTMUND].checked_on.isoformat() == "2026-11-01"
    editor.post(f"/directory/history/{change_id + 1}/undo")
    editor.post(f"/directory/history/{change_id}/undo")
    again = editor.post(f"/directory/history/{change_id}/undo")
    assert (again.status_code, "schon rückgängig" in again.text) == (409, True)


def test_an_unknown_change_is_not_found(editor: Browser) -> None:
    for key in ("999", "99999999999999999999999", "0", "-1", "x"):
        assert editor.post(f"/directory/history/{key}/undo").status_code == 404


# Import


def test_a_preview_changes_nothing_and_the_confirmation_applies_it(review: Review, editor: Browser, tmp_path: Path) -> None:
    before = stored(review)
    page = upload(editor, table(tmp_path, minimal(1, name="Neuer Name"), minimal(3)))
    assert page.status_code == 200
    assert "Hinzugefügt: 1. Geändert: 1. Entfernt: 0." in text_of(page.text)
    assert "vorher: Hotline 1 nachher: Neuer Name" in text_of(page.text)
    assert stored(review) == before
    assert [path.stat().st_mode & 0o077 for path in uploads(review)] == [0]
    answer = editor.post("/directory/import/apply", hidden(page.text))
    assert answer.headers["location"] == "/review/directory/history?done=directory_imported"
    assert set(stored(review)) == {DORTMUND, "hotline-1", "hotline-2", "hotline-3"}
    assert stored(review)["hotline-1"].name == "Neuer Name"
    assert uploads(review) == []
    with session(review.settings.directory_url) as opened:
        newest = changes.history(opened, limit=2)
    assert {(c.who, c.action) for c in newest} == {("Ayşe Demir", "import")}
    with review.session() as opened:
        entry = audit.entries(opened)[0]
    assert (entry.action, entry.details) == ("directory.import", {"mode": "merge", "added": 1, "changed": 1, "removed": 0})


def test_replacing_removes_the_offices_that_the_table_lacks(review: Review, editor: Browser, tmp_path: Path) -> None:
    page = upload(editor, table(tmp_path, minimal(1)), "replace")
    assert "Dieser Import entfernt 2 Stellen" in text_of(page.text)
    editor.post("/directory/import/apply", hidden(page.text))
    assert set(stored(review)) == {"hotline-1"}


def test_an_import_by_the_review_can_be_taken_back_on_the_command_line(review: Review, editor: Browser, tmp_path: Path) -> None:
    before = stored(review)
    editor.post("/directory/import/apply", hidden(upload(editor, table(tmp_path, minimal(1, name="Neu"))).text))
    with session(review.settings.directory_url) as opened:
        assert importer.undo(opened) is not None
    assert stored(review) == before


def test_if_the_directory_changed_meanwhile_there_is_a_new_preview(review: Review, editor: Browser, tmp_path: Path) -> None:
    page = upload(editor, table(tmp_path, minimal(1, name="Neuer Name")))
    check(editor, "hotline-2")
    again = editor.post("/directory/import/apply", hidden(page.text))
    assert again.status_code == 409
    assert "inzwischen geändert" in again.text
    assert stored(review)["hotline-1"].name == "Hotline 1"
    assert editor.post("/directory/import/apply", hidden(again.text)).status_code == 303
    assert stored(review)["hotline-1"].name == "Neuer Name"
    assert stored(review)["hotline-2"].checked_on.isoformat() == "2026-11-22"


def test_a_confirmation_counts_only_for_its_file_mode_and_person(review: Review, editor: Browser, tmp_path: Path) -> None:
    before = stored(review)
    sent = hidden(upload(editor, table(tmp_path, minimal(1, name="Neu"))).text)
    assert editor.post("/directory/import/apply", {**sent, "mode": "replace"}).status_code == 409
    assert editor.post("/directory/import/apply", {**sent, "seal": "é" * 64}).status_code == 409
    assert review.log_in(EDITOR).post("/directory/import/apply", sent).status_code == 409
    uploads(review)[0].write_bytes(table(tmp_path, minimal(1, name="Untergeschoben")))
    assert editor.post("/directory/import/apply", sent).status_code == 409
    assert stored(review) == before


def test_an_upload_that_does_not_exist_has_expired(editor: Browser) -> None:
    for name in ("", "../directory.db", "../../etc/passwd", "0" * 32, "x" * 5000, "\x00"):
        answer = editor.post("/directory/import/apply", {"upload": name, "mode": "merge", "seal": "x"})
        assert (answer.status_code, "abgelaufen" in answer.text) == (409, True)
        assert editor.post("/directory/import/cancel", {"upload": name}).status_code == 303


def test_a_table_with_mistakes_is_told_line_by_line_and_not_kept(review: Review, editor: Browser, tmp_path: Path) -> None:
    wrong = table(tmp_path, minimal(1, name="=HYPERLINK(1)"), minimal(4, source_url=""), minimal(1))
    page = upload(editor, wrong)
    assert page.status_code == 422
    words = text_of(page.text)
    assert "2 Name =HYPERLINK(1) Der Text beginnt wie eine Formel" in words
    assert "Ohne Quelle wird nichts gespeichert" in words
    assert "4 Kennung hotline-1 Diese Kennung steht schon in Zeile 2." in words
    assert "Jetzt importieren" not in words
    assert uploads(review) == []
    english = upload(review.log_in(EDITOR, language="en"), wrong)
    assert "The text begins like a formula" in text_of(english.text)


NO_TABLES = [
    (b"", "leer"),
    (b"\xd0\xcf\x11\xe0 old", "alte Excel-Datei"),
    (b"id,name\n1,2\n", "nicht die Kopfzeile"),
    (b"\xff\xfe\x00", "UTF-8"),
    (b"PK\x03\x04 broken", "Excel-Datei ist nicht lesbar"),
    (b"id\x00", "keine Tabelle"),
    (b"<html>", "nicht die Kopfzeile"),
]


def test_a_file_that_is_no_table_is_refused_with_the_reason(review: Review, editor: Browser) -> None:
    for content, words in NO_TABLES:
        answer = upload(editor, content)
        assert (answer.status_code, words in text_of(answer.text)) == (422, True), content
    assert uploads(review) == []


def test_messages_on_files_are_translated() -> None:
    assert "Zeile 7" in directory_problems.table_text("x.csv, record from line 7: bad. Is a quotation mark missing?", "de")
    assert "50000" in directory_problems.table_text("x.csv has more than 50000 rows.", "de")


def test_no_file_too_much_of_it_and_an_unknown_mode_are_refused(review: Review, editor: Browser) -> None:
    assert "wählen Sie eine Datei" in editor.post("/directory/import", {"mode": "merge"}).text
    assert "wählen Sie eine Datei" in editor.post("/directory/import", {"mode": "merge", "file": "text"}).text
    assert upload(editor, b"x" * (4 * 1024 * 1024 + 1)).status_code == 413
    assert upload(editor, b"x" * (6 * 1024 * 1024)).status_code == 413
    assert upload(editor, b"x", mode="delete everything").status_code == 400
    assert uploads(review) == []


def test_a_table_that_says_the_same_is_not_offered_for_import(review: Review, editor: Browser, tmp_path: Path) -> None:
    page = upload(editor, table(tmp_path, minimal(1)))
    assert "sagt schon dasselbe" in text_of(page.text)
    assert uploads(review) == []


def test_a_discarded_table_is_deleted(review: Review, editor: Browser, tmp_path: Path) -> None:
    sent = hidden(upload(editor, table(tmp_path, minimal(9))).text)
    assert editor.post("/directory/import/cancel", sent).status_code == 303
    assert uploads(review) == []
    assert "hotline-9" not in stored(review)


def test_a_table_that_nobody_came_back_for_is_deleted(review: Review, editor: Browser, tmp_path: Path) -> None:
    upload(editor, table(tmp_path, minimal(9)))
    old = uploads(review)[0]
    os.utime(old, (0, 0))
    upload(editor, table(tmp_path, minimal(8)))
    assert old not in uploads(review)
    assert len(uploads(review)) == 1


# Export


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_an_export_comes_back_without_any_change(review: Review, editor: Browser, ending: str) -> None:
    answer = editor.get(f"/directory/export.{ending}")
    assert answer.headers["content-disposition"] == f'attachment; filename="lotse-directory-2026-11-22.{ending}"'
    assert answer.headers["cache-control"] == "no-store"
    assert "sagt schon dasselbe" in text_of(upload(editor, answer.content, "replace", f"x.{ending}").text)


def test_an_edited_export_is_imported(review: Review, editor: Browser, tmp_path: Path) -> None:
    book = load_workbook(io.BytesIO(editor.get("/directory/export.xlsx").content))
    sheet = book.worksheets[0]
    sheet["D2"] = "Von Hand"
    book.save(tmp_path / "edited.xlsx")
    page = upload(editor, (tmp_path / "edited.xlsx").read_bytes(), name="edited.xlsx")
    editor.post("/directory/import/apply", hidden(page.text))
    assert "Von Hand" in [office.name for office in stored(review).values()]
    typed = write_xlsx(tmp_path / "typed.xlsx", [minimal(1, name="=1+1")]).read_bytes()
    assert upload(editor, typed, name="typed.xlsx").status_code == 422


def test_an_export_runs_no_formula_in_a_spreadsheet(editor: Browser) -> None:
    lines = editor.get("/directory/export.csv").content.decode("utf-8-sig").splitlines()
    assert any("'+49" in line for line in lines)
    assert not any(cell.strip('"')[:1] in "=+-@" for line in lines for cell in line.split(";") if cell.strip('"'))
    assert editor.get("/directory/export.exe").status_code == 404
