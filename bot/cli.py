"""The `lotse` command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from rich.console import Console
from rich.table import Table

from actions.directory.models import NEEDS
from bot.cli_common import err, stop
from bot.cli_demo import demo
from bot.cli_directory import directory_app
from bot.cli_doctor import doctor
from bot.cli_language import language_app
from bot.cli_retention import retention_app
from bot.cli_review import review_app
from bot.languages import LANGUAGES
from bot.settings import PROJECT, SettingsError, settings

app = typer.Typer(
    name="lotse",
    help="iq-lotse: a multilingual chat guide to counselling on recognition, qualification and fair work.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(directory_app, name="directory")
app.add_typer(language_app, name="language")
app.add_typer(retention_app, name="retention")
app.add_typer(review_app, name="review")
translations_app = typer.Typer(help="Catalogues: update from their German sources, check for completeness.", no_args_is_help=True)
app.add_typer(translations_app, name="translations")
app.command()(doctor)
app.command()(demo)
out = Console()


@app.command()
def serve() -> None:
    """Start the guide: fills the directory, trains if something changed, runs engine, action server and web page.

    Example: LOTSE_PORT=9090 lotse serve
    """
    from bot.serve import CannotStart
    from bot.serve import serve as run
    from bot.training import TrainingFailed

    try:
        code = run(lambda line: out.print(line, highlight=False, soft_wrap=True))
    except (CannotStart, TrainingFailed, SettingsError) as error:
        raise stop(str(error)) from error
    raise typer.Exit(code)


@app.command()
def train(force: Annotated[bool, typer.Option("--force", help="Train every part anew.")] = False) -> None:
    """Train the model, if anything it is made from has changed.

    Example: lotse train --force
    """
    from bot.training import TrainingFailed
    from bot.training import train as run

    try:
        model = run(force)
    except TrainingFailed as error:
        raise stop(str(error)) from error
    out.print(f"Model: {model}", highlight=False, soft_wrap=True)


@app.command()
def chat(
    language: Annotated[Optional[str], typer.Option(help="Language of the conversation, such as de or tr.")] = None,
    url: Annotated[Optional[str], typer.Option(help="Address of a running guide; the one on this machine by default.")] = None,
) -> None:
    """Chat in the terminal with the running guide.

    Example: lotse chat --language en
    """
    from bot.terminal import NotRunning
    from bot.terminal import chat as run

    _check_language(language)
    try:
        run(url or f"http://127.0.0.1:{settings().port}", language)
    except NotRunning as error:
        raise stop(str(error)) from error


@app.command()
def parse(
    file: Annotated[Optional[Path], typer.Argument(help="File with one message a line; standard input by default.", exists=True)] = None,
    language: Annotated[Optional[str], typer.Option(help="Language of the messages; detected by default.")] = None,
) -> None:
    """Show what is understood: one message a line in, one JSON object a line out.

    Example: echo "Ich bin Krankenschwester aus Syrien und wohne in Dortmund" | lotse parse
    """
    from bot.understanding import NoModel, Understanding

    _check_language(language)
    try:
        understanding = Understanding()
    except NoModel as error:
        raise stop(str(error)) from error
    _fill_directory()
    with file.open(encoding="utf-8", errors="replace") if file else sys.stdin as lines:
        for line in lines:
            if line.strip():
                print(json.dumps(understanding.parse(line.rstrip("\n"), language), ensure_ascii=False), flush=True)  # noqa: T201


@app.command()
def find(
    need: Annotated[str, typer.Argument(help=f"One of {', '.join(NEEDS)}.")],
    place: Annotated[str, typer.Argument(help="Postcode, town in any language, state, or `abroad`.")],
    profession: Annotated[Optional[str], typer.Option(help="German reference title or an everyday word.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=20, help="How many offices at the most.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print the referral as JSON.")] = False,
) -> None:
    """Find the offices for a need at a place.

    Example: lotse find recognition 50667 --profession Krankenschwester
    """
    from actions.directory import offices, places
    from actions.directory.database import session
    from bot.dialogue.catalogues import translate
    from bot.nlu import lookups

    _fill_directory()
    with session() as opened:
        found = places.resolve(opened, place)
        if found.place is None:
            raise stop(_place_problem(need, place, found), 2)
        try:
            referral = offices.find(opened, need, found.place, lookups.profession_title(profession), limit)
        except (ValueError, LookupError) as error:
            raise stop(str(error), 2) from error
        public = referral.public()
    texts = _note_texts()
    public["notes"] = [translate("replies", f"utter_note_{n}", texts[f"utter_note_{n}"], "de")[0] for n in public["notes"]]
    if as_json:
        print(json.dumps(public, ensure_ascii=False, indent=2))  # noqa: T201
        return
    _print_referral(public, found.place.name or "im Ausland")


def _note_texts() -> dict[str, str]:
    from ruamel.yaml import YAML

    responses = YAML(typ="safe").load(PROJECT / "domain.yml")["responses"]
    return {name: variations[0]["text"] for name, variations in responses.items()}


def _place_problem(need: str, text: str, found: Any) -> str:
    if found.choices:
        listed = "\n".join(f"  lotse find {need} '{c.reference}'" for c in found.choices)
        more = "\nThere are more; a postcode is unambiguous." if found.many else ""
        return f"There are several places called {text!r}. Please choose:\n{listed}{more}"
    if found.unknown_postcode:
        return f"There is no German postcode {text}. A postcode has five digits."
    near = f" Did you mean {', '.join(found.suggestions)}?" if found.suggestions else ""
    return f"There is no place called {text!r} in the directory.{near} A postcode always works."


def _print_referral(public: dict[str, Any], place: str) -> None:
    if not public["offices"]:
        out.print(f"No office for {public['need']} in {place}.")
    table = Table(title=f"{public['need']}: {place}", show_lines=True)
    for column in ("office", "address", "contact", "checked"):
        table.add_column(column, overflow="fold")
    for office in public["offices"]:
        address = ", ".join(filter(None, (office["street"], " ".join(filter(None, (office["postcode"], office["city"]))))))
        distance = f"\n{office['distance_km']} km" if office["distance_km"] is not None else ""
        mark = "" if office["confirmed"] else "\n[yellow]nicht bestätigt – bitte vorher nachfragen[/yellow]"
        contact = "\n".join(filter(None, (office["phone"], office["email"], office["website"])))
        table.add_row(f"[bold]{office['name']}[/bold]\n{office['carrier'] or ''}{mark}", address + distance, contact, office["checked_on"])
    out.print(table)
    for note in public["notes"]:
        out.print(f"• {note}", highlight=False)


@app.command()
def evaluate(
    language: Annotated[Optional[list[str]], typer.Option(help="Only this language; may be repeated.")] = None,
    write: Annotated[Optional[Path], typer.Option(help="Write report and picture into this folder.")] = None,
    errors: Annotated[bool, typer.Option("--errors", help="List the messages that are misunderstood.")] = False,
) -> None:
    """Measure how well unseen messages are understood: accuracy, precision and recall a need, confusion matrix.

    Example: lotse evaluate --write docs
    """
    from bot import evaluation
    from bot.understanding import NoModel, Understanding

    chosen = language or evaluation.languages()
    unknown = [code for code in chosen if code not in evaluation.languages()]
    if unknown:
        raise stop(f"There is no evaluation set for {', '.join(unknown)}; there is one for {', '.join(evaluation.languages())}.", 2)
    try:
        understanding = Understanding()
    except NoModel as error:
        raise stop(str(error)) from error
    _fill_directory()
    understanding.parse("Aufwärmen, damit die Zeiten stimmen")
    cases, times = evaluation.run(understanding.parse, chosen)
    text = evaluation.report(cases, times)
    out.print(text, highlight=False, markup=False, soft_wrap=True)
    if errors:
        for case in cases:
            if not case.right:
                out.print(
                    f"{case.language} {case.intent} -> {case.parsed['intent']} ({case.parsed['confidence']:.2f}): {case.text}", markup=False
                )
    if write:
        write.mkdir(parents=True, exist_ok=True)
        (write / "evaluation.md").write_text(text, encoding="utf-8")
        evaluation.picture(cases, write / "evaluation.png")
        out.print(f"Written: {write / 'evaluation.md'}, {write / 'evaluation.png'}", markup=False)


@translations_app.command("update")
def translations_update(language: Annotated[str, typer.Argument(help="Language code, such as tr.")]) -> None:
    """Bring the catalogues of a language up to date with their German sources; changed ones are marked fuzzy.

    Example: lotse translations update tr
    """
    from bot import translations

    _check_language(language)
    for domain, waiting in translations.update(language).items():
        out.print(f"{translations.path_of(domain, language)}: {waiting} texts wait for translation.", markup=False, soft_wrap=True)


@translations_app.command("check")
def translations_check() -> None:
    """Compare the catalogues of all spoken languages with their source.

    Example: lotse translations check
    """
    from bot import translations
    from bot.languages import SPOKEN_LANGUAGES

    findings = [f for language in SPOKEN_LANGUAGES for f in translations.check(language)]
    for finding in findings:
        out.print(f"{finding.language} {finding.domain} {finding.context}: {finding.problem}", markup=False, soft_wrap=True)
    out.print("All catalogues are complete." if not findings else f"{len(findings)} findings.")
    raise typer.Exit(1 if findings else 0)


def _check_language(language: str | None) -> None:
    if language is not None and language not in LANGUAGES:
        raise stop(f"The language {language!r} is not supported; choose one of {', '.join(LANGUAGES)}.", 2)


def _fill_directory() -> None:
    from actions.directory.fill import fill

    try:
        fill(settings().directory_url)
    except Exception as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise stop(f"The directory cannot be opened: {reason}\nCheck LOTSE_HOME and LOTSE_DIRECTORY_URL.") from error


def main() -> None:
    """Run the command; settings that cannot be used end it with a clear line."""
    try:
        app()
    except SettingsError as error:
        err.print(f"[red]{error}[/red]", highlight=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
