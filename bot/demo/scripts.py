"""The conversations from which the demonstration is made: ``data/demo/<language>.yml``, checked when they are read.

A *script* is what a person says and how the guide answers, by the ids of its responses; texts, offices, places and times
are filled in when it is performed (:mod:`bot.demo.conversations`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from actions.directory.database import DATA
from actions.directory.models import NEEDS
from bot.dialogue.nlg import source_responses
from bot.settings import PROJECT
from bot.transcripts.callbacks import TIMES
from bot.transcripts.record_models import ANSWER_VERDICTS

FOLDER = DATA / "demo"
# In ``reply``: the offices that the directory really has for need, place and profession.
REFERRAL = "referral"
PLACE, POSTCODE = "{place}", "{postcode}"
SOMEWHERE, ABROAD, NOWHERE = "somewhere", "abroad", "nowhere"
_FILE = {"language", "places", "conversations", "callbacks"}
_SCRIPT = {"id", "turns", "where", "labels", "note", "right_need"}
_LINE = {"say", "press", "intent", "confidence", "entities", "reply", "should_be", "answer"}
_CALLBACK = {"name", "time", "time_note", "topic", "need"}


class ScriptError(ValueError):
    """A file of conversations breaks its schema; the message names file, conversation and reason."""


@dataclass(frozen=True)
class Line:
    """One message of the person and what the guide answers.

    Attributes:
        say: ways to say it, one of which is taken; empty if a button is pressed.
        press: the response whose text stands on the button; "" if something is written.
        intent: what is understood (of a button: what it means).
        confidence: how sure the guide is.
        entities: what is found in the text.
        reply: ids of responses, and :data:`REFERRAL`.
        should_be: the intent that a reviewer would say, where the guide is wrong.
        answer: what a reviewer would say of the answer; "" if nothing special.
    """

    say: tuple[str, ...]
    press: str
    intent: str
    confidence: float
    entities: Mapping[str, str]
    reply: tuple[str, ...]
    should_be: str
    answer: str


@dataclass(frozen=True)
class Script:
    """One conversation.

    Attributes:
        language: the language.
        id: its name in the file.
        lines: what is said.
        where: ``somewhere`` in Germany, ``abroad``, or ``nowhere`` if no place is named.
        labels: what a reviewer sorts it under.
        note: what a reviewer writes about it; may be empty.
        right_need: the need that a reviewer would say, where the guide is wrong; "" if it is right.
    """

    language: str
    id: str
    lines: tuple[Line, ...]
    where: str
    labels: tuple[str, ...]
    note: str
    right_need: str

    @property
    def emergency(self) -> bool:
        """Whether somebody is in danger, and the guide understands it."""
        return any(line.intent == "crisis" for line in self.lines)

    @property
    def judged(self) -> bool:
        """Whether a reviewer has something special to say about it."""
        return bool(self.note or self.right_need or any(line.should_be or line.answer in ("wrong", "dangerous") for line in self.lines))


@dataclass(frozen=True)
class Call:
    """A request to be called back; phone or e-mail is filled in."""

    language: str
    name: str
    time: str
    time_note: str
    topic: str
    need: str


@dataclass(frozen=True)
class Scripts:
    """What one file holds. ``places``: a place of the directory -> how people write it in this language."""

    language: str
    places: Mapping[str, str]
    scripts: tuple[Script, ...]
    calls: tuple[Call, ...]


@lru_cache(maxsize=1)
def known_intents() -> frozenset[str]:
    """Return all intents, those of questions with a fixed answer as ``faq/<topic>``."""
    domain = YAML(typ="safe").load(PROJECT / "domain.yml")
    # Not from bot.nlu: that would load TensorFlow, for a dozen of words.
    topics = {name.removeprefix("utter_") for name in domain["responses"] if name.startswith("utter_faq/")}
    return frozenset(domain["intents"]) | topics


@lru_cache(maxsize=1)
def _known_entities() -> frozenset[str]:
    return frozenset(YAML(typ="safe").load(PROJECT / "domain.yml")["entities"])


def languages(folder: Path = FOLDER) -> list[str]:
    """Return the languages that have a file."""
    return sorted(path.stem for path in folder.glob("*.yml"))


def load(language: str, folder: Path = FOLDER) -> Scripts:
    """Read and check the conversations of a language.

    Raises:
        ScriptError: if the file is missing or breaks the schema.
    """
    path = folder / f"{language}.yml"
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScriptError(f"{path}: {error.strerror}.") from error
    except (YAMLError, UnicodeError) as error:
        raise ScriptError(f"{path}: not readable as YAML: {error}") from error
    where = path.name
    _keys(content, _FILE, {"language", "places", "conversations"}, where)
    if content["language"] != language:
        raise ScriptError(f"{where}: the language is {content['language']!r}, the name of the file says {language!r}.")
    places = content["places"]
    if not isinstance(places, dict) or not places or not all(isinstance(one, str) and one for pair in places.items() for one in pair):
        raise ScriptError(f"{where}: `places` must name towns and how they are written.")
    scripts = tuple(_script(one, language, where) for one in _list(content["conversations"], f"{where}: `conversations`"))
    twice = {one.id for one in scripts if sum(other.id == one.id for other in scripts) > 1}
    if twice:
        raise ScriptError(f"{where}: the conversation {sorted(twice)[0]!r} stands there twice.")
    calls = tuple(_call(one, language, where) for one in content.get("callbacks") or [])
    return Scripts(language, places, scripts, calls)


def _script(given: Any, language: str, file: str) -> Script:
    name = given.get("id") if isinstance(given, dict) else None
    where = f"{file}: conversation {name!r}"
    _keys(given, _SCRIPT, {"id", "turns"}, where)
    turns = _list(given["turns"], f"{where}: `turns`")
    lines = tuple(_line(one, f"{where}, turn {number}") for number, one in enumerate(turns, 1))
    names_place = any(slot in text for line in lines for text in line.say for slot in (PLACE, POSTCODE))
    place = given.get("where") or (SOMEWHERE if names_place else NOWHERE)
    if place not in (SOMEWHERE, ABROAD, NOWHERE):
        raise ScriptError(f"{where}: `where` is {place!r}, but must be {SOMEWHERE}, {ABROAD} or {NOWHERE}.")
    right_need = given.get("right_need") or ""
    if right_need and right_need not in NEEDS:
        raise ScriptError(f"{where}: there is no need {right_need!r}.")
    labels = given.get("labels") or []
    if not isinstance(labels, list) or not all(isinstance(one, str) and 0 < len(one) <= 40 for one in labels):
        raise ScriptError(f"{where}: `labels` must be words of at most 40 letters.")
    return Script(language, str(name), lines, place, tuple(labels), str(given.get("note") or ""), right_need)


def _line(given: Any, where: str) -> Line:
    _keys(given, _LINE, {"intent", "reply"}, where)
    said = given.get("say")
    say = tuple(_list(said, f"{where}: `say`")) if isinstance(said, list) else (said,) if said else ()
    press = given.get("press") or ""
    if bool(say) == bool(press) or not all(isinstance(one, str) and one for one in say):
        raise ScriptError(f"{where}: something must be said, or a button pressed (`say` or `press`).")
    reply = tuple(_list(given["reply"], f"{where}: `reply`"))
    for response in (*filter(lambda one: one != REFERRAL, reply), *filter(None, [press])):
        if response not in source_responses():
            raise ScriptError(f"{where}: there is no response {response!r} in domain.yml.")
    for intent in filter(None, (given["intent"], given.get("should_be"))):
        if intent not in known_intents():
            raise ScriptError(f"{where}: there is no intent {intent!r}.")
    confidence = given.get("confidence", 1.0 if press else None)
    if isinstance(confidence, bool) or not isinstance(confidence, (int, float)) or not 0 <= confidence <= 1:
        raise ScriptError(f"{where}: `confidence` must be between 0 and 1.")
    entities = given.get("entities") or {}
    if not isinstance(entities, dict) or not entities.keys() <= _known_entities() or not all(isinstance(v, str) for v in entities.values()):
        raise ScriptError(f"{where}: `entities` must be texts under {', '.join(sorted(_known_entities()))}.")
    answer = given.get("answer") or ""
    if answer and answer not in ANSWER_VERDICTS:
        raise ScriptError(f"{where}: `answer` must be one of {', '.join(ANSWER_VERDICTS)}.")
    return Line(say, press, given["intent"], float(confidence), entities, reply, given.get("should_be") or "", answer)


def _call(given: Any, language: str, file: str) -> Call:
    where = f"{file}: call-back {given!r}"
    _keys(given, _CALLBACK, _CALLBACK, where)
    if given["time"] not in TIMES or given["need"] not in NEEDS:
        raise ScriptError(f"{where}: `time` or `need` is unknown.")
    return Call(language, **{key: str(given[key]) for key in _CALLBACK})


def _keys(given: Any, known: set[str], needed: set[str], where: str) -> None:
    if not isinstance(given, dict):
        raise ScriptError(f"{where}: expected fields, found {type(given).__name__}.")
    for key in given.keys() - known:
        raise ScriptError(f"{where}: the field {key!r} is unknown; there are {', '.join(sorted(known))}.")
    for key in sorted(needed - given.keys()):
        raise ScriptError(f"{where}: the field {key!r} is missing.")


def _list(given: Any, where: str) -> list[Any]:
    if not isinstance(given, list) or not given:
        raise ScriptError(f"{where} must be a list with at least one entry.")
    return given


def texts(found: Scripts) -> Iterator[str]:
    """Return all that is said."""
    return (text for script in found.scripts for line in script.lines for text in line.say)
