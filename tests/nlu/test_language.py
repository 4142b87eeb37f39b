"""Which language somebody writes in, which one they ask for, and when the conversation follows."""

from __future__ import annotations

import pytest

from bot.languages import LANGUAGES, SPOKEN_LANGUAGES, all_languages
from bot.nlu import lookups
from bot.nlu.language import detect, followed, named_language, only_asks_for_language

SENTENCES = {
    "de": "Ich möchte gern wissen, wer mir bei der Anerkennung hilft",
    "en": "I would like to know who can help me with this",
    "tr": "Diplomamı burada nasıl tanıtabilirim, bana kim yardım eder",
    "ar": "أريد أن أعرف كيف أعترف بشهادتي في ألمانيا",
    "uk": "Я хочу підтвердити свій диплом і працювати за фахом",
    "ru": "Я хочу подтвердить свой диплом и работать по профессии",
    "fa": "می‌خواهم مدرکم را در آلمان تأیید کنم و کار پیدا کنم",
    "fr": "Je voudrais faire reconnaître mon diplôme et travailler ici",
    "es": "Quiero homologar mi título y trabajar en mi profesión aquí",
    "pl": "Chciałabym uznać mój dyplom i pracować w swoim zawodzie",
    "ro": "Aș vrea să îmi recunosc diploma și să lucrez în meseria mea",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_clear_sentence_is_recognised(language: str) -> None:
    found = detect(SENTENCES[language])
    assert found is not None
    assert found.language == language


@pytest.mark.parametrize("current", LANGUAGES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_conversation_follows_a_clear_sentence_and_stays_otherwise(current: str, language: str) -> None:
    assert followed(SENTENCES[language], current) == (None if language == current else language)


@pytest.mark.parametrize("current", LANGUAGES)
@pytest.mark.parametrize("text", ["Dortmund", "44135", "Jobcenter", "Leipzig, 04109", "ok", "Maria", "110", "B2", "IHK FOSA", "???", "🙂"])
def test_a_word_a_town_a_number_or_a_name_never_switches(text: str, current: str) -> None:
    assert followed(text, current) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("salam man parastar hastam az afghanestan mikham madrakam ro taeed konam", "fa"),
        ("ana mohandes men souria w bidi a3ref kif fini ishtighel hon", "ar"),
        ("zdravstvujte ya hochu podtverdit diplom kak eto mozhno sdelat", "ru"),
        ("dobryi den ya khochu pidtverdyty dyplom shcho meni treba", "uk"),
    ],
)
def test_a_language_in_latin_letters_is_recognised(text: str, language: str) -> None:
    assert followed(text, "de") == language
    assert followed(text, language) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("vorrei sapere come posso fare riconoscere il mio diploma, sono infermiera e anche mia sorella", "it"),
        ("tôi muốn làm việc ở Đức và bằng của tôi", "vi"),
        ("ሰላም ዲፕሎማዬን እንዴት ማስመዝገብ እችላለሁ", "ti"),
        ("मुझे अपनी डिग्री की मान्यता चाहिए", "hi"),
        ("θέλω να αναγνωρίσω το πτυχίο μου", "el"),
    ],
)
def test_a_language_that_the_guide_does_not_speak_is_recognised(text: str, language: str) -> None:
    assert followed(text, "de") == language


@pytest.mark.parametrize("text", ["я хочу підтвердити диплом но не знаю как", "мне нужна помощь з документами, де це зробити"])
def test_ukrainian_and_russian_mixed_change_nothing(text: str) -> None:
    assert followed(text, "uk") is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Türkçe", "tr"),
        ("turkce lutfen", "tr"),
        ("عربي", "ar"),
        ("بالعربي", "ar"),
        ("in English please", "en"),
        ("auf Deutsch bitte", "de"),
        ("по-русски", "ru"),
        ("українською", "uk"),
        ("فارسی", "fa"),
        ("en français", "fr"),
        ("español", "es"),
        ("po polsku", "pl"),
        ("românește", "ro"),
        ("🇹🇷", "tr"),
        ("🇺🇦 🇺🇦", "uk"),
        ("Kurmancî", "ku"),
        ("italiano", "it"),
    ],
)
def test_a_name_or_a_flag_asks_for_a_language(text: str, language: str) -> None:
    assert only_asks_for_language(text, lookups.cues()["filler"])
    assert named_language(text) == language


@pytest.mark.parametrize("text", ["Deutschkurs B2", "Köln", "🙂", "", "Ich suche einen Deutschkurs", "Englisch ist schwer für mich"])
def test_what_only_mentions_a_language_does_not_ask_for_it(text: str) -> None:
    assert not only_asks_for_language(text, lookups.cues()["filler"])


def test_every_language_is_known_by_its_own_name() -> None:
    for language in all_languages().values():
        assert named_language(language.name) == language.code


def test_the_spoken_languages_are_among_the_eleven() -> None:
    assert LANGUAGES == ("de", "en", "tr", "ar", "uk", "ru", "fa", "fr", "es", "pl", "ro")
    assert set(SPOKEN_LANGUAGES) <= set(LANGUAGES)
