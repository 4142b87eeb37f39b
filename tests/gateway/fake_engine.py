"""An engine and action server that obey the contract and misbehave on demand; a real HTTP server on a free port.

By hand, to look at the page without Rasa: ``python tests/gateway/fake_engine.py 5005`` and, with
``LOTSE_ACTIONS_PORT=5005``, ``python -m bot.gateway``.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

OFFICES = [
    {
        "id": "iq-dortmund",
        "kind": "recognition_counselling",
        "name": "Anerkennungsberatung Dortmund (Beispiel)",
        "carrier": "Beispielträger e. V.",
        "street": "Beispielstraße 1",
        "postcode": "44137",
        "city": "Dortmund",
        "phone": "0231 0000-000",
        "email": "beratung@example.org",
        "website": "https://www.example.org/anerkennung",
        "languages": ["de", "en", "ar", "tr"],
        "opening_hours": "Mo-Do 9-12 Uhr",
        "distance_km": 2.34,
        "checked_on": "2026-11-02",
        "source_url": "https://www.example.org/quelle",
        "confirmed": True,
    },
    {
        "id": "iq-bochum",
        "kind": "fair_integration",
        "name": "Faire Integration Bochum (Beispiel)",
        "carrier": "Arbeit und Beispiel NRW e. V.",
        "street": None,
        "postcode": None,
        "city": "Bochum",
        "phone": "+49 234 0000000",
        "email": None,
        "website": None,
        "languages": ["de", "fa", "ru"],
        "distance_km": 17.8,
        "checked_on": "2026-05-20",
        "source_url": "https://www.example.org/bochum",
        "confirmed": False,
    },
]
REFERRAL = {
    "need": "recognition",
    "place": {"name": "Dortmund", "postcode": "44137", "district": "05913", "state": "DE-NW"},
    "offices": OFFICES,
    "notes": ["Die Beratung ist kostenlos."],
}


def message(text: str, language: str = "de", **more: Any) -> dict[str, Any]:
    """Return a message as the engine sends it."""
    return {"text": text, "language": language, "buttons": [], "referral": None, **more}


class FakeEngine:
    """One fake engine with a memory of what it was asked.

    ``mode`` is ``ok``, ``slow``, ``error`` (500), ``nonsense`` (``nonsense`` is the
    body) or ``silent`` (no message).
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self.reset()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def reset(self) -> None:
        """Forget everything and behave."""
        self.mode = "ok"
        self.nonsense: bytes = b"<html>no json</html>"
        self.delay = 0.0
        self.asked: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.undeletable: set[str] = set()
        self.keys: list[str | None] = []
        self.actions_work = True
        self.languages: dict[str, str] = {}
        self.started: set[str] = set()
        self.at_once = 0
        self.most_at_once = 0

    @property
    def texts(self) -> list[Any]:
        """The texts that were asked, in their order."""
        return [body["text"] for body in self.asked if "text" in body]

    def start(self) -> FakeEngine:
        """Serve in a thread."""
        config = uvicorn.Config(self.app(), host="127.0.0.1", port=self.port, log_level="critical", lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < deadline, "the fake engine does not start"
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """Be dead: nobody listens on the port any more."""
        if self._server and self._thread:
            self._server.should_exit = True
            self._server.force_exit = True
            self._thread.join(10)
            self._server = self._thread = None

    def app(self) -> Starlette:
        """Return the application of engine and action server."""
        return Starlette(
            routes=[
                Route("/webhooks/lotse/messages", self._messages, methods=["POST"]),
                Route("/webhooks/lotse/conversations/{id}", self._delete, methods=["DELETE"]),
                Route("/webhooks/lotse/health", self._health),
                Route("/webhook", self._webhook, methods=["POST"]),
            ]
        )

    async def _misbehave(self) -> Response | None:
        if self.mode == "error":
            return JSONResponse({"error": {"code": "internal", "message": "no"}}, 500)
        if self.mode == "nonsense":
            return Response(self.nonsense, media_type="application/json")
        if self.mode == "slow":
            await asyncio.sleep(3)
        if self.mode == "silent":
            return JSONResponse({"language": "de", "messages": [], "intent": None, "confidence": 0, "need": None})
        return None

    async def _messages(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        self.keys.append(request.headers.get("authorization"))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.mode != "slow":
                wrong = await self._misbehave()
                if wrong is not None:
                    return wrong
            # Who no longer waits for the answer does not undo the turn.
            answer = self._answer(body)
            await asyncio.sleep(3 if self.mode == "slow" else self.delay)
            return JSONResponse(answer)
        finally:
            self.at_once -= 1

    def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        conversation = body["conversation"]
        language = body.get("set_language") or body["language"] or self.languages.get(conversation, "de")
        text = body.get("text", "")
        if "english please" in text.lower():
            language = "en"
        self.languages[conversation] = language
        answer = {"language": language, "intent": "recognition", "confidence": 0.97, "need": "recognition"}
        return {**answer, "messages": self._said(body, text, language)}

    def _said(self, body: dict[str, Any], text: str, language: str) -> list[dict[str, Any]]:
        german = language == "de"
        if body.get("start"):
            if body["conversation"] in self.started:
                return []  # as Rasa: a conversation that has begun is not begun again
            self.started.add(body["conversation"])
            hello = "Guten Tag! Hier antwortet eine Maschine, betrieben vom Fake. Ich bin nicht die Ausländerbehörde."
            welcome = hello if german else "Hello! A machine answers here. I am not the immigration office."
            titles = ("Anerkennung", "Kurse", "Probleme bei der Arbeit")
            payloads = ("/recognition", "/qualification", "/fair_integration")
            buttons = [{"title": a, "payload": b} for a, b in zip(titles, payloads, strict=True)]
            return [message(welcome, language), message("Womit kann ich helfen?", language, buttons=buttons)]
        if "set_language" in body:
            return [message("Wir sprechen jetzt Deutsch." if german else "We speak English now.", language)]
        if "in Gefahr" in text:
            return [message("Rufen Sie an:", language, referral={**REFERRAL, "need": "crisis", "offices": OFFICES[:1], "notes": []})]
        if "Dortmund" in text:
            return [
                message("Diese Stellen beraten Sie kostenlos:", language),
                message("", language, referral=REFERRAL),
            ]
        if "kosten" in text.lower():
            said = "Das Verfahren kostet meist 100 bis 600 Euro. Mehr: www.anerkennung-in-deutschland.de\nStand: 1.11.2026"
            return [message(said, language)]
        if "مرحبا" in text:
            return [message("أهلاً! هنا يجيب برنامج آلي. رقم الهاتف: +49 30 1815-1111.", "ar")]
        return [message(f"answer {len(self.asked)} to {text or body.get('payload')}", language)]

    async def _delete(self, request: Request) -> Response:
        wrong = await self._misbehave()
        if wrong is not None and self.mode == "error":
            return wrong
        if request.path_params["id"] in self.undeletable:
            return JSONResponse({"error": {"code": "internal", "message": "no"}}, 500)
        self.deleted.append(request.path_params["id"])
        return Response(status_code=204)

    async def _health(self, _request: Request) -> Response:
        wrong = await self._misbehave()
        return wrong or JSONResponse({"status": "ok", "model": "fake-model-1.2.3", "tracker_store": "ok"})

    async def _webhook(self, request: Request) -> Response:
        self.keys.append(request.headers.get("authorization"))
        assert (await request.json())["next_action"] == "action_health"
        if not self.actions_work:
            return JSONResponse({"error": "no"}, 500)
        return JSONResponse({"events": [], "responses": [{"custom": {"offices": 190, "postcode_ranges": 1876}}]})


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    # ws="none": Sanic 21.12 pins a websockets that is too old for uvicorn.
    uvicorn.run(FakeEngine(int(sys.argv[1])).app(), host="127.0.0.1", port=int(sys.argv[1]), ws="none")
