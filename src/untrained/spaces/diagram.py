"""Pictures of architectures: a small graph that draws itself as SVG and as text.

The nodes stand in one row in topological order. The edge to the next node is straight; every other edge runs on a track
of its own above or below the row, so that lines and labels never meet a node. Chains wrap like text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from html import escape

from untrained.errors import InputError

_COLOURS = {
    "input": "#e8eaed", "output": "#e8eaed", "conv": "#a8c7fa", "pool": "#fde293", "skip": "#dfe3e8",
    "norm": "#c5e1a5", "activation": "#f6bcb7", "dense": "#ddc3fb", "block": "#9fe3f0", "other": "#ffffff",
}  # fmt: skip

_CHARACTER = 7.3  # px, of a 12 px monospaced font
_NODE = 30.0  # height of a box
_PILL = 20.0  # height of an edge's label
_TRACK = 27.0  # between the tracks of edges that go around nodes
_FIRST = 26.0  # from a box to the first track
_GAP = 30.0  # between neighbouring boxes
_PORT = 11.0  # between the edges that meet one side of a box
_HEAD = 7.0  # length of an arrow's head
_CORNER = 9.0  # radius of a bent edge
_MARGIN = 16.0
_CHAIN_WIDTH = 720.0  # where chains wrap


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
    """An acyclic graph whose nodes are listed in topological order.

    Several graphs in one are drawn below each other: an input that follows an output starts the next.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    title: str = ""

    def __post_init__(self) -> None:
        for edge in self.edges:
            if not 0 <= edge.source < edge.target < len(self.nodes):
                raise InputError(
                    f"an edge of a diagram leads to a later one of its {len(self.nodes)} nodes, "
                    f"not from {edge.source} to {edge.target}"
                )

    @classmethod
    def chain(cls, nodes: Sequence[Node], title: str = "") -> Diagram:
        """Nodes joined one after the other."""
        return cls(tuple(nodes), tuple(Edge(i, i + 1) for i in range(len(nodes) - 1)), title)

    @property
    def is_chain(self) -> bool:
        return [(e.source, e.target) for e in self.edges] == [(i, i + 1) for i in range(len(self.nodes) - 1)]

    def text(self, width: int = 80) -> str:
        """The picture in characters, for terminals of `width` columns.

        Chains flow, ``conv 64 → norm → relu``. Other graphs are listed node by node with what arrives,
        ``out ← conv_3x3(in)  skip(1)``, one column a source as long as that fits.
        """
        return "\n\n".join(_flow(part, width) if part.is_chain else _listing(part, width) for part in self._parts())

    def svg(self) -> str:
        """The picture as one self-contained SVG element, the same for the same diagram."""
        picture = _Picture()
        for part in self._parts():
            (_draw_chain if part.is_chain else _draw_graph)(picture, part)
        width, height = picture.width + _MARGIN, picture.height + _MARGIN
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}" style="max-width:100%;height:auto">'
            f"<title>{escape(_clean(self.title) or 'architecture')}</title>"
            # A ground of its own keeps the picture readable on dark pages.
            f'<rect width="{width:.0f}" height="{height:.0f}" rx="8" fill="#fbfbfc"/>'
            f'<g fill="none" stroke="#5f6368" stroke-width="1.4">{"".join(picture.lines)}</g>'
            f'<g fill="#5f6368">{"".join(picture.heads)}</g>'
            f'<g stroke="#5f6368">{"".join(picture.boxes)}</g>'
            '<g font-family="ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace" font-size="12" '
            f'text-anchor="middle" fill="#202124">{"".join(picture.words)}</g></svg>'
        )

    def _parts(self) -> Iterator[Diagram]:
        cuts = [0]
        for i, (before, node) in enumerate(zip(self.nodes, self.nodes[1:], strict=False), start=1):
            crossed = any(edge.source < i <= edge.target for edge in self.edges)
            if before.kind == "output" and node.kind == "input" and not crossed:
                cuts.append(i)
        for start, stop in zip(cuts, [*cuts[1:], len(self.nodes)], strict=True):
            inside = [edge for edge in self.edges if start <= edge.source < stop]
            edges = tuple(replace(e, source=e.source - start, target=e.target - start) for e in inside)
            yield Diagram(self.nodes[start:stop], edges)


