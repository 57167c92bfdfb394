"""What every search space offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from untrained.architecture import Architecture, Token
from untrained.errors import ArchitectureError, InputError, UnknownNameError, check_type
from untrained.registry import SPACES
from untrained.spaces.diagram import Diagram

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The macro network around an architecture. Every space reads the fields it knows and documents them.

    channels: width of the first stage (or the unit of width); cells: cells per stage (or layers in total);
    stem: how images enter, by name; head: what leaves, by name; auxiliary: a second head during training;
    drop_path: the probability of dropping a path during training.
    """

    channels: int
    cells: int = 1
    stem: str = "default"
    head: str = "classification"
    auxiliary: bool = False
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        if self.channels < 1 or self.cells < 1:
            raise InputError(f"a skeleton needs channels >= 1 and cells >= 1, not {self.channels} and {self.cells}")
        if not 0.0 <= self.drop_path < 1.0:
            raise InputError(f"drop_path is a probability in [0, 1), not {self.drop_path}")

    def __str__(self) -> str:
        values = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return ",".join(f"{name}={value}" for name, value in values.items())


class Space(ABC):
    """A search space: how its architectures are drawn, changed, read, written, compared and built.

    All operators return valid architectures, always; none of them needs torch but :meth:`build`. Randomness comes from
    the generator that is passed in.
    """

    name: ClassVar[str]
    grammar: ClassVar[str]
    """One line that says what a text of this space looks like; shown when parsing fails."""
    paper: ClassVar[str] = ""
    size: ClassVar[int | None] = None
    """Number of architectures, or None where nobody counted."""
    skeletons: ClassVar[Mapping[str, Skeleton]]
    """Presets by name. The first is the benchmark's own; `proxy` is a small one."""
    scored: ClassVar[str] = "proxy"
    """The preset that searches score on."""
    metrics: ClassVar[tuple[str, ...]] = ("swap", "params")
    """What searches score by, as a rank sum where there are several: what measured best (docs/metrics.md) on this space, or on
    average."""
    minimum_image_size: ClassVar[int] = 8

    # -- variation -------------------------------------------------------------------------------------------------

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> Architecture:
        """A random architecture (uniform unless the space says otherwise)."""

    @abstractmethod
    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A random small change; never `architecture` itself."""

    def edit(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """One random edit; never `architecture` itself. The mutation, unless that may make several."""
        return self.mutate(architecture, rng)

    @abstractmethod
    def crossover(self, a: Architecture, b: Architecture, rng: np.random.Generator) -> Architecture:
        """A child of `a` with material of `b`. For the twin, call it with the parents exchanged."""

    @abstractmethod
    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """Every architecture that is one edit away, each once, in a fixed order."""

    # -- identity --------------------------------------------------------------------------------------------------

    def canonical(self, architecture: Architecture) -> Architecture:
        """One representative for all architectures whose networks compute the same function."""
        self._own(architecture)
        return architecture

    def answer(self, architecture: Architecture) -> Architecture | None:
        """What a search hands over that found `architecture`: itself, unless it is only a means, as a super-network is."""
        self._own(architecture)
        return architecture

    @abstractmethod
    def validate(self, architecture: Architecture) -> Architecture:
        """`architecture` itself, or `ArchitectureError` saying what is wrong."""

    @abstractmethod
    def parse(self, text: str) -> Architecture:
        """The architecture written as `text`; the exact inverse of :meth:`format`."""

    def read(self, text: str) -> Architecture:
        """What :meth:`format` wrote, as it is: :meth:`parse`, unless some published architectures break the rules."""
        return self.parse(text)

    @abstractmethod
    def format(self, architecture: Architecture) -> str:
        """The benchmark's own text of `architecture`, without the name of the space."""

    # -- meaning ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def tokens(self, architecture: Architecture) -> tuple[Token, ...]:
        """What each gene means, in order, for alignment and for people."""

    @abstractmethod
    def draw(self, architecture: Architecture) -> Diagram:
        """The picture of `architecture`."""

    # -- network ---------------------------------------------------------------------------------------------------

    def skeleton(self, skeleton: Skeleton | str | None = None) -> Skeleton:
        """Resolve a skeleton: None is the benchmark's own, a name is a preset, ``"channels=8,cells=1"`` changes the
        benchmark's own field by field."""
        first = next(iter(self.skeletons.values()))
        if skeleton is None:
            return first
        if isinstance(skeleton, Skeleton):
            return skeleton
        check_type(
            skeleton, str, "a skeleton is a Skeleton, the name of a preset or a text such as 'channels=8,cells=1'"
        )
        if "=" not in skeleton:
            if skeleton not in self.skeletons:
                raise UnknownNameError(f"{self.name} skeleton", skeleton, self.skeletons)
            return self.skeletons[skeleton]
        kinds = {f.name: type(getattr(first, f.name)) for f in fields(Skeleton)}
        changes: dict[str, Any] = {}
        for item in skeleton.split(","):
            key, _, value = (part.strip() for part in item.partition("="))
            if key not in kinds:
                raise UnknownNameError("skeleton field", key, kinds)
            try:
                changes[key] = value.lower() in ("true", "1", "yes") if kinds[key] is bool else kinds[key](value)
            except ValueError:
                raise InputError(f"skeleton field {key!r} takes {kinds[key].__name__}, not {value!r}") from None
        return replace(first, **changes)

    def skeleton_text(self, skeleton: Skeleton) -> str:
        """The text of `skeleton` that :meth:`skeleton` reads back as the same one, by field."""
        first = next(iter(self.skeletons.values()))
        values = [(f.name, getattr(skeleton, f.name), f.default, getattr(first, f.name)) for f in fields(skeleton)]
        return ",".join(f"{name}={value}" for name, value, *usual in values if usual != [value, value])

    def build(
        self,
        architecture: Architecture,
        *,
        num_classes: int = 10,
        in_chans: int = 3,
        skeleton: Skeleton | str | None = None,
    ) -> nn.Module:
        """The network: images (n, in_chans, h, w) -> logits (n, num_classes). Raises before torch does any work."""
        self.validate(architecture)
        if num_classes < 2:
            raise InputError(f"a classifier needs at least 2 classes, not {num_classes}")
        if in_chans < 1:
            raise InputError(f"images have at least 1 channel, not {in_chans}")
        return self._network(architecture, num_classes, in_chans, self.skeleton(skeleton))

    @abstractmethod
    def _network(self, architecture: Architecture, num_classes: int, in_chans: int, skeleton: Skeleton) -> nn.Module:
        """The torch half of :meth:`build`, with everything checked and resolved."""

    # -- helpers for subclasses ------------------------------------------------------------------------------------

    def _own(self, architecture: Architecture) -> tuple[int, ...]:
        """The genes of an architecture of this space; refuses those of others."""
        if architecture.space != self.name:
            raise ArchitectureError(f"an architecture of {architecture.space!r} was given to the space {self.name!r}")
        return architecture.genes

    def __repr__(self) -> str:
        return f"<space {self.name}: {self.size if self.size is not None else 'open'} architectures>"


S = TypeVar("S", bound=Space)


def register(space: S) -> S:
    """Make `space` known by its name."""
    SPACES.add(space.name, space)
    return space


def space(name: str) -> Space:
    """The search space called `name`."""
    found: Space = SPACES[name]
    return found


def create_model(
    architecture: Architecture | str,
    *,
    num_classes: int = 10,
    in_chans: int = 3,
    skeleton: Skeleton | str | None = None,
) -> nn.Module:
    """A plain `nn.Module` of an architecture (or its text, ``"nats-tss:|..."``): images -> logits."""
    if isinstance(architecture, str):
        architecture = Architecture.parse(architecture)
    check_type(architecture, Architecture, "an architecture or its text is expected")
    return space(architecture.space).build(architecture, num_classes=num_classes, in_chans=in_chans, skeleton=skeleton)
