"""In which language does the person write, and which one do they want?

The language of the session wins: detection is poor on single words, names and mixed text. It changes only when somebody
asks for it (by a name of the language, a flag or a button), or when a clear sentence in another language arrives. Tables:
``data/lookups/languages.csv`` and ``other_languages.csv``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any, Dict, FrozenSet, List, Optional, Tuple

from babel import Locale
from lingua import IsoCode639_1, Language, LanguageDetectorBuilder
from lingua import LanguageDetector as Lingua
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message

from actions.directory.database import DATA
from actions.directory.text import Token, fold_word, name_key, tokenize
from bot.languages import LANGUAGES, SPOKEN_LANGUAGES, all_languages
from bot.nlu.lookups import read_table

# A sentence of fewer words (names not counted) may be a town, a name or a German term in any language; in another
# script than that of the conversation, fewer are clear.
FEWEST_WORDS = 4
FEWEST_WORDS_OTHER_SCRIPT = 2
SURE = 0.7
CERTAIN = 0.95
# For showing (not for switching) the likeliest language is good enough.
LIKELY = 0.5
ENGLISH = "en"
# Letters that only one of two close languages has.
_LETTERS = {"uk": frozenset("іїєґ"), "ru": frozenset("ыэъё"), "fa": frozenset("پچژگکی"), "ar": frozenset("ةإ")}
_RIVALS = {"uk": "ru", "ru": "uk", "ar": "fa", "fa": "ar"}
# These scripts are written in none of the guide's languages; the name of the script is the first word of its letters.
_OTHER_SCRIPTS = {
    "ETHIOPIC": "ti",
    "DEVANAGARI": "hi",
    "BENGALI": "bn",
    "CJK": "zh",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "THAI": "th",
    "GREEK": "el",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
    "HEBREW": "he",
    "TAMIL": "ta",
    "GURMUKHI": "pa",
}
_SCRIPTS = {"LATIN": "latin", "CYRILLIC": "cyrillic", "ARABIC": "arabic"}
_SCRIPT_OF = {"ar": "arabic", "fa": "arabic", "uk": "cyrillic", "ru": "cyrillic"}
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
# The share of a message's words that must be little words of a transliterated language, and how many at least.
TRANSLITERATED_SHARE, TRANSLITERATED_WORDS = 0.3, 3


@dataclass(frozen=True)
class OtherLanguage:
    """A language that the guide does not speak: letters of its own, and words that the guide's languages do not have."""

    code: str
    letters: FrozenSet[str]
    words: FrozenSet[str]


@lru_cache(maxsize=1)
def other_languages() -> Dict[str, OtherLanguage]:
    """Return the languages that the guide recognises in order to say that it does not speak them."""
    path = DATA / "lookups" / "other_languages.csv"
    rows = read_table(path, ("language", "letters", "words"))
    return {
        row["language"]: OtherLanguage(
            row["language"], frozenset(row["letters"]), frozenset(name_key(w) for w in row["words"].split("|") if w)
        )
        for _, row in rows
    }


@lru_cache(maxsize=2)
def detector(others: bool = False) -> Lingua:
    """Return the detector of the guide's languages, or the one that knows their neighbours, too (offline, loaded once).

    The second one is rough (less memory) and only gives a hint; :func:`_is_other` looks for words.
    """
    codes = {code.name.lower() for code in (language.iso_code_639_1 for language in Language.all())}
    wanted = [code for code in (*LANGUAGES, *(other_languages() if others else ())) if code in codes]
    chosen = [Language.from_iso_code_639_1(IsoCode639_1.from_str(code)) for code in wanted]
    builder = LanguageDetectorBuilder.from_languages(*chosen)
    return (builder.with_low_accuracy_mode() if others else builder).build()


@lru_cache(maxsize=len(LANGUAGES))
def function_words(language: str) -> FrozenSet[str]:
    """Return the folded function words of a language (the stop words of spaCy)."""
    return frozenset(fold_word(word) for word in import_module(f"spacy.lang.{language}.stop_words").STOP_WORDS)


@lru_cache(maxsize=len(LANGUAGES))
def latin_words(language: str) -> FrozenSet[str]:
    """Return the folded little words of a language of another script, as people write them in Latin letters."""
    return frozenset(fold_word(word) for word in all_languages()[language].latin_words)


def script_of(text: str) -> Optional[str]:
    """Return the script of most letters (``latin``, ``cyrillic``, ``arabic``, or a code for others); None without letters."""
    counts = Counter(_script(character) for character in text if character.isalpha())
    counts.pop("", None)
    return counts.most_common(1)[0][0] if counts else None


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    name = unicodedata.name(character, "").partition(" ")[0]
    return _SCRIPTS.get(name) or _OTHER_SCRIPTS.get(name, "")


