"""Presidio's analyzer with our recognizers, and the text without what they find."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from functools import lru_cache

from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry

from bot.transcripts.redaction.addresses import AddressRecognizer
from bot.transcripts.redaction.dates import BirthDateRecognizer
from bot.transcripts.redaction.digits import clean
from bot.transcripts.redaction.documents import DocumentRecognizer
from bot.transcripts.redaction.engine import WordEngine
from bot.transcripts.redaction.lexicon import Lexicon
from bot.transcripts.redaction.names import NameRecognizer
from bot.transcripts.redaction.numbers import IbanRecognizer, NumberRecognizer
from bot.transcripts.redaction.patterns import MailRecognizer, ShapeRecognizer, email_patterns, shape_patterns
from bot.transcripts.redaction.wordlists import LANGUAGES, words

# Where findings overlap, all of the text goes, and the surest says what it was; of two that are as sure, the first here.
PLACEHOLDERS = {
    "email": "[E-Mail]",
    "iban": "[IBAN]",
    "birth_date": "[Geburtsdatum]",
    "address": "[Adresse]",
    "phone": "[Telefon]",
    "document_number": "[Nummer]",
    "name": "[Name]",
}
_PRIORITY = {kind: position for position, kind in enumerate(PLACEHOLDERS)}
_FALLBACK_LANGUAGE = "en"
# Each pass takes something out, so that there is an end; more than two are rare.
_MOST_PASSES = 25
# Longer texts are read in pieces of about this many characters: Presidio compares each finding with each other.
_PIECE = 2000
_WARM_UP = "A. geb. 1.2.1980, Nr. 12 34 567 890, 24 5 67 89 01 23"
_LOCK = threading.Lock()


def build(engine: WordEngine | None = None) -> AnalyzerEngine:
    """Return an analyzer with our recognizers for all languages.

    Args:
        engine: the language part; by default one that uses the spaCy models that are installed.

    Raises:
        RedactionDataError: if a word list breaks its schema.
    """
    lists = words()
    lexicon = Lexicon(lists)
    mail, shapes = email_patterns(lists), shape_patterns(lists)
    recognizers: list[EntityRecognizer] = []
    for language in LANGUAGES:
        recognizers += [
            MailRecognizer(language, mail),
            IbanRecognizer(language, lists),
            BirthDateRecognizer(language, lists),
            AddressRecognizer(language, lexicon),
            NumberRecognizer(language, lists),
            DocumentRecognizer(language, lists),
            ShapeRecognizer(language, shapes),
            NameRecognizer(language, lexicon),
        ]
    # Presidio tells every step at the level of information.
    logging.getLogger("presidio-analyzer").setLevel(logging.WARNING)
    registry = RecognizerRegistry(recognizers, supported_languages=list(LANGUAGES))
    return AnalyzerEngine(registry=registry, nlp_engine=engine or WordEngine(), supported_languages=list(LANGUAGES))


@lru_cache(maxsize=1)
def _shared() -> AnalyzerEngine:
    engine = build()
    for language in LANGUAGES:
        # Patterns are compiled and the numbering plans of the countries are read when they are first used: here, not
        # while somebody waits.
        engine.analyze(_WARM_UP, language)
    return engine


def analyzer() -> AnalyzerEngine:
    """Return the analyzer of this process; built once, even if several threads ask at once."""
    with _LOCK:
        return _shared()


def redacted(text: str, language: str, engine: AnalyzerEngine | None = None) -> tuple[str, dict[str, int]]:
    """Return the text with placeholders, and how often each kind was found.

    Args:
        text: any text.
        language: one of the guide's languages; another one is read as English.
        engine: an analyzer of :func:`build`; by default that of this process.
    """
    engine = engine or analyzer()
    known = language if language in LANGUAGES else _FALLBACK_LANGUAGE
    kinds: Counter[str] = Counter()
    for _ in range(_MOST_PASSES):
        # What is gone may let the next pass see more; only a text in which nothing is found any more is stable.
        found = [one for first, last in _pieces(text) for one in _findings(text[first:last], first, known, engine)]
        if not found:
            break
        for start, end, kind in reversed(found):
            text = text[:start] + PLACEHOLDERS[kind] + text[end:]
            kinds[kind] += 1
    return text, dict(kinds)


def _pieces(text: str) -> list[tuple[int, int]]:
    """Return where to cut a long text: between lines or words if there is a place."""
    cuts = [0]
    while len(text) - cuts[-1] > _PIECE + _PIECE // 4:
        limit = cuts[-1] + _PIECE
        window = text[limit : limit + _PIECE // 4]
        place = max(window.rfind("\n"), window.rfind(". "), -1)
        place = place if place >= 0 else window.rfind(" ")
        cuts.append(limit + place + 1)
    return list(zip(cuts, [*cuts[1:], len(text)], strict=True))


def _findings(text: str, offset: int, language: str, engine: AnalyzerEngine) -> list[tuple[int, int, str]]:
    """Return start, end and kind of what must go, in order and without overlaps, as places in the whole text."""
    uniform = clean(text)
    merged: list[tuple[int, int, str, float]] = []
    results = engine.analyze(uniform.text, language) if uniform.text.strip() else []
    for one in sorted(results, key=lambda result: (result.start, -result.end)):
        start, end = uniform.original(one.start, one.end)
        start, end = start + offset, end + offset
        if merged and start < merged[-1][1]:
            first, last, kind, score = merged[-1]
            kind, score = min((kind, score), (one.entity_type, one.score), key=lambda pair: (-pair[1], _PRIORITY[pair[0]]))
            merged[-1] = (first, max(last, end), kind, score)
        else:
            merged.append((start, end, one.entity_type, one.score))
    return [(start, end, kind) for start, end, kind, _ in merged]
