"""The emergency lexicon: words of danger in all languages, and the harmless readings that switch them off.

``data/lookups/emergency/<language>.csv`` holds the patterns; ``docs/training-data.md`` tells how to write them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from actions.directory.text import fold, tokenize, without_umlauts
from bot.languages import LANGUAGES
from bot.nlu.language import Detected, detect, function_words
from bot.nlu.lookups import DATA, TableError, read_table

_POLITENESS = re.compile(
    r"^(?:(?:hallo|hi|hey|hello|guten (?:tag|morgen|abend)|good (?:morning|evening|day)|bitte|please|moin|servus)\b[\s,.!]*)+"
    r"|(?:[\s,.!]*\b(?:danke|vielen dank|bitte|please|thanks|thank you|mfg)\b[\s.!]*)+$"
)
DANGERS = ("violence", "trafficking", "confinement", "suicide", "medical", "threat", "child")

# From so many words and such a confidence on, a sentence is clear enough to leave single words to its own lexicon.
CLEAR_WORDS, CLEAR_CONFIDENCE = 4, 0.9


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


def danger_in(text: str) -> str | None:
    """Return the kind of danger that the emergency lexicon finds in ``text`` (one of ``DANGERS``), or None.

    The text is searched as German folds it (ö as oe); by the rules of the other languages also as one types it there
    without marks (ö as o).

    Languages share words ("Notarzt" is said in all of them, Russian and Ukrainian have many alike). So a hit does not count
    if the message is in another language whose own rule for the same danger knows that it is harmless, or if it is a single
    word in a clear sentence of another language, whose own rules do not know it as a danger.
    """
    folded = fold(text)
    hits: list[tuple[EmergencyRule, str]] = []
    excused: set[tuple[str, str]] = set()
    for form in dict.fromkeys((folded, fold(without_umlauts(text)))):
        # Some rows hold only for a message that says nothing else; a greeting around it is nothing else.
        bare = _POLITENESS.sub("", form).strip(" .,!?;:-")
        plain = form.isascii()
        for rule in emergency_rules():
            if (plain and rule.other_script) or (form != folded and rule.language == "de"):
                continue
            match = rule.pattern.search(form) or (rule.pattern.search(bare) if bare != form else None)
            if not match:
                continue
            if rule.unless and rule.unless.search(form):
                excused.add((rule.language, rule.danger))
            else:
                hits.append((rule, match.group()))
    if not hits:
        return None
    found = detect(text)
    language = found.language if found else ""
    clear = found is not None and _is_clear(text, found)
    for rule, matched in hits:
        own = rule.language == language
        loan_word = clear and " " not in matched.strip()
        if own or not (loan_word or (language, rule.danger) in excused):
            return rule.danger
    return None


def _is_clear(text: str, found: Detected) -> bool:
    """Return whether a message is a sentence whose language is clear: by its sound, or by two of its little words."""
    if found.words < CLEAR_WORDS or found.language not in LANGUAGES:
        return False
    little = sum(1 for token in tokenize(text) if token.folded in function_words(found.language))
    return found.confidence >= CLEAR_CONFIDENCE or little >= 3
