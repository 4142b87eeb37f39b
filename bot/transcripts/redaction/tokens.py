"""Words and numbers of a clean text, and the phrases of the word lists found in them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.transcripts.redaction.digits import BARRIERS, clean, key

WORD, NUMBER, PLACEHOLDER = 1, 2, 3
# An apostrophe belongs to the word in Cyrillic (Мар'яна) only; elsewhere it separates (Ahmet'in, l'avenue).
_TOKENS = re.compile(
    rf"(?P<word>[^\W\d_{BARRIERS}]+(?:['’ʼ](?<=[\u0400-\u04ff].)(?=[\u0400-\u04ff])[^\W\d_]+)*)|(?P<number>\d+)|(?P<barrier>[{BARRIERS}])"
)
# What Arabic writes in one with the word that follows: and, then, with, to.
_ARABIC_AND = "وفبل"
# What may stand between the words of one phrase or one name.
_PHRASE_GAP = re.compile(r"[ \t'’.\-]{0,3}|[ \t]{0,8}")


@dataclass
class Token:
    """A word, a number, or a placeholder of an earlier pass. ``capital``: written with a capital; ``cased``: could be."""

    text: str
    key: str
    start: int
    end: int
    kind: int
    capital: bool = False
    cased: bool = False


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a clean text."""
    tokens = []
    for match in _TOKENS.finditer(text):
        found = match.group()
        if match.lastgroup == "word":
            first = found[0]
            cased = first.lower() != first.upper()
            capital = cased and (first.isupper() or first.istitle())
            tokens.append(Token(found, key(found), match.start(), match.end(), WORD, capital, cased))
        else:
            kind = NUMBER if match.lastgroup == "number" else PLACEHOLDER
            tokens.append(Token(found, found, match.start(), match.end(), kind))
    return tokens


@dataclass(frozen=True)
class Hit:
    """A phrase of the word lists in a text: its list, its language, its first token and the one after its last."""

    tag: str
    language: str
    first: int
    after: int
    end: int


@dataclass
class Phrases:
    """The phrases of all word lists, by their first word."""

    by_first: dict[str, list[tuple[tuple[str, ...], str, str, str]]] = field(default_factory=dict)
    beginnings: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    endings: list[tuple[tuple[str, ...], str]] = field(default_factory=list)

    def add(self, phrases: Iterable[str], tag: str, language: str) -> None:
        """Add phrases. One that ends with a dot, slash or colon is found only if that follows ("M.", "c/")."""
        for phrase in phrases:
            uniform = clean(phrase).text.strip()
            keys = tuple(token.key for token in tokenize(uniform))
            mark = uniform[-1] if uniform[-1] in "./:" else ""
            if keys:
                self.by_first.setdefault(keys[0], []).append((keys, mark, tag, language))

    def find(self, text: str, tokens: list[Token]) -> list[Hit]:
        """Return all phrases in a text, in order; of one list, the longest at each place."""
        hits: list[Hit] = []
        for position, token in enumerate(tokens):
            best: dict[tuple[str, str], Hit] = {}
            for keys, mark, tag, language in self._starting(token):
                after = position + len(keys)
                if after > len(tokens) or (len(keys) > 1 and not _match(text, tokens, position, keys)):
                    continue
                end = tokens[after - 1].end
                if mark:
                    if text[end : end + 1] != mark:
                        continue
                    end += 1
                kept = best.get((tag, language))
                if kept is None or kept.end < end:
                    best[tag, language] = Hit(tag, language, position, after, end)
            hits.extend(best.values())
            if token.kind == WORD and len(token.key) > 4:
                hits.extend(
                    Hit(tag, "", position, position + 1, token.end) for parts, tag in self.beginnings if token.key.startswith(parts)
                )
                hits.extend(Hit(tag, "", position, position + 1, token.end) for parts, tag in self.endings if token.key.endswith(parts))
        return hits

    def _starting(self, token: Token) -> list[tuple[tuple[str, ...], str, str, str]]:
        found = self.by_first.get(token.key, [])
        if not found and not token.cased and len(token.key) > 3 and token.key[0] in _ARABIC_AND:
            # "and my number": written in one with the word.
            found = self.by_first.get(token.key[1:], [])
        return found


def _match(text: str, tokens: list[Token], position: int, keys: tuple[str, ...]) -> bool:
    for offset in range(1, len(keys)):
        token = tokens[position + offset]
        if token.key != keys[offset] or not _PHRASE_GAP.fullmatch(text, tokens[position + offset - 1].end, token.start):
            return False
    return True
