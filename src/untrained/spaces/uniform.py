"""Spaces of words: a fixed number of genes with the same choice for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from untrained.architecture import Architecture
from untrained.errors import ArchitectureError, InputError
from untrained.spaces.space import Space


class Uniform(Space):
    """A space of all words of `length` genes, each 0..`choices` - 1."""

    length: ClassVar[int]
    choices: ClassVar[int]

    def sample(self, rng: np.random.Generator) -> Architecture:
        return Architecture(self.name, tuple(rng.integers(0, self.choices, self.length).tolist()))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """One gene, chosen uniformly, gets another value, chosen uniformly."""
        genes = list(self._own(architecture))
        place = int(rng.integers(self.length))
        genes[place] = (genes[place] + int(rng.integers(1, self.choices))) % self.choices
        return Architecture(self.name, tuple(genes))

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """`a` with one segment of `b`, between two cut points drawn uniformly (hybrid-rank paper)."""
        mother, father = self._own(a), self._own(b)
        first, second = (int(rng.random() * (self.length + 1 - drawn)) for drawn in (0, 1))
        left, right = sorted((first, second + (second >= first)))
        return Architecture(self.name, mother[:left] + father[left:right] + mother[right:])

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        genes = self._own(architecture)
        for place, gene in enumerate(genes):
            for other in range(self.choices):
                if other != gene:
                    yield Architecture(self.name, (*genes[:place], other, *genes[place + 1 :]))

    def validate(self, architecture: Architecture) -> Architecture:
        genes = self._own(architecture)
        if len(genes) != self.length or any(type(gene) is not int or not 0 <= gene < self.choices for gene in genes):
            raise ArchitectureError(f"{self.name} takes {self.length} genes in 0..{self.choices - 1}, not {genes}")
        return architecture

    # -- the order: lexicographic, unless the space says otherwise --------------------------------------------------

    def index(self, architecture: Architecture) -> int:
        """The place of `architecture` in the order of the space."""
        index = 0
        for gene in self._own(architecture):
            index = index * self.choices + gene
        return index

    def at(self, index: int) -> Architecture:
        """The architecture at `index` of that order."""
        count = self.choices**self.length
        if not 0 <= index < count:
            raise InputError(f"{self.name} has indices 0..{count - 1}, not {index}")
        places = reversed(range(self.length))
        return Architecture(self.name, tuple(index // self.choices**place % self.choices for place in places))

    def __iter__(self) -> Iterator[Architecture]:
        """All architectures in that order."""
        return (Architecture(self.name, genes) for genes in itertools.product(range(self.choices), repeat=self.length))
