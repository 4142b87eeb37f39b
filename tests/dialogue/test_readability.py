"""The German replies are plain: measured with the Wiener Sachtextformel (a grade of school, from 4 very easy to 15 very hard)."""

from __future__ import annotations

import re

import pytest
import textstat

from bot.dialogue.nlg import source_responses

# Grade of school at which a text is understood. Terms that people must know from letters (Gleichwertigkeit,
# Anerkennungszuschuss) are long; the answers explain them, and still stay below.
HARDEST, HARDEST_ON_AVERAGE = 11.0, 6.0
LONGEST_SENTENCE = 20  # words
# The measure says nothing about a shorter text.
SHORTEST_TEXT = 20  # words
TEXTS = {name: variations[0]["text"] for name, variations in source_responses().items()}
SENTENCES = {name: text for name, text in TEXTS.items() if len(text.split()) >= SHORTEST_TEXT}


def grade(text: str) -> float:
    """Return the grade of school of a text (first Wiener Sachtextformel); lists count as sentences."""
    textstat.set_lang("de")
    plain = re.sub(r"\{\w+\}|•|„|“", "", text)
    ended = re.sub(r"(?<![.!?:])\n", ".\n", plain)
    return float(textstat.wiener_sachtextformel(ended, 1))


@pytest.mark.parametrize("name", sorted(SENTENCES))
def test_a_reply_is_easy_to_read(name: str) -> None:
    assert grade(SENTENCES[name]) <= HARDEST


def test_the_replies_are_easy_on_average() -> None:
    grades = [grade(text) for text in SENTENCES.values()]
    assert sum(grades) / len(grades) <= HARDEST_ON_AVERAGE


@pytest.mark.parametrize("name", sorted(SENTENCES))
def test_sentences_are_short(name: str) -> None:
    sentences = re.split(r"(?<=[.!?:])\s+|\n", SENTENCES[name])
    assert max(len(sentence.split()) for sentence in sentences) <= LONGEST_SENTENCE