# -- text --------------------------------------------------------------------------------------------------------------


def _flow(chain: Diagram, width: int) -> str:
    arrows = [f"─{_clean(edge.label)}→ " if edge.label else "→ " for edge in chain.edges]
    words = [lead + _clean(node.label) for lead, node in zip(["", *arrows], chain.nodes, strict=False)]
    return "\n".join(_wrap(words, width, " "))


def _listing(graph: Diagram, width: int) -> str:
    labels = [_clean(node.label) for node in graph.nodes]
    unique = len(set(labels)) == len(labels)
    names = labels if unique else [str(i) for i in range(len(labels))]
    digits = len(str(len(labels) - 1))
    heads = labels if unique else [f"{i:>{digits}} {label}" for i, label in enumerate(labels)]
    indent = max(map(_cells, heads))
    arriving: list[dict[int, list[str]]] = [{} for _ in labels]
    for edge in sorted(graph.edges, key=lambda edge: edge.source):
        name = names[edge.source]
        term = f"{_clean(edge.label)}({name})" if edge.label else name
        arriving[edge.target].setdefault(edge.source, []).append(term)
    columns = {
        source: max(_cells("  ".join(terms[source])) for terms in arriving if source in terms)
        for source in sorted({edge.source for edge in graph.edges})
    }
    aligned = indent + 2 + sum(2 + column for column in columns.values()) <= width + 1
    lines = []
    for head, terms in zip(heads, arriving, strict=True):
        start = _pad(head, indent) + " ← "
        if not terms:
            lines.append(head)
        elif aligned:
            lines.append(start + "  ".join(_pad("  ".join(terms.get(s, ())), w) for s, w in columns.items()).rstrip())
        else:
            wrapped = _wrap([term for group in terms.values() for term in group], width - indent - 3, "  ")
            lines.extend((" " * len(start) if i else start) + line for i, line in enumerate(wrapped))
    return "\n".join(lines)


def _wrap(words: Iterable[str], width: int, space: str) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and _cells(lines[-1] + space + word) <= width:
            lines[-1] += space + word
        else:
            lines.append(word)
    return lines


def _clean(label: str) -> str:
    """`label` without line breaks and the control characters that XML forbids."""
    return "".join(character if character.isprintable() else " " for character in label)


def _cells(label: str) -> int:
    """Columns that `label` takes in a monospaced font."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in label)


def _pad(label: str, width: int) -> str:
    return label + " " * (width - _cells(label))


# -- SVG ---------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Picture:
    """What has been drawn so far, in layers, and how far it reaches."""

    width: float = _MARGIN
    height: float = 0.0
    lines: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    boxes: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def box(self, x: float, y: float, width: float, height: float, radius: float, label: str, kind: str) -> None:
        """A box with its centre at (x, y)."""
        colour = _COLOURS.get(kind, _COLOURS["other"])
        self.boxes.append(
            f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'rx="{radius:g}" fill="{colour}"/>'
        )
        # 4.2 px below the centre is where the baseline belongs; viewers disagree about dominant-baseline.
        self.words.append(f'<text x="{x:.1f}" y="{y + 4.2:.1f}">{escape(_clean(label))}</text>')
        self.width = max(self.width, x + width / 2)

    def node(self, x: float, y: float, width: float, node: Node) -> None:
        self.box(x + width / 2, y, width, _NODE, 6, node.label, node.kind)

    def pill(self, x: float, y: float, edge: Edge) -> None:
        if edge.label:
            self.box(x, y, _pill(edge), _PILL, _PILL / 2, edge.label, edge.kind)

    def arrow(self, points: Sequence[tuple[float, float]]) -> None:
        """A line along right angles through `points`, its corners rounded, with a head at the end."""
        (x0, y0), (x1, y1) = points[-2:]
        dx, dy = ((x1 > x0) - (x1 < x0), (y1 > y0) - (y1 < y0))
        tip = (x1 - dx * (_HEAD - 1), y1 - dy * (_HEAD - 1))
        path = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
        for before, corner, after in zip(points, points[1:], [*points[2:-1], tip], strict=False):
            (ax, ay), (bx, by) = _towards(corner, before), _towards(corner, after)
            path.append(f"L{ax:.1f} {ay:.1f}Q{corner[0]:.1f} {corner[1]:.1f} {bx:.1f} {by:.1f}")
        path.append(f"L{tip[0]:.1f} {tip[1]:.1f}")
        self.lines.append(f'<path d="{"".join(path)}"/>')
        bx, by, half = x1 - dx * _HEAD, y1 - dy * _HEAD, _HEAD * 0.55
        self.heads.append(
            f'<polygon points="{x1:.1f},{y1:.1f} {bx - dy * half:.1f},{by - dx * half:.1f} '
            f'{bx + dy * half:.1f},{by + dx * half:.1f}"/>'
        )
        self.width = max(self.width, *(x for x, _ in points))


def _towards(corner: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Where the bend at `corner` meets the line to `other`: at most half of the way."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = abs(dx) + abs(dy)
    share = min(_CORNER / length, 0.5) if length else 0.0
    return corner[0] + dx * share, corner[1] + dy * share


def _box(node: Node, ports: int = 0) -> float:
    """The width of a node's box that `ports` edges meet on one side."""
    return max(_NODE, _cells(_clean(node.label)) * _CHARACTER + 18, (ports + 1) * _PORT)


