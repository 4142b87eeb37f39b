"""Rasa component: what does the person need?

Four things decide, in this order:

1. the emergency lexicon: a hit is ``crisis``, unless the classifier is sure that the words are meant in another way ("the
   heat is killing me");
2. a message that only names places, countries or professions is ``inform``;
3. a trained classifier (``bot.nlu.mixture``). The probabilities of a need and of the questions that belong to it are added
   up, because "is it recognition or a question about recognition?" is no reason to doubt that it is recognition;
4. below the threshold the message counts as not understood, and the guide asks back.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.nlu.constants import TOKENS_NAMES
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import ENTITIES, INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from actions.directory.models import NEEDS
from actions.directory.text import tokenize
from bot.languages import SPOKEN_LANGUAGES
from bot.nlu import lookups
from bot.nlu.emergency import danger_in
from bot.nlu.features import Features, features
from bot.nlu.language import named_language, only_asks_for_language
from bot.nlu.mixture import Mixture

FALLBACK = "nlu_fallback"
FAQ = "faq"
RANKING_LENGTH = 10


@lru_cache(maxsize=1)
def needs_of_topics() -> Dict[str, str]:
    """Return the need to which each question belongs: ``faq/<topic>`` -> need (``data/lookups/faq_topics.csv``)."""
    path = lookups.DATA / "lookups" / "faq_topics.csv"
    return {f"{FAQ}/{row['topic']}": row["need"] for _, row in lookups.read_table(path, ("topic", "need"))}


def need_of(intent: str) -> Optional[str]:
    """Return the need of an intent: itself, the need of a question, or None for a dialogue intent."""
    return intent if intent in NEEDS else needs_of_topics().get(intent)


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER], is_trainable=True)
class NeedClassifier(GraphComponent, IntentClassifier):
    """Sets intent, ranking, and for a question the answer that belongs to it."""

    @staticmethod
    def get_default_config() -> Dict[str, Any]:
        """Return the defaults.

        ``threshold``: below this confidence the message counts as not understood. ``crisis_threshold``: from this
        probability on a message is a crisis even if another intent is likelier; a missed emergency is worse than a
        wrong alarm (``crisis_threshold_few_words`` for one word or two). ``harmless_threshold``: below this probability
        of a crisis a hit of the emergency lexicon does not count, if at the same time another need reaches the
        threshold; it is meant to be tiny. ``place_threshold``: below this confidence a place named in answer to "where
        do you live?" is just that answer. ``switch_threshold``: while a question is open, another need must be at least
        so clear; "no idea" is no change of subject.
        """
        return {
            "threshold": 0.35,
            "crisis_threshold": 0.25,
            "crisis_threshold_few_words": 0.6,
            "harmless_threshold": 0.005,
            "place_threshold": 0.75,
            "switch_threshold": 0.85,
            "regularisation": 0.3,
        }

    def __init__(self, config: Dict[str, Any], model_storage: ModelStorage, resource: Resource, model: Optional[Mixture] = None) -> None:
        self.config = config
        self._model_storage = model_storage
        self._resource = resource
        self._use(model)

    def _use(self, model: Optional[Mixture]) -> None:
        self.model = model
        if model is None:
            return
        groups = [need_of(name) or name for name in model.classes]
        self._groups = sorted(set(groups))
        self._membership = np.zeros((len(model.classes), len(self._groups)), dtype=np.float32)
        for row, group in enumerate(groups):
            self._membership[row, self._groups.index(group)] = 1.0
        self._group_of = np.array([self._groups.index(group) for group in groups])

    @classmethod
    def create(
        cls, config: Dict[str, Any], model_storage: ModelStorage, resource: Resource, execution_context: ExecutionContext
    ) -> NeedClassifier:
        """Create the untrained component (called by Rasa)."""
        return cls(config, model_storage, resource)

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        """Return what makes a new training necessary: a change in a lookup table."""
        return lookups.fingerprint()

    def train(self, training_data: TrainingData) -> Resource:
        """Train on all examples that have a text and an intent."""
        examples = [m for m in training_data.intent_examples if m.get(TEXT) and m.get(INTENT)]
        labels = [m.get("intent_response_key") or m.get(INTENT) for m in examples]
        self._use(Mixture.fit([_features(m) for m in examples], labels, self.config["regularisation"]))
        assert self.model is not None
        with self._model_storage.write_to(self._resource) as folder:
            self.model.save(folder / "model.npz")
        return self._resource

    @classmethod
    def load(
        cls,
        config: Dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> NeedClassifier:
        """Load the trained component (called by Rasa)."""
        with model_storage.read_from(resource) as folder:
            return cls(config, model_storage, resource, Mixture.load(folder / "model.npz"))

    def process(self, messages: List[Message], tracker: Optional[DialogueStateTracker] = None) -> List[Message]:
        """Classify messages.

        Args:
            messages: the messages, with the entities of the gazetteer.
            tracker: the conversation (handed over because of the parameter's name): tells whether a place was asked for.
        """
        for message in messages:
            if message.get(TEXT):
                self._classify(message, tracker)
        return messages

    def _classify(self, message: Message, tracker: Optional[DialogueStateTracker]) -> None:
        ranking = self._ranking(message)
        danger = danger_in(message.get(TEXT))
        if danger and self._means_no_danger(ranking):
            danger = None
        name, confidence = self._decide(message, ranking, danger, tracker)
        if danger:
            message.set("danger", danger, add_to_output=True)
        if message.get("unsupported_language"):
            # Whatever the classifier reads into a language that it does not know is a guess; danger alone is not.
            name, confidence = (name, confidence) if name == "crisis" else ("switch_language", 1.0)
        elif name == "switch_language":
            _add_wanted_language(message)
        intent: Dict[str, Any] = {"name": name.split("/")[0], "confidence": confidence}
        message.set(INTENT, intent, add_to_output=True)
        message.set("intent_ranking", ranking[:RANKING_LENGTH], add_to_output=True)
        if name.startswith(f"{FAQ}/"):
            message.set("response_selector", selected_answer(name, confidence), add_to_output=True)

    def _ranking(self, message: Message) -> List[Dict[str, Any]]:
        """Return all intents, best first: first the likeliest group, in it the likeliest intent.

        The confidence of an intent is that of its whole group for the first of the group, its own for the others.
        """
        assert self.model is not None, "The classifier has not been trained."
        probabilities = self.model.probabilities(_features(message))
        by_group = probabilities @ self._membership
        order = np.lexsort((-probabilities, -by_group[self._group_of]))
        ranking, seen = [], set()
        for index in order:
            group = int(self._group_of[index])
            confidence = float(probabilities[index] if group in seen else by_group[group])
            seen.add(group)
            name = self.model.classes[index]
            ranking.append({"name": name, "confidence": confidence, "need": need_of(name)})
        return ranking

    def _decide(
        self,
        message: Message,
        ranking: List[Dict[str, Any]],
        danger: Optional[str],
        tracker: Optional[DialogueStateTracker],
    ) -> Tuple[str, float]:
        asked = tracker.get_slot("requested_slot") if tracker is not None else None
        need = tracker.get_slot("need") if tracker is not None else None
        named = {entity["entity"] for entity in message.get(ENTITIES) or []}
        if danger:
            return "crisis", 1.0
        if only_asks_for_language(message.get(TEXT), lookups.cues()["filler"]):
            return "switch_language", 1.0
        # Whoever introduces themselves with a profession and a foreign country wants to work in that profession.
        introduces = need is None and asked is None and {"profession", "country"} <= named
        if only_names(message):
            return ("recognition", 0.9) if introduces else ("inform", 1.0)
        crisis = next((entry["confidence"] for entry in ranking if entry["name"] == "crisis"), 0.0)
        # A word or two tell little: there only the lexicon, or a clear case, raises the alarm.
        few = len(tokenize(message.get(TEXT))) <= 2
        if crisis >= self.config["crisis_threshold_few_words" if few else "crisis_threshold"]:
            return "crisis", crisis
        if ranking[0]["name"] == "crisis":
            return FALLBACK, 1.0 - crisis
        best = ranking[0]
        if not self._knows_a_word(message):
            return FALLBACK, 1.0
        if asked in named and best["confidence"] < self.config["place_threshold"]:
            return "inform", 1.0 - best["confidence"]
        changes_need = asked is not None and best["name"] in NEEDS and best["name"] != need
        if best["confidence"] < self.config["switch_threshold" if changes_need else "threshold"]:
            return FALLBACK, 1.0 - best["confidence"]
        if best["name"] == "inform" and introduces:
            return "recognition", best["confidence"]
        return best["name"], best["confidence"]

    def _means_no_danger(self, ranking: List[Dict[str, Any]]) -> bool:
        crisis = next((entry["confidence"] for entry in ranking if entry["name"] == "crisis"), 1.0)
        return bool(crisis < self.config["harmless_threshold"] and ranking[0]["confidence"] >= self.config["threshold"])

    def _knows_a_word(self, message: Message) -> bool:
        """Return whether at least one word of the message occurred in training: pieces of words alone prove nothing."""
        assert self.model is not None
        words = [token.folded for token in tokenize(message.get(TEXT))]
        return not words or any(f"word:{word}" in self.model.vectoriser.vocabulary for word in words)


def _add_wanted_language(message: Message) -> None:
    """Replace a detected language by the one that is asked for: "auf Englisch bitte" is German."""
    wanted = named_language(message.get(TEXT))
    entities = [e for e in message.get(ENTITIES) or [] if e["entity"] != "language"]
    if wanted is not None and wanted not in SPOKEN_LANGUAGES:
        message.set("unsupported_language", wanted, add_to_output=True)
    elif wanted is not None:
        entities.append({"entity": "language", "value": wanted, "start": 0, "end": len(message.get(TEXT)), "extractor": "NeedClassifier"})
    message.set(ENTITIES, entities, add_to_output=True)


def _features(message: Message) -> Features:
    lemmas = [token.lemma for token in message.get(TOKENS_NAMES[TEXT]) or []]
    return features(message.get(TEXT), message.get(ENTITIES) or [], lemmas)


def only_names(message: Message) -> bool:
    """Return whether a message consists of places, countries and professions, and little words between them."""
    spans = [(e["start"], e["end"]) for e in message.get(ENTITIES) or [] if e["entity"] in ("place", "country", "profession")]
    if not spans:
        return False
    rest = [t for t in tokenize(message.get(TEXT)) if not any(start <= t.start < end for start, end in spans)]
    return all(t.folded in lookups.cues()["filler"] or t.folded.isdigit() for t in rest)


def selected_answer(intent: str, confidence: float) -> Dict[str, Any]:
    """Return what Rasa's ``utter_faq`` reads to know which answer to give (the form of a ``ResponseSelector``).

    Args:
        intent: the full name of the question, ``faq/<topic>``.
        confidence: how sure the classifier is.
    """
    answer = {"name": intent, "confidence": confidence, "intent_response_key": intent, "utter_action": f"utter_{intent}"}
    return {"all_retrieval_intents": [FAQ], FAQ: {"response": answer, "ranking": [answer]}}
