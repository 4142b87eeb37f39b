"""What the redaction promises for any text."""

from __future__ import annotations

import csv
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.settings import PROJECT
from bot.transcripts.redaction import names_by_model, redact
from bot.transcripts.redaction.analyzer import build, redacted
from bot.transcripts.redaction.engine import WordEngine
from bot.transcripts.redaction.wordlists import DATA

LONG = 20_000


def test_an_empty_text_loads_all_that_the_first_message_needs() -> None:
    lines = (
        "import time",
        "from bot.transcripts.redaction import redact",
        "redact('', 'de')",
        "began = time.thread_time()",
        "redact('Ich heiße Anna, geb. 1.2.1990, Tel. 0176 1234567', 'de')",
        "print(time.thread_time() - began)",
    )
    ran = subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=PROJECT, check=True, capture_output=True, text=True)
    # A millisecond; the word lists alone take a second.
    assert float(ran.stdout) < 0.25


@pytest.mark.parametrize(
    ("text", "language", "wanted"),
    [
        ("Geboren in Homs, seit 2015 hier", "de", "Geboren in Homs, seit 2015 hier"),
        ("ur. 78", "pl", "ur. [Geburtsdatum]"),
        ("mein Baby ist 38 Wochen alt, geboren nach 38 Wochen", "de", "mein Baby ist 38 Wochen alt, geboren nach 38 Wochen"),
        ("родилась 9 сентебря 1988", "ru", "родилась [Geburtsdatum]"),
        ("córka urodziła się 14 lutego 2020", "pl", "córka urodziła się [Geburtsdatum]"),
        ("kinder geb. 1.2.2015, 3.4.2017 und 5.6.2020", "de", "kinder geb. [Geburtsdatum], [Geburtsdatum] und [Geburtsdatum]"),
        ("sunt din 1988, am venit la 12.03.2024", "ro", "sunt din [Geburtsdatum], am venit la 12.03.2024"),
        ("1990'lıyım", "tr", "[Geburtsdatum]"),
    ],
)
def test_dates_of_birth_with_slips_and_short_years(text: str, language: str, wanted: str) -> None:
    assert redact(text, language).text == wanted


def test_a_phone_number_in_persian_digits_is_taken_out() -> None:
    assert redact("شماره من ۰۱۷۶ ۱۲۳۴۵۶۷ است", "fa").text == "شماره من [Telefon] است"


@pytest.mark.parametrize(
    "written",
    [
        "0176 1234567",
        "0176-123-45-67",
        "0176/1234567",
        "(0176) 123.45.67",
        "٠١٧٦١٢٣٤٥٦٧",
        "０１７６ １２３ ４５６７",
        "0\u200b176\u200c12\u200d34567",
        "\u202a0176 1234567\u202c",
        "0 1 7 6 1 2 3 4 5 6 7",
        "0176–123–4567",
        "0176\u00a01234567",
        "0️⃣1️⃣7️⃣6️⃣1234567",
        "+49 (0) 176 1234567",
    ],
)
def test_a_phone_number_is_taken_out_however_its_digits_are_written(written: str) -> None:
    found = redact(f"Bitte {written} anrufen", "de")
    assert found.kinds == {"phone": 1}
    assert not any(character.isdigit() for character in found.text)


@pytest.mark.parametrize(
    "text",
    [
        "Ich wohne in 50667 Köln und verdiene 1.200 Euro, 2.500,50 € oder 1.000.000 Euro.",
        "Von 2015-2019 gearbeitet, 10.2015 - 09.2018 studiert, 2015/16 Praktikum.",
        "Termin am 15. September 2026 um 14:30 Uhr, seit 01.03.2024, vom 01.03.2024 - 31.12.2025.",
        "Nach § 18g AufenthG, § 16d Abs. 3, Visum D, Niveau B1-B2, TestDaF, 24/7, 40 Stunden, 8.00-16.00 Uhr.",
        "Im Mai 2015 hatte ich am Montag 5 Stunden Kurs, im Kapitel 3.",
        "Postleitzahlen 10115 - 10119 und 01067-01099.",
    ],
)
def test_amounts_years_times_postcodes_and_paragraphs_stay(text: str) -> None:
    assert redact(text, "de").text == text


