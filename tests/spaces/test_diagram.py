"""The picture of a graph: valid, complete, and nothing in it meets what it should not."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from untrained.errors import InputError
from untrained.spaces.diagram import Diagram, Edge, Node

SVG = "{http://www.w3.org/2000/svg}"
Box = tuple[float, float, float, float]
Segment = tuple[float, float, float, float]


def cell(*edges: tuple[int, int, str], labels: tuple[str, ...] = ("in", "1", "2", "out")) -> Diagram:
    return Diagram(tuple(Node(label) for label in labels), tuple(Edge(*edge) for edge in edges), "a cell")


FULL = cell((0, 1, "a3"), (0, 2, "b3"), (1, 2, "c3"), (0, 3, "d3"), (1, 3, "e3"), (2, 3, "f3"))
DARTS = cell(
    *((0, 2, "sep3"), (1, 2, "sep5"), (0, 3, "dil3"), (2, 3, "skip"), (1, 4, "max"), (3, 4, "avg")),
    *((0, 5, "sep3"), (4, 5, "dil5"), (2, 6, "x"), (3, 6, "x"), (4, 6, "x"), (5, 6, "x")),
    labels=("c_{k-2}", "c_{k-1}", "0", "1", "2", "3", "out"),
)
CHAIN = Diagram.chain([Node(f"conv {16 * i} 3x3", "conv") for i in range(1, 23)], "a chain")
PARALLEL = cell((0, 1, "conv"), (0, 1, "pool"), (0, 1, "skip"), (0, 1, "norm"), labels=("in", "out"))
EMPTY = Diagram((), ())
SINGLE = Diagram((Node("in", "input"),), ())
TWO_CELLS = Diagram(
    (Node("in", "input"), Node("mid"), Node("out", "output"), Node("IN", "input"), Node("MID"), Node("OUT", "output")),
    (Edge(0, 1, "a"), Edge(0, 2, "b"), Edge(3, 5, "c"), Edge(4, 5, "d")),
)
WRAPPED = Diagram.chain([Node("x" * 90), Node("y" * 90)])
ALL = [FULL, DARTS, CHAIN, PARALLEL, EMPTY, SINGLE, TWO_CELLS, WRAPPED]


@st.composite
def graphs(draw: st.DrawFn) -> Diagram:
    size = draw(st.integers(2, 8))
    pairs = list(itertools.combinations(range(size), 2))
    ends = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=12))
    label = st.text("abc", min_size=1, max_size=14)
    nodes = tuple(Node(draw(label)) for _ in range(size))
    return Diagram(nodes, tuple(Edge(source, target, draw(label)) for source, target in ends))


def boxes(svg: ElementTree.Element) -> tuple[list[Box], list[Box]]:
    """(nodes, labels of edges), each (left, top, right, bottom); the ground is left out."""
    found: tuple[list[Box], list[Box]] = [], []
    for rect in svg.findall(f"{SVG}g/{SVG}rect"):
        x, y, width, height = (float(rect.get(key, "nan")) for key in ("x", "y", "width", "height"))
        found[float(rect.get("rx", "nan")) == 10].append((x, y, x + width, y + height))
    return found


def segments(svg: ElementTree.Element) -> list[list[Segment]]:
    """The lines through the corners of each edge."""
    lines = []
    for path in svg.iter(f"{SVG}path"):
        # M and L are points on the line; the first pair of a Q is the corner that it rounds off.
        points = [(float(x), float(y)) for x, y in re.findall(r"[MLQ](-?[\d.]+) (-?[\d.]+)", path.get("d", ""))]
        lines.append([(*a, *b) for a, b in itertools.pairwise(points) if a != b])
    return lines


def meets(segment: Segment, box: Box) -> bool:
    (x0, x1), (y0, y1) = sorted(segment[::2]), sorted(segment[1::2])
    left, top, right, bottom = box
    return x0 < right - 0.3 and x1 > left + 0.3 and y0 < bottom - 0.3 and y1 > top + 0.3


def beside(a: Segment, b: Segment) -> bool:
    """Whether two lines run in the same direction, one beside the other and closer than 8 px."""
    for along, across in ((0, 1), (1, 0)):
        low, high = max(min(a[along::2]), min(b[along::2])), min(max(a[along::2]), max(b[along::2]))
        if a[across] == a[across + 2] and b[across] == b[across + 2] and high - low > 0.2:
            return abs(a[across] - b[across]) < 8
    return False


def check_clear(diagram: Diagram) -> None:
    svg = ElementTree.fromstring(diagram.svg())
    nodes, labels = boxes(svg)
    assert len(nodes) == len(diagram.nodes)
    assert len(labels) == sum(bool(edge.label) for edge in diagram.edges)
    for a, b in itertools.combinations(nodes + labels, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], "boxes overlap"
    edges = segments(svg)
    assert len(edges) == len(diagram.edges)
    for edge in edges:
        assert all(x0 == x1 or y0 == y1 for x0, y0, x1, y1 in edge)
        assert not any(meets(segment, node) for segment in edge for node in nodes), "an edge runs through a node"
    met = [sorted(i for i, label in enumerate(labels) if any(meets(s, label) for s in edge)) for edge in edges]
    assert all(len(found) <= 1 for found in met), "an edge runs through the label of another"
    assert sorted(itertools.chain(*met)) == list(range(len(labels)))
    for a, b in itertools.combinations(edges, 2):
        assert not any(beside(s, t) for s in a for t in b), "edges run on top of each other"


@pytest.mark.parametrize("diagram", ALL)
def test_labels_lines_and_boxes_keep_clear_of_each_other(diagram: Diagram) -> None:
    check_clear(diagram)


@settings(deadline=None, max_examples=150)
@given(graphs())
def test_any_graph_is_drawn_without_collisions(diagram: Diagram) -> None:
    check_clear(diagram)


@pytest.mark.parametrize("diagram", ALL)
def test_everything_lies_inside_the_view_box(diagram: Diagram) -> None:
    svg = ElementTree.fromstring(diagram.svg())
    left, top, width, height = map(float, svg.get("viewBox", "").split())
    assert (left, top) == (0, 0)
    xs, ys = [8.0], [8.0]
    for shape in svg.findall(f"{SVG}g/*"):
        if shape.tag == f"{SVG}rect":
            x, y = float(shape.get("x", 0)), float(shape.get("y", 0))
            xs += [x, x + float(shape.get("width", "nan"))]
            ys += [y, y + float(shape.get("height", "nan"))]
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", shape.get("d", "") + " " + shape.get("points", ""))]
        xs += numbers[::2]
        ys += numbers[1::2]
    assert 8 <= min(xs) <= max(xs) <= width - 8
    assert 8 <= min(ys) <= max(ys) <= height - 8


@pytest.mark.parametrize("diagram", ALL)
def test_every_label_is_shown_in_both_pictures(diagram: Diagram) -> None:
    svg = ElementTree.fromstring(diagram.svg())
    shown = sorted(text.text or "" for text in svg.iter(f"{SVG}text"))
    assert shown == sorted([n.label for n in diagram.nodes] + [e.label for e in diagram.edges if e.label])
    assert all(label in diagram.text() for label in shown)


def test_labels_are_escaped_and_control_characters_removed() -> None:
    labels = ("<script>alert(1)</script>", 'a & "b"', "line\nbreak\x00\x1b", "卷积")
    svg = cell((0, 3, "<&>"), (1, 2, "\x07"), labels=labels).svg()
    assert "<script" not in svg
    texts = {text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")}
    assert texts == {labels[0], labels[1], "line break  ", "卷积", "<&>", " "}


def test_one_self_contained_element_with_a_title() -> None:
    svg = ElementTree.fromstring(Diagram(FULL.nodes, FULL.edges, "|a<b|").svg())
    assert svg.tag == f"{SVG}svg"
    assert [title.text for title in svg.iter(f"{SVG}title")] == ["|a<b|"]
    assert {element.tag.removeprefix(SVG) for element in svg.iter()} <= {
        *("svg", "title", "g", "rect", "text", "path", "polygon")
    }
    assert not any(key.endswith("href") or key == "id" for element in svg.iter() for key in element.attrib)


@pytest.mark.parametrize("diagram", ALL)
def test_drawing_is_deterministic(diagram: Diagram) -> None:
    again = Diagram(diagram.nodes, diagram.edges, diagram.title)
    assert (diagram.svg(), diagram.text()) == (again.svg(), again.text())


def test_a_long_chain_wraps() -> None:
    svg = ElementTree.fromstring(CHAIN.svg())
    _, _, width, height = map(float, svg.get("viewBox", "").split())
    assert width <= 800
    assert height <= width
    assert max(map(len, CHAIN.text().split("\n"))) <= 80
    assert len(CHAIN.text(40).split("\n")) > len(CHAIN.text(80).split("\n"))


def test_chains_flow() -> None:
    chain = Diagram.chain([Node(label) for label in ("conv 64 3x3/2", "norm", "relu", "dense 10")])
    assert chain.is_chain
    assert chain.text() == "conv 64 3x3/2 → norm → relu → dense 10"
    assert chain.text(24) == "conv 64 3x3/2 → norm\n→ relu → dense 10"
    assert cell((0, 1, "a"), (1, 2, ""), (2, 3, "b")).text() == "in ─a→ 1 → 2 ─b→ out"


def test_cells_are_listed_by_what_arrives() -> None:
    graph = cell((0, 1, "conv"), (1, 2, "pool"), (0, 3, "skip"), (2, 3, "conv"))
    assert graph.text() == "in\n1   ← conv(in)\n2   ←           pool(1)\nout ← skip(in)           conv(2)"
    assert graph.text(30).split("\n")[2:] == ["2   ← pool(1)", "out ← skip(in)  conv(2)"]
    assert graph.text(20).split("\n")[3:] == ["out ← skip(in)", "      conv(2)"]


def test_nodes_that_share_a_label_are_numbered() -> None:
    graph = cell((0, 1, ""), (0, 2, ""), (1, 3, ""), (2, 3, ""), labels=("input", "conv", "conv", "output"))
    assert graph.text() == "0 input\n1 conv   ← 0\n2 conv   ← 0\n3 output ←    1  2"


def test_graphs_side_by_side_are_drawn_below_each_other() -> None:
    first, second = TWO_CELLS.text().split("\n\n")
    assert first == "in\nmid ← a(in)\nout ← b(in)"
    assert second == "IN\nMID\nOUT ← c(IN)  d(MID)"
    joined = Diagram(TWO_CELLS.nodes, (*TWO_CELLS.edges, Edge(2, 4, "e")))
    assert "\n\n" not in joined.text()


@pytest.mark.parametrize("ends", [(1, 0), (1, 1), (-1, 1), (0, 4)])
def test_an_edge_leads_to_a_later_node(ends: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="leads to a later"):
        cell((*ends, "conv"))
