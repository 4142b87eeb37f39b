"""The options of the command, as the benchmarks read them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Options:
    """How much is measured; :func:`quick` has the values of a smoke test."""

    quick: bool = False
    # pipelines
    pipelines: tuple[str, ...] = ("ours", "no-concepts", "no-placeholders", "logistic", "diet")
    limit_minutes: float = 30.0
    diet_epochs: int = 100
    fraction: float = 1.0
    loads: int = 3  # starts of each trained pipeline
    messages: int = 0  # evaluation messages of each language; 0: all
    # serve
    starts: int = 3
    memory_turns: int = 200
    # turns
    turns: int = 300
    clients: int = 20
    client_turns: int = 30
    # long
    runs: int = 5
    long_turns: int = 120
    # lookup
    lookups: int = 1000
    offices: int = 5000
    # fuzz
    inputs: int = 20_000
    seed: int = 1
    people: int = 12
    fake_engine: bool = False
    # review
    count: int = 1_000_000
    database: str = "sqlite"
    repeats: int = 40  # questions of each kind

    def only(self, *names: str) -> dict[str, Any]:
        """Return some of the options, to be kept with the result."""
        return {name: value for name, value in asdict(self).items() if name in names}


def quick() -> Options:
    """Return the options of a smoke test."""
    return Options(
        quick=True,
        limit_minutes=6,
        diet_epochs=2,
        fraction=0.03,
        loads=1,
        messages=40,
        starts=1,
        memory_turns=20,
        turns=12,
        clients=4,
        client_turns=6,
        runs=1,
        long_turns=16,
        lookups=50,
        offices=300,
        inputs=1000,
        count=3000,
        repeats=6,
    )
