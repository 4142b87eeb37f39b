"""How `lotse doctor` visits an installation: the address, the connection, calls that are counted, paced and tidied up."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

TIMEOUT = 30  # a broken engine takes longer than any healthy answer
CONNECT_SECONDS = 8
PORT_SECONDS = 2  # a firewall that drops packets says nothing
PAUSE = 0.1  # between two calls: slower than a browser that opens the page
MOST_CALLS = 80  # far more than an examination needs; whatever goes wrong, it never becomes a flood
MOST_WAITING = 180  # seconds that an examination waits in all because of 429
SESSIONS = "/api/chat/sessions"
CURRENT = "/api/chat/sessions/current"
DAY = 24 * 60 * 60
# OpenSSL's numbers for what is wrong with a certificate (X509_V_ERR_*).
_EXPIRED, _NOT_YET, _OTHER_NAME = 10, 9, (62, 63, 64)
_NOT_TRUSTED = (18, 19, 20, 21)


class NotAnAddress(ValueError):
    """What was given is no address of a guide; the message says what it should look like."""


class Unreachable(Exception):
    """No connection, or none that can be trusted.

    Args:
        text: what is wrong.
        todo: what to do about it.
    """

    def __init__(self, text: str, todo: str) -> None:
        super().__init__(text)
        self.text = text
        self.todo = todo


class NoAnswer(Exception):
    """A call got no answer; the message says which and why."""


class TooMany(Exception):
    """The installation asks for more patience than an examination has."""


@dataclass(frozen=True)
class Target:
    """The address of an installation. ``loopback`` is whether it is this machine, where other rules hold."""

    scheme: str
    host: str
    port: int
    loopback: bool

    @classmethod
    def of(cls, address: str) -> Target:
        """Return the target for what a person typed; without a scheme it is https, on this machine http.

        Raises:
            NotAnAddress: if it is no address of a website.
        """
        text = address.strip()
        if "://" not in text:
            text = f"//{text}"
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise NotAnAddress(f"{address!r} is no address: {error}.") from error
        scheme = parts.scheme or ("http" if _is_loopback(host) else "https")
        if scheme not in ("http", "https") or not host or any(char.isspace() for char in host):
            raise NotAnAddress(f"{address!r} is no address of a website; it should look like https://lotse.example.org.")
        if parts.username or parts.password:
            raise NotAnAddress("The address must not hold a name or a password.")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise NotAnAddress(f"The guide stands at the root of its host: give {scheme}://{parts.netloc} without anything behind it.")
        return cls(scheme, host, port or default_port(scheme), _is_loopback(host))

    @property
    def url(self) -> str:
        """The address as a browser shows it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == default_port(self.scheme) else f":{self.port}")


