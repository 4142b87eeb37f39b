"""From a message to the features of the intent classifier: words, lemmas, ideas, pairs of words, pieces of words.

Names of places, countries and professions become placeholders, so that "Krankenschwester aus Syrien in Cottbus" and
"Maurer aus Kosovo in Hamm" look alike. Pieces of words carry over from one inflection or spelling to the next, skeletons
from one script to the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from actions.directory.text import fold, tokenize, without_umlauts
from bot.nlu.concepts import concepts
from bot.nlu.skeleton import skeleton

Features = dict[str, Counter[str]]
PLACEHOLDERS = {"place": "xplacex", "country": "xcountryx", "profession": "xprofessionx"}
SHORTEST_PIECE, LONGEST_PIECE = 2, 5
_LONGEST_TEXT = 600


def delexicalise(text: str, entities: Iterable[dict[str, Any]]) -> str:
    """Replace the entities of a message by placeholders."""
    spans = sorted((e["start"], e["end"], e["entity"]) for e in entities if e.get("entity") in PLACEHOLDERS and "start" in e)
    parts, position = [], 0
    for start, end, entity in spans:
        if start < position:
            continue
        parts += [text[position:start], f" {PLACEHOLDERS[entity]} "]
        position = end
    return "".join([*parts, text[position:]])


def pieces(word: str) -> Iterator[str]:
    """Yield the pieces of a word, with marks where it begins and ends."""
    marked = f"<{word}>"
    for length in range(SHORTEST_PIECE, LONGEST_PIECE + 1):
        if length > len(marked):
            return
        for start in range(len(marked) - length + 1):
            yield marked[start : start + length]


def features(text: str, entities: Iterable[dict[str, Any]] = (), lemmas: Iterable[str] = ()) -> Features:
    """Return the features of a message in two blocks, ``word`` and ``piece``, each with counts.

    Args:
        text: the message as written.
        entities: what the gazetteer found in it.
        lemmas: the lemmas of its words, if a lemmatizer knows them.
    """
    entities = list(entities)
    shown = delexicalise(text[:_LONGEST_TEXT], entities)
    words = [t.folded for t in tokenize(shown)]
    word: Counter[str] = Counter(words)
    word.update(f"{a} {b}" for a, b in zip(["^", *words], [*words, "$"], strict=True))
    word.update(f"~{fold(lemma)}" for lemma in lemmas)
    # "öldürmek" is folded as in German; typed without dots it must look alike.
    plain = [t.folded for t in tokenize(without_umlauts(shown))]
    others = [b for a, b in zip(words, plain, strict=False) if a != b]
    word.update(others)
    found = concepts().find(words)
    word.update(f"@{concept}" for concept in (found | concepts().find(plain) if others else found))
    word.update(f"#{e['entity']}" for e in entities)
    word[f"#length{min(len(words), 12) // 3}"] += 1
    if "?" in text or "؟" in text:
        word["#question"] += 1
    if any(ord(c) >= 0x1F300 for c in text):
        word["#emoji"] += 1
    piece: Counter[str] = Counter()
    for w in (*words, *others):
        if w not in PLACEHOLDERS.values():
            piece.update(pieces(w))
            word[f"%{skeleton(w)}"] += 1
    del word["%"]
    return {"word": word, "piece": piece}
