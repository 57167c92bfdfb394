"""Alignment scores against brute force over all alignments, and what similarity promises."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import untrained as un
from untrained.alignment import (
    Match,
    Population,
    align,
    chart,
    cluster,
    contrasts,
    kernels,
    motifs,
    similarity,
    similarity_matrix,
)
from untrained.alignment.costs import CostModel, chain_legacy
from untrained.alignment.costs import chain as chain_costs
from untrained.alignment.matrix import aligned
from untrained.alignment.scheme import Scheme
from untrained.architecture import Architecture, Token
from untrained.errors import ArchitectureError, InputError
from untrained.spaces.chain_genes import VOCABULARY
from untrained.spaces.space import space

seeds = st.integers(0, 2**32 - 1)
quick = settings(deadline=None, max_examples=40)
CHAIN = space("chain")


def chains(seed: int, count: int) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return [CHAIN.sample(rng) for _ in range(count)]


def columns(n: int, m: int) -> Iterator[list[tuple[bool, bool]]]:
    """All alignments of n tokens with m, column by column: (takes a token of the first, of the second)."""
    if n == m == 0:
        yield []
    for step in ((True, True), (True, False), (False, True)):
        if step[0] <= n and step[1] <= m:
            for rest in columns(n - step[0], m - step[1]):
                yield [*rest, step]


def best_by_hand(a: list[int], b: list[int], table: np.ndarray, opening: float, extending: float) -> float:
    """The greatest score over every alignment, a run of gaps costing opening + (length - 1) * extending."""
    scores = []
    for alignment in columns(len(a), len(b)):
        score, i, j = 0.0, 0, 0
        for step, run in itertools.groupby(alignment):
            length = len(list(run))
            if step == (True, True):
                score += sum(table[a[i + k], b[j + k]] for k in range(length))
            else:
                score += opening + (length - 1) * extending
            i += step[0] * length
            j += step[1] * length
        scores.append(score)
    return max(scores)


def flat(sequences: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    tokens = np.array([token for sequence in sequences for token in sequence], np.int64)
    return tokens, np.cumsum([0, *map(len, sequences)], dtype=np.int64)


# -- the kernels against enumeration -------------------------------------------------------------------------------


@given(seeds, st.sampled_from([(-0.5, -0.5), (-2.0, -0.25), (-0.1, -1.0), (0.0, 0.0)]))
@quick
def test_every_kernel_finds_the_best_of_all_alignments(seed: int, gap: tuple[float, float]) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(0.5, 2.0, (4, 4))
    a, b = (rng.integers(0, 4, rng.integers(0, 6)).tolist() for _ in range(2))
    expected = best_by_hand(a, b, table, *gap)
    tokens, starts = flat([a, b])
    totals = np.zeros((2, 2))
    kernels.affine(tokens, starts, table, *gap, 0, True, totals)
    assert totals[0, 1] == pytest.approx(expected, abs=1e-12)
    assert totals[1, 0] == pytest.approx(best_by_hand(b, a, table, *gap), abs=1e-12)
    if gap[0] == gap[1]:
        kernels.linear(tokens, starts, table - 2 * gap[0], 0, True, totals)
        assert totals[0, 1] + gap[0] * (len(a) + len(b)) == pytest.approx(expected, abs=1e-12)

    found, score = kernels.trace(np.array(a, np.int64), np.array(b, np.int64), table, *gap)
    assert score == pytest.approx(expected, abs=1e-12)
    assert [i for i, _ in found.tolist() if i >= 0] == list(range(len(a)))
    assert [j for _, j in found.tolist() if j >= 0] == list(range(len(b)))
    runs = [(i >= 0, j >= 0) for i, j in found.tolist()]
    earned = sum(table[a[i], b[j]] for i, j in found.tolist() if i >= 0 and j >= 0)
    for step, run in itertools.groupby(runs):
        earned += gap[0] + (len(list(run)) - 1) * gap[1] if step != (True, True) else 0.0
    assert earned == pytest.approx(score, abs=1e-12)


@given(seeds)
@quick
def test_affine_gaps_that_open_and_extend_alike_are_linear_gaps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(0.5, 2.0, (9, 9))
    table = (table + table.T) / 2
    np.fill_diagonal(table, 9.0)
    tokens, starts = flat([rng.integers(0, 9, rng.integers(1, 25)).tolist() for _ in range(8)])
    linear = aligned(table, tokens, starts, Scheme(lambda _: table, -0.7, -0.7))
    totals = np.zeros((8, 8))
    kernels.affine(tokens, starts, table, -0.7, -0.7, 0, False, totals)
    profits = np.zeros((8, 8))
    kernels.linear(tokens, starts, table + 1.4, 0, False, profits)
    lengths = np.diff(starts)
    off = ~np.eye(8, dtype=bool)
    np.testing.assert_allclose(totals[off], (profits - 0.7 * (lengths[:, None] + lengths))[off], atol=1e-10)
    affine = aligned(table, tokens, starts, Scheme(lambda _: table, -0.7, -0.7 - 1e-13))
    np.testing.assert_allclose(linear, affine, atol=1e-10)


@pytest.mark.parametrize("gap", [(-0.5, -0.5), (-1.0, -0.25)])
@pytest.mark.parametrize("model", [chain_costs, chain_legacy])
def test_an_independent_implementation_agrees_on_2000_pairs(model: CostModel, gap: tuple[float, float]) -> None:
    bio = pytest.importorskip("Bio.Align")
    table = model(VOCABULARY)  # every gene with all of its parameters, so genes are rows
    aligner = bio.PairwiseAligner(mode="global", open_gap_score=gap[0], extend_gap_score=gap[1])
    letters = tuple(range(len(VOCABULARY)))
    aligner.substitution_matrix = bio.substitution_matrices.Array(letters, 2, data=table)
    members = chains(0, 200)
    rng = np.random.default_rng(1)
    pairs = [sorted(rng.choice(200, 2, replace=False).tolist(), reverse=step % 2 == 0) for step in range(2000)]
    expected = [aligner.score(list(members[i].genes), list(members[j].genes)) for i, j in pairs]

    tokens, starts = flat([list(one.genes) for one in members])
    totals = np.zeros((200, 200))
    kernels.affine(tokens, starts, table, *gap, 0, True, totals)
    assert [totals[i, j] for i, j in pairs] == pytest.approx(expected, abs=1e-9)
    if gap[0] == gap[1]:
        kernels.linear(tokens, starts, table - 2 * gap[0], 0, True, totals)
        lengths = np.diff(starts)
        totals += gap[0] * (lengths[:, None] + lengths)
        assert [totals[i, j] for i, j in pairs] == pytest.approx(expected, abs=1e-9)
    for (i, j), score in zip(pairs[:200], expected, strict=False):
        found = align(members[i], members[j], gap=gap, legacy=model is chain_legacy)
        assert found.score == pytest.approx(score, abs=1e-9)


# -- similarity ----------------------------------------------------------------------------------------------------


@given(seeds, st.sampled_from([-0.5, -0.3, -0.7, -2.0, 0.0, (-1.0, -0.2)]))
@quick
def test_similarity_is_symmetric_within_0_and_1_and_1_for_identical_sequences_only(
    seed: int, gap: float | tuple[float, float]
) -> None:
    members = chains(seed, 6)
    members += [CHAIN.mutate(members[0], np.random.default_rng(seed)), members[1]]
    matrix = similarity_matrix(members, gap=gap)
    assert np.array_equal(matrix, matrix.T)
    assert ((matrix >= 0.0) & (matrix <= 1.0)).all()
    assert np.array_equal(matrix == 1.0, [[a == b for b in members] for a in members])
    assert similarity(members[0], members[6], gap=gap) == matrix[0, 6]


def test_similarity_is_the_equation_of_the_paper() -> None:
    # C64k3s1-B-g against C64k3s1-g: 3 + 1.5 points, one gap; self-scores 6.5 and 4.5.
    assert similarity("chain:C64k3s1-B-g", "chain:C64k3s1-g") == pytest.approx((4.0 + 1.5) / (6.5 + 1.5))
    # Parameters: 3 - 0.6 * 48/112 - 0.8 * 2/6 - 0.6 and a pooling gene that differs, 0.5.
    points = 3 - 0.6 * 48 / 112 - 0.8 * 2 / 6 - 0.6 + 0.5
    assert similarity("chain:C64k3s1-g", "chain:C16k5s2-E") == pytest.approx((points + 1.0) / (4.5 + 1.0))


def test_nothing_in_common_is_0_and_legacy_goes_below() -> None:
    a, b = "chain:C64k3s1-B-L-M2-g", "chain:R16k3s1-R16k3s1-R16k3s1-R16k3s1-E"
    assert similarity(a, b) == similarity(b, a) == 0.0
    # Eight gaps and the pooling genes, that the published code takes for alike in one order only.
    assert similarity(b, a, legacy=True) == round((0.5 - 4.0 + 2.5) / (29.5 + 2.5), 3)
    assert similarity(a, b, legacy=True) == round((-1.0 - 4.0 + 2.5) / (29.5 + 2.5), 3)


def test_no_architecture_and_one() -> None:
    assert similarity_matrix([]).shape == (0, 0)
    assert similarity_matrix(["nats-sss:8:8:8:8:8"]).tolist() == [[1.0]]


def test_alignments_print_rows_marks_and_changes() -> None:
    found = align("chain:C64k3s1-B-L-R32k3s1-g-F32", "chain:C64k3s1-L-M2-R32k5s1-g-F32")
    assert str(found).split("\n") == [
        "CBL-RgF",
        "| | :||",
        "C-LMRgF",
        f"similarity {found.similarity:.3f}, score {found.score:g}, 3 of 7 differ",
        "  2: - batch_norm",
        "  4: + max_pool(pool=2)",
        "  5: residual(filters=32, kernel=3, stride=1, skip=1) -> residual(filters=32, kernel=5, stride=1, skip=1)",
    ]
    assert [edit.kind for edit in found.edits] == ["deletion", "insertion", "substitution"]
    assert found.score == pytest.approx(3 + 1 + 7 - 0.8 * 2 / 4 + 1.5 + 3 - 1.0)
    assert [edit.kind for edit in found.reversed().edits] == ["insertion", "deletion", "substitution"]


@given(seeds, st.sampled_from([-0.5, (-1.0, -0.2)]), st.booleans())
@quick
def test_alignments_rebuild_both_sequences_and_their_similarity(
    seed: int, gap: float | tuple[float, float], legacy: bool
) -> None:
    a, b = chains(seed, 2)
    found = align(a, b, gap=gap, legacy=legacy)
    assert tuple(pair.before for pair in found.pairs if pair.before) == CHAIN.tokens(a)
    assert tuple(pair.after for pair in found.pairs if pair.after) == CHAIN.tokens(b)
    assert found.similarity == similarity(a, b, gap=gap, legacy=legacy)


# -- costs that the caller gives -----------------------------------------------------------------------------------


def test_a_mapping_changes_the_pairs_it_names_by_symbol_or_kind_both_ways_round() -> None:
    a, b = "chain:C64k3s1-B-g", "chain:C64k3s1-L-g"
    usual = similarity(a, b)
    changed = similarity(a, b, costs={("B", "L"): 1.25})
    assert changed == similarity(b, a, costs={("relu", "batch_norm"): 1.25}) > usual
    assert changed == pytest.approx((3 + 1.25 + 1.5 + 1.5) / (6.5 + 1.5))
    weighted = similarity("chain:C64k3s1-g", "chain:C32k3s1-g", costs={("C", "C"): Match(4.0, {"filters": 1 / 32})})
    assert weighted == pytest.approx((3.0 + 1.5 + 1.0) / (5.5 + 1.0))


def test_a_function_of_two_tokens_scores_every_pair() -> None:
    def costs(a: Token, b: Token) -> float:
        return 1.0 if a == b else -1.0

    assert similarity("chain:C64k3s1-B-g", "chain:C64k3s1-L-g", costs=costs) == pytest.approx((1 + 1.5) / (3 + 1.5))


def test_a_function_that_is_not_symmetric_has_the_first_architecture_as_row() -> None:
    def costs(a: Token, b: Token) -> float:
        return 2.0 if a == b or (a.symbol, b.symbol) == ("B", "I") else -1.0

    members = ["chain:C64k3s1-B-g", "chain:C64k3s1-I-g", "chain:C64k3s1-L-g"]
    matrix = similarity_matrix(members, costs=costs)
    assert matrix[0, 1] == 1.0 > matrix[1, 0] == matrix[0, 2]


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ({("B", "I"): 2.5}, "at most their mean"),
        ({("B", "B"): 0.0}, "positive for a token with itself"),
        ({("B", "I"): float("nan")}, "expected finite points"),
        ({"BI": 1.0}, "keyed by pairs"),
        ({("B", "I"): "much"}, "a number or a Match"),
        (3.0, "a mapping of pairs to points or a function"),
    ],
)
def test_costs_that_cannot_be_used_are_refused(costs: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        similarity("chain:C64k3s1-B-g", "chain:C64k3s1-I-g", costs=costs)  # type: ignore[arg-type]


@pytest.mark.parametrize("gap", [0.5, float("nan"), float("-inf"), (-1.0, 1.0), (-1.0, -1.0, -1.0), "wide"])
def test_gaps_that_reward_are_refused(gap: object) -> None:
    with pytest.raises(InputError, match="a gap costs points"):
        similarity("chain:C64k3s1-g", "chain:C64k3s1-E", gap=gap)  # type: ignore[arg-type]


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match="one space, not of chain and nats-sss"):
        similarity("chain:C64k3s1-g", "nats-sss:8:8:8:8:8")
    with pytest.raises(InputError, match="architectures or their texts, not int"):
        similarity_matrix([3])  # type: ignore[list-item]
    with pytest.raises(InputError, match="legacy=True is for the published space chain, not for nats-sss"):
        similarity("nats-sss:8:8:8:8:8", "nats-sss:8:8:8:8:8", legacy=True)
    with pytest.raises(InputError, match="either `legacy` or `costs`"):
        similarity("chain:C64k3s1-g", "chain:C64k3s1-g", legacy=True, costs={("B", "I"): 1.0})
    with pytest.raises(ArchitectureError):
        similarity(Architecture("nats-tss", (9,) * 6), Architecture("nats-tss", (0,) * 6))


# -- the public face -----------------------------------------------------------------------------------------------


def test_the_public_name_is_a_function_before_and_after_the_package_is_imported() -> None:
    a, b = "nats-sss:8:8:8:8:8", "nats-sss:8:8:8:8:16"
    assert un.similarity(a, b) == un.similarity(a, b) == similarity(a, b) < 1.0
    assert un.similarity_matrix([a, b])[0, 1] == un.align(a, b).similarity


def test_importing_the_package_compiles_nothing_and_loads_nothing_heavy() -> None:
    code = "import sys, untrained.alignment; sys.exit(bool({'torch', 'numba', 'scipy', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: similarity("chain:C16k3s1-g", "nats-sss:8:8:8:8:8"), "one space, not of chain and nats-sss"),
        (lambda: similarity_matrix(["chain:C16k3s1-g", "nats-sss:8:8:8:8:8"]), "one space"),
        (lambda: align("chain:C16k3s1-g", "nats-sss:8:8:8:8:8"), "one space"),
        (lambda: similarity("chain:C16k3s1-g", "chain:Z"), "unknown gene 'Z'"),
        (lambda: similarity("chain:C16k3s1-g", Architecture("chain", (9999,))), "0..345"),
        (lambda: similarity("chain:C16k3s1-g", None), "architectures or their texts, not NoneType"),  # type: ignore[arg-type]
        (lambda: Population().diversity(), "empty population has no diversity"),
        (lambda: Population().nearest("chain:C16k3s1-g"), "empty population has no nearest"),
        (lambda: chart([]), "at least one architecture"),
        (lambda: motifs([], []), "without members"),
        (lambda: contrasts(["chain:C16k3s1-g"], []), "as many values"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_sentence(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert str(caught.value).split("\n")[0] == str(caught.value) or "at column" in str(caught.value)


def test_one_individual_is_a_population() -> None:
    one = "chain:C16k3s1-g"
    assert Population([one]).diversity() == 1.0
    assert str(chart([one])).split() == ["Cg", "Cg"]
    assert contrasts([one], [1.0]) == []
    assert cluster(similarity_matrix([one])).cut(count=1).tolist() == [0]
