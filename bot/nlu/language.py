"""In which language does the person write, and which one do they want?

The language of the session wins: detection is poor on single words, names and transliterations. It changes only when
somebody asks for it, or when a clear sentence in another language arrives that the guide speaks.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any, Dict, FrozenSet, List, Optional

from babel import Locale
from lingua import Language, LanguageDetectorBuilder
from lingua import LanguageDetector as Lingua
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message

from actions.directory.text import fold_word, name_key, tokenize
from bot.settings import LANGUAGES, SPOKEN_LANGUAGES

# A sentence of fewer words may be a town, a name or a German term in any language.
FEWEST_WORDS = 4
SURE = 0.7
# For showing (not for switching) the likeliest language is good enough.
LIKELY = (2, 0.5)
# Languages outside the eleven that people ask for most; the guide must know the name to say that it does not speak it.
_OTHER_LANGUAGES = ("it", "pt", "sr", "hr", "bs", "sq", "vi", "zh", "hi", "ur", "bn", "ku", "ps", "ti", "am", "so", "bg", "hu", "el")


@lru_cache(maxsize=1)
def detector() -> Lingua:
    """Return the detector of the eleven languages (offline, loaded once)."""
    wanted = [Language.from_iso_code_639_1(_iso(code)) for code in LANGUAGES]
    return LanguageDetectorBuilder.from_languages(*wanted).with_low_accuracy_mode().build()


def _iso(code: str) -> Any:
    from lingua import IsoCode639_1

    return IsoCode639_1.from_str(code)


def detect(text: str, fewest_words: int = FEWEST_WORDS, sure: float = SURE) -> Optional[str]:
    """Return the language of ``text``, one of the eleven, or None if that is not clear.

    Args:
        text: the message.
        fewest_words: how many words it must have.
        sure: how confident (0 to 1) the detector must be.
    """
    if sum(1 for token in tokenize(text) if token.folded.isalpha()) < fewest_words:
        return None
    best = next(iter(detector().compute_language_confidence_values(text)), None)
    if best is None or best.value < sure:
        return None
    return best.language.iso_code_639_1.name.lower()


def clearly(text: str, found: str, current: str) -> bool:
    """Return whether a text is in ``found`` rather than ``current`` by its function words, too.

    A detector that knows only letters takes "what about courses in Leipzig" for German because of Leipzig; the little
    words of a language do not deceive.
    """
    words = [token.folded for token in tokenize(text)]
    new = sum(1 for word in words if word in function_words(found))
    old = sum(1 for word in words if word in function_words(current))
    return new >= 2 and new > old


@lru_cache(maxsize=len(LANGUAGES))
def function_words(language: str) -> FrozenSet[str]:
    """Return the folded function words of a language (the stop words of spaCy)."""
    return frozenset(fold_word(word) for word in import_module(f"spacy.lang.{language}.stop_words").STOP_WORDS)


@lru_cache(maxsize=1)
def language_names() -> Dict[str, str]:
    """Return folded name -> code: each language's name in each of the eleven languages and in itself (CLDR)."""
    names: Dict[str, str] = {}
    for code in (*LANGUAGES, *_OTHER_LANGUAGES):
        own = Locale.parse(code).display_name if code in LANGUAGES else None
        for name in [own, *(Locale(language).languages.get(code) for language in LANGUAGES)]:
            if name:
                names.setdefault(name_key(name), code)
    names.update({"farsi": "fa", "dari": "fa", "persian": "fa", "arabi": "ar", "turkce": "tr", "kurmanci": "ku"})
    return names


def named_language(text: str) -> Optional[str]:
    """Return the language that a message names last ("can we write Arabic?" -> ``ar``), or None."""
    known = language_names()
    found = [known[token.folded] for token in tokenize(text) if token.folded in known]
    return found[-1] if found else None


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR], is_trainable=False)
class LanguageDetector(GraphComponent):
    """Adds the entity ``language`` when a clear sentence in another spoken language arrives.

    The entity fills the slot of the same name, and the reply comes in that language. When the language is asked for by
    name, the classifier finds the intent ``switch_language`` and the component the language that is named.
    """

    @classmethod
    def create(
        cls, config: Dict[str, Any], model_storage: ModelStorage, resource: Resource, execution_context: ExecutionContext
    ) -> LanguageDetector:
        """Create the component (called by Rasa)."""
        return cls()

    def process(self, messages: List[Message], tracker: Optional[DialogueStateTracker] = None) -> List[Message]:
        """Add the detected language to each message, and the entity if the conversation should follow it."""
        current = tracker.get_slot("language") if tracker is not None else None
        for message in messages:
            text = message.get(TEXT) or ""
            found = detect(text)
            message.set("language", found or detect(text, *LIKELY), add_to_output=True)
            if current and found and found != current and found in SPOKEN_LANGUAGES and clearly(text, found, current):
                entity = {"entity": "language", "value": found, "start": 0, "end": len(text), "extractor": "LanguageDetector"}
                message.set(ENTITIES, [*(message.get(ENTITIES) or []), entity], add_to_output=True)
        return messages
