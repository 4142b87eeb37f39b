"""Telephone numbers, IBANs, and every other long number: what is none of dates, amounts, years and postcodes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import phonenumbers
from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from bot.transcripts.redaction.digits import key
from bot.transcripts.redaction.engine import own
from bot.transcripts.redaction.spans import found
from bot.transcripts.redaction.wordlists import Words

_CANDIDATE = re.compile(r"(?<![\d])(?:\+[ ]?|\([ ]?\+?[ ]?)?\d(?:(?:[ \t\-/()_·•|~*\\]{0,4}|[ ]?\.|[ ]\.[ ])\d){4,}")
_DATE = re.compile(
    r"(?<![\d./\-])(?:(?:0?[1-9]|[12]\d|3[01])\.[ ]?(?:0?[1-9]|1[0-2])\.[ ]?(?:(?:19|20)\d\d|\d\d)"
    r"|(?:0?[1-9]|[12]\d|3[01])([/\-])(?:0?[1-9]|1[0-2])\1(?:19|20)\d\d"
    r"|(?:19|20|13|14)\d\d([/.\-])(?:0?[1-9]|1[0-2])\2(?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|1[0-2])[./](?:19|20)\d\d|(?:[01]?\d|2[0-3])[:.][0-5]\d(?=[ ]?(?:Uhr|h\b)))(?![./\-]?\d)"
)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:([.' ])\d{3})(?:\1\d{3})*(?:-[1-9]\d{0,2}(?:\1\d{3})+)?")
_UNIT = re.compile(r"[ \t]{0,2}([^\W\d_]+|[€$£%])")
_GROUPS = re.compile(r"\d+")
_IBAN = re.compile(r"(?<![^\W_])([A-Za-z])[ ]?([A-Za-z])[ .\-:]{0,2}\d[ .\-]?\d(?=[ .\-/_·•|*\n\t]{0,4}[A-Za-z0-9])")
# Between the groups of an IBAN; a line may end with two characters.
_IBAN_PIECE = re.compile(r"(?:[ .\-/_·•|*\t]{0,3}|[ \t]{0,2}\n{1,2}[ \t]{0,2})([A-Za-z]+|\d+)")
# Written with Cyrillic letters that look or sound the same ("ДЕ", "УА").
_CYRILLIC = str.maketrans("АВЕКМОСТХІДУЛФРГЗПНЯаекосхідулрпгзн", "ABEKMOCTXIDULFRGZPNAaekocxidulrpgzn")


class NumberRecognizer(EntityRecognizer):
    """Finds runs of digits, however they are split, and says whether they are telephone numbers."""

    def __init__(self, language: str, words: Words) -> None:
        self._words = words
        self._regions: list[str] = words.general["regions"][language]
        super().__init__(["phone", "document_number"], name="numbers", supported_language=language)

    def load(self) -> None:
        """Do nothing: the lists are read by then."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts) -> list[RecognizerResult]:
        """Return the telephone numbers and other long numbers in a clean text."""
        shared = own(nlp_artifacts)
        called = [hit.end for hit in shared.tagged("phone")]
        # A date is no part of a number; it is judged elsewhere. Its place is held by letters.
        rest = _DATE.sub(lambda match: "x" * len(match.group()), text)
        results = []
        for start, end in _pieces(rest):
            called_here = _called(text, called, start)
            kind = self._kind(rest, start, end, called_here)
            if kind:
                score = 0.93 if rest[start] == "+" else (0.91 if called_here else 0.7)
                results.append(found(self, kind, start, end, score))
        return results

    def _kind(self, text: str, start: int, end: int, called: bool) -> Literal["phone", "document_number"] | None:
        written = text[start:end]
        digits = "".join(_GROUPS.findall(written))
        groups = _GROUPS.findall(written)
        if digits in self._words.allowed_digits or self._allowed_together(groups):
            return None
        international = written.lstrip("( ").startswith("+") or digits.startswith("00")
        if _years_and_months(groups) or (not digits.startswith("0") and (_amount(written, groups) or self._measured(text, end, groups))):
            return None
        if called or (international and len(digits) >= 8):
            return "phone"
        if digits.startswith("0"):
            # "08-12 13-17" are opening hours; a number for calling has a longer first group or more of them.
            hours = all(len(group) <= 2 for group in groups) and len(digits) < 9 and len(groups) < 6
            return None if len(digits) < 7 or hours or _postcodes(written) else "phone"
        if len(digits) < 8 or _postcodes(written):
            return None
        return "phone" if self._callable(digits) else "document_number"

    def _allowed_together(self, groups: list[str]) -> bool:
        """Return whether several allowed numbers stand next to each other ("110 112")."""
        position = 0
        while position < len(groups):
            for after in range(len(groups), position, -1):
                if "".join(groups[position:after]) in self._words.allowed_digits:
                    position = after
                    break
            else:
                return False
        return True

    def _measured(self, text: str, end: int, groups: list[str]) -> bool:
        """Return whether an amount follows its number: money, percent, square metres."""
        match = _UNIT.match(text, end)
        return match is not None and key(match[1]) in self._words.currency and (len(groups) == 1 or len(groups[0]) <= 3)

    def _callable(self, digits: str) -> bool:
        for region in self._regions:
            try:
                if phonenumbers.is_valid_number(phonenumbers.parse(digits, region)):
                    return True
            except phonenumbers.NumberParseException:
                continue
        return False


