"""Measuring two models on judged messages, and the commands `lotse review export` and `lotse review compare`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from bot import cli_corrections, model_comparison
from bot.cli_review import review_app
from bot.model_comparison import Failed, available, chance, compare
from bot.settings import settings
from bot.transcripts import comparisons, corrections, database
from bot.transcripts.corrections import Filter, Scope
from bot.transcripts.record_models import PERSON, TRAINING, ModelComparison, TranscriptTurn, Verdict
from bot.transcripts.staff_models import AuditEntry
from tests.review.support import make_transcript

NOW = datetime.now(timezone.utc)
SAID = ("Blaue Kakteen verlangen nachts ihren Stempel zurück", "Quittenmus ersetzt kein Gutachten über Fagottbau")


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The database that the commands open, in a home of its own."""
    made = f"sqlite:///{tmp_path / 'transcripts.db'}"
    monkeypatch.setenv("LOTSE_TRANSCRIPTS_URL", made)
    settings.cache_clear()
    database.upgrade(made)
    yield made
    settings.cache_clear()


def judge(session: Session, *said: str, purpose: str | None = None, **more: Any) -> None:
    """Add a conversation of today whose messages were understood as `recognition`, rightly."""
    times = {"started_at": NOW - timedelta(hours=2), "last_activity_at": NOW - timedelta(hours=1)}
    transcript = make_transcript(session, *said, **{**times, **more})
    for turn in session.query(TranscriptTurn).filter_by(transcript_id=transcript.id, author=PERSON):
        session.add(Verdict(turn_id=turn.id, transcript_id=transcript.id, intent_right=True, purpose=purpose, created_at=NOW))
    session.flush()


def examples(session: Session) -> list[corrections.Correction]:
    return corrections.all_of(session, Scope.of(NOW, 30), Filter())


def says(**answers: list[str]) -> Any:
    """Stand in for the models: what each understands."""

    def parse(path: Path, texts: Any, done: Any) -> list[str]:
        for number in range(len(texts)):
            done(number + 1)
        return answers[path.name]

    return parse


def test_figures_count_right_better_and_worse(url: str) -> None:
    with database.session(url) as session:
        judge(session, *SAID)
        judge(session, "üçüncü", language="tr")
        found = examples(session)
    steps: list[tuple[int, int]] = []
    parse = says(a=["recognition", "human", "human"], b=["human", "recognition", "recognition"])
    result = compare(Path("a"), Path("b"), found, lambda done, total: steps.append((done, total)), parse)
    assert result["all"] == {"messages": 3, "current_right": 1, "candidate_right": 2, "better": 2, "worse": 1, "chance": 1.0}
    assert result["languages"]["tr"] == {"messages": 1, "current_right": 0, "candidate_right": 1, "better": 1, "worse": 0, "chance": 1.0}
    assert len(result["changes"]) == 3
    assert steps == [(n, 6) for n in range(1, 7)]
    assert not any(text in json.dumps(result, ensure_ascii=False) for text in SAID)


def test_without_messages_there_is_no_comparison() -> None:
    with pytest.raises(Failed, match="no_messages"):
        compare(Path("a"), Path("b"), [], lambda done, total: None)


@pytest.mark.parametrize(("broken", "reason"), [("a", "not_loadable_current"), ("b", "not_loadable_candidate")])
def test_a_model_that_cannot_be_loaded_is_named(url: str, broken: str, reason: str) -> None:
    def parse(path: Path, texts: Any, done: Any) -> list[str]:
        if path.name == broken:
            raise RuntimeError
        return ["human"] * len(texts)

    with database.session(url) as session:
        judge(session, *SAID)
        found = examples(session)
    with pytest.raises(Failed, match=reason):
        compare(Path("a"), Path("b"), found, lambda done, total: None, parse)


@pytest.mark.parametrize(
    ("better", "worse", "likely"), [(0, 0, 1.0), (1, 0, 1.0), (3, 3, 1.0), (6, 0, 0.03125), (10, 2, 0.03857), (0, 6, 0.03125)]
)
def test_chance_is_that_of_mcnemars_exact_test(better: int, worse: int, likely: float) -> None:
    assert chance(better, worse) == pytest.approx(likely, abs=1e-5)


def test_models_are_the_archives_of_the_folder_the_newest_first(tmp_path: Path) -> None:
    for age, name in enumerate(("b.tar.gz", "a.tar.gz", "notes.txt")):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (1_700_000_000 - age, 1_700_000_000 - age))
    (tmp_path / "folder.tar.gz").mkdir()
    assert [model.name for model in available(tmp_path)] == ["b.tar.gz", "a.tar.gz"]
    assert available(tmp_path / "none") == []


