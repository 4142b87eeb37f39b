"""The emergency lexicon: words of danger in all languages, and the harmless readings that switch them off.

``data/lookups/emergency/<language>.csv`` holds the patterns; ``docs/training-data.md`` tells how to write them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from actions.directory.text import fold, tokenize, without_umlauts
from bot.languages import LANGUAGES
from bot.nlu.language import function_words, latin_words, script_of
from bot.nlu.lookups import DATA, TableError, read_table

_POLITENESS = re.compile(
    r"^(?:(?:hallo|hi|hey|hello|guten (?:tag|morgen|abend)|good (?:morning|evening|day)|bitte|please|moin|servus)\b[\s,.!]*)+"
    r"|(?:[\s,.!]*\b(?:danke|vielen dank|bitte|please|thanks|thank you|mfg)\b[\s.!]*)+$"
)
DANGERS = ("violence", "trafficking", "confinement", "suicide", "medical", "threat", "child")


@dataclass(frozen=True)
class EmergencyRule:
    """One row of the emergency lexicon: a pattern on folded text, and the harmless readings that switch it off."""

    danger: str
    language: str
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None
    # Whether the pattern has letters of another script only: such a rule is skipped for texts that have none.
    other_script: bool


@lru_cache(maxsize=1)
def emergency_rules() -> tuple[EmergencyRule, ...]:
    """Return the emergency lexicon (``data/lookups/emergency/<language>.csv``), in the order of the languages."""
    rules = []
    for language in LANGUAGES:
        path = DATA / "lookups" / "emergency" / f"{language}.csv"
        if not path.exists():
            continue
        for line, row in read_table(path, ("kind", "pattern", "unless", "note")):
            if row["kind"] not in DANGERS:
                raise TableError(f"{path}:{line}: the kind {row['kind']!r} is not valid.")
            try:
                pattern = re.compile(row["pattern"])
                unless = re.compile(row["unless"]) if row["unless"] else None
            except re.error as error:
                raise TableError(f"{path}:{line}: the pattern is not valid: {error}") from error
            rules.append(EmergencyRule(row["kind"], language, pattern, unless, _is_of_other_script(row["pattern"])))
    return tuple(rules)


def _is_of_other_script(pattern: str) -> bool:
    letters = [c for c in re.sub(r"\\.", "", pattern) if c.isalpha()]
    return bool(letters) and not any(c.isascii() for c in letters)


def _is_of_other_language(text: str, language: str) -> bool:
    """Return whether the little words of a message are rather those of another language than that of a rule.

    Lexicons hold German loan words ("Notarzt"); in a German sentence the German rules alone know what is harmless.
    """
    words = [token.folded for token in tokenize(text)]
    counts = {one: sum(1 for w in words if w in function_words(one) or w in latin_words(one)) for one in LANGUAGES}
    own = counts.pop(language)
    most = max(counts.values())
    return most >= 3 and most > own


def danger_in(text: str) -> str | None:
    """Return the kind of danger that the emergency lexicon finds in ``text`` (one of ``DANGERS``), or None.

    The text is searched as German folds it (ö as oe); by the rules of the other languages also as one types it there
    without marks (ö as o).
    """
    folded = fold(text)
    latin = script_of(text) == "latin"
    for form in dict.fromkeys((folded, fold(without_umlauts(text)))):
        # Some rows hold only for a message that says nothing else; a greeting around it is nothing else.
        bare = _POLITENESS.sub("", form).strip(" .,!?;:-")
        plain = form.isascii()
        for rule in emergency_rules():
            if (plain and rule.other_script) or (form != folded and rule.language == "de"):
                continue
            found = rule.pattern.search(form) or (bare != form and rule.pattern.search(bare))
            if not found or (rule.unless and rule.unless.search(form)):
                continue
            if not (latin and _is_of_other_language(text, rule.language)):
                return rule.danger
    return None
