"""Gene positions: what a model of independent genes needs to know of a space."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from untrained.architecture import Architecture
from untrained.errors import ArchitectureError, InputError
from untrained.seeds import generator
from untrained.spaces.space import Space

SAMPLES = 500


class Positions:
    """The values that each gene of a space takes, as seen in `SAMPLES` random architectures.

    Raises `InputError` for a space whose architectures differ in length; `noun` says who asks. values: the gene values of
    each position, sorted; sizes (l,): how many there are.
    """

    def __init__(self, space: Space, noun: str) -> None:
        self.space = space
        rng = generator("positions", space.name)
        seen = [space.sample(rng).genes]
        for _ in range(SAMPLES - 1):
            seen.append(space.sample(rng).genes)
            if len(seen[-1]) != len(seen[0]):
                raise InputError(
                    f"{noun!r} needs architectures with a fixed number of genes, which those of {space.name!r} do not "
                    "have; use 'aging' or 'genetic', for example"
                )
        self.values = [sorted(set(column)) for column in zip(*seen, strict=True)]
        self.sizes = np.array([len(values) for values in self.values])
        self._known = [{value: number for number, value in enumerate(values)} for values in self.values]
        self._starts = np.cumsum(self.sizes) - self.sizes

    def encode(self, architecture: Architecture) -> tuple[int, ...]:
        """The numbers of its l genes among the values of their positions; for a value not seen that of the next one."""
        try:
            return tuple([known[gene] for known, gene in zip(self._known, architecture.genes, strict=True)])
        except KeyError:
            pairs = zip(self.values, architecture.genes, strict=True)
            return tuple(bisect_left(values, gene, hi=len(values) - 1) for values, gene in pairs)

    def decode(self, numbers: Sequence[int]) -> Architecture | None:
        """The architecture of l gene numbers, or None where the space has none: its genes may depend on each other."""
        genes = tuple(values[number] for values, number in zip(self.values, numbers, strict=True))
        try:
            return self.space.validate(Architecture(self.space.name, genes))
        except ArchitectureError:
            return None

    def one_hot(self, numbers: np.ndarray) -> np.ndarray:
        """(k, l) gene numbers -> (k, sum of sizes), a 1 for each gene, as float64."""
        table = np.zeros((len(numbers), int(self.sizes.sum())))
        table[np.arange(len(numbers))[:, None], numbers + self._starts] = 1.0
        return table

    def shares(self, points: np.ndarray) -> np.ndarray:
        """For one-hot coded genes (k, sum of sizes) and each position, the probability (l,) that two of the k, drawn
        with replacement, agree there."""
        return np.asarray(np.add.reduceat(points.mean(axis=0) ** 2, self._starts))
