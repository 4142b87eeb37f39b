"""What happens to accounts at the same time, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.transcripts import database, staff
from bot.transcripts.staff_models import ADMIN
from tests.review.support import NOW


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path / 'transcripts.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    database.upgrade(address)
    return str(address)


def make(url: str, *emails: str) -> list[int]:
    with database.session(url) as session:
        return [staff.create(session, email=email, name=email, password_hash="-", roles=[ADMIN], now=NOW).id for email in emails]


def test_two_admins_who_disable_each_other_leave_one(url: str) -> None:
    ids, start = make(url, "a@example.org", "b@example.org"), threading.Barrier(2)

    def disable(staff_id: int) -> str:
        try:
            with database.session(url) as session:
                start.wait()
                staff.disable(session, staff_id, NOW)
        except staff.LastAdmin:
            return "refused"
        return "done"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(disable, ids)) == ["done", "refused"]


def test_of_many_attempts_at_once_five_are_checked(url: str) -> None:
    (staff_id,) = make(url, "a@example.org")

    def attempt(_: int) -> bool:
        with database.session(url) as session:
            return staff.reserve_attempt(session, staff_id, NOW).allowed

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(20))) == 5


def test_a_code_that_arrives_many_times_at_once_counts_once(url: str) -> None:
    (staff_id,) = make(url, "a@example.org")
    with database.session(url) as session:
        staff.replace_emergency_codes(session, staff_id, ["hash"])

    def use(_: int) -> tuple[bool, bool]:
        with database.session(url) as session:
            return staff.use_step(session, staff_id, 7), staff.use_emergency_code(session, staff_id, "hash", NOW)

    with ThreadPoolExecutor(8) as pool:
        used = list(pool.map(use, range(16)))
    assert (sum(step for step, _ in used), sum(code for _, code in used)) == (1, 1)


def test_two_accounts_with_the_same_address_cannot_be_made(url: str) -> None:
    make(url, "a@example.org")
    with pytest.raises(staff.EmailTaken):
        make(url, "a@example.org")
