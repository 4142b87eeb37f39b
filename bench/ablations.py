"""Our classifier with one idea taken away, to see what the idea is worth. Named in the configurations of ``variants``."""

from __future__ import annotations

from collections import Counter
from typing import Any, Callable, Dict, List, Optional
from unittest.mock import patch

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.nlu.constants import TOKENS_NAMES
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.nlu import intent
from bot.nlu.features import Features, features
from bot.nlu.intent import NeedClassifier

_all_features = intent._features


def without_concepts(message: Message) -> Features:
    """Return the features of a message without the ideas of the lexicon (``@...``)."""
    blocks = _all_features(message)
    return {**blocks, "word": Counter({name: n for name, n in blocks["word"].items() if not name.startswith("@")})}


def without_placeholders(message: Message) -> Features:
    """Return the features of a message as it is written: names stay names, and nothing tells that they are some."""
    return features(message.get(TEXT), (), [token.lemma for token in message.get(TOKENS_NAMES[TEXT]) or []])


class _Ablation(NeedClassifier):
    """The classifier with other features, in training and in use."""

    chosen: Callable[[Message], Features]

    def train(self, training_data: TrainingData) -> Resource:
        """Train on the other features."""
        with patch.object(intent, "_features", type(self).chosen):
            return super().train(training_data)

    def process(self, messages: List[Message], tracker: Optional[DialogueStateTracker] = None) -> List[Message]:
        """Classify by the other features."""
        with patch.object(intent, "_features", type(self).chosen):
            return super().process(messages, tracker)


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER], is_trainable=True)
class WithoutConcepts(_Ablation):
    """Without the concept lexicon."""

    chosen = staticmethod(without_concepts)

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        """Return what tells this model from ours in Rasa's cache."""
        return f"without concepts {super().fingerprint_addon(config)}"


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER], is_trainable=True)
class WithoutPlaceholders(_Ablation):
    """Without the placeholders and flags of the gazetteer; what the gazetteer finds is still an entity."""

    chosen = staticmethod(without_placeholders)

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        """Return what tells this model from ours in Rasa's cache."""
        return f"without placeholders {super().fingerprint_addon(config)}"
