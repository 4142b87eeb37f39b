"""Rasa component: places, countries, professions and residence as entities."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from actions.directory.text import tokenize
from bot.languages import SPOKEN_LANGUAGES
from bot.nlu import lookups
from bot.nlu.matcher import Matcher
from bot.nlu.vocabulary import Vocabulary


# Registered as a featurizer too: only then does Rasa run it before the classifier is trained.
@DefaultV1Recipe.register(
    [DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER], is_trainable=True
)
class Gazetteer(GraphComponent, EntityExtractorMixin):
    """Adds the entities ``place``, ``country``, ``profession`` and ``residence`` that a message names.

    Training only collects the vocabulary of ordinary words; the names themselves are data in ``data/``.
    """

    def __init__(self, model_storage: ModelStorage, resource: Resource, vocabulary: Optional[Vocabulary] = None) -> None:
        self._model_storage = model_storage
        self._resource = resource
        self._matcher = Matcher(vocabulary) if vocabulary is not None else None

    @classmethod
    def create(
        cls, config: Dict[str, Any], model_storage: ModelStorage, resource: Resource, execution_context: ExecutionContext
    ) -> Gazetteer:
        """Create the untrained component (called by Rasa)."""
        return cls(model_storage, resource)

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        """Return what makes a new training necessary: a change in a lookup table."""
        return lookups.fingerprint()

    def train(self, training_data: TrainingData) -> Resource:
        """Collect the vocabulary and keep it in the model."""
        words = {t.folded for m in training_data.intent_examples for t in tokenize(m.get(TEXT) or "")}
        names = _town_words()
        lists = Vocabulary.build(SPOKEN_LANGUAGES)
        matcher = Matcher(lists)
        # Names with an ending stand in the examples, too; they must not become ordinary words.
        vocabulary = lists.with_words(w for w in words if w not in names and matcher.without_ending(w) is None)
        with self._model_storage.write_to(self._resource) as folder:
            np.savez(folder / "vocabulary.npz", hashes=vocabulary.hashes)
        self._matcher = Matcher(vocabulary)
        return self._resource

    @classmethod
    def load(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> Gazetteer:
        """Load the vocabulary from the model and the names from ``data/``."""
        with model_storage.read_from(resource) as folder:
            with np.load(folder / "vocabulary.npz") as stored:
                return cls(model_storage, resource, Vocabulary(stored["hashes"]))

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Add the entities to the training examples, so that the classifier sees what it will see later."""
        self._add(training_data.training_examples, place_is_asked=False)
        return training_data

    def process(self, messages: List[Message], tracker: Optional[DialogueStateTracker] = None) -> List[Message]:
        """Add the entities to new messages.

        Args:
            messages: the messages.
            tracker: the conversation, handed over by Rasa because of the parameter's name (undocumented; there is a
                test): tells whether the guide has just asked for the place.
        """
        asked = tracker is not None and tracker.get_slot("requested_slot") == "place"
        self._add(messages, asked)
        return messages

    def _add(self, messages: List[Message], place_is_asked: bool) -> None:
        assert self._matcher is not None, "The gazetteer has not been trained."
        for message in messages:
            text = message.get(TEXT)
            if not text:
                continue
            entities = [
                {
                    "entity": found.entity,
                    "value": found.value,
                    "start": found.start,
                    "end": found.end,
                    "confidence": 1.0,
                    "extractor": "Gazetteer",
                }
                for found in self._matcher.find(text, place_is_asked)
            ]
            if any(e["entity"] == "residence" and e["value"] == "abroad" for e in entities):
                # Whoever is not in Germany has told the place: the form must not ask for it.
                if not any(e["entity"] == "place" for e in entities):
                    entities += [{**e, "entity": "place"} for e in entities if e["entity"] == "residence"]
            message.set(ENTITIES, [*(message.get(ENTITIES) or []), *entities], add_to_output=True)


def _town_words() -> frozenset[str]:
    from bot.nlu.matcher import _town_index

    return frozenset(key for key in _town_index() if " " not in key)
