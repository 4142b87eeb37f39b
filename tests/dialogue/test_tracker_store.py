"""Long conversations: compaction keeps what is known and bounds the work; a restart of the engine loses nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, ActiveLoop, SessionStarted, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker

from bot.dialogue.tracker_store import TURNS_BEFORE_COMPACTION, LotseTrackerStore, compact
from bot.settings import PROJECT, settings
from tests.processes import RunningEngine, referral, responses

# A turn has about 12 events; the session that is loaded and sent along never grows beyond a few turns.
MOST_EVENTS = 40 + 20 * TURNS_BEFORE_COMPACTION


@pytest.fixture(scope="module")
def domain() -> Domain:
    """The domain of the project."""
    return Domain.load(str(PROJECT / "domain.yml"))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, domain: Domain) -> LotseTrackerStore:
    """A tracker store on an empty database of its own."""
    monkeypatch.setenv("LOTSE_HOME", str(tmp_path))
    settings.cache_clear()
    made = LotseTrackerStore(domain)
    monkeypatch.undo()
    settings.cache_clear()
    return made


def start(domain: Domain) -> DialogueStateTracker:
    return DialogueStateTracker.from_events("c", [ActionExecuted("action_session_start"), SessionStarted()], domain.slots)


def turn(tracker: DialogueStateTracker, domain: Domain, number: int) -> None:
    for event in (UserUttered(f"text {number}", {"name": "greet"}), ActionExecuted("utter_greet"), ActionExecuted("action_listen")):
        tracker.update(event, domain)


async def test_a_new_store_reads_the_slots_of_a_compacted_conversation(store: LotseTrackerStore, domain: Domain) -> None:
    await store.save(start(domain))
    for number in range(3 * TURNS_BEFORE_COMPACTION):
        tracker = await store.retrieve("c")
        assert tracker is not None
        if number == 0:
            tracker.update(SlotSet("place", "Köln"), domain)
            tracker.update(SlotSet("place_attempts", 2), domain)
        turn(tracker, domain, number)
        await store.save(tracker)
    store._live.clear()
    read = await store.retrieve("c")
    assert read is not None
    assert read.get_slot("place") == "Köln"
    assert read.get_slot("place_attempts") == 2
    assert sum(isinstance(e, UserUttered) for e in read.events) <= TURNS_BEFORE_COMPACTION


async def test_a_conversation_in_memory_is_the_one_in_the_database(store: LotseTrackerStore, domain: Domain) -> None:
    await store.save(start(domain))
    for number in range(2 * TURNS_BEFORE_COMPACTION + 3):
        live = await store.retrieve("c")
        assert live is not None
        turn(live, domain, number)
        await store.save(live)
        live = await store.peek("c")
        kept = dict(store._live)
        store._live.clear()
        read = await store.peek("c")
        assert live is not None and read is not None
        assert [e.type_name for e in live.applied_events()] == [e.type_name for e in read.applied_events()]
        assert live.current_slot_values() == read.current_slot_values()
        store._live.update(kept)


async def test_every_event_is_stored_once(store: LotseTrackerStore, domain: Domain) -> None:
    await store.save(start(domain))
    turns = 3 * TURNS_BEFORE_COMPACTION
    for number in range(turns):
        tracker = await store.retrieve("c")
        assert tracker is not None
        turn(tracker, domain, number)
        await store.save(tracker)
    with store.session_scope() as session:
        stored = [row.data for row in session.query(store.SQLEvent).filter_by(type_name="user").order_by(store.SQLEvent.id)]
    assert len(stored) == turns
    for number, data in enumerate(stored):
        assert f"text {number}" in data


async def test_no_compaction_in_the_middle_of_a_form(store: LotseTrackerStore, domain: Domain) -> None:
    tracker = start(domain)
    tracker.update(ActiveLoop("referral_form"), domain)
    for number in range(TURNS_BEFORE_COMPACTION + 1):
        turn(tracker, domain, number)
    await store.save(tracker)
    read = await store.peek("c")
    assert read is not None
    assert read.active_loop_name == "referral_form"


def test_compaction_keeps_every_slot_and_listens(domain: Domain) -> None:
    tracker = start(domain)
    values: dict[str, Any] = {"language": "en", "need": "recognition", "place": "DE-NW", "place_attempts": 2, "fallback_count": 1}
    for name, value in values.items():
        tracker.update(SlotSet(name, value), domain)
    compact(tracker, domain)
    assert {name: tracker.get_slot(name) for name in values} == values
    assert tracker.latest_action_name == "action_listen"


def loaded(events: list[dict[str, Any]]) -> int:
    """Return how many events Rasa loads, replays and sends along: those since the session began."""
    starts = [i for i, e in enumerate(events) if e["event"] == "session_started"]
    return len(events) - starts[-1]


@pytest.mark.model
def test_forty_turns_later_the_place_is_still_known_and_the_work_has_not_grown(running_engine: RunningEngine) -> None:
    conversation, _ = running_engine.begin("de")
    first = running_engine.call(conversation, language="de", text="Ich möchte mein Diplom anerkennen lassen und wohne in Dortmund")
    place = referral(first)["place"]
    talk = ("Was kostet die Anerkennung?", "Vielen Dank", "Bist du ein Mensch oder ein Roboter?", "Wie lange dauert die Anerkennung?")
    most = 0
    for number in range(40):
        running_engine.call(conversation, language="de", text=talk[number % len(talk)])
        most = max(most, loaded(running_engine.events(conversation)))
    assert most <= MOST_EVENTS
    stored = [e["text"] for e in running_engine.events(conversation) if e["event"] == "user"]
    assert stored[1:] == [talk[number % len(talk)] for number in range(40)]
    again = running_engine.call(conversation, language="de", text="Ich möchte mein Diplom anerkennen lassen")
    assert referral(again)["place"] == place


@pytest.mark.model
def test_many_questions_in_the_middle_of_a_form_do_not_make_it_slower_and_slower(running_engine: RunningEngine) -> None:
    conversation, _ = running_engine.begin("de")
    running_engine.call(conversation, language="de", text="Ich möchte mein Diplom anerkennen lassen")
    most = 0
    for _number in range(25):
        answer = running_engine.call(conversation, language="de", text="Was kostet die Anerkennung?")
        assert responses(answer) == ["utter_faq/recognition_cost", "utter_ask_place_again"]
        most = max(most, loaded(running_engine.events(conversation)))
    assert referral(running_engine.call(conversation, language="de", text="Dortmund"))["need"] == "recognition"
    assert most <= MOST_EVENTS


@pytest.mark.model
def test_a_conversation_goes_on_after_a_restart_of_the_engine(running_engine: RunningEngine) -> None:
    conversation, _ = running_engine.begin("en")
    assert responses(running_engine.call(conversation, language="en", text="I want my degree recognised")) == ["utter_ask_place"]
    running_engine.restart("engine")
    answer = running_engine.call(conversation, language="en", text="Dortmund")
    assert answer["language"] == "en"
    assert answer["need"] == "recognition"
    assert referral(answer)["place"]["name"] == "Dortmund"
