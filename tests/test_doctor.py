"""`lotse doctor`: real gateways, healthy and broken in one way each, examined over real connections."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from ruamel.yaml import YAML
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typer.testing import CliRunner

from bot import cli
from bot.dialogue.catalogues import LOCALE, translate
from bot.dialogue.direction import isolate
from bot.doctor import AUTHORITY, MACHINE, NO_OPERATOR, STRANGER, Examination, examine, origin_of
from bot.doctor_report import Report, plain
from bot.doctor_visit import MOST_CALLS, NotAnAddress, Target, TooMany, Visitor, trust
from bot.gateway.app import create_app
from bot.languages import SPOKEN_LANGUAGES
from bot.settings import PROJECT, settings
from tests.gateway.fake_engine import FakeEngine, free_port, message
from tests.gateway.support import make_settings
from tests.processes import serving

OPERATOR = "Testbetreiber gGmbH"
SITE = "https://www.verein.example"


def welcome(language: str, operator: str = OPERATOR) -> str:
    """Return what the guide says first, from its own catalogues."""
    german = YAML(typ="safe").load(PROJECT / "domain.yml")["responses"]["utter_welcome"][0]["text"]
    return isolate(translate("replies", "utter_welcome", german, language)[0].format(operator=operator), language)


class Engine(FakeEngine):
    """An engine that says the guide's real welcome, or what a test wants in its place."""

    def reset(self) -> None:
        """Forget everything and behave."""
        super().reset()
        self.operator = OPERATOR
        self.first: dict[str, dict[str, Any]] = {}

    def _said(self, body: dict[str, Any], text: str, language: str) -> list[dict[str, Any]]:
        if body.get("start"):
            return [self.first.get(language) or message(welcome(language, self.operator), language)]
        return super()._said(body, text, language)


@pytest.fixture(name="engine", scope="module")
def _engine() -> Iterator[Engine]:
    made = Engine()
    made.start()
    yield made
    made.stop()


@dataclass
class Proxy:
    """What stands between people and the guide, and changes what passes.

    ``answer`` may answer in place of the guide; ``change`` may change status and headers of its answers.
    """

    app: ASGIApp
    answer: Callable[[Scope], Response | None] = lambda _: None
    change: Callable[[Scope, MutableHeaders], None] = lambda _scope, _headers: None
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.asked.append((scope["method"], scope["path"]))
        own = self.answer(scope)
        if own is not None:
            await own(scope, receive, send)
            return

        async def changed(event: Message) -> None:
            if event["type"] == "http.response.start":
                self.change(scope, MutableHeaders(scope=event))
            await send(event)

        await self.app(scope, receive, changed)


@pytest.fixture(name="guide")
def _guide(tmp_path: Path, engine: Engine) -> Callable[..., Starlette]:
    engine.reset()

    def make(**changes: Any) -> Starlette:
        return create_app(make_settings(tmp_path, engine_port=engine.port, actions_port=engine.port, **changes))

    return make


def kept(app: Starlette) -> int:
    """Return how many conversations the guide holds."""
    return int(app.state.services.store.count())


def examined(app: ASGIApp, origin: str | None = None, **more: Any) -> Report:
    with serving(app, **more) as url:
        return examine(Target.of(url), origin, pause=0)


def wrong(report: Report) -> list[str]:
    return [f"{one.group}: {one.text}" for one in report.findings if one.level == "wrong"]


def only_wrong(report: Report, *parts: str) -> None:
    """Assert that exactly these things are found wrong, each with what to do."""
    found = wrong(report)
    assert len(found) == len(parts), found
    for part in parts:
        assert any(part in one for one in found), (part, found)
    assert all(one.todo for one in report.findings if one.level in ("wrong", "warning"))
    assert report.status == "wrong"


# -- a healthy guide ---------------------------------------------------------------------------------------------------


