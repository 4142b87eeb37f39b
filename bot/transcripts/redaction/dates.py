"""Dates of birth: full dates that stand by a word for birth, or of a year that is long past."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from bot.transcripts.redaction.digits import BARRIERS, DATE_BARRIER, key
from bot.transcripts.redaction.engine import own
from bot.transcripts.redaction.spans import found
from bot.transcripts.redaction.tokens import NUMBER, WORD, Token
from bot.transcripts.redaction.wordlists import Words

_SEPARATED = re.compile(
    r"(?<![\d.,/])(?<!\d[ -])(?P<a>\d{1,4})(?P<gap>[ ]?[./\-][ ]?|[ ])(?P<b>\d{1,2})(?:[ ]?[./\-][ ]?|[ ])(?P<c>\d{1,4})(?![ ./\-]?\d)"
)
_TIGHT = re.compile(r"(?<![\d.,/])(\d{1,4})([\\_·•|,،:])(\d{1,2})\2(\d{1,4})(?![./\-\\_]?\d)")
# "5 month 6 year 1990"
_SPELLED = re.compile(r"(?<!\d)\d{1,2}[ ](?:شهر|ماه|месяца|місяця)[ ]\d{1,2}[ ](?:سنه|سال|عام|года|року)[ ](\d{4})(?!\d)")
_ROMAN = re.compile(r"(?<!\w)\d{1,2}[ ./\-]{1,2}(?:I{1,3}|IV|VI{0,3}|IX|XI{0,2}|V)[ ./\-]{1,2}(\d{4})(?!\d)")
# A date that went before, or a new paragraph, ends what a word for birth says.
_APART = re.compile(rf"[{BARRIERS}]|\n\n")
_YEAR_BEHIND = re.compile(r"[ :.=(\-]{0,3}((?:[^\W\d_]{1,10}[ :(]{1,2}){0,4})(\d{4})(?![\d.]*\d)")
_YEAR_BEFORE = re.compile(r"(?<![\d.\-/])(\d{4})[ '’]{1,2}((?:[^\W\d_]{1,10}\.?[ ]){0,4})$")
# "ur. 78", "مواليد ٨٥", "born in '84"; what follows must be no month and no unit.
_SHORT_BEHIND = re.compile(r"[ :.=(\-]{0,3}(?:[^\W\d_]{1,5}[ ]){0,2}['’]?([3-9]\d)(?!\w|[ ]?[.,/:\-][ ]?\d|[ ]\d)")
_SHORT_BEFORE = re.compile(r"(?<![\w.\-/:,])(?<!\d )['’]?([3-9]\d)[ '’]{1,2}(?:[^\W\d_]{1,4}\.?[ ])?$")
_WORD = re.compile(r"[^\W\d_]+")
_NEXT_WORD = re.compile(r"[ ]{0,2}([^\W\d_]+)")
_MONTH_BEHIND = re.compile(r"[ :.=(\-]{0,3}(?:[^\W\d_]{1,10}[ :(]{1,2}){0,2}((?:0?[1-9]|1[0-2])[ ]?[./\-][ ]?(?:19|20)\d\d)(?![./\-]?\d)")
# "1990'lıyım": a year with the Turkish "I am of".
_I_AM_OF = re.compile(r"(?<![\d.])(?:19|20)\d\d['’]?[ ]?l[iıuü]y[iıuü][mz](?!\w)")
# What stands between dates that are told together: "1.2.2013, 3.4.2015 und 5.6.2019".
_TOGETHER = re.compile(
    r"[ ]?(?:,|/|&|\+|;)?[ ]?(?:(?:und|u|and|et|y|e|i|și|si|ve|و|и|та|і|й|oraz)[ ](?:am|den|le|el|la|pe|the|on)?[ ]?)?|[ ]?و[ ]?"
)
_RUN = re.compile(r"(?<!\d)(?:[0-3]\d[01]\d(?:19|20)\d\d|(?:19|20)\d\d[01]\d[0-3]\d)(?!\d)")
# Between the parts of a date with the month as a word.
_GAP = re.compile(r"[ \t.,/\-'’،]{0,3}|[ \t]?(?:de|of|del|do|من|ал)[ \t]")
_DAY_SUFFIXES = frozenset({"st", "nd", "rd", "th", "er", "go", "е", "ого", "го", "o", "ter", "en", "م", "ام"})
_OF = frozenset({"de", "del", "of", "ماه", "شهر"})
_LINKS = frozenset(
    [
        *("de", "del", "of", "the", "in", "im", "a", "al", "lunii", "luna", "anul", "anului", "roku", "rok", "ano", "jahr", "yili"),
        *("месяца", "року", "года", "ماه", "شهر", "من", "سنه", "عام", "سال"),
    ]
)


class BirthDateRecognizer(EntityRecognizer):
    """Finds dates of birth; the months come from the word lists."""

    def __init__(self, language: str, words: Words) -> None:
        self._months = words.months
        self._month_names = words.month_names
        self._words = words
        self._window: int = words.general["birth_window"]
        self._latest: int = words.general["latest_birth_year"]
        super().__init__(["birth_date"], name="dates of birth", supported_language=language)

    def load(self) -> None:
        """Do nothing: the lists are read by then."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts) -> list[RecognizerResult]:
        """Return the dates of birth in a clean text."""
        shared = own(nlp_artifacts)
        births = sorted((shared.words[hit.first].start, hit.end) for hit in shared.tagged("birth"))
        dates = [*self._numeric(text), *self._with_words(text, shared.words)]
        if births:
            dates += [(*match.span(), None) for match in _RUN.finditer(text)]
        beside = sorted([*births, *((shared.words[hit.first].start, hit.end) for hit in shared.tagged("birth_year"))])
        results = [found(self, "birth_date", start, end, 0.9) for start, end in self._years(text, births, beside)]
        results += [found(self, "birth_date", *match.span(), 0.9) for match in _I_AM_OF.finditer(text)]
        relatives = [hit.end for hit in shared.tagged("roles")]
        dates.sort(key=lambda date: date[:2])
        last, told, waiting = -1, False, list[tuple[int, int]]()
        for start, end, year in dates:
            together = last <= start and _TOGETHER.fullmatch(text, last, start) is not None
            # One that goes for its year alone says nothing about its neighbours.
            told = (told and together) or self._near(births, text, start, end, last) or _marked(text, start, end, relatives)
            waiting = [*waiting, (start, end)] if together else [(start, end)]
            if told:
                results += [found(self, "birth_date", *place, 0.92) for place in waiting]
                waiting = []
            elif year is not None and self._long_past(year):
                results.append(found(self, "birth_date", start, end, 0.92))
            last = max(last, end)
        return results

    def _years(self, text: str, births: list[tuple[int, int]], beside: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Return the years right behind or before a word for birth ("born in 1985", "1985 doğumluyum", "ur. 78"), also with
        the number of a month ("ur. 09/1985").

        Args:
            text: the clean text.
            births: the words for birth.
            beside: these and the words that say so only if a year stands right behind them ("sunt din 1988").
        """
        for _, after in beside:
            behind = _YEAR_BEHIND.match(text, after)
            if behind and self._of_birth(int(behind[2])) and not self._since(behind[1]):
                yield behind.span(2)
            short = _SHORT_BEHIND.match(text, after)
            if short and not self._counts(text, short.end()):
                yield short.span(1)
            month = _MONTH_BEHIND.match(text, after)
            if month and not self._since(text[after : month.start(1)]):
                yield month.span(1)
        for first, _ in births:
            for pattern in (_YEAR_BEFORE, _SHORT_BEFORE):
                before = pattern.search(text, max(0, first - 45), first)
                if before and (len(before[1]) == 2 or (self._of_birth(int(before[1])) and not self._since(before[2]))):
                    yield before.span(1)

    def _since(self, words: str) -> bool:
        return any(key(word) in self._words.since for word in _WORD.findall(words))

    def _counts(self, text: str, end: int) -> bool:
        """Return whether a number counts something or is the day of a month: "38 Wochen", "30 mai"."""
        match = _NEXT_WORD.match(text, end)
        if match is None:
            return False
        word = key(match[1])
        if word in _LINKS:
            # "84 року": of the year.
            return False
        return word in self._words.word_lists["units"] or word in self._words.currency or self._month(word, spelled=True) is not None

    def _of_birth(self, year: int) -> bool:
        """Return whether a year right beside a word for birth is one, be it that of a child."""
        return 1900 <= year <= 2100 or 1300 <= year <= 1460

    def _month(self, word: str, *, spelled: bool) -> int | None:
        """Return the month that a word names, with a slip in it or cut short.

        Args:
            word: a key.
            spelled: whether a cut form does not count.
        """
        if word in self._months:
            return self._months[word]
        if len(word) < (5 if spelled else 3):
            return None
        for name in self._month_names.get(word[0], ()):
            if not spelled and name.startswith(word):
                return self._months[name]
            if len(word) > 4 and len(name) > 4 and " " not in name and _alike(word, name):
                return self._months[name]
        return None

    def _long_past(self, year: int) -> bool:
        if 1900 <= year <= self._latest:
            return True
        if self.supported_language == "ar" and 1340 <= year <= 1433:
            # Islamic lunar years; the Persian solar ones below are the same numbers for other years.
            return True
        return 1300 <= year <= self._latest - 621

    def _near(self, births: list[tuple[int, int]], text: str, start: int, end: int, last: int) -> bool:
        """Return whether a word for birth stands close by: before the date, with no other date (which ended at ``last``)
        between them, or right behind it in the same part of the sentence."""
        place = bisect_left(births, (start, 0))
        for first, after in births[max(0, place - 2) : place + 2]:
            if after <= start and last <= first and start - after <= self._window and not _APART.search(text, after, start):
                # "am 7.3.1991 in Aleppo geboren und seit 1.3.2024 hier": the word has its date already.
                clause = re.split(r"[.!?;,،]\s|\n", text[max(0, first - self._window // 2) : first])[-1]
                has_one = DATE_BARRIER in clause or (last > 0 and first - last < len(clause))
                if start - after <= 6 or not has_one:
                    return True
            if first >= end and first - end <= self._window // 2 and not re.search(rf"[.!?;,،]\s|\n|[{BARRIERS}]", text[end:first]):
                return True
        return False

    def _numeric(self, text: str) -> Iterator[tuple[int, int, int | None]]:
        for match in _SEPARATED.finditer(text):
            parts = (match["a"], match["b"], match["c"])
            year = _year(parts)
            spaced = match["gap"] == " "
            if year is None or (spaced and not (len(parts[0]) == 4 or len(parts[2]) == 4)):
                continue
            # Of a year with two digits nothing is known; only a word for birth makes it one.
            yield match.start(), match.end(), year if year > 99 else (1900 + year if year > 40 and not spaced else None)
        for match in _TIGHT.finditer(text):
            year = _year((match[1], match[3], match[4]))
            if year is not None and year > 99:
                yield match.start(), match.end(), year
        for match in _SPELLED.finditer(text):
            yield match.start(), match.end(), int(match[1])
        for match in _ROMAN.finditer(text):
            yield match.start(), match.end(), int(match[1])

    def _with_words(self, text: str, tokens: list[Token]) -> Iterator[tuple[int, int, int | None]]:
        for position, token in enumerate(tokens):
            if token.kind != WORD:
                continue
            after = position + 1
            month = self._months.get(token.key)
            slip = False
            if month is None and position and tokens[position - 1].key in self._before_a_month(tokens, position):
                # A slip or an abbreviation of one's own, behind the number of a day.
                month, slip = self._month(token.key, spelled=False), True
            if after < len(tokens) and tokens[after].kind == WORD and f"{token.key} {tokens[after].key}" in self._months:
                # "كانون الثاني": months of two words.
                month, after = self._months[f"{token.key} {tokens[after].key}"], after + 1
            if month is None:
                continue
            before, behind = _numbers_before(text, tokens, position), _numbers_behind(text, tokens, after)
            if not before and behind and self._of_another(text, tokens, after):
                # "się 14 lutego": a little word that looks like the name of a month.
                continue
            if slip and not behind and self._month(token.key, spelled=True) is None:
                continue
            span = _day_and_year(token, tokens[after - 1], before, behind)
            if span:
                yield span

    @staticmethod
    def _before_a_month(tokens: list[Token], position: int) -> frozenset[str]:
        """Return what may stand before a month that is not spelled as listed: the number of a day or its suffix."""
        before = tokens[position - 1]
        if before.kind == NUMBER and len(before.text) <= 2:
            return frozenset({before.key})
        return _DAY_SUFFIXES | _OF if position > 1 and tokens[position - 2].kind == NUMBER else frozenset()

    def _of_another(self, text: str, tokens: list[Token], after: int) -> bool:
        """Return whether the number behind a month belongs to a further month or to a date in numbers."""
        if tokens[after].kind != NUMBER or len(tokens[after].text) > 2:
            return False
        if re.match(r"[ ]?[./\-][ ]?\d", text[tokens[after].end : tokens[after].end + 4]):
            return True
        return after + 1 < len(tokens) and tokens[after + 1].kind == WORD and self._month(tokens[after + 1].key, spelled=True) is not None


def _marked(text: str, start: int, end: int, relatives: list[int]) -> bool:
    """Return whether a date has the sign for birth before it, or stands in brackets behind a relative ("mi hija (2.3.2018)")."""
    if text[:start].endswith(("*", "* ")):
        return True
    if text[start - 1 : start] != "(" or text[end : end + 1] != ")":
        return False
    return any(0 <= start - 1 - place <= 25 and not any(one.isdigit() for one in text[place:start]) for place in relatives)


def _alike(word: str, name: str) -> bool:
    """Return whether a word is a name with one slip (two in long ones): a letter more, less, other, or two that changed places."""
    most = 2 if len(name) > 7 else 1
    if abs(len(word) - len(name)) > most:
        return False
    before: list[int] = []
    row = list(range(len(name) + 1))
    for place, letter in enumerate(word, 1):
        older, before, row = before, row, [place]
        for other, wanted in enumerate(name, 1):
            cost = min(before[other] + 1, row[other - 1] + 1, before[other - 1] + (letter != wanted))
            if place > 1 and other > 1 and letter == name[other - 2] and word[place - 2] == wanted:
                cost = min(cost, older[other - 2] + 1)
            row.append(cost)
    return row[-1] <= most


def _year(parts: tuple[str, str, str]) -> int | None:
    """Return the year of three numbers, or None if they are no date."""
    first, middle, last = (int(part) for part in parts)
    if len(parts[0]) == 4 and len(parts[2]) <= 2:
        year, one, other = first, middle, last
    elif len(parts[0]) == 2 and first > 31 and len(parts[2]) <= 2:
        year, one, other = first, middle, last
    elif len(parts[0]) <= 2 and len(parts[2]) in (2, 4):
        year, one, other = last, middle, first
    else:
        return None
    days = 1 <= one <= 12 and 1 <= other <= 31 or 1 <= one <= 31 and 1 <= other <= 12
    plausible = len(str(year)) <= 2 or 1900 <= year <= 2100 or 1300 <= year <= 1460
    return year if days and plausible else None


def _numbers_before(text: str, tokens: list[Token], position: int) -> list[Token]:
    """Return the numbers (nearest first) before a month, over little words and suffixes."""
    numbers: list[Token] = []
    while position > 0 and len(numbers) < 2:
        token = tokens[position - 1]
        if not _GAP.fullmatch(text, token.end, tokens[position].start):
            break
        if token.kind == NUMBER and len(token.text) in (1, 2, 4):
            numbers.append(token)
        elif token.key not in _DAY_SUFFIXES and token.key not in _LINKS:
            break
        position -= 1
    return numbers


def _numbers_behind(text: str, tokens: list[Token], after: int) -> list[Token]:
    """Return the numbers after a month, over little words and suffixes."""
    numbers: list[Token] = []
    while after < len(tokens) and len(numbers) < 2:
        token = tokens[after]
        if not _GAP.fullmatch(text, tokens[after - 1].end, token.start):
            break
        if token.kind == NUMBER and len(token.text) in (1, 2, 4):
            numbers.append(token)
        elif token.key not in _DAY_SUFFIXES and token.key not in _LINKS:
            break
        after += 1
    return numbers


def _day_and_year(first: Token, last: Token, before: list[Token], behind: list[Token]) -> tuple[int, int, int | None] | None:
    """Return place and year of a date around a month; the year is None if it has two digits or is missing."""

    def day(token: Token) -> bool:
        return len(token.text) <= 2 and 1 <= int(token.text) <= 31

    def year(token: Token) -> bool:
        return len(token.text) == 4 and (1900 <= int(token.text) <= 2100 or 1300 <= int(token.text) <= 1460)

    if before and behind and day(before[0]) and year(behind[0]):
        return before[0].start, behind[0].end, int(behind[0].text)
    if before and behind and year(before[0]) and day(behind[0]):
        return before[0].start, behind[0].end, int(before[0].text)
    if len(behind) == 2 and day(behind[0]) and year(behind[1]):
        return first.start, behind[1].end, int(behind[1].text)
    if len(before) == 2 and day(before[0]) and year(before[1]):
        return before[1].start, last.end, int(before[1].text)
    if before and behind and day(before[0]) and len(behind[0].text) == 2:
        return before[0].start, behind[0].end, None
    if before and day(before[0]):
        return before[0].start, last.end, None
    if behind and (day(behind[0]) or year(behind[0])):
        return first.start, behind[0].end, None
    return None
