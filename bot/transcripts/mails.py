"""Sends the mails that wait for staff: that there is something to look at, and where. What it is stands only in the review.

A mail goes by SMTP to each reviewer who wants such mails and may see the region. Nothing of it is done inside a
transaction: a slow mail server must not hold up a conversation.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid, parseaddr
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from bot.dialogue.catalogues import REVIEW_DOMAIN, REVIEW_LANGUAGES, review_source, translate
from bot.settings import Settings
from bot.transcripts import database, reading
from bot.transcripts.record_models import CallbackRequest, Notification, Transcript
from bot.transcripts.staff_models import Staff

logger = logging.getLogger(__name__)

TIMEOUT = 20
# Whoever has not been reached after so long is not reached by a mail.
KEPT = timedelta(days=3)
# After the first failure it is tried again after so long, then after twice the time, and so on.
FIRST_WAIT = timedelta(minutes=5)
LONGEST_WAIT = timedelta(hours=12)
AT_ONCE = 100
PORTS = {"smtp": 587, "smtps": 465}


class MailSettingsError(ValueError):
    """The settings for mails cannot be used; the message says which, and never quotes them."""


@dataclass(frozen=True)
class Server:
    """The mail server of ``LOTSE_SMTP_URL``."""

    host: str
    port: int
    secure: bool  # encrypted from the first byte
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def is_local(self) -> bool:
        """Whether what is sent there stays on this machine."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def encryption(self) -> ssl.SSLContext:
        """Return how to encrypt: only to a server that proves who it is, unless it is this machine."""
        context = ssl.create_default_context()
        if self.is_local:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context


@dataclass(frozen=True)
class Waiting:
    """A notification and the accounts that have not got it yet: id, address, language."""

    id: int
    kind: str
    object_key: str
    attempts: int
    delivered: tuple[str, ...]
    recipients: tuple[tuple[int, str, str], ...]


def send_waiting(settings: Settings, now: datetime) -> int:
    """Send what waits; safe to repeat, and to run in several processes.

    A mail that cannot be sent is tried again, after a while that doubles each time, for three days.

    Args:
        settings: where the database and the mail server are.
        now: the moment.

    Returns:
        How many mails were sent.
    """
    with database.session(settings.transcripts_url) as session:
        session.execute(delete(Notification).where(Notification.created_at <= now - KEPT).execution_options(synchronize_session=False))
    if not settings.smtp_url:
        return 0
    try:
        server, sender = parse_server(settings.smtp_url), parse_address(settings.mail_from or "")
    except MailSettingsError as error:
        logger.error("no mails are sent: %s", error)
        return 0
    with database.session(settings.transcripts_url) as session:
        due = _due(session, now)
    return sum(_deliver(settings, server, sender, one, now) for one in due)


