"""The demonstration: its conversations, what is filled in, and that it leaves everything else alone."""

from __future__ import annotations

import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from babel import Locale
from sqlalchemy import func, select
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from actions.directory import places
from actions.directory.database import session as directory_session
from bot import cli, cli_demo, demo
from bot.demo import conversations, scripts, staff
from bot.languages import LANGUAGES
from bot.nlu import lookups
from bot.review import passwords, totp
from bot.review.app import create_standalone
from bot.settings import Settings, settings
from bot.transcripts import callbacks, database, inbox_filter
from bot.transcripts.models import Conversation
from bot.transcripts.record_models import (
    CALLBACK_STATES,
    GUIDE,
    PERSON,
    CallbackRequest,
    DailyCount,
    Note,
    Transcript,
    TranscriptOffice,
    TranscriptTurn,
    Verdict,
)
from bot.transcripts.staff_models import ROLES, SavedFilter, Staff

NOW = datetime(2026, 11, 26, 14, 0, tzinfo=timezone.utc)
NUMBER = 40
PLACEHOLDER = re.compile(r"\[(?:Name|Telefon|E-Mail|IBAN|Geburtsdatum|Adresse|Nummer)\]")


def filled_home(home: Path, number: int = NUMBER, seed: int = 1) -> Settings:
    used = demo.settings_of(home / demo.FOLDER, settings(), 8090)
    demo.fill(used, number, seed, NOW, lambda what, done, of: None)
    return used


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return filled_home(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment that the command may change; it is put back afterwards."""
    with patch.dict(os.environ, {"LOTSE_HOME": str(tmp_path), "COLUMNS": "200"}):
        settings.cache_clear()
        yield dict(os.environ)
    settings.cache_clear()


def lotse(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["demo", *(str(a) for a in arguments)])


def rows(used: Settings, query: Any) -> list[Any]:
    with database.session(used.transcripts_url) as session:
        return list(session.execute(query).all())


# -- the conversations -------------------------------------------------------------------------------------------------


def test_every_language_has_enough_conversations() -> None:
    assert set(scripts.languages()) == set(LANGUAGES)
    for language in LANGUAGES:
        assert len(scripts.load(language).scripts) >= 14, language


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_shows_what_reviewers_meet(language: str) -> None:
    found = scripts.load(language)
    lines = [line for script in found.scripts for line in script.lines]
    intents = Counter(line.intent.partition("/")[0] for line in lines)
    for intent in ("recognition", "qualification", "fair_integration", "human", "faq", "out_of_scope", "nlu_fallback"):
        assert intents[intent], intent
    assert len([script for script in found.scripts if script.emergency]) >= 2
    assert any(line.should_be and line.answer == "wrong" for line in lines)
    assert any(PLACEHOLDER.search(text) for text in scripts.texts(found))


@pytest.mark.parametrize("language", LANGUAGES)
def test_professions_countries_and_places_are_known(language: str) -> None:
    found = scripts.load(language)
    titles, countries = {one.title for one in lookups.professions()}, set(Locale("de").territories)
    for script in found.scripts:
        for line in script.lines:
            assert line.entities.get("profession", next(iter(titles))) in titles, (script.id, line.entities)
            assert line.entities.get("country", "SY") in countries, (script.id, line.entities)


def test_a_place_is_understood_as_it_is_written(filled: Settings) -> None:
    with directory_session(filled.directory_url) as session:
        for language in LANGUAGES:
            for reference, written in scripts.load(language).places.items():
                meant, found = places.resolve(session, reference).place, places.resolve(session, written).place
                assert meant is not None and found is not None and found.district == meant.district, (language, written)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_personal_data_is_left_to_be_found(language: str) -> None:
    for text in scripts.texts(scripts.load(language)):
        assert not re.search(r"[\w.]+@[\w.]+|\d{6,}|\bDE\d{2}", text), text


FAULTS: dict[str, tuple[Any, str]] = {
    "an unknown field": ({"turn": []}, "'turn' is unknown"),
    "an unknown intent": ({"turns": [{"say": "x", "confidence": 0.5, "intent": "weather", "reply": ["referral"]}]}, "no intent 'weather'"),
    "an unknown response": ({"turns": [{"say": "x", "confidence": 0.5, "intent": "greet", "reply": ["utter_hi"]}]}, "'utter_hi'"),
    "nothing said": ({"turns": [{"intent": "greet", "reply": ["utter_greet"]}]}, "something must be said"),
    "no confidence": ({"turns": [{"say": "x", "intent": "greet", "reply": ["utter_greet"]}]}, "between 0 and 1"),
    "no reply": ({"turns": [{"say": "x", "confidence": 0.5, "intent": "greet", "reply": []}]}, "at least one entry"),
    "an unknown entity": (
        {"turns": [{"say": "x", "confidence": 0.5, "intent": "greet", "reply": ["utter_greet"], "entities": {"shoe": "42"}}]},
        "`entities`",
    ),
    "an unknown need": (
        {"right_need": "x"},
        "need 'x'",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_file_is_named_with_file_and_conversation(fault: str, tmp_path: Path) -> None:
    changes, message = FAULTS[fault]
    good = {"id": "one", "turns": [{"say": "hi", "confidence": 0.9, "intent": "greet", "reply": ["utter_greet"]}]}
    content = {"language": "de", "places": {"Köln": "Köln"}, "conversations": [{**good, **changes}]}
    (tmp_path / "de.yml").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(scripts.ScriptError, match=re.escape(message)) as raised:
        scripts.load("de", tmp_path)
    assert str(raised.value).startswith("de.yml: conversation 'one'")


def test_a_file_that_is_no_yaml_or_of_another_language_is_refused(tmp_path: Path) -> None:
    for content, message in (("{", "YAML"), ("- a", "expected fields"), ('{"language": "tr", "places": {}, "conversations": []}', "'tr'")):
        (tmp_path / "de.yml").write_text(content, encoding="utf-8")
        with pytest.raises(scripts.ScriptError, match=message):
            scripts.load("de", tmp_path)
    with pytest.raises(scripts.ScriptError, match="No such file"):
        scripts.load("fr", tmp_path)


# -- what is filled in -------------------------------------------------------------------------------------------------


def test_as_many_conversations_as_asked_for_stand_in_the_review(filled: Settings) -> None:
    assert rows(filled, select(func.count()).select_from(Transcript)) == [(NUMBER,)]
    assert {row[0] for row in rows(filled, select(Transcript.language))} == set(LANGUAGES)
    assert {row[0] for row in rows(filled, select(Transcript.channel))} == {"web", "telegram", "whatsapp"}


def test_they_are_of_the_last_four_weeks_ended_and_the_newest_is_of_today(filled: Settings) -> None:
    found = [row[0] for row in rows(filled, select(Transcript))]
    assert all(NOW - timedelta(days=30) < one.started_at <= one.last_activity_at < NOW for one in found)
    assert max(one.last_activity_at for one in found) > NOW - timedelta(hours=3)
    assert all(one.ended_at is not None and one.conversation_id is None for one in found)
    assert rows(filled, select(Conversation)) == []


def test_without_consent_there_is_structure_only_and_only_for_two_days(filled: Settings) -> None:
    without = [row[0] for row in rows(filled, select(Transcript).where(Transcript.consent.is_(False)))]
    assert without and all(one.last_activity_at > NOW - timedelta(hours=48) for one in without)
    of_these = TranscriptTurn.transcript_id.in_([one.id for one in without])
    kept = rows(filled, select(TranscriptTurn.text, TranscriptTurn.entities, TranscriptTurn.referral).where(of_these))
    assert kept and set(kept) == {(None, None, None)}


def test_texts_are_those_of_the_guide_in_the_language_and_nothing_is_left_to_fill_in(filled: Settings) -> None:
    turns = [row[0] for row in rows(filled, select(TranscriptTurn).join(Transcript).where(Transcript.consent))]
    assert all(turn.text for turn in turns)
    assert not [turn.text for turn in turns if re.search(r"\{\w+\}", turn.text)]
    assert all(turn.response for turn in turns if turn.author == GUIDE)
    assert all(turn.intent for turn in turns if turn.author == PERSON)
    german = {turn.text for turn in turns if turn.response == "utter_ask_place" and turn.language == "de"}
    assert german <= {"Wo wohnen Sie? Schreiben Sie bitte die Postleitzahl oder den Ort."}


def test_cards_show_offices_that_the_directory_has(filled: Settings) -> None:
    with directory_session(filled.directory_url) as session:
        from actions.directory.models import Office

        known = set(session.scalars(select(Office.id)))
    shown = {row[0] for row in rows(filled, select(TranscriptOffice.office_id))}
    assert shown and shown <= known
    cards = [json.loads(row[0]) for row in rows(filled, select(TranscriptTurn.referral).where(TranscriptTurn.referral.is_not(None)))]
    assert cards and all(card["offices"] and {one["id"] for one in card["offices"]} <= known for card in cards)
    assert {row[0] for row in rows(filled, select(Transcript.state))} - {None}


def test_what_was_taken_out_is_counted(filled: Settings) -> None:
    query = select(TranscriptTurn.text, TranscriptTurn.redacted).where(
        TranscriptTurn.author == PERSON, TranscriptTurn.text.contains("[Name]")
    )
    for text, redacted in rows(filled, query):
        assert json.loads(redacted)["name"] == text.count("[Name]")


def test_the_figures_are_those_of_sixty_days(filled: Settings) -> None:
    days = [row[0] for row in rows(filled, select(DailyCount.day).where(DailyCount.measure == "conversation", DailyCount.key == "all"))]
    assert min(days) < (NOW - timedelta(days=50)).date() and max(days) == NOW.date()
    totals = dict(
        rows(filled, select(DailyCount.key, func.sum(DailyCount.count)).where(DailyCount.measure == "conversation").group_by("key"))
    )
    assert totals["all"] > 2 * NUMBER
    assert 0.7 < totals["consent"] / totals["all"] < 0.97


def test_a_third_is_reviewed_and_the_judgements_are_of_all_kinds(filled: Settings) -> None:
    states = Counter(row[0] for row in rows(filled, select(Transcript.review_state)))
    assert states["done"] == round(NUMBER / 3) and states["in_review"] > 0 and states["new"] > NUMBER / 3
    verdicts = [row[0] for row in rows(filled, select(Verdict))]
    assert {"helpful", "wrong"} <= {one.answer for one in verdicts}
    assert {True, False} <= {one.intent_right for one in verdicts}
    assert rows(filled, select(Note)) and rows(filled, select(Transcript).where(Transcript.assigned_to.is_not(None)))
    done = [row[0] for row in rows(filled, select(Transcript).where(Transcript.review_state == "done"))]
    assert all(one.consent and one.reviewed_by and one.last_activity_at < one.reviewed_at < NOW for one in done)


def test_nobody_has_judged_what_is_of_another_region(filled: Settings) -> None:
    query = select(Transcript.state, Staff.states).join(Staff, Staff.id == Transcript.reviewed_by)
    assert all(not states or state in states.split(",") for state, states in rows(filled, query))


def test_call_back_requests_are_in_all_states_and_can_be_read_with_the_key(filled: Settings) -> None:
    services = create_standalone(filled).routes[0].app.state.services  # type: ignore[attr-defined]
    with services.session() as session:
        found = [one for status in CALLBACK_STATES for one in callbacks.listed(session, services.callback_key, (), status)]
        stored = list(session.scalars(select(CallbackRequest.sealed)))
    assert len(found) == 12 and {one.status for one in found} == set(CALLBACK_STATES)
    assert all(one.contact and (one.contact.phone or one.contact.email) for one in found)
    assert not [one for one in stored if b"example.org" in one or b"+49" in one]


def test_saved_filters_are_filters(filled: Settings) -> None:
    found = [row[0] for row in rows(filled, select(SavedFilter))]
    assert found and all(inbox_filter.InboxFilter.from_query(one.query).problems == () for one in found)


def test_the_same_seed_gives_the_same_conversations_and_another_seed_others(filled: Settings, tmp_path: Path) -> None:
    query = select(Transcript.key, Transcript.started_at, Transcript.review_state, TranscriptTurn.text, TranscriptTurn.confidence)
    query = query.join(TranscriptTurn, TranscriptTurn.transcript_id == Transcript.id).order_by(Transcript.key, TranscriptTurn.position)
    again = filled_home(tmp_path / "again")
    assert rows(again, query) == rows(filled, query)
    files = [scripts.load(language) for language in scripts.languages()]
    with directory_session(filled.directory_url) as session:
        plans = [list(conversations._plan(session, files, NUMBER, random.Random(seed), NOW)) for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]


# -- accounts ----------------------------------------------------------------------------------------------------------


def test_there_is_an_account_for_each_role_with_new_passwords_at_each_start(filled: Settings) -> None:
    services = create_standalone(filled).routes[0].app.state.services  # type: ignore[attr-defined]
    with services.session() as session:
        first = staff.ready(session, services.totp_key, NOW)
        second = staff.ready(session, services.totp_key, NOW)
        kept = {row.email: row.password_hash for row in session.scalars(select(Staff))}
    assert {role for login in second for role in login.person.roles} == set(ROLES)
    assert len(kept) == len(staff.PEOPLE)
    for old, new in zip(first, second, strict=True):
        assert passwords.verify(new.password, kept[new.person.email]) and not passwords.verify(old.password, kept[new.person.email])
        assert passwords.problem(new.password, new.person.email, new.person.name) is None


def log_in(used: Settings, login: staff.Login) -> TestClient:
    client = TestClient(create_standalone(used), base_url="http://127.0.0.1", follow_redirects=True)
    answer = client.get("/review/login")
    csrf = re.search(r'name="csrf" value="([^"]*)"', answer.text)
    data = {"email": login.person.email, "password": login.password, "csrf": csrf[1] if csrf else ""}
    answer = client.post("/review/login", data=data, headers={"Origin": "http://127.0.0.1"})
    assert answer.status_code == 200, answer.text
    return client


def test_the_reviewer_logs_in_without_a_second_factor_and_reads_a_conversation(filled: Settings) -> None:
    services = create_standalone(filled).routes[0].app.state.services  # type: ignore[attr-defined]
    with services.session() as session:
        logins = {login.person.roles[0]: login for login in staff.ready(session, services.totp_key, datetime.now(timezone.utc))}
    # Two have the role of a reviewer; either will do.
    client = log_in(filled, logins["reviewer"])
    assert client.get("/review/conversations?tab=all").status_code == 200
    state = select(Transcript.key).where(Transcript.consent, Transcript.state == "DE-NW").limit(1)
    key = rows(filled, state)[0][0]
    assert client.get(f"/review/conversations/{key}").status_code == 200


def test_the_emergency_codes_and_the_key_of_the_admin_are_those_that_are_kept(filled: Settings) -> None:
    services = create_standalone(filled).routes[0].app.state.services  # type: ignore[attr-defined]
    with services.session() as session:
        admin = next(one for one in staff.ready(session, services.totp_key, NOW) if one.codes)
        row = session.execute(select(Staff).where(Staff.email == admin.person.email)).scalar_one()
        assert totp.opened(row.totp_secret, services.totp_key) == admin.secret
        from bot.transcripts import staff as accounts

        assert len(admin.codes) == totp.EMERGENCY_CODES
        assert accounts.use_emergency_code(session, row.id, totp.emergency_hash(admin.codes[0]), NOW)


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_fills_a_home_of_its_own_and_a_second_start_keeps_it(environment: dict[str, str], tmp_path: Path) -> None:
    foreign = tmp_path / "real.db"
    os.environ["LOTSE_TRANSCRIPTS_URL"] = os.environ["LOTSE_DIRECTORY_URL"] = f"sqlite:///{foreign}"
    os.environ["LOTSE_SMTP_URL"] = "smtp://mail.example.org"
    settings.cache_clear()
    first = lotse("--fill-only", "--conversations", 20)
    assert first.exit_code == 0, first.output
    assert "everything in it is invented" in first.stdout and "Filled with 20 conversations" in first.stdout
    assert not foreign.exists()
    assert {path.name for path in tmp_path.iterdir()} == {demo.FOLDER, demo.LOCK}
    assert os.environ["LOTSE_HOME"] == str(tmp_path / demo.FOLDER) and "LOTSE_SMTP_URL" not in os.environ
    before = (tmp_path / demo.FOLDER / demo.FILLED).read_text(encoding="utf-8")
    os.environ["LOTSE_HOME"] = str(tmp_path)
    settings.cache_clear()
    second = lotse("--fill-only", "--conversations", 21)
    assert second.exit_code == 0 and "takes effect with --reset" in second.stdout
    assert (tmp_path / demo.FOLDER / demo.FILLED).read_text(encoding="utf-8") == before


def test_reset_deletes_nothing_that_is_not_a_demonstration(environment: dict[str, str], tmp_path: Path) -> None:
    home = tmp_path / demo.FOLDER
    home.mkdir()
    (home / "transcripts.db").write_text("precious", encoding="utf-8")
    for arguments in (("--reset", "--fill-only"), ("--fill-only",)):
        result = lotse(*arguments)
        assert result.exit_code == 1 and "left alone" in result.stderr
    assert (home / "transcripts.db").read_text(encoding="utf-8") == "precious"


def test_reset_follows_no_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / demo.MARK).write_text("", encoding="utf-8")
    home = tmp_path / demo.FOLDER
    home.symlink_to(elsewhere)
    with pytest.raises(demo.DemoError):
        demo.reset(home)
    assert (elsewhere / demo.MARK).exists()


def test_reset_deletes_a_demonstration_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "transcripts.db").write_text("precious", encoding="utf-8")
    home = tmp_path / demo.FOLDER
    home.mkdir()
    (home / demo.MARK).write_text("", encoding="utf-8")
    assert demo.reset(home) is True and demo.reset(home) is False
    assert [path.name for path in tmp_path.iterdir()] == ["transcripts.db"]


def test_a_filling_that_was_broken_off_begins_anew(tmp_path: Path) -> None:
    used = demo.settings_of(tmp_path / demo.FOLDER, settings(), 8090)

    def break_off(what: str, done: int, of: int) -> None:
        if what == "writing conversations":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.fill(used, 20, 1, NOW, break_off)
    assert demo.filled(used.home) is None and (used.home / demo.MARK).exists()
    database.engine(used.transcripts_url).dispose()
    demo.reset(used.home)


def test_two_demonstrations_do_not_share_a_home(environment: dict[str, str], tmp_path: Path) -> None:
    with demo.alone(tmp_path / demo.FOLDER):
        result = lotse("--fill-only")
    assert result.exit_code == 1 and "running already" in result.stderr


def test_a_port_that_is_taken_is_said_before_anything_is_filled(environment: dict[str, str], tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = lotse("--port", taken.getsockname()[1])
    assert result.exit_code == 1 and "is taken" in result.stderr
    assert not (tmp_path / demo.FOLDER).exists()


def test_the_command_prints_the_address_the_accounts_and_what_to_look_at_first(
    filled: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Any] = []
    monkeypatch.setattr("bot.web.server.serve", lambda app, used: served.append(used))
    monkeypatch.setattr(cli_demo.out, "width", 200)
    cli_demo._serve(filled)
    said = capsys.readouterr().out
    assert served == [filled]
    assert "http://127.0.0.1:8090/review/" in said and "What to look at first" in said
    assert all(person.email in said for person in staff.PEOPLE)
    assert len(re.findall(r"\b[a-z2-9]{5}(?:-[a-z2-9]{5}){3}\b", said)) == len(staff.PEOPLE)