def _called(text: str, ends: list[int], start: int) -> bool:
    """Return whether a word for telephone ends shortly before ("Tel.: ", "Handy ist die ")."""
    return any(0 <= start - end <= 16 and not _GROUPS.search(text, end, start) and "\n" not in text[end:start] for end in ends)


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Return the runs of digits; a postcode or year in front of a telephone number stands alone."""
    for match in _CANDIDATE.finditer(text):
        start, end = match.span()
        front = re.match(r"(?:\d{5}|(?:19|20)\d\d|\d{1,2})[ ./]{1,3}(?=(?:\+|00|0\d{2})[ \d/()\-]{6})", text[start:end])
        if front and not text[start:end].startswith("0"):
            start += front.end()
        yield start, end


def _amount(written: str, groups: list[str]) -> bool:
    """Return whether digits are grouped as in "1.200.000"; spaces group telephone numbers and tax numbers, too."""
    return _THOUSANDS.fullmatch(written) is not None and (len(groups) <= 2 or (len(groups) == 3 and " " not in written) or "-" in written)


def _years_and_months(groups: list[str]) -> bool:
    years = [group for group in groups if len(group) == 4 and group[:2] in ("19", "20")]
    return bool(years) and all(group in years or (len(group) <= 2 and int(group) <= 31) for group in groups)


def _postcodes(written: str) -> bool:
    groups = _GROUPS.findall(written)
    if not all(len(group) == 5 or (len(group) == 4 and group[:2] in ("19", "20")) for group in groups):
        return False
    return len(groups) > 1 and ("-" in written or not written.startswith("0"))


class IbanRecognizer(EntityRecognizer):
    """Finds IBANs of all countries, in any grouping and case; the checksum may be wrong, some digits missing."""

    def __init__(self, language: str, words: Words) -> None:
        self._lengths: dict[str, int] = words.general["iban_lengths"]
        self._with_letters = frozenset(words.general["iban_with_letters"])
        super().__init__(["iban"], name="IBANs", supported_language=language)

    def load(self) -> None:
        """Do nothing: the lists are read by then."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts) -> list[RecognizerResult]:
        """Return the IBANs in a clean text."""
        results = []
        text = text.translate(_CYRILLIC)
        for match in _IBAN.finditer(text):
            country = (match[1] + match[2]).upper()
            if country in self._lengths:
                end = self._end(text, match.start(), country)
                # "case number is 7654321": a little word in front of a number.
                if end and (match.group()[:2].isupper() or match.group()[2].isdigit()) and text[match.start() - 1 : match.start()] != "-":
                    results.append(found(self, "iban", match.start(), end, 0.95))
        return results

    def _end(self, text: str, start: int, country: str) -> int | None:
        """Return where an IBAN ends, or None if too little of it is there."""
        length, count, digits, end = self._lengths[country], 0, 0, start
        for piece in _IBAN_PIECE.finditer(text, start, start + 3 * length):
            if piece.start() != end:
                break
            one = piece[1]
            # A letter between digits: that of an account, or a slip (O for 0).
            within = piece.start(1) == end and len(one) <= 4 and text[piece.end() : piece.end() + 1].isdigit()
            if one.isalpha() and count >= 4 and not within and not self._bank(country, one, count):
                # The word after the number.
                break
            # A digit too many is a slip; the number is no less one.
            if count + len(one) > length + (4 if one.isdigit() else 0):
                break
            count += len(one)
            digits += len(one) if one.isdigit() else 0
            end = piece.end()
        return end if count >= 12 and digits >= 6 else None

    def _bank(self, country: str, letters: str, count: int) -> bool:
        """Return whether letters within an IBAN can be those of the bank or branch, which some countries have."""
        if country not in self._with_letters or count + len(letters) > self._lengths[country]:
            return False
        return letters.isupper() or (len(letters) <= 4 and count <= 12) or (len(letters) <= 10 and count == 4)
