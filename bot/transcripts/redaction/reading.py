"""A text as the rules for names read it."""

from __future__ import annotations

from dataclasses import dataclass

from bot.transcripts.redaction.tokens import Hit, Token

# "Servant of", "father of" and the like ask for one more word.
ASKING = frozenset({"عبد", "ابو", "ابي", "ابا", "ابن", "بن", "ام", "بنت"})


@dataclass(frozen=True)
class Reading:
    """One text with its tokens, what its titles are and whether it is written in small letters."""

    text: str
    tokens: list[Token]
    titles: dict[int, Hit]
    language: str
    small: bool

    def gap(self, position: int) -> str:
        """Return what stands before a token."""
        return self.text[self.tokens[position - 1].end : self.tokens[position].start]


def asks_for_more(read: Reading, position: int) -> bool:
    """Return whether the word before asks for one more: "عبد الرحمن", "أبو خليل"."""
    return read.tokens[position - 1].key in ASKING


def runs(read: Reading, taken: set[int]) -> list[tuple[int, int]]:
    """Return the places of names; neighbours are one name."""
    spans: list[tuple[int, int]] = []
    last = -2
    for position in sorted(taken):
        token = read.tokens[position]
        if position == last + 1 and len(read.gap(position)) <= 2 and "\n" not in read.gap(position) and "," not in read.gap(position):
            spans[-1] = (spans[-1][0], token.end)
        else:
            spans.append((token.start, token.end))
        last = position
    return spans
