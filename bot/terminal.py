"""`lotse chat`: the guide in the terminal, through the same chat API as the page."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
from prompt_toolkit import PromptSession
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

# A turn takes milliseconds; only a broken engine takes longer.
TIMEOUT = 30


class NotRunning(Exception):
    """No guide answers at the address; the message says what to do."""


class Client:
    """A conversation over the chat API."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT)
        self.language = "de"
        self._speech: dict[str, dict[str, Any]] = {}

    def speech(self, language: str) -> dict[str, Any]:
        """Return the words of the page in a language: texts by their ids, names of languages."""
        if language not in self._speech:
            answer = self._http.get(f"/texts/{language}.json")
            self._speech[language] = answer.json() if answer.status_code == 200 else {"texts": {}, "language_names": {}}
        return self._speech[language]

    def start(self, language: str | None) -> list[dict[str, Any]]:
        """Begin a conversation and return the first messages.

        Raises:
            NotRunning: if nothing answers.
        """
        try:
            answer = self._http.post("/api/chat/sessions", json={"language": language})
        except httpx.HTTPError as error:
            raise NotRunning(f"No guide answers at {self._http.base_url}. Start it in another terminal: make run") from error
        body = answer.json()
        if answer.status_code != 201:
            raise NotRunning(body.get("error", {}).get("message") or f"The guide answered {answer.status_code}.")
        self._http.headers["Authorization"] = f"Bearer {body['token']}"
        self.language = body["language"]
        return list(body["messages"])

    def send(self, **content: str) -> list[dict[str, Any]]:
        """Send ``text=...`` or ``button=...`` and return the replies; errors come back as a message."""
        try:
            answer = self._http.post("/api/chat/messages", json={"id": str(uuid.uuid4()), **content})
        except httpx.HTTPError:
            return [_note("The guide does not answer. Is it still running?")]
        body = answer.json()
        messages = list(body.get("messages") or [])
        if answer.status_code >= 400 and not messages:
            messages = [_note(body.get("error", {}).get("message", str(answer.status_code)))]
        return messages

    def delete(self) -> None:
        """Delete the conversation everywhere."""
        self._http.delete("/api/chat/sessions/current")


def _note(text: str) -> dict[str, Any]:
    return {"author": "bot", "text": text, "language": "en", "buttons": [], "referral": None}


def chat(url: str, language: str | None) -> None:
    """Chat until the person leaves (Ctrl-D, Ctrl-C or /quit).

    Args:
        url: address of the guide.
        language: wanted language, or None to let the guide choose.

    Raises:
        NotRunning: if no guide answers.
    """
    console = Console()
    client = Client(url)
    buttons = show(console, client, client.start(language))
    console.print("[dim]A number chooses a button. /delete deletes the conversation, /quit or Ctrl-D leaves.[/dim]")
    prompt: PromptSession[str] = PromptSession()
    while True:
        try:
            text = prompt.prompt("> ").strip()
        except (EOFError, KeyboardInterrupt):
            break
        if text in ("/quit", "/exit"):
            break
        if text == "/delete":
            client.delete()
            console.print("[dim]Everything of this conversation is deleted.[/dim]")
            break
        if not text:
            continue
        chosen = buttons[int(text) - 1] if text.isdigit() and 0 < int(text) <= len(buttons) else None
        buttons = show(console, client, client.send(button=chosen) if chosen else client.send(text=text))


def show(console: Console, client: Client, messages: list[dict[str, Any]]) -> list[str]:
    """Print messages with their offices and numbered buttons; return the ids of the buttons."""
    ids: list[str] = []
    for message in messages:
        if message.get("author") == "user":
            continue
        if message["text"]:
            console.print(Panel(Text(message["text"]), border_style="blue", expand=False))
        referral = message.get("referral") or {"offices": [], "notes": []}
        for office in referral["offices"]:
            card = office_card(office, client.speech(message["language"]))
            console.print(Panel(card, border_style="green" if office["confirmed"] else "yellow", expand=False))
        for note in referral["notes"]:
            console.print(f"• {note}", highlight=False, markup=False)
        for button in message["buttons"]:
            ids.append(button["id"])
            console.print(f"  [{len(ids)}] {button['title']}", highlight=False, markup=False)
    return ids


def office_card(office: dict[str, Any], speech: dict[str, Any]) -> Text:
    """Return an office as text, with everything a person needs to get there.

    Args:
        office: the office of a referral.
        speech: the words of the page in the person's language (``Client.speech``).
    """
    words, names = speech["texts"], speech["language_names"]
    card = Text()
    card.append(office["name"], style="bold")
    address = ", ".join(filter(None, (office["street"], " ".join(filter(None, (office["postcode"], office["city"]))))))
    if office["distance_km"] is not None:
        address += f" ({office['distance_km']} km)"
    languages = ", ".join(names.get(code, code) for code in office["languages"])
    lines = [office["carrier"], office.get("audience"), address, office["phone"], office["email"], office["website"], languages]
    for line in filter(None, lines):
        card.append(f"\n{line}")
    if not office["confirmed"]:
        card.append(f"\n{words.get('office.unconfirmed', '?')}", style="yellow")
    stand = words.get("office.checked_on", "{date}").format(date=office["checked_on"])
    card.append(f"\n{stand} · {office['source_url']}", style="dim")
    return card
