"""Reports: Markdown on standard output, and the marked blocks of the pages in ``docs/``.

A page is made from ``bench/templates`` once; after that only what stands between its marks is written anew, so that the
prose around them can be edited by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench import results
from bench.results import Result, Table

TEMPLATES = Path(__file__).parent / "templates"
PAGES = {"benchmarks.md": "benchmarks.md", "decision.md": "decisions/0001-intent-classifier.md"}
_BLOCK = re.compile(r"<!-- bench:([a-z]+) -->\n.*?<!-- end of bench:\1 -->", re.DOTALL)


def table(one: Table) -> str:
    """Return a table as Markdown."""
    lines = [f"**{one.title}**", "", "| " + " | ".join(one.columns) + " |", "|---" * len(one.columns) + "|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in one.rows]
    return "\n".join([*lines, *(["", one.note] if one.note else [])])


def targets(found: list[Result]) -> str:
    """Return all targets, met or not, as Markdown."""
    rows = [[t.name, t.wanted, t.measured, "met" if t.met else "**not met**"] for result in found for t in result.targets]
    return table(Table("Targets", ["what", "target", "measured", ""], rows)) if rows else "No targets were measured."


def section(result: Result) -> str:
    """Return all of one benchmark as Markdown."""
    made = f"Measured {result.date} with `{result.command}`; load at the start {result.machine['load_at_start'][0]}."
    return "\n\n".join([*(table(one) for one in result.tables), made])


def machines(found: list[Result]) -> str:
    """Return on what was measured as Markdown; one entry if all results come from the same machine."""
    texts = []
    for result in found:
        m = result.machine
        versions = ", ".join(f"{name} {number}" for name, number in m["versions"].items())
        text = f"{m['cores']} cores, {m['cpu']}, {m['memory_gb']} GB memory, {m['system']}, Python {m['python']}; {versions}."
        if text not in texts:
            texts.append(text)
    return "\n\n".join(texts)


def show(result: Result) -> str:
    """Return one benchmark with its targets and its machine, for the terminal."""
    parts = [f"## {result.name}", section(result)]
    return "\n\n".join([*parts, *([targets([result])] if result.targets else []), machines([result])]) + "\n"


def write(folder: Path, names: list[str], quick: bool) -> list[Path]:
    """Fill the blocks of the pages in ``folder`` from the stored results.

    Args:
        folder: usually ``docs``.
        names: the benchmarks.
        quick: take the results of smoke tests.

    Returns:
        The files.
    """
    found = [result for result in (results.load(name, quick) for name in names) if result is not None]
    blocks = {result.name: section(result) for result in found}
    if found:
        blocks |= {"targets": targets(found), "machine": machines(found)}
    written = []
    for template, name in PAGES.items():
        path = folder / name
        text = (path if path.exists() else TEMPLATES / template).read_text(encoding="utf-8")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_BLOCK.sub(lambda block: _filled(block, blocks), text), encoding="utf-8")
        written.append(path)
    return written


def _filled(block: re.Match[str], blocks: dict[str, str]) -> str:
    name = block.group(1)
    if name not in blocks:
        return block.group(0)
    return f"<!-- bench:{name} -->\n{blocks[name]}\n<!-- end of bench:{name} -->"
