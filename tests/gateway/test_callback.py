"""A person asks for a call-back: offered only where staff call, in every language, without scripts; and takes it back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from itsdangerous import URLSafeSerializer
from sqlalchemy import select

from bot.gateway.app import create_app
from bot.gateway.callback_form import email_address, filled, phone_number
from bot.gateway.page import _widget_texts
from bot.gateway.texts import text
from bot.languages import RIGHT_TO_LEFT, SPOKEN_LANGUAGES
from bot.transcripts import database
from bot.transcripts.record_models import CallbackRequest, Notification, TranscriptTurn
from bot.transcripts.retention import OPEN_CALLBACK_DAYS
from bot.transcripts.staff_models import AuditEntry

from .browser import browsing, needs_chromium, say, serving
from .callback_support import (
    ALL,
    GOOD,
    address_of,
    count,
    made_ticket,
    offered,
    send,
    stored,
    ticket,
    withdrawal,
)
from .fake_engine import FakeEngine, free_port
from .support import code, make_settings, new_id, open_gate


@pytest.fixture(name="engine", scope="module")
def _engine() -> Iterator[FakeEngine]:
    made = FakeEngine().start()
    yield made
    made.stop()


# ---------------------------------------------------------------------- where it is offered


@pytest.mark.parametrize(
    ("states", "wanted"), [((), False), (("DE-BE",), False), (("DE-NW",), True), (("DE-BE", "DE-NW"), True), (("all",), True)]
)
async def test_a_call_back_is_offered_only_where_staff_call(tmp_path: Path, states: tuple[str, ...], wanted: bool) -> None:
    async with open_gate(tmp_path, callback_states=states) as gate:
        assert (await offered(gate) is not None) == wanted
        assert await offered(gate, words="Guten Tag") is None


async def test_in_danger_nobody_is_asked_to_wait_for_a_call(tmp_path: Path) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        chat = await gate.begin()
        (message,) = (await chat.say("Ich bin in Gefahr")).json()["messages"]
        assert message["referral"]["need"] == "crisis"
        assert "callback" not in message["referral"]


async def test_the_same_message_gets_the_same_ticket_also_after_a_reload(tmp_path: Path) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        chat, key = await gate.begin(), new_id()
        first = (await chat.say("Dortmund", key)).json()["messages"]
        assert (await chat.say("Dortmund", key)).json()["messages"] == first
        assert first[1]["referral"]["callback"] in str(await chat.history())


async def test_the_address_tells_neither_the_conversation_nor_opens_it(tmp_path: Path) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        chat = await gate.begin()
        address = (await chat.say("Dortmund")).json()["messages"][1]["referral"]["callback"]
        given = parse_qs(urlsplit(address).query)["ticket"][0]
        loaded = URLSafeSerializer("any").load_payload(given.rpartition(".")[0].encode())
        assert chat.conversation not in str(loaded)
        answer = await gate.http.get("/api/chat/messages", headers={"Authorization": f"Bearer {given}"})
        assert (answer.status_code, code(answer)) == (401, "unauthorized")


async def test_the_transcript_that_staff_read_holds_no_ticket(tmp_path: Path) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        chat = await gate.begin()
        await chat.call("PATCH", "sessions/current", json={"consent_to_review": True})
        assert "callback" in (await chat.say("Dortmund")).text
        with database.session(gate.services.settings.transcripts_url) as session:
            kept = [one for one in session.scalars(select(TranscriptTurn.referral)) if one]
        assert kept
        assert "callback" not in "".join(kept)


# ---------------------------------------------------------------------- the form


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
async def test_the_form_and_what_follows_speak_the_language_of_the_conversation(tmp_path: Path, language: str) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        given = made_ticket(gate, language=language)
        page = await gate.http.get("/callback", params={"ticket": given})
        assert page.status_code == 200
        direction = "rtl" if language in RIGHT_TO_LEFT else "ltr"
        assert f'<html lang="{language}" dir="{direction}">' in page.text
        for key in ("callback.promise", "callback.danger", "callback.topic", "need.recognition"):
            assert text(key, language) in page.text, key
        assert f'value="{language}" lang="{language}" selected' in page.text
        wrong = await send(gate, given, {})
        assert wrong.status_code == 422
        assert text("callback.error.consent", language) in wrong.text
        received = await send(gate, given)
        assert text("callback.received", language) in received.text
        for answer in (page, wrong, received):
            assert 'href="tel:110"' in answer.text
            assert 'href="tel:112"' in answer.text
            assert "<script" not in answer.text
            assert answer.headers["Cache-Control"] == "no-store"
            assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("days", [1, 14, 90])
async def test_the_form_says_how_long_the_data_are_kept_by_the_setting_that_deletes_them(tmp_path: Path, days: int) -> None:
    async with open_gate(tmp_path, callback_days=days, **ALL) as gate:
        page = (await gate.http.get("/callback", params={"ticket": made_ticket(gate)})).text
        assert text("callback.consent_deleted", "de", count=days) in page
        assert text("callback.consent_latest", "de", most=OPEN_CALLBACK_DAYS) in page
        assert "Nordrhein-Westfalen" in page
        assert "Testbetreiber gGmbH" in page
        assert not re.search(r'name="consent"[^>]*checked', page)


async def test_a_request_arrives_as_it_was_written_and_staff_are_to_hear_of_it(tmp_path: Path) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        given = await ticket(gate, "tr")
        data = {
            **GOOD,
            "name": "  Ayşe\u202e Öztürk\x07 ",
            "email": "Ayse@Example.org",
            "language": "ar",
            "time": "evening",
            "time_note": "nur\ndienstags",
            "topic": "Mein Diplom\r\naus Izmir",
        }
        answer = await send(gate, given, data)
        assert answer.status_code == 200
        assert "+49 1512 3456789" in answer.text
        (request,) = stored(gate)
        assert (request.state, request.district, request.need, request.language) == ("DE-NW", "05913", "recognition", "ar")
        contact = request.contact
        assert contact is not None
        assert (contact.name, contact.phone, contact.email) == ("Ayşe Öztürk", "+4915123456789", "Ayse@example.org")
        assert (contact.time, contact.time_note, contact.topic) == ("evening", "nur dienstags", "Mein Diplom\naus Izmir")
        with database.session(gate.services.settings.transcripts_url) as session:
            note = session.execute(select(Notification)).scalar_one()
            assert (note.kind, note.state, note.object_key) == ("callback", "DE-NW", request.key)


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"phone": ""}, {"phone": "callback.error.contact"}),
        ({"phone": " \u200e "}, {"phone": "callback.error.phone"}),
        ({"phone": "110"}, {"phone": "callback.error.phone"}),
        ({"phone": "0900 1234567"}, {"phone": "callback.error.phone"}),
        ({"phone": "0800 1110111"}, {"phone": "callback.error.phone"}),
        ({"phone": "+881612345678"}, {"phone": "callback.error.phone"}),
        ({"phone": "call 015123456789"}, {"phone": "callback.error.phone"}),
        ({"phone": "1" * 41}, {"phone": "callback.error.too_long"}),
        ({"email": "no address"}, {"email": "callback.error.email"}),
        ({"email": "a@b@example.org"}, {"email": "callback.error.email"}),
        ({"email": "a@example.org\nBcc: b@example.org"}, {"email": "callback.error.email"}),
        ({"email": "a@localhost"}, {"email": "callback.error.email"}),
        ({"consent": ""}, {"consent": "callback.error.consent"}),
        ({"consent": "no"}, {"consent": "callback.error.consent"}),
        ({"topic": "x" * 501}, {"topic": "callback.error.too_long"}),
        ({"name": "x" * 10_000}, {"name": "callback.error.too_long"}),
        ({"phone": "1", "consent": "", "email": "x"}, {k: f"callback.error.{k}" for k in ("phone", "email", "consent")}),
    ],
)
async def test_every_mistake_is_named_at_its_field_and_nothing_is_lost(
    tmp_path: Path, changes: dict[str, str], problems: dict[str, str]
) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        data = {**GOOD, "name": "Ada", "topic": "Mein Zeugnis", "time": "morning", "language": "uk", **changes}
        answer = await send(gate, made_ticket(gate), data)
        assert answer.status_code == 422
        for field, key in problems.items():
            limit = {"phone": 40, "topic": 500, "name": 80}.get(field)
            said = text(key, "de", limit=limit) if key.endswith("too_long") else text(key, "de")
            assert answer.text.count(said) == 2, "in the summary and at the field"
            assert f'href="#{field}"' in answer.text
            assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', answer.text), field
        assert answer.text.count('aria-invalid="true"') == len(problems)
        for name in ("name", "topic"):
            assert data[name] in answer.text
        assert 'value="morning" checked' in answer.text
        assert 'value="uk" lang="uk" selected' in answer.text
        assert count(gate, CallbackRequest) == 0
        assert (await send(gate, made_ticket(gate))).status_code == 200, "the ticket is still good"


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("0151 23456789", "+4915123456789"),
        ("0049 151/234 567-89", "+4915123456789"),
        ("\u202a+49 (151) 23456789\u202c", "+4915123456789"),
        ("٠١٥١ ٢٣٤٥٦٧٨٩", "+4915123456789"),
        ("۰۱۵۱۲۳۴۵۶۷۸۹", "+4915123456789"),
        ("0231 1234567", "+492311234567"),
        ("+90 530 123 45 67", "+905301234567"),
        ("+380 50 123 4567", "+380501234567"),
        ("0137 1234567", None),
        ("tel:+4915123456789", None),
        ("+", None),
        ("", None),
    ],
)
def test_numbers_are_understood_as_people_write_them(given: str, number: str | None) -> None:
    assert phone_number(given) == number


def test_addresses_are_understood_and_nothing_else_is() -> None:
    assert email_address("Ayşe.Öz@Example.ORG".replace("ş", "s").replace("Ö", "O")) == "Ayse.Oz@example.org"
    assert email_address("a@münchen.de") == "a@münchen.de"
    for wrong in ("", "a", "@example.org", "a@example", "a b@example.org", "<a@example.org>", "a@example.org,b@example.org", "x" * 300):
        assert email_address(wrong) is None


@pytest.mark.parametrize("odd", [{}, {"phone": 5}, {"phone": ["x"]}, {"language": "xx", "time": "never"}, {"name": "\ud800\x00\u2028"}])
def test_whatever_is_sent_becomes_a_clean_form(odd: dict[str, Any]) -> None:
    form = filled(odd, "fa")
    assert form.values["language"] == "fa"
    assert form.values["time"] == "any"
    assert form.values["name"] == ""
    assert form.problems


# ---------------------------------------------------------------------- taking it back


@pytest.mark.parametrize("language", ["de", "ar", "ro"])
async def test_a_person_takes_a_request_back_after_being_asked(tmp_path: Path, language: str) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        given = made_ticket(gate, language=language)
        address = withdrawal(await send(gate, given))
        asked = await gate.http.get(address)
        assert text("callback.withdraw_ask", language) in asked.text
        assert count(gate, CallbackRequest) == 1, "opening the link changes nothing"
        data = {"word": parse_qs(urlsplit(address).query)["word"][0]}
        path = f"/callback/withdraw?language={language}"
        assert (await gate.http.post(path, data=data, headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403
        done = await gate.http.post(path, data=data)
        assert text("callback.withdrawn", language) in done.text
        assert count(gate, CallbackRequest) == count(gate, Notification) == 0
        for answer in (await gate.http.get(address), await gate.http.post(path, data=data)):
            assert answer.status_code == 200
            assert text("callback.gone", language) in answer.text
        with database.session(gate.services.settings.transcripts_url) as session:
            entry = session.execute(select(AuditEntry)).scalar_one()
            assert (entry.staff_name, entry.action, entry.object_key, entry.details) == ("person", "callback.withdraw", "", "")
        assert (await send(gate, given)).status_code == 200, "who has changed her mind again may ask again"


@pytest.mark.parametrize("word", ["", "x", "x" * 5000, "🙂", "ticket"])
async def test_a_forged_word_takes_nothing_back(tmp_path: Path, word: str) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        given = made_ticket(gate)
        await send(gate, given)
        used = given if word == "ticket" else word
        for answer in (
            await gate.http.get("/callback/withdraw", params={"word": used}),
            await gate.http.post("/callback/withdraw", data={"word": used}),
        ):
            assert answer.status_code == 404
        assert count(gate, CallbackRequest) == 1


async def test_deleting_the_data_in_the_chat_deletes_the_request_too(tmp_path: Path) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        chat = await gate.begin()
        address = (await chat.say("Dortmund")).json()["messages"][1]["referral"]["callback"]
        await send(gate, parse_qs(urlsplit(address).query)["ticket"][0])
        assert count(gate, CallbackRequest) == 1
        assert (await chat.call("DELETE", "sessions/current")).status_code == 204
        assert count(gate, CallbackRequest) == count(gate, Notification) == 0


async def test_a_request_can_be_made_after_the_conversation_has_ended(tmp_path: Path) -> None:
    async with open_gate(tmp_path, **ALL) as gate:
        given = await ticket(gate)
        gate.clock.forward(hours=2)
        await gate.services.tidy_up()
        assert (await send(gate, given)).status_code == 200
        with database.session(gate.services.settings.transcripts_url) as session:
            assert session.execute(select(CallbackRequest.conversation_id)).scalar_one() is None


# ---------------------------------------------------------------------- in a browser


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_only_the_link_of_the_form_is_among_the_texts_of_the_widget(language: str) -> None:
    raw, _ = _widget_texts(language, "Ein Verein e. V.", 30)
    assert b'"card.callback"' in raw
    assert b'"callback.' not in raw


@needs_chromium
def test_a_person_gets_from_the_chat_to_a_call_back_and_takes_it_back(tmp_path: Path, engine: FakeEngine) -> None:
    engine.reset()
    settings = make_settings(tmp_path, engine_port=engine.port, actions_port=engine.port, **ALL)
    with serving(create_app(settings), free_port()) as guide, browsing(guide) as window:
        page = window.new_page()
        page.goto(guide)
        page.locator(".message.bot").nth(1).wait_for()
        say(page, "Dortmund", 2)
        with window.expect_page() as opened:
            page.get_by_role("link", name=text("card.callback", "de")).click()
        form = opened.value
        assert form.url.startswith(f"{guide}/callback?ticket=")
        form.get_by_label(text("office.phone", "de")).fill("0151 23456789")
        form.get_by_role("button").click()
        assert form.get_by_role("alert").get_by_role("link", name=text("callback.error.consent", "de")).is_visible()
        form.get_by_label(text("callback.consent", "de")).check()
        form.get_by_role("button").click()
        form.get_by_role("heading", name=text("callback.received", "de")).wait_for()
        form.get_by_role("link", name=text("callback.withdraw", "de")).click()
        form.get_by_role("button", name=text("callback.withdraw_yes", "de")).click()
        assert form.get_by_role("status").inner_text() == text("callback.withdrawn", "de")


@needs_chromium
@pytest.mark.parametrize(
    "context",
    [{"viewport": {"width": 390, "height": 800}}, {"viewport": {"width": 320, "height": 256}, "color_scheme": "dark"}],
    ids=["phone", "zoom and dark"],
)
def test_axe_finds_nothing_wrong_with_the_form_and_it_never_scrolls_sideways(tmp_path: Path, context: dict[str, Any]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    settings = make_settings(tmp_path, **ALL)
    with serving(create_app(settings), free_port()) as guide, browsing(guide, **context) as window:
        page = window.new_page()
        for number, language in enumerate(("tr", "ar")):
            page.goto(guide + address_of(settings, id=f"{number:022}", language=language))
            for step in ("form", "mistakes", "received"):
                if step == "received":
                    page.locator("#phone").fill("0151 23456789")
                    page.locator("#consent").check()
                if step != "form":
                    page.locator("#send").click()
                    page.locator({"mistakes": ".problems", "received": ".said"}[step]).wait_for()
                found = axe.Axe().run(page).response["violations"]
                assert [f"{rule['id']}: {node['target']}" for rule in found for node in rule["nodes"]] == [], (language, step)
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (language, step)


@needs_chromium
def test_the_form_works_without_scripts(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, **ALL)
    with serving(create_app(settings), free_port()) as guide, browsing(guide, java_script_enabled=False) as window:
        page = window.new_page()
        page.goto(guide + address_of(settings, state="DE-BE", district=None, need="human", language="fr"))
        page.locator("#email").fill("a@example.org")
        page.locator("#consent").check()
        page.locator("#send").click()
        assert page.locator("h1").inner_text() == text("callback.received", "fr")
