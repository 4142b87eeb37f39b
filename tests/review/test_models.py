"""The page that compares models: starting, waiting, results, failures. The comparison itself runs elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot import model_comparison
from bot.review import models, texts
from bot.settings import Settings
from bot.transcripts import comparisons
from bot.transcripts.record_models import EVALUATION, ModelComparison, TranscriptTurn
from bot.transcripts.staff_models import ADMIN, COORDINATOR, EDITOR, REVIEWER
from tests.review.support import Browser, Review, open_review, text_of
from tests.review.test_corrections import OTHER, SAID, audited, judged

NEWEST, CANDIDATE = "lotse-new.tar.gz", "lotse-old.tar.gz"


@pytest.fixture
def review(tmp_path: Path) -> Iterator[Review]:
    folder = tmp_path / "models"
    folder.mkdir()
    for age, name in enumerate((NEWEST, CANDIDATE)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (1_700_000_000 - age, 1_700_000_000 - age))
    (tmp_path / "secret.tar.gz").write_bytes(b"x")
    with open_review(tmp_path, models=folder) as opened:
        yield opened


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The comparisons that would have been run in the background."""
    found: list[int] = []

    def note(settings: Settings, number: int) -> None:
        found.append(number)

    monkeypatch.setattr(models, "run_in_background", note)
    return found


@pytest.fixture
def coordinator(review: Review, started: list[int]) -> Browser:
    return review.log_in(COORDINATOR)


def swap(path: Path, said: Any, done: Any) -> list[str]:
    """Stand in for a model: the new one understands everything as `recognition`, the old one as `human`."""
    for number in range(len(said)):
        done(number + 1)
    return ["recognition" if path.name == NEWEST else "human"] * len(said)


def run(review: Review, number: int) -> dict[str, Any]:
    return model_comparison.run(review.settings, number, parse=swap, now=review.clock)


def test_a_comparison_is_started_with_a_model_of_the_folder(review: Review, coordinator: Browser, started: list[int]) -> None:
    judged(review, SAID)
    page = coordinator.get("/models").text
    assert NEWEST in page
    assert f'<option value="{CANDIDATE}"' in page
    assert f'<option value="{NEWEST}"' not in page
    answer = coordinator.post("/models/start", {"candidate": CANDIDATE})
    assert answer.status_code == 303
    assert started == [1]
    assert audited(review) == [("comparison.start", {"current": NEWEST, "candidate": CANDIDATE})]
    assert "läuft" in coordinator.get("/models/1").text


@pytest.mark.parametrize("name", ["", NEWEST, "../secret.tar.gz", "/etc/passwd", "lotse-old", "x" * 5000, "lotse-old.tar.gz\0"])
def test_no_other_file_can_be_named(review: Review, coordinator: Browser, started: list[int], name: str) -> None:
    judged(review, SAID)
    answer = coordinator.post("/models/start", {"candidate": name})
    assert (answer.status_code == 400 and started == []) or name.rstrip("\0") == CANDIDATE


def test_without_judged_messages_there_is_nothing_to_measure(review: Review, coordinator: Browser, started: list[int]) -> None:
    page = coordinator.get("/models").text
    assert "noch keine Nachricht beurteilt" in page
    assert "<select" not in page
    assert coordinator.post("/models/start", {"candidate": CANDIDATE}).status_code == 400
    assert started == []


def test_a_second_comparison_waits_for_the_first(review: Review, coordinator: Browser, started: list[int]) -> None:
    judged(review, SAID)
    coordinator.post("/models/start", {"candidate": CANDIDATE})
    answer = coordinator.post("/models/start", {"candidate": CANDIDATE})
    assert answer.status_code == 400
    assert "Es läuft schon ein Vergleich" in answer.text
    assert len(started) == 1


def test_the_result_lists_what_gets_worse_and_better(review: Review, coordinator: Browser) -> None:
    judged(review, SAID, language="ar")
    judged(review, OTHER, right_intent="human")
    coordinator.post("/models/start", {"candidate": CANDIDATE})
    run(review, 1)
    page = coordinator.get("/models/1")
    words = text_of(page.text)
    assert "Wird schlechter (1)" in words and "Wird besser (1)" in words
    assert SAID in page.text.split('id="worse"')[1].split('id="better"')[0]
    assert OTHER in page.text.split('id="better"')[1]
    assert "Alle 2 50,0 % 50,0 % 1 1 0 kein gesicherter Unterschied" in words
    assert "Arabisch 1 100,0 % 0,0 % 0 1 0" in words
    assert 'dir="rtl"' in page.text
    assert "1 besser, 1 schlechter" in coordinator.get("/models").text


def test_the_result_keeps_no_text(review: Review, coordinator: Browser) -> None:
    (turn_id,) = judged(review, SAID)
    coordinator.post("/models/start", {"candidate": CANDIDATE})
    run(review, 1)
    with review.session() as session:
        stored = session.get(ModelComparison, 1).result
        session.query(TranscriptTurn).filter_by(id=turn_id).update({"text": None})
    assert SAID not in stored and SAID not in json.dumps(json.loads(stored), ensure_ascii=False)
    page = coordinator.get("/models/1").text
    assert SAID not in page
    assert "Diese Nachricht ist inzwischen gelöscht." in page


