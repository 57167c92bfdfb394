"""Pictures of architectures: a small graph that draws itself as SVG and as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_COLOURS = {
    "input": "#e8eaed", "output": "#e8eaed", "conv": "#8ab4f8", "pool": "#fdd663", "skip": "#ccd0d5",
    "norm": "#c5e1a5", "activation": "#f6aea9", "dense": "#d7aefb", "block": "#78d9ec", "other": "#ffffff",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Node:
    """A box. `kind` chooses its colour: input, output, conv, pool, skip, norm, activation, dense, block or other."""

    label: str
    kind: str = "other"


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow between two nodes by index, `source` < `target`, with what happens on the way."""

    source: int
    target: int
    label: str = ""
    kind: str = "other"


@dataclass(frozen=True, slots=True)
class Diagram:
    """An acyclic graph whose nodes are listed in topological order."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    title: str = ""

    @classmethod
    def chain(cls, nodes: Sequence[Node], title: str = "") -> Diagram:
        """Nodes joined one after the other."""
        return cls(tuple(nodes), tuple(Edge(i, i + 1) for i in range(len(nodes) - 1)), title)

    @property
    def is_chain(self) -> bool:
        return [(e.source, e.target) for e in self.edges] == [(i, i + 1) for i in range(len(self.nodes) - 1)]

    def text(self) -> str:
        """The picture in characters, for terminals."""
        raise NotImplementedError

    def svg(self) -> str:
        """The picture as one self-contained SVG element."""
        raise NotImplementedError


def _box(x: float, y: float, width: float, height: float, label: str, kind: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6" fill="{_COLOURS.get(kind, "#fff")}" stroke="#5f6368"/>'
        f'<text x="{x + width / 2:.1f}" y="{y + height / 2:.1f}" text-anchor="middle" dominant-baseline="central">{escape(label)}</text>'
    )
