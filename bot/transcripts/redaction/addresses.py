"""Addresses: street and house number, in the forms of all languages. Postcode and town stay."""

from __future__ import annotations

import re

from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from bot.transcripts.redaction.digits import key
from bot.transcripts.redaction.engine import own
from bot.transcripts.redaction.lexicon import Lexicon
from bot.transcripts.redaction.spans import found
from bot.transcripts.redaction.tokens import NUMBER, WORD, Hit, Token

_MOST_WORDS = 6
# A house number with letter, range, entrance: 12a, 12-14, 12/3, 5 B, 12 bis.
_HOUSE = re.compile(
    r"\d{1,4}(?!\d)(?:[ ]?(?:bis|ter|quater)\b|[ ]?[^\W\d_](?![^\W_])(?!\.[ ]?\d))?"
    r"(?:[ ]?[/\-][ ]?\d{1,4}(?!\d)(?:[ ]?[a-zA-Zа-я](?![^\W_])(?!\.[ ]?\d))?|[ ]?[/\-][ ]?[^\W\d_](?![^\W_])){0,3}(?![.,:]?\d)"
)
_GAP = re.compile(r"[ \t.,'’:;\-،()#\"„“«»]{0,4}|[ \t,]*\n?[ \t]*")
_WORD_GAP = re.compile(r"[ \t.'’\-\"„“«»]{0,3}")
_CUE_GAP = re.compile(r"[\s:,.'’\-،;\"„«]{0,4}")
_AFTER = re.compile(r"[ \t]{0,2}([^\W\d_]+|[€$£%§]|:\d)")
# "7 m. 12": the "m" is no metre.
_FLAT_AHEAD = re.compile(r"[ ,]{0,2}([^\W\d_]{1,4})\.?[ ]?\d")
# A noun, a number, and behind them a postcode: whatever the street is called.
_BEFORE_POSTCODE = re.compile(
    r"(?<![\w-])(?:[A-ZÄÖÜ][^\W\d_]*(?:[.\-'][^\W\d_]*){0,3}[ ]){1,3}\d{1,3}(?!\d)(?:[ ]?[a-zA-Z](?!\w))?"
    r"(?:[ ]?[\-/][ ]?\d{1,3}[a-z]?)?(?=,?[ \n]{1,2}(?:[A-Z]{1,2}-)?(?:\d{5}|\d{2}-\d{3})(?!\d))"
)
_GLUED = re.compile(r"[^\W\d_]{3}")
# Before the noun of a street, not before a town.
_AT = frozenset(
    {"am", "an", "zum", "zur", "beim", "auf", "unter", "hinter", "vor", "alte", "alten", "alter", "neue", "neuer", "ам", "цум", "цур"}
)
_CROSSING = re.compile(r"[ ]?(?:#|[Nn]o\.?)[ ]?\d{1,3}[a-zA-Z]?[ ]?-[ ]?\d{1,3}")
_FLAT_VALUE = re.compile(r"[ \t:.\-#]{0,3}(?:(?:no|nr|n)[ .o°º]{1,3})?(\d{1,4}[^\W\d_]?|[A-ZА-Я])(?![^\W_])")
# Floor and door in Spain: 2º B, 3o izq.
_DOOR = re.compile(r"\d{1,2}[ ]?[oaº\-][ ]?(?:[A-Z]|izq|dcha|der|derecha|izquierda|izda|dcho|centro)(?![^\W_])")
_FLAT_GAP = re.compile(r"[ \t,.;/\-،(]{0,4}")
_MANNHEIM = re.compile(r"(?<![\w-])[A-U][1-7][ ]?,[ ]?\d{1,2}[a-z]?(?!\w)")
_WHO = re.compile(r"(?:[^\W\d_]|[.\-'])+(?:[ ][^\W\d_a-zß-ÿа-я](?:[^\W\d_]|[.\-'])*){0,2}")
_CARE_OF = re.compile(r"(?<!\w)c[ ]?/[ ]?o[ :.]{0,2}(?=[^\W\d_])", re.IGNORECASE)


