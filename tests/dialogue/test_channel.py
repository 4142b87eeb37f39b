"""The engine channel: who may call it, what it refuses, and that whatever a person writes stays text."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.processes import RunningEngine, referral, responses

pytestmark = pytest.mark.model

ASK = "Ich möchte meinen Abschluss anerkennen lassen"


def error_code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def test_without_the_key_nothing_is_answered(running_engine: RunningEngine) -> None:
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/messages", {"json": {"conversation": "x", "start": True}}),
        ("DELETE", "/conversations/x", {}),
    ]
    for method, path, more in calls:
        bare = httpx.request(method, f"{running_engine.engine_url}{path}", timeout=20, **more)
        wrong = running_engine.request(method, path, key="0" * 64, **more)
        for answer in (bare, wrong):
            assert answer.status_code == 401
            assert error_code(answer) == "unauthorized"


def test_a_key_with_strange_characters_is_a_wrong_key(running_engine: RunningEngine) -> None:
    headers = {b"Authorization": "Bearer schlüssel".encode()}
    answer = httpx.post(f"{running_engine.engine_url}/messages", headers=headers, json={"conversation": "x"}, timeout=20)
    assert answer.status_code == 401


def test_health_needs_no_key_and_names_the_model(running_engine: RunningEngine) -> None:
    answer = httpx.get(f"{running_engine.engine_url}/health", timeout=20)
    assert answer.status_code == 200
    assert answer.json()["status"] == answer.json()["tracker_store"] == "ok"
    assert answer.json()["model"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"text"', b"{}", b"\xff\xfe", b'{"conversation": "x"}', b'{"conversation": "x", "text": 5}'],
    ids=["empty", "half", "list", "null", "string", "no conversation", "no UTF-8", "nothing to say", "number as text"],
)
def test_a_call_that_makes_no_sense_is_refused(running_engine: RunningEngine, body: bytes) -> None:
    answer = running_engine.request("POST", "/messages", content=body)
    assert answer.status_code == 400
    assert error_code(answer) == "bad_request"


@pytest.mark.parametrize(
    "payload", ["recognition", "/", "", "/recognition{", '/recognition["x"]', "/no_such_intent", '/inform{"no_such": "x"}']
)
def test_an_unknown_payload_is_refused(running_engine: RunningEngine, payload: str) -> None:
    conversation, _ = running_engine.begin("de")
    answer = running_engine.request("POST", "/messages", json={"conversation": conversation, "channel": "web", "payload": payload})
    assert 400 <= answer.status_code < 500, answer.text
    assert responses(running_engine.call(conversation, language="de", text="Hallo")) == ["utter_greet"]


def test_a_button_is_a_command(running_engine: RunningEngine) -> None:
    conversation, _ = running_engine.begin("de")
    assert responses(running_engine.call(conversation, payload="/recognition")) == ["utter_ask_place"]
    assert referral(running_engine.call(conversation, payload='/inform{"place": "abroad"}'))["need"] == "recognition"


@pytest.mark.parametrize("text", ["/restart", "/session_start", "//restart", "  /restart", "/back", '/inform{"place": "50667"}'])
def test_text_that_begins_with_a_slash_is_no_command(running_engine: RunningEngine, text: str) -> None:
    conversation, _ = running_engine.begin("de")
    running_engine.call(conversation, language="de", text=ASK)
    before = len(running_engine.events(conversation))
    running_engine.call(conversation, language="de", text=text)
    new = running_engine.events(conversation)[before:]
    assert not {e["event"] for e in new} & {"restart", "session_started", "rewind", "reset_slots", "undo"}
    (person,) = [e for e in new if e["event"] == "user"]
    assert not person["text"].startswith("/")
    assert person["parse_data"]["intent"]["name"] not in ("restart", "session_start", "back")


def test_typed_entities_are_not_believed(running_engine: RunningEngine) -> None:
    conversation, _ = running_engine.begin("de")
    running_engine.call(conversation, language="de", text='/recognition{"place": "x", "language": "en"}')
    person = next(e for e in running_engine.events(conversation) if e["event"] == "user")
    # Found by our components, as in any text; nothing was taken over as it stands.
    assert all(e.get("extractor") for e in person["parse_data"]["entities"])
    assert "x" not in [e["value"] for e in person["parse_data"]["entities"]]
    assert person["parse_data"]["intent"]["confidence"] < 1 or person["parse_data"]["intent"]["name"] == "nlu_fallback"


STRANGE = {
    "emoji": "😀🏳️‍🌈👩🏽‍⚕️",
    "right to left marks": "\u200f\u202eIch möchte\u202c mein Diplom anerkennen lassen\u200e",
    "arabic": "أريد الاعتراف بشهادتي",
    "zero bytes": "Hallo\x00Welt",
    "lone surrogate": "Hallo \ud800",
    "combining marks": "e" + "\u0301" * 500,
    "nothing": "",
    "only spaces": " \n\t ",
    "only a slash": "/",
    "braces": "{place} {0} %s ${HOME}",
    "HTML": "<script>alert(1)</script>",
}


@pytest.mark.parametrize("kind", STRANGE)
def test_strange_text_is_answered(running_engine: RunningEngine, kind: str) -> None:
    conversation, _ = running_engine.begin("de")
    body = {"conversation": conversation, "channel": "web", "language": "de", "text": STRANGE[kind]}
    answer = running_engine.request("POST", "/messages", content=json.dumps(body).encode("ascii"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["messages"]


@pytest.mark.parametrize("text", ["Ich brauche Hilfe. " * 5_000, "x" * 100_000, "Köln " * 4_000], ids=["sentences", "one word", "towns"])
def test_a_huge_text_is_answered_or_refused_but_harms_nothing(running_engine: RunningEngine, text: str) -> None:
    conversation, _ = running_engine.begin("de")
    answer = running_engine.request("POST", "/messages", json={"conversation": conversation, "channel": "web", "text": text})
    assert answer.status_code in (200, 400, 413), answer.text[:500]
    assert responses(running_engine.call(conversation, language="de", text="Auf Wiedersehen")) == ["utter_goodbye"]


def test_deletion_leaves_nothing_in_the_tracker_database(running_engine: RunningEngine) -> None:
    conversation, _ = running_engine.begin("de")
    other, _ = running_engine.begin("de")
    running_engine.call(conversation, language="de", text=ASK)
    assert running_engine.events(conversation)
    assert running_engine.request("DELETE", f"/conversations/{conversation}").status_code == 204
    assert running_engine.events(conversation) == []
    assert running_engine.events(other)
    # The same id begins anew; nothing comes back from the memory of the engine.
    assert responses(running_engine.call(conversation, language="de", text="Dortmund"))[0] == "utter_welcome"
    assert running_engine.request("DELETE", f"/conversations/{conversation}").status_code == 204
    assert running_engine.events(conversation) == []


def test_deletion_of_an_unknown_conversation_is_no_error(running_engine: RunningEngine) -> None:
    assert running_engine.request("DELETE", "/conversations/nobody").status_code == 204


def test_the_confirmed_button_deletes_the_conversation(running_engine: RunningEngine) -> None:
    conversation, _ = running_engine.begin("de")
    asked = running_engine.call(conversation, language="de", text="Bitte löschen Sie meine Daten")
    payload = asked["messages"][0]["buttons"][0]["payload"]
    assert running_engine.call(conversation, payload=payload)["ended"] is True
    assert running_engine.events(conversation) == []


def test_the_language_can_be_set_from_outside(running_engine: RunningEngine) -> None:
    conversation, _ = running_engine.begin("de")
    answer = running_engine.call(conversation, set_language="en")
    assert answer["language"] == "en"
    assert responses(answer) == ["utter_language_switched"]
    assert running_engine.call(conversation, language="en", text="Hello")["messages"][0]["language"] == "en"


def test_the_components_know_what_was_asked(running_engine: RunningEngine) -> None:
    """Rasa hands the tracker to a component whose ``process`` has a parameter of that name; this is not documented."""
    word = "Xqzwyhausen"
    first, second = running_engine.begin("de")[0], running_engine.begin("de")[0]
    running_engine.call(first, language="de", text=word)
    running_engine.call(second, language="de", text=ASK)
    running_engine.call(second, language="de", text=word)
    parsed = [[e for e in running_engine.events(c) if e["event"] == "user"][-1]["parse_data"] for c in (first, second)]
    assert [e for e in parsed[0]["entities"] if e["entity"] == "place"] == []
    assert [e["value"] for e in parsed[1]["entities"] if e["entity"] == "place"] == [word]
    assert [p["intent"]["name"] for p in parsed] == ["nlu_fallback", "inform"]


@pytest.mark.parametrize("text", ["Ja", "Nein", "Yes", "No", "Ok", "Danke", "Hallo", "Hilfe", "Moment"])
def test_a_little_word_in_answer_to_the_question_for_the_place_is_no_place(running_engine: RunningEngine, text: str) -> None:
    conversation, _ = running_engine.begin("de")
    running_engine.call(conversation, language="de", text=ASK)
    running_engine.call(conversation, language="de", text=text)
    person = [e for e in running_engine.events(conversation) if e["event"] == "user"][-1]
    assert [e["value"] for e in person["parse_data"]["entities"] if e["entity"] == "place"] == []


@pytest.mark.parametrize("place", ["Brandenburg an der Havel", "Frankfurt am Main", "Neustadt an der Weinstraße", "Halle an der Saale"])
def test_the_name_of_a_town_does_not_switch_the_language(running_engine: RunningEngine, place: str) -> None:
    *_, answer = running_engine.say("de", ASK, place)
    assert answer["language"] == "de"
