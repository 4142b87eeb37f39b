"""The mails to staff, sent to a real mail server in this process."""

from __future__ import annotations

import logging
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope
from sqlalchemy import select

from bot.settings import Settings
from bot.transcripts import database, mails, notifications
from bot.transcripts.record_models import CallbackRequest, Notification
from bot.transcripts.staff_models import COORDINATOR
from tests.processes import free_port
from tests.review.support import NOW, make_settings, make_staff, make_transcript

SENDER = "lotse@example.org"


@dataclass
class Box:
    """What the server got, and whom it refuses."""

    mails: list[tuple[str, EmailMessage]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    logins: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    busy: bool = False

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        if self.busy:
            return "451 try again later"
        mail = cast(EmailMessage, message_from_bytes(cast(bytes, envelope.content), policy=policy.default))
        self.mails += [(address, mail) for address in envelope.rcpt_tos]
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def check(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.logins.append(f"{data.login.decode()}:{data.password.decode()}")
        return AuthResult(success=data.password == b"ge:heim@")

    @property
    def recipients(self) -> list[str]:
        """Who got a mail."""
        return sorted(address for address, _ in self.mails)


@dataclass
class Post:
    """A mail server, and a review that uses it."""

    box: Box
    settings: Settings

    def note(self, kind: str = "crisis", state: str | None = "DE-NW", created: datetime = NOW) -> str:
        """Note that there is something; return the pseudonym of what it is about."""
        with database.session(self.settings.transcripts_url) as session:
            if kind == "callback":
                key = "callback-request"
                session.add(CallbackRequest(key=key, language="tr", sealed=b"-", created_at=created, state=state))
            else:
                key = make_transcript(session, "Ich heiße Geheimniskrämer", state=state).key
            notifications.note(session, kind, key, state, created)
        return key

    def staff(self, *roles: str, **more: Any) -> str:
        """Add an account that wants mails; return its address."""
        with database.session(self.settings.transcripts_url) as session:
            return str(make_staff(session, *roles, **{"notify": True, **more}).email)

    def send(self, **later: float) -> int:
        """Send what waits, after a while."""
        return mails.send_waiting(self.settings, NOW + timedelta(**later))

    def waiting(self) -> Sequence[Notification]:
        """Return what still waits."""
        with database.session(self.settings.transcripts_url) as session:
            return session.scalars(select(Notification)).all()


def serve(tmp_path: Path, url: str = "smtp://127.0.0.1:{port}", use: type[Controller] = Controller, **more: Any) -> Iterator[Post]:
    box, port = Box(), free_port()
    if more.pop("auth", False):
        more |= {"authenticator": box.check, "auth_required": True, "auth_require_tls": False}
    server = use(box, hostname="127.0.0.1", port=port, **more)
    server.start()
    settings = make_settings(tmp_path, smtp_url=url.format(port=port), mail_from=SENDER, public_url="https://lotse.example.org")
    database.upgrade(settings.transcripts_url)
    try:
        yield Post(box, settings)
    finally:
        server.stop()


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    yield from serve(tmp_path)


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    options = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-keyout",
        str(key),
        "-out",
        str(cert),
    ]
    subprocess.run(["openssl", *options], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return context


def test_a_reviewer_of_the_region_who_wants_it_gets_a_mail(post: Post) -> None:
    wanted = [post.staff(), post.staff(states=["DE-BY", "DE-NW"])]
    post.staff(notify=False)
    post.staff(states=["DE-BY"])
    post.staff(COORDINATOR)
    post.staff(disabled_at=NOW)
    post.note()
    assert post.send() == 2
    assert post.box.recipients == sorted(wanted)
    assert post.waiting() == []
    assert post.send() == 0, "once is enough"


def test_what_has_no_place_is_told_to_those_who_see_all(post: Post) -> None:
    everything = post.staff()
    post.staff(states=["DE-NW"])
    post.note(state=None)
    assert post.send() == 1
    assert post.box.recipients == [everything]


@pytest.mark.parametrize("kind", ["crisis", "dangerous", "callback"])
@pytest.mark.parametrize(("language", "word"), [("de", "Durchsicht"), ("en", "review")])
def test_a_mail_says_that_there_is_something_and_not_what(post: Post, kind: str, language: str, word: str) -> None:
    address = post.staff(language=language)
    key = post.note(kind)
    assert post.send() == 1
    _, mail = post.box.mails[0]
    body = mail.get_content()
    page = "callbacks" if kind == "callback" else f"conversations/{key}"
    assert f"https://lotse.example.org/review/{page}" in body
    assert word in body
    assert (mail["From"], mail["To"], mail["Auto-Submitted"]) == (SENDER, address, "auto-generated")
    assert mail["Subject"].startswith("Lotse: ")
    assert mail["Message-ID"].endswith("@example.org>")
    for secret in ("Geheimnis", "DE-NW", "Nordrhein", "Dortmund", "recognition", "Anerkennung"):
        assert secret not in mail.as_string()


def test_without_a_public_address_a_mail_has_no_link(post: Post) -> None:
    mail = mails.compose(
        make_settings(Path()), mails.parse_address(SENDER), "a@example.org", "crisis", "key-of-it", "de", NOW
    ).get_content()
    assert "http" not in mail
    assert "key-of-it" not in mail


def test_without_a_mail_server_nothing_is_sent_and_the_old_is_forgotten(tmp_path: Path) -> None:
    post = Post(Box(), make_settings(tmp_path))
    database.upgrade(post.settings.transcripts_url)
    post.staff()
    post.note(created=NOW - timedelta(days=3))
    new = post.note()
    assert post.send() == 0
    assert [row.object_key for row in post.waiting()] == [new]


def test_a_server_that_is_down_is_tried_again_later_and_ever_less_often(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    address = post.staff()
    post.note()
    post.box.busy = True
    with caplog.at_level(logging.DEBUG, "bot"):
        assert post.send() == 0
    ours = " ".join(record.getMessage() for record in caplog.records if record.name.startswith("bot"))
    assert "SMTPDataError" in ours
    assert address not in ours
    assert [row.attempts for row in post.waiting()] == [1]
    assert post.send(minutes=4) == 0
    assert [row.attempts for row in post.waiting()] == [1], "not yet"
    assert post.send(minutes=5) == 0
    assert [row.attempts for row in post.waiting()] == [2]
    post.box.busy = False
    assert post.send(minutes=14) == 0, "not yet"
    assert post.send(minutes=15) == 1
    assert post.waiting() == []


def test_nothing_listens_there(tmp_path: Path) -> None:
    post = Post(Box(), make_settings(tmp_path, smtp_url=f"smtp://127.0.0.1:{free_port()}", mail_from=SENDER))
    database.upgrade(post.settings.transcripts_url)
    post.staff()
    post.note()
    assert post.send() == 0
    assert [row.attempts for row in post.waiting()] == [1]
    assert post.send(days=3) == 0
    assert post.waiting() == [], "after three days a mail helps nobody"


def test_waits_grow_and_end(post: Post) -> None:
    waits = [mails.next_try(NOW, attempts) - NOW for attempts in range(12)]
    assert waits[:4] == [timedelta(), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=35)]
    assert waits[11] - waits[10] == mails.LONGEST_WAIT


def test_whoever_has_got_it_does_not_get_it_again(post: Post) -> None:
    reached, later, unknown = post.staff(), post.staff(), post.staff()
    post.box.refused = {later: "451 greylisted", unknown: "550 no such user"}
    post.note()
    assert post.send() == 1
    assert post.box.recipients == [reached]
    post.box.refused = {}
    assert post.send(minutes=5) == 1
    assert post.box.recipients == sorted([reached, later]), "an address that does not exist is not tried again"
    assert post.waiting() == []


def test_two_processes_send_one_mail(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post.staff()
    post.note()
    due = mails._due

    def other_is_quicker(session: Any, now: datetime) -> Any:
        found = due(session, now)
        monkeypatch.setattr(mails, "_due", due)
        session.commit()
        assert post.send() == 1
        return found

    monkeypatch.setattr(mails, "_due", other_is_quicker)
    assert post.send() == 0
    assert len(post.box.mails) == 1


def test_what_is_gone_or_wanted_by_nobody_does_not_wait(post: Post) -> None:
    post.note()
    assert post.send() == 0
    assert post.waiting() == []
    post.staff()
    with database.session(post.settings.transcripts_url) as session:
        notifications.note(session, "crisis", "deleted-meanwhile", "DE-NW", NOW)
    assert post.send() == 0
    assert post.waiting() == []


@pytest.mark.parametrize("address", ["a@example.org\nBcc: b@example.org", "a@example.org\r\n\r\nText", "@", "", "a b", "a@b@c\x00"])
def test_an_address_cannot_write_headers(post: Post, address: str) -> None:
    post.staff(email=address)
    good = post.staff()
    post.note()
    assert post.send() == 1
    assert post.box.recipients == [good]
    assert post.waiting() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"smtp_url": "http://example.org"},
        {"smtp_url": "smtp://"},
        {"smtp_url": "smtp://example.org:port"},
        {"smtp_url": "smtp://[broken"},
        {"mail_from": None},
        {"mail_from": "nobody"},
        {"mail_from": "a@example.org\nBcc: b@example.org"},
    ],
)
def test_settings_that_cannot_be_used_send_nothing_and_tell_no_secret(
    tmp_path: Path, wrong: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_settings(tmp_path, **{"smtp_url": "smtp://user:geheim@127.0.0.1:9", "mail_from": SENDER, **wrong})
    database.upgrade(settings.transcripts_url)
    assert mails.send_waiting(settings, NOW) == 0
    assert "no mails are sent" in caplog.text
    assert "geheim" not in caplog.text


def test_the_address_of_the_server_is_read() -> None:
    assert mails.parse_server("smtps://user%40x:p%3Aw@mail.example.org") == mails.Server("mail.example.org", 465, True, "user@x", "p:w")
    assert mails.parse_server("smtp://mail.example.org").port == 587
    assert "p:w" not in repr(mails.parse_server("smtps://user:p%3Aw@mail.example.org"))


def test_a_sender_may_have_a_name(tmp_path: Path) -> None:
    for post in serve(tmp_path):
        named = make_settings(tmp_path, smtp_url=post.settings.smtp_url, mail_from="Lotse für alle <lotse@example.org>")
        post.staff()
        post.note()
        assert mails.send_waiting(named, NOW) == 1
        assert post.box.mails[0][1]["From"] == "Lotse für alle <lotse@example.org>"


def test_a_user_logs_in(tmp_path: Path) -> None:
    for post in serve(tmp_path, "smtp://lotse:ge%3Aheim%40@127.0.0.1:{port}", auth=True):
        post.staff()
        post.note()
        assert post.send() == 1
        assert post.box.logins == ["lotse:ge:heim@"]


def test_a_wrong_password_is_no_disaster(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for post in serve(tmp_path, "smtp://lotse:fal%C3%9Fch@127.0.0.1:{port}", auth=True):
        post.staff()
        post.note()
        assert post.send() == 0
        assert [row.attempts for row in post.waiting()] == [1]
        assert "fal" not in caplog.text


def test_the_connection_is_encrypted_when_the_server_offers_it(tmp_path: Path, certificate: ssl.SSLContext) -> None:
    for post in serve(tmp_path, "smtp://lotse:ge%3Aheim%40@127.0.0.1:{port}", auth=True, tls_context=certificate, require_starttls=True):
        post.staff()
        post.note()
        assert post.send() == 1
        assert post.box.encrypted == [True]


def test_the_connection_is_encrypted_from_the_first_byte(tmp_path: Path, certificate: ssl.SSLContext) -> None:
    for post in serve(tmp_path, "smtps://127.0.0.1:{port}", ssl_context=certificate):
        post.staff()
        post.note()
        assert post.send() == 1, "this server understands nothing else"


def test_another_machine_must_prove_who_it_is() -> None:
    assert mails.Server("mail.example.org", 587, False).encryption().verify_mode == ssl.CERT_REQUIRED
    assert not mails.Server("mail.example.org", 587, False).is_local
    assert mails.Server("127.0.0.1", 25, False).is_local


def test_no_password_goes_in_plain_over_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mails.Server, "is_local", property(lambda self: False))
    for post in serve(tmp_path, "smtp://lotse:ge%3Aheim%40@127.0.0.1:{port}", auth=True):
        post.staff()
        post.note()
        assert post.send() == 0
        assert post.box.logins == []
