"""Telephone numbers, addresses and German words in right-to-left text."""

from __future__ import annotations

import pytest

from bot.dialogue.direction import ISOLATES, isolate, isolate_message


def shown(text: str) -> str:
    """Return ``text`` with the invisible marks made visible."""
    return text.replace("\u2066", "[").replace("\u2069", "]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("هاتف: +49 30 1815-1111.", "هاتف: [+49 30 1815-1111]."),
        ("116 123 أو 0800 1110111", "[116 123] أو [0800 1110111]"),
        ("قرار (Bescheid) من ZAB: zab.kmk.org/de/dab", "قرار ([Bescheid]) من [ZAB: zab.kmk.org/de/dab]"),
        ("الشرطة (Notruf): 110", "الشرطة ([Notruf]): 110"),
        ("Frankfurt (Oder) (Brandenburg)", "[Frankfurt (Oder) (Brandenburg)]"),
        ("H+ أو H+/- فقط", "[H+] أو [H+/-] فقط"),
        ("§ 16d الفقرة 3", "[§ 16d] الفقرة 3"),
        ("13,90 يورو في 1 يناير 2026، 50%", "13,90 يورو في 1 يناير 2026، 50%"),
        ("دورة (Anpassungslehrgang مفتوح", "دورة ([Anpassungslehrgang] مفتوح"),
        ("A (ب) B", "[A] (ب) [B]"),
        ("• Faire Mobilität: www.faire-mobilitaet.de\nنص", "• [Faire Mobilität: www.faire-mobilitaet.de]\nنص"),
        ("", ""),
        ("(((", "((("),
    ],
)
def test_left_to_right_pieces_are_isolated_in_right_to_left_text(text: str, expected: str) -> None:
    assert shown(isolate(text, "ar")) == expected


def test_what_is_isolated_stays_so_when_it_passes_twice() -> None:
    once = isolate("هاتف: +49 30 1815-1111", "fa")
    assert isolate(once, "fa") == once


@pytest.mark.parametrize("language", ["de", "en", "tr", "ru"])
def test_other_languages_get_no_marks(language: str) -> None:
    assert isolate("Телефон: +49 30 1815-1111", language) == "Телефон: +49 30 1815-1111"


def test_every_mark_is_closed() -> None:
    text = isolate("Jobcenter) و (IHK FOSA و §§ 18a, 18b ) zab.kmk.org (", "ar")
    assert text.count("\u2066") == text.count("\u2069")
    assert ISOLATES.sub("", text) == "Jobcenter) و (IHK FOSA و §§ 18a, 18b ) zab.kmk.org ("


def test_a_whole_message_is_isolated() -> None:
    message = {
        "text": "مكتب (Amt)",
        "buttons": [{"title": "Köln", "payload": "/inform"}],
        "referral": {"notes": ["zab.kmk.org"], "offices": []},
    }
    isolate_message(message, "ar")
    assert shown(message["text"]) == "مكتب ([Amt])"
    assert shown(message["buttons"][0]["title"]) == "[Köln]"
    assert message["buttons"][0]["payload"] == "/inform"
    assert shown(message["referral"]["notes"][0]) == "[zab.kmk.org]"
