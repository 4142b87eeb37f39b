"""The administration of the accounts, and attempts to get at it without the right."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bot.transcripts import audit, staff
from bot.transcripts.staff_models import ADMIN, COORDINATOR, EDITOR, REVIEWER, SavedFilter, Staff
from tests.review.accounts import (
    NEW_PASSWORD,
    PASSWORD,
    Known,
    account_of,
    give_password,
    make_account,
    sign_in,
    trail,
)
from tests.review.support import Browser, Review

FORM = {"name": "Olena K.", "email": "olena@example.org", "language": "de", "roles": [REVIEWER], "regions": "all"}
DEEDS = ("disable", "enable", "unlock", "end-sessions", "reset-second-factor", "reset-password", "delete")


@pytest.fixture
def admin(review: Review) -> Browser:
    return review.log_in(ADMIN, name="Ada Admin", email="ada@example.org")


def form(**changes: Any) -> dict[str, Any]:
    return {**FORM, **changes}


def password_in(html: str) -> str:
    found = re.search(r'<code class="secret large">([a-z2-9-]+)</code>', html)
    assert found
    return found[1]


def find(review: Review, email: str) -> staff.Account | None:
    with review.session() as session:
        return staff.by_email(session, email)


def test_a_new_account_gets_a_one_time_password_that_must_be_changed(review: Review, admin: Browser) -> None:
    page = admin.post("/staff/new", form(regions="some", states=["DE-NW", "DE-BY"]))
    assert page.status_code == 200
    made = find(review, "olena@example.org")
    assert made and made.states == ("DE-BY", "DE-NW") and made.must_change_password
    password = password_in(page.text)
    assert password not in admin.get("/staff").text and password not in admin.get(f"/staff/{made.id}").text
    browser = give_password(review, Known(made.id, made.email), password)
    assert browser.get("/conversations").headers["location"] == "/review/account/second-factor"
    assert browser.post("/account/password", {"old": password, "new": NEW_PASSWORD, "again": NEW_PASSWORD}).status_code == 303
    assert not account_of(review, Known(made.id, made.email)).must_change_password


def test_a_one_time_password_ends_after_a_week(review: Review, admin: Browser) -> None:
    password = password_in(admin.post("/staff/new", form()).text)
    review.clock.forward(days=7)
    made = find(review, "olena@example.org")
    assert made
    assert give_password(review, Known(made.id, made.email), password).answer.status_code == 422
    assert "Einmal-Passwort abgelaufen" in sign_in(review, make_account(review, ADMIN)).get("/staff").text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 500}, "name"),
        ({"email": ""}, "email"),
        ({"email": "olena"}, "email"),
        ({"email": "x" * 100_000}, "email"),
        ({"email": "a@b\r\nBcc: c@d"}, "email"),
        ({"email": "ada@example.org"}, "email"),
        ({"email": " ADA@Example.org "}, "email"),
        ({"roles": []}, "roles"),
        ({"roles": ["superuser"]}, "roles"),
        ({"roles": [REVIEWER, "superuser"]}, "roles"),
        ({"language": "fr"}, "language"),
        ({"regions": "some"}, "regions"),
        ({"regions": "some", "states": ["DE-XX"]}, "regions"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_bad_form_is_explained_and_makes_no_account(review: Review, admin: Browser, changes: dict[str, Any], field: str) -> None:
    answer = admin.post("/staff/new", form(**changes))
    assert answer.status_code == 422 and f'href="#{field}"' in answer.text and f'id="{field}-problem"' in answer.text
    with review.session() as session:
        assert session.query(Staff).count() == 1


def test_a_form_that_no_page_sends_is_refused(admin: Browser) -> None:
    assert admin.post("/staff/new", form(regions="none")).status_code == 400


def test_names_are_shown_as_text(review: Review, admin: Browser) -> None:
    page = admin.post("/staff/new", form(name="<img src=x onerror=alert(1)>")).text
    made = find(review, "olena@example.org")
    assert made
    for html in (page, admin.get("/staff").text, admin.get(f"/staff/{made.id}").text, admin.get("/audit").text):
        assert "<img src=x" not in html and "&lt;img src=x" in html


def test_the_list_shows_everybody_with_what_matters(review: Review, admin: Browser) -> None:
    make_account(review, REVIEWER, name="Boris", states=["DE-NW"], factor=False)
    make_account(review, EDITOR, name="Carla", disabled_at=review.clock())
    make_account(review, EDITOR, name="Dora", locked_until=review.clock() + staff.timedelta(minutes=5))
    page = admin.get("/staff").text
    assert page.index("Ada Admin") < page.index("Boris") < page.index("Dora") < page.index("Carla")
    assert "Nordrhein-Westfalen" in page and "gesperrt" in page and "zu viele Versuche" in page and 'scope="col"' in page


def test_changed_rights_end_the_sessions_and_changed_names_do_not(review: Review, admin: Browser) -> None:
    account = make_account(review, REVIEWER)
    browser = sign_in(review, account)
    same = form(name="Neuer Name", email=account.email)
    assert admin.post(f"/staff/{account.id}", same).headers["location"] == f"/review/staff/{account.id}?done=staff_saved"
    assert browser.get("/account").status_code == 200
    assert admin.post(f"/staff/{account.id}", {**same, "roles": [EDITOR]}).status_code == 303
    assert browser.get("/account").status_code == 303
    browser = sign_in(review, account)
    admin.post(f"/staff/{account.id}", {**same, "roles": [EDITOR], "regions": "some", "states": ["DE-BE"]})
    assert browser.get("/account").status_code == 303
    with review.session() as session:
        newest = audit.entries(session, action="staff.change")[0]
    assert newest.details["states"] == ["DE-BE"] and newest.details["states_before"] == [] and newest.staff_name == "Ada Admin"


def test_a_login_name_that_is_taken_cannot_be_given_twice(review: Review, admin: Browser) -> None:
    account = make_account(review)
    answer = admin.post(f"/staff/{account.id}", form(email="ada@example.org"))
    assert answer.status_code == 422 and "schon ein Konto" in answer.text
    assert account_of(review, account).name == "Test Person"


def test_disabling_ends_the_sessions_and_can_be_undone(review: Review, admin: Browser) -> None:
    account = make_account(review)
    browser = sign_in(review, account)
    assert admin.post(f"/staff/{account.id}/disable").status_code == 303
    assert browser.get("/account").status_code == 303
    assert give_password(review, account).answer.status_code == 422
    assert "wieder öffnen" in admin.get(f"/staff/{account.id}").text
    assert admin.post(f"/staff/{account.id}/enable").status_code == 303
    sign_in(review, account)


def test_only_a_disabled_account_is_deleted_and_its_name_stays_in_the_trail(review: Review, admin: Browser) -> None:
    account = make_account(review, name="Erika Muster")
    browser = sign_in(review, account)
    with review.session() as session:
        session.add(SavedFilter(staff_id=account.id, name="x", query="y"))
    assert admin.post(f"/staff/{account.id}/delete").status_code == 422
    admin.post(f"/staff/{account.id}/disable")
    assert admin.post(f"/staff/{account.id}/delete").headers["location"] == "/review/staff?done=staff_deleted"
    assert admin.get(f"/staff/{account.id}").status_code == 404
    assert browser.get("/account").status_code == 303
    assert "Erika Muster" in admin.get("/audit").text
    with review.session() as session:
        assert [one.action for one in audit.entries(session, staff_name="Erika Muster")] == ["session.begin"]
        later = staff.create(session, email="n@example.org", name="N", password_hash="-", roles=[EDITOR], now=review.clock())
    assert later.id > account.id, "the number of a deleted account never comes back"


def test_an_admin_resets_the_second_factor(review: Review, admin: Browser) -> None:
    account = make_account(review)
    browser = sign_in(review, account)
    assert admin.post(f"/staff/{account.id}/reset-second-factor").status_code == 303
    assert account_of(review, account).second_factor_at is None
    assert browser.get("/account").status_code == 303
    assert give_password(review, account).get("/").headers["location"] == "/review/account/second-factor"


def test_an_admin_resets_the_password_and_opens_a_closed_account(review: Review, admin: Browser) -> None:
    account = make_account(review)
    browser = sign_in(review, account)
    for _ in range(5):
        give_password(review, account, "falsch")
    password = password_in(admin.post(f"/staff/{account.id}/reset-password").text)
    assert browser.get("/account").status_code == 303
    assert give_password(review, account).answer.status_code == 422
    assert give_password(review, account, password).answer.status_code == 303


def test_an_admin_opens_a_closed_account(review: Review, admin: Browser) -> None:
    account = make_account(review)
    for _ in range(5):
        give_password(review, account, "falsch")
    assert "Wieder Versuche erlauben" in admin.get(f"/staff/{account.id}").text
    admin.post(f"/staff/{account.id}/unlock")
    assert give_password(review, account).answer.status_code == 303


def test_an_admin_ends_sessions(review: Review, admin: Browser) -> None:
    account = make_account(review)
    browser = sign_in(review, account)
    admin.post(f"/staff/{account.id}/end-sessions")
    assert browser.get("/account").status_code == 303
    admin.post(f"/staff/{admin.staff_id}/end-sessions")
    assert admin.get("/staff").status_code == 200, "the own session in use stays"


@pytest.mark.parametrize("deed", ["disable", "reset-second-factor", "reset-password"])
def test_an_admin_does_not_shut_themselves_out(review: Review, admin: Browser, deed: str) -> None:
    answer = admin.post(f"/staff/{admin.staff_id}/{deed}")
    assert answer.status_code == 422 and "nicht mit dem eigenen Konto" in answer.text
    assert admin.get("/staff").status_code == 200


def test_an_admin_does_not_take_away_their_own_right_but_may_get_more(review: Review, admin: Browser) -> None:
    own = form(email="ada@example.org", name="Ada Admin")
    answer = admin.post(f"/staff/{admin.staff_id}", {**own, "roles": [EDITOR]})
    assert answer.status_code == 422 and 'href="#roles"' in answer.text
    assert admin.post(f"/staff/{admin.staff_id}", {**own, "roles": [EDITOR, ADMIN]}).status_code == 303
    assert admin.get("/staff").status_code == 200


def test_the_last_admin_can_neither_be_disabled_nor_demoted(review: Review, admin: Browser) -> None:
    make_account(review, ADMIN, disabled_at=review.clock())
    with pytest.raises(staff.LastAdmin), review.session() as session:
        staff.disable(session, admin.staff_id, review.clock())
    with pytest.raises(staff.LastAdmin), review.session() as session:
        staff.change(session, admin.staff_id, email="ada@example.org", name="Ada", language="de", roles=[EDITOR], states=[])
    kept = account_of(review, Known(admin.staff_id, ""))
    assert kept.disabled_at is None and kept.roles == (ADMIN,)


@pytest.mark.parametrize(
    "key", ["0", "999999", "9" * 30, "9" * 5000, "-1", "1.0", "x", "%00", "1%20OR%201=1", "²"], ids=lambda key: key[:12]
)
@pytest.mark.parametrize("deed", ["", *(f"/{deed}" for deed in DEEDS)])
def test_accounts_that_do_not_exist_are_not_found(admin: Browser, key: str, deed: str) -> None:
    assert admin.post(f"/staff/{key}{deed}", FORM).status_code == 404
    if not deed:
        assert admin.get(f"/staff/{key}").status_code == 404


@pytest.mark.parametrize("roles", [(REVIEWER,), (EDITOR,), (COORDINATOR,), (REVIEWER, EDITOR, COORDINATOR)], ids="-".join)
def test_nobody_else_gets_in(review: Review, roles: tuple[str, ...]) -> None:
    browser = review.log_in(*roles)
    victim = make_account(review, REVIEWER)
    assert [browser.get(path).status_code for path in ("/staff", "/staff/new", f"/staff/{victim.id}")] == [403] * 3
    assert browser.post("/staff/new", form(roles=[ADMIN])).status_code == 403
    assert browser.post(f"/staff/{browser.staff_id}", form(roles=[ADMIN])).status_code == 403
    assert [browser.post(f"/staff/{victim.id}/{deed}").status_code for deed in DEEDS] == [403] * len(DEEDS)
    assert trail(review) == []
    assert "/staff" not in browser.get("/account").text


def test_an_editor_cannot_slip_in_a_role_with_the_own_details(review: Review) -> None:
    browser = review.log_in(EDITOR)
    browser.post("/account", {"name": "Eve", "language": "de", "roles": [ADMIN], "states": "", "id": "1", "email": "x@example.org"})
    assert account_of(review, Known(browser.staff_id, "")).roles == (EDITOR,)


def test_an_admin_without_a_second_factor_or_with_a_one_time_password_changes_nothing(review: Review) -> None:
    victim = make_account(review)
    for more in ({"totp_confirmed_at": None}, {"must_change_password": True}):
        browser = review.log_in(ADMIN, **more)
        answer = browser.post(f"/staff/{victim.id}/disable")
        assert answer.status_code == 303 and answer.headers["location"].startswith("/review/account/")
        assert account_of(review, victim).disabled_at is None


@pytest.mark.parametrize("path", ["/staff/new", "/staff/{id}", *(f"/staff/{{id}}/{deed}" for deed in DEEDS)])
def test_every_form_needs_the_word_of_its_session(review: Review, admin: Browser, path: str) -> None:
    victim = make_account(review)
    address = path.format(id=victim.id)
    assert admin.post(address, FORM, csrf="").status_code == 403
    assert admin.post(address, FORM, headers={"origin": "https://evil.example"}).status_code == 403
    assert review.browser().post(address, FORM).status_code == 401
    assert admin.get(address).status_code in (200, 405), "no address changes anything by being opened"
    assert trail(review) == []


def test_every_change_stands_in_the_trail(review: Review, admin: Browser) -> None:
    admin.post("/staff/new", form())
    made = find(review, "olena@example.org")
    assert made
    admin.post(f"/staff/{made.id}", form(name="Olena"))
    for deed in ("end-sessions", "unlock", "reset-second-factor", "reset-password", "disable", "enable", "disable", "delete"):
        assert admin.post(f"/staff/{made.id}/{deed}").status_code < 400, deed
    assert trail(review) == [
        "staff.create",
        "staff.change",
        "staff.end_sessions",
        "staff.unlock",
        "staff.reset_second_factor",
        "staff.reset_password",
        "staff.disable",
        "staff.enable",
        "staff.disable",
        "staff.delete",
    ]


def test_no_page_shows_a_hash_or_a_secret(review: Review, admin: Browser) -> None:
    account = make_account(review)
    for path in ("/staff", f"/staff/{account.id}", "/audit"):
        page = admin.get(path).text
        assert "argon2" not in page and PASSWORD not in page


def test_the_pages_are_in_english_too(review: Review) -> None:
    browser = review.log_in(ADMIN, language="en")
    assert "New account" in browser.get("/staff").text
    assert "only these states" in browser.get("/staff/new").text
    assert "Log in at" not in browser.post("/staff/new", form()).text
