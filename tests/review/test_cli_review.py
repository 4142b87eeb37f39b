"""The commands `lotse review ...`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot import cli
from bot.review import passwords
from bot.settings import settings
from bot.transcripts import audit, database, staff, staff_sessions
from tests.review.accounts import PASSWORD
from tests.review.support import NOW


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LOTSE_HOME", str(tmp_path))
    monkeypatch.delenv("LOTSE_TRANSCRIPTS_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "220")
    settings.cache_clear()
    yield
    settings.cache_clear()


def lotse(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli.app, ["review", *arguments], input=given)


def find(email: str) -> staff.Account | None:
    with database.session() as session:
        return staff.by_email(session, email)


def create(email: str = "erika@example.org", *more: str) -> Result:
    return lotse("create-user", email, "--name", "Erika Muster", *more, "--password-stdin", given=f"{PASSWORD}\n")


def test_the_first_account_is_an_admin_and_everything_is_asked_for() -> None:
    answer = lotse("create-user", given=f"Erika@Example.org\nErika Muster\n{PASSWORD}\n{PASSWORD}\n")
    assert answer.exit_code == 0, answer.output
    assert PASSWORD not in answer.output and "/review/login" in answer.output
    made = find("erika@example.org")
    assert made and made.roles == ("admin",) and not made.must_change_password
    assert passwords.verify(PASSWORD, made.password_hash)
    with database.session() as session:
        assert [(one.staff_name, one.action) for one in audit.entries(session)] == [(audit.COMMAND, "staff.create")]


def test_two_different_passwords_are_asked_for_again() -> None:
    answer = lotse("create-user", "e@example.org", "--name", "E", given=f"{PASSWORD}\nanders als das\n{PASSWORD}\n{PASSWORD}\n")
    assert answer.exit_code == 0 and find("e@example.org")


def test_a_password_comes_from_standard_input() -> None:
    answer = create("erika@example.org", "--role", "reviewer", "--role", "editor", "--state", "DE-NW", "--language", "en")
    assert answer.exit_code == 0, answer.output
    made = find("erika@example.org")
    assert made and (made.roles, made.states, made.language) == (("reviewer", "editor"), ("DE-NW",), "en")
    assert passwords.verify(PASSWORD, made.password_hash)


def test_a_one_time_password_is_printed_once_and_must_be_changed() -> None:
    answer = lotse("create-user", "erika@example.org", "--name", "Erika", "--one-time")
    password = answer.output.partition("first login: ")[2].split()[0]
    made = find("erika@example.org")
    assert made and made.must_change_password and made.password_until and passwords.verify(password, made.password_hash)
    assert "one-time password" in lotse("users").output


@pytest.mark.parametrize(
    ("arguments", "given", "words"),
    [
        (("create-user", "erika", "--name", "E", "--one-time"), None, "@-sign"),
        (("create-user", "e@example.org", "--name", " ", "--one-time"), None, "1 to 120"),
        (("create-user", "e@example.org", "--name", "x" * 121, "--one-time"), None, "1 to 120"),
        (("create-user", "e@example.org", "--name", "E", "--role", "boss", "--one-time"), None, "reviewer, editor"),
        (("create-user", "e@example.org", "--name", "E", "--state", "NRW", "--one-time"), None, "DE-NW"),
        (("create-user", "e@example.org", "--name", "E", "--language", "fr", "--one-time"), None, "de, en"),
        (("create-user", "e@example.org", "--name", "E", "--one-time", "--password-stdin"), "x", "either"),
        (("create-user", "e@example.org", "--name", "E", "--password-stdin"), "", "too short"),
        (("create-user", "e@example.org", "--name", "E", "--password-stdin"), "x" * 5000, "too long"),
        (("create-user", "e@example.org", "--name", "E", "--password-stdin"), "passwort12345", "easy to guess"),
        (("create-user", "e@example.org", "--name", "Erika", "--password-stdin"), "erika1234567", "name"),
        (("reset-second-factor", "nobody@example.org"), None, "There is no account"),
        (("reset-second-factor", "nobody"), None, "@-sign"),
        (("reset-password", "nobody@example.org"), None, "There is no account"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments: tuple[str, ...], given: str | None, words: str) -> None:
    answer = lotse(*arguments, given=given)
    assert answer.exit_code in (1, 2) and words in answer.output and "Traceback" not in answer.output
    database.upgrade()
    assert find("e@example.org") is None


def test_an_account_is_made_once() -> None:
    create()
    answer = create("ERIKA@example.org")
    assert answer.exit_code == 1 and "reset-password erika@example.org" in answer.output


def test_a_lost_second_factor_is_reset_and_the_sessions_end() -> None:
    create()
    made = find("erika@example.org")
    assert made
    assert lotse("reset-second-factor", "erika@example.org").exit_code == 1, "there is none yet"
    with database.session() as session:
        staff.set_second_factor(session, made.id, b"x", 1, NOW)
        staff.replace_emergency_codes(session, made.id, ["a"])
        staff_sessions.begin(session, made.id, "", True, NOW)
    assert "yes" in lotse("users").output
    assert lotse("reset-second-factor", " ERIKA@example.org").exit_code == 0
    with database.session() as session:
        assert staff_sessions.opened(session, made.id) == [] and staff.emergency_codes_left(session, made.id) == 0
    found = find("erika@example.org")
    assert found and found.second_factor_at is None


def test_a_lost_password_is_replaced_and_a_closed_account_opens() -> None:
    create()
    made = find("erika@example.org")
    assert made
    with database.session() as session:
        for _ in range(5):
            staff.reserve_attempt(session, made.id, NOW)
        staff_sessions.begin(session, made.id, "", True, NOW)
    answer = lotse("reset-password", "erika@example.org")
    password = answer.output.partition("first login: ")[2].split()[0]
    found = find("erika@example.org")
    assert found and found.locked_until is None and found.must_change_password and passwords.verify(password, found.password_hash)
    with database.session() as session:
        assert staff_sessions.opened(session, made.id) == []


def test_the_accounts_are_listed() -> None:
    assert "create-user" in lotse("users").output
    create("erika@example.org", "--role", "reviewer", "--state", "DE-NW")
    output = lotse("users").output
    assert "erika@example.org" in output and "DE-NW" in output and "enabled" in output and "argon2" not in output


def test_a_database_that_cannot_be_opened_is_said_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOTSE_TRANSCRIPTS_URL", f"sqlite:///{tmp_path}")
    settings.cache_clear()
    answer = lotse("users")
    assert answer.exit_code == 1 and "LOTSE_TRANSCRIPTS_URL" in answer.output


@pytest.mark.parametrize("command", ["create-user", "reset-password", "reset-second-factor", "users"])
def test_the_help_has_an_example(command: str) -> None:
    assert f"lotse review {command}" in lotse(command, "--help").output
