"""The classifier of messages: a linear classifier and small neural networks, whose probabilities are mixed.

The linear one is right more often where there are many examples, the networks where there are few; together they are
better than either (``docs/decisions/0002-eleven-languages.md``). The temperatures that turn scores into probabilities that
mean what they say are fitted on messages that the predicting models have not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bot.nlu.features import Features
from bot.nlu.linear import LinearClassifier
from bot.nlu.network import Network, softmax
from bot.nlu.vectors import Vectoriser

# Each member is trained without one of so many parts; there its temperature is fitted.
PARTS = 10
NETWORKS = 2
# How much of the probability comes from the linear classifier.
LINEAR_SHARE = 0.35
_PROCESSES = 2


@dataclass
class Mixture:
    """A trained classifier: its classes, the features it knows, its members and their temperatures."""

    classes: list[str]
    vectoriser: Vectoriser
    linear: LinearClassifier
    networks: list[Network]
    linear_temperature: float
    network_temperature: float

    def probabilities(self, blocks: Features) -> np.ndarray:
        """Return the probability of each class for one message (they add up to 1)."""
        indices, values = self.vectoriser.vector(blocks)
        mixed = LINEAR_SHARE * softmax(self.linear.margins(indices, values) * self.linear_temperature)
        for network in self.networks:
            share = (1 - LINEAR_SHARE) / len(self.networks)
            mixed = mixed + share * softmax(network.logits(indices, values) * self.network_temperature)
        return np.asarray(mixed)

    @classmethod
    def fit(cls, messages: Sequence[Features], labels: Sequence[str], regularisation: float) -> Mixture:
        """Train on messages and their labels.

        Args:
            messages: the features of each message.
            labels: its class.
            regularisation: ``C`` of the support vector machine.
        """
        from joblib import Parallel, delayed

        vectoriser = Vectoriser.fit(messages)
        classes = sorted(set(labels))
        matrix = vectoriser.matrix(messages).astype(np.float32)
        truth = np.searchsorted(classes, labels)
        part = np.random.default_rng(7).permutation(len(labels)) % PARTS
        jobs = [delayed(Network.fit)(matrix[part != n], truth[part != n], len(classes), n) for n in range(NETWORKS)]
        jobs.append(delayed(LinearClassifier.fit)(matrix[part != NETWORKS], truth[part != NETWORKS], len(classes), regularisation))
        *networks, linear = Parallel(n_jobs=_PROCESSES, max_nbytes=None)(jobs)
        linear_temperature = temperature(linear.margins_of(matrix[part == NETWORKS]), truth[part == NETWORKS])
        unseen = np.concatenate([network.logits_of(matrix[part == n]) for n, network in enumerate(networks)])
        network_temperature = temperature(unseen, np.concatenate([truth[part == n] for n in range(NETWORKS)]))
        return cls(classes, vectoriser, linear, networks, linear_temperature, network_temperature)

    def save(self, path: Path) -> None:
        """Write the model to an ``.npz`` file."""
        networks = {
            f"network{number}_{part}": getattr(network, part).astype(np.float16)
            for number, network in enumerate(self.networks)
            for part in Network.__dataclass_fields__
        }
        np.savez(
            path,
            classes=np.array(self.classes),
            vocabulary=np.frombuffer("\n".join(self.vectoriser.vocabulary).encode(), dtype=np.uint8),
            idf=self.vectoriser.idf.astype(np.float32),
            linear_weights=self.linear.weights.astype(np.float16),
            linear_bias=self.linear.bias.astype(np.float32),
            temperatures=np.array([self.linear_temperature, self.network_temperature]),
            networks=np.array([len(self.networks)]),
            **networks,
        )

    @classmethod
    def load(cls, path: Path) -> Mixture:
        """Read a model that :meth:`save` wrote."""
        with np.load(path) as stored:
            names = stored["vocabulary"].tobytes().decode().split("\n")
            networks = [
                Network(*(stored[f"network{number}_{part}"].astype(np.float32) for part in Network.__dataclass_fields__))
                for number in range(int(stored["networks"][0]))
            ]
            return cls(
                classes=[str(c) for c in stored["classes"]],
                vectoriser=Vectoriser({name: i for i, name in enumerate(names)}, stored["idf"]),
                linear=LinearClassifier(stored["linear_weights"].astype(np.float32), stored["linear_bias"]),
                networks=networks,
                linear_temperature=float(stored["temperatures"][0]),
                network_temperature=float(stored["temperatures"][1]),
            )


def temperature(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the factor under which the softmax of scores for unseen messages has the least log loss."""
    candidates = np.arange(0.5, 12.0, 0.25)
    losses = [-np.log(softmax(scores * t)[np.arange(len(truth)), truth] + 1e-9).mean() for t in candidates]
    return float(candidates[int(np.argmin(losses))])