class AddressRecognizer(EntityRecognizer):
    """Finds the street part of addresses around words for streets."""

    def __init__(self, language: str, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._lists = lexicon.words.word_lists
        self._first = self._lists["street_first"]
        super().__init__(["address"], name="addresses", supported_language=language)

    def load(self) -> None:
        """Do nothing: the lists are read by then."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts) -> list[RecognizerResult]:
        """Return the addresses in a clean text."""
        shared = own(nlp_artifacts)
        tokens = shared.words
        flats = {hit.first: hit for hit in shared.tagged("flat")}
        after_flats = {hit.first: hit for hit in shared.tagged("flat_after")}
        spans: list[tuple[int, int]] = []
        for hit in shared.tagged("street_first"):
            spans += self._type_first(text, tokens, hit)
        for hit in shared.tagged("street_last"):
            spans += self._type_last(text, tokens, hit)
        for position, token in enumerate(tokens):
            if token.kind == WORD and len(token.key) > 4:
                spans += self._glued(text, tokens, position)
        for hit in shared.tagged("street_preposition"):
            spans += self._preposition(text, tokens, hit)
        for hit in shared.tagged("address_cue"):
            spans += self._after_cue(text, tokens, hit)
        spans += [match.span() for match in _MANNHEIM.finditer(text)]
        spans += [match.span() for match in _BEFORE_POSTCODE.finditer(text)]
        for match in _CARE_OF.finditer(text):
            named = _WHO.match(text, match.end())
            if named:
                spans.append((match.start(), named.end()))
        ends = ((start, self._with_flat(text, tokens, end, flats, after_flats)) for start, end in sorted(set(spans)))
        return [found(self, "address", start, end, 0.85) for start, end in ends]

    def _number(self, text: str, tokens: list[Token], position: int) -> int | None:
        """Return the end of a house number that is the next token, maybe after "Nr.", or None."""
        for _ in range(3):
            if position >= len(tokens) or (position and not _GAP.fullmatch(text, tokens[position - 1].end, tokens[position].start)):
                return None
            token = tokens[position]
            if token.kind == NUMBER:
                match = _HOUSE.match(text, token.start)
                if match is None or _GLUED.match(text, match.end()) or (token.start and tokens[position - 1].end == token.start):
                    # "2adim", "B1": a number within a word.
                    return None
                unit = _AFTER.match(text, match.end())
                flat = _FLAT_AHEAD.match(text, match.end())
                if unit and self._measure(unit[1]) and not (flat and key(flat[1]) in self._lists["flat"]):
                    return None
                return match.end()
            if token.key not in self._lists["house"]:
                return None
            position += 1
        return None

    def _measure(self, word: str) -> bool:
        words, unit = self._lexicon.words, key(word)
        return unit in self._lists["units"] or unit in words.months or unit in words.currency or word[0] == ":"

    def _type_first(self, text: str, tokens: list[Token], hit: Hit) -> list[tuple[int, int]]:
        """ "ul. Długa 5", "calle Mayor 3", "شارع النيل ١٢"; also "12 rue de la Paix", where the number comes first."""
        start = tokens[hit.first].start
        if text[start - 1 : start] == "-":
            # "IBAN-ul": an ending.
            return []
        number_before = self._number_before(text, tokens, hit.first)
        position, words, proper = hit.after, 0, hit.after
        while position < len(tokens) and words < _MOST_WORDS:
            token = tokens[position]
            gap_from = hit.end if position == hit.after else tokens[position - 1].end
            glued = position > 0 and tokens[position - 1].end == token.start
            bare = hit.language in ("ar", "fa", "es")  # "کوچه ۱۲": lanes have numbers for names
            end = self._number(text, tokens, position) if (words or bare) and not glued else None
            if end:
                # "Carrera 7 # 45-23"
                second = _CROSSING.match(text, end) if bare else None
                return [(number_before if number_before is not None else start, second.end() if second else end)]
            # "Straße des 17. Juni 135"
            inner_number = token.kind == NUMBER and position + 1 < len(tokens) and tokens[position + 1].key in self._lexicon.words.months
            if token.kind != WORD and not inner_number:
                break
            if not _WORD_GAP.fullmatch(text, gap_from, token.start) or not self._street_word(token, words):
                break
            words += 1
            position += 1
            if token.capital or not token.cased or token.key not in self._lists["small"]:
                proper = position
        if number_before is not None and words:
            return [(number_before, tokens[max(proper, hit.after + 1) - 1].end)]
        # "улица 5": no name, but a number right behind it names nothing either.
        return []

    def _street_word(self, token: Token, words: int) -> bool:
        """Return whether a word can be part of the name of a street."""
        if token.kind != WORD or token.capital:
            return token.key not in self._lists["address_cue"]
        if token.key in self._lists["small"] or token.key in self._lexicon.words.particles:
            return True
        if not token.cased:
            return True
        return words == 0 or not self._lexicon.common(token)

    def _number_before(self, text: str, tokens: list[Token], position: int) -> int | None:
        """Return where a house number before the street begins ("12, rue", "12 bis rue")."""
        for back in (1, 2):
            index = position - back
            if index < 0 or not re.fullmatch(r"[ \t,.]{1,3}|", text[tokens[index].end : tokens[index + 1].start]):
                return None
            if (
                back == 1
                and tokens[index].end == tokens[index + 1].start
                and not tokens[index + 1].capital
                and len(tokens[index + 1].text) < 3
            ):
                # "3al": no house number and no avenue.
                return None
            token = tokens[index]
            if token.kind == NUMBER:
                house = index > 0 and tokens[index - 1].key in self._lists["house"] and not token.cased
                return token.start if len(token.text) <= 4 and not house else None
            if token.key not in ("bis", "ter", "quater") and len(token.key) > 1:
                return None
        return None

    def _type_last(self, text: str, tokens: list[Token], hit: Hit) -> list[tuple[int, int]]:
        """ "Bonner Straße 12", "Atatürk Caddesi No: 5", "Садова вулиця, 5"; also "12 Baker Street", the number first."""
        end = self._number(text, tokens, hit.after)
        start, words = hit.first, 0
        while start > 0 and words < 3:
            token = tokens[start - 1]
            gap = text[token.end : tokens[start].start]
            if not re.fullmatch(r"[ \t]{1,2}|-|\. ?", gap) or token.kind != WORD:
                break
            if token.cased and not token.capital and (self._lexicon.common(token) or token.key in self._lists["small"]):
                break
            if token.key in self._lists["address_cue"] or (not token.cased and words):
                break
            start -= 1
            words += 1
        first = tokens[start].start
        before = self._number_before(text, tokens, start) if words else None
        numbered = start > 0 and tokens[start - 1].kind == NUMBER and re.fullmatch(r"\.? ?", text[tokens[start - 1].end : first])
        if numbered and end:
            # "1453. Sokak No: 5"
            return [(tokens[start - 1].start, end)]
        if before is not None and tokens[hit.first].cased:
            return [(before, max(hit.end, end or 0))]
        if end and (words or tokens[hit.first].capital):
            return [(first, end)]
        return []

    def _glued(self, text: str, tokens: list[Token], position: int) -> list[tuple[int, int]]:
        """ "Hauptstr. 12a", "Берлинерштрассе 5": the word for street is the end of the name."""
        token = tokens[position]
        ending = next((one for one in self._lexicon.words.street_glued if token.key.endswith(one) and token.key != one), None)
        if ending is None or token.key in self._lists["not_a_street"]:
            return []
        sure = ending.startswith(
            ("stra", "str", "gasse", "allee", "chaussee", "штр", "штра", "шتر", "اشت", "شت", "استر", "پلات", "بلات", "گاس", "غاس")
        )
        if not sure and (not token.capital or self._lexicon.place(token)):
            return []
        end = self._number(text, tokens, position + 1)
        if end is None:
            return []
        start = token.start
        # "Karl-Marx-Straße", "Alte Bahnhofstr.": what is glued or written before it with a capital.
        while position > 0 and tokens[position - 1].kind == WORD and tokens[position - 1].capital:
            gap = text[tokens[position - 1].end : tokens[position].start]
            if gap != "-" and not (gap == " " and tokens[position - 1].key in self._lists["street_preposition"]):
                break
            position -= 1
            start = tokens[position].start
        return [(start, end)]

    def _preposition(self, text: str, tokens: list[Token], hit: Hit) -> list[tuple[int, int]]:
        """ "Am Markt 5", "Unter den Linden 77": a noun with a capital and a number, which is no time and no chapter."""
        position = hit.after
        while position < len(tokens) and position - hit.after < 3:
            token = tokens[position]
            gap = text[tokens[position - 1].end : token.start]
            if token.kind != WORD or not token.capital or gap not in (" ", "-", ". ") or token.key in self._lists["not_a_street"]:
                return []
            if self._lexicon.noun(token) or (self._lexicon.place(token) and tokens[hit.first].key in ("in", "im", "bei", "zu")):
                return []
            position += 1
            end = self._number(text, tokens, position)
            if end and text[tokens[position - 1].end : tokens[position].start] in (" ", "  ", ", ") and _short(text, tokens[position]):
                return [(tokens[hit.first].start, end)]
        return []

    def _after_cue(self, text: str, tokens: list[Token], hit: Hit) -> list[tuple[int, int]]:
        """After "Adresse:", "I live at", "живу по адресу": up to some words and a house number, whatever the street is called."""
        position, start, words = hit.after, None, 0
        while position < len(tokens) and words < _MOST_WORDS:
            token = tokens[position]
            if start is not None:
                end = self._number(text, tokens, position)
                if end and _short(text, token):
                    return [(start, end)]
            gap = text[hit.end if position == hit.after else tokens[position - 1].end : token.start]
            ended = start is not None and "." in gap and len(gap) > 1
            if ended or token.kind != WORD or not _CUE_GAP.fullmatch(gap):
                return []
            end = self._number(text, tokens, position + 1) if start is None and self._lexicon.place(token) else None
            if end and position and tokens[position - 1].key in _AT:
                # "Adresse: Am Bahnhof 3"
                return [(tokens[position - 1].start, end)]
            if self._lexicon.place(token) or (token.key in self._lists["small"] and start is None):
                start = None
            elif token.cased and not token.capital and self._lexicon.common(token):
                return []
            elif start is None:
                start = token.start
            words += 1
            position += 1
        return []

    def _with_flat(self, text: str, tokens: list[Token], end: int, flats: dict[int, Hit], after_flats: dict[int, Hit]) -> int:
        """Return the end of an address with what follows: flat, floor, entrance."""
        position = _first_after(tokens, end)
        for _ in range(6):
            if position >= len(tokens) or not _FLAT_GAP.fullmatch(text, end, tokens[position].start):
                break
            hit = flats.get(position)
            value = _FLAT_VALUE.match(text, hit.end) if hit else None
            if hit and value:
                end = value.end()
            elif door := _DOOR.match(text, tokens[position].start):
                end = door.end()
            elif tokens[position].kind == NUMBER and len(tokens[position].text) <= 3:
                behind = next((after_flats[place] for place in (position + 1, position + 2) if place in after_flats), None)
                if behind is None or behind.end - tokens[position].end > 14:
                    break
                end = behind.end
            else:
                break
            position = _first_after(tokens, end)
        return end


def _first_after(tokens: list[Token], end: int) -> int:
    low, high = 0, len(tokens)
    while low < high:
        middle = (low + high) // 2
        if tokens[middle].start < end:
            low = middle + 1
        else:
            high = middle
    return low


def _short(text: str, token: Token) -> bool:
    """Return whether a house number has at most three digits: longer ones after any noun are mostly years."""
    number = re.match(r"\d+", text[token.start : token.start + 6])
    return number is None or len(number.group()) <= 3