@dataclass(frozen=True)
class Detected:
    """The language of a message; ``words`` counts its words outside of names."""

    language: str
    confidence: float
    words: int


def detect(text: str, names: Tuple[Tuple[int, int], ...] = ()) -> Optional[Detected]:
    """Return the likeliest language of ``text``, one of the eleven or another one, or None if it has no words.

    Args:
        text: the message.
        names: where names stand in it (start, end); they tell nothing about the language.
    """
    words = [t for t in tokenize(text) if t.folded.isalpha() and not any(s <= t.start < e for s, e in names)]
    rest = " ".join(text[t.start : t.end] for t in words)
    script = script_of(rest)
    if not words or script is None:
        return None
    if script not in ("latin", "cyrillic", "arabic"):
        return Detected(script, 1.0, len(words))
    for other in other_languages().values():
        if other.letters and sum(1 for c in rest if c in other.letters) >= 2:
            return Detected(other.code, 1.0, len(words))
    if script == "latin":
        transliterated = _transliterated(words)
        if transliterated:
            return Detected(transliterated, SURE, len(words))
    code, confidence = _likeliest(rest, others=True)
    if code not in LANGUAGES and _is_other(words, code, confidence):
        return Detected(code, confidence, len(words))
    code, confidence = _likeliest(rest)
    told = _letters_tell(rest, code)
    return Detected(told or code, 1.0 if told else confidence, len(words))


def _likeliest(text: str, others: bool = False) -> Tuple[str, float]:
    best = detector(others).compute_language_confidence_values(text)[0]
    return best.language.iso_code_639_1.name.lower(), best.value


def _letters_tell(text: str, code: str) -> Optional[str]:
    """Return the language whose own letters a text has, of two close ones, if only one of them has any."""
    rival = _RIVALS.get(code)
    if rival is None:
        return None
    with_letters = [one for one in (code, rival) if _has_letters(text, one)]
    return with_letters[0] if len(with_letters) == 1 else None


def _has_letters(text: str, code: str) -> bool:
    return any(c in _LETTERS[code] for c in text.lower())


def _written_in_latin(text: str, current: str, found: str) -> bool:
    """Return whether a message in Latin letters is rather in the language of the conversation, which has other letters."""
    words = [token.folded for token in tokenize(text)]
    here = sum(1 for word in words if word in latin_words(current))
    return here >= 2 and here > sum(1 for word in words if word in function_words(found))


def _transliterated(words: List[Token]) -> Optional[str]:
    """Return the language that a message in Latin letters is transliterated from, or None."""
    counts = {code: sum(1 for w in words if w.folded in latin_words(code)) for code in LANGUAGES if latin_words(code)}
    best = max(counts, key=lambda code: counts[code])
    if counts[best] < TRANSLITERATED_WORDS or counts[best] < TRANSLITERATED_SHARE * len(words):
        return None
    if sum(1 for count in counts.values() if count == counts[best]) > 1:
        return None
    native = max(sum(1 for w in words if w.folded in function_words(code)) for code in LANGUAGES if code not in _SCRIPT_OF)
    return best if counts[best] > native else None


def _is_other(words: List[Token], code: str, confidence: float) -> bool:
    """Return whether a message is really in a language that the guide does not speak: two of its words must stand there."""
    other = other_languages().get(code)
    if other is None or confidence < LIKELY:
        return False
    text = f" {' '.join(w.folded for w in words)} "
    own = sum(1 for word in other.words if f" {word} " in text)
    ours = max(sum(1 for w in words if w.folded in function_words(language)) for language in LANGUAGES)
    return own >= 2 and own >= ours


def followed(text: str, current: str, names: Tuple[Tuple[int, int], ...] = ()) -> Optional[str]:
    """Return the language into which the conversation should follow the person, or None to stay.

    Args:
        text: the message.
        current: the language of the conversation.
        names: where names stand in the message.

    Returns:
        One of the eleven languages, or the code of a language that the guide does not speak.
    """
    found = detect(text, names)
    if found is None or found.language == current:
        return None
    script = script_of(text)
    other_script = _SCRIPT_OF.get(current, "latin") != script
    fewest = FEWEST_WORDS_OTHER_SCRIPT if other_script else FEWEST_WORDS
    if found.words < fewest or found.confidence < SURE:
        return None
    if found.language not in LANGUAGES:
        return found.language if found.words >= FEWEST_WORDS else None
    if script == "latin" and _written_in_latin(text, current, found.language):
        return None
    if _RIVALS.get(found.language) == current:
        letters = _letters_tell(text, found.language)
        told = letters == found.language or (letters is None and clearly(text, found.language, current) and not _has_letters(text, current))
        return found.language if told else None
    if other_script or found.language in _SCRIPT_OF or clearly(text, found.language, current):
        return found.language
    # Some languages say much with few little words (Turkish): then it must be certain, and little speak for the old one.
    old = sum(1 for t in tokenize(text) if t.folded in function_words(current))
    return found.language if found.confidence >= CERTAIN and old * FEWEST_WORDS < found.words else None