def test_the_numbers_that_the_guide_says_stay() -> None:
    with (DATA / "lookups" / "nationwide_contacts.csv").open(encoding="utf-8", newline="") as file:
        numbers = [number.strip() for row in csv.DictReader(file) for number in row["phone"].split("/")]
    for number in [*numbers, "08000 116 016", "110 112", "112"]:
        assert redact(f"Rufen Sie {number} an, Telefon: {number}", "de").text == f"Rufen Sie {number} an, Telefon: {number}"


def test_german_words_in_a_turkish_sentence_are_understood() -> None:
    found = redact("Benim Aktenzeichen 33.2-1187/24, Herr Müller söyledi, Hauptstr. 12a'da oturuyorum", "tr")
    assert found.kinds == {"document_number": 1, "name": 1, "address": 1}


def test_an_unknown_language_is_read_all_the_same() -> None:
    assert redact("Mein Name ist Olena Kovalenko", "xx").text == "Mein Name ist [Name]"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\ud800",
        "\udfff0176 1234567\ud800",
        "\x00\x01\x02",
        "[Name]",
        "[",
        "\u202e" * 50,
        "\ue000\ue001",
        "e\u0301" * 100,
        "\r\n\t",
    ],
)
def test_odd_input_does_not_raise(text: str) -> None:
    found = redact(text, "ar")
    assert redact(found.text, "ar").text == found.text


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=8),
            st.sampled_from(
                ["Herr", "ich heiße", "Anna", "[Name]", "geb.", "0176", "Az.", "ul.", "5", "-", "@", "gmail.com", "من", "بن", "\n"]
            ),
        ),
        max_size=25,
    ),
    st.sampled_from(["de", "ar", "pl", "ru"]),
)
def test_any_text_is_stable_after_one_redaction(parts: list[str], language: str) -> None:
    once = redact(" ".join(parts), language).text
    assert redact(once, language).text == once


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "1",
        " ",
        "ul. ",
        "ul. ul. 5 ",
        "a@b.de ",
        "a at b dot ",
        "a.",
        "Herr ",
        "ich heiße ",
        "1 ",
        "DE12 ",
        "Az. 1 ",
        "-",
        "(",
        "1.1.2000 ",
        "nr ",
    ],
)
def test_long_hostile_input_takes_no_more_than_a_moment(unit: str) -> None:
    redact("warm", "de")
    began = time.thread_time()
    redact((unit * LONG)[:LONG], "de")
    # 0.1 to 3 seconds; catastrophic backtracking would take hours.
    assert time.thread_time() - began < 10


def test_several_threads_get_the_same() -> None:
    texts = [f"Ich heiße Mehmet Yılmaz, Tel. 0176 12345{number:02d}, Gartenstr. {number}" for number in range(10, 50)]
    barrier = threading.Barrier(4)

    def work(_: int) -> list[str]:
        barrier.wait()
        return [redact(text, "de").text for text in texts]

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(4)))
    assert all(result == ["Ich heiße [Name], Tel. [Telefon], [Adresse]"] * len(texts) for result in results)


def test_importing_the_package_does_not_import_presidio() -> None:
    code = "import sys, bot.transcripts.redaction; sys.exit('presidio_analyzer' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT).returncode == 0


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert redacted("Mail: a.b@c-unknown-domain.example", "de", build())[0] == "Mail: [E-Mail]"


def test_persons_of_a_spacy_pipeline_are_taken_out_additionally() -> None:
    pipeline = spacy.blank("de")
    ruler = pipeline.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PER", "pattern": "Xqzwinka"}, {"label": "PER", "pattern": "Köln"}, {"label": "LOC", "pattern": "Bonn"}])
    analyzer = build(WordEngine({"de": pipeline}))
    text = "Gestern war Xqzwinka in Köln und Bonn."
    assert redacted(text, "de", analyzer) == ("Gestern war [Name] in Köln und Bonn.", {"name": 1})
    assert redacted(text, "fr", analyzer)[1] == {}


@pytest.mark.skipif(not names_by_model("de"), reason="de_core_news_sm is not installed")
def test_the_german_model_finds_names_that_no_list_knows() -> None:
    assert "Kleinhuber" not in redact("Gestern hat Waltraut Kleinhuber mit mir gesprochen.", "de").text
