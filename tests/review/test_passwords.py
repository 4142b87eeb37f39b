"""Passwords: which are allowed, how they are kept; and the arithmetic of the second factor."""

from __future__ import annotations

import pyotp
import pytest
from argon2 import PasswordHasher

from bot.review import passwords, totp
from tests.review.accounts import SECRET
from tests.review.support import NOW


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("vier worte ohne sinn", None),
        ("Fünf Kühe im Regen!", None),
        ("密码很长很长很长很长很长很好", None),
        ("short", "short"),
        ("a" * 1001, "long"),
        ("aaaaaaaaaaaaaaaa", "common"),
        ("123456789012", "common"),
        ("abcdefghijklm", "common"),
        ("mlkjihgfedcba", "common"),
        ("passwort123456", "common"),
        ("!!Passwort2026!!", "common"),
        ("passwortpasswort", "common"),
        ("erika@example.org", "personal"),
        ("xx-erika@example.org-xx", "personal"),
        ("erika.muster2026", "personal"),
        ("ErikaMuster1234", "personal"),
        ("erikaerikaerika", "personal"),
    ],
)
def test_what_is_long_and_hard_to_guess_is_allowed(password: str, problem: str | None) -> None:
    email = "erika@example.org" if "@" in password or "erikaerika" in password else "erika.muster@example.org"
    assert passwords.problem(password, email, "Erika Muster") == problem


def test_every_one_time_password_is_allowed_and_another_one() -> None:
    made = {passwords.one_time() for _ in range(50)}
    assert len(made) == 50
    assert all(passwords.problem(one, "a@example.org", "A") is None for one in made)


def test_a_hash_is_argon2id_and_fits_only_its_password() -> None:
    kept = passwords.hashed("vier worte ohne sinn")
    assert kept.startswith("$argon2id$")
    assert passwords.verify("vier worte ohne sinn", kept)
    assert not passwords.verify("vier Worte ohne Sinn", kept)
    assert not passwords.verify("", kept)


def test_composed_and_decomposed_umlauts_are_the_same_password() -> None:
    assert passwords.verify("fu\u0308nf ku\u0308he im regen", passwords.hashed("f\u00fcnf k\u00fche im regen"))


@pytest.mark.parametrize("kept", [None, "-", "", "$argon2id$broken", "$2b$12$abcdefghijklmnopqrstuv"])
def test_no_password_fits_what_is_no_hash(kept: str | None) -> None:
    assert not passwords.verify("vier worte ohne sinn", kept)


def test_very_long_passwords_and_zero_bytes_do_no_harm() -> None:
    kept = passwords.hashed("vier\0worte ohne sinn")
    assert passwords.verify("vier\0worte ohne sinn", kept)
    assert not passwords.verify("vier", kept)
    assert not passwords.verify("x" * 100_000, kept)
    # Not even if the hash of nothing were kept: too long is computed as "" and never fits.
    assert not passwords.verify("x" * 100_000, passwords.hashed(""))


def test_a_hash_with_other_parameters_is_made_anew() -> None:
    assert passwords.needs_rehash(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("x"))
    assert not passwords.needs_rehash(passwords.hashed("x"))


def test_the_list_of_common_passwords_is_there() -> None:
    assert len(passwords.COMMON.read_text(encoding="utf-8").split()) >= 200


def test_the_codes_of_the_step_before_and_after_fit_but_no_older_ones() -> None:
    app, now = pyotp.TOTP(SECRET), int(NOW.timestamp())
    for seconds, fits in ((-60, False), (-30, True), (0, True), (30, True), (60, False)):
        assert (totp.matching_step(SECRET, app.at(now + seconds), NOW, None) is not None) is fits, seconds


def test_a_code_may_have_spaces_and_digits_of_any_script() -> None:
    app = pyotp.TOTP(SECRET).at(int(NOW.timestamp()))
    assert totp.matching_step(SECRET, f" {app[:3]} {app[3:]} ", NOW, None)
    assert totp.matching_step(SECRET, app.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")), NOW, None)


@pytest.mark.parametrize("text", ["", "0", "abcdef", "１２", "²²²²²²", "\0" * 6, "9" * 10_000, "🙂" * 6], ids=len)
def test_what_is_no_code_does_not_fit(text: str) -> None:
    assert totp.matching_step(SECRET, text, NOW, None) is None


def test_secrets_are_sealed_and_open_only_with_their_key() -> None:
    sealed = totp.sealed(SECRET, b"k" * 32)
    assert SECRET.encode() not in sealed
    assert totp.opened(sealed, b"k" * 32) == SECRET
    assert totp.opened(sealed, b"x" * 32) is None
    assert totp.opened(b"-", b"k" * 32) is None
    assert totp.opened(None, b"k" * 32) is None


def test_the_offered_secret_belongs_to_one_session() -> None:
    assert totp.offered_secret(b"k" * 32, "a" * 64) != totp.offered_secret(b"k" * 32, "b" * 64)
    assert totp.offered_secret(b"k" * 32, "a" * 64) != totp.offered_secret(b"x" * 32, "a" * 64)
    assert len(totp.offered_secret(b"k" * 32, "a" * 64)) == 32


def test_the_qr_code_is_black_on_white_and_holds_no_text() -> None:
    svg = totp.qr_code(totp.address(SECRET, '"><script>@example.org'))
    assert "#fff" in svg and "#000" in svg
    assert "script" not in svg and SECRET not in svg and "style=" not in svg


def test_emergency_codes_are_ten_different_ones_and_forgive_how_they_are_typed() -> None:
    codes = totp.new_emergency_codes()
    assert len(set(codes)) == 10
    assert totp.emergency_hash(codes[0]) == totp.emergency_hash(f" {codes[0].upper().replace('-', ' ')} ")