def clearly(text: str, found: str, current: str) -> bool:
    """Return whether a text is in ``found`` rather than ``current`` by its function words, too.

    A detector that knows only letters takes "what about courses in Leipzig" for German because of Leipzig; the little
    words of a language do not deceive.
    """
    words = [token.folded for token in tokenize(text)]
    new = sum(1 for word in words if word in function_words(found))
    old = sum(1 for word in words if word in function_words(current))
    return new >= 2 and new > old


@lru_cache(maxsize=1)
def language_names() -> Dict[str, str]:
    """Return folded name -> code: each language's names, also those of languages that the guide does not speak (CLDR)."""
    names: Dict[str, str] = {}
    for language in all_languages().values():
        for name in (language.name, *language.names):
            names.setdefault(name_key(name), language.code)
    for code in other_languages():
        for name in (Locale.parse(code).display_name, *(Locale(language).languages.get(code) for language in LANGUAGES)):
            if name:
                names.setdefault(name_key(name), code)
    for name, code in (("kurmanci", "ku"), ("kurdisch", "ku"), ("kurdish", "ku"), ("kürtçe", "ku"), ("كردي", "ku"), ("курдский", "ku")):
        names.setdefault(name_key(name), code)
    return names


def named_language(text: str) -> Optional[str]:
    """Return the language that a message names last ("can we write Arabic?" -> ``ar``) or whose flag it shows, or None."""
    spans = _named(tokenize(text))
    if spans:
        return spans[-1][2]
    flags = _flags(text)
    return flags[-1] if flags else None


def _named(tokens: List[Token]) -> List[Tuple[int, int, str]]:
    known = language_names()
    found, i = [], 0
    while i < len(tokens):
        for n in (3, 2, 1):
            code = known.get(" ".join(t.folded for t in tokens[i : i + n])) if i + n <= len(tokens) else None
            if code:
                found.append((i, i + n, code))
                i += n
                break
        else:
            i += 1
    return found


def _flags(text: str) -> List[str]:
    owners = {flag: language.code for language in all_languages().values() for flag in language.flags}
    letters = ("".join(chr(ord(c) - 0x1F1E6 + ord("A")) for c in flag) for flag in _FLAG.findall(text))
    return [owners[country] for country in letters if country in owners]


def only_asks_for_language(text: str, fillers: FrozenSet[str]) -> bool:
    """Return whether a message is nothing but a language: its name with little words around it, or a flag.

    Args:
        text: the message.
        fillers: the little words.
    """
    tokens = tokenize(text)
    if not tokens:
        return bool(_flags(text)) and not re.sub(r"[\s.!?]", "", _FLAG.sub("", text))
    spans = _named(tokens)
    if not spans or len(tokens) > 5:
        return False
    inside = {i for first, last, _ in spans for i in range(first, last)}
    return all(i in inside or t.folded in fillers for i, t in enumerate(tokens))


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR], is_trainable=False)
class LanguageDetector(GraphComponent):
    """Adds the entity ``language`` when a clear sentence in another language arrives.

    The entity fills the slot of the same name, and the reply comes in that language: a language that the guide does not
    speak becomes English, and ``unsupported_language`` in the parsed message tells which it was. When a language is asked
    for by name, the classifier finds the intent ``switch_language`` and the language that is named.
    """

    @classmethod
    def create(
        cls, config: Dict[str, Any], model_storage: ModelStorage, resource: Resource, execution_context: ExecutionContext
    ) -> LanguageDetector:
        """Create the component (called by Rasa)."""
        return cls()

    def process(self, messages: List[Message], tracker: Optional[DialogueStateTracker] = None) -> List[Message]:
        """Add the detected language to each message, and the entity if the conversation should follow it.

        Args:
            messages: the messages, with the entities of the gazetteer.
            tracker: the conversation (handed over because of the parameter's name), whose slot ``language`` counts.
        """
        current = tracker.get_slot("language") if tracker is not None else None
        for message in messages:
            text = message.get(TEXT) or ""
            names = tuple((e["start"], e["end"]) for e in message.get(ENTITIES) or [])
            found = detect(text, names) or detect(text)
            known = found is not None and found.words >= 2 and found.confidence >= LIKELY
            message.set("language", found.language if found and known else None, add_to_output=True)
            following = followed(text, current, names) if current else None
            if following is None:
                continue
            if following not in SPOKEN_LANGUAGES:
                message.set("unsupported_language", following, add_to_output=True)
                following = ENGLISH
            entity = {"entity": "language", "value": following, "start": 0, "end": len(text), "extractor": "LanguageDetector"}
            message.set(ENTITIES, [*(message.get(ENTITIES) or []), entity], add_to_output=True)
        return messages