def _pill(edge: Edge) -> float:
    return _cells(_clean(edge.label)) * _CHARACTER + 16


def _gap(edge: Edge | None) -> float:
    """Between two boxes that `edge` joins straight."""
    return _GAP + _pill(edge) if edge is not None and edge.label else _GAP


def _draw_chain(picture: _Picture, chain: Diagram) -> None:
    x, y = _MARGIN, picture.height + _MARGIN + _NODE / 2
    for i, node in enumerate(chain.nodes):
        width = _box(node)
        edge = chain.edges[i - 1] if i else None
        if edge is not None:
            gap = _gap(edge)
            if x + gap + width <= _CHAIN_WIDTH:
                picture.arrow([(x, y), (x + gap, y)])
                picture.pill(x + (gap - _HEAD) / 2, y, edge)
                x += gap
            else:
                turn, start, below = x + _GAP / 2, _MARGIN + _GAP, y + _NODE + _PILL + 12
                middle = (y + below) / 2
                side = [(turn, middle), (_MARGIN + 6, middle)]
                picture.arrow([(x, y), (turn, y), *side, (_MARGIN + 6, below), (start, below)])
                picture.pill(max((turn + _MARGIN) / 2, _MARGIN + 20 + _pill(edge) / 2), middle, edge)
                x, y = start, below
        picture.node(x, y, width, node)
        x += width
    picture.height = y + _NODE / 2


@dataclass(slots=True)
class _Arc:
    """An edge that goes around nodes: `side` -1 above or 1 below the row, `track` counted from the row."""

    edge: Edge
    side: int
    track: int
    start: float = 0.0
    stop: float = 0.0

    def overlaps(self, edge: Edge) -> bool:
        return self.edge.source < edge.target and edge.source < self.edge.target

    def crosses(self, edge: Edge) -> bool:
        a, b, c, d = self.edge.source, self.edge.target, edge.source, edge.target
        return a < c < b < d or c < a < d < b


