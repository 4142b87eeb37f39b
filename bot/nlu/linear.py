"""A linear classifier (support vector machine, one against the rest) over the features of a message.

Training uses scikit-learn; using it needs NumPy only. (Loading a pickled or ``skops`` model imports half of scikit-learn,
which would double the start-up of the engine.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class LinearClassifier:
    """The weights: one row for each feature, one column for each class."""

    weights: np.ndarray
    bias: np.ndarray

    def margins(self, indices: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the margin of each class for one message, given as indices and values of its features."""
        if not len(indices):
            return self.bias.copy()
        return values @ self.weights[indices] + self.bias

    def margins_of(self, matrix) -> np.ndarray:  # type: ignore[no-untyped-def]
        """Return the same for many messages, given as rows of a sparse matrix."""
        return matrix @ self.weights + self.bias

    @classmethod
    def fit(cls, matrix, truth: np.ndarray, classes: int, regularisation: float) -> LinearClassifier:  # type: ignore[no-untyped-def]
        """Train on messages.

        Args:
            matrix: their features, a sparse matrix with a row for each message.
            truth: the number of the class of each.
            classes: how many classes there are.
            regularisation: ``C`` of the support vector machine.
        """
        from sklearn.svm import LinearSVC

        machine = LinearSVC(C=regularisation, random_state=7, tol=0.1).fit(matrix, truth)
        weights = np.zeros((matrix.shape[1], classes), dtype=np.float32)
        bias = np.full(classes, -1.0, dtype=np.float32)
        weights[:, machine.classes_] = machine.coef_.T
        bias[machine.classes_] = machine.intercept_
        return cls(weights, bias)
