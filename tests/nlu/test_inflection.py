"""Names with endings and prefixes."""

from __future__ import annotations

import pytest

from actions.directory.text import fold_word
from bot.nlu.inflection import bases


@pytest.mark.parametrize(
    ("written", "base"),
    [
        ("Мюнхене", "мюнхен"),
        ("Лейпцигу", "леипциг"),
        ("Нюрнберзі", "нюрнберг"),
        ("Фульде", "фульда"),
        ("Kölnde", "koeln"),
        ("Dortmundda", "dortmund"),
        ("hemşireyim", "hemsire"),
        ("Berlinie", "berlin"),
        ("Frankfurcie", "frankfurt"),
        ("Dortmundzie", "dortmund"),
        ("Kolonii", "kolonia"),
        ("ببرلين", "برلین"),
    ],
)
def test_the_base_of_a_name_is_among_the_proposals(written: str, base: str) -> None:
    assert base in list(bases(fold_word(written)))


def test_a_short_word_keeps_its_ending() -> None:
    assert [base for base in bases("und") if base == "un"] == []
    assert list(bases("")) == []