def test_a_healthy_guide_is_found_well_and_nothing_is_left_behind(guide: Callable[..., Starlette], engine: Engine) -> None:
    app = guide(allowed_origins=(SITE,))
    report = examined(app, SITE)
    assert [one for one in report.findings if one.level in ("wrong", "warning")] == []
    assert report.status == "ok"
    assert list(dict.fromkeys(one.group for one in report.findings)) == [
        "Connection", "Parts", "Page", "Security headers", "Widget", "Languages", "Answers", "Access", "Other sites", "Inner ports",
        "Tidying up",
    ]  # fmt: skip
    assert report.calls <= 52
    assert set(report.seconds) == {"page", "first answer"}
    assert kept(app) == 0
    assert len(set(engine.deleted)) == len(SPOKEN_LANGUAGES)


def test_an_examination_stays_below_half_of_every_limit_of_the_guide(guide: Callable[..., Starlette]) -> None:
    proxy = Proxy(guide())
    assert examined(proxy).status == "ok"
    counted = {one: proxy.asked.count(one) for one in set(proxy.asked)}
    assert counted["POST", "/api/chat/sessions"] == len(SPOKEN_LANGUAGES) <= 15
    assert counted["POST", "/api/chat/messages"] <= 10
    assert max(counted.values()) == len(SPOKEN_LANGUAGES)


def test_a_visitor_never_floods_and_deletes_even_when_the_calls_are_used_up(guide: Callable[..., Starlette]) -> None:
    app = guide()
    with serving(app) as url:
        visitor = Visitor(Target.of(url), trust(), pause=0)
        assert visitor.call("POST", "/api/chat/sessions", json={}).status_code == 201
        with pytest.raises(TooMany):
            for _ in range(MOST_CALLS):
                visitor.call("GET", "/robots.txt")
        assert (visitor.calls, kept(app)) == (MOST_CALLS, 1)
        assert visitor.leave() == 0
    assert kept(app) == 0


# -- broken in one way -------------------------------------------------------------------------------------------------


def test_an_engine_that_is_down_is_named_and_nothing_is_left_behind(tmp_path: Path) -> None:
    app = create_app(make_settings(tmp_path, engine_port=free_port(), actions_port=free_port()))
    report = examined(app)
    only_wrong(report, "Parts: engine", "Parts: actions", "Answers: “Ich bin Krankenschwester")
    assert "status 503" in " ".join(wrong(report))
    assert kept(app) == 0


def test_an_action_server_that_is_down_is_named(guide: Callable[..., Starlette], engine: Engine) -> None:
    engine.actions_work = False
    only_wrong(examined(guide()), "Parts: actions: the action server does not answer")


def test_a_guide_without_an_operator_is_found(guide: Callable[..., Starlette], engine: Engine) -> None:
    engine.operator = "Testbetrieb (kein Betreiber eingetragen)"
    only_wrong(
        examined(guide(operator=engine.operator)),
        "Languages: Nobody is named as the operator",
        "ro: the first message does not name the operator",
    )


def test_an_engine_that_names_another_operator_than_the_page_is_found(guide: Callable[..., Starlette], engine: Engine) -> None:
    engine.operator = "Verein Anderswo e. V."
    only_wrong(examined(guide()), "and ro: the first message does not name the operator")


def test_a_welcome_in_another_language_or_without_the_machine_is_found(guide: Callable[..., Starlette], engine: Engine) -> None:
    engine.first = {"tr": message(welcome("en"), "en"), "fr": message(f"Bonjour ! {OPERATOR}", "fr")}
    only_wrong(
        examined(guide()), "tr: the conversation begins in another language", "fr: the first message does not say that a machine answers"
    )


