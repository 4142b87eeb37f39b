"""Log-in, second factor and log-out: what leads in, and what is led nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.review import totp
from bot.review.guards import COOKIE
from bot.review.login import device_of
from bot.transcripts import staff
from bot.transcripts.staff_models import ADMIN, COORDINATOR, EDITOR, REVIEWER, ROLES, EmergencyCode, Staff, StaffSession
from tests.review.accounts import (
    PASSWORD,
    Known,
    code,
    give_password,
    make_account,
    sign_in,
    token,
    trail,
)
from tests.review.support import Review, open_review, text_of

WRONG = "ganz anderes passwort"


@pytest.fixture
def relaxed(tmp_path: Path) -> Iterator[Review]:
    """A review in which only admins need a second factor."""
    with open_review(tmp_path, second_factor=False) as opened:
        yield opened


def short(text: str) -> str:
    """Name a case of a parametrized test by the beginning of its text."""
    return repr(text[:12])


def test_password_and_code_lead_in(review: Review) -> None:
    browser = give_password(review, make_account(review, REVIEWER))
    assert browser.answer.headers["location"] == "/review/second-factor"
    page = browser.get("/second-factor")
    assert page.status_code == 200 and 'autocomplete="one-time-code"' in page.text and 'inputmode="numeric"' in page.text
    answer = browser.post("/second-factor", {"code": code(review)})
    assert (answer.status_code, answer.headers["location"]) == (303, "/review/")
    assert browser.get("/account").status_code == 200
    assert trail(review) == ["session.begin"]


def test_the_login_page_speaks_both_languages_and_helps_password_managers(review: Review) -> None:
    page = review.browser().get("/login", headers={"accept-language": "en-GB"})
    assert "Log in" in page.text and '<html lang="en">' in page.text
    page = review.browser().get("/login", headers={"accept-language": "ar"})
    assert "Anmelden" in page.text
    assert 'autocomplete="username"' in page.text and 'autocomplete="current-password"' in page.text
    assert page.headers["cache-control"] == "no-store"


def test_without_a_second_factor_the_password_is_enough_where_none_is_needed(relaxed: Review) -> None:
    browser = give_password(relaxed, make_account(relaxed, REVIEWER, factor=False))
    assert browser.answer.headers["location"] == "/review/"
    assert browser.get("/account").status_code == 200


def test_an_account_without_the_needed_factor_is_led_to_set_one_up(review: Review) -> None:
    browser = give_password(review, make_account(review, REVIEWER, factor=False))
    assert browser.get("/conversations").headers["location"] == "/review/account/second-factor"
    assert browser.get("/account/second-factor").status_code == 200


def test_an_admin_needs_a_second_factor_whatever_the_setting_says(relaxed: Review) -> None:
    browser = give_password(relaxed, make_account(relaxed, ADMIN, factor=False))
    assert browser.get("/staff").headers["location"] == "/review/account/second-factor"


def test_the_cookie_is_kept_from_scripts_and_other_sites(review: Review) -> None:
    browser = give_password(review, make_account(review))
    cookie = browser.answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/review" in cookie
    assert "Secure" not in cookie and "Max-Age" not in cookie and "Domain" not in cookie


def test_the_cookie_is_secure_where_the_address_is(tmp_path: Path) -> None:
    with open_review(tmp_path, public_url="https://lotse.example.org") as review:
        assert "Secure" in give_password(review, make_account(review)).answer.headers["set-cookie"]


def test_a_code_is_good_once(review: Review) -> None:
    account = make_account(review)
    used = code(review)
    assert give_password(review, account).post("/second-factor", {"code": used}).status_code == 303
    assert give_password(review, account).post("/second-factor", {"code": used}).status_code == 422
    with review.session() as session:
        step = session.get(Staff, account.id).totp_last_step
        assert not staff.use_step(session, account.id, step), "not even when two arrive at once"


def test_an_emergency_code_stands_in_once(review: Review) -> None:
    account = make_account(review)
    made = totp.new_emergency_codes()
    with review.session() as session:
        staff.replace_emergency_codes(session, account.id, map(totp.emergency_hash, made))
    browser = give_password(review, account)
    answer = browser.post("/second-factor", {"code": made[3].upper().replace("-", " ")})
    assert answer.headers["location"] == "/review/account/second-factor?done=login_emergency_code"
    assert "Notfall-Code ist verbraucht" in browser.get("/account/second-factor?done=login_emergency_code").text
    assert "9 von 10" in browser.get("/account/second-factor").text
    assert give_password(review, account).post("/second-factor", {"code": made[3]}).status_code == 422
    with review.session() as session:
        assert all(made[3] not in row.code_hash for row in session.query(EmergencyCode))


def test_the_emergency_code_of_somebody_else_is_worth_nothing(review: Review) -> None:
    made = totp.new_emergency_codes()
    with review.session() as session:
        staff.replace_emergency_codes(session, make_account(review).id, map(totp.emergency_hash, made[:1]))
    assert give_password(review, make_account(review)).post("/second-factor", {"code": made[0]}).status_code == 422


def test_a_secret_that_cannot_be_read_lets_nobody_in(review: Review) -> None:
    account = make_account(review, totp_secret=b"-")
    assert give_password(review, account).post("/second-factor", {"code": "000000"}).status_code == 422


@pytest.mark.parametrize("text", ["", "\0", "9" * 100_000, "12345", "🙂", "' OR 1=1 --"], ids=short)
def test_what_is_no_code_is_refused_clearly(review: Review, text: str) -> None:
    answer = give_password(review, make_account(review)).post("/second-factor", {"code": text})
    assert answer.status_code == 422
    assert "Der Code stimmt nicht" in answer.text and 'aria-invalid="true"' in answer.text


@pytest.mark.parametrize(
    "path", ["/", "/conversations", "/account", "/account/password", "/account/second-factor", "/staff", "/staff/new", "/audit"]
)
def test_half_logged_in_no_page_opens(review: Review, path: str) -> None:
    browser = give_password(review, make_account(review, *ROLES))
    assert browser.get(path).headers["location"] == "/review/second-factor"


@pytest.mark.parametrize("path", ["/account", "/account/password", "/account/second-factor", "/account/second-factor/off", "/staff/new"])
def test_half_logged_in_nothing_can_be_changed(review: Review, path: str) -> None:
    browser = give_password(review, make_account(review, *ROLES))
    answer = browser.post(path, {"name": "Eve", "language": "de", "code": "1", "old": PASSWORD})
    assert (answer.status_code, answer.headers.get("location")) == (303, "/review/second-factor")
    assert trail(review) == []


def test_half_logged_in_the_page_names_nobody_and_logging_out_works(review: Review) -> None:
    account = make_account(review, name="Erika Muster")
    browser = give_password(review, account)
    assert "Erika Muster" not in browser.get("/second-factor").text
    assert browser.post("/logout").headers["location"] == "/review/login?done=login_out"
    assert token(browser) is None
    with review.session() as session:
        assert session.query(StaffSession).count() == 0


def test_logging_out_ends_the_session_also_for_who_has_copied_the_token(review: Review) -> None:
    browser = sign_in(review, make_account(review))
    copied = token(browser)
    browser.post("/logout")
    assert "Sie sind abgemeldet." in browser.get("/login?done=login_out").text
    browser.client.cookies.set(COOKIE, copied, domain="review.test", path="/review")
    assert browser.get("/account").headers["location"].startswith("/review/login")
    assert trail(review)[-1] == "session.end"


def test_sessions_end_by_time(review: Review) -> None:
    browser = sign_in(review, make_account(review))
    review.clock.forward(minutes=29)
    assert browser.get("/account").status_code == 200
    review.clock.forward(minutes=31)
    assert browser.get("/account").status_code == 303
    browser = sign_in(review, make_account(review))
    for _ in range(21):
        review.clock.forward(minutes=29)
        last = browser.get("/account")
    assert last.status_code == 303


@pytest.mark.parametrize("path", ["/logout", "/second-factor"])
@pytest.mark.parametrize("csrf", ["", "0" * 32, "ü"])
def test_forms_without_the_word_of_the_session_are_refused(review: Review, path: str, csrf: str) -> None:
    browser = give_password(review, make_account(review))
    assert browser.post(path, {"code": code(review)}, csrf=csrf).status_code == 403


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}])
def test_another_site_cannot_log_somebody_in(review: Review, headers: dict[str, str]) -> None:
    account = make_account(review)
    answer = review.browser().post("/login", {"email": account.email, "password": PASSWORD}, headers=headers)
    assert answer.status_code == 403 and "set-cookie" not in answer.headers


def test_after_the_login_comes_the_page_that_was_asked_for(review: Review) -> None:
    browser = review.browser()
    location = browser.get("/conversations?state=new").headers["location"]
    assert location == "/review/login?next=/conversations%3Fstate%3Dnew"
    assert 'value="/conversations?state=new"' in browser.client.get(location).text
    give_password(review, make_account(review), browser=browser, next="/conversations?state=new")
    assert browser.answer.headers["location"] == "/review/second-factor?next=%2Fconversations%3Fstate%3Dnew"
    answer = browser.post("/second-factor", {"code": code(review), "next": "/conversations?state=new"})
    assert answer.headers["location"] == "/review/conversations?state=new"


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "\t//evil.example",
        "/\r\nset-cookie: a=b",
        "evil",
        "/login",
        "/logout",
        "/" + "x" * 600,
        "",
    ],
)
def test_the_login_leads_nowhere_else(review: Review, path: str) -> None:
    account = make_account(review)
    browser = give_password(review, account, next=path)
    assert browser.answer.headers["location"] == "/review/second-factor"
    answer = browser.post("/second-factor", {"code": code(review), "next": path})
    assert answer.headers["location"] == "/review/"
    assert browser.get("/login", params={"next": path}).headers["location"] == "/review/"


@pytest.mark.parametrize("header", ["host", "x-forwarded-host", "forwarded", "x-original-url", "x-rewrite-url"])
def test_headers_lead_nobody_to_another_host(review: Review, header: str) -> None:
    account = make_account(review)
    answer = review.browser().client.post(
        "/review/login", data={"email": account.email, "password": PASSWORD}, headers={header: "evil.example"}
    )
    assert answer.headers["location"] == "/review/second-factor"
    assert "evil.example" not in review.browser().get("/login", headers={header: "evil.example"}).text


def test_the_login_name_may_be_typed_in_capitals_and_with_spaces(review: Review) -> None:
    account = make_account(review, email="erika@example.org")
    assert give_password(review, Known(account.id, " Erika@Example.ORG ")).answer.status_code == 303


def test_whoever_is_logged_in_is_led_on(review: Review) -> None:
    browser = sign_in(review, make_account(review, EDITOR))
    assert browser.get("/login?next=/directory").headers["location"] == "/review/directory"
    assert browser.get("/second-factor").headers["location"] == "/review/"
    assert browser.post("/second-factor", {"code": "1"}).headers["location"] == "/review/"


def test_a_link_in_a_web_mail_works_although_the_cookie_is_kept_back(review: Review) -> None:
    browser = review.browser()
    page = browser.get("/login?next=/conversations/abc", headers={"sec-fetch-site": "cross-site"})
    assert page.headers["refresh"] == "0; url=/review/conversations/abc"
    assert 'href="/review/conversations/abc"' in page.text
    page = browser.get("/login?next=//evil.example", headers={"sec-fetch-site": "cross-site"})
    assert page.headers["refresh"] == "0; url=/review/"
    assert "refresh" not in browser.get("/login?next=/conversations/abc", headers={"sec-fetch-site": "same-origin"}).headers


@pytest.mark.parametrize("role", [REVIEWER, EDITOR, COORDINATOR, ADMIN])
def test_each_role_logs_in(review: Review, role: str) -> None:
    browser = sign_in(review, make_account(review, role, language="en"))
    assert "My account" in text_of(browser.get("/account").text)


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox, Windows"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
            "Safari, macOS",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0", "Edge, Windows"),
        ("Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 CriOS/126.0 Mobile Safari/604.1", "Chrome, iPad"),
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36", "Chrome, Android"),
        ("curl/8", ""),
        ("", ""),
        ("<script>" * 10_000, ""),
    ],
)
def test_a_device_is_named_in_simple_words(user_agent: str, device: str) -> None:
    assert device_of(user_agent) == device
