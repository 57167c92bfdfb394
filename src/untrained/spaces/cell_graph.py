"""Labelled acyclic graphs as tuples of integers, and what does not depend on how their vertices are numbered.

Vertex 0 is the input, the last is the output, those between carry an operation. The genes of a graph of V vertices are
V - 1 masks, one for each vertex but the input (bit s is the edge from vertex s: a column of the adjacency matrix), then
the V - 2 operations. Edges lead from earlier to later vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import md5

Genes = tuple[int, ...]


def split(genes: Genes) -> tuple[Genes, Genes]:
    """The masks of vertices 1, 2, ... and the operations of the inner ones."""
    vertices = (len(genes) + 1) // 2
    return genes[:vertices], genes[vertices:]


def edge_count(masks: Sequence[int]) -> int:
    """The number of edges."""
    return sum(mask.bit_count() for mask in masks)


def unused_vertex(masks: Sequence[int]) -> int | None:
    """The first vertex that no later one uses."""
    used = 0
    for mask in masks:
        used |= mask
    return next((vertex for vertex in range(len(masks)) if not used >> vertex & 1), None)


def prune(masks: Sequence[int], operations: Sequence[int]) -> Genes | None:
    """The genes without vertices that are on no way from input to output; None if there is no such way."""
    last = len(masks)
    reached = 1
    for vertex, mask in enumerate(masks, 1):
        if mask & reached:
            reached |= 1 << vertex
    needed = 1 << last
    for vertex in range(last, 0, -1):
        if needed >> vertex & 1:
            needed |= masks[vertex - 1]
    if not reached >> last & 1:
        return None
    kept = [vertex for vertex in range(last + 1) if (reached & needed) >> vertex & 1]
    place = {vertex: position for position, vertex in enumerate(kept)}
    renumbered = [
        sum(1 << place[source] for source in kept if masks[vertex - 1] >> source & 1) for vertex in kept if vertex
    ]
    return (*renumbered, *(operations[vertex - 1] for vertex in kept[1:-1]))


def adjacency(genes: Genes) -> tuple[Genes, ...]:
    """The adjacency matrix, row = source."""
    masks, _ = split(genes)
    columns = (0, *masks)
    return tuple(tuple(mask >> source & 1 for mask in columns) for source in range(len(columns)))


def canonical(genes: Genes) -> Genes:
    """The smallest sequence of (mask, operation) over all orders of the inner vertices in which edges lead forwards.

    The sequence is settled place by place: only the orders that are smallest so far are carried on.
    """
    masks, operations = split(genes)
    inner = range(1, len(operations) + 1)
    orders: list[dict[int, int]] = [{0: 1}]  # old vertex -> bit of its new place
    smallest: list[tuple[int, int]] = []
    for place in inner:
        best = (1 << place, 0)  # larger than any
        kept: list[dict[int, int]] = []
        for order in orders:
            for vertex in inner:
                if vertex in order:
                    continue
                mask = _moved(masks[vertex - 1], order)
                if mask is None:
                    continue
                key = (mask, operations[vertex - 1])
                if key < best:
                    best, kept = key, []
                if key == best:
                    kept.append({**order, vertex: 1 << place})
        orders = kept
        smallest.append(best)
    moved = (_moved(masks[-1], order) for order in orders)
    last = min(mask for mask in moved if mask is not None)
    return (*(mask for mask, _ in smallest), last, *(operation for _, operation in smallest))


def _moved(mask: int, order: dict[int, int]) -> int | None:
    """`mask` in the places of `order`; None if one of its vertices has no place yet."""
    moved = 0
    for vertex in range(mask.bit_length()):
        if mask >> vertex & 1:
            if vertex not in order:
                return None
            moved |= order[vertex]
    return moved


def module_hash(genes: Genes) -> str:
    """The key of a cell in NAS-Bench-101, equal for isomorphic graphs.

    Each vertex starts as the MD5 of the text of (out-degree, in-degree, label), the label being -1 for the input, -2
    for the output; in V rounds it takes up the sorted hashes of those before and of those after it. The key is the MD5
    of the text of the sorted list.
    """
    matrix = adjacency(genes)
    vertices = range(len(matrix))
    labels = (-1, *split(genes)[1], -2)
    degrees = zip(map(sum, matrix), map(sum, zip(*matrix, strict=True)), labels, strict=True)
    hashes = [_md5(str(degree)) for degree in degrees]
    for _ in vertices:
        before = ["".join(sorted(hashes[s] for s in vertices if matrix[s][v])) for v in vertices]
        after = ["".join(sorted(hashes[t] for t in vertices if matrix[v][t])) for v in vertices]
        hashes = [_md5(f"{before[v]}|{after[v]}|{hashes[v]}") for v in vertices]
    return _md5(str(sorted(hashes)))


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def vertex_channels(matrix: Sequence[Sequence[int]], out_chans: int) -> list[int]:
    """Output channels of the inner vertices of a pruned cell, in order.

    Those that feed the output share its channels evenly, the first ones take the remainder; every other has as many as
    the widest vertex it feeds.
    """
    last = len(matrix) - 1
    channels = [0] * (last + 1)
    joined = [vertex for vertex in range(1, last) if matrix[vertex][last]]
    for position, vertex in enumerate(joined):
        channels[vertex] = out_chans // len(joined) + (position < out_chans % len(joined))
    for vertex in range(last - 1, 0, -1):
        if not matrix[vertex][last]:
            channels[vertex] = max(channels[target] for target in range(vertex + 1, last) if matrix[vertex][target])
    return channels[1:last]
