"""Left-to-right pieces in right-to-left text: telephone numbers, web addresses, German words.

In Arabic and Persian text the browser or the messenger orders characters by Unicode's rules; a telephone number with
blanks, or a German term with a bracket, comes out scrambled unless it is isolated. Whatever the guide says passes here,
so translators write normally.
"""

from __future__ import annotations

import re
from typing import Any

from bot.languages import RIGHT_TO_LEFT

LEFT_TO_RIGHT_ISOLATE, POP_ISOLATE = "\u2066", "\u2069"
ISOLATES = re.compile("[\u2066-\u2069]")
_CORE = "0-9A-Za-z\u00c0-\u024f"
# From a Latin letter or digit (and the sign before it) to the last one before another script or the end of the line.
_RUN = re.compile(rf"[+§#@]?[ \u00a0]?[{_CORE}](?:[{_CORE} \u00a0\u202f.,:;/@&+*'’%§€=?#~_()„“\"–-]*[{_CORE}%€])?(?:[+]/-|[+])?")
# Numbers alone stand right in any text.
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*%?")


def isolate(text: str, language: str) -> str:
    """Return ``text`` with its left-to-right pieces isolated, if ``language`` runs from right to left.

    Args:
        text: what is said; pieces that are isolated already stay as they are.
        language: the language in which it is said.
    """
    if language not in RIGHT_TO_LEFT:
        return text
    return "\n".join(_isolate_line(line) for line in ISOLATES.sub("", text).split("\n"))


def _isolate_line(line: str) -> str:
    parts, position, start = [], 0, 0
    while match := _RUN.search(line, start):
        start, end = match.span()
        start += len(match.group()) - len(match.group().lstrip())
        end = start + _before_stray_bracket(line[start:end])
        piece = line[start:end]
        # A bracket that was opened inside is closed inside.
        while piece.count("(") > piece.count(")") and line[end : end + 1] == ")":
            end += 1
            piece = line[start:end]
        if piece.count("(") > piece.count(")"):
            # What stands in the bracket is of another script: the run ends before it.
            end = start + piece.rindex("(")
            piece = line[start:end].rstrip()
            end = start + len(piece)
        if piece and not _NUMBER.fullmatch(piece):
            parts += [line[position:start], LEFT_TO_RIGHT_ISOLATE, piece, POP_ISOLATE]
            position = end
        start = max(end, start + 1)
    return "".join([*parts, line[position:]])


def _before_stray_bracket(piece: str) -> int:
    """Return where a run ends: before the first bracket that closes what was opened outside of it."""
    depth = 0
    for position, character in enumerate(piece):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return position
    return len(piece)


def isolate_message(message: dict[str, Any], language: str) -> None:
    """Isolate the pieces of a whole message in place: its text, the titles of its buttons, the notes of its referral."""
    message["text"] = isolate(message.get("text") or "", language)
    for button in message.get("buttons") or []:
        button["title"] = isolate(button["title"], language)
    referral = message.get("referral")
    if referral:
        referral["notes"] = [isolate(note, language) for note in referral.get("notes") or []]
