"""Attacks on the log-in: guessing, telling accounts apart, slipping in sessions, hostile input."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from bot.review.guards import COOKIE
from bot.transcripts import staff
from bot.transcripts.staff_models import Staff
from tests.review.accounts import (
    PASSWORD,
    Known,
    account_of,
    code,
    give_password,
    make_account,
    sign_in,
    token,
    trail,
)
from tests.review.support import Review

WRONG = "ganz anderes passwort"


def short(text: str) -> str:
    """Name a case of a parametrized test by the beginning of its text."""
    return repr(text[:12])


def fail(review: Review, account: Known, times: int) -> None:
    for _ in range(times):
        assert give_password(review, account, WRONG).answer.status_code == 422


def test_unknown_wrong_disabled_closed_and_expired_get_the_same_answer(review: Review) -> None:
    closed = make_account(review, email="closed@example.org")
    fail(review, closed, 5)
    expired = review.clock()
    accounts = [
        (Known(0, "nobody@example.org"), PASSWORD),
        (Known(0, "no address"), PASSWORD),
        (make_account(review), WRONG),
        (make_account(review, disabled_at=review.clock()), PASSWORD),
        (closed, PASSWORD),
        (make_account(review, must_change_password=True, password_until=expired), PASSWORD),
    ]
    answers = [give_password(review, account, password) for account, password in accounts]
    texts = {one.answer.text.replace(account.email, "") for one, (account, _) in zip(answers, accounts, strict=True)}
    assert {one.answer.status_code for one in answers} == {422}
    assert len(texts) == 1
    assert not any(token(one) for one in answers)
    assert {tuple(sorted(set(one.answer.headers) - {"content-length"})) for one in answers} == {
        tuple(sorted(set(answers[0].answer.headers) - {"content-length"}))
    }


@pytest.mark.parametrize("why", ["unknown", "wrong", "disabled", "closed"])
def test_each_refusal_computes_one_hash(review: Review, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    account = make_account(review, disabled_at=review.clock() if why == "disabled" else None)
    if why == "closed":
        fail(review, account, 5)
    give_password(review, Known(0, "first@example.org"))  # the dummy is made once for each process
    computed = []
    original = PasswordHasher.verify
    monkeypatch.setattr(PasswordHasher, "verify", lambda self, *given: (computed.append(given), original(self, *given))[1])
    asked = Known(0, "nobody@example.org") if why == "unknown" else account
    give_password(review, asked, WRONG if why == "wrong" else PASSWORD)
    assert len(computed) == 1


def test_the_fifth_failure_closes_an_account_and_each_further_one_for_longer(review: Review) -> None:
    account = make_account(review)
    fail(review, account, 5)
    for minutes in (1, 2, 4, 8, 16, 30, 30):
        assert account_of(review, account).locked_until == review.clock() + staff.timedelta(minutes=minutes)
        review.clock.forward(minutes=minutes, seconds=-1)
        assert give_password(review, account).answer.status_code == 422, "still closed"
        review.clock.forward(seconds=1)
        fail(review, account, 1)
    # Attempts at a closed account count for nothing, and do not fill the trail.
    assert trail(review).count("session.fail") == 12
    assert trail(review).count("session.lock") == 8


def test_a_complete_login_after_the_wait_sets_the_count_to_zero(review: Review) -> None:
    account = make_account(review)
    fail(review, account, 5)
    review.clock.forward(minutes=1)
    sign_in(review, account)
    fail(review, account, 4)
    assert account_of(review, account).locked_until is None


def test_knowing_the_password_does_not_set_the_count_of_wrong_codes_to_zero(review: Review) -> None:
    account = make_account(review)
    for _ in range(5):
        browser = give_password(review, account)
        assert browser.answer.status_code == 303
        assert browser.post("/second-factor", {"code": "000000"}).status_code == 422
    assert give_password(review, account).answer.status_code == 422
    assert browser.post("/second-factor", {"code": code(review)}).status_code == 422, "the code is not even checked"
    assert trail(review).count("second_factor.fail") == 5


def test_nobody_can_lock_a_person_out_of_a_device_that_is_known(review: Review) -> None:
    account = make_account(review)
    own = sign_in(review, account)
    own.post("/logout")
    fail(review, account, 5)
    assert give_password(review, account).answer.status_code == 422, "closed for the attacker, even with the password"
    sign_in(review, account, browser=own)
    assert own.get("/account").status_code == 200


def test_a_known_device_has_a_limit_of_its_own(review: Review) -> None:
    account = make_account(review)
    own = sign_in(review, account)
    own.post("/logout")
    for _ in range(12):
        assert give_password(review, account, WRONG, own).answer.status_code == 422
    assert give_password(review, account, browser=own).answer.status_code == 422
    assert account_of(review, account).locked_until is None, "others are not locked out by it"


@pytest.mark.parametrize("value", ["", "x", "..", "99999999999.abc.def", "9" * 400 + ".a.b", "-1.a.b", "²³.a.b", "1.2.3.4"])
def test_a_forged_mark_of_a_known_device_is_none(review: Review, value: str) -> None:
    account = make_account(review)
    own = sign_in(review, account)
    name = next(one.name for one in own.client.cookies.jar if one.name != COOKIE)
    fail(review, account, 5)
    header = f"{name}={value}".encode("latin-1", "replace")
    answer = review.browser().client.post("/review/login", data={"email": account.email, "password": PASSWORD}, headers={b"cookie": header})
    assert answer.status_code == 422


def test_the_mark_of_a_device_is_good_for_one_account_and_until_the_password_changes(review: Review) -> None:
    account, other = make_account(review), make_account(review)
    own = sign_in(review, account)
    own.post("/logout")
    fail(review, other, 5)
    assert give_password(review, other, browser=own).answer.status_code == 422
    with review.session() as session:
        session.get(Staff, account.id).password_hash = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    fail(review, account, 5)
    assert give_password(review, account, browser=own).answer.status_code == 422


def test_many_attempts_from_one_address_are_refused(review: Review) -> None:
    browser = review.browser()
    statuses = [give_password(review, Known(0, f"{n}@example.org"), browser=browser).answer.status_code for n in range(45)]
    assert statuses[:40] == [422] * 40
    assert statuses[-1] == 429


def test_attempts_at_the_same_time_count_each(review: Review) -> None:
    account = make_account(review)
    with review.session() as session:
        reserved = [staff.reserve_attempt(session, account.id, review.clock()) for _ in range(7)]
    assert [one.allowed for one in reserved] == [True] * 5 + [False] * 2


def test_giving_an_attempt_back_opens_only_what_it_closed(review: Review) -> None:
    account = make_account(review, failures=4)
    with review.session() as session:
        attempt = staff.reserve_attempt(session, account.id, review.clock())
        staff.give_back(session, account.id, attempt)
    assert account_of(review, account).locked_until is None
    with review.session() as session:
        earlier = staff.reserve_attempt(session, account.id, review.clock())
        session.get(Staff, account.id).locked_until = review.clock() + staff.timedelta(minutes=9)
        session.flush()
        staff.give_back(session, account.id, earlier)
    assert account_of(review, account).locked_until == review.clock() + staff.timedelta(minutes=9)


def test_a_hash_with_old_parameters_is_renewed_at_login(review: Review) -> None:
    account = make_account(review, password_hash=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD))
    own = sign_in(review, account)
    assert "m=19456,t=2" in account_of(review, account).password_hash
    own.post("/logout")
    fail(review, account, 5)
    sign_in(review, account, browser=own)


def test_the_session_has_a_new_token_after_each_step_and_an_old_one_is_never_taken_over(review: Review) -> None:
    account, attacker = make_account(review), make_account(review)
    planted = token(sign_in(review, attacker))
    victim = review.browser()
    victim.client.cookies.set(COOKIE, planted, domain="review.test", path="/review")
    give_password(review, account, browser=victim)
    half = token(victim)
    assert half not in (None, planted)
    victim.post("/second-factor", {"code": code(review)})
    assert token(victim) not in (None, planted, half)
    for old in (planted, half):
        other = review.browser()
        other.client.cookies.set(COOKIE, old, domain="review.test", path="/review")
        assert other.get("/account").headers["location"].startswith("/review/login")


def test_a_token_that_nobody_issued_begins_no_session(review: Review) -> None:
    browser = review.browser()
    browser.client.cookies.set(COOKIE, "chosen-by-an-attacker", domain="review.test", path="/review")
    give_password(review, make_account(review), browser=browser)
    assert token(browser) != "chosen-by-an-attacker"


@pytest.mark.parametrize("forged", ["", "x", "a" * 43, "a" * 5000, "%00", "' OR 1=1 --"], ids=short)
def test_a_forged_token_opens_nothing(review: Review, forged: str) -> None:
    sign_in(review, make_account(review))
    browser = review.browser()
    browser.client.cookies.set(COOKIE, forged, domain="review.test", path="/review")
    assert browser.get("/account").headers["location"].startswith("/review/login")


@pytest.mark.parametrize("email", ["", "\0", "x" * 100_000, "a@b", "<script>alert(1)</script>", "' OR 1=1 --", "ä@ö.example"], ids=short)
@pytest.mark.parametrize("password", ["", "\0", "x" * 100_000, "' OR 1=1 --"], ids=short)
def test_hostile_input_gets_the_usual_answer(review: Review, email: str, password: str) -> None:
    answer = review.browser().post("/login", {"email": email, "password": password})
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text and len(answer.text) < 20_000


def test_a_file_in_place_of_the_password_is_no_password(review: Review) -> None:
    account = make_account(review)
    files = {"password": ("a.txt", b"x")}
    assert review.browser().client.post("/review/login", data={"email": account.email}, files=files).status_code == 422


def test_a_password_in_the_address_is_not_read(review: Review) -> None:
    account = make_account(review)
    assert review.browser().client.post(f"/review/login?email={account.email}&password={PASSWORD}").status_code == 422
