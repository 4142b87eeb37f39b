"""HTTP/1.1 as bytes: an HTTP client refuses much of what anybody may send to a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

ANSWER_SECONDS = 60.0
NO_ANSWER = 0


@dataclass(frozen=True)
class Answer:
    """What came back; the status is ``NO_ANSWER`` if the connection was closed without a word."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @cached_property
    def json(self) -> Any:
        """The body as JSON; None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @cached_property
    def code(self) -> str | None:
        """The code of an error, if this is one in the shape of the API."""
        body = self.json
        error = body.get("error") if isinstance(body, dict) else None
        return error.get("code") if isinstance(error, dict) and error.get("message") else None


def head(method: str, path: str, headers: Iterable[tuple[str, str | bytes]]) -> bytes:
    """Return a request up to its body.

    Args:
        method: the method, whatever it is.
        path: the target of the request, not quoted.
        headers: names and values, in this order, also more than once.
    """
    lines = [f"{method} {path} HTTP/1.1".encode("utf-8", "replace")]
    lines += [name.encode("latin-1") + b": " + (value if isinstance(value, bytes) else value.encode("utf-8")) for name, value in headers]
    return b"\r\n".join([*lines, b"", b""])


def chunks(body: bytes, size: int) -> list[bytes]:
    """Return a body in chunks of ``size`` bytes, the last and empty one included."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return [*(b"%x\r\n%s\r\n" % (len(part), part) for part in parts), b"0\r\n\r\n"]


async def exchange(port: int, pieces: Sequence[bytes], *, hang_up: bool = False, end: bool = False) -> Answer:
    """Send bytes to 127.0.0.1 and read one answer.

    Args:
        port: where the server listens.
        pieces: what is sent, each piece by itself.
        hang_up: close the connection without reading an answer.
        end: say that nothing more will come, but read the answer.

    Raises:
        TimeoutError: if there is no answer in time.
        OSError: if nobody listens.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            if end and not hang_up:
                writer.write_eof()
        except OSError:
            pass  # what is refused need not be read to its end; the answer may be there all the same
        if hang_up:
            return Answer(NO_ANSWER)
        return await asyncio.wait_for(_read(reader), ANSWER_SECONDS)
    except asyncio.TimeoutError as error:
        raise TimeoutError(f"no answer in {ANSWER_SECONDS:.0f} s") from error
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Answer:
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        if " 100 " in f"{lines[0]} ":
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:]) if name}
        status = int(lines[0].split(" ")[1])
        if headers.get("transfer-encoding") == "chunked" or "content-length" not in headers:
            return Answer(status, headers, b"" if status in (204, 304) else await reader.read())
        return Answer(status, headers, await reader.readexactly(int(headers["content-length"])))
    except (asyncio.IncompleteReadError, ConnectionError):
        return Answer(NO_ANSWER)
