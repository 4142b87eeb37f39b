"""Every reply is in the language of the conversation: each text by itself, and each path of the dialogue as it is walked."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest
from ruamel.yaml import YAML

from actions.directory.models import NEEDS
from actions.directory.places import states
from actions.directory.text import tokenize
from bot.dialogue.catalogues import translate
from bot.dialogue.direction import ISOLATES
from bot.dialogue.nlg import AUDIENCE, DIRECTORY_DOMAIN, DOMAIN, TranslatedReplies
from bot.languages import SPOKEN_LANGUAGES, all_languages
from bot.nlu.intent import needs_of_topics
from bot.nlu.language import detect, function_words
from bot.settings import PROJECT
from bot.translations import DOMAINS, sources
from tests.processes import RunningEngine

TRANSLATED = [language for language in SPOKEN_LANGUAGES if language != "de"]
SURE = 0.9
# A word that begins with so many letters of a word of the German text is a term that stayed.
TERM = 6
# Addresses, telephone numbers and placeholders are of no language.
NO_LANGUAGE = re.compile(r"\{\w+\}|\S+@\S+|(?:[\w-]+\.)+(?:de|com|org|eu|info)\S*|[\d.,:/+%€§•·–-]+")
FEWEST_WORDS = 5
# In the middle of a question these are said, each by a click: (entities and all) as the engine gets it.
INTERRUPTIONS = (
    "greet thank affirm deny find_office switch_language bot_challenge feedback_positive feedback_negative out_of_scope "
    "nlu_fallback crisis human immigration_law programme_info start_over delete_my_data goodbye"
).split()
TOWNS = ("Köln", "Cottbus", "Schmallenberg", "Neustadt", "Qqqstadt", "99999", "abroad", "DE-NW")


def plain(text: str) -> str:
    """Return a text without invisible marks and without what is of no language."""
    return NO_LANGUAGE.sub(" ", ISOLATES.sub("", text))


def problem_of(text: str, german: str, language: str) -> str | None:
    """Return why a text is not in ``language``, or None."""
    words = [t for t in tokenize(plain(text)) if any(c.isalpha() for c in t.folded)]
    if not words:
        return None
    # Terms that stay German, also in another case than in the source.
    kept = {t.folded[:TERM] for t in tokenize(german) if len(t.folded) >= TERM}
    own = [t for t in words if t.folded[:TERM] not in kept or t.folded in function_words(language)]
    if len(words) >= FEWEST_WORDS and not own:
        return "not translated"
    if len(own) < FEWEST_WORDS:
        return None
    found = detect(" ".join(plain(text)[t.start : t.end] for t in own))
    if found is None or found.language == language or found.confidence < SURE:
        return None
    return f"looks like {found.language} ({found.confidence:.2f})"


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("domain", DOMAINS)
def test_every_text_is_in_its_language(domain: str, language: str) -> None:
    wrong = []
    for source in sources(domain):
        if source.plural:
            continue
        text, spoken = translate(domain, source.context, source.text, language)
        problem = problem_of(text, source.text, language) if spoken == language else f"falls back to {spoken}"
        if problem:
            wrong.append((source.context, problem, text[:80]))
    assert wrong == []


@lru_cache
def known_texts(language: str) -> frozenset[str]:
    """Return everything that the guide may say in a language: texts, names of languages, of states and of towns."""
    said = {translate(domain, source.context, source.text, language)[0] for domain in DOMAINS for source in sources(domain)}
    own_names = {one.name for one in all_languages().values()}
    return frozenset({*said, *own_names, *(state.name for state in states().values())})


def walk(engine: RunningEngine, language: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (path, answer) for every path of the dialogue in a language."""
    conversation, welcome = engine.begin(language)
    yield "start", welcome

    def say(path: str, *payloads: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Say payloads one after the other in a new conversation; only the last answer is of interest."""
        fresh = uuid.uuid4().hex
        for payload in payloads:
            answer = engine.call(fresh, language=language, payload=payload)
        yield path, answer

    for topic in needs_of_topics():
        yield topic, engine.call(conversation, language=language, payload=f"/{topic}")
    for need in NEEDS:
        yield from say(need, f"/{need}")
    for intent in INTERRUPTIONS:
        yield from say(intent, f"/{intent}")
    for opening in ("/recognition", '/qualification{"place": "Köln"}'):
        for interruption in INTERRUPTIONS:
            yield from say(f"{opening} {interruption}", opening, f"/{interruption}")
    yield from say("not understood twice", "/nlu_fallback", "/nlu_fallback")
    for town in TOWNS:
        yield from say(f"recognition {town}", f'/recognition{{"place": "{town}"}}')
        yield from say(f"fair_integration {town}", f'/fair_integration{{"place": "{town}"}}')
    unknown = [f'/inform{{"place": "Qqq{letter}"}}' for letter in "abc"]
    yield from say("given up", "/recognition", *unknown)
    other = "en" if language != "en" else "de"
    conversation, _ = engine.begin(other)
    yield "switched", engine.call(conversation, language=other, set_language=language)
    yield "deletion", engine.call(conversation, language=language, payload='/delete_my_data{"confirmed": "yes"}')


def titles_and_notes(message: dict[str, Any]) -> Iterator[str]:
    """Yield the short texts of a message: buttons, notes of the referral, for whom an office is there."""
    yield from (button["title"] for button in message["buttons"])
    referral = message["referral"] or {"notes": [], "offices": []}
    yield from referral["notes"]
    yield from (office["audience"] for office in referral["offices"] if office.get("audience"))


@pytest.mark.model
@pytest.mark.parametrize("language", SPOKEN_LANGUAGES)
def test_every_path_of_the_dialogue_speaks_the_language(running_engine: RunningEngine, language: str) -> None:
    german = TranslatedReplies().responses
    wrong, seen = [], set()
    for path, answer in walk(running_engine, language):
        assert answer["messages"], path
        for message in answer["messages"]:
            seen.add(message["response"])
            if message["language"] != language and message["text"]:
                wrong.append((path, message["response"], f"is in {message['language']}"))
            source = german.get(message["response"] or "", [{"text": ""}])[0]["text"]
            problem = problem_of(message["text"], source, language)
            if problem:
                wrong.append((path, message["response"], problem))
            for short in (ISOLATES.sub("", text) for text in titles_and_notes(message)):
                if short not in known_texts(language) and not is_place(short, language):
                    wrong.append((path, message["response"], short))
    assert wrong == []
    # The walk really walks: what it never meets stands here with the reason.
    assert {
        name for name in german if name.startswith("utter_") and not name.startswith(("utter_button_", "utter_note_", "utter_title_"))
    } - seen <= {
        "utter_referral",  # depends on the town
        "utter_referral_course",
        "utter_referral_none",  # no need is without any contact today
        "utter_place_unknown",
        "utter_place_unknown_near",
        "utter_ask_which_place",
        "utter_language_followed",  # tests/conversations
        "utter_language_unsupported",  # tests/dialogue/test_languages_of_conversations.py
        "utter_directory_down",  # tests/dialogue/test_channel.py
        "utter_default",
        "utter_what_now",
        "utter_out_of_scope_short",
        "utter_sources",  # a part of other replies
    }


def is_place(title: str, language: str) -> bool:
    """Return whether a title is a town with its state, or a state with the word for it."""
    inside = re.fullmatch(r"(.+) \((.+)\)", title)
    name = {state.name for state in states().values()}
    marked = translate(DOMAIN, "utter_title_state", "{place} (Bundesland)", language)[0]
    return bool(inside and (inside.group(2) in name or title in {marked.format(place=one) for one in name})) or title in _towns()


@lru_cache
def _towns() -> frozenset[str]:
    import csv

    with (PROJECT / "data" / "places" / "towns.csv").open(encoding="utf-8", newline="") as file:
        return frozenset(row["name"] for row in csv.DictReader(file))


def test_every_remark_of_an_office_is_translated() -> None:
    for source in sources(DIRECTORY_DOMAIN):
        assert source.context == AUDIENCE
        for language in TRANSLATED:
            assert translate(DIRECTORY_DOMAIN, AUDIENCE, source.text, language)[1] == language


def test_the_walk_interrupts_with_every_dialogue_intent() -> None:
    intents = YAML(typ="safe").load(PROJECT / "domain.yml")["intents"]
    left_out = {"inform", "faq"} | (set(NEEDS) - {"crisis", "human", "immigration_law", "programme_info", "out_of_scope"})
    assert set(intents) - left_out == set(INTERRUPTIONS)


def test_a_foreign_text_is_noticed() -> None:
    assert problem_of("Bitte schreiben Sie hier Ihre Frage und Ihren Wohnort", "Bitte schreiben Sie", "fr")
    assert problem_of("Please write your question and the town where you live", "Bitte schreiben Sie", "tr")
    assert problem_of("Напишите, пожалуйста, ваш вопрос и город, где вы живёте", "Bitte schreiben Sie", "uk")
    assert problem_of("اكتب سؤالك هنا من فضلك واسم المدينة التي تسكن فيها", "Bitte schreiben Sie", "ar") is None
