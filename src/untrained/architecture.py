"""Architectures and the tokens they are made of: plain values, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from untrained.errors import ArchitectureError
from untrained.registry import SPACES


@dataclass(frozen=True, slots=True, order=True)
class Architecture:
    """One point of a search space: the name of the space and its genes (the length may vary).

    `str()` gives the text with the space in front, ``nats-tss:|nor_conv_3x3~0|+...``; :meth:`parse` is its inverse.
    """

    space: str
    genes: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.space}:{SPACES[self.space].format(self)}"

    @classmethod
    def parse(cls, text: str, *, strict: bool = True) -> Architecture:
        """Read ``space:architecture``; raises `ArchitectureError` or `UnknownNameError`.

        strict=False reads what was written, even where it breaks a rule of its space: see `Space.read`.
        """
        space, colon, rest = text.strip().partition(":")
        if not colon:
            raise ArchitectureError(f"{text!r} names no space; expected 'space:architecture', as in 'nats-tss:|...|'")
        home = SPACES[space]
        architecture: Architecture = home.parse(rest) if strict else home.read(rest)
        return architecture

    def _repr_svg_(self) -> str:
        return str(SPACES[self.space].draw(self).svg())


@dataclass(frozen=True, slots=True)
class Token:
    """What one gene means.

    `symbol` is one character for alignments, `kind` the operation's name, `parameters` its numbers in a fixed order.
    Tokens of equal `kind` carry the same parameter names.
    """

    symbol: str
    kind: str
    parameters: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        if not self.parameters:
            return self.kind
        return f"{self.kind}({', '.join(f'{name}={value:g}' for name, value in self.parameters)})"

    def get(self, name: str) -> Any:
        """The parameter called `name`, or None."""
        return dict(self.parameters).get(name)
