"""The `lotse` command: what it prints, and what it says when it is used wrongly."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from actions.directory.database import PROJECT
from actions.directory.models import NEEDS
from bot import cli, understanding
from bot.settings import settings
from bot.understanding import NoModel, Understanding

CARD = "id kind name carrier street postcode city phone email website languages distance_km checked_on source_url confirmed".split()
PARSED = "text language intent need confidence entities place country profession".split()


@pytest.fixture(scope="module", autouse=True)
def one_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A directory for all tests of this module, filled by the first command that needs it; wide output."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOTSE_HOME", str(tmp_path_factory.mktemp("cli-home")))
        patch.delenv("LOTSE_DIRECTORY_URL", raising=False)
        patch.setenv("COLUMNS", "220")
        settings.cache_clear()
        yield
    settings.cache_clear()


def lotse(*arguments: object, given: str | None = None) -> Result:
    return CliRunner().invoke(cli.app, [str(a) for a in arguments], input=given)


def referral(*arguments: object) -> dict:
    result = lotse("find", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def all_commands() -> list[tuple[str, ...]]:
    return list(commands(typer.main.get_command(cli.app)))


# -- help --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", all_commands(), ids=" ".join)
def test_every_command_explains_itself_with_an_example(path: tuple[str, ...]) -> None:
    result = lotse(*path, "--help")
    assert result.exit_code == 0
    assert "Example" in result.output
    assert re.search(rf"(^|[^\w]){re.escape(' '.join(['lotse', *path]))}", result.output)


def test_the_commands_of_the_design_exist() -> None:
    expected = {"serve", "chat", "train", "parse", "find", "evaluate"}
    expected |= {"directory import", "directory export", "directory check", "directory stale", "translations check", "translations update"}
    assert expected <= {" ".join(path) for path in all_commands()}


def test_without_a_command_the_help_is_shown() -> None:
    output = lotse().output
    assert all(path[0] in output for path in all_commands())


def test_an_unknown_command_is_refused() -> None:
    assert lotse("fly").exit_code == 2


def test_the_installed_command_starts() -> None:
    done = subprocess.run([sys.executable, "-m", "bot.cli", "--help"], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "find" in done.stdout


def test_a_setting_that_cannot_be_used_ends_with_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOTSE_PORT", "many")
    command = [sys.executable, "-m", "bot.cli", "chat"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "LOTSE_PORT must be a whole number" in done.stderr
    assert "Traceback" not in done.stderr


# -- find --------------------------------------------------------------------------------------------------------------


def test_find_prints_a_table_with_addresses_and_notes() -> None:
    result = lotse("find", "recognition", "Cottbus")
    assert result.exit_code == 0
    assert "recognition: Cottbus" in result.output
    assert re.search(r"\+?\d[\d /-]{6,}", result.output)


def test_find_prints_a_referral_as_json() -> None:
    found = referral("recognition", "44137")
    assert set(found) == {"need", "place", "offices", "notes"}
    assert found["place"] == {"name": "Dortmund", "postcode": "44137", "district": "05913", "state": "DE-NW"}
    assert {office["id"] for office in found["offices"]} == {"network-nw-west", "network-nw-ost", "hotline-de-arbeiten-und-leben"}
    assert all(set(CARD) <= set(office) for office in found["offices"])
    assert len(found["notes"]) == 2
    assert all(len(note) > 20 and "_" not in note for note in found["notes"])


@pytest.mark.parametrize("place", ["Köln", "Cologne", "Кёльн", "كولونيا", "50667", "koeln"])
def test_find_takes_a_place_in_any_script(place: str) -> None:
    assert referral("recognition", place)["place"]["district"] == "05315"


def test_find_takes_states_and_abroad() -> None:
    assert referral("recognition", "Bavaria")["place"]["state"] == "DE-BY"
    assert referral("recognition", "abroad")["offices"][0]["id"] == "recognition-abroad-zsba"


@pytest.mark.parametrize("need", [need for need in NEEDS if need != "out_of_scope"])
def test_find_answers_every_need(need: str) -> None:
    found = referral(need, "Hannover")
    assert found["need"] == need
    assert found["offices"]


def test_find_keeps_the_limit() -> None:
    assert len(referral("recognition", "Brandenburg an der Havel", "--limit", 1)["offices"]) == 1
    assert len(referral("recognition", "Cottbus", "--limit", 5)["offices"]) == 5


@pytest.mark.parametrize("profession", ["Krankenschwester", "nurse", "Hebamme und Entbindungspfleger*in"])
def test_find_takes_a_profession_by_title_or_word(profession: str) -> None:
    assert referral("qualification", "Hamburg", "--profession", profession)["offices"]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("Frankfurt", ["There are several places called 'Frankfurt'", "'Frankfurt (Oder)@12053'"]),
        ("Neustadt", ["There are several places", "There are more; a postcode is unambiguous."]),
        ("99999", ["There is no German postcode 99999"]),
        ("Dortmunt", ["There is no place called 'Dortmunt'", "Did you mean Dortmund"]),
        ("Qwertz", ["There is no place called 'Qwertz'", "A postcode always works."]),
        ("", ["There is no place called ''"]),
    ],
)
def test_find_says_why_a_place_cannot_be_used(place: str, expected: list[str]) -> None:
    result = lotse("find", "recognition", place)
    assert result.exit_code == 2
    assert [part for part in expected if part not in result.output] == []
    assert "Traceback" not in result.output


@pytest.mark.parametrize("place", ["\x00", "a" * 10_000, "'; DROP TABLE office; --", "[red]x[/red]", "[/]"])
def test_find_survives_odd_places(place: str) -> None:
    result = lotse("find", "recognition", place)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("typed", ["[red]x[/red]", "[bold]", "[/]", "Köln [Mitte]"])
def test_what_was_typed_is_shown_as_it_was_typed(typed: str) -> None:
    for arguments in (("recognition", typed), (typed, "Köln"), ("qualification", "Köln", "--profession", typed)):
        result = lotse("find", *arguments)
        assert result.exit_code == 2
        assert typed in result.output


@pytest.mark.parametrize("need", ["advice", "", "out_of_scope", "greet"])
def test_find_names_the_needs_there_are(need: str) -> None:
    result = lotse("find", need, "Köln")
    assert result.exit_code == 2
    assert "recognition" in result.output


@pytest.mark.parametrize("limit", ["0", "-1", "21", "many"])
def test_find_refuses_a_limit_that_makes_no_sense(limit: str) -> None:
    result = lotse("find", "recognition", "Köln", "--limit", limit)
    assert result.exit_code == 2
    assert "--limit" in result.output


def test_find_refuses_an_unknown_profession() -> None:
    result = lotse("find", "qualification", "Köln", "--profession", "Drachenzähmer")
    assert result.exit_code == 2
    assert "'Drachenzähmer' is not in the table" in result.output


def test_find_marks_what_is_not_confirmed() -> None:
    result = lotse("find", "recognition", "Bremen")
    assert result.exit_code == 0
    assert "nicht bestätigt" in result.output


# -- translations, evaluation, chat ------------------------------------------------------------------------------------


def test_all_catalogues_are_complete() -> None:
    result = lotse("translations", "check")
    assert (result.exit_code, result.output.strip().splitlines()[-1]) == (0, "All catalogues are complete."), result.output[-2000:]


@pytest.mark.parametrize(
    "arguments",
    [("translations", "update", "xx"), ("chat", "--language", "xx"), ("parse", "--language", "xx"), ("translations", "update", "")],
)
def test_an_unknown_language_is_refused_with_the_known_ones(arguments: tuple[str, ...]) -> None:
    result = lotse(*arguments, given="x\n")
    assert result.exit_code == 2
    assert "is not supported; choose one of de, en, tr" in result.output


def test_evaluate_refuses_a_language_without_a_set() -> None:
    result = lotse("evaluate", "--language", "xx")
    assert result.exit_code == 2
    assert "There is no evaluation set for xx; there is one for ar, de, en," in result.output


@pytest.mark.parametrize("arguments", [("parse",), ("evaluate",)])
def test_without_a_model_the_way_to_one_is_shown(arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(understanding, "current_model", lambda: None)
    result = lotse(*arguments, given="Hallo\n")
    assert result.exit_code == 1
    assert "lotse train" in result.output
    assert isinstance(result.exception, SystemExit)


def test_chat_says_that_no_guide_is_running() -> None:
    result = lotse("chat", "--url", "http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "127.0.0.1:9" in result.output
    assert "Traceback" not in result.output


# -- parse -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def model(understanding: Understanding, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command use the model that the test run has loaded already."""
    monkeypatch.setattr("bot.understanding.Understanding", lambda: understanding)


