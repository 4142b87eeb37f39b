"""The schema of the word lists, and the measure of the benchmark."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.redaction import measure, survives
from bot.transcripts.redaction import wordlists
from bot.transcripts.redaction.wordlists import FOLDER, LANGUAGES, RedactionDataError, read_general, read_language, words


def test_all_word_lists_pass_their_check() -> None:
    assert len(words().given) > 5000
    assert set(LANGUAGES) == {path.stem for path in FOLDER.glob("??.yml")}


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "de.yml"
    path.write_text("name: [ich heiße]\n", encoding="utf-8")
    with pytest.raises(RedactionDataError, match="missing.*titles"):
        read_language(path)


def test_a_word_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "de.yml"
    path.write_text((FOLDER / "de.yml").read_text(encoding="utf-8").replace("house: [nr,", "house: [1,"), encoding="utf-8")
    with pytest.raises(RedactionDataError, match="house must be a list of words"):
        read_language(path)


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "general.yml"
    path.write_text("a: [", encoding="utf-8")
    with pytest.raises(RedactionDataError, match="cannot be read"):
        read_general(path)


def test_a_list_of_names_with_other_columns_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "redaction"
    shutil.copytree(FOLDER, folder)
    (folder / "surnames.csv").write_text("surname\nMüller\n", encoding="utf-8")
    monkeypatch.setattr(wordlists, "FOLDER", folder)
    with pytest.raises(RedactionDataError, match="columns must be name, community"):
        words.__wrapped__()


@pytest.mark.parametrize(
    ("kind", "value", "text", "left"),
    [
        ("phone", "0176 1234567", "Tel. [Telefon]", False),
        ("phone", "0176 1234567", "Tel. [Telefon] 4567", True),
        ("phone", "0176 1234567", "Tel. [Telefon] 567", False),
        ("phone", "٠١٧٦ ١٢٣٤", "Tel. 0176 99", True),
        ("name", "Anna Weber", "Frau [Name] Weber", True),
        ("name", "Anna Weber", "[Name] ve Weberin", True),
        ("name", "Anna Weber", "Johanna [Name]", False),
        ("name", "Ali", "Frau [Name], Alina", False),
        ("name", "أحمد", "قلت لأحمد", True),
        ("name", "علي", "[Name] على", False),
        ("address", "Am Markt 5", "Am  Markt 5", True),
    ],
)
def test_a_value_of_which_too_much_is_left_counts_as_missed(kind: str, value: str, text: str, left: bool) -> None:
    assert survives(kind, value, text) is left


def test_the_benchmark_counts_what_was_found_and_what_stayed() -> None:
    message = {"text": "Ich heiße Anna Weber aus Bonn", "planted": [{"kind": "name", "value": "Anna Weber"}], "stays": ["Bonn"]}
    counted = measure([message], "de")
    assert (counted["planted"], counted["found"], counted["stays"], counted["stayed"]) == ({"name": 1}, {"name": 1}, 1, 1)
