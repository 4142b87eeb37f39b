"""What a person writes into the call-back form: made clean, checked, and kept as written where something is wrong."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import PhoneNumberType

from bot.gateway.body import BIDI_CONTROLS
from bot.languages import SPOKEN_LANGUAGES
from bot.transcripts.callbacks import AFTERNOON, ANY_TIME, EVENING, MORNING, Contact

NAME_LIMIT, PHONE_LIMIT, EMAIL_LIMIT, TIME_LIMIT, TOPIC_LIMIT = 80, 40, 254, 80, 500
LIMITS = {"name": NAME_LIMIT, "phone": PHONE_LIMIT, "email": EMAIL_LIMIT, "time_note": TIME_LIMIT, "topic": TOPIC_LIMIT}
# When a person wants to be called, and how the form says it.
TIMES = {
    ANY_TIME: "callback.when.any",
    MORNING: "callback.when.morning",
    AFTERNOON: "callback.when.afternoon",
    EVENING: "callback.when.evening",
}
# A field that people do not see; programs fill it in.
TRAP = "website"
_PHONE = re.compile(r"\+?[\d\s()/.–-]+")
# Numbers of persons. Others cost the office money, or belong to somebody else.
_CALLABLE = frozenset({PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE, PhoneNumberType.VOIP})
_NO_COUNTRY = "001"  # satellites and services that belong to no country


@dataclass(frozen=True)
class Form:
    """The form as it was sent.

    Attributes:
        values: what the fields hold, cleaned.
        problems: for each field with a mistake the key of the text that says so, and its values.
    """

    values: Mapping[str, str]
    consent: bool = False
    problems: Mapping[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)

    @property
    def contact(self) -> Contact:
        """What is kept; only of a form without mistakes."""
        assert not self.problems
        given = {name: self.values[name] for name in ("name", "time", "time_note", "topic")}
        return Contact(**given, phone=phone_number(self.values["phone"]) or "", email=email_address(self.values["email"]) or "")


def empty(language: str) -> Form:
    """Return the form before anything is written."""
    return Form({**dict.fromkeys(LIMITS, ""), "language": language, "time": ANY_TIME})


def filled(given: Mapping[str, Any], language: str) -> Form:
    """Return what was sent, with its mistakes.

    Args:
        given: the fields.
        language: the language of the call if the form names none that there is.
    """
    values = {name: clean(given.get(name), lines=name == "topic") for name in LIMITS}
    values["language"] = _one_of(given.get("language"), SPOKEN_LANGUAGES, language)
    values["time"] = _one_of(given.get("time"), tuple(TIMES), ANY_TIME)
    consent = given.get("consent") == "yes"
    return Form(values, consent, {**_problems(values), **({} if consent else {"consent": ("callback.error.consent", {})})})


def clean(value: Any, *, lines: bool = False) -> str:
    """Return a text without control characters and bidi overrides; in one line unless ``lines``."""
    if not isinstance(value, str):
        return ""
    value = unicodedata.normalize("NFC", BIDI_CONTROLS.sub("", value.replace("\r\n", "\n").replace("\r", "\n")))
    value = value if lines else " ".join(value.split())
    return "".join(one for one in value if one == "\n" or unicodedata.category(one) not in ("Cc", "Cs", "Co", "Zl", "Zp")).strip()


def phone_number(value: str) -> str | None:
    """Return a number that can be called as E.164, None if it is none. Without country code it is German."""
    # Copied numbers carry direction marks.
    bare = "".join(one for one in value if unicodedata.category(one) != "Cf")
    if not _PHONE.fullmatch(bare):
        return None
    try:
        number = phonenumbers.parse(bare, "DE")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or phonenumbers.region_code_for_number(number) == _NO_COUNTRY:
        return None
    if phonenumbers.number_type(number) not in _CALLABLE:
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def email_address(value: str) -> str | None:
    """Return an address in its normal form, None if it is none. Nobody is asked whether it exists."""
    bare = "".join(one for one in value if unicodedata.category(one) != "Cf")
    try:
        return validate_email(bare, check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def _problems(values: Mapping[str, str]) -> dict[str, tuple[str, dict[str, Any]]]:
    found: dict[str, tuple[str, dict[str, Any]]] = {
        name: ("callback.error.too_long", {"limit": limit}) for name, limit in LIMITS.items() if len(values[name]) > limit
    }
    if not values["phone"] and not values["email"]:
        found["phone"] = ("callback.error.contact", {})
    for name, check, problem in (("phone", phone_number, "callback.error.phone"), ("email", email_address, "callback.error.email")):
        if values[name] and name not in found and check(values[name]) is None:
            found[name] = (problem, {})
    return {name: found[name] for name in LIMITS if name in found}


def _one_of(value: Any, known: tuple[str, ...], default: str) -> str:
    return value if value in known else default