def _draw_graph(picture: _Picture, graph: Diagram) -> None:
    straight: dict[int, Edge] = {}
    for edge in graph.edges:
        if edge.target == edge.source + 1:
            straight.setdefault(edge.source, edge)
    arcs = _arcs([edge for edge in graph.edges if straight.get(edge.source) is not edge])
    ports = [{side: _ports(arcs, i, side) for side in (-1, 1)} for i in range(len(graph.nodes))]
    widths = [_box(node, max(map(len, ends.values()))) for node, ends in zip(graph.nodes, ports, strict=True)]
    x = _MARGIN
    lefts: list[float] = []
    for i, width in enumerate(widths):
        offsets: list[tuple[_Arc, float]] = []
        for ends in ports[i].values():
            offsets.extend((arc, width * (k + 1) / (len(ends) + 1)) for k, arc in enumerate(ends))
        # A box moves on until the labels of all edges that arrive have room on their tracks.
        for arc, offset in offsets:
            if arc.edge.target == i and arc.edge.label:
                x = max(x, arc.start + 2 * _room(arc.edge) * (1 + len(_crossing(arc, arcs))) - offset)
        for arc, offset in offsets:
            if arc.edge.target == i:
                arc.stop = x + offset
            else:
                arc.start = x + offset
        lefts.append(x)
        x += width + _gap(straight.get(i))
    above, below = (max((arc.track for arc in arcs if arc.side == side), default=0) for side in (-1, 1))
    y = picture.height + _MARGIN + _NODE / 2 + _reach(above)
    for i, edge in straight.items():
        right = lefts[i] + widths[i]
        picture.arrow([(right, y), (lefts[i + 1], y)])
        picture.pill((right + lefts[i + 1] - _HEAD) / 2, y, edge)
    for arc in arcs:
        row, track = y + arc.side * _NODE / 2, y + arc.side * (_NODE / 2 + _FIRST + _TRACK * (arc.track - 1))
        picture.arrow([(arc.start, row), (arc.start, track), (arc.stop, track), (arc.stop, row)])
        picture.pill(_free_place(arc, arcs), track, arc.edge)
    for left, width, node in zip(lefts, widths, graph.nodes, strict=True):
        picture.node(left, y, width, node)
    picture.height = y + _NODE / 2 + _reach(below)


def _reach(tracks: int) -> float:
    """How far `tracks` tracks and their labels extend from the boxes."""
    return _FIRST + _TRACK * (tracks - 1) + _PILL / 2 if tracks else 0.0


def _arcs(edges: Iterable[Edge]) -> list[_Arc]:
    """A side and a track for every edge: short ones first, so that longer ones go around them; each on the side where
    it crosses fewer others, then where it stays nearer to the row. Edges on one track never overlap."""
    arcs: list[_Arc] = []
    for edge in sorted(edges, key=lambda edge: (edge.target - edge.source, edge.source)):
        choices = []
        for side in (-1, 1):
            others = [arc for arc in arcs if arc.side == side and arc.overlaps(edge)]
            track = 1 + max((arc.track for arc in others), default=0)
            choices.append((sum(arc.crosses(edge) for arc in others), track, side))
        _, track, side = min(choices)
        arcs.append(_Arc(edge, side, track))
    return arcs


def _ports(arcs: Iterable[_Arc], node: int, side: int) -> list[_Arc]:
    """Edges that meet one side of a box, left to right: those that arrive, then those that leave, nested without
    crossings."""
    here = sorted((arc for arc in arcs if arc.side == side), key=lambda arc: arc.track)
    return [arc for arc in here if arc.edge.target == node] + [arc for arc in here[::-1] if arc.edge.source == node]


def _crossing(arc: _Arc, arcs: Iterable[_Arc]) -> list[_Arc]:
    """The edges that run down to the row through the track of `arc`."""
    return [o for o in arcs if o.side == arc.side and o.track > arc.track and o.crosses(arc.edge)]


def _room(edge: Edge) -> float:
    """Half of the straight line that a label needs, clear of corners and of lines that cross."""
    return _pill(edge) / 2 + _CORNER + 1


def _free_place(arc: _Arc, arcs: Iterable[_Arc]) -> float:
    """Where the label of `arc` stands on its track: in the middle, or in the widest piece that no line crosses."""
    middle, ends = (arc.start + arc.stop) / 2, [x for other in _crossing(arc, arcs) for x in (other.start, other.stop)]
    cuts = sorted(x for x in ends if arc.start < x < arc.stop)
    if all(abs(x - middle) >= _room(arc.edge) for x in cuts):
        return middle
    pieces = zip([arc.start, *cuts], [*cuts, arc.stop], strict=True)
    left, right = max(pieces, key=lambda piece: piece[1] - piece[0])
    return (left + right) / 2
