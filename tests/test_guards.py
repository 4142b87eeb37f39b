"""The house rules that no single test of a module would notice when they are broken."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from actions.directory.database import PROJECT
from actions.directory.models import NEEDS

CODE = ("actions", "bot", "tests")
MOST_LINES = 1_000
# What Git ignores (.gitignore), and Git's own folder.
IGNORED = {
    ".git",
    ".venv",
    "var",
    "models",
    "results",
    ".rasa",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    "build",
    "test-results",
    ".cache",
    "iq_lotse.egg-info",
}
BINARY = {".png", ".ico", ".mo", ".gz", ".npz", ".woff2", ".jpg"}
# Who may stand in front of the gateway and the review pages: themselves, and what starts them.
DOORS = ("bot.gateway", "bot.review")
STARTERS = {"bot/serve.py", "bot/cli.py", "bot/cli_review.py", "bot/cli_demo.py", "bot/web/app.py"}
# The demonstration fills the review by the review's own means (keys, passwords), and starts it.
STARTING_FOLDERS = ("bot/demo/",)


@lru_cache
def files() -> tuple[Path, ...]:
    """Return the text files that belong to the project."""
    found = []
    for folder, inner, names in os.walk(PROJECT):
        inner[:] = [name for name in inner if name not in IGNORED]
        found += [Path(folder) / name for name in names if Path(name).suffix not in BINARY]
    return tuple(sorted(found))


def sources(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((PROJECT / package).rglob("*.py")) if "__pycache__" not in path.parts]


def named(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


@lru_cache(maxsize=512)
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    """Return the full names of all modules and names that a file imports, inside functions too."""
    found = set()
    package = list(path.relative_to(PROJECT).with_suffix("").parts[:-1])
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], *filter(None, [node.module])] if node.level else [node.module or ""]
            found |= {".".join([*base, alias.name]) for alias in node.names}
    return found


def belongs(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


# -- dependencies ------------------------------------------------------------------------------------------------------


def test_nobody_looks_behind_the_doors() -> None:
    wrong = []
    for path in sources("bot", "actions"):
        own = [door for door in DOORS if named(path).startswith(door.replace(".", "/"))]
        if own or named(path) in STARTERS or named(path).startswith(STARTING_FOLDERS):
            continue
        wrong += [(named(path), module) for module in imports(path) for door in DOORS if belongs(module, door)]
    assert wrong == []


def test_the_action_server_knows_nothing_of_the_bot() -> None:
    """Above all not the transcripts: the action server never sees personal data."""
    assert [(named(p), m) for p in sources("actions") for m in imports(p) if belongs(m, "bot")] == []


def test_the_directory_knows_nothing_of_the_actions() -> None:
    wrong = [
        (named(path), module)
        for path in sources("actions/directory")
        for module in imports(path)
        if belongs(module, "actions") and not belongs(module, "actions.directory") or belongs(module, "rasa_sdk")
    ]
    assert wrong == []


def test_the_transcripts_know_nothing_of_the_web() -> None:
    assert [(named(p), m) for p in sources("bot/transcripts") for m in imports(p) if belongs(m, "starlette") or belongs(m, "rasa")] == []


def test_nobody_in_the_product_imports_tests() -> None:
    assert [(named(p), m) for p in sources("actions", "bot") for m in imports(p) if belongs(m, "tests") or belongs(m, "pytest")] == []


# -- code --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", CODE)
def test_no_file_is_too_long(package: str) -> None:
    lengths = {named(p): len(p.read_text(encoding="utf-8").splitlines()) for p in files() if named(p).startswith(f"{package}/")}
    # A catalogue has as many entries as the guide has texts.
    assert {name: n for name, n in lengths.items() if n > MOST_LINES and not name.endswith((".po", ".pot"))} == {}


def test_nothing_is_printed() -> None:
    """The one exception: what a command gives to other programs goes to standard output as it is."""
    wrong = []
    for path in sources("actions", "bot"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                call = " ".join(lines[node.lineno - 1 : node.end_lineno])
                if named(path) != "bot/cli.py" or "json.dumps" not in call:
                    wrong.append(f"{named(path)}:{node.lineno}")
    assert wrong == []


def test_every_module_class_and_public_function_has_a_docstring() -> None:
    wrong = []
    for path in sources("actions", "bot"):
        if "migrations" in path.parts:
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Module | ast.ClassDef) or (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_") and node in _top_level(path)
            ):
                if ast.get_docstring(node) is None and not getattr(node, "name", "").startswith("_"):
                    wrong.append(f"{named(path)}: {getattr(node, 'name', 'module')}")
    assert wrong == []


def _top_level(path: Path) -> list[ast.stmt]:
    return tree(path).body


def test_every_test_has_a_sentence_for_a_name() -> None:
    wrong = [
        f"{named(path)}: {node.name}"
        for path in sources("tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_") and node.name.count("_") < 3
    ]
    assert wrong == []


def test_no_database_or_key_lies_among_the_files() -> None:
    assert [named(p) for p in files() if p.suffix in {".db", ".sqlite", ".key", ".pem", ".log"} or p.name == ".env"] == []


# -- what must not be written down -------------------------------------------------------------------------------------


def _texts() -> Iterator[tuple[str, str]]:
    for path in files():
        yield named(path), path.read_text(encoding="utf-8")


def test_no_package_registry_is_named() -> None:
    """Where packages come from is the business of the machine, not of the project."""
    # Written in parts, or this file would find itself.
    hosts = ["pypi" + ".org", "python" + "hosted.org", "npmjs" + ".org", "npmjs" + ".com", "index" + "-url =", "artifactory" + "."]
    assert [(name, host) for name, text in _texts() for host in hosts if host in text] == []


def test_no_path_of_a_machine_is_named() -> None:
    folders = "|".join(("work", "root", "home/[a-z]+", "Users"))
    path = re.compile(rf"(?<![\w.:/~$}}\-])/(?:{folders})/")
    assert [(name, match.group()) for name, text in _texts() for match in path.finditer(text)] == []


def test_every_text_file_is_utf8_and_ends_with_a_line_break() -> None:
    assert [name for name, text in _texts() if text and not text.endswith("\n")] == []
    assert [name for name, text in _texts() if "\r\n" in text] == []


# -- documents ---------------------------------------------------------------------------------------------------------


def document(name: str) -> str:
    path = PROJECT / "docs" / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


def variables(*packages: str) -> set[str]:
    """Return the environment variables that the code reads: ``os.environ``, ``getenv`` and helpers like ``_port("LOTSE_PORT")``."""
    found = set()
    for path in sources(*packages):
        for node in ast.walk(tree(path)):
            read = None
            if isinstance(node, ast.Call) and node.args:
                of_environment = ast.unparse(node.func) in ("os.environ.get", "environ.get", "os.getenv", "getenv")
                read = node.args[0] if of_environment or ast.unparse(node.args[0]).startswith("'LOTSE_") else None
            elif (
                isinstance(node, ast.Subscript) and ast.unparse(node.value) in ("os.environ", "environ") and isinstance(node.ctx, ast.Load)
            ):
                read = node.slice
            if isinstance(read, ast.Constant) and isinstance(read.value, str):
                found.add(read.value)
    return {name for name in found if re.fullmatch("[A-Z_]+", name)} - {"PYTHONPATH"}


def test_every_environment_variable_is_explained() -> None:
    read = variables("bot", "actions")
    assert len(read) > 10
    assert [name for name in sorted(read) if f"`{name}`" not in document("operating.md")] == []


def test_no_environment_variable_is_explained_that_nobody_reads() -> None:
    explained = set(re.findall(r"LOTSE_[A-Z_]+", document("operating.md")))
    known = variables("bot", "actions") | set(re.findall(r"\$\{(LOTSE_[A-Z_]+)", (PROJECT / "endpoints.yml").read_text(encoding="utf-8")))
    assert explained - known == set()


def test_the_defaults_in_the_documents_are_those_of_the_code() -> None:
    code = (PROJECT / "bot" / "settings.py").read_text(encoding="utf-8")
    defaults = dict(re.findall(r'_\w+\("(LOTSE_[A-Z_]+)", (\d+)', code))
    explained = dict(re.findall(r"^\| `(LOTSE_[A-Z_]+)` \| `(\d+)` \|", document("operating.md"), re.MULTILINE))
    assert defaults
    assert explained == defaults


def test_every_intent_is_in_the_documents() -> None:
    text = document("glossary.md") + document("dialogue.md")
    intents = YAML(typ="safe").load(PROJECT / "domain.yml")["intents"]
    assert [intent for intent in intents if f"`{intent}`" not in text] == []


@pytest.mark.parametrize("need", NEEDS)
def test_every_need_is_in_the_documents(need: str) -> None:
    assert f"`{need}`" in document("glossary.md") + document("dialogue.md")


def test_every_link_between_documents_leads_somewhere() -> None:
    wrong = []
    for path in (p for p in files() if p.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
            # A template becomes a document in docs/, and its links count from there.
            folder = PROJECT / "docs" if path.parent.name == "templates" else path.parent
            if not re.match(r"[a-z]+:", target) and not (folder / target).exists():
                wrong.append((named(path), target))
    assert wrong == []


def test_every_file_that_a_document_names_exists() -> None:
    wrong = []
    for path in (p for p in files() if p.suffix == ".md"):
        for target in re.findall(r"`((?:actions|bot|data|tests|bench|docs)/[\w./-]+\.\w+)`", path.read_text(encoding="utf-8")):
            if not (PROJECT / target).exists():
                wrong.append((named(path), target))
    assert wrong == []
