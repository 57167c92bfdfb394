"""Populations: incremental matrices equal full ones, and only new rows are computed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from untrained.alignment import Population, diversity, similarity, similarity_matrix
from untrained.alignment import population as module
from untrained.alignment.forms import forms
from untrained.alignment.scheme import scheme
from untrained.architecture import Token
from untrained.errors import InputError
from untrained.spaces.space import space


@given(st.integers(0, 2**32 - 1), st.sampled_from(["chain", "nats-tss"]), st.booleans())
@settings(deadline=None, max_examples=25)
def test_updating_gives_the_matrix_of_the_new_members(seed: int, name: str, legacy: bool) -> None:
    rng = np.random.default_rng(seed)
    home = space(name)
    pool = [home.sample(rng) for _ in range(12)]
    options = {"legacy": legacy and name == "chain", "gap": -0.75}
    population = Population([], **options)
    for _ in range(3):
        members = [pool[i] for i in rng.integers(0, 12, rng.integers(0, 9))]
        before = population.architectures, population.matrix.copy()
        following = population.updated(members)
        np.testing.assert_allclose(following.matrix, similarity_matrix(members, **options), atol=1e-12)
        assert following.architectures == tuple(members)
        assert population.architectures == before[0]
        assert np.array_equal(population.matrix, before[1])
        population = following


def test_only_rows_of_new_members_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    original = module.matrix

    def counting(members, scheme, *, known=0, lexicon=None):  # type: ignore[no-untyped-def]
        computed.append((len(members), known))
        return original(members, scheme, known=known, lexicon=lexicon)

    monkeypatch.setattr(module, "matrix", counting)
    rng = np.random.default_rng(0)
    pool = [space("chain").sample(rng) for _ in range(10)]
    population = Population(pool[:8])
    population.updated([*pool[4:], pool[9], pool[9]])
    assert computed == [(8, 0), (6, 4)]


def test_costs_are_asked_about_tokens_once() -> None:
    asked = []

    def points(a: Token, b: Token) -> float:
        asked.append((a, b))
        return 2.0 if a == b else 0.5

    rng = np.random.default_rng(3)
    pool = [space("nats-sss").sample(rng) for _ in range(12)]
    population = Population(pool, costs=points)
    count = len(asked)
    assert count == len(set(asked)) == 64
    following = population.updated([space("nats-sss").sample(rng) for _ in range(5)]).updated(pool[:3])
    assert len(asked) == count
    np.testing.assert_array_equal(following.matrix, similarity_matrix(pool[:3], costs=points))


def test_a_refused_token_leaves_the_population_as_it_was() -> None:
    def points(a: Token, b: Token) -> float:
        return -1.0 if a.get("channels") == 64 else float(a == b)

    population = Population(["nats-sss:8:8:8:8:8"], costs=points)
    for _ in range(2):
        with pytest.raises(InputError, match="points"):
            population.updated(["nats-sss:8:8:8:8:64"])
    assert population.updated(["nats-sss:8:8:8:8:8", "nats-sss:8:8:8:8:16"]).matrix[0, 1] < 1.0


@pytest.mark.parametrize(("name", "gap"), [("chain", -0.5), ("chain", (-1.0, -0.25)), ("nats-tss", -0.5)])
def test_the_kernels_skip_pairs_of_known_members(name: str, gap: float | tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    members = forms([space(name).sample(rng) for _ in range(5)])
    full, part = (module.matrix(members, scheme(name, None, gap, False), known=known) for known in (0, 3))
    assert np.array_equal(part[3:], full[3:])
    assert np.array_equal(part[:, 3:], full[:, 3:])
    above = np.triu_indices(3, 1)
    assert (part[:3, :3][above] != full[:3, :3][above]).all()


def test_identical_networks_share_a_row() -> None:
    population = Population(
        [
            "nats-tss:|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
            "nats-tss:|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
        ]
    )
    assert population.matrix.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert repr(population) == "<population of 2, 1 distinct>"


def test_the_matrix_cannot_be_written() -> None:
    population = Population(["nats-sss:8:8:8:8:8"])
    with pytest.raises(ValueError, match="read-only"):
        population.matrix[0, 0] = 0.0


def test_diversity_is_the_median_of_different_members() -> None:
    matrix = np.array([[1.0, 0.2, 0.4], [0.2, 1.0, 0.9], [0.4, 0.9, 1.0]])
    assert diversity(matrix) == 0.4
    assert diversity(matrix, legacy=True) == 0.9


def test_populations_of_nobody_and_of_one() -> None:
    nobody, one = Population(), Population(["nats-sss:8:8:8:8:8"])
    assert nobody.matrix.shape == (0, 0)
    assert len(nobody) == 0
    assert one.diversity() == 1.0
    assert one.nearest("nats-sss:8:8:8:8:16", 3) == [
        (one.architectures[0], similarity("nats-sss:8:8:8:8:8", "nats-sss:8:8:8:8:16"))
    ]
    with pytest.raises(InputError, match="no diversity"):
        nobody.diversity()
    with pytest.raises(InputError, match="no nearest"):
        nobody.nearest("nats-sss:8:8:8:8:8")


def test_nearest_members_come_best_first_and_a_member_is_nearest_to_itself() -> None:
    rng = np.random.default_rng(2)
    pool = [space("chain").sample(rng) for _ in range(12)]
    population = Population([*pool, pool[3]])
    found = population.nearest(pool[3], 12)
    assert found[0] == (pool[3], 1.0)
    assert len(found) == 12
    assert [value for _, value in found] == sorted((similarity(pool[3], one) for one in pool), reverse=True)


def test_members_of_two_spaces_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="one space"):
        Population([space("chain").sample(rng), space("nats-sss").sample(rng)])
