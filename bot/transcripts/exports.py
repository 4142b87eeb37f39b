"""Writers of the export: NLU examples and test stories for Rasa, JSON Lines, tasks for Label Studio.

What a person wrote is data in each of these formats. Rasa reads more into a text than YAML does: ``[x](y)`` is an entity, a
leading ``/`` a command, and in a file of pure ASCII it even resolves ``\\u000a``. So the YAML files hold a character that is
not ASCII in their first line, and texts are written on one line without such marks.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML
from sqlalchemy.orm import Session

from actions.directory.database import DATA
from bot.transcripts import corrections, export_records
from bot.transcripts.corrections import Correction, Scope
from bot.transcripts.export_records import ConversationRecord, Selection, TurnRecord, Wanted
from bot.transcripts.record_models import PERSON

FORMATS = ("nlu", "stories", "jsonl", "label-studio")
# What YAML accepts in a file, without the byte order mark.
_NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_SEPARATORS = re.compile("[\x85\u2028\u2029]")
_ENTITY = re.compile(r"\](?=[(\[{])")
_INTENT = re.compile(r"[a-z][a-z0-9_]*(?:/[a-z0-9_]+)?")
# The dash between the words is the character that is not ASCII.
_HEADER = "# Lotse – {what}, {purpose}. Redacted, exported with consent for review; delete it when it has served its purpose.\n"
# Answers that come from an action of another name; those not named here come from action_refer.
_ACTIONS = {
    "utter_ask_need": "action_refer",
    "utter_ask_place_again": "action_ask_again",
    "utter_clarify": "action_clarify",
    "utter_clarify_again": "action_clarify",
    "utter_choose_language": "action_switch_language",
    "utter_language_switched": "action_switch_language",
    "utter_language_unsupported": "action_switch_language",
    "utter_start_over": "action_start_over",
}
LABEL_CONFIG = """<View>
  <Paragraphs name="dialogue" value="$dialogue" layout="dialogue" nameKey="author" textKey="text"/>
  <ParagraphLabels name="intent" toName="dialogue">
{labels}  </ParagraphLabels>
</View>
"""


@dataclass(frozen=True)
class Export:
    """A finished export: its files, how much is in it, and what was left out."""

    files: dict[str, bytes]
    messages: int
    conversations: int
    left_out: Counter[str]


def make(session: Session, kind: str, scope: Scope, wanted: Wanted, now: datetime) -> Export:
    """Export what has been chosen for a purpose, and note that it was exported.

    Args:
        session: a transaction.
        kind: one of :data:`FORMATS`.
        scope: what may be seen.
        wanted: the purpose, and what of it.
        now: the moment.

    Raises:
        ValueError: if the format or the purpose is unknown.
    """
    if kind not in FORMATS or wanted.purpose not in corrections.PURPOSES:
        raise ValueError(f"There is no export {kind!r} for {wanted.purpose!r}.")
    corrections.hold(session)
    if kind == "nlu":
        chosen = export_records.examples(session, scope, wanted)
    else:
        chosen = export_records.conversations(session, scope, wanted, complete=kind == "stories")
    files = _WRITERS[kind](chosen, wanted.purpose) if chosen.examples else {}
    export_records.mark(session, chosen, now)
    return Export(files, len(chosen.examples), len(chosen.conversations), chosen.left_out)


def archive(files: dict[str, bytes]) -> bytes:
    """Return files as one ZIP archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return out.getvalue()


def one_line(said: str) -> str:
    """Return a text as one line in which Rasa sees nothing but text."""
    line = " ".join(_NOT_YAML.sub("", said).split())
    line = _ENTITY.sub("] ", line).replace("${", "$ {")
    return line.lstrip("/ ")


def nlu(ones: Sequence[Correction], purpose: str) -> str:
    """Return examples as an NLU file of Rasa (format 3.1), by intent.

    Args:
        ones: examples of one language.
        purpose: what they are for, named in the first line.
    """
    by_intent: dict[str, dict[str, None]] = {}
    for one in ones:
        line = one_line(one.text)
        if line and _INTENT.fullmatch(one.intent):
            by_intent.setdefault(one.intent, {})[line] = None
    parts = [_HEADER.format(what="NLU examples", purpose=purpose), 'version: "3.1"\nnlu:\n']
    for intent, lines in sorted(by_intent.items()):
        parts.append(f"- intent: {intent}\n  examples: |\n" + "".join(f"    - {line}\n" for line in lines))
    return "".join(parts) if by_intent else ""


def stories(records: Sequence[ConversationRecord], purpose: str) -> str:
    """Return conversations as test stories of Rasa (format 3.1): what the person said and meant, and what the guide did.

    Slots and forms are not in it: the stories need a look before they are run as tests.
    """
    parts = [_HEADER.format(what="test stories", purpose=purpose), 'version: "3.1"\nstories:\n']
    written = 0
    for record in records:
        steps = list(_steps(record.turns))
        if any(step.startswith(("  - user", "  - intent")) for step in steps):
            parts.append(f"- story: {_quoted(f'{record.key} ({record.language})')}\n  steps:\n" + "".join(steps))
            written += 1
    return "".join(parts) if written else ""


