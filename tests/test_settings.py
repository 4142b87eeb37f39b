"""The settings: defaults that work on one machine, clear refusals, and a key that stays secret."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import pytest

from bot.languages import LANGUAGES, RIGHT_TO_LEFT, SPOKEN_LANGUAGES
from bot.settings import PROJECT, Settings, SettingsError, settings

NUMBERS = {
    "LOTSE_PORT": ("port", 8080),
    "LOTSE_ENGINE_PORT": ("engine_port", 5005),
    "LOTSE_ACTIONS_PORT": ("actions_port", 5055),
    "LOTSE_IDLE_MINUTES": ("idle_minutes", 30),
    "LOTSE_ABSOLUTE_HOURS": ("absolute_hours", 12),
    "LOTSE_ENGINE_TIMEOUT": ("engine_timeout", 10),
}
# Limited: what is kept no longer than a number of days must not be kept for years by a slip of the keyboard.
PERIODS = {
    "LOTSE_TRANSCRIPT_DAYS": ("transcript_days", 30),
    "LOTSE_STRUCTURE_HOURS": ("structure_hours", 48),
    "LOTSE_CALLBACK_DAYS": ("callback_days", 14),
    "LOTSE_REVIEW_IDLE_MINUTES": ("review_idle_minutes", 30),
    "LOTSE_REVIEW_ABSOLUTE_HOURS": ("review_absolute_hours", 10),
}
SWITCHES = {"LOTSE_REVIEW": "review", "LOTSE_REVIEW_SECOND_FACTOR": "second_factor"}
TEXTS = ("LOTSE_HOST", "LOTSE_HOME", "LOTSE_MODELS", "LOTSE_DIRECTORY_URL", "LOTSE_TRANSCRIPTS_URL", "LOTSE_TRACKER_URL", "LOTSE_REDIS_URL")
MORE = ("LOTSE_ALLOWED_ORIGINS", "LOTSE_TRUSTED_PROXIES", "LOTSE_OPERATOR", "LOTSE_SECRET_KEY", "LOTSE_CALLBACK_STATES")
MAIL = ("LOTSE_PUBLIC_URL", "LOTSE_SMTP_URL", "LOTSE_MAIL_FROM")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No setting of this machine or of the test run; afterwards the run's own are read again."""
    for name in (*NUMBERS, *PERIODS, *SWITCHES, *TEXTS, *MORE, *MAIL):
        monkeypatch.delenv(name, raising=False)
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


def test_without_any_variable_everything_has_a_value_for_one_machine() -> None:
    made = settings()
    assert made.host == "127.0.0.1"
    assert made.home == PROJECT / "var"
    assert made.models == PROJECT / "models"
    assert made.directory_url == f"sqlite:///{PROJECT / 'var' / 'directory.db'}"
    assert made.redis_url is None
    assert made.allowed_origins == made.trusted_proxies == ()
    assert made.operator
    for attribute, default in (*NUMBERS.values(), *PERIODS.values()):
        assert getattr(made, attribute) == default
    assert made.review and made.second_factor
    assert made.callback_states == () and made.smtp_url is None


def test_the_three_databases_are_three() -> None:
    made = settings()
    assert len({made.directory_url, made.transcripts_url, made.tracker_url}) == 3


def test_engine_and_actions_are_called_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOTSE_HOST", "0.0.0.0")
    assert settings().engine_url == "http://127.0.0.1:5005/webhooks/lotse"
    assert settings().actions_url == "http://127.0.0.1:5055"


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "123")
    assert getattr(settings(), NUMBERS[name][0]) == 123


@pytest.mark.parametrize("value", ["abc", "12.5", "1e3", "0x10", "eight"])
@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number_is_refused_with_the_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name} must be a whole number"):
        settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [*((name, "-1") for name in NUMBERS), ("LOTSE_IDLE_MINUTES", "0"), ("LOTSE_ABSOLUTE_HOURS", "0"), ("LOTSE_ENGINE_TIMEOUT", "0")],
)
def test_a_number_that_makes_no_sense_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        settings()


@pytest.mark.parametrize("name", PERIODS)
def test_a_period_is_read_and_has_a_limit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "7")
    assert getattr(settings(), PERIODS[name][0]) == 7
    for value in ("0", "-1", "100000", "ten"):
        monkeypatch.setenv(name, value)
        settings.cache_clear()
        with pytest.raises(SettingsError, match=name):
            settings()


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_is_on_or_off(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "off")
    assert getattr(settings(), SWITCHES[name]) is False
    monkeypatch.setenv(name, "no")
    settings.cache_clear()
    with pytest.raises(SettingsError, match=f"{name} must be on or off"):
        settings()


