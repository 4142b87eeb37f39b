"""`lotse review export` and `lotse review compare`: what reviewers judged as data, and models measured on it."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from rich.console import Console
from rich.table import Table

from bot.cli_common import misuse, stop, transcripts_ready, transcripts_session
from bot.settings import settings

REASONS = {
    "fixed": "exported for the other purpose already",
    "conversation": "their conversation is on the other side",
    "other_side": "nearly equal to a message of the other side",
    "project": "nearly equal to the project's data on the other side",
    "placeholder": "with a placeholder for personal data (--placeholders takes them)",
    "fallback": "no intent can be given to them",
    "incomplete": "conversations that are not fully judged or not done",
}
ERRORS = {
    "no_messages": "There are no judged messages to measure on.",
    "not_loadable_current": "The current model cannot be loaded.",
    "not_loadable_candidate": "The candidate cannot be loaded; perhaps it does not fit this version.",
    "other": "The comparison failed.",
}
out = Console()


def export(
    format: Annotated[str, typer.Option("--format", help="nlu, stories, jsonl or label-studio.")],
    purpose: Annotated[str, typer.Option("--purpose", help="training or evaluation.")],
    to: Annotated[Path, typer.Option("--out", help="Folder for the files; made if it is not there.")],
    only_new: Annotated[bool, typer.Option("--only-new", help="Leave out what was exported before.")] = False,
    placeholders: Annotated[bool, typer.Option("--placeholders", help="Also put texts with placeholders into the training.")] = False,
) -> None:
    """Export corrections of reviewers: redacted texts of conversations with consent, for training or evaluation.

    What has been exported keeps its purpose. Purposes are given on the page "Corrections" of the review.

    Example: lotse review export --format nlu --purpose training --out corrections
    """
    from bot.transcripts import audit, exports
    from bot.transcripts.corrections import PURPOSES, Scope
    from bot.transcripts.export_records import Wanted

    if format not in exports.FORMATS:
        raise misuse(f"There is no format {format!r}; choose one of {', '.join(exports.FORMATS)}.")
    if purpose not in PURPOSES:
        raise misuse(f"There is no purpose {purpose!r}; choose one of {', '.join(PURPOSES)}.")
    used, now = settings(), datetime.now(timezone.utc)
    wanted = Wanted(purpose, only_new, placeholders)
    try:
        # The folder comes first: what cannot be written must not count as exported.
        to.mkdir(parents=True, exist_ok=True)
        with transcripts_session() as session:
            made = exports.make(session, format, Scope.of(now, used.transcript_days), wanted, now)
            for name, content in made.files.items():
                (to / name).write_bytes(content)
            if made.files:
                numbers = {"messages": made.messages, "conversations": made.conversations}
                audit.write(session, now, None, audit.COMMAND, "corrections.export", "corrections", purpose, format=format, **numbers)
    except OSError as error:
        raise stop(f"The files cannot be written to {to}: {error.strerror}.") from error
    for name in made.files:
        _say(f"Written: {to / name}")
    _say(f"{made.messages} messages, {made.conversations} conversations." if made.files else "There was nothing to export.")
    for reason, number in sorted(made.left_out.items()):
        _say(f"Left out: {number} {REASONS[reason]}.")


def compare(
    candidate: Annotated[Optional[str], typer.Argument(help="File of the candidate, or its name in the folder of the models.")] = None,
    current: Annotated[Optional[str], typer.Option(help="The model to compare with; the newest by default.")] = None,
    number: Annotated[Optional[int], typer.Option("--id", help="Run a comparison that was entered by the review.", hidden=True)] = None,
) -> None:
    """Measure two models on the messages that reviewers judged: accuracy by language, what gets better and worse.

    Example: lotse review compare lotse-0123456789abcdef.tar.gz
    """
    from bot import model_comparison
    from bot.transcripts import audit, comparisons, database

    used = settings()
    with transcripts_ready() as url:
        try:
            if number is not None:
                # It runs beside the guide: people who chat come first.
                os.nice(10)
                model_comparison.run(used, number)
                return
            if candidate is None:
                raise misuse("Please name the candidate, for example: lotse review compare lotse-0123456789abcdef.tar.gz")
            models = model_comparison.available(used.models)
            if current is None and not models:
                raise stop(f"There is no model in {used.models}. `lotse train` makes one.")
            files = (_model(current or models[0].name), _model(candidate))
            names, now = [path.name for path in files], datetime.now(timezone.utc)
            with database.session(url) as session:
                made = comparisons.start(session, names[0], names[1], None, now)
                details = {"current": names[0], "candidate": names[1]}
                audit.write(session, now, None, audit.COMMAND, "comparison.start", "comparison", str(made), **details)
            with out.status("Loading the first model …") as status:
                result = model_comparison.run(used, made, lambda done, total: status.update(f"{done} of {total} messages …"), files=files)
        except comparisons.AlreadyRunning as error:
            raise stop("A comparison is running already; please wait until it is done.") from error
        except model_comparison.Failed as failed:
            raise stop(ERRORS.get(failed.reason, ERRORS["other"])) from failed
        except LookupError as error:
            raise stop(str(error)) from error
    _print(result, _texts())


def _texts() -> dict[str, str]:
    """Return the judged messages by their digests."""
    from bot.transcripts import corrections, database

    used = settings()
    with database.session(used.transcripts_url) as session:
        scope = corrections.Scope.of(datetime.now(timezone.utc), used.transcript_days)
        return {one.digest: one.text for one in corrections.all_of(session, scope, corrections.Filter())}


def _print(result: dict[str, Any], texts: dict[str, str]) -> None:
    table = Table("language", title="Right intents of judged messages")
    for column in ("messages", "current", "candidate", "better", "worse", "by chance"):
        table.add_column(column, justify="right")
    for code, line in [*result["languages"].items(), ("all", result["all"])]:
        shares = (f"{100 * line[side] / line['messages']:.1f} %" for side in ("current_right", "candidate_right"))
        table.add_row(code, str(line["messages"]), *shares, str(line["better"]), str(line["worse"]), f"{100 * line['chance']:.1f} %")
    out.print(table)
    if not result["chosen_for_evaluation"]:
        _say("No message is chosen for evaluation, so all judged ones were used; a model trained with some of them looks too good.")
    for change in result["changes"]:
        better = change["candidate"] == change["right"]
        # The text is one line, whatever it holds.
        said = " ".join(texts.get(change["message"], "").split())
        _say(f"{'better' if better else 'worse '} {change['language']} {change['current']} -> {change['candidate']}: {said}")


def _model(given: str) -> Path:
    """Return the file of a model: a path, or a name in the folder of the models."""
    for path in (Path(given), settings().models / Path(given).name):
        if path.is_file():
            return path
    raise misuse(f"There is no model {given}.")


def _say(text: str) -> None:
    out.print("".join(one for one in text if one.isprintable()), markup=False, highlight=False, soft_wrap=True)