def parse_server(url: str) -> Server:
    """Return the mail server that ``LOTSE_SMTP_URL`` names.

    Raises:
        MailSettingsError: if it cannot be understood.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise MailSettingsError("LOTSE_SMTP_URL is not an address") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise MailSettingsError("LOTSE_SMTP_URL must be smtp://user:password@host:port or smtps://...")
    return Server(
        parts.hostname, port or PORTS[parts.scheme], parts.scheme == "smtps", unquote(parts.username or ""), unquote(parts.password or "")
    )


def parse_address(text: str) -> Address:
    """Return a mail address (``a@example.org`` or ``Name <a@example.org>``) as it may stand in a header.

    Raises:
        MailSettingsError: if it is none.
    """
    name, plain = parseaddr(text) if text.isprintable() else ("", "")
    try:
        found = Address(display_name=name, addr_spec=plain)
    except (ValueError, IndexError, MessageError):
        found = Address()
    if not found.username or not found.domain:
        raise MailSettingsError("LOTSE_MAIL_FROM, or the address of an account, is not a mail address")
    return found


def compose(settings: Settings, sender: Address, recipient: str, kind: str, object_key: str, language: str, now: datetime) -> EmailMessage:
    """Return a mail that says that there is something, without what.

    Args:
        settings: ``public_url`` is where its link leads.
        sender: who sends it.
        recipient: the address of an account.
        kind: ``crisis``, ``dangerous`` or ``callback``.
        object_key: the pseudonym, for the link.
        language: ``de`` or ``en``.
        now: the moment.

    Raises:
        MailSettingsError: if an address is none.
    """

    def text(key: str) -> str:
        german = review_source()[f"mail.{key}"]
        return translate(REVIEW_DOMAIN, f"mail.{key}", german, language if language in REVIEW_LANGUAGES else "de")[0]

    page = "/callbacks" if kind == "callback" else f"/conversations/{object_key}"
    where = f"{settings.public_url}/review{page}" if settings.public_url else text("no_link")
    message = EmailMessage(policy=SMTP)
    message["Subject"] = text(f"{kind}.subject")
    message["From"] = sender
    message["To"] = parse_address(recipient)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=sender.domain)
    # No answering machine should answer.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{text(f'{kind}.text')}\n\n{where}\n\n{text('why')}\n", cte="quoted-printable")
    return message


def next_try(created_at: datetime, attempts: int) -> datetime:
    """Return when a mail that has failed so often is tried again."""
    waited = timedelta()
    for number in range(attempts):
        waited += min(FIRST_WAIT * 2**number, LONGEST_WAIT)
    return created_at + waited


def _due(session: Session, now: datetime) -> list[Waiting]:
    accounts = list(session.scalars(select(Staff).where(Staff.notify, Staff.disabled_at.is_(None)).order_by(Staff.id)))
    found = []
    for row in list(session.scalars(select(Notification).order_by(Notification.attempts, Notification.id).limit(AT_ONCE))):
        if next_try(row.created_at, row.attempts) > now:
            continue
        delivered = tuple(filter(None, row.delivered.split(",")))
        wanted = [one for one in accounts if reading.is_reviewer_of(one, row.state)] if _exists(session, row) else []
        recipients = tuple((one.id, one.email, one.language) for one in wanted if str(one.id) not in delivered)
        if recipients:
            found.append(Waiting(row.id, row.kind, row.object_key, row.attempts, delivered, recipients))
        else:
            # What it was about is gone, or nobody wants to hear of it.
            session.delete(row)
    return found


def _exists(session: Session, row: Notification) -> bool:
    table = CallbackRequest if row.kind == "callback" else Transcript
    return session.execute(select(table.id).where(table.key == row.object_key)).first() is not None


def _deliver(settings: Settings, server: Server, sender: Address, waiting: Waiting, now: datetime) -> int:
    """Send one notification to all who have not got it yet; note whom it reached."""
    # Counted before it is tried: two processes do not send the same, and what breaks the process is not tried for ever.
    with database.session(settings.transcripts_url) as session:
        own = (Notification.id == waiting.id, Notification.attempts == waiting.attempts)
        claimed = session.execute(
            update(Notification).where(*own).values(attempts=waiting.attempts + 1).execution_options(synchronize_session=False)
        )
        if not claimed.rowcount:
            return 0
    sent, given_up = [], []
    try:
        with _connection(server, sender) as connection:
            for staff_id, address, language in waiting.recipients:
                try:
                    mail = compose(settings, sender, address, waiting.kind, waiting.object_key, language, now)
                    connection.send_message(mail, from_addr=sender.addr_spec, to_addrs=[address])
                    sent.append(str(staff_id))
                except (MailSettingsError, smtplib.SMTPNotSupportedError, smtplib.SMTPRecipientsRefused) as error:
                    logger.warning("account %d cannot be reached by mail: %s", staff_id, type(error).__name__)
                    if _is_final(error):
                        given_up.append(str(staff_id))
    except (smtplib.SMTPException, OSError, ValueError) as error:
        # ValueError: a password that the log-in cannot write.
        # Never the message of the error: servers quote addresses, and a log-in its name.
        logger.warning("a mail of the kind %s could not be sent: %s", waiting.kind, type(error).__name__)
    reached = (*waiting.delivered, *sent, *given_up)
    _note(settings, replace(waiting, delivered=reached))
    return len(sent)


def _is_final(error: Exception) -> bool:
    """Return whether trying again is of no use: the server knows no such address, or it is none."""
    if not isinstance(error, smtplib.SMTPRecipientsRefused):
        return True
    return all(code >= 500 for code, _ in error.recipients.values())


def _note(settings: Settings, waiting: Waiting) -> None:
    with database.session(settings.transcripts_url) as session:
        own = Notification.id == waiting.id
        if {str(staff_id) for staff_id, _, _ in waiting.recipients} <= set(waiting.delivered):
            session.execute(delete(Notification).where(own).execution_options(synchronize_session=False))
        else:
            values = {"delivered": ",".join(waiting.delivered)}
            session.execute(update(Notification).where(own).values(**values).execution_options(synchronize_session=False))


@contextmanager
def _connection(server: Server, sender: Address) -> Iterator[smtplib.SMTP]:
    """Open a connection: encrypted if the server offers it, and never with the password in plain over the network.

    Raises:
        smtplib.SMTPException: if the server refuses.
        OSError: if it cannot be reached.
    """
    # Without a name of our own the library would ask the name server for that of this machine, and tell it.
    greeting = sender.domain
    connection: smtplib.SMTP
    if server.secure:
        connection = smtplib.SMTP_SSL(server.host, server.port, greeting, timeout=TIMEOUT, context=server.encryption())
    else:
        connection = smtplib.SMTP(server.host, server.port, greeting, timeout=TIMEOUT)
    with connection:
        connection.ehlo()
        encrypted = server.secure
        if not encrypted and connection.has_extn("starttls"):
            connection.starttls(context=server.encryption())
            connection.ehlo()
            encrypted = True
        if server.user:
            if not encrypted and not server.is_local:
                raise smtplib.SMTPNotSupportedError("no encryption for the log-in")
            connection.login(server.user, server.password)
        yield connection
