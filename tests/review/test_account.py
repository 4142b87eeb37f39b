"""The own account: details, password, second factor, sessions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest

from bot.transcripts import staff, staff_sessions
from bot.transcripts.staff_models import ADMIN, EDITOR, REVIEWER, EmergencyCode, Staff
from tests.review.accounts import (
    NEW_PASSWORD,
    PASSWORD,
    SECRET,
    account_of,
    code,
    give_password,
    make_account,
    sign_in,
    token,
    trail,
)
from tests.review.support import Browser, Review, open_review, text_of

CHANGES = {
    "/account": {"name": "Neu", "language": "de"},
    "/account/password": {"old": PASSWORD, "new": NEW_PASSWORD, "again": NEW_PASSWORD},
    "/account/second-factor": {"code": "123456"},
    "/account/second-factor/codes": {"codes_password": PASSWORD},
    "/account/second-factor/off": {"off_password": PASSWORD},
    "/account/sessions/end": {"session": "x"},
    "/account/sessions/end-others": {},
}


@pytest.fixture
def relaxed(tmp_path: Path) -> Iterator[Review]:
    with open_review(tmp_path, second_factor=False) as opened:
        yield opened


def offered(browser: Browser, path: str = "/account/second-factor") -> str:
    found = re.search(r'<code class="secret">([A-Z2-7 ]+)</code>', browser.get(path).text)
    assert found
    return found[1].replace(" ", "")


def codes_in(html: str) -> list[str]:
    return re.findall(r"<li>([a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4})</li>", html)


def change_password(browser: Browser, old: str = PASSWORD, new: str = NEW_PASSWORD, again: str | None = None) -> object:
    return browser.post("/account/password", {"old": old, "new": new, "again": new if again is None else again})


def test_a_first_login_goes_by_second_factor_and_password_into_the_application(review: Review) -> None:
    account = make_account(review, EDITOR, factor=False, must_change_password=True, password_until=review.clock() + staff.timedelta(days=7))
    browser = give_password(review, account)
    assert browser.get("/").headers["location"] == "/review/account/second-factor"
    for path in ("/account", "/account/password", "/account/second-factor"):
        assert browser.get(path).status_code == 200, "nothing leads in a circle"
    secret = offered(browser)
    answer = browser.post("/account/second-factor", {"code": pyotp.TOTP(secret).at(review.clock())})
    assert answer.status_code == 200 and len(codes_in(answer.text)) == 10
    assert browser.get("/").headers["location"] == "/review/account/password"
    assert browser.get("/account/password").status_code == 200
    assert "Einmal-Passwort" in browser.get("/account/password").text
    assert change_password(browser).headers["location"] == "/review/?done=account_password"
    assert browser.get("/").headers["location"] == "/review/directory"
    assert account_of(review, account).password_until is None
    assert trail(review) == ["session.begin", "second_factor.set", "account.password"]


def test_the_password_may_come_before_the_second_factor_too(review: Review) -> None:
    browser = give_password(review, make_account(review, EDITOR, factor=False, must_change_password=True))
    assert change_password(browser).status_code == 303
    assert browser.get("/").headers["location"] == "/review/account/second-factor"


def test_logging_out_is_possible_before_either(review: Review) -> None:
    browser = give_password(review, make_account(review, EDITOR, factor=False, must_change_password=True))
    assert browser.post("/logout").headers["location"] == "/review/login?done=login_out"


def test_looking_at_the_set_up_page_changes_nothing(review: Review) -> None:
    account = make_account(review, factor=False)
    browser = give_password(review, account)
    assert offered(browser) == offered(browser)
    assert account_of(review, account).totp_secret is None
    page = browser.get("/account/second-factor").text
    assert "<svg" in page and 'role="img"' in page and "otpauth://totp/" in page and "Pflicht" not in page
    assert 'autocomplete="one-time-code"' in page and 'inputmode="numeric"' in page


@pytest.mark.parametrize("text", ["", "000000", "abc", "9" * 100_000, "\0"], ids=len)
def test_a_wrong_code_sets_up_nothing(review: Review, text: str) -> None:
    account = make_account(review, factor=False)
    browser = give_password(review, account)
    answer = browser.post("/account/second-factor", {"code": text})
    assert answer.status_code == 422 and 'href="#code"' in answer.text and 'aria-invalid="true"' in answer.text
    assert account_of(review, account).second_factor_at is None


def test_the_code_that_proved_the_app_does_not_log_in_again(review: Review) -> None:
    account = make_account(review, factor=False)
    browser = give_password(review, account)
    used = pyotp.TOTP(offered(browser)).at(review.clock())
    assert browser.post("/account/second-factor", {"code": used}).status_code == 200
    assert give_password(review, account).post("/second-factor", {"code": used}).status_code == 422


def test_setting_up_renews_the_session_and_ends_the_others(review: Review) -> None:
    account = make_account(review, factor=False)
    other, browser = give_password(review, account), give_password(review, account)
    before = token(browser)
    page = browser.post("/account/second-factor", {"code": pyotp.TOTP(offered(browser)).at(review.clock())})
    assert token(browser) != before
    assert other.get("/account").headers["location"].startswith("/review/login")
    assert f'value="{browser.csrf()}"' in page.text, "the forms of the page belong to the new session"
    assert browser.post("/logout").status_code == 303


def test_the_secret_is_stored_encrypted_and_the_emergency_codes_as_hashes(review: Review) -> None:
    account = make_account(review, factor=False)
    browser = give_password(review, account)
    secret = offered(browser)
    page = browser.post("/account/second-factor", {"code": pyotp.TOTP(secret).at(review.clock())}).text
    with review.session() as session:
        assert secret.encode() not in session.get(Staff, account.id).totp_secret
        kept = {row.code_hash for row in session.query(EmergencyCode)}
    assert len(kept) == 10 and not kept & set(codes_in(page))
    assert secret not in browser.get("/account/second-factor").text


def test_the_secret_of_another_session_is_not_taken(review: Review) -> None:
    account, other = make_account(review, factor=False), make_account(review, factor=False)
    secret = offered(give_password(review, other))
    browser = give_password(review, account)
    assert browser.post("/account/second-factor", {"code": pyotp.TOTP(secret).at(review.clock())}).status_code == 422


def test_a_new_phone_needs_the_password(review: Review) -> None:
    account = make_account(review)
    browser = sign_in(review, account)
    secret = offered(browser, "/account/second-factor/replace")
    right = pyotp.TOTP(secret).at(review.clock())
    assert browser.post("/account/second-factor", {"code": right}).status_code == 422
    assert browser.post("/account/second-factor", {"code": right, "password": "falsch"}).status_code == 422
    kept = account_of(review, account).totp_secret
    assert browser.post("/account/second-factor", {"code": right, "password": PASSWORD}).status_code == 200
    assert account_of(review, account).totp_secret != kept
    assert give_password(review, account).post("/second-factor", {"code": code(review)}).status_code == 422, "the old phone is out"


def test_new_emergency_codes_replace_the_old_ones(review: Review) -> None:
    account = make_account(review)
    browser = sign_in(review, account)
    assert browser.post("/account/second-factor/codes", {"codes_password": "falsch"}).status_code == 422
    first = codes_in(browser.post("/account/second-factor/codes", {"codes_password": PASSWORD}).text)
    second = codes_in(browser.post("/account/second-factor/codes", {"codes_password": PASSWORD}).text)
    assert len(set(first) | set(second)) == 20
    assert give_password(review, account).post("/second-factor", {"code": first[0]}).status_code == 422
    assert give_password(review, account).post("/second-factor", {"code": second[0]}).status_code == 303


def test_the_second_factor_can_be_turned_off_only_where_it_is_not_obligatory(review: Review, tmp_path: Path) -> None:
    browser = sign_in(review, make_account(review))
    assert browser.post("/account/second-factor/off", {"off_password": PASSWORD}).status_code == 404
    assert "/off" not in browser.get("/account/second-factor").text
    with open_review(tmp_path / "relaxed", second_factor=False) as relaxed:
        admin = sign_in(relaxed, make_account(relaxed, ADMIN, REVIEWER))
        assert admin.post("/account/second-factor/off", {"off_password": PASSWORD}).status_code == 404
        account = make_account(relaxed, REVIEWER)
        browser = sign_in(relaxed, account)
        assert browser.post("/account/second-factor/off", {"off_password": "falsch"}).status_code == 422
        assert browser.post("/account/second-factor/off", {"off_password": PASSWORD}).status_code == 303
        assert account_of(relaxed, account).second_factor_at is None
        assert browser.get("/account").status_code == 200
        assert browser.post("/account/second-factor/codes", {"codes_password": PASSWORD}).status_code == 404


def test_the_password_changes_and_all_other_sessions_end(review: Review) -> None:
    account = make_account(review)
    other, browser = sign_in(review, account), sign_in(review, account)
    before = token(browser)
    assert change_password(browser).headers["location"] == "/review/account?done=account_password"
    assert token(browser) != before
    assert browser.get("/account").status_code == 200
    assert other.get("/account").status_code == 303
    assert give_password(review, account).answer.status_code == 422
    assert give_password(review, account, NEW_PASSWORD).answer.status_code == 303


@pytest.mark.parametrize(
    ("old", "new", "again", "field", "words"),
    [
        ("falsch", NEW_PASSWORD, NEW_PASSWORD, "old", "Das Passwort stimmt nicht"),
        ("", NEW_PASSWORD, NEW_PASSWORD, "old", "Das Passwort stimmt nicht"),
        (PASSWORD, "kurz", "kurz", "new", "zu kurz"),
        (PASSWORD, "x" * 100_000, "x" * 100_000, "new", "zu lang"),
        (PASSWORD, "passwort12345", "passwort12345", "new", "leicht zu erraten"),
        (PASSWORD, "testperson2026", "testperson2026", "new", "Ihrem Namen"),
        (PASSWORD, NEW_PASSWORD, "etwas anderes!", "again", "verschieden"),
        (PASSWORD, PASSWORD, PASSWORD, "new", "ist das alte"),
    ],
    ids=lambda text: text[:12],
)
def test_a_password_that_does_not_do_is_explained(review: Review, old: str, new: str, again: str, field: str, words: str) -> None:
    account = make_account(review)
    browser = sign_in(review, account)
    answer = change_password(browser, old, new, again)
    assert answer.status_code == 422
    assert words in answer.text and f'href="#{field}"' in answer.text and f'aria-describedby="{field}' in answer.text
    assert f'value="{new}' not in answer.text, "a password is never sent back"
    assert give_password(review, account).answer.status_code == 303


def test_whoever_has_taken_over_a_session_cannot_try_passwords_for_ever(review: Review) -> None:
    account = make_account(review)
    browser = sign_in(review, account)
    for _ in range(10):
        assert change_password(browser, "falsch geraten!").status_code == 422
    assert change_password(browser).status_code == 422, "the limit of the device is used up"
    assert account_of(review, account).locked_until is None


def test_details_and_language_change(review: Review) -> None:
    account = make_account(review)
    browser = sign_in(review, account)
    answer = browser.post("/account", {"name": "  Olena \n K. ", "language": "en", "notify": "on"})
    assert answer.headers["location"] == "/review/account?done=account_saved"
    page = browser.get("/account?done=account_saved").text
    assert "Saved." in page and '<html lang="en">' in page and "No e-mails are sent at present" in page
    kept = account_of(review, account)
    assert (kept.name, kept.language, kept.notify) == ("Olena K.", "en", True)
    browser.post("/account", {"name": "Olena K.", "language": "de"})
    assert account_of(review, account).notify is False


@pytest.mark.parametrize(
    ("name", "language", "field"),
    [("", "de", "name"), ("\0 \n", "de", "name"), ("x" * 121, "de", "name"), ("Olena", "fr", "language"), ("Olena", "", "language")],
)
def test_bad_details_are_explained(review: Review, name: str, language: str, field: str) -> None:
    browser = sign_in(review, make_account(review))
    answer = browser.post("/account", {"name": name, "language": language})
    assert answer.status_code == 422 and f'href="#{field}"' in answer.text and f'id="{field}-problem"' in answer.text


def test_a_name_is_shown_as_text(review: Review) -> None:
    browser = sign_in(review, make_account(review))
    browser.post("/account", {"name": "<script>alert(1)</script>", "language": "de"})
    assert "<script>alert" not in browser.get("/account").text


def test_own_sessions_are_listed_and_ended(review: Review) -> None:
    account = make_account(review)
    firefox = review.browser()
    firefox.client.headers["user-agent"] = "Mozilla/5.0 (Windows NT 10.0; rv:128.0) Gecko/20100101 Firefox/128.0"
    sign_in(review, account, browser=firefox)
    browser = sign_in(review, account)
    page = browser.get("/account").text
    assert "Firefox, Windows" in page and "unbekanntes Gerät" in page and "diese Sitzung" in page
    public = re.findall(r'name="session" value="([0-9a-f]{16})"', page)
    assert len(public) == 1, "the own session is not offered"
    assert browser.post("/account/sessions/end", {"session": public[0]}).status_code == 303
    assert firefox.get("/account").status_code == 303
    assert browser.post("/account/sessions/end", {"session": public[0]}).status_code == 404


def test_all_others_end_at_once(review: Review) -> None:
    account = make_account(review)
    others = [sign_in(review, account) for _ in range(2)]
    browser = sign_in(review, account)
    assert browser.post("/account/sessions/end-others").status_code == 303
    assert [one.get("/account").status_code for one in others] == [303, 303]
    assert browser.get("/account").status_code == 200


@pytest.mark.parametrize("given", ["", "x", "0" * 16, "\0", "' OR 1=1 --", "9" * 50_000], ids=len)
def test_sessions_of_others_and_unknown_ones_are_not_ended(review: Review, given: str) -> None:
    victim = sign_in(review, make_account(review))
    browser = sign_in(review, make_account(review))
    assert browser.post("/account/sessions/end", {"session": given}).status_code == 404
    with review.session() as session:
        theirs = staff_sessions.opened(session, victim.staff_id)[0].public_id
    assert browser.post("/account/sessions/end", {"session": theirs}).status_code == 404
    assert victim.get("/account").status_code == 200


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize("csrf", ["", "0" * 32])
def test_every_form_needs_the_word_of_its_session(review: Review, path: str, csrf: str) -> None:
    other = sign_in(review, make_account(review))
    browser = sign_in(review, make_account(review))
    assert browser.post(path, CHANGES[path], csrf=csrf).status_code == 403
    assert browser.post(path, CHANGES[path], csrf=other.csrf()).status_code == 403


@pytest.mark.parametrize("path", CHANGES)
def test_without_a_session_nothing_changes(review: Review, path: str) -> None:
    assert review.browser().post(path, CHANGES[path]).status_code == 401


def test_a_disabled_account_is_out_at_once(review: Review) -> None:
    account = make_account(review)
    browser = sign_in(review, account)
    with review.session() as session:
        session.get(Staff, account.id).disabled_at = review.clock()
    assert browser.get("/account").status_code == 303


def test_the_pages_are_in_english_too(relaxed: Review) -> None:
    browser = sign_in(relaxed, make_account(relaxed, language="en"))
    assert "Change password" in text_of(browser.get("/account/password").text)
    assert "Emergency codes still valid: 0 of 10." in text_of(browser.get("/account/second-factor").text)
    assert "Set up a new phone" in text_of(browser.get("/account/second-factor/replace").text)
    assert SECRET not in browser.get("/account/second-factor/replace").text