def test_a_comparison_runs_once(url: str) -> None:
    with database.session(url) as session:
        judge(session, *SAID)
        number = comparisons.start(session, "a.tar.gz", "b.tar.gz", None, NOW)
        with pytest.raises(comparisons.AlreadyRunning):
            comparisons.start(session, "a.tar.gz", "b.tar.gz", None, NOW)
    parse = says(a=["recognition"] * 2, b=["human"] * 2)
    files = (Path("a"), Path("b"))
    assert model_comparison.run(settings(), number, parse=parse, files=files, now=lambda: NOW)["all"]["worse"] == 2
    with pytest.raises(LookupError):
        model_comparison.run(settings(), number, parse=parse, files=files, now=lambda: NOW)


def test_a_comparison_that_breaks_is_marked_as_failed(url: str) -> None:
    with database.session(url) as session:
        judge(session, *SAID)
        number = comparisons.start(session, "a.tar.gz", "b.tar.gz", None, NOW)

    def parse(path: Path, texts: Any, done: Any) -> list[str]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model_comparison.run(settings(), number, parse=parse, now=lambda: NOW)
    with database.session(url) as session:
        row = session.get(ModelComparison, number)
        assert (row.status, row.error, row.result) == ("failed", "other", None)


# ---------------------------------------------------------------------- the commands


def test_the_export_command_writes_files_and_an_audit_entry(url: str, tmp_path: Path) -> None:
    with database.session(url) as session:
        judge(session, *SAID, purpose=TRAINING)
    folder = tmp_path / "deep" / "out"
    arguments = ["export", "--format", "nlu", "--purpose", "training", "--out", str(folder)]
    done = CliRunner().invoke(review_app, arguments)
    assert done.exit_code == 0, done.output
    assert SAID[0] in (folder / "training_de.yml").read_text(encoding="utf-8")
    with database.session(url) as session:
        entry = session.query(AuditEntry).one()
        assert (entry.action, entry.object_key, entry.staff_id) == ("corrections.export", "training", None)
    again = CliRunner().invoke(review_app, [*arguments, "--only-new"])
    assert again.exit_code == 0
    assert "nothing to export" in again.output


@pytest.mark.parametrize(
    "arguments",
    [["--format", "exe", "--purpose", "training"], ["--format", "nlu", "--purpose", "both"], ["--format", "nlu"], []],
)
def test_the_export_command_explains_what_it_does_not_know(url: str, tmp_path: Path, arguments: list[str]) -> None:
    done = CliRunner().invoke(review_app, ["export", *arguments, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_what_could_not_be_written_is_not_exported(url: str, tmp_path: Path) -> None:
    with database.session(url) as session:
        judge(session, *SAID, purpose=TRAINING)
    (tmp_path / "file").write_text("x")
    done = CliRunner().invoke(review_app, ["export", "--format", "nlu", "--purpose", "training", "--out", str(tmp_path / "file")])
    assert done.exit_code == 1
    with database.session(url) as session:
        assert all(row.exported_at is None for row in session.query(Verdict))


def test_every_reason_is_explained_on_the_command_line() -> None:
    from bot.review.corrections import REASONS

    assert set(cli_corrections.REASONS) == set(REASONS)
    assert set(cli_corrections.ERRORS) == set(comparisons.ERRORS) - {comparisons.STOPPED}


@pytest.mark.parametrize("arguments", [[], ["missing.tar.gz"], ["missing.tar.gz", "--current", "none.tar.gz"]])
def test_the_compare_command_asks_for_models_that_exist(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("LOTSE_MODELS", str(tmp_path))
    settings.cache_clear()
    (tmp_path / "a.tar.gz").write_bytes(b"x")
    assert CliRunner().invoke(review_app, ["compare", *arguments]).exit_code == 2


def test_the_compare_command_says_when_there_is_nothing_to_measure(url: str, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"x")
    path = str(tmp_path / "a.tar.gz")
    done = CliRunner().invoke(review_app, ["compare", path, "--current", path])
    assert done.exit_code == 1
    assert "no judged messages" in done.output


def test_an_unknown_comparison_cannot_be_run(url: str) -> None:
    done = CliRunner().invoke(review_app, ["compare", "--id", "7"])
    assert done.exit_code == 1
    assert "no comparison 7" in done.output


@pytest.mark.model
def test_a_model_is_as_good_as_itself(url: str, trained_model: Path) -> None:
    with database.session(url) as session:
        judge(session, "Wo kann ich mein Diplom als Ingenieurin anerkennen lassen?", SAID[0])
        judge(session, "Diplomamı tanıtmak istiyorum, nereye başvurabilirim?", language="tr")
    done = CliRunner().invoke(review_app, ["compare", str(trained_model), "--current", str(trained_model)])
    assert done.exit_code == 0, done.output
    with database.session(url) as session:
        result = json.loads(session.query(ModelComparison).one().result)
    assert result["all"]["messages"] == 3
    assert result["all"]["current_right"] == result["all"]["candidate_right"] >= 2
    assert result["changes"] == []
    assert set(result["languages"]) == {"de", "tr"}
