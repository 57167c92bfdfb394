"""Contrasts: the edit that was planted is the one that is blamed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from untrained.alignment import contrasts, effects, similarity
from untrained.architecture import Architecture
from untrained.errors import InputError
from untrained.spaces.space import space


def planted(count: int) -> tuple[list[Architecture], list[float]]:
    """Architectures with a copy without their first normalisation, which costs 0.2 to 0.4, all different."""
    rng = np.random.default_rng(0)
    home = space("chain")
    members, fitness = [], []
    while len(members) < 2 * count:
        text = str(home.sample(rng))
        if "-B-C" not in text:
            continue
        base = rng.normal(0.6, 0.01)
        members += [Architecture.parse(text), Architecture.parse(text.replace("-B-C", "-C", 1))]
        fitness += [base, base - 0.2 - 0.2 * (len(members) // 2 * 7 % count) / (count - 1)]
    return members, fitness


def test_the_planted_edit_is_found_and_blamed() -> None:
    members, fitness = planted(10)
    found = contrasts(members, fitness, similarity=0.8, count=10)
    assert [one.difference for one in found] == pytest.approx([0.4 - 0.2 * rank / 9 for rank in range(10)])
    for one in found:
        assert members.index(one.worse) == members.index(one.better) + 1
        assert one.similarity == similarity(one.better, one.worse) >= 0.8
        assert [str(edit) for edit in one.alignment.edits] == ["- batch_norm"]
        effect = one.effects[0]
        assert (effect.change, effect.pairs, effect.hurts, effect.helps) == ("- batch_norm", 10, 10, 0)
        assert effect.mean == pytest.approx(-0.3)
        assert "- batch_norm: hurts 10 of 10 pairs, mean -0.3" in str(one)
    mirrored = {effect.change: effect for effect in effects(members, fitness, similarity=0.8)}
    assert (mirrored["+ batch_norm"].helps, mirrored["+ batch_norm"].mean) == (10, pytest.approx(0.3))


def test_lower_can_be_better() -> None:
    members, fitness = planted(3)
    found = contrasts(members, [-value for value in fitness], similarity=0.8, better="lower")
    assert [one.effects[0].change for one in found] == ["- batch_norm"] * 3
    assert found[0].difference == pytest.approx(0.4)


def test_parameters_go_up_and_down() -> None:
    a, b = "chain:C64k3s1-L-M2-R64k3s1-g-F32", "chain:C64k5s1-L-M2-R32k3s1-g-F32"
    found = {effect.change: effect.mean for effect in effects([a, b], [0.5, 0.4], similarity=0.5)}
    assert found == {
        "conv kernel up": pytest.approx(-0.1),
        "conv kernel down": pytest.approx(0.1),
        "residual filters down": pytest.approx(-0.1),
        "residual filters up": pytest.approx(0.1),
    }


def test_equal_architectures_are_averaged_and_missing_fitness_is_left_out() -> None:
    a, b, c = "chain:C64k3s1-L-g-F32", "chain:C64k3s1-L-g-F40", "chain:C64k3s1-L-g-F48"
    found = contrasts([a, a, b, c], [0.5, 0.7, 0.5, math.nan])
    assert [(str(one.better), str(one.worse)) for one in found] == [(a, b)]
    assert found[0].difference == pytest.approx(0.1)


def test_nothing_to_contrast() -> None:
    assert contrasts([], []) == []
    assert contrasts(["chain:C64k3s1-g"], [0.5]) == []
    assert contrasts(["chain:C64k3s1-g", "chain:C64k3s1-G"], [0.5, 0.5], similarity=0.0) == []
    assert effects([], []) == []


def test_cells_have_contrasts_too() -> None:
    good = "nats-tss:|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
    bad = good.replace("nor_conv_3x3~2", "avg_pool_3x3~2")
    found = contrasts([bad, good], [0.7, 0.9], similarity=0.5)
    assert str(found[0].better) == good
    assert sorted(str(edit) for edit in found[0].alignment.edits) == ["+ avg_pool_3x3", "- nor_conv_3x3"]


def test_what_cannot_be_contrasted_is_refused() -> None:
    with pytest.raises(InputError, match="2 architectures need as many values of fitness, not 1"):
        contrasts(["chain:C64k3s1-g", "chain:C64k3s1-G"], [0.5])
    with pytest.raises(InputError, match="'higher' or 'lower'"):
        contrasts([], [], better="best")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="number of contrasts"):
        contrasts([], [], count=-1)