def test_the_messages_for_evaluation_come_first(review: Review, coordinator: Browser) -> None:
    judged(review, SAID)
    judged(review, OTHER, purpose=EVALUATION)
    coordinator.post("/models/start", {"candidate": CANDIDATE})
    assert run(review, 1)["all"]["messages"] == 1
    assert "für die Prüfung bestimmt sind" in coordinator.get("/models/1").text


def test_a_comparison_of_which_nothing_is_heard_has_failed(review: Review, coordinator: Browser, started: list[int]) -> None:
    judged(review, SAID)
    coordinator.post("/models/start", {"candidate": CANDIDATE})
    review.clock.forward(minutes=2)
    with review.session() as session:
        comparisons.beat(session, 1, 3, 8, review.clock())
    review.clock.forward(minutes=2)
    assert "3 von 8" in coordinator.get("/models/1").text
    review.clock.forward(minutes=2)
    page = coordinator.get("/models/1").text
    assert "gescheitert" in page and "abgebrochen" in page
    assert coordinator.post("/models/start", {"candidate": CANDIDATE}).status_code == 303
    with review.session() as session:
        assert session.get(ModelComparison, 1).status == comparisons.FAILED
    assert started == [1, 2]


def test_a_model_that_cannot_be_loaded_is_named(review: Review, coordinator: Browser) -> None:
    judged(review, SAID)

    def broken(path: Path, said: Any, done: Any) -> list[str]:
        raise OSError(f"{path} is not a model and {said} is secret")

    coordinator.post("/models/start", {"candidate": CANDIDATE})
    with pytest.raises(model_comparison.Failed):
        model_comparison.run(review.settings, 1, parse=broken, now=review.clock)
    page = coordinator.get("/models/1").text
    assert "Das neue Modell lässt sich nicht laden." in page
    assert "secret" not in page


def test_the_background_process_gets_the_settings_and_its_end_is_noticed(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    judged(review, SAID)
    with review.session() as session:
        number = comparisons.start(session, NEWEST, CANDIDATE, None, review.clock())
    seen: dict[str, Any] = {}

    class Process:
        returncode = 1

        def __init__(self, command: list[str], **more: Any) -> None:
            seen.update(command=command, **more)

        def wait(self, timeout: float | None = None) -> int:
            return self.returncode

    class AtOnce:
        def __init__(self, target: Any, args: Any, daemon: bool) -> None:
            self.start = lambda: target(*args)

    monkeypatch.setattr(models.subprocess, "Popen", Process)
    monkeypatch.setattr(models.threading, "Thread", AtOnce)
    models.run_in_background(review.settings, number)
    assert seen["command"][1:] == ["-m", "bot.cli", "review", "compare", "--id", "1"]
    assert seen["env"]["LOTSE_TRANSCRIPTS_URL"] == review.settings.transcripts_url
    assert seen["env"]["LOTSE_MODELS"] == str(review.settings.models)
    with review.session() as session:
        row = session.get(ModelComparison, number)
        assert (row.status, row.error) == (comparisons.FAILED, comparisons.STOPPED)


@pytest.mark.parametrize("number", ["0", "2", "x", "-1", "9" * 40, "²", "%00"])
def test_an_unknown_comparison_does_not_exist(coordinator: Browser, number: str) -> None:
    assert coordinator.get(f"/models/{number}").status_code == 404


@pytest.mark.parametrize("role", [REVIEWER, EDITOR, ADMIN])
def test_others_cannot_compare_models(review: Review, started: list[int], role: str) -> None:
    judged(review, SAID)
    browser = review.log_in(role)
    assert browser.get("/models").status_code == 403
    assert browser.get("/models/1").status_code == 403
    assert browser.post("/models/start", {"candidate": CANDIDATE}).status_code == 403
    assert started == []


def test_the_pages_are_in_english_for_those_who_chose_it(review: Review, started: list[int]) -> None:
    judged(review, SAID)
    browser = review.log_in(COORDINATOR, language="en")
    assert "Compare models" in browser.get("/models").text
    browser.post("/models/start", {"candidate": CANDIDATE})
    run(review, 1)
    page = browser.get("/models/1").text
    assert "Gets worse" in page
    assert "Modell" not in page.replace("Modelle", "")


def test_without_any_model_the_page_says_so(tmp_path: Path) -> None:
    with open_review(tmp_path, models=tmp_path / "none") as opened:
        page = opened.log_in(COORDINATOR).get("/models")
    assert page.status_code == 200
    assert "Es gibt noch kein Modell." in page.text


def test_every_failure_has_its_text() -> None:
    assert all(texts.has(f"models.error_{reason}") for reason in comparisons.ERRORS)
