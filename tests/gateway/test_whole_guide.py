"""The whole guide: web process, engine, action server and directory, over HTTP and in a browser."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.settings import settings
from tests.processes import RunningEngine

CHROMIUM = next((p for p in ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome") if Path(p).exists()), None)


class Visitor:
    """A person with a browser tab: one conversation over the chat API."""

    def __init__(self, url: str, language: str | None) -> None:
        self.http = httpx.Client(base_url=url, timeout=30)
        answer = self.http.post("/api/chat/sessions", json={"language": language})
        assert answer.status_code == 201, answer.text
        self.first = answer.json()
        self.http.headers["Authorization"] = f"Bearer {self.first['token']}"

    def send(self, **content: str) -> httpx.Response:
        """Send text or button with a new id."""
        return self.http.post("/api/chat/messages", json={"id": str(uuid.uuid4()), **content})

    def say(self, text: str) -> list[dict[str, Any]]:
        """Send a text and return the replies."""
        answer = self.send(text=text)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["messages"])

    def choose(self, messages: list[dict[str, Any]], title: str) -> list[dict[str, Any]]:
        """Press the button whose title contains ``title``."""
        button = next(b["id"] for m in messages for b in m["buttons"] if title in b["title"])
        answer = self.send(button=button)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["messages"])


def offices(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the office cards in some messages."""
    return [office for m in messages if m["referral"] for office in m["referral"]["offices"]]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Ich bin Krankenschwester aus Syrien und wohne in Cottbus"),
        ("en", "I am a nurse from Syria and I live in Cottbus"),
    ],
)
def test_need_and_place_in_one_message_give_the_office_without_a_question(guide: str, language: str, text: str) -> None:
    found = offices(Visitor(guide, language).say(text))
    assert found[0]["city"] == "Cottbus"
    assert found[0]["kind"] == "recognition_counselling"
    assert found[0]["street"] and found[0]["source_url"] and found[0]["checked_on"]


def test_dortmund_gets_the_next_best_contacts_and_is_told_so(guide: str) -> None:
    messages = Visitor(guide, "de").say("Ich bin Krankenschwester aus Syrien und wohne in Dortmund")
    assert "keine geprüfte Stelle vor Ort" in messages[0]["text"]
    found = offices(messages)
    assert any(office["phone"] for office in found)
    assert all(office["state"] in (None, "DE-NW") for office in found)


@pytest.mark.parametrize(
    ("language", "machine", "authority"), [("de", "kein Mensch", "Ausländerbehörde"), ("en", "not a", "Ausländerbehörde")]
)
def test_the_first_message_says_machine_operator_and_no_authority(guide: str, language: str, machine: str, authority: str) -> None:
    first = Visitor(guide, language).first["messages"][0]
    assert first["language"] == language
    assert machine in first["text"] and authority in first["text"] and settings().operator in first["text"]


def test_a_question_a_choice_and_a_change_of_place(guide: str) -> None:
    visitor = Visitor(guide, "de")
    question = visitor.choose(visitor.first["messages"], "anerkennen")
    assert "Wo wohnen Sie" in question[0]["text"]
    choice = visitor.say("Frankfurt")
    found = visitor.choose(choice, "Frankfurt (Oder)")
    assert offices(found)[0]["city"] == "Frankfurt (Oder)"
    assert offices(visitor.say("ich wohne jetzt in Cottbus"))[0]["city"] == "Cottbus"


def test_the_same_id_is_processed_once(guide: str) -> None:
    visitor = Visitor(guide, "de")
    body = {"id": str(uuid.uuid4()), "text": "Ich brauche Anerkennung und wohne in Cottbus"}
    first, second = (visitor.http.post("/api/chat/messages", json=body).json() for _ in range(2))
    assert first == second
    history = visitor.http.get("/api/chat/messages").json()["messages"]
    assert sum(1 for m in history if m["author"] == "user") == 1


@pytest.mark.parametrize("text", ["/restart", '/recognition{"place": "Köln"}', "/session_start"])
def test_a_slash_is_no_command(guide: str, text: str) -> None:
    visitor = Visitor(guide, "de")
    visitor.say("Ich brauche Anerkennung und wohne in Cottbus")
    visitor.say(text)
    history = visitor.http.get("/api/chat/messages").json()["messages"]
    assert offices(history)[0]["city"] == "Cottbus"
    assert not any("Ich bin ein Computer-Programm" in m["text"] for m in history[2:])


def test_deleting_in_the_chat_deletes_everywhere(guide: str, running_engine: RunningEngine) -> None:
    visitor = Visitor(guide, "de")
    marker = "Zwiebelturmwärter"
    visitor.say(f"Ich bin {marker} und brauche Hilfe mit meinem Lohn")
    asked = visitor.say("bitte alle meine Daten löschen")
    gone = visitor.choose(asked, "löschen")
    assert "gelöscht" in gone[0]["text"]
    assert visitor.send(text="hallo").status_code == 401
    for path in running_engine.home.iterdir():
        if path.is_file():
            assert marker.encode() not in path.read_bytes(), path.name


@pytest.mark.browser
def test_a_visitor_chats_in_the_browser(guide: str, tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (.ci/run installs it)")
    from playwright.sync_api import expect, sync_playwright

    pictures = Path(os.environ.get("LOTSE_PICTURES") or tmp_path)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        page = browser.new_page(viewport={"width": 1000, "height": 1150}, locale="de-DE")
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{guide}/?language=de")
        log = page.get_by_role("log")
        expect(log).to_contain_text("Computer-Programm")
        page.get_by_role("textbox").fill("Ich bin Krankenschwester aus Syrien und wohne in Cottbus")
        page.keyboard.press("Enter")
        expect(log).to_contain_text("Querstraße 48")
        expect(log.get_by_role("article").first).to_contain_text("Cottbus")
        page.screenshot(path=str(pictures / "chat.png"))
        assert (pictures / "chat.png").stat().st_size > 20_000
        page.reload()
        expect(page.get_by_role("log")).to_contain_text("Querstraße 48")
        page.set_viewport_size({"width": 320, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.screenshot(path=str(pictures / "chat-phone.png"))
        browser.close()
    assert errors == []
