"""The description of the API and the API say the same: paths, statuses, shapes, headers."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator, FormatChecker
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks
from sqlalchemy import text as sql

from actions.directory import offices, places
from actions.directory.database import session
from bot.gateway.app import ROUTES
from bot.gateway.body import BODY_LIMIT, MESSAGE_LIMIT
from bot.gateway.openapi import DESCRIPTION, description
from bot.gateway.texts import source
from bot.languages import SPOKEN_LANGUAGES
from bot.transcripts import database
from bot.web.limits import LIMITS

from .live import LiveGateway, another_address, live_gateway
from .support import ADDRESS, Chat, Gate, new_id, open_gate
from .test_limits import scope

Key = tuple[str, str, int]
# Nothing that a test could break for real makes these fail.
UNBREAKABLE = {("GET", "/health", 500), ("GET", "/texts/{language}.json", 500), ("GET", "/api/openapi.json", 500)}
OUTSIDE = ("/health", "/texts/{language}.json")


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """Return what is described, by method and path."""
    return {(method.upper(), path): one for path, item in description()["paths"].items() for method, one in item.items()}


def closed(schema: Any) -> Any:
    """Return a schema in which every object has only the members that are described.

    Clients ignore what they do not know; here, a member that nobody described is a mistake.
    """
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    if isinstance(inner.get("properties"), dict) and inner.get("type") == "object":
        inner.setdefault("additionalProperties", False)
    return inner


def problems(value: Any, *pointer: str) -> list[str]:
    """Return where ``value`` differs from the part of the description at ``pointer``."""
    reference = "/".join(part.replace("~", "~0").replace("/", "~1") for part in pointer)
    whole = {**closed(copy.deepcopy(description())), "$ref": f"#/{reference}"}
    found = Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(value)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in found]


class Comparison:
    """Compares answers with the description, and remembers what was seen."""

    def __init__(self) -> None:
        self.seen: set[Key] = set()

    def __call__(self, answer: httpx.Response) -> httpx.Response:
        """Fail if the answer is not described like that; return it."""
        method, path = answer.request.method, answer.request.url.path
        template = "/texts/{language}.json" if path.startswith("/texts/") else path
        one = operations()[method, template]
        status = str(answer.status_code)
        assert status in one["responses"], f"{method} {path}: {status} is not described"
        self.seen.add((method, template, answer.status_code))
        self._headers(answer, template, resolved(one["responses"][status]))
        if "content" not in resolved(one["responses"][status]):
            assert answer.content == b""
            return answer
        assert answer.headers["Content-Type"] == "application/json"
        where = one["responses"][status]
        pointer = where["$ref"][2:].split("/") if "$ref" in where else ["paths", template, method.lower(), "responses", status]
        assert problems(answer.json(), *pointer, "content", "application/json", "schema") == []
        return answer

    @staticmethod
    def _headers(answer: httpx.Response, template: str, response: dict[str, Any]) -> None:
        if template in OUTSIDE:
            assert "Lotse-Api-Version" not in answer.headers
        else:
            assert answer.headers["Lotse-Api-Version"] == description()["info"]["version"]
        for name, header in response.get("headers", {}).items():
            header = resolved(header)
            if header.get("required"):
                kind = int if header["schema"].get("type") == "integer" else str
                assert list(Draft202012Validator(header["schema"]).iter_errors(kind(answer.headers[name]))) == []


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """Return a part of the description, or what it refers to."""
    found: Any = part
    if "$ref" in part:
        found = description()
        for step in part["$ref"][2:].split("/"):
            found = found[step]
    return dict(found)


def test_the_description_is_valid_openapi() -> None:
    schemathesis.openapi.from_dict(description()).validate()


def test_the_description_has_each_route_of_the_api_and_nothing_that_is_not_there() -> None:
    routes = {(method, route.path) for route in ROUTES for method in (route.methods or set()) - {"HEAD"}}
    described = set(operations())
    assert described <= routes
    assert {one for one in routes if one[1].startswith("/api/")} <= described
    assert {path for _, path in described if not path.startswith("/api/")} == set(OUTSIDE)


def test_a_call_is_described_as_public_exactly_if_it_needs_no_token() -> None:
    access = {(method, route.path): route.endpoint.access for route in ROUTES for method in route.methods or ()}  # type: ignore[attr-defined]
    for key, one in operations().items():
        assert one["security"] == ([] if access[key].public else [{"session": []}]), key


def test_the_limits_in_the_description_are_those_of_the_code() -> None:
    schemas, responses = description()["components"]["schemas"], description()["components"]["responses"]
    assert schemas["NewText"]["maxLength"] == schemas["WidgetTexts"]["properties"]["message_limit"]["const"] == MESSAGE_LIMIT
    assert f"{BODY_LIMIT:,} bytes" in responses["BodyTooLarge"]["description"]
    named = {int(number) for number in re.findall(r"\b\d+", responses["RateLimited"]["description"].partition("IPv6")[0])}
    of_the_api = {quota.burst for name, quota in LIMITS.items() if not name.startswith(("review_", "callbacks"))}
    assert named == of_the_api | {10}


def test_every_code_of_an_error_is_described_and_no_other() -> None:
    found = {
        code
        for response in description()["components"]["responses"].values()
        for code in resolved(response)["content"]["application/json"]["schema"]["properties"]["error"]["properties"]["code"]["enum"]
    }
    assert found == {key.removeprefix("error.") for key in source() if key.startswith("error.")}


def test_every_part_of_the_description_is_used() -> None:
    text = json.dumps(description())
    # Answers to what no operation describes; the description itself says so.
    alone = {"#/components/responses/MethodNotAllowed", "#/components/securitySchemes/session"}
    for kind, parts in description()["components"].items():
        for name in parts:
            reference = f"#/components/{kind}/{name}"
            assert reference in alone or f'"{reference}"' in text, reference


@pytest.mark.asyncio
async def test_every_website_may_read_the_description(tmp_path: Path) -> None:
    async with open_gate(tmp_path, allowed_origins=("https://www.example.org",)) as gate:
        answer = Comparison()(await gate.http.get("/api/openapi.json", headers={"Origin": "https://elsewhere.example"}))
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.json() == json.loads(DESCRIPTION.read_text(encoding="utf-8"))
        other = await gate.http.get("/api/chat/messages", headers={"Origin": "https://www.example.org"})
        assert "Lotse-Api-Version" in other.headers["Access-Control-Expose-Headers"]


@pytest.mark.asyncio
@pytest.mark.parametrize(("method", "path"), [("GET", "/api/nothing"), ("PUT", "/api/chat/messages"), ("POST", "/api/openapi.json")])
async def test_what_no_operation_describes_is_answered_as_the_description_says(tmp_path: Path, method: str, path: str) -> None:
    async with open_gate(tmp_path) as gate:
        answer = await gate.http.request(method, path)
        name = {404: "NotFound", 405: "MethodNotAllowed"}[answer.status_code]
        assert problems(answer.json(), "components", "responses", name, "content", "application/json", "schema") == []
        assert answer.headers["Lotse-Api-Version"] == description()["info"]["version"]
        assert ("Allow" in answer.headers) == (answer.status_code == 405)


@pytest.mark.asyncio
async def test_every_status_that_is_described_occurs_and_looks_as_described(tmp_path: Path) -> None:
    compare = Comparison()
    async with open_gate(tmp_path, engine_timeout=1) as gate:
        await _talk(gate, compare)
        await _refusals(gate, compare)
        await _trouble(gate, compare)
        await _too_much(gate, compare)
        await _breakdown(gate, compare)
    wanted = {(method, path, int(status)) for (method, path), one in operations().items() for status in one["responses"]}
    assert wanted - compare.seen == UNBREAKABLE


async def _talk(gate: Gate, compare: Comparison) -> None:
    opened = compare(await gate.http.post("/api/chat/sessions", json={"language": "de"}))
    chat = Chat(gate, opened.json()["token"], opened.json())
    referral = compare(await chat.say("Ich bin Krankenschwester aus Syrien und wohne in Dortmund")).json()["messages"][1]
    assert referral["referral"]["offices"]
    button = opened.json()["messages"][1]["buttons"][0]["id"]
    compare(await chat.press(button))
    compare(await chat.call("PATCH", "sessions/current", json={"language": "en"}))
    compare(await chat.call("PATCH", "sessions/current", json={"consent_to_review": True, "language": None}))
    compare(await chat.call("POST", "feedback", json={"message_id": referral["id"], "helpful": True}))
    gate.engine.mode = "error"
    compare(await chat.say("never answered"))
    gate.engine.mode = "ok"
    history = compare(await chat.call("GET", "messages")).json()
    assert {message.get("state") for message in history["messages"]} == {None, "answered", "unanswered"}
    assert history["consent_to_review"] is True
    for language in SPOKEN_LANGUAGES:
        compare(await gate.http.get(f"/texts/{language}.json"))
    compare(await gate.http.get("/health"))
    compare(await gate.http.get("/api/openapi.json"))
    compare(await chat.call("DELETE", "sessions/current"))
    compare(await chat.call("GET", "messages"))


async def _refusals(gate: Gate, compare: Comparison) -> None:
    chat = await gate.begin("tr")
    for method, path in operations():
        address = path.replace("{language}", "de")
        headers = {"Authorization": f"Bearer {chat.token}", "Content-Type": "application/json"}
        compare(await gate.http.request(method, address, headers={**headers, "Content-Length": "abc"}))
        compare(await gate.http.request(method, address, headers=headers, content=b" " * (BODY_LIMIT + 1)))
        if 415 in {int(status) for status in operations()[method, path]["responses"]}:
            compare(await gate.http.request(method, address, headers={**headers, "Content-Type": "text/plain"}, content=b"{}"))
            compare(await gate.http.request(method, address, headers=headers, content=b"{"))
            compare(await gate.http.request(method, address, headers=headers, content=b'{"language": 5}'))
        if operations()[method, path]["security"]:
            compare(await gate.http.request(method, address))
    for body in ({"text": "hi"}, {"id": new_id(), "text": " "}, {"id": new_id(), "text": "\ud800"}, {"id": new_id(), "text": "x" * 1001}):
        compare(await chat.call("POST", "messages", json=body))
    compare(await chat.press("never-offered"))
    compare(await chat.call("PATCH", "sessions/current", json={"language": "xx"}))
    compare(await chat.call("POST", "feedback", json={"message_id": "unknown", "helpful": True}))
    compare(await gate.http.get("/texts/xx.json"))


async def _trouble(gate: Gate, compare: Comparison) -> None:
    chat = await gate.begin("uk")
    async with gate.services.lock(chat.conversation):
        compare(await chat.say("while the message before is still being worked on"))
    gate.engine.mode = "error"
    compare(await chat.say("while the engine is down"))
    compare(await gate.http.post("/api/chat/sessions", json={}))
    compare(await gate.http.get("/health"))
    gate.engine.mode = "ok"
    gate.engine.actions_work = False
    assert compare(await gate.http.get("/health")).json()["status"] == "degraded"


async def _too_much(gate: Gate, compare: Comparison) -> None:
    chat = await gate.begin("pl")
    key = gate.services.clients.key(scope(ADDRESS), gate.clock())
    access = {(method, route.path): route.endpoint.access for route in ROUTES for method in route.methods or ()}  # type: ignore[attr-defined]
    for method, path in operations():
        headers = {"Authorization": f"Bearer {chat.token}"}
        status = 0
        # A place becomes free again every fifth of a second, which a busy machine may let pass.
        while status != 429:
            while not await gate.services.limits.retry_after(access[method, path].address_limit, key):
                pass
            status = compare(await gate.http.request(method, path.replace("{language}", "de"), headers=headers)).status_code


async def _breakdown(gate: Gate, compare: Comparison) -> None:
    # From another address: the limits of the first one are used up.
    gate.http._transport.client = ("198.51.100.9", 50000)  # type: ignore[attr-defined]
    chat = await gate.begin("fa")
    with database.engine(gate.services.settings.transcripts_url).begin() as connection:
        for table in ("turn", "button", "message_feedback", "pending_deletion"):
            connection.execute(sql(f"DROP TABLE {table}"))
    compare(await chat.say("the tables are gone"))
    compare(await chat.call("GET", "messages"))
    compare(await chat.call("POST", "feedback", json={"message_id": "x", "helpful": True}))
    compare(await chat.call("PATCH", "sessions/current", json={"language": "en"}))
    compare(await chat.call("DELETE", "sessions/current"))
    compare(await gate.http.post("/api/chat/sessions", json={}))


@pytest.mark.parametrize("need", [need for need in offices.KINDS if need != "crisis"])
def test_the_offices_of_the_real_directory_look_as_described(full_directory_url: str, need: str) -> None:
    with session(full_directory_url) as opened:
        for name in ("Dortmund", "Cottbus", "Bayern", "20095"):
            place = places.resolve(opened, name).place
            referral = offices.find(opened, need, place, limit=20).public()
            assert referral["offices"]
            assert problems(referral, "components", "schemas", "Referral") == []


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveGateway]:
    """A gateway on a real port."""
    with live_gateway(tmp_path_factory.mktemp("described")) as running:
        yield running


@pytest.fixture(scope="module")
def visitors(gateway: LiveGateway) -> Iterator[httpx.Client]:
    """A client that keeps its connection; a new one for each call would cost more than the call."""
    with httpx.Client(base_url=gateway.url, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def kept() -> Iterator[requests.Session]:
    """The same for the calls that are generated."""
    with requests.Session() as session_of_all:
        session_of_all.trust_env = False
        yield session_of_all


described = schemathesis.openapi.from_path(str(DESCRIPTION))


@described.parametrize()
@settings(max_examples=30, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_generated_calls_get_only_answers_that_are_described(
    case: schemathesis.Case, gateway: LiveGateway, visitors: httpx.Client, kept: requests.Session
) -> None:
    # Everybody comes for the first time; else the limits would answer, and nothing of what is behind them.
    headers = another_address()
    if case.operation.definition.raw["security"]:
        begun = visitors.post("/api/chat/sessions", json={"language": "de"}, headers=headers)
        headers["Authorization"] = f"Bearer {begun.json()['token']}"
    case.call_and_validate(
        base_url=gateway.url,
        session=kept,
        headers=headers,
        checks=[
            checks.not_a_server_error,
            openapi_checks.status_code_conformance,
            openapi_checks.content_type_conformance,
            openapi_checks.response_headers_conformance,
            openapi_checks.response_schema_conformance,
        ],
    )
