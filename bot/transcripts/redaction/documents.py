"""Numbers of documents, files and customers that a word introduces."""

from __future__ import annotations

import re

from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from bot.transcripts.redaction.digits import key
from bot.transcripts.redaction.engine import own
from bot.transcripts.redaction.spans import found
from bot.transcripts.redaction.tokens import Hit
from bot.transcripts.redaction.wordlists import Words

# Between the word and the number: signs and up to three little words.
_SIGNS = re.compile(r"[\s:.,;#=()\[\]\"'„“”«»\-–/*]{0,5}")
_LITTLE = re.compile(r"([^\W\d_]{1,12})[ \t:.#]{1,3}")
_WORDS = re.compile(r"(?:[^\W\d_]{1,16}(?:[ ]|:[ ]?|,[ ])){1,5}")
_CHUNK = r"(?:[^\W_]{0,12}\d[^\W_]{0,24})"
# Groups with a digit, and short groups of capitals that stand before or between them ("12 K 345/24").
_VALUE = re.compile(
    rf"(?:(?:[A-ZА-ЯІЇЄÄÖÜ]{{1,6}}|[ء-ي])(?:[ ]?[\-/.:][ ]?|[ ])|[a-z]{{1,3}}[\-/.:]){{0,3}}{_CHUNK}"
    rf"(?:(?:[ ]?[\-/:_][ ]?|\.|[ ]{{1,2}})(?:(?:[A-ZА-ЯІЇЄÄÖÜ]{{1,4}}(?:[ ]?[\-/.][ ]?|[ ]))?{_CHUNK}|[A-ZА-ЯІЇЄÄÖÜ]{{1,3}}(?![^\W_])))*"
)
_YEAR = re.compile(r"(?:19|20)\d\d|\d{1,2}[./]\d{1,2}[./](?:19|20)?\d\d|\d{1,2}[./](?:19|20)\d\d")
_OF_YEAR = re.compile(r"\d{1,2}/(?:19|20)\d\d")
_TAIL_UNIT = re.compile(r"[ \t]{0,2}([^\W\d_]+|[€$£%])")


class DocumentRecognizer(EntityRecognizer):
    """Finds the numbers after such words as "Aktenzeichen", "passport number", "مشتری شماره"."""

    def __init__(self, language: str, words: Words) -> None:
        self._words = words
        # What may stand between: "ist", "lautet", "number", "№".
        lists = words.word_lists
        self._little = lists["small"] | words.fillers | lists["house"] | lists["document_number"] | lists["phone"]
        super().__init__(["document_number"], name="introduced numbers", supported_language=language)

    def load(self) -> None:
        """Do nothing: the lists are read by then."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts) -> list[RecognizerResult]:
        """Return the introduced numbers in a clean text."""
        shared = own(nlp_artifacts)
        results = []
        reached = -1
        for hit in shared.tagged("document_number", "document_thing"):
            start = self._start(text, hit.end)
            if start is None or start <= reached:
                continue
            end = self._end(text, start, hit)
            if end:
                # Letters in it: no telephone number, whatever word stands before.
                score = 0.94 if any(character.isalpha() for character in text[start:end]) else 0.9
                results.append(found(self, "document_number", start, end, score))
                reached = start
        return results

    def _start(self, text: str, position: int) -> int | None:
        """Return where the number can begin, or None if other words follow."""
        for _ in range(4):
            match = _SIGNS.match(text, position)
            position = match.end() if match else position
            if _VALUE.match(text, position):
                return position
            little = _LITTLE.match(text, position)
            if not little:
                return None
            if key(little[1]) not in self._little:
                return self._further(text, position)
            position = little.end()
        return None

    @staticmethod
    def _further(text: str, position: int) -> int | None:
        """Return where a number begins after other words of the same sentence, if it is one that is nothing else."""
        words = _WORDS.match(text, position)
        value = _VALUE.match(text, words.end(), words.end() + 60) if words else None
        if words is None or value is None:
            return None
        digits = sum(character.isdigit() for character in value.group())
        mixed = digits >= 4 and any(character.isupper() for character in value.group())
        return words.end() if digits >= 6 or mixed else None

    def _end(self, text: str, start: int, hit: Hit) -> int | None:
        match = _VALUE.match(text, start, start + 60)
        if match is None:
            return None
        value = match.group()
        digits = [character for character in value if character.isdigit()]
        letters = any(character.isupper() for character in value)
        # "dosar nr. 12/2024": behind a word for a number, no month.
        of_year = hit.tag == "document_number" and _OF_YEAR.fullmatch(value.strip()) is not None
        if "".join(digits) in self._words.allowed_digits or (_YEAR.fullmatch(value.strip()) and not of_year):
            return None
        unit = _TAIL_UNIT.match(text, match.end())
        if unit and (key(unit[1]) in self._words.currency or (key(unit[1]) in self._words.word_lists["units"] and len(digits) < 5)):
            return None
        short = len(digits) < (3 if hit.tag == "document_number" else 5)
        if short and not (letters and len(digits) >= 2 and len(value) >= 5):
            return None
        return match.end()