def test_a_question_that_leads_to_no_office_is_found(
    guide: Callable[..., Starlette], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.gateway.fake_engine.REFERRAL", {"need": "recognition", "place": None, "offices": [], "notes": []})
    only_wrong(examined(guide()), "leads to no office")


def test_a_guide_that_lets_every_site_in_is_found(guide: Callable[..., Starlette]) -> None:
    only_wrong(
        examined(guide(allowed_origins=("*",))),
        "Security headers: page: every site may show it in a frame",
        "Security headers: chat API: every site may show it in a frame",
        "Other sites: Every website may use the chat API",
    )


def test_a_site_that_should_be_allowed_and_is_not_is_found(guide: Callable[..., Starlette]) -> None:
    report = examined(guide(allowed_origins=("https://andere.example",)), SITE)
    only_wrong(report, f"{SITE} may not use the chat API", f"{SITE} may not show the page in a frame")
    assert "LOTSE_ALLOWED_ORIGINS" in str([one.todo for one in report.findings])


def test_a_bare_uvicorn_is_found_by_its_name(guide: Callable[..., Starlette]) -> None:
    only_wrong(examined(guide(), server_header=True), "The answers tell what runs here (uvicorn)")


# -- a reverse proxy that does harm ------------------------------------------------------------------------------------


def test_a_proxy_that_sets_headers_of_its_own_is_found(guide: Callable[..., Starlette]) -> None:
    def change(scope: Scope, headers: MutableHeaders) -> None:
        headers["Server"] = "nginx/1.22.1"
        headers["Set-Cookie"] = "balancer=1"
        headers["Cache-Control"] = "public, max-age=60"
        headers.append("Access-Control-Allow-Origin", "*")
        del headers["X-Content-Type-Options"]

    report = examined(Proxy(guide(allowed_origins=(SITE,)), change=change), SITE)
    found = " ".join(wrong(report))
    for part in (
        "page: x-content-type-options missing",
        "chat API: sets a cookie",
        "chat API: Cache-Control is 'public",
        "answers 200 with Cache-Control 'public, max-age=60'",
        "/widget.js: Access-Control-Allow-Origin is *, *",
        "Every website may use the chat API",
        "Access-Control-Allow-Origin is sent twice",
    ):
        assert part in found
    assert "nginx/1.22.1" in str([one.text for one in report.findings if one.level == "warning"])


def test_a_proxy_that_keeps_copies_of_answers_is_found(guide: Callable[..., Starlette]) -> None:
    app = guide()
    copy: dict[str, Response] = {}

    def answer(scope: Scope) -> Response | None:
        if (scope["method"], scope["path"]) == ("GET", "/api/chat/messages"):
            return copy.setdefault("first", JSONResponse({"messages": [{"text": "somebody's"}]}, headers=kept_headers))
        return None

    kept_headers = {
        "Content-Security-Policy": "frame-ancestors 'self'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    only_wrong(
        examined(Proxy(app, answer=answer)),
        "Reading a conversation without a token is answered with 200",
        "Reading a conversation with a forged token is answered with 200",
        "Reading a conversation with a token put together from two is answered with 200",
        "After that its token still gets an answer (200)",
    )
    assert kept(app) == 0


def test_a_proxy_that_keeps_copies_of_the_page_and_unpacks_is_found(guide: Callable[..., Starlette]) -> None:
    headers = {
        "Content-Security-Policy": "script-src 'nonce-n1'; frame-ancestors 'self'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }

    def answer(scope: Scope) -> Response | None:
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        return Response('<html lang="de" dir="ltr"><script nonce="n1"></script>', headers=headers) if scope["path"] == "/" else None

    only_wrong(
        examined(Proxy(guide(), answer=answer)),
        "The page in ar is not as it should be",
        "The nonce is the same twice",
        "Widget: It does not come packed.",
    )


def test_a_proxy_that_forbids_to_delete_is_found_and_what_is_left_is_said(guide: Callable[..., Starlette]) -> None:
    app = guide()
    report = examined(Proxy(app, answer=lambda scope: Response(status_code=403) if scope["method"] == "DELETE" else None))
    number = len(SPOKEN_LANGUAGES)
    only_wrong(
        report, "Deleting a conversation is answered with 403", f"{number} of {number} conversations of this examination could not be"
    )
    assert kept(app) == number


def test_a_proxy_whose_guide_is_down_is_told_from_the_guide() -> None:
    report = examined(Proxy(Starlette(), answer=lambda _: Response("Bad Gateway", 502)))
    only_wrong(report, "The reverse proxy answers, the guide behind it does not (502)")
    assert report.calls == 1


def test_health_that_is_hidden_from_outside_is_no_mistake(guide: Callable[..., Starlette]) -> None:
    report = examined(Proxy(guide(), answer=lambda scope: Response(status_code=403) if scope["path"] == "/health" else None))
    assert report.status == "ok"
    assert [one.group for one in report.findings if one.level == "warning"] == ["Parts"]


# -- patience ----------------------------------------------------------------------------------------------------------


def test_a_guide_that_asks_for_patience_gets_it(guide: Callable[..., Starlette]) -> None:
    refused: list[str] = []

    def answer(scope: Scope) -> Response | None:
        if scope["method"] == "POST" and len(refused) < 2:
            refused.append(scope["path"])
            return JSONResponse({"error": {"code": "rate_limited", "message": "-"}}, 429, headers={"Retry-After": "1"})
        return None

    app, said = guide(), []
    with serving(Proxy(app, answer=answer)) as url:
        begun = time.monotonic()
        report = examine(Target.of(url), pause=0, say=said.append)
    assert time.monotonic() - begun >= 2
    assert (report.status, wrong(report)) == ("ok", [])
    assert said == ["The guide answers 429 and asks to wait 1 seconds; waiting."] * 2
    assert kept(app) == 0


def test_a_guide_that_asks_for_too_much_patience_is_left_alone_and_tidied_up(guide: Callable[..., Starlette]) -> None:
    app = guide()
    proxy = Proxy(app)

    def answer(scope: Scope) -> Response | None:
        many = proxy.asked.count(("POST", "/api/chat/sessions")) > 3
        late = many and scope["method"] != "DELETE"
        return JSONResponse({}, 429, headers={"Retry-After": "600"}) if late else None

    proxy.answer = answer
    report = examined(proxy)
    assert report.status == "wrong"
    assert "Languages: The guide answers 429" in " ".join(wrong(report))
    assert "LOTSE_TRUSTED_PROXIES" in str([one.todo for one in report.findings])
    assert report.calls < 40
    assert kept(app) == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_nothing_is_left_behind_when_the_examination_breaks_off(
    guide: Callable[..., Starlette], monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def broken(_: Examination) -> None:
        raise error

    monkeypatch.setattr(Examination, "answers", broken)
    app = guide()
    with serving(app) as url:
        with pytest.raises(error):
            examine(Target.of(url), pause=0)
    assert kept(app) == 0


# -- no guide ----------------------------------------------------------------------------------------------------------


def test_where_nobody_listens_is_not_reachable() -> None:
    port = free_port()
    report = examine(Target.of(f"127.0.0.1:{port}"), pause=0)
    assert (report.status, report.calls) == ("unreachable", 0)
    assert report.findings[0].text == f"Nobody listens at port {port} of 127.0.0.1."
    assert "lotse serve" in str(report.findings[0].todo)


def test_a_name_that_nobody_knows_is_told_plainly() -> None:
    # RFC 6761: this name never exists.
    report = examine(Target.of("https://lotse.invalid"), pause=0)
    assert report.status == "unreachable"
    assert report.findings[0].text == "The name lotse.invalid is not known (DNS)."


def test_another_web_server_is_no_guide_and_nothing_is_sent_to_it(tmp_path: Path) -> None:
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(tmp_path))

        def log_request(self, *_: Any) -> None:
            asked.append(self.command)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        report = examine(Target.of(f"http://127.0.0.1:{server.server_address[1]}"), pause=0)
        server.shutdown()
        thread.join(10)
    only_wrong(report, "A web server answers, but it is not the guide.")
    assert asked == ["GET"] * 3


# -- TLS ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Certificate:
    """A certificate that signs itself."""

    certfile: Path
    keyfile: Path

    @classmethod
    def make(cls, folder: Path, begins: float, ends: float, address: str = "127.0.0.1") -> Certificate:
        """Make one for an address, valid from and until so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lotse test")])
        signed = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=begins))
            .not_valid_after(now + datetime.timedelta(days=ends))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        made = cls(folder / "tls.crt", folder / "tls.key")
        made.certfile.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        made.keyfile.write_bytes(key.private_bytes(*form))
        return made

    @property
    def options(self) -> dict[str, Any]:
        """What uvicorn needs."""
        return {"ssl_certfile": str(self.certfile), "ssl_keyfile": str(self.keyfile)}


def hsts(_scope: Scope, headers: MutableHeaders) -> None:
    headers["Strict-Transport-Security"] = "max-age=31536000"


def test_a_guide_with_a_good_certificate_is_found_well(
    guide: Callable[..., Starlette], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = Certificate.make(tmp_path, -1, 90.5)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certfile))
    app = guide()
    report = examined(Proxy(app, change=hsts), **certificate.options)
    assert (report.status, wrong(report), report.count("warning")) == ("ok", [], 0)
    assert "The certificate is valid for 90 more days." in [one.text for one in report.findings]
    assert kept(app) == 0


def test_a_certificate_that_expires_soon_and_no_word_on_https_are_found(
    guide: Callable[..., Starlette], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = Certificate.make(tmp_path, -80, 5.5)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certfile))
    report = examined(guide(), **certificate.options)
    only_wrong(report, "Strict-Transport-Security is missing")
    assert [one.text for one in report.findings if one.level == "warning"] == ["The certificate is valid for 5 more days."]


@pytest.mark.parametrize(
    ("begins", "ends", "address", "trusted", "text"),
    [
        (-1, 90, "127.0.0.1", False, "The certificate is not signed by an authority that browsers trust, or the chain is incomplete."),
        (-90, -1, "127.0.0.1", True, "The certificate has expired; browsers refuse to open the page."),
        (1, 90, "127.0.0.1", True, "The certificate is not valid yet."),
        (-1, 90, "192.0.2.1", True, "The certificate is for another name than 127.0.0.1; browsers refuse to open the page."),
    ],
)
def test_a_certificate_that_browsers_refuse_is_told_plainly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begins: float, ends: float, address: str, trusted: bool, text: str
) -> None:
    certificate = Certificate.make(tmp_path, begins, ends, address)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certfile))
    report = examined(Starlette(), **certificate.options)
    assert report.status == "unreachable"
    assert [one.text for one in report.findings] == [text]
    assert report.findings[0].todo


def test_a_port_without_tls_is_told_plainly() -> None:
    with serving(Starlette()) as url:
        report = examine(Target.of(url.replace("http:", "https:")), pause=0)
    assert report.status == "unreachable"
    assert "does not speak TLS" in report.findings[0].text


# -- as if it were another machine -------------------------------------------------------------------------------------


def elsewhere(url: str) -> Target:
    return replace(Target.of(url), loopback=False)


def test_a_guide_without_encryption_is_found(guide: Callable[..., Starlette]) -> None:
    with serving(guide()) as url:
        report = examine(elsewhere(url), pause=0)
    assert "Connection: The chat goes over the net unencrypted (http)." in wrong(report)


def test_http_that_leads_to_https_is_followed(guide: Callable[..., Starlette], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = Certificate.make(tmp_path, -1, 90)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certfile))
    with serving(Proxy(guide(), change=hsts), **certificate.options) as secure:
        with serving(Proxy(Starlette(), answer=lambda _: RedirectResponse(f"{secure}/", 301))) as url:
            report = examine(elsewhere(url), pause=0)
    assert (report.status, report.url) == ("ok", secure)
    assert "http leads to https." in [one.text for one in report.findings]


def test_an_inner_port_that_answers_is_found_and_one_that_does_not_is_right(engine: Engine) -> None:
    report = Report("http://127.0.0.1")
    visitor = Visitor(Target.of(report.url), trust())
    examination = Examination(report, visitor, None)
    examination.inner_port(examination.section("Inner ports"), engine.port, "engine")
    examination.inner_port(examination.section("Inner ports"), free_port(), "action server")
    visitor.leave()
    assert [one.level for one in report.findings] == ["wrong", "ok"]
    assert "the engine can be reached from outside" in report.findings[0].text
    assert "firewall" in str(report.findings[0].todo)


# -- addresses and words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "url", "loopback"),
    [
        ("lotse.example.org", "https://lotse.example.org", False),
        ("https://lotse.example.org/", "https://lotse.example.org", False),
        ("http://lotse.example.org:8080", "http://lotse.example.org:8080", False),
        ("localhost:8080", "http://localhost:8080", True),
        ("127.0.0.1", "http://127.0.0.1", True),
        ("http://[::1]:8080", "http://[::1]:8080", True),
    ],
)
def test_an_address_is_understood_as_people_type_it(typed: str, url: str, loopback: bool) -> None:
    target = Target.of(typed)
    assert (target.url, target.loopback) == (url, loopback)


@pytest.mark.parametrize(
    "typed", ["", "ftp://x.example", "https://x.example/chat", "https://a:b@x.example", "https://x.example:port", "a b"]
)
def test_what_is_no_address_is_refused_with_a_reason(typed: str) -> None:
    with pytest.raises(NotAnAddress, match=r"address|root"):
        Target.of(typed)


def test_a_site_is_an_origin_and_nothing_else() -> None:
    assert origin_of("https://www.Verein.example:443/") == SITE
    assert origin_of("https://bücher.example:8443") == "https://xn--bcher-kva.example:8443"
    for typed in ("www.verein.example", "*", "https://www.verein.example/seite", "https://:443", "https://a b.example", "https://[::1"):
        with pytest.raises(NotAnAddress, match="is no website"):
            origin_of(typed)


@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_the_real_first_messages_say_what_is_looked_for(language: str) -> None:
    """Those of the engine and of the gateway, in every language; a new language needs its row."""
    own = json.loads((LOCALE / "widget.json").read_text(encoding="utf-8"))["welcome"]
    for text in (welcome(language), translate("widget", "welcome", own, language)[0]):
        assert any(word in text.lower() for word in MACHINE[language].split("|"))
        assert AUTHORITY in text


def test_the_default_operator_is_the_one_that_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOTSE_OPERATOR")
    settings.cache_clear()
    try:
        assert settings().operator.startswith(NO_OPERATOR)
    finally:
        settings.cache_clear()


def test_what_comes_from_outside_cannot_steer_the_terminal() -> None:
    assert plain("a\x1b[31m\u2066b\u2069\r\nc") == "a [31mb  c"
    assert len(plain("x" * 10_000)) < 400


# -- the command -------------------------------------------------------------------------------------------------------


def lotse(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.app, ["doctor", *arguments], env={"COLUMNS": "200"})
    return result.exit_code, result.stdout, result.stderr


def test_the_command_says_what_is_wrong_and_what_to_do(guide: Callable[..., Starlette]) -> None:
    with serving(guide()) as url:
        code, shown, _ = lotse(url, "--origin", SITE)
    assert code == 1
    assert f"{SITE} may not use the chat API" in shown
    assert "What to do: Write the address of the site into LOTSE_ALLOWED_ORIGINS" in shown
    assert "Something is wrong: 2 wrong, 0 to improve" in shown


def test_the_command_gives_its_findings_to_other_programs(guide: Callable[..., Starlette]) -> None:
    with serving(guide()) as url:
        code, shown, _ = lotse(url, "--json")
    body = json.loads(shown)
    assert (code, body["status"], body["url"]) == (0, "ok", url)
    assert set(body["findings"][0]) == {"group", "level", "text", "todo"}
    assert body["seconds"]["page"] > 0


def test_the_command_ends_with_two_if_nobody_answers_or_the_address_is_none() -> None:
    code, shown, _ = lotse(f"http://127.0.0.1:{free_port()}")
    assert code == 2
    assert "Not reachable" in shown
    code, _, complaint = lotse("ftp://lotse.example.org")
    assert code == 2
    assert "should look like https://lotse.example.org" in complaint
    assert lotse("localhost", "--origin", "verein")[0] == 2


def test_the_foreign_site_of_the_examination_is_one_that_cannot_exist() -> None:
    # RFC 2606: nobody can register it.
    assert httpx.URL(STRANGER).host.endswith(".example")
