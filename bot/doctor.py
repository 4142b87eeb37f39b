"""What `lotse doctor` examines: a running installation from outside, as a stranger on the internet sees it.

The examination needs nothing but the address. It begins one conversation in each language, says three things in one of
them, and deletes all of them at the end. It never floods: about fifty calls, one after the other.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx

from bot.dialogue.direction import ISOLATES
from bot.doctor_report import Report, Section
from bot.doctor_visit import (
    PAUSE,
    SESSIONS,
    NoAnswer,
    NotAnAddress,
    Target,
    TooMany,
    Unreachable,
    Visitor,
    connect,
    is_open,
    is_public,
    objects,
    read,
    silent,
    trust,
    words,
)
from bot.languages import RIGHT_TO_LEFT, SPOKEN_LANGUAGES, all_languages

MESSAGES = "/api/chat/messages"
QUESTION_LANGUAGE = "de"
QUESTION = "Ich bin Krankenschwester aus Syrien und wohne in Dortmund"
STRANGER = "https://stranger.example"
INNER_PORTS = {5005: "engine", 5055: "action server"}
BODY_LIMIT = 16 * 1024  # docs/api.md
NO_OPERATOR = "Testbetrieb"  # how the default of LOTSE_OPERATOR begins
AUTHORITY = "Ausländerbehörde"  # named in every language, because that is what the letters say
CERTIFICATE_DAYS = 14
HSTS_SECONDS = 180 * 24 * 60 * 60
# What a first message says of itself, by language; a language that is not in here is told by its language field alone.
MACHINE = {
    "de": "maschine|programm|chatbot",
    "en": "machine|program|chatbot",
    "tr": "makine|program|chatbot",
    "ar": "آلة|برنامج|chatbot",
    "uk": "машина|програм|чат-бот",
    "ru": "машина|программ|чат-бот",
    "fa": "ماشین|برنامه|چت",
    "fr": "machine|programme|chatbot",
    "es": "máquina|programa|chatbot",
    "pl": "maszyna|program|chatbot",
    "ro": "mașină|program|chatbot",
}
UNITS = {
    "engine": ("the engine does not answer: nobody gets an answer", "Look at `journalctl -u iq-lotse-engine` and start it again."),
    "actions": (
        "the action server does not answer or finds no offices: nobody is sent to an office",
        "Look at `journalctl -u iq-lotse-actions`, start it again, and run `lotse directory fill`.",
    ),
    "transcripts": (
        "the database of the live conversations does not answer: no conversation can begin",
        "Check LOTSE_TRANSCRIPTS_URL, the database, and the rights and the space in LOTSE_HOME.",
    ),
}
ALLOW = (
    "Write the address of the site into LOTSE_ALLOWED_ORIGINS (with https:// and without a slash at the end), "
    "and start the web process again."
)
FIRST_LANGUAGES = "Repair what stands under Languages, then run this again."
OPENING_PROBLEMS = {
    "begin": (
        "no conversation begins",
        "Look at `journalctl -u iq-lotse-web`; the database of the conversations is the first thing to check.",
    ),
    "language": (
        "the conversation begins in another language",
        "Check that engine and web process are of the same version, and run `lotse translations check`.",
    ),
    "machine": (
        f"the first message does not say that a machine answers, and that it is not the {AUTHORITY}",
        "Run `lotse translations check`: the welcome is a legal duty (Art. 50 AI Act) and must not be changed away.",
    ),
    "operator": (
        "the first message does not name the operator",
        "Set the same LOTSE_OPERATOR for the engine and for the web process, and start both again.",
    ),
}


def origin_of(address: str) -> str:
    """Return the origin of a website as browsers send it.

    Raises:
        NotAnAddress: if it is none.
    """
    try:
        # As browsers do: small letters, no port if it is the usual one, names with umlauts in their ASCII form.
        parts = httpx.URL(address.strip())
    except httpx.InvalidURL:
        parts = httpx.URL()
    wrong = parts.scheme not in ("http", "https") or parts.path != "/" or parts.query or parts.userinfo
    if wrong or not re.fullmatch(rb"[a-z0-9.:\[\]_-]+", parts.netloc):
        raise NotAnAddress(f"{address!r} is no website; it should look like https://www.verein.example, with nothing behind the name.")
    return f"{parts.scheme}://{parts.netloc.decode('ascii')}"


def examine(target: Target, origin: str | None = None, pause: float = PAUSE, say: Callable[[str], None] = silent) -> Report:
    """Examine an installation; whatever happens, the conversations that were begun are deleted.

    Args:
        target: its address.
        origin: a website that should be allowed to embed it.
        pause: seconds between two calls.
        say: is told when the examination has to wait.

    Returns:
        What was found.
    """
    report = Report(target.url)
    try:
        context = trust()
        days = connect(target, context)
    except Unreachable as error:
        report.reached = False
        Section(report, "Connection").wrong(error.text, error.todo)
        return report
    Section(report, "Connection").ok(f"{target.host} answers on port {target.port}.")
    visitor = Visitor(target, context, pause, say)
    examination = Examination(report, visitor, origin)
    try:
        examination.run(days)
    finally:
        left = visitor.leave()
        report.calls = visitor.calls
        examination.note_what_is_left(left)
    if examination.leads_to is None:
        return report
    # The same host with https is another connection, with a certificate of its own.
    secure = examine(Target.of(f"https://{urlsplit(examination.leads_to).netloc}"), origin, pause, say)
    return replace(secure, findings=report.findings + secure.findings, calls=report.calls + secure.calls)


class Examination:
    """The checks, in the order in which a person meets what they check.

    Args:
        report: where the findings go.
        visitor: who makes the calls.
        origin: a website that should be allowed to embed the guide.
    """

    def __init__(self, report: Report, visitor: Visitor, origin: str | None) -> None:
        self.report = report
        self.visitor = visitor
        self.origin = origin
        self.operator = ""
        self.leads_to: str | None = None
        self.page: httpx.Response | None = None
        self.first_answer: httpx.Response | None = None
        self.refused: httpx.Response | None = None
        self.texts: dict[str, httpx.Response] = {}
        # The tokens of the conversations by language, and the opening message of each.
        self.tokens: dict[str, str] = {}
        self.openings: dict[str, dict[str, Any]] = {}

    @property
    def target(self) -> Target:
        """The address that is examined."""
        return self.visitor.target

    def section(self, title: str) -> Section:
        """Return the section of the report with a title."""
        return Section(self.report, title)

    def run(self, days: float | None) -> None:
        """Run all checks; ``days`` is how long the certificate is valid."""
        if not self._guarded("Connection", lambda: self.connection(days)):
            return
        if not self._guarded("Connection", self.is_the_guide):
            return
        checks: tuple[tuple[str, Callable[[], None]], ...] = (
            ("Page", self.pages),
            ("Widget", self.widget),
            ("Languages", self.languages),
            ("Languages", self.openings_in_all_languages),
            ("Answers", self.answers),
            ("Access", self.access),
            ("Other sites", self.other_sites),
            ("Access", self.end_of_a_conversation),
            ("Inner ports", self.inner_ports),
        )
        for title, check in checks:
            self._guarded(title, check)

    def _guarded(self, title: str, check: Callable[[], Any]) -> bool:
        """Run a check; False if it could not be finished or says that there is no point in going on."""
        try:
            return check() is not False
        except NoAnswer as error:
            self.section(title).wrong(f"{error}.", "Look at the logs of the reverse proxy and of the web process, and run this again.")
        except TooMany as error:
            self.section(title).wrong(
                f"The guide answers 429 (too many requests), and {error}; the rest of this part is not examined.",
                "Wait ten minutes and run this again. If it stays so, LOTSE_TRUSTED_PROXIES does not name the reverse proxy, "
                "and all people share one limit.",
            )
        return False

    # -- connection ------------------------------------------------------------------------------------------------

    def connection(self, days: float | None) -> bool:
        """Check encryption, and where the page is."""
        section = self.section("Connection")
        if days is not None:
            left = f"The certificate is valid for {max(int(days), 0)} more days."
            if days < CERTIFICATE_DAYS:
                section.warning(left, "Renew it now, and have it renewed by itself (for example by a timer of certbot).")
            else:
                section.ok(left)
        if not self.target.loopback and not self._encrypted(section):
            return False
        self.page = self.visitor.call("GET", f"/?language={_left_to_right()}")
        if self.page.is_redirect:
            section.wrong(
                f"The page leads on to {self.page.headers.get('location', '?')}.",
                "Run `lotse doctor` with that address, and give people that one.",
            )
            return False
        if self.page.status_code in (502, 503, 504):
            section.wrong(
                f"The reverse proxy answers, the guide behind it does not ({self.page.status_code}).",
                "Start the web process (`systemctl start iq-lotse-web`), and check address and port in `proxy_pass`.",
            )
            return False
        return True

    def _encrypted(self, section: Section) -> bool:
        """Check that people come to https by themselves; go on there if they do."""
        todo = "Have the reverse proxy answer http with `return 301 https://$host$request_uri;` (docs/operating.md has an example)."
        if self.target.scheme == "http":
            location = self._leads_to(self.visitor.call("GET", self.target.url))
            section.expect(location is not None, "http leads to https.", "The chat goes over the net unencrypted (http).", todo)
            self.leads_to = location
            return location is None
        if self.target.port != 443 or not is_public(self.target):
            section.info("Whether http leads to https is not examined: only public hosts with https on port 443 need that.")
            return True
        if not is_open(self.target.host, 80):
            section.warning("Nobody answers on port 80; who types the address without https may see an error.", todo)
            return True
        location = self._leads_to(self.visitor.call("GET", replace(self.target, scheme="http", port=80).url))
        section.expect(location is not None, "http leads to https.", "http does not lead to https.", todo)
        return True

    @staticmethod
    def _leads_to(answer: httpx.Response) -> str | None:
        location = str(answer.headers.get("location", ""))
        return location if answer.is_redirect and location.startswith("https://") else None

    def is_the_guide(self) -> bool:
        """Check /health, and that it is the guide at all; nothing is sent to a website that is not."""
        section = self.section("Parts")
        answer = self.visitor.call("GET", "/health")
        health = read(answer)
        parts = health.get("parts")
        first = self._texts(SPOKEN_LANGUAGES[0])
        self.operator = str(read(first).get("operator") or "")
        if not isinstance(parts, dict):
            if not self.operator:
                self.section("Connection").wrong(
                    "A web server answers, but it is not the guide.",
                    "Check the address, and that the reverse proxy hands everything under `/` on to the web process.",
                )
                return False
            section.warning(
                f"/health is not to be seen from outside ({answer.status_code}); the parts are not examined.",
                "That may be intended. On the machine itself: `curl http://127.0.0.1:8080/health`.",
            )
            return True
        for name, (trouble, todo) in UNITS.items():
            section.expect(parts.get(name) == "ok", f"{name}: works.", f"{name}: {trouble}.", todo)
        well = answer.status_code == 200 and health.get("status") == "ok"
        if not well and all(parts.get(name) == "ok" for name in UNITS):
            section.wrong(
                f"/health says {health.get('status')!r} with status {answer.status_code}.", "Look at `journalctl -u iq-lotse-web`."
            )
        return True

    # -- page ------------------------------------------------------------------------------------------------------

    def pages(self) -> None:
        """Check the page in two languages and its headers."""
        assert self.page is not None
        section = self.section("Page")
        other = self.visitor.call("GET", f"/?language={_right_to_left()}")
        for language, answer in ((_left_to_right(), self.page), (_right_to_left(), other)):
            direction = all_languages()[language].direction
            opening = re.search(r"<html\b[^>]*>", answer.text)
            tag = opening.group() if opening else ""
            section.expect(
                answer.status_code == 200 and f'lang="{language}"' in tag and f'dir="{direction}"' in tag,
                f"The page is there in {language}, written {direction}.",
                f"The page in {language} is not as it should be (status {answer.status_code}, {tag or 'no HTML'}).",
                "Check that the reverse proxy hands on the query (`?language=`) and keeps no copies of the page.",
            )
        self.report.seconds["page"] = round(self.page.elapsed.total_seconds(), 3)
        section.info(f"The page came after {self.report.seconds['page']:.2f} s.")
        headers = self.section("Security headers")
        self._nonce(headers, self.page, other)
        self._headers(headers, "page", self.page)
        self._transport_security(headers)
        self._server(headers)

    def _nonce(self, section: Section, page: httpx.Response, other: httpx.Response) -> None:
        policies = [_policy(one) for one in (page, other)]
        nonces = [re.findall(r"'nonce-([^']+)'", policy.get("script-src", "")) for policy in policies]
        todo = "Remove what the reverse proxy does with `Content-Security-Policy`; the guide sets its own."
        right = all(found and f'nonce="{found[0]}"' in one.text for found, one in zip(nonces, (page, other), strict=True))
        if not section.expect(
            right, "Only scripts of the page itself run (CSP with a nonce).", "The Content-Security-Policy has no nonce that fits.", todo
        ):
            return
        section.expect(
            nonces[0] != nonces[1],
            "The nonce is another one each time.",
            "The nonce is the same twice: somebody on the way keeps copies of the page.",
            "Switch off caching of the page in the reverse proxy or CDN.",
        )
        section.expect(
            not any("unsafe" in policy.get("script-src", "") for policy in policies),
            "No inline script is allowed.",
            "The Content-Security-Policy allows unsafe scripts.",
            todo,
        )

    def _headers(self, section: Section, what: str, answer: httpx.Response) -> None:
        ancestors = _policy(answer).get("frame-ancestors", "").split()
        section.expect(
            bool(ancestors) and not {"*", "http:", "https:"} & set(ancestors),
            f"{what}: framed by allowed sites only.",
            f"{what}: every site may show it in a frame ({' '.join(ancestors) or 'no frame-ancestors'}).",
            "Name single sites in LOTSE_ALLOWED_ORIGINS, and leave Content-Security-Policy to the guide.",
        )
        expected = {"x-content-type-options": {"nosniff"}, "referrer-policy": {"no-referrer", "same-origin", "strict-origin"}}
        lacking = [name for name, values in expected.items() if answer.headers.get(name, "").lower() not in values]
        section.expect(
            not lacking,
            f"{what}: X-Content-Type-Options and Referrer-Policy are set.",
            f"{what}: {words(lacking)} missing, different or set twice.",
            "The guide sets them; remove what the reverse proxy sets or hides (`add_header`, `proxy_hide_header`).",
        )
        section.expect(
            "set-cookie" not in answer.headers,
            f"{what}: sets no cookie.",
            f"{what}: sets a cookie, which the guide never does.",
            "Find out who sets it (reverse proxy, load balancer, CDN); without consent it must not be there.",
        )

    def _transport_security(self, section: Section) -> None:
        assert self.page is not None
        if self.target.scheme != "https":
            return
        told = self.page.headers.get("strict-transport-security", "")
        age = re.search(r"max-age=\"?(\d+)", told)
        todo = 'In the reverse proxy: `add_header Strict-Transport-Security "max-age=31536000" always;`.'
        if age and 0 < int(age.group(1)) < HSTS_SECONDS:
            section.warning("Strict-Transport-Security holds for less than half a year.", todo)
            return
        section.expect(
            bool(age and int(age.group(1))),
            "Browsers come back with https only (Strict-Transport-Security).",
            "Strict-Transport-Security is missing: the first call of a browser may be unencrypted.",
            todo,
        )

    def _server(self, section: Section) -> None:
        assert self.page is not None
        server = ", ".join(filter(None, (self.page.headers.get("server", ""), self.page.headers.get("x-powered-by", ""))))
        if re.search(r"uvicorn|hypercorn|gunicorn|sanic|python|starlette", server, re.IGNORECASE):
            section.wrong(
                f"The answers tell what runs here ({server}).",
                "Start the web process by `python -m bot.web`: a bare uvicorn also logs the addresses of people.",
            )
        elif re.search(r"\d", server):
            section.warning(f"The answers tell software and version ({server}).", "In nginx: `server_tokens off;`.")
        else:
            section.ok(f"The answers name no version of any software{f' (only {server})' if server else ''}.")

    # -- widget and texts ------------------------------------------------------------------------------------------

    def widget(self) -> None:
        """Check the script that other websites load, and one of the files that it loads."""
        section = self.section("Widget")
        answer = self.visitor.call("GET", "/widget.js", origin=STRANGER)
        version = re.search(r"\"version\":\s*\"([\w-]{6,64})\"", answer.text)
        kind = answer.headers.get("content-type", "")
        if not section.expect(
            answer.status_code == 200 and "javascript" in kind and version is not None,
            f"/widget.js is there: {answer.num_bytes_downloaded / 1024:.1f} kB to load.",
            f"/widget.js is not the widget (status {answer.status_code}, {kind or 'no type'}).",
            "Check that the reverse proxy hands on `/widget.js`.",
        ):
            return
        assert version is not None
        section.expect(
            answer.headers.get("content-encoding") == "gzip",
            "It comes packed (gzip).",
            "It does not come packed.",
            "Remove what the reverse proxy does with `Accept-Encoding`; the guide packs its files itself.",
        )
        self._open_to_all(section, "/widget.js", answer)
        # Whatever the script loads: all its files are served in the same way.
        named = re.search(r"[\"']([\w-]+\.(?:js|css))[\"']", answer.text)
        path = f"/static/{version.group(1)}/{named.group(1) if named else 'chat.css'}"
        module = self.visitor.call("GET", path, origin=STRANGER)
        if section.expect(
            module.status_code == 200 and "immutable" in module.headers.get("cache-control", ""),
            "Its files may be kept by browsers for good (immutable).",
            f"{path} answers {module.status_code} with Cache-Control {module.headers.get('cache-control', 'missing')!r}.",
            "Run the same version in all web processes, and leave Cache-Control to the guide.",
        ):
            self._open_to_all(section, path, module)
        self._same_languages(section, answer.text)

    @staticmethod
    def _open_to_all(section: Section, path: str, answer: httpx.Response) -> None:
        allowed = answer.headers.get("access-control-allow-origin")
        section.expect(
            allowed == "*",
            f"{path}: every website may load it.",
            f"{path}: Access-Control-Allow-Origin is {allowed or 'missing'}, not *; the widget stays empty on other websites.",
            "Leave this header to the guide; if the reverse proxy sets it too, browsers see it twice and refuse.",
        )

    @staticmethod
    def _same_languages(section: Section, script: str) -> None:
        found = re.search(r"\"languages\":\s*(\[[^\]]*\])", script)
        try:
            spoken = json.loads(found.group(1)) if found else []
        except ValueError:
            spoken = []
        if set(map(str, spoken)) != set(SPOKEN_LANGUAGES):
            section.warning(
                f"The widget offers {words(map(str, spoken))}; this version of the guide speaks {words(SPOKEN_LANGUAGES)}.",
                "Run the doctor of the same version as the installation.",
            )

    def _texts(self, language: str) -> httpx.Response:
        if language not in self.texts:
            self.texts[language] = self.visitor.call("GET", f"/texts/{language}.json")
        return self.texts[language]

    def languages(self) -> None:
        """Check the words of the widget in every language, and who runs the guide."""
        section = self.section("Languages")
        wrong = []
        for language in SPOKEN_LANGUAGES:
            answer = self._texts(language)
            body = read(answer)
            told = (body.get("language"), body.get("direction"))
            open_to_all = answer.headers.get("access-control-allow-origin") == "*"
            if answer.status_code != 200 or told != (language, all_languages()[language].direction) or not body.get("texts"):
                wrong.append(language)
            elif not open_to_all:
                wrong.append(f"{language} (Access-Control-Allow-Origin is not *)")
        section.expect(
            not wrong,
            f"The words of the widget are there in all {len(SPOKEN_LANGUAGES)} languages.",
            f"The words of the widget are missing or wrong: {words(wrong)}.",
            "Run the doctor of the same version as the installation, and check that the proxy hands on `/texts/`.",
        )
        section.expect(
            bool(self.operator) and NO_OPERATOR not in self.operator,
            f"Named as the operator: {self.operator}",
            "Nobody is named as the operator; people are told that this is a test.",
            "Set LOTSE_OPERATOR (for the engine and for the web process) to who runs the guide, and start both again.",
        )

    def openings_in_all_languages(self) -> None:
        """Begin a conversation in every language and check its first message."""
        section = self.section("Languages")
        problems: dict[str, list[str]] = {key: [] for key in OPENING_PROBLEMS}
        for language in SPOKEN_LANGUAGES:
            found = self._begin(language)
            if found:
                problems[found].append(language)
        for key, languages in problems.items():
            if languages:
                text, todo = OPENING_PROBLEMS[key]
                section.wrong(f"{words(languages)}: {text}.", todo)
        if not any(problems.values()):
            section.ok(f"In all {len(SPOKEN_LANGUAGES)} languages the first message says that a machine answers, and who runs it.")

    def _begin(self, language: str) -> str | None:
        """Begin a conversation; return what is wrong with it, None if nothing is."""
        answer = self.visitor.call("POST", SESSIONS, json={"language": language}, origin=self.origin)
        self.first_answer = self.first_answer or answer
        body = read(answer)
        messages = objects(body.get("messages"))
        token = body.get("token")
        if answer.status_code != 201 or not isinstance(token, str) or not messages:
            return "begin"
        self.tokens[language] = token
        opening = self.openings[language] = messages[0]
        said = ISOLATES.sub("", str(opening.get("text", "")))
        if body.get("language") != language or opening.get("language") != language:
            return "language"
        if not re.search(MACHINE.get(language, ""), said, re.IGNORECASE) or AUTHORITY not in said:
            return "machine"
        if NO_OPERATOR in said or ISOLATES.sub("", self.operator) not in said:
            return "operator"
        return None

    # -- answers ---------------------------------------------------------------------------------------------------

    def answers(self) -> None:
        """Check that a question gets its offices, once and the same each time, and that a slash is only a slash."""
        section = self.section("Answers")
        token = self.tokens.get(QUESTION_LANGUAGE)
        if token is None:
            section.wrong(
                "No conversation could be begun, so no answer was examined.", "Repair what stands under Languages, then run this again."
            )
            return
        message = {"id": str(uuid.uuid4()), "text": QUESTION}
        first = self.visitor.call("POST", MESSAGES, token=token, json=message)
        self.report.seconds["first answer"] = round(first.elapsed.total_seconds(), 3)
        section.info(f"The first answer came after {self.report.seconds['first answer']:.2f} s.")
        if first.status_code != 200:
            section.wrong(
                f"“{QUESTION}” gets no answer (status {first.status_code}).",
                "Look under Parts and at `journalctl -u iq-lotse-engine`. 503 says that the engine or the action server is down, or "
                "slower than LOTSE_ENGINE_TIMEOUT; right after a start, run this once more.",
            )
            return
        offices = [
            one for message in objects(read(first).get("messages")) for one in objects((message.get("referral") or {}).get("offices"))
        ]
        section.expect(
            bool(offices),
            f"“{QUESTION}” leads to {len(offices)} offices, first {offices[0].get('name') if offices else ''}.",
            f"“{QUESTION}” leads to no office.",
            "Run `lotse directory fill` and `lotse directory check` on the machine, and look at `journalctl -u iq-lotse-actions`.",
        )
        again = self.visitor.call("POST", MESSAGES, token=token, json=message)
        section.expect(
            again.status_code == 200 and read(again) == read(first),
            "The same message sent again gets the same answer.",
            f"The same message sent again gets another answer (status {again.status_code}); it may be processed twice.",
            "Let all web processes use one LOTSE_TRANSCRIPTS_URL (PostgreSQL) and one secret key.",
        )
        slash = self.visitor.call("POST", MESSAGES, token=token, json={"id": str(uuid.uuid4()), "text": "/restart"})
        said = [str(one.get("text") or "") for one in objects(read(slash).get("messages"))]
        section.expect(
            slash.status_code == 200 and any(said) and self.openings[QUESTION_LANGUAGE].get("text") not in said,
            "Text that begins with a slash is plain text.",
            f"“/restart” is not answered like any other text (status {slash.status_code}).",
            "Let people reach the engine through the web process only, and start it with the shipped credentials.yml.",
        )

    # -- access ----------------------------------------------------------------------------------------------------

    def access(self) -> None:
        """Check who can read a conversation, what the API refuses, and its headers."""
        section = self.section("Access")
        if len(self.tokens) < 2:
            section.wrong(
                "No conversations could be begun, so access was not examined.", "Repair what stands under Languages, then run this again."
            )
            return
        token, other = (self.tokens[language] for language in (*sorted(self.tokens, key=QUESTION_LANGUAGE.__ne__),)[:2])
        own = self.visitor.call("GET", MESSAGES, token=token)
        section.expect(
            own.status_code == 200 and bool(objects(read(own).get("messages"))),
            "With its token a conversation can be read.",
            f"With its token a conversation cannot be read (status {own.status_code}).",
            "Check that the reverse proxy hands on the header Authorization, and that all web processes have one secret key.",
        )
        self.refused = self.visitor.call("GET", MESSAGES, origin=STRANGER)
        self._refuses(section, "without a token", self.refused)
        self._refuses(section, "with a forged token", self.visitor.call("GET", MESSAGES, token=_forged(token)))
        self._refuses(section, "with a token put together from two", self.visitor.call("GET", MESSAGES, token=_swapped(token, other)))
        self._bodies(section, token)
        headers = self.section("Security headers")
        self._headers(headers, "chat API", own)
        headers.expect(
            "no-store" in own.headers.get("cache-control", ""),
            "chat API: answers are kept nowhere on the way (no-store).",
            f"chat API: Cache-Control is {own.headers.get('cache-control', 'missing')!r}; answers may be kept on the way.",
            "Leave Cache-Control of `/api/` to the guide, and switch off caching in reverse proxy and CDN.",
        )

    @staticmethod
    def _refuses(section: Section, how: str, answer: httpx.Response) -> None:
        section.expect(
            answer.status_code == 401,
            f"A conversation cannot be read {how} (401).",
            f"Reading a conversation {how} is answered with {answer.status_code} instead of 401.",
            "Switch off caching of `/api/` on the way; if that is not it, stop the guide and report this as a security problem.",
        )

    def _bodies(self, section: Section, token: str) -> None:
        message = {"id": str(uuid.uuid4()), "text": "x" * (BODY_LIMIT + 1)}
        large = self.visitor.call("POST", MESSAGES, token=token, json=message)
        section.expect(
            large.status_code == 413,
            "A body over 16 kB is refused (413).",
            f"A body over 16 kB is answered with {large.status_code} instead of 413.",
            "Set `client_max_body_size 16k;` in the reverse proxy, and check that it leads to the web process.",
        )
        text = json.dumps({"id": str(uuid.uuid4()), "text": "?"}).encode()
        typed = self.visitor.call("POST", MESSAGES, token=token, content=text, headers={"Content-Type": "text/plain"})
        section.expect(
            typed.status_code == 415,
            "A body that is not declared as JSON is refused (415).",
            f"A body that is not declared as JSON is answered with {typed.status_code} instead of 415.",
            "Check that the reverse proxy hands on Content-Type as it is.",
        )

    def end_of_a_conversation(self) -> None:
        """Check that a conversation can be deleted, and that its token is dead then."""
        section = self.section("Access")
        token = next(iter(self.tokens.values()), None)
        if token is None:
            return
        status = self.visitor.delete(token)
        if not section.expect(
            status == 204,
            "A conversation can be deleted.",
            f"Deleting a conversation is answered with {status} instead of 204.",
            "Check that the reverse proxy lets DELETE and PATCH through, and look at `journalctl -u iq-lotse-web`.",
        ):
            return
        after = self.visitor.call("GET", MESSAGES, token=token)
        section.expect(
            after.status_code == 401,
            "After that its token is dead (401).",
            f"After that its token still gets an answer ({after.status_code}).",
            "Switch off caching of `/api/` on the way, and let all web processes use one LOTSE_TRANSCRIPTS_URL.",
        )

    # -- other sites -----------------------------------------------------------------------------------------------

    def other_sites(self) -> None:
        """Check which websites may use the chat API."""
        section = self.section("Other sites")
        asked = self._preflight(STRANGER)
        allowed = [one.headers.get("access-control-allow-origin") for one in (asked, self.refused) if one is not None]
        section.expect(
            not any(allowed),
            "A website that is not named may not use the chat API.",
            f"Every website may use the chat API (Access-Control-Allow-Origin: {words(sorted(set(filter(None, allowed))))}).",
            "Name single sites in LOTSE_ALLOWED_ORIGINS, no `*`, and remove Access-Control-Allow-Origin from the reverse proxy.",
        )
        if self.origin is None:
            section.info("Whether a certain website may embed the guide is not examined; `--origin https://www.verein.example` does.")
            return
        self._may_embed(section, self.origin, self._preflight(self.origin))

    def _preflight(self, origin: str) -> httpx.Response:
        headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
        return self.visitor.call("OPTIONS", MESSAGES, origin=origin, headers=headers)

    def _may_embed(self, section: Section, origin: str, asked: httpx.Response) -> None:
        answers_with = [one.headers.get("access-control-allow-origin") for one in (asked, self.first_answer) if one is not None]
        if any("," in (told or "") for told in answers_with):
            section.wrong(
                f"Access-Control-Allow-Origin is sent twice ({answers_with[0]}); browsers refuse that.",
                "Remove it from the reverse proxy; the guide sets it itself.",
            )
            return
        section.expect(
            asked.status_code < 300 and all(told in (origin, "*") for told in answers_with),
            f"{origin} may use the chat API.",
            f"{origin} may not use the chat API; the widget on its pages says that it cannot connect.",
            ALLOW,
        )
        methods = asked.headers.get("access-control-allow-methods", "").upper()
        lacking = [method for method in ("GET", "POST", "PATCH", "DELETE") if method not in methods]
        if asked.status_code < 300 and lacking:
            section.wrong(f"{origin} may not use {words(lacking)}.", "Leave the headers Access-Control-* to the guide.")
        ancestors = _policy(self.page).get("frame-ancestors", "").split() if self.page is not None else []
        section.expect(
            origin in ancestors or "*" in ancestors,
            f"{origin} may show the page in a frame.",
            f"{origin} may not show the page in a frame (frame-ancestors).",
            ALLOW,
        )

    # -- the rest --------------------------------------------------------------------------------------------------

    def inner_ports(self) -> None:
        """Check that engine and action server cannot be reached from here."""
        section = self.section("Inner ports")
        if self.target.loopback:
            section.info("Ports 5005 and 5055 are not examined on this machine itself: here they may answer.")
            return
        for port, name in INNER_PORTS.items():
            self.inner_port(section, port, name)

    def inner_port(self, section: Section, port: int, name: str) -> None:
        """Check one port; whoever reaches it gets past everything that the web process checks."""
        section.expect(
            not is_open(self.target.host, port),
            f"The {name} cannot be reached from here (port {port}).",
            f"Port {port} answers: the {name} can be reached from outside, past all limits and checks.",
            "Close the port in the firewall now; start the engine with `--interface 127.0.0.1` and the action server with "
            "SANIC_HOST=127.0.0.1 (docs/operating.md).",
        )

    def note_what_is_left(self, left: int) -> None:
        """Note whether all conversations of this examination are deleted."""
        if self.visitor.begun:
            self.section("Tidying up").expect(
                not left,
                f"All {self.visitor.begun} conversations of this examination are deleted.",
                f"{left} of {self.visitor.begun} conversations of this examination could not be deleted.",
                "They end by themselves after LOTSE_IDLE_MINUTES. Repair the cause: people cannot delete theirs either.",
            )


def _policy(answer: httpx.Response) -> dict[str, str]:
    """Return the directives of the Content-Security-Policy by name."""
    parts = [part.split(None, 1) for part in answer.headers.get("content-security-policy", "").split(";")]
    return {part[0].lower(): part[1] if len(part) > 1 else "" for part in parts if part}


def _offices(answer: httpx.Response) -> list[dict[str, Any]]:
    referrals = [message.get("referral") for message in objects(read(answer).get("messages"))]
    return [office for referral in objects(referrals) for office in objects(referral.get("offices"))]


def _left_to_right() -> str:
    return next(language for language in SPOKEN_LANGUAGES if language not in RIGHT_TO_LEFT)


def _right_to_left() -> str:
    """Return a spoken language that is written from right to left; any other one if there is none."""
    return next((language for language in SPOKEN_LANGUAGES if language in RIGHT_TO_LEFT), SPOKEN_LANGUAGES[-1])


def _forged(token: str) -> str:
    content, dot, signature = token.rpartition(".")
    return f"{content}{dot}{'A' * len(signature)}"


def _swapped(token: str, other: str) -> str:
    """Return the content of one token with the signature of another."""
    return f"{token.rpartition('.')[0]}.{other.rpartition('.')[2]}"