def default_port(scheme: str) -> int:
    """Return the port of a scheme."""
    return 443 if scheme == "https" else 80


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_public(target: Target) -> bool:
    """Return whether the host has an address that the internet can reach."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_global for entry in found)


def is_open(host: str, port: int, seconds: float = PORT_SECONDS) -> bool:
    """Return whether something accepts connections at a port."""
    try:
        with socket.create_connection((host, port), seconds):
            return True
    except OSError:
        return False


def trust() -> ssl.SSLContext:
    """Return whom we trust: the authorities that browsers trust, or those in ``SSL_CERT_FILE``."""
    return httpx.create_ssl_context()


def connect(target: Target, context: ssl.SSLContext) -> float | None:
    """Open a connection and close it again.

    Args:
        target: where to.
        context: whose certificates are trusted.

    Returns:
        The days until the certificate expires; None without TLS.

    Raises:
        Unreachable: if there is no connection, or its certificate cannot be trusted.
    """
    try:
        with socket.create_connection((target.host, target.port), CONNECT_SECONDS) as plain:
            if target.scheme == "http":
                return None
            with context.wrap_socket(plain, server_hostname=target.host) as secured:
                certificate = secured.getpeercert() or {}
                return (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / DAY
    except ssl.SSLCertVerificationError as error:
        raise _bad_certificate(target, error) from error
    except ssl.SSLError as error:
        raise Unreachable(
            f"{target.host} does not speak TLS on port {target.port} ({error.reason or 'the handshake fails'}).",
            "Switch TLS on in the reverse proxy (`listen 443 ssl`), version 1.2 or newer; docs/operating.md has an example.",
        ) from error
    except OSError as error:
        raise _no_connection(target, error) from error


def _bad_certificate(target: Target, error: ssl.SSLCertVerificationError) -> Unreachable:
    code = error.verify_code
    if code == _EXPIRED:
        return Unreachable(
            "The certificate has expired; browsers refuse to open the page.",
            "Renew it, reload the reverse proxy, and have it renewed by itself (for example by a timer of certbot).",
        )
    if code == _NOT_YET:
        return Unreachable("The certificate is not valid yet.", "Check the clock of this machine and the dates of the certificate.")
    if code in _OTHER_NAME:
        return Unreachable(
            f"The certificate is for another name than {target.host}; browsers refuse to open the page.",
            f"Get a certificate that names {target.host}, or check that DNS and `server_name` lead to the right site.",
        )
    if code in _NOT_TRUSTED:
        return Unreachable(
            "The certificate is not signed by an authority that browsers trust, or the chain is incomplete.",
            "Use a certificate of a public authority, and give the reverse proxy the full chain (`fullchain.pem`).",
        )
    return Unreachable(f"The certificate is not valid: {error.verify_message}.", "Get a valid certificate for this host.")


def _no_connection(target: Target, error: OSError) -> Unreachable:
    where = f"port {target.port} of {target.host}"
    if isinstance(error, socket.gaierror):
        return Unreachable(
            f"The name {target.host} is not known (DNS).",
            "Check the spelling; if it is right, make an A or AAAA record for it at the provider of the domain.",
        )
    if isinstance(error, TimeoutError):
        return Unreachable(
            f"Nothing answers at {where} within {CONNECT_SECONDS} seconds.",
            "Check that the machine is up and that the firewall lets this port through.",
        )
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(
            f"Nobody listens at {where}.",
            "Start the guide (`lotse serve`, or `systemctl start iq-lotse-web`) and the reverse proxy, and check the port.",
        )
    reason = error.strerror or type(error).__name__
    return Unreachable(f"There is no connection to {where}: {reason}.", "Check network, name and firewall.")


def silent(_text: str) -> None:
    """Say nothing."""


@dataclass
class Visitor:
    """A stranger with a browser, who counts the calls and takes back all that was begun.

    ``say`` is told when an examination has to wait; ``pause`` are the seconds between two calls.
    """

    target: Target
    context: ssl.SSLContext
    pause: float = PAUSE
    say: Callable[[str], None] = silent
    calls: int = 0
    waited: float = 0.0
    begun: int = 0
    _open: list[str] = field(default_factory=list)
    _http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        """Make the client; a proxy of this machine is not used, because a stranger has another one or none."""
        headers = {"User-Agent": "lotse-doctor", "Accept-Encoding": "gzip"}
        self._http = httpx.Client(
            base_url=self.target.url, verify=self.context, timeout=TIMEOUT, headers=headers, trust_env=False, follow_redirects=False
        )

    def call(self, method: str, path: str, *, token: str | None = None, origin: str | None = None, **more: Any) -> httpx.Response:
        """Call the installation, and wait if it asks for patience.

        Args:
            method: the HTTP method.
            path: the path, or a whole address.
            token: the token of a conversation.
            origin: the website from whose page the call comes.
            more: what else httpx takes (``json``, ``content``, ``headers``).

        Raises:
            NoAnswer: if there is none.
            TooMany: if the installation asks to wait too long, or there were too many calls.
        """
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if origin is not None:
            headers["Origin"] = origin
        while True:
            answer = self._send(method, path, headers, more)
            if answer.status_code != 429:
                self._remember(method, path, answer)
                return answer
            self._wait(answer)

    def _send(self, method: str, path: str, headers: dict[str, str], more: dict[str, Any]) -> httpx.Response:
        if self.calls >= MOST_CALLS:
            raise TooMany(f"after {MOST_CALLS} calls")
        if self.calls:
            time.sleep(self.pause)
        self.calls += 1
        try:
            return self._http.request(method, path, headers=headers, **more)
        except httpx.TimeoutException as error:
            raise NoAnswer(f"{method} {path} gets no answer within {TIMEOUT} seconds") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NoAnswer(f"{method} {path} gets no answer ({type(error).__name__})") from error

    def _wait(self, answer: httpx.Response) -> None:
        told = answer.headers.get("retry-after", "")
        seconds = int(told) if told.isascii() and told.isdigit() else 10
        if self.waited + seconds > MOST_WAITING:
            raise TooMany(f"it asks to wait {seconds} seconds more")
        self.say(f"The guide answers 429 and asks to wait {seconds} seconds; waiting.")
        time.sleep(seconds)
        self.waited += seconds

    def _remember(self, method: str, path: str, answer: httpx.Response) -> None:
        token = read(answer).get("token") if (method, path) == ("POST", SESSIONS) else None
        if isinstance(token, str):
            self._open.append(token)
            self.begun += 1

    def delete(self, token: str) -> int:
        """Delete a conversation and return the status; 204 is right.

        Raises:
            NoAnswer: if there is none.
            TooMany: see :meth:`call`.
        """
        status = self.call("DELETE", CURRENT, token=token).status_code
        # 401: it has ended already.
        if status in (204, 401) and token in self._open:
            self._open.remove(token)
        return status

    def leave(self) -> int:
        """Delete all conversations that are still open, and close the connection.

        Returns:
            How many could not be deleted.
        """
        # Deleting must not fail because the examination has used up its calls or its patience.
        self.calls, calls = min(self.calls, MOST_CALLS - 2 * len(self._open)), self.calls
        self.waited, waited = 0.0, self.waited
        before = self.calls
        try:
            for token in list(self._open):
                self._try_to_delete(token)
        finally:
            self.calls, self.waited = calls + self.calls - before, waited + self.waited
            self._http.close()
        return len(self._open)

    def _try_to_delete(self, token: str) -> None:
        for _ in range(2):
            try:
                self.delete(token)
                return
            except NoAnswer:
                # A connection that was kept open may have died in the meantime; a new one is tried once.
                continue
            except TooMany:
                return


def read(answer: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of an answer; an empty one if it has none."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list that came from outside; nothing if it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def words(found: Iterable[str]) -> str:
    """Return a list as a person writes it: a, b and c."""
    listed = list(found)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}" if listed else "none"
