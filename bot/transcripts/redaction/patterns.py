"""What is found by its shape alone: e-mail addresses (also spelled out) and document numbers."""

from __future__ import annotations

import regex
from presidio_analyzer import Pattern, PatternRecognizer

from bot.transcripts.redaction.wordlists import Words

# One place for all languages: a pattern is compiled once, however many recognizers use it.
FLAGS = regex.MULTILINE


def _any(words: list[str] | frozenset[str]) -> str:
    return "|".join(regex.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))


def email_patterns(words: Words) -> list[Pattern]:
    """Return the patterns for e-mail addresses."""
    at, dot = _any(words.word_lists["email_at"]), _any(words.word_lists["email_dot"])
    providers, top = _any(words.general["mail_providers"]), _any(words.general["top_level"])
    # Possessive, with a look behind: a long word is read once, not once for each of its letters.
    local = r"(?<![\w.+%\-])[\w.+%\-]++"
    spelled = rf"{local}(?:[ ]?(?:[(\[{{][ ]?)?(?<=[ (\[{{])(?:{dot})(?:[ ]?[)\]}}])?[ ][\w+\-]++){{0,3}}"
    a_dot = rf"(?:[ ]?[(\[{{<][ ]?(?:{dot}|\.)[ ]?[)\]}}>][ ]?|[ ](?:{dot})[ ]|[ ]?\.[ ]?)"
    domain = r"[\w\-]{1,63}"
    return [
        Pattern("plain", r"(?<![\w.+%\-])[\w.+%\-]++@[\w\-]+(?:\.[\w\-]+)*+", 1.0),
        Pattern("spaced", rf"(?i){local}[ ]{{0,2}}@[ ]{{0,2}}{domain}(?:{a_dot}{domain}){{0,2}}{a_dot}(?:{top})(?!\w)", 0.9),
        Pattern("in brackets", rf"(?i){spelled}[ ]?[(\[{{<*_][ ]?(?:{at}|@)[ ]?[)\]}}>*_][ ]?{domain}(?:{a_dot}{domain}){{1,3}}", 0.9),
        Pattern("spelled out", rf"(?i){spelled}[ ](?:{at}|@)[ ]{domain}(?:[ ](?:{dot})[ ]{domain}){{1,2}}", 0.85),
        Pattern("known provider", rf"(?i){spelled}[ ](?:{at}|@)[ ](?:{providers}){a_dot}(?:{top})(?!\w)", 0.85),
        Pattern("known provider, dashed", rf"(?i){local}[ ]?-?(?:{at}|@)-?[ ]?(?:{providers})[ ]?(?:[.\-]|{dot})[ ]?(?:{top})(?!\w)", 0.8),
    ]


def shape_patterns(words: Words) -> list[Pattern]:
    """Return the patterns for numbers of documents that nothing needs to introduce."""
    return [Pattern(shape["name"], shape["regex"], 0.75) for shape in words.general["shapes"]]


class MailRecognizer(PatternRecognizer):
    """Finds e-mail addresses.

    Presidio's own recognizer asks tldextract whether the domain is one, which fetches a list from the network, and
    drops the address if it is not. An address with a slip in it is personal data all the same.
    """

    def __init__(self, language: str, patterns: list[Pattern]) -> None:
        super().__init__("email", "e-mail addresses", language, patterns, global_regex_flags=FLAGS)


class ShapeRecognizer(PatternRecognizer):
    """Finds document numbers by their shape."""

    def __init__(self, language: str, patterns: list[Pattern]) -> None:
        super().__init__("document_number", "shapes of document numbers", language, patterns, global_regex_flags=FLAGS)
