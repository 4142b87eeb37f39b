"""What holds for every answer: who may call, the shape of errors, headers, origins."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.routing import Route

from bot.gateway import texts
from bot.gateway.app import ROUTES
from bot.gateway.errors import CODES
from bot.gateway.guards import Access
from bot.gateway.middleware import METHODS
from bot.web.limits import LIMITS

from .support import code, open_gate

ORIGIN = "https://www.example.org"
# Whoever makes another route public has to say so here.
PUBLIC = {
    ("GET", "/"),
    ("GET", "/robots.txt"),
    ("GET", "/health"),
    ("GET", "/texts/{language}.json"),
    ("GET", "/static/{version}/{name}"),
    ("GET", "/widget.js"),
    ("GET", "/embed-demo"),
    ("GET", "/sheet"),
    ("GET", "/callback"),
    ("POST", "/callback"),
    ("GET", "/callback/withdraw"),
    ("POST", "/callback/withdraw"),
    ("GET", "/api/openapi.json"),
    ("POST", "/api/chat/sessions"),
}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.path} {route.name}")
def test_every_route_has_authentication_or_is_listed_as_public_and_has_a_limit(route: Route) -> None:
    access = getattr(route.endpoint, "access", None)
    assert isinstance(access, Access), "the endpoint has no guard"
    assert access.address_limit in LIMITS
    methods = (route.methods or set()) - {"HEAD"}
    if access.public:
        assert {(method, route.path) for method in methods} <= PUBLIC
    else:
        assert access.conversation_limit in LIMITS
        assert not {(method, route.path) for method in methods} & PUBLIC


@pytest.mark.asyncio
async def test_every_route_that_is_not_public_refuses_a_call_without_a_token(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        for route in ROUTES:
            for method in (route.methods or set()) - {"HEAD"}:
                if (method, route.path) not in PUBLIC:
                    answer = await gate.http.request(method, route.path)
                    assert (answer.status_code, code(answer)) == (401, "unauthorized"), route.path


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("method", "path", "status", "expected"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/api/chat/sessions/", 404, "not_found"),
        ("GET", "/static/old/../../app.py", 404, "not_found"),
        ("GET", "/static/old/%2e%2e%2fapp.py", 404, "not_found"),
        ("GET", "/texts/xx.json", 404, "not_found"),
        ("GET", "/texts/it.json", 404, "not_found"),
        ("GET", "/\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), 404, "not_found"),
        ("PUT", "/api/chat/messages", 405, "method_not_allowed"),
        ("GET", "/api/chat/sessions", 405, "method_not_allowed"),
        ("TRACE", "/", 405, "method_not_allowed"),
        ("POST", "/health", 405, "method_not_allowed"),
    ],
)
async def test_an_unknown_path_or_method_is_a_json_error(tmp_path: Path, method: str, path: str, status: int, expected: str) -> None:
    async with open_gate(tmp_path) as gate:
        answer = await gate.http.request(method, path)
        assert (answer.status_code, code(answer)) == (status, expected)


@pytest.mark.asyncio
async def test_a_405_names_all_methods_of_the_path(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        answer = await gate.http.put("/api/chat/sessions/current")
        assert answer.headers["Allow"] == "DELETE, PATCH"


@pytest.mark.asyncio
@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "٣"])
async def test_a_content_length_that_is_no_number_is_refused(tmp_path: Path, length: str) -> None:
    async with open_gate(tmp_path) as gate:
        answer = await gate.http.get("/", headers={"Content-Length": length.encode("utf-8")})
        assert (answer.status_code, code(answer)) == (400, "bad_request")


@pytest.mark.asyncio
async def test_what_nobody_foresaw_is_a_json_500_with_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_gate(tmp_path, allowed_origins=(ORIGIN,)) as gate:
        chat = await gate.begin()

        def broken(*_: object) -> None:
            raise RuntimeError("secret text")

        monkeypatch.setattr(gate.services.store, "history", broken)
        answer = await chat.call("GET", "messages", headers={"Origin": ORIGIN})
        assert (answer.status_code, code(answer)) == (500, "internal")
        assert "secret text" not in answer.text
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/", "/nothing", "/health", "/static/old/chat.js", "/api/chat/messages"])
async def test_every_answer_has_the_security_headers(tmp_path: Path, path: str) -> None:
    async with open_gate(tmp_path, allowed_origins=(ORIGIN,)) as gate:
        headers = (await gate.http.get(path)).headers
        policy = headers["Content-Security-Policy"]
        assert f"frame-ancestors 'self' {ORIGIN}" in policy
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "set-cookie" not in headers
        assert ("no-store" in headers["Cache-Control"]) == (not path.startswith("/static"))


@pytest.mark.asyncio
async def test_an_allowed_site_may_call_the_api(tmp_path: Path) -> None:
    async with open_gate(tmp_path, allowed_origins=(ORIGIN,)) as gate:
        asked = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        preflight = await gate.http.options("/api/chat/sessions/current", headers=asked)
        assert preflight.status_code == 200
        assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
        answer = await gate.http.get("/api/chat/messages", headers={"Origin": ORIGIN})
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.asyncio
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://www.example.org.evil.example"])
async def test_no_other_site_may_call_the_api(tmp_path: Path, origin: str) -> None:
    async with open_gate(tmp_path, allowed_origins=(ORIGIN,)) as gate:
        preflight = await gate.http.options("/api/chat/sessions", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
        assert (preflight.status_code, code(preflight)) == (400, "origin_not_allowed")
        answer = await gate.http.get("/api/chat/messages", headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.asyncio
async def test_errors_are_in_the_language_of_the_session_or_else_of_the_browser(tmp_path: Path) -> None:
    async with open_gate(tmp_path) as gate:
        english = await gate.http.get("/nothing", headers={"Accept-Language": "en"})
        assert english.json()["error"]["message"] == "There is nothing here."
        chat = await gate.begin("en")
        answer = await chat.call("POST", "messages", json={}, headers={"Accept-Language": "de"})
        assert answer.json()["error"]["message"] == "The id of the message must be a UUID."


def test_every_code_of_an_error_has_a_text() -> None:
    for error in CODES.values():
        assert f"error.{error}" in texts.source()
    assert "GET" in METHODS