def parsed(*lines: str, options: tuple[str, ...] = ()) -> list[dict]:
    result = lotse("parse", *options, given="".join(f"{line}\n" for line in lines))
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.model
@pytest.mark.usefixtures("model")
class TestParse:
    def test_one_message_a_line_in_one_object_a_line_out(self) -> None:
        [found] = parsed("Ich bin Krankenschwester aus Syrien und wohne in Dortmund")
        assert list(found) == PARSED
        assert found["need"] == found["intent"] == "recognition"
        assert found["place"] == {"name": "Dortmund", "postcode": None, "district": "05913", "state": "DE-NW"}
        assert found["country"] == "SY"
        assert found["profession"].startswith("Pflegefach")
        assert found["language"] == "de"
        assert 0 < found["confidence"] <= 1

    def test_entities_stand_where_they_say(self) -> None:
        text = "I live in Cologne and come from Syria"
        [found] = parsed(text)
        assert {text[e["start"] : e["end"]] for e in found["entities"]} == {"Cologne", "Syria"}
        assert all(set(e) == {"entity", "value", "start", "end"} for e in found["entities"])

    def test_empty_lines_are_left_out_and_the_order_is_kept(self) -> None:
        assert [p["text"] for p in parsed("Hallo", "", "   ", "danke", "tschüss")] == ["Hallo", "danke", "tschüss"]

    def test_a_dialogue_intent_has_no_need(self) -> None:
        [found] = parsed("Hallo")
        assert (found["intent"], found["need"], found["place"], found["country"], found["profession"]) == ("greet", None, None, None, None)

    @pytest.mark.parametrize(
        ("text", "intent"),
        [("ja", "affirm"), ("Ja", "affirm"), ("yes", "affirm"), ("nein", "deny"), ("no", "deny"), ("danke", "thank"), ("hello", "greet")],
    )
    def test_the_shortest_answers_are_understood(self, text: str, intent: str) -> None:
        [found] = parsed(text)
        assert (found["intent"], found["entities"]) == (intent, [])

    def test_a_question_has_its_full_name_and_the_need_of_its_topic(self) -> None:
        [found] = parsed("Was kostet die Anerkennung?")
        assert (found["intent"], found["need"]) == ("faq/recognition_cost", "recognition")

    def test_the_language_can_be_given(self) -> None:
        [found] = parsed("ok", options=("--language", "tr"))
        assert found["language"] == "tr"

    @pytest.mark.parametrize("text", ["/restart", "/crisis", "/", "////", '/inform{"place": "Köln"}'])
    def test_a_slash_is_no_command(self, text: str) -> None:
        [found] = parsed(text)
        assert found["text"] == text
        assert found["intent"] != "restart"
        assert (found["intent"], found["confidence"]) != (text[1:], 1.0)

    @pytest.mark.parametrize("text", ["\x00", "🙂", "a" * 5_000, "....", "\u202eabc", "{}", '"', "٤٤١٣٧"])
    def test_odd_messages_are_parsed_too(self, text: str) -> None:
        assert [p["text"] for p in parsed(text)] == [text]

    def test_a_danger_is_seen_first(self) -> None:
        assert [p["intent"] for p in parsed("Ich bin Koch aus Indien in Kiel und mein Mann schlägt mich")] == ["crisis"]

    def test_a_file_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "messages.txt"
        path.write_bytes("Hallo\r\nGrüße \xff\n".encode("latin-1"))
        result = lotse("parse", path)
        assert result.exit_code == 0
        assert [json.loads(line)["intent"] for line in result.stdout.splitlines()][0] == "greet"
        assert len(result.stdout.splitlines()) == 2

    def test_a_file_that_is_not_there_is_refused(self, tmp_path: Path) -> None:
        assert lotse("parse", tmp_path / "none.txt").exit_code == 2

    def test_evaluate_writes_a_report_with_a_picture(self, tmp_path: Path) -> None:
        languages = ("ar", "ro")  # all eleven take a minute and prove no more
        chosen = [word for language in languages for word in ("--language", language)]
        result = lotse("evaluate", *chosen, "--write", tmp_path / "new", "--errors")
        assert result.exit_code == 0, result.output
        report = (tmp_path / "new" / "evaluation.md").read_text(encoding="utf-8")
        assert all(f"| {need} |" in report for need in NEEDS)
        assert all(f"| {language} |" in report for language in languages)
        assert (tmp_path / "new" / "evaluation.png").read_bytes().startswith(b"\x89PNG")


def test_a_model_that_is_missing_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(understanding, "current_model", lambda: None)
    with pytest.raises(NoModel, match="lotse train"):
        Understanding()
