"""The language part of Presidio without a model download: our tokens, our phrases, and names by a model where there is one."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import spacy
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import is_package
from spacy.vocab import Vocab

from bot.transcripts.redaction.tokens import Hit, Token, tokenize
from bot.transcripts.redaction.wordlists import LANGUAGES, words

MODELS = {"de": "de_core_news_sm"}
# What the entity labels of spaCy's models for persons are called.
PERSON_LABELS = frozenset({"PER", "PERSON"})


def model_installed(language: str) -> bool:
    """Return whether the spaCy model for a language is installed."""
    name = MODELS.get(language)
    return name is not None and is_package(name)


class Artifacts(NlpArtifacts):
    """What the recognizers share about one text: tokens and phrases of the word lists, persons found by a model."""

    def __init__(self, doc: Doc, persons: list[Span], tokens: list[Token], hits: list[Hit], engine: NlpEngine, language: str) -> None:
        super().__init__(persons, doc, [token.start for token in tokens], [token.key for token in tokens], engine, language)
        self.words = tokens
        self.hits = hits

    def tagged(self, *tags: str) -> Iterator[Hit]:
        """Return the phrases of some word lists."""
        return (hit for hit in self.hits if hit.tag in tags)


def own(artifacts: NlpArtifacts) -> Artifacts:
    """Return the artifacts as ours.

    Raises:
        TypeError: if another language part than :class:`WordEngine` made them.
    """
    if not isinstance(artifacts, Artifacts):
        raise TypeError("The recognizers need the tokens and phrases of WordEngine.")
    return artifacts


class WordEngine(NlpEngine):
    """Tokens by our own rules for all languages; a spaCy pipeline finds persons where one is given or installed.

    A spaCy vocabulary keeps every word that it has seen. Names of people must not stay in memory for as long as the
    process runs, so that our tokens enter none; only a model has one that fills.
    """

    def __init__(self, pipelines: dict[str, Language] | None = None) -> None:
        self._pipelines = pipelines
        self._lock = threading.Lock()

    def load(self) -> None:
        """Load the models that are installed."""
        if self._pipelines is None:
            self._pipelines = {language: spacy.load(name) for language, name in MODELS.items() if model_installed(language)}

    def is_loaded(self) -> bool:
        """Return whether :meth:`load` is done."""
        return self._pipelines is not None

    def process_text(self, text: str, language: str) -> Artifacts:
        """Return tokens, phrases and persons of a clean text."""
        tokens = tokenize(text)
        hits = words().phrases.find(text, tokens)
        pipeline = (self._pipelines or {}).get(language)
        if pipeline is None:
            doc = Doc(_empty_vocabulary(), words=[])
            return Artifacts(doc, [], tokens, hits, self, language)
        with self._lock:
            doc = pipeline(text)
        return Artifacts(doc, [span for span in doc.ents if span.label_ in PERSON_LABELS], tokens, hits, self, language)

    def process_batch(
        self, texts: Iterable[str], language: str, batch_size: int = 1, n_process: int = 1, **_: Any
    ) -> Iterator[tuple[str, Artifacts]]:
        """Return each text with what :meth:`process_text` finds."""
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word: str, language: str) -> bool:
        """Return whether a word is common."""
        return word in words().common

    def is_punct(self, word: str, language: str) -> bool:
        """Return whether this is no word."""
        return not any(character.isalnum() for character in word)

    def get_supported_entities(self) -> list[str]:
        """Return what a model finds."""
        return ["name"]

    def get_supported_languages(self) -> list[str]:
        """Return the languages of the guide."""
        return list(LANGUAGES)


@lru_cache(maxsize=1)
def _empty_vocabulary() -> Vocab:
    return Vocab()
