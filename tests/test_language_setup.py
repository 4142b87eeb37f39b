"""`lotse language`: the files of a new language, and what a language lacks."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot import language_setup, languages
from bot.cli import app
from bot.dialogue import catalogues
from bot.languages import SPOKEN_LANGUAGES
from bot.settings import PROJECT


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what `lotse language` reads and writes."""
    for name in ("data", "bot/locale", "tests/conversations", "tests/nlu/emergency_cases"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    shutil.copy(PROJECT / "domain.yml", tmp_path / "domain.yml")
    monkeypatch.setattr(language_setup, "PROJECT", tmp_path)
    monkeypatch.setattr(language_setup, "DATA", tmp_path / "data")
    monkeypatch.setattr(language_setup, "LOOKUPS", tmp_path / "data" / "lookups")
    monkeypatch.setattr(language_setup, "TABLE", tmp_path / "data" / "lookups" / "languages.csv")
    monkeypatch.setattr(languages, "TABLE", tmp_path / "data" / "lookups" / "languages.csv")
    monkeypatch.setattr(catalogues, "LOCALE", tmp_path / "bot" / "locale")
    languages.all_languages.cache_clear()
    yield tmp_path
    languages.all_languages.cache_clear()


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_a_spoken_language_lacks_nothing(language: str) -> None:
    assert language_setup.missing(language) == []


def test_a_new_language_gets_all_its_files_and_a_list_of_what_is_missing(project: Path) -> None:
    changed = language_setup.add("it")
    assert all(path.exists() for path in changed)
    assert (project / "data" / "nlu" / "it.yml").exists()
    with (project / "data" / "lookups" / "languages.csv").open(encoding="utf-8", newline="") as file:
        row = {r["language"]: r for r in csv.DictReader(file)}["it"]
    assert (row["name"], row["spoken"], row["direction"]) == ("Italiano", "no", "ltr")
    assert "italienisch" in row["names"].lower()
    with (project / "data" / "lookups" / "professions.csv").open(encoding="utf-8", newline="") as file:
        assert "synonyms_it" in (csv.DictReader(file).fieldnames or [])
    lacking = {finding.path.name for finding in language_setup.missing("it")}
    assert lacking >= {"it.yml", "replies.po", "widget.po", "directory.po", "concepts.csv", "professions.csv", "cues.csv", "it.csv"}


def test_what_exists_stays_as_it_is(project: Path) -> None:
    path = project / "data" / "nlu" / "it.yml"
    path.write_text("mine\n", encoding="utf-8")
    language_setup.add("it")
    before = {file: file.read_bytes() for file in project.rglob("*") if file.is_file() and file.suffix != ".po"}
    language_setup.add("it")
    assert path.read_text(encoding="utf-8") == "mine\n"
    assert {file: file.read_bytes() for file in before} == before


@pytest.mark.parametrize("code", ["xx", "italian", "", "../it", "qq"])
def test_what_is_no_language_is_refused(code: str) -> None:
    result = CliRunner().invoke(app, ["language", "add", code])
    assert result.exit_code == 2
    assert not (PROJECT / "data" / "nlu" / f"{code}.yml").exists() or code == ""


def test_the_status_names_each_language() -> None:
    result = CliRunner().invoke(app, ["language", "status"])
    assert "Türkçe" in result.output
    assert result.exit_code == 0


def test_the_status_of_an_unknown_language_says_how_to_add_it() -> None:
    result = CliRunner().invoke(app, ["language", "status", "it"])
    assert result.exit_code == 2
    assert "lotse language add it" in result.output
