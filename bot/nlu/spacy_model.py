"""The German spaCy model, or its stand-in: chosen here and nowhere else.

``de_core_news_sm`` is no package of the registry but a download of its own, which a closed network refuses. Set-up tries
it; without it a blank German pipeline with the lookup lemmatizer of ``spacy-lookups-data`` stands in. The two lemmatize
differently, so a model trained with one refuses to run with the other.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Any, Dict, List, Optional

import spacy
from rasa.engine.graph import ExecutionContext
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.tokenizers.tokenizer import Token, Tokenizer
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from spacy.language import Language

from actions.directory.text import tokenize

logger = logging.getLogger(__name__)

STAND_IN = "blank-de-lookup"
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")


class SpacyModelMismatch(Exception):
    """The bot was trained with another spaCy model than the one that is installed; it must be trained anew."""


@lru_cache(maxsize=2)
def load_spacy(name: str) -> tuple[str, Language]:
    """Load a spaCy model, or the stand-in if it is not installed.

    Args:
        name: the package of the model, such as ``de_core_news_sm``.

    Returns:
        What was loaded (name and version, or :data:`STAND_IN`) and the pipeline.
    """
    if spacy.util.is_package(name):
        nlp = spacy.load(name, exclude=["parser", "ner"])
        return f"{name}-{nlp.meta['version']}", nlp
    logger.warning("The spaCy model %s is not installed; a lookup lemmatizer stands in (docs/operating.md).", name)
    nlp = spacy.blank("de")
    nlp.add_pipe("lemmatizer", config={"mode": "lookup"})
    nlp.initialize()
    return STAND_IN, nlp


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_TOKENIZER, is_trainable=True)
class SpacyLemmas(Tokenizer):
    """Tokens with lemmas. Training only notes which spaCy model was used."""

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Return the defaults (see the parent class)."""
        return {
            "model": "de_core_news_sm",
            "intent_tokenization_flag": False,
            "intent_split_symbol": "_",
            "token_pattern": None,
            "prefix_separator_symbol": None,
        }

    def __init__(self, config: Dict[str, Any], model_storage: ModelStorage, resource: Resource) -> None:
        super().__init__(config)
        self._model_storage = model_storage
        self._resource = resource
        self.loaded, self._nlp = load_spacy(config["model"])

    @classmethod
    def create(
        cls, config: Dict[str, Any], model_storage: ModelStorage, resource: Resource, execution_context: ExecutionContext
    ) -> SpacyLemmas:
        """Create the component (called by Rasa)."""
        return cls(config, model_storage, resource)

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        """Return which spaCy model is there, so that Rasa trains anew when that changes."""
        return load_spacy(config.get("model", "de_core_news_sm"))[0]

    def train(self, training_data: TrainingData) -> Resource:
        """Note in the model which spaCy model it is trained with."""
        with self._model_storage.write_to(self._resource) as folder:
            (folder / "spacy_model.txt").write_text(self.loaded, encoding="utf-8")
        return self._resource

    @classmethod
    def load(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> SpacyLemmas:
        """Load the component.

        Raises:
            SpacyModelMismatch: if the bot was trained with another spaCy model.
        """
        component = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            trained = (folder / "spacy_model.txt").read_text(encoding="utf-8")
        if trained != component.loaded:
            raise SpacyModelMismatch(f"The bot was trained with {trained}, but {component.loaded} is installed. Please run `lotse train`.")
        return component

    def tokenize(self, message: Message, attribute: str) -> List[Token]:
        """Return the tokens of a message with their lemmas (called by Rasa)."""
        text = message.get(attribute) or ""
        if not _LATIN.search(text):
            # The German model knows nothing about other scripts.
            return [Token(text[t.start : t.end], t.start) for t in tokenize(text)]
        return [Token(token.text, token.idx, lemma=token.lemma_ or token.text) for token in self._nlp(text) if token.text.strip()]
