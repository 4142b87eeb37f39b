"""A PostgreSQL server of its own for tests, started from the installed binaries and thrown away afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text


class NoPostgresError(Exception):
    """No server can be started here; the message says why."""


def _binaries() -> Path:
    # Newest last: 9 sorts after 15 as text, hence by number.
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not found:
        raise NoPostgresError("no PostgreSQL binaries in /usr/lib/postgresql/*/bin")
    return found[-1].parent


def _user() -> str | None:
    """Return the user to run the server as, if we are root (PostgreSQL refuses root)."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        if shutil.which("runuser"):
            return name
    raise NoPostgresError("PostgreSQL does not run as root, and there is no other user to run it as")


@contextmanager
def postgres_cluster() -> Iterator[str]:
    """Start a server and yield the URL of its database `postgres`; stop it and remove its files at the end.

    It listens only on a socket in its own folder, so that no port can be taken.

    Raises:
        NoPostgresError: if no server can be started on this machine.
    """
    binaries, user = _binaries(), _user()
    # Not below pytest's tmp_path: another user may not enter that one. Short, as a socket's path is limited.
    folder = Path(tempfile.mkdtemp(prefix="lotse-pg-"))

    def run(name: str, *arguments: str) -> None:
        command = [str(binaries / name), *arguments]
        if user:
            command = ["runuser", "-u", user, "--", *command]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise NoPostgresError(f"{name} failed: {(done.stderr or done.stdout).strip()[-500:]}")

    data = str(folder / "data")
    try:
        if user:
            shutil.chown(folder, user)
        run("initdb", "-D", data, "-U", "lotse", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        options = f"-c listen_addresses='' -c fsync=off -c full_page_writes=off -k {folder}"
        run("pg_ctl", "-D", data, "-w", "-t", "60", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg2://lotse@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server for the whole test run; skips where none can be started."""
    try:
        cluster = postgres_cluster()
        url = cluster.__enter__()
    except NoPostgresError as error:
        pytest.skip(str(error))
    try:
        yield url
    finally:
        cluster.__exit__(None, None, None)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database of its own for one test."""
    name = f"test_{uuid4().hex}"
    server = create_engine(postgres_server, future=True, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgres_server.replace("/postgres?", f"/{name}?")
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()
