"""Cells: the matching against brute force, and what it promises on every space of cells."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from untrained.alignment import align, similarity, similarity_matrix
from untrained.alignment.alignment import alignment
from untrained.alignment.costs import general
from untrained.alignment.forms import Form, form, structured
from untrained.alignment.matrix import matrix
from untrained.alignment.scheme import Scheme
from untrained.architecture import Architecture, Token
from untrained.errors import InputError
from untrained.spaces.space import space

SPACES = ("nats-tss", "darts", "darts-loose", "nasbench101", "transnas-micro")
SCHEME = Scheme(general, -0.5, -0.5)
seeds = st.integers(0, 2**32 - 1)
quick = settings(deadline=None, max_examples=30)


def operation(kind: str, source: int, target: int) -> Token:
    return Token(kind[0], kind, (("source", source), ("target", target)))


def as_form(tokens: Sequence[Token]) -> Form:
    return Form(Architecture("toy", ()), *structured(tokens))


def random_cell(rng: np.random.Generator, most: int = 5) -> list[Token]:
    """Operations between random nodes of a cell, some of them doing nothing."""
    tokens = []
    for _ in range(rng.integers(1, most + 1)):
        source, target = sorted(rng.choice(4, 2, replace=False).tolist())
        tokens.append(operation(("conv", "sep_conv", "pool", "skip", "none")[rng.integers(5)], source, target))
    return tokens


def reaches(tokens: Sequence[Token], a: int, b: int) -> bool:
    """Whether what token `a` computes flows into token `b`, by walking."""
    return any(
        tokens[a].get("target") == tokens[step].get("source") and (step == b or reaches(tokens, step, b))
        for step in range(len(tokens))
    )


def best_by_hand(a: list[Token], b: list[Token]) -> float:
    """The best score over all partial one-to-one pairings that keep the order both ways."""
    a, b = ([token for token in cell if token.kind != "none"] for cell in (a, b))
    kinds = [Token(token.symbol, token.kind) for token in (*a, *b)]
    points = general(kinds)[: len(a), len(a) :] if kinds else np.zeros((0, 0))
    order = [{(i, j): reaches(c, i, j) for i in range(len(c)) for j in range(len(c))} for c in (a, b)]
    best = -np.inf
    for size in range(min(len(a), len(b)) + 1):
        for chosen in itertools.combinations(range(len(a)), size):
            for partners in itertools.permutations(range(len(b)), size):
                pairs = list(zip(chosen, partners, strict=True))
                score = sum(points[i, j] for i, j in pairs) - 0.5 * (len(a) + len(b) - 2 * size)
                for (i, j), (k, t) in itertools.combinations(pairs, 2):
                    if order[0][i, k] != order[1][j, t] or order[0][k, i] != order[1][t, j]:
                        score = -np.inf
                    shared = [
                        tuple(cell[x].get(end) == cell[y].get(end) for end in ("source", "target"))
                        for cell, x, y in ((a, i, k), (b, j, t))
                    ]
                    score -= 0.5 * (shared[0] != shared[1])
                best = max(best, score)
    return float(best)


@given(seeds)
@quick
def test_the_matching_is_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Node 0 feeds an operation always, so that both cells have it as their only input.
    a, b = ([operation("none", 0, k) for k in (1, 2, 3)] + random_cell(rng) for _ in range(2))
    first, second = as_form(a), as_form(b)
    found = matrix([first, second], SCHEME)[0, 1]
    best = best_by_hand(a, b)
    own = [sum(np.diagonal(general(one.tokens))) if one.tokens else 0.0 for one in (first, second)]
    least = -0.5 * max(len(first.tokens), len(second.tokens))
    expected = (best - least) / (max(own) - least) if max(own) > 0 else 1.0
    assert found == pytest.approx(min(max(expected, 0.0), 1.0), abs=1e-12)


@given(seeds)
@quick
def test_on_a_chain_of_operations_the_matching_is_the_alignment(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds = [["conv", "sep_conv", "pool", "relu"][k] for k in rng.integers(0, 4, 14)]
    rows = kinds[: rng.integers(1, 8)], kinds[7 : 7 + rng.integers(1, 8)]
    cells = [as_form([operation(kind, i, i + 1) for i, kind in enumerate(row)]) for row in rows]
    sequences = [Form(cell.architecture, cell.tokens, None) for cell in cells]
    assert matrix(cells, SCHEME)[0, 1] == pytest.approx(matrix(sequences, SCHEME)[0, 1], abs=1e-12)


@given(seeds, st.permutations([1, 2]))
@quick
def test_the_names_of_nodes_and_the_order_of_tokens_do_not_matter(seed: int, names: list[int]) -> None:
    rng = np.random.default_rng(seed)
    cell = [operation("none", 0, k) for k in (1, 2, 3)] + [
        operation(("conv", "pool", "skip")[rng.integers(3)], source, target)
        for source, target in ((0, 1), (0, 2), (1, 3), (2, 3), (0, 3))
    ]
    name = {0: 0, 1: names[0], 2: names[1], 3: 3}
    renamed = [operation(one.kind, name[one.get("source")], name[one.get("target")]) for one in cell]
    renamed = [renamed[i] for i in rng.permutation(len(renamed))]
    other = as_form([operation("none", 0, k) for k in (1, 2, 3)] + random_cell(rng))
    found = matrix([as_form(cell), as_form(renamed), other], SCHEME)
    assert found[0, 1] == 1.0
    assert found[0, 2] == pytest.approx(found[1, 2], abs=1e-12)


@pytest.mark.parametrize("name", SPACES)
def test_cells_are_1_exactly_where_their_networks_are_identical(name: str) -> None:
    home = space(name)
    rng = np.random.default_rng(1)
    members = [home.sample(rng) for _ in range(25)]
    members += [home.mutate(one, rng) for one in members]
    for one in members[:3]:
        members += itertools.islice(home.neighbours(one), 20)
    found = similarity_matrix(members)
    canonical = [home.canonical(one) for one in members]
    assert np.array_equal(found == 1.0, [[a == b for b in canonical] for a in canonical])
    assert np.array_equal(found, found.T)
    assert ((found >= 0.0) & (found <= 1.0)).all()
    assert np.array_equal(found, similarity_matrix(canonical))


def test_all_classes_of_nats_cells_near_each_other_are_told_apart() -> None:
    """Every neighbour of a cell with a residual, a branch and a chain."""
    home = space("nats-tss")
    middle = home.parse(
        "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|avg_pool_3x3~0|nor_conv_3x3~1|skip_connect~2|"
    )
    members = [middle, *home.neighbours(middle)]
    members += [two for one in members[1:6] for two in home.neighbours(one)]
    texts = [home.canonical_text(one) for one in members]
    found = similarity_matrix(members)
    assert np.array_equal(found == 1.0, [[a == b for b in texts] for a in texts])


def test_a_cell_without_operations() -> None:
    nothing = "nats-tss:|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    cut = "nats-tss:|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    some = "nats-tss:|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"
    assert similarity(nothing, cut) == 1.0
    assert similarity(nothing, some) == 0.0


def test_inputs_of_a_cell_differ() -> None:
    one = as_form([operation("conv", 0, 2), operation("pool", 1, 2)])
    exchanged = as_form([operation("conv", 1, 2), operation("pool", 0, 2)])
    # Both operations read the wrong input: two ties of the six points.
    assert matrix([one, exchanged], SCHEME)[0, 1] == pytest.approx((6.0 - 2 * 0.5 + 1.0) / (6.0 + 1.0))


@given(seeds, st.sampled_from(SPACES))
@quick
def test_alignments_of_cells_hold_every_operation_once_in_an_order_both_allow(seed: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    a = space(name).sample(rng)
    b = space(name).mutate(a, rng)
    found = align(a, b)
    forms = form(a), form(b)
    shown = [pair.before for pair in found.pairs if pair.before], [pair.after for pair in found.pairs if pair.after]
    assert [sorted(map(str, one)) for one in shown] == [sorted(map(str, one.tokens)) for one in forms]
    assert found.similarity == similarity(a, b)
    earned = sum(
        general([pair.before, pair.after])[0, 1] if pair.before and pair.after else -0.5 for pair in found.pairs
    )
    ties = (earned - found.score) / 0.5
    assert ties == pytest.approx(round(ties), abs=1e-9)
    assert ties >= -1e-9


@given(seeds)
@quick
def test_columns_of_cells_keep_the_order_of_both(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = []
    for mark in "ab":
        ends = [sorted(rng.choice(4, 2, replace=False).tolist()) for _ in range(5)]
        # Every operation has a name of its own, so that its column can be found again.
        cells.append([operation(f"conv{mark}{number}", *pair) for number, pair in enumerate(ends)])
    shown = alignment(as_form(cells[0]), as_form(cells[1]), SCHEME).pairs
    for cell, side in zip(cells, ("before", "after"), strict=True):
        columns = {getattr(pair, side).kind: column for column, pair in enumerate(shown) if getattr(pair, side)}
        assert len(columns) == len(cell)
        for i, j in itertools.permutations(range(len(cell)), 2):
            assert not reaches(cell, i, j) or columns[cell[i].kind] < columns[cell[j].kind]


def test_residuals_of_vertex_cells_are_operations() -> None:
    """Conv -> conv with and without the input added to the second, and with the output of the first added at the end."""
    plain, early, late = "nasbench101:100.10.1/33", "nasbench101:110.10.1/33", "nasbench101:100.11.1/33"
    assert [len(form(one).tokens) for one in (plain, early, late)] == [2, 3, 3]
    assert similarity(plain, early) == pytest.approx((6 - 0.5 + 1.5) / (7 + 1.5))
    assert similarity(early, late) < 1.0


def test_affine_gaps_and_huge_cells_are_refused() -> None:
    one = space("nats-tss").sample(np.random.default_rng(0))
    with pytest.raises(InputError, match="no runs of gaps"):
        similarity(one, one, gap=(-1.0, -0.5))
    with pytest.raises(InputError, match="at most 12 operations"):
        structured([operation("conv", i, i + 1) for i in range(13)])
