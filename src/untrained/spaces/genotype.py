"""Genotypes: the written forms of a DARTS cell pair, as Python text and as a NAS-Bench-301 configuration.

Genes are a flat tuple of 32 integers: normal cell then reduction cell, four nodes each, two inputs a node, and for
each input (operation, predecessor). Predecessors 0 and 1 are the outputs of the last but one and the last cell, 2 to 4
the nodes before. A sum has no order, so the inputs of a node are kept sorted by predecessor, then operation.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

from untrained.errors import ArchitectureError

OPERATIONS = (
    "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5",
    "none",
)  # fmt: skip
"""`none` comes last, so that spaces without it share the numbers of the others."""
NODES = 4
CELLS = ("normal", "reduce")

Pair = tuple[int, int]
"""(operation, predecessor) of one input of a node."""

_FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
_CONCAT = list(range(2, 2 + NODES))
_FOREIGN = re.compile(r"[^A-Za-z0-9_=()\[\]'\", ]")
_FIRST_EDGE = (0, 2, 5, 9)
"""Number of a node's edge from predecessor 0 in NAS-Bench-301's count of all 14 edges."""


def in_order(first: Pair, second: Pair) -> tuple[int, int, int, int]:
    """The genes of a node with these two inputs."""
    if (first[1], first[0]) > (second[1], second[0]):
        first, second = second, first
    return (*first, *second)


def format_genotype(genes: Sequence[int]) -> str:
    """``Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=range(2, 6), reduce=[...], ...)``."""
    cells = []
    for number, name in enumerate(CELLS):
        cell = genes[16 * number : 16 * number + 16]
        pairs = ", ".join(f"('{OPERATIONS[cell[i]]}', {cell[i + 1]})" for i in range(0, 16, 2))
        cells.append(f"{name}=[{pairs}], {name}_concat=range(2, 6)")
    return f"Genotype({', '.join(cells)})"


def parse_genotype(text: str, operations: Sequence[str], distinct: bool, grammar: str) -> tuple[int, ...]:
    """The genes written in `text`, the usual spellings included: any white space, lists or tuples, concatenations as
    ``range(2, 6)`` or ``[2, 3, 4, 5]``, fields by name or by position.

    Only `operations` (the first ones of `OPERATIONS`) are allowed, and with `distinct` only two different predecessors
    in a node. Nothing is evaluated. Raises `ArchitectureError` pointing at the column in the text on one line.
    """
    text = " ".join(text.split())

    def error(column: int, problem: str) -> ArchitectureError:
        return ArchitectureError.at(text, column, problem, grammar)

    foreign = _FOREIGN.search(text)
    if foreign:
        raise error(foreign.start(), f"unexpected character {foreign[0]!r}")
    try:
        call = ast.parse(text, mode="eval").body
    except SyntaxError as problem:
        raise error(min(max((problem.offset or 1) - 1, 0), len(text)), problem.msg) from None
    except (MemoryError, RecursionError, ValueError):
        raise error(0, "nested too deeply") from None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Genotype"):
        raise error(0, "no 'Genotype(...)'")

    given = dict(zip(_FIELDS, call.args, strict=False))
    if len(call.args) > len(_FIELDS):
        raise error(call.args[len(_FIELDS)].col_offset, "a fifth field")
    for keyword in call.keywords:
        if keyword.arg not in _FIELDS:
            raise error(keyword.col_offset, f"unknown field {keyword.arg!r}")
        if keyword.arg in given:
            raise error(keyword.col_offset, f"field {keyword.arg!r} given twice")
        given[keyword.arg] = keyword.value
    for field in _FIELDS:
        if field not in given:
            raise error(len(text) - 1, f"field {field!r} is missing")

    genes: list[int] = []
    for name in CELLS:
        concat = given[f"{name}_concat"]
        if not _is_full_concat(concat):
            raise error(concat.col_offset, "all four nodes, range(2, 6), are to be concatenated")
        items = given[name]
        if not isinstance(items, ast.List | ast.Tuple) or len(items.elts) != 2 * NODES:
            raise error(items.col_offset, f"no list of {2 * NODES} pairs")
        pairs = []
        for position, item in enumerate(items.elts):
            if not isinstance(item, ast.Tuple | ast.List) or len(item.elts) != 2:
                raise error(item.col_offset, "no pair ('operation', predecessor)")
            operation, predecessor = item.elts
            if not isinstance(operation, ast.Constant) or operation.value not in operations:
                raise error(operation.col_offset, f"unknown operation {ast.unparse(operation)}")
            last = position // 2 + 1
            if not isinstance(predecessor, ast.Constant) or type(predecessor.value) is not int:
                raise error(predecessor.col_offset, "no predecessor")
            if predecessor.value > last:
                raise error(predecessor.col_offset, f"node {last + 1} has predecessors 0..{last}")
            pairs.append((OPERATIONS.index(operation.value), predecessor.value))
            if distinct and position % 2 and pairs[-2][1] == pairs[-1][1]:
                raise error(predecessor.col_offset, f"node {last + 1} takes predecessor {pairs[-1][1]} twice")
        for node in range(NODES):
            genes += in_order(pairs[2 * node], pairs[2 * node + 1])
    return tuple(genes)


def _is_full_concat(node: ast.expr) -> bool:
    """Whether a written list, tuple or range holds the numbers of all nodes."""
    items = node.elts if isinstance(node, ast.List | ast.Tuple) else node.args if isinstance(node, ast.Call) else []
    values = [item.value for item in items if isinstance(item, ast.Constant) and type(item.value) is int]
    if isinstance(node, ast.Call):
        is_range = isinstance(node.func, ast.Name) and node.func.id == "range" and not node.keywords
        return is_range and len(items) == 2 and values == [_CONCAT[0], _CONCAT[-1] + 1]
    return len(items) == NODES and sorted(values) == _CONCAT


def to_nb301(genes: Sequence[int]) -> dict[str, str]:
    """The NAS-Bench-301 configuration of genes without `none` and with two predecessors in every node."""
    config: dict[str, str] = {}
    for cell, name in enumerate(CELLS):
        for node, first_edge in enumerate(_FIRST_EDGE):
            start = 16 * cell + 4 * node
            a, i, b, j = genes[start : start + 4]
            config[f"edge_{name}_{first_edge + i}"] = OPERATIONS[a]
            config[f"edge_{name}_{first_edge + j}"] = OPERATIONS[b]
            if node:
                config[f"inputs_node_{name}_{2 + node}"] = f"{i}_{j}"
    return config


def from_nb301(config: Mapping[str, object]) -> tuple[int, ...]:
    """The genes of a NAS-Bench-301 configuration: ``edge_{normal,reduce}_{0..13}`` and
    ``inputs_node_{normal,reduce}_{3,4,5}``, with or without the benchmark's prefix that ends in a colon.

    Other keys (of the optimiser, edges that no node takes) are ignored. Raises `ArchitectureError` naming the key.
    """
    plain = {key.rpartition(":")[2]: value for key, value in config.items()}
    genes: list[int] = []
    for name in CELLS:
        for node, first_edge in enumerate(_FIRST_EDGE):
            key = f"inputs_node_{name}_{2 + node}"
            inputs = re.fullmatch(r"(\d)_(\d)", str(plain.get(key, "" if node else "0_1")))
            if inputs is None or not int(inputs[1]) < int(inputs[2]) <= node + 1:
                raise ArchitectureError(
                    f"NAS-Bench-301 key {key!r} is {plain.get(key)!r}; expected 'i_j' with 0 <= i < j <= {node + 1}"
                )
            for source in (int(inputs[1]), int(inputs[2])):
                key = f"edge_{name}_{first_edge + source}"
                operation = plain.get(key)
                if operation not in OPERATIONS[:-1]:
                    raise ArchitectureError(
                        f"NAS-Bench-301 key {key!r} is {operation!r}; expected one of {', '.join(OPERATIONS[:-1])}"
                    )
                genes += OPERATIONS.index(str(operation)), source
    return tuple(genes)
