"""From features to vectors: a vocabulary with weights, learnt once, the same for training and for use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from bot.nlu.features import Features


@dataclass
class Vectoriser:
    """The known features and their TF-IDF weights; each block of a message becomes a vector of length 1."""

    vocabulary: dict[str, int]
    idf: np.ndarray

    @classmethod
    def fit(cls, messages: Sequence[Features]) -> Vectoriser:
        """Learn which features there are and how much each tells."""
        seen: Counter[str] = Counter()
        for blocks in messages:
            seen.update(f"{name}:{feature}" for name, counts in blocks.items() for feature in counts)
        # A piece of a word that occurs once tells nothing; a whole word that occurs once may be all there is.
        kept = sorted(f for f, n in seen.items() if n >= 2 or (f.startswith("word:") and " " not in f and "%" not in f))
        idf = np.array([log((1 + len(messages)) / (1 + seen[f])) + 1.0 for f in kept], dtype=np.float32)
        return cls({f: i for i, f in enumerate(kept)}, idf)

    def vector(self, blocks: Features) -> tuple[np.ndarray, np.ndarray]:
        """Return indices and values of the known features of one message."""
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

    def matrix(self, messages: Sequence[Features]):  # type: ignore[no-untyped-def]
        """Return the vectors of many messages as the rows of a sparse matrix."""
        from scipy.sparse import csr_matrix

        indptr, indices, values = [0], [], []
        for blocks in messages:
            index, value = self.vector(blocks)
            indices.append(index)
            values.append(value)
            indptr.append(indptr[-1] + len(index))
        shape = (len(messages), len(self.vocabulary))
        return csr_matrix((np.concatenate(values), np.concatenate(indices), np.array(indptr)), shape=shape)
