"""The pipelines that are compared, each as a Rasa project of its own: configuration, domain, data."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bot.settings import PROJECT

SEED = 7
FEWEST_EXAMPLES = 4
_EXAMPLE = "    - "
_QUESTION = "- intent: faq/"
# A question as an intent of its own, for the classifier that knows no retrieval intents.
FLAT_QUESTION = "faq_"


@dataclass(frozen=True)
class Variant:
    """A pipeline: what the tables call it, how its configuration comes about, and whether questions are plain intents."""

    title: str
    configure: Callable[[int], dict[str, Any]]
    flat: bool = False
    neural: bool = False
    own: bool = False  # made of our components


def _yaml() -> YAML:
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.width = 4096  # type: ignore[assignment]
    return yaml


def _ours(_epochs: int) -> dict[str, Any]:
    return dict(_yaml().load(PROJECT / "config.yml"))


def _ours_with(component: str) -> Callable[[int], dict[str, Any]]:
    def configure(_epochs: int) -> dict[str, Any]:
        config = _ours(0)
        for part in config["pipeline"]:
            if part["name"] == "bot.nlu.intent.NeedClassifier":
                part["name"] = f"bench.ablations.{component}"
        return config

    return configure


def _rasa_default(epochs: int) -> dict[str, Any]:
    """Return what Rasa 3.6.21 takes for a project of `rasa init`: its template names no components, so these apply."""
    import importlib.resources

    text = (importlib.resources.files("rasa.engine.recipes") / "config_files" / "default_config.yml").read_text(encoding="utf-8")
    config = dict(_yaml().load(text))
    for part in [*config["pipeline"], *config["policies"]]:
        if "epochs" in part:
            part["epochs"] = epochs
    return {**config, "language": "de", "assistant_id": "iq-lotse"}


def _logistic(_epochs: int) -> dict[str, Any]:
    return {
        "recipe": "default.v1",
        "language": "de",
        "assistant_id": "iq-lotse",
        "pipeline": [
            {"name": "WhitespaceTokenizer"},
            {"name": "CountVectorsFeaturizer"},
            {"name": "CountVectorsFeaturizer", "analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4},
            {"name": "LogisticRegressionClassifier"},
            {"name": "FallbackClassifier", "threshold": 0.3, "ambiguity_threshold": 0.1},
        ],
        "policies": [{"name": "RulePolicy"}],
    }


VARIANTS = {
    "ours": Variant("ours (`config.yml`)", _ours, own=True),
    "no-concepts": Variant("ours without the concept lexicon", _ours_with("WithoutConcepts"), own=True),
    "no-placeholders": Variant("ours without the gazetteer's placeholders", _ours_with("WithoutPlaceholders"), own=True),
    "logistic": Variant("Rasa: LogisticRegressionClassifier, RulePolicy", _logistic, flat=True),
    "diet": Variant("Rasa's default: DIET, ResponseSelector, TED, UnexpecTED", _rasa_default, neural=True),
}


def data_hash(name: str) -> str:
    """Return a hash over all that the figures of a variant stand on; rows of other data are not comparable.

    Our own variants also stand on our code and our tables.
    """
    digest = hashlib.sha256()
    patterns = ["data/nlu/*.yml", "data/evaluation/*.yml", "data/*.yml", "domain.yml"]
    if VARIANTS[name].own:
        patterns += ["config.yml", "bot/nlu/*.py", "data/lookups/*.csv", "data/places/*.csv"]
    for pattern in patterns:
        for path in sorted(PROJECT.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def project(variant: Variant, folder: Path, epochs: int, fraction: float) -> int:
    """Write the Rasa project of a variant into ``folder``.

    Args:
        variant: the pipeline.
        folder: an empty folder.
        epochs: for the neural parts.
        fraction: how much of the examples of each intent to take; the same ones for every variant.

    Returns:
        The number of training examples.
    """
    (folder / "data" / "nlu").mkdir(parents=True)
    examples = 0
    for path in sorted((PROJECT / "data" / "nlu").glob("*.yml")):
        lines = _part(path.read_text(encoding="utf-8").splitlines(), fraction)
        examples += sum(line.startswith(_EXAMPLE) for line in lines)
        if variant.flat:
            lines = [line.replace(_QUESTION, f"- intent: {FLAT_QUESTION}") if line.startswith(_QUESTION) else line for line in lines]
        (folder / "data" / "nlu" / path.name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name in ("rules.yml", "stories.yml"):
        shutil.copy(PROJECT / "data" / name, folder / "data" / name)
    domain = _yaml().load(PROJECT / "domain.yml")
    if variant.flat:
        topics = [name.removeprefix("utter_faq/") for name in domain["responses"] if name.startswith("utter_faq/")]
        domain["intents"] += ["faq", *(f"{FLAT_QUESTION}{topic}" for topic in topics)]
        domain["actions"].append("utter_faq")
    _yaml().dump(domain, folder / "domain.yml")
    _yaml().dump(variant.configure(epochs), folder / "config.yml")
    return examples


def _part(lines: list[str], fraction: float) -> list[str]:
    """Return the lines of a data file with a part of the examples of each intent, at random but always the same ones."""
    if fraction >= 1:
        return lines
    chance = random.Random(SEED)
    groups: list[tuple[list[str], list[str]]] = [([], [])]
    for line in lines:
        if line.startswith(_EXAMPLE):
            groups[-1][1].append(line)
        else:
            if groups[-1][1]:
                groups.append(([], []))
            groups[-1][0].append(line)
    kept: list[str] = []
    for head, examples in groups:
        count = min(len(examples), max(FEWEST_EXAMPLES, round(len(examples) * fraction)))
        chosen = sorted(chance.sample(range(len(examples)), count))
        kept += [*head, *(examples[i] for i in chosen)]
    return kept