def test_states_that_call_back_are_states(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOTSE_CALLBACK_STATES", "DE-NW, DE-HE")
    assert settings().callback_states == ("DE-NW", "DE-HE")
    monkeypatch.setenv("LOTSE_CALLBACK_STATES", "NRW")
    settings.cache_clear()
    with pytest.raises(SettingsError, match="DE-NW"):
        settings()


@pytest.mark.parametrize("name", ["LOTSE_PORT", "LOTSE_ENGINE_PORT", "LOTSE_ACTIONS_PORT"])
def test_a_port_beyond_the_last_one_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "65536")
    with pytest.raises(SettingsError, match=name):
        settings()


@pytest.mark.parametrize("name", [*NUMBERS, *PERIODS, *SWITCHES, *TEXTS, *MORE, *MAIL])
def test_an_empty_variable_counts_as_unset(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unset = settings()
    settings.cache_clear()
    monkeypatch.setenv(name, "")
    assert settings() == unset


def test_databases_follow_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOTSE_HOME", str(tmp_path))
    assert settings().directory_url == f"sqlite:///{tmp_path / 'directory.db'}"
    assert settings().transcripts_url == f"sqlite:///{tmp_path / 'transcripts.db'}"


def test_a_relative_home_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOTSE_HOME", "here")
    assert settings().home == tmp_path / "here"


@pytest.mark.parametrize(
    ("value", "read"),
    [("https://a.de", ("https://a.de",)), (" https://a.de , https://b.de,", ("https://a.de", "https://b.de")), (" , ", ())],
)
def test_a_list_is_read_between_commas(value: str, read: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOTSE_ALLOWED_ORIGINS", value)
    monkeypatch.setenv("LOTSE_TRUSTED_PROXIES", value)
    assert settings().allowed_origins == settings().trusted_proxies == read


# -- the secret key ----------------------------------------------------------------------------------------------------


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("LOTSE_HOME", str(tmp_path / "new" / "home"))
    return tmp_path / "new" / "home"


def test_a_key_is_made_at_first_use_and_kept(home: Path) -> None:
    assert not home.exists()
    key = settings().secret_key
    assert len(bytes.fromhex(key)) == 32
    settings.cache_clear()
    assert settings().secret_key == key == (home / "secret.key").read_text(encoding="ascii").strip()


def test_nobody_else_can_read_the_key(home: Path) -> None:
    assert settings().secret_key
    assert stat.S_IMODE((home / "secret.key").stat().st_mode) == 0o600


def test_processes_that_start_together_agree_on_the_key(home: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: settings().secret_key, range(8)))
    keys.discard("")
    assert keys == {settings().secret_key}


def test_two_homes_have_two_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keys = set()
    for name in ("one", "two"):
        monkeypatch.setenv("LOTSE_HOME", str(tmp_path / name))
        settings.cache_clear()
        keys.add(settings().secret_key)
    assert len(keys) == 2


def test_a_key_of_the_environment_is_used_and_not_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOTSE_SECRET_KEY", "from outside")
    assert settings().secret_key == "from outside"
    assert not home.exists()


def test_an_empty_key_file_is_not_taken_for_a_key(home: Path) -> None:
    home.mkdir(parents=True)
    (home / "secret.key").write_text("", encoding="ascii")
    with suppress(SettingsError):  # a clear refusal is as good as a new key
        assert settings().secret_key


def test_the_key_does_not_show_in_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOTSE_SECRET_KEY", "do not show")
    assert "do not show" not in repr(settings())


# -- the rest ----------------------------------------------------------------------------------------------------------


def test_every_field_names_its_variable() -> None:
    text = (PROJECT / "bot" / "settings.py").read_text(encoding="utf-8")
    for field in fields(Settings):
        line = next(line for line in text.splitlines() if line.startswith(f"    {field.name}: "))
        assert "# LOTSE_" in line, field.name


def test_the_languages_are_those_of_the_registration_form() -> None:
    assert LANGUAGES == ("de", "en", "tr", "ar", "uk", "ru", "fa", "fr", "es", "pl", "ro")
    assert set(SPOKEN_LANGUAGES) <= set(LANGUAGES)
    assert set(RIGHT_TO_LEFT) <= set(LANGUAGES)
