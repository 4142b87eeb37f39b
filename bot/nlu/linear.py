"""A linear classifier with calibrated probabilities, kept as plain arrays.

Training uses scikit-learn; using the model needs NumPy only. (Loading a pickled or ``skops`` model imports half of
scikit-learn, which would double the start-up of the engine.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path

import numpy as np

from bot.nlu.features import Features

# Every so many messages, one is kept back to fit the temperature.
HELD_OUT = 5


@dataclass
class LinearModel:
    """Weights of a one-against-rest linear classifier over two blocks of TF-IDF features."""

    classes: list[str]
    vocabulary: dict[str, int]
    idf: np.ndarray
    weights: np.ndarray  # one row for each feature, one column for each class
    bias: np.ndarray
    temperature: float

    def _vector(self, blocks: Features) -> tuple[np.ndarray, np.ndarray]:
        """Return indices and values of the features of one message; each block has length 1."""
        indices: list[int] = []
        values: list[float] = []
        for name, counts in blocks.items():
            start = len(values)
            square = 0.0
            for feature, count in counts.items():
                index = self.vocabulary.get(f"{name}:{feature}")
                if index is None:
                    continue
                value = (1.0 + log(count)) * float(self.idf[index])
                square += value * value
                indices.append(index)
                values.append(value)
            if square:
                norm = square**0.5
                values[start:] = [v / norm for v in values[start:]]
        return np.array(indices, dtype=np.int64), np.array(values, dtype=np.float32)

    def margins(self, blocks: Features) -> np.ndarray:
        """Return the margin of each class for one message."""
        indices, values = self._vector(blocks)
        if not len(indices):
            return self.bias.copy()
        return values @ self.weights[indices] + self.bias

    def probabilities(self, blocks: Features) -> np.ndarray:
        """Return the probability of each class (they add up to 1)."""
        return softmax(self.margins(blocks) * self.temperature)

    def save(self, path: Path) -> None:
        """Write the model to an ``.npz`` file."""
        np.savez(
            path,
            classes=np.array(self.classes),
            vocabulary=np.frombuffer("\n".join(self.vocabulary).encode(), dtype=np.uint8),
            idf=self.idf.astype(np.float32),
            weights=self.weights.astype(np.float16),
            bias=self.bias.astype(np.float32),
            temperature=np.array([self.temperature]),
        )

    @classmethod
    def load(cls, path: Path) -> LinearModel:
        """Read a model that :meth:`save` wrote."""
        with np.load(path) as stored:
            names = stored["vocabulary"].tobytes().decode().split("\n")
            return cls(
                classes=[str(c) for c in stored["classes"]],
                vocabulary={name: i for i, name in enumerate(names)},
                idf=stored["idf"],
                weights=stored["weights"].astype(np.float32),
                bias=stored["bias"],
                temperature=float(stored["temperature"][0]),
            )

    @classmethod
    def fit(cls, messages: Sequence[Features], labels: Sequence[str], regularisation: float = 0.4) -> LinearModel:
        """Train on messages and their labels.

        The temperature, which turns margins into probabilities that mean what they say, is fitted on predictions for
        messages that the predicting model had not seen.

        Args:
            messages: the features of each message.
            labels: its class.
            regularisation: ``C`` of the support vector machine.
        """
        vocabulary, idf = _vocabulary(messages)
        blank = cls(sorted(set(labels)), vocabulary, idf, np.zeros((0, 0)), np.zeros(0), 1.0)
        matrix = _matrix(blank, messages)
        truth = np.searchsorted(blank.classes, labels)
        held_out = np.random.default_rng(7).permutation(len(labels)) % HELD_OUT == 0
        weights, bias = _train(matrix[~held_out], truth[~held_out], len(blank.classes), regularisation)
        temperature = _temperature(matrix[held_out] @ weights + bias, truth[held_out])
        weights, bias = _train(matrix, truth, len(blank.classes), regularisation)
        return cls(blank.classes, vocabulary, idf, weights, bias, temperature)


def softmax(values: np.ndarray) -> np.ndarray:
    """Return the softmax along the last axis."""
    shifted = np.exp(values - values.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def _vocabulary(messages: Sequence[Features]) -> tuple[dict[str, int], np.ndarray]:
    seen: Counter[str] = Counter()
    for blocks in messages:
        seen.update(f"{name}:{feature}" for name, counts in blocks.items() for feature in counts)
    # A piece of a word that occurs once tells nothing; a whole word that occurs once may be all there is.
    kept = sorted(f for f, n in seen.items() if n >= 2 or (f.startswith("word:") and " " not in f))
    idf = np.array([log((1 + len(messages)) / (1 + seen[f])) + 1.0 for f in kept], dtype=np.float32)
    return {f: i for i, f in enumerate(kept)}, idf


def _matrix(model: LinearModel, messages: Sequence[Features]):  # type: ignore[no-untyped-def]
    from scipy.sparse import csr_matrix

    indptr, indices, values = [0], [], []
    for blocks in messages:
        index, value = model._vector(blocks)
        indices.append(index)
        values.append(value)
        indptr.append(indptr[-1] + len(index))
    shape = (len(messages), len(model.vocabulary))
    return csr_matrix((np.concatenate(values), np.concatenate(indices), np.array(indptr)), shape=shape)


def _train(matrix, truth: np.ndarray, classes: int, regularisation: float) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
    from sklearn.svm import LinearSVC

    machine = LinearSVC(C=regularisation, random_state=7, tol=1e-3).fit(matrix, truth)
    weights = np.zeros((matrix.shape[1], classes), dtype=np.float32)
    bias = np.full(classes, -1.0, dtype=np.float32)
    weights[:, machine.classes_] = machine.coef_.T
    bias[machine.classes_] = machine.intercept_
    return weights, bias


def _temperature(margins: np.ndarray, truth: np.ndarray) -> float:
    """Return the factor under which the softmax of unseen margins has the least log loss."""
    candidates = np.arange(1.0, 12.0, 0.25)
    losses = [-np.log(softmax(margins * t)[np.arange(len(truth)), truth] + 1e-9).mean() for t in candidates]
    return float(candidates[int(np.argmin(losses))])
