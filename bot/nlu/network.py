"""A small neural network over the features of a message, trained and used with NumPy.

One hidden layer lets words of different languages that are used alike share what they have learnt, which a linear
classifier cannot. Half of the work is forgetting: at random a third of the features and of the hidden units is left out
at each step, so that no single word decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HIDDEN = 64
EPOCHS = 7
BATCH = 256
LEARNING_RATE = 2e-3
LEFT_OUT = 0.3
# The share of certainty that is spread over all classes: labels are opinions.
SMOOTHING = 0.05
_DECAY_MEAN, _DECAY_SQUARE, _TINY = 0.9, 0.999, 1e-8


@dataclass
class Network:
    """The weights: one row of ``features`` for each feature, one column of ``output`` for each class."""

    features: np.ndarray
    hidden_bias: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray

    def logits(self, indices: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the unscaled log probabilities for one message, given as indices and values of its features."""
        hidden = values @ self.features[indices] + self.hidden_bias if len(indices) else self.hidden_bias
        return np.maximum(hidden, 0.0) @ self.output + self.output_bias

    def logits_of(self, matrix) -> np.ndarray:  # type: ignore[no-untyped-def]
        """Return the same for many messages, given as rows of a sparse matrix."""
        return np.maximum(matrix @ self.features + self.hidden_bias, 0.0) @ self.output + self.output_bias

    @classmethod
    def fit(cls, matrix, truth: np.ndarray, classes: int, seed: int) -> Network:  # type: ignore[no-untyped-def]
        """Train on messages.

        Args:
            matrix: their features, a sparse matrix with a row for each message.
            truth: the number of the class of each.
            classes: how many classes there are.
            seed: for the random start and what is left out; the same seed gives the same network.
        """
        random = np.random.default_rng(seed)
        network = cls(
            (random.standard_normal((matrix.shape[1], HIDDEN)) * 0.05).astype(np.float32),
            np.zeros(HIDDEN, dtype=np.float32),
            (random.standard_normal((HIDDEN, classes)) * HIDDEN**-0.5).astype(np.float32),
            np.zeros(classes, dtype=np.float32),
        )
        trainer = _Trainer(network, random)
        for epoch in range(EPOCHS):
            rate = LEARNING_RATE * (1 - epoch / EPOCHS)
            order = random.permutation(matrix.shape[0])
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                trainer.step(matrix[rows], truth[rows], rate)
        return network


class _Trainer:
    """Adam, which for the large matrix of features touches only the rows that occur in a batch."""

    def __init__(self, network: Network, random: np.random.Generator) -> None:
        self.network = network
        self.random = random
        self.steps = 0
        parts = (network.features, network.hidden_bias, network.output, network.output_bias)
        self.means = [np.zeros_like(part) for part in parts]
        self.squares = [np.zeros_like(part) for part in parts]

    def step(self, batch, truth: np.ndarray, rate: float) -> None:  # type: ignore[no-untyped-def]
        """Take one step of training on a batch of rows."""
        from scipy.sparse import csr_matrix

        net, size = self.network, len(truth)
        batch.data = batch.data * self._kept(batch.data.shape)
        before = batch @ net.features + net.hidden_bias
        mask = self._kept(before.shape)
        hidden = np.maximum(before, 0.0) * mask
        error = softmax(hidden @ net.output + net.output_bias)
        error -= SMOOTHING / error.shape[1]
        error[np.arange(size), truth] -= 1 - SMOOTHING
        error /= size
        hidden_error = (error @ net.output.T) * mask * (before > 0)
        touched = np.unique(batch.indices)
        narrow = csr_matrix((batch.data, np.searchsorted(touched, batch.indices), batch.indptr), shape=(size, len(touched)))
        self.steps += 1
        self._update(0, net.features, narrow.T @ hidden_error, rate, touched)
        self._update(1, net.hidden_bias, hidden_error.sum(axis=0), rate)
        self._update(2, net.output, hidden.T @ error, rate)
        self._update(3, net.output_bias, error.sum(axis=0), rate)

    def _kept(self, shape: tuple[int, ...]) -> np.ndarray:
        return ((self.random.random(shape) >= LEFT_OUT) / (1 - LEFT_OUT)).astype(np.float32)

    def _update(self, part: int, weights: np.ndarray, gradient: np.ndarray, rate: float, rows: np.ndarray | None = None) -> None:
        where = slice(None) if rows is None else rows
        mean = self.means[part][where] * _DECAY_MEAN + (1 - _DECAY_MEAN) * gradient
        square = self.squares[part][where] * _DECAY_SQUARE + (1 - _DECAY_SQUARE) * gradient * gradient
        self.means[part][where], self.squares[part][where] = mean, square
        scale = (1 - _DECAY_SQUARE**self.steps) ** 0.5 / (1 - _DECAY_MEAN**self.steps)
        weights[where] -= rate * scale * mean / (np.sqrt(square) + _TINY)


def softmax(values: np.ndarray) -> np.ndarray:
    """Return the softmax along the last axis."""
    shifted = np.exp(values - values.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)