def json_lines(records: Iterable[ConversationRecord]) -> str:
    """Return conversations as JSON Lines, one a line; also for programs that take other line separators for the end."""
    lines = (json.dumps(asdict(record), ensure_ascii=False) for record in records)
    return "".join(_SEPARATORS.sub(lambda found: f"\\u{ord(found.group()):04x}", line) + "\n" for line in lines)


def label_studio(records: Iterable[ConversationRecord]) -> list[dict[str, Any]]:
    """Return conversations as tasks of Label Studio (tag ``Paragraphs``); what was understood stands as a prediction."""
    tasks = []
    for record in records:
        dialogue: list[dict[str, str]] = []
        results: list[dict[str, Any]] = []
        scores: list[float] = []
        for turn in record.turns:
            said = turn.text if turn.text is not None else f"[withheld: {turn.withheld}]" if turn.withheld else ""
            if turn.author == PERSON and turn.intent and turn.text:
                place = str(len(dialogue))
                value = {"start": place, "end": place, "startOffset": 0, "endOffset": len(said), "paragraphlabels": [turn.intent]}
                results.append({"from_name": "intent", "to_name": "dialogue", "type": "paragraphlabels", "value": value})
                scores.append(turn.confidence or 0.0)
            dialogue.append({"author": turn.author, "text": said})
        data = {"dialogue": dialogue, "conversation": record.key, "language": record.language, "channel": record.channel}
        prediction = {"model_version": "lotse", "score": min(scores, default=0.0), "result": results}
        tasks.append({"data": data, "predictions": [prediction] if results else []})
    return tasks


def _steps(turns: Sequence[TurnRecord]) -> Iterable[str]:
    last = None
    for turn in turns:
        if turn.author == PERSON:
            intent = turn.right_intent or turn.intent
            if intent is None or not _INTENT.fullmatch(intent):
                continue
            line = one_line(turn.text) if turn.text is not None and turn.kind == "text" else ""
            yield f"  - user: {_quoted(line)}\n    intent: {intent}\n" if line else f"  - intent: {intent}\n"
            last = None
        elif turn.kind != "start" and turn.response and re.fullmatch(r"\w+(?:/\w+)?", turn.response, re.ASCII):
            action = _action(turn.response)
            if action != last:
                yield f"  - action: {action}" + (f"  # {turn.response}\n" if action != turn.response else "\n")
            last = action


def _action(response: str) -> str:
    if response.startswith("utter_faq/"):
        return "utter_faq"
    return response if response in _said_by_rules() else _ACTIONS.get(response, "action_refer")


@lru_cache(maxsize=1)
def _said_by_rules() -> frozenset[str]:
    """Return the responses that rules name as actions."""
    rules = YAML(typ="safe").load(DATA / "rules.yml")["rules"]
    return frozenset(step["action"] for rule in rules for step in rule["steps"] if step.get("action", "").startswith("utter_"))


def _quoted(line: str) -> str:
    # Every JSON string is a double-quoted scalar of YAML.
    return json.dumps(line, ensure_ascii=False)


def _write_nlu(chosen: Selection, purpose: str) -> dict[str, bytes]:
    found = {f"{purpose}_{language}.yml": nlu(ones, purpose) for language, ones in export_records.by_language(chosen.examples).items()}
    return {name: content.encode("utf-8") for name, content in found.items() if content}


def _write_stories(chosen: Selection, purpose: str) -> dict[str, bytes]:
    content = stories(chosen.conversations, purpose)
    # Rasa takes a file for test stories by its name.
    return {f"test_stories_{purpose}.yml": content.encode("utf-8")} if content else {}


def _write_json_lines(chosen: Selection, purpose: str) -> dict[str, bytes]:
    return {f"conversations_{purpose}.jsonl": json_lines(chosen.conversations).encode("utf-8")}


def _write_label_studio(chosen: Selection, purpose: str) -> dict[str, bytes]:
    tasks = label_studio(chosen.conversations)
    intents = sorted({turn.intent for record in chosen.conversations for turn in record.turns if turn.intent})
    labels = "".join(f'    <Label value="{intent}"/>\n' for intent in intents if _INTENT.fullmatch(intent))
    return {
        f"label_studio_{purpose}.json": json.dumps(tasks, ensure_ascii=False, indent=1).encode("utf-8"),
        "label_studio_config.xml": LABEL_CONFIG.format(labels=labels).encode("utf-8"),
    }


_WRITERS: dict[str, Callable[[Selection, str], dict[str, bytes]]] = {
    "nlu": _write_nlu,
    "stories": _write_stories,
    "jsonl": _write_json_lines,
    "label-studio": _write_label_studio,
}
