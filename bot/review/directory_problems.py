"""What the importer finds wrong, in words of the review: German or English, for the person in front of the form.

The importer speaks English to whoever keeps a table. Its reasons are recognised here one by one; a test holds every wrong
cell that it knows against this list, so that a new reason does not reach an editor untranslated.
"""

from __future__ import annotations

import re

from actions.directory.office_rows import Problem
from bot.review import texts
from bot.review.names import state_name

# The value in question is quoted by repr(): in single quotes, or in double ones if it holds a single one.
_VALUE = r"(?P<q>['\"])(?P<value>.*)(?P=q)"
_REASONS: tuple[tuple[str, str], ...] = (
    (r"is missing", "missing"),
    (r"must be at most 80 small letters", "id"),
    (rf"{_VALUE} is unknown; allowed: ", "choice"),
    (r"is not a date like", "date"),
    (rf"{_VALUE}: write only digits", "phone_characters"),
    (rf"{_VALUE} is not a phone number", "phone"),
    (rf"{_VALUE} cannot be a phone number", "phone_impossible"),
    (r"is not an e-mail address", "email"),
    (r"is longer than (?P<limit>\d+) characters", "too_long"),
    (rf"{_VALUE} is not a web address", "url"),
    (r"must not hold a user name", "url_password"),
    (rf"{_VALUE} is not an ISO 639 code", "language"),
    (rf"{_VALUE} is not a language that is known", "language"),
    (r"write '(?P<better>.*)' instead of '(?P<value>.*)'", "language_alias"),
    (r"must be like 'Mo-Fr", "hours"),
    (r"holds no hours", "hours"),
    (r"(?P<span>[\d:]+-[\d:]+): the end must lie after", "hours_order"),
    (r"has minutes above 59", "hours_minutes"),
    (rf"{_VALUE} is not DE, a state", "coverage"),
    (rf"{_VALUE} is not the name of a district", "district"),
    (rf"{_VALUE} may be several districts: (?P<options>.*)", "district_several"),
    (r"a profession has more than (?P<limit>\d+)", "too_long"),
    (rf"{_VALUE}: a field is written like", "field"),
    (rf"{_VALUE} is not in the list of professions", "profession_unknown"),
    (r"must be true or false", "truth"),
    (r"must have five digits", "postcode"),
    (r"lies before valid_from", "valid_order"),
    (r"lies in the future", "future"),
    (r"must be false if confidence is low", "low_confirmed"),
    (r"is not in the list of towns", "city_unknown"),
    (r"no town of this name lies in (?P<state>\S+)", "city_state"),
    (r"no place in Germany has this postcode", "postcode_unknown"),
    (r"belongs to (?P<district>.+) in (?P<state>\S+), not to (?P<other>\S+)", "postcode_state"),
    (r"belongs to (?P<district>.+), which is not near (?P<city>.+)", "postcode_city"),
    (r"contains a line break, a control character or an invisible character \((?P<code>.+)\)", "hidden"),
    (r"contains HTML", "html"),
    (r"begins like a spreadsheet formula", "formula"),
    (r"has (?P<count>\d+) characters; at most (?P<limit>\d+)", "too_long_by"),
    (r"the row has (?P<count>\d+) cells instead of (?P<wanted>\d+)", "cells"),
    (r"stands in line (?P<line>\d+) already", "twice"),
)
_TABLE: tuple[tuple[str, str], ...] = (
    (r".* is empty\.", "empty"),
    (r".* is an old Excel file", "old_excel"),
    (r".* has a header but no rows", "no_rows"),
    (r"The first line of .* is not the header of an office table \((?P<details>.*)\)", "header"),
    (r".* is not UTF-8 \(line (?P<line>\d+)\)", "not_utf8"),
    (r".* is not a text file", "not_text"),
    (r".*, record from line (?P<line>\d+): ", "quotation"),
    (r".* is too large when unpacked", "too_large"),
    (r".* has \d+ MB", "too_large"),
    (r".* has more than (?P<limit>\d+) rows", "too_many"),
    (r".* (cannot be read as an XLSX file|has no sheet)", "broken_xlsx"),
)


def reason_key(reason: str) -> tuple[str, dict[str, str]] | None:
    """Return the word and the values for a reason of the importer; none if it is not known here."""
    return _recognised(reason, _REASONS)


def problem_text(problem: Problem, language: str) -> str:
    """Return what is wrong with a field."""
    known = reason_key(problem.reason)
    if known is None:
        return texts.text("directory.problem.other", language, reason=problem.reason)
    word, values = known
    if word in ("date", "missing") and texts.has(f"directory.problem.{word}.{problem.column}"):
        word = f"{word}.{problem.column}"
    values = {name: state_name(value) if name in ("state", "other") else value for name, value in values.items()}
    return texts.text(f"directory.problem.{word}", language, **values)


def table_text(message: str, language: str) -> str:
    """Return why a file cannot be read as an office table."""
    word, values = _recognised(message, _TABLE) or ("other", {})
    return texts.text(f"directory.table.{word}", language, **values)


def by_field(problems: list[Problem], language: str) -> dict[str, list[str]]:
    """Return the messages by column, in the order in which they were found."""
    found: dict[str, list[str]] = {}
    for problem in problems:
        text = problem_text(problem, language)
        if text not in found.setdefault(problem.column, []):
            found[problem.column].append(text)
    return found


def _recognised(reason: str, known: tuple[tuple[str, str], ...]) -> tuple[str, dict[str, str]] | None:
    for pattern, word in known:
        matched = re.match(pattern, reason, re.DOTALL)
        if matched:
            return word, {name: value for name, value in matched.groupdict().items() if name != "q" and value is not None}
    return None
