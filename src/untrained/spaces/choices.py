"""A user's own space: a choice at each position, and a function that builds the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np

from untrained.architecture import Architecture, Token
from untrained.errors import ArchitectureError, InputError, NetworkError
from untrained.spaces.diagram import Diagram, Node
from untrained.spaces.space import Skeleton, Space, register

if TYPE_CHECKING:
    from torch import nn

Value = str | int | float
Build = Callable[[dict[str, Any], int, int, int], "nn.Module"]
"""(the chosen value by position, num_classes, in_chans, channels) -> a network from images to logits."""
Same = Callable[[dict[str, Any]], Mapping[str, Any]]
"""A choice -> the choice that stands for all with the same network."""


@final
class Choices(Space):
    """One value out of a list at each of several positions: a space defined by data. See :func:`define_space`."""

    def __init__(self, name: str, positions: Mapping[str, Sequence[Value]], build: Build, same: Same | None) -> None:
        _check(name, positions)
        self.name = name  # type: ignore[misc]
        self.positions = {position: tuple(values) for position, values in positions.items()}
        self.__doc__ = build.__doc__ or f"A space of {len(positions)} choices, defined by {build.__module__}."
        self.grammar = ",".join(f"{p}={'|'.join(map(str, v))}" for p, v in self.positions.items())  # type: ignore[misc]
        self.size = math.prod(map(len, self.positions.values()))  # type: ignore[misc]
        self.skeletons = {"full": Skeleton(channels=16), "proxy": Skeleton(channels=8)}  # type: ignore[misc]
        self._build = build
        self._same = same
        self._numbers = [len(values) for values in self.positions.values()]

    def choice(self, architecture: Architecture) -> dict[str, Any]:
        """The chosen value at each position."""
        genes = self._own(architecture)
        return {position: values[g] for (position, values), g in zip(self.positions.items(), genes, strict=True)}

    def sample(self, rng: np.random.Generator) -> Architecture:
        return Architecture(self.name, tuple(int(rng.integers(n)) for n in self._numbers))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """Another value at one position, both chosen uniformly."""
        genes = list(self._own(architecture))
        open_positions = [k for k, n in enumerate(self._numbers) if n > 1]
        k = open_positions[int(rng.integers(len(open_positions)))]
        genes[k] = (genes[k] + int(rng.integers(1, self._numbers[k]))) % self._numbers[k]
        return Architecture(self.name, tuple(genes))

    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """Each position from either parent, evenly."""
        pairs = zip(self._own(a), self._own(b), strict=True)
        return Architecture(self.name, tuple(pair[int(rng.integers(2))] for pair in pairs))

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        genes = self._own(architecture)
        for k, n in enumerate(self._numbers):
            for other in range(n):
                if other != genes[k]:
                    yield Architecture(self.name, (*genes[:k], other, *genes[k + 1 :]))

    def canonical(self, architecture: Architecture) -> Architecture:
        if self._same is None:
            return architecture
        return self._architecture(dict(self._same(self.choice(architecture))))

    def validate(self, architecture: Architecture) -> Architecture:
        genes = self._own(architecture)
        right = len(genes) == len(self._numbers) and all(
            type(gene) is int and 0 <= gene < n for gene, n in zip(genes, self._numbers, strict=True)
        )
        if not right:
            raise ArchitectureError(f"{self.name} takes {len(self._numbers)} genes below {self._numbers}, not {genes}")
        return architecture

    def parse(self, text: str) -> Architecture:
        genes: list[int] = []
        column = 0
        items = text.split(",")
        for (position, values), item in zip(self.positions.items(), items, strict=False):
            name, equals, value = item.partition("=")
            if name != position or not equals:
                raise ArchitectureError.at(text, column, f"{position + '='!r} is expected", self.grammar)
            written = [str(known) for known in values]
            if value not in written:
                where = column + len(name) + 1
                raise ArchitectureError.at(text, where, f"{position} has no value {value!r}", self.grammar)
            genes.append(written.index(value))
            column += len(item) + 1
        if len(items) != len(self.positions):
            column = min(column, len(text))
            raise ArchitectureError.at(text, column, f"{len(self.positions)} positions are expected", self.grammar)
        return Architecture(self.name, tuple(genes))

    def format(self, architecture: Architecture) -> str:
        return ",".join(f"{position}={value}" for position, value in self.choice(architecture).items())

    def tokens(self, architecture: Architecture) -> tuple[Token, ...]:
        """A number is a parameter of its position, so that near numbers align well; a word is a kind of its own."""
        return tuple(
            Token(str(value)[0], str(value))
            if isinstance(value, str)
            else Token(position[0], position, (("value", float(value)),))
            for position, value in self.choice(architecture).items()
        )

    def draw(self, architecture: Architecture) -> Diagram:
        nodes = [Node(f"{position}: {value}", "block") for position, value in self.choice(architecture).items()]
        return Diagram.chain([Node("in", "input"), *nodes, Node("out", "output")], title=self.format(architecture))

    def _architecture(self, choice: Mapping[str, Any]) -> Architecture:
        genes = tuple(values.index(choice[position]) for position, values in self.positions.items())
        return Architecture(self.name, genes)

    def _network(self, architecture: Architecture, num_classes: int, in_chans: int, skeleton: Skeleton) -> nn.Module:
        network = self._build(self.choice(architecture), num_classes, in_chans, skeleton.channels)
        if not hasattr(network, "parameters"):
            raise NetworkError(f"{architecture} is built as {type(network).__name__}; an nn.Module is expected")
        return network


def define_space(name: str, *, same: Same | None = None, **positions: Sequence[Value]) -> Callable[[Build], Build]:
    """Make the decorated build function a search space called `name`, with a choice of values at each position.

    The function gets the chosen value by position, the number of classes and of image channels, and `channels`, the unit of
    width (16, and 8 where a small stand-in is scored); it returns a network. same: a choice -> the choice that stands for
    all with the same network, where some coincide. Everything else follows: sampling, mutation, crossover, alignment,
    search and reports. Define it at the top of a module, so that worker processes find it.
    """

    def decorate(build: Build) -> Build:
        register(Choices(name, positions, build, same))
        return build

    return decorate


def _check(name: str, positions: Mapping[str, Sequence[Value]]) -> None:
    if not name or ":" in name:
        raise InputError(f"a space has a name without a colon, not {name!r}")
    if not positions or all(len(values) < 2 for values in positions.values()):
        raise InputError(f"the space {name!r} needs at least one position with two or more values")
    for position, values in positions.items():
        written = [str(value) for value in values]
        if (
            not written
            or len(set(written)) < len(written)
            or any(set(text) & set(",=") or not text for text in written)
        ):
            raise InputError(
                f"the values of {position!r} are distinct and written without ',' and '=', not {list(values)}"
            )
