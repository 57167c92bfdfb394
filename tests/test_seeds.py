"""Seeds by name: fixed for ever, different for different names."""

from __future__ import annotations

import subprocess
import sys
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from untrained.seeds import derive, generator

part = st.one_of(st.integers(), st.text("ab1:,() ", max_size=4), st.lists(st.integers(), max_size=3).map(tuple))


def test_seeds_are_fixed_for_ever() -> None:
    """Stored studies are replayed by their seeds, so these numbers must never change."""
    assert derive(0) == 3_581_690_635_855_307_741
    assert derive("study", 7, "nats-tss", (1, 2, 3)) == 7_276_238_332_655_420_280
    digest = blake2b(b"str:study\x1fint:7\x1fstr:nats-tss\x1ftuple:(1, 2, 3)", digest_size=8).digest()
    assert derive("study", 7, "nats-tss", (1, 2, 3)) == int.from_bytes(digest, "little") // 2


def test_seeds_do_not_depend_on_the_process() -> None:
    code = "from untrained.seeds import derive; print(derive('a', 1, (2, 3)))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {f"{derive('a', 1, (2, 3))}\n"}


@settings(deadline=None, max_examples=200)
@given(st.lists(part, max_size=4), st.lists(part, max_size=4))
def test_different_names_have_different_seeds(a: list[int | str | tuple[int, ...]], b: list[int | str]) -> None:
    assert 0 <= derive(*a) < 2**63
    assert (derive(*a) == derive(*b)) == (a == b)


def test_numbers_and_their_texts_differ() -> None:
    assert len({derive(1), derive("1"), derive((1,)), derive("(1,)"), derive(1, 1), derive(11), derive("1", 1)}) == 7


def test_generators_repeat_and_are_independent() -> None:
    first, again, other = generator("a", 0), generator("a", 0), generator("a", 1)
    draws = first.standard_normal(1_000)
    np.testing.assert_array_equal(draws, again.standard_normal(1_000))
    assert abs(np.corrcoef(draws, other.standard_normal(1_000))[0, 1]) < 0.2


@pytest.mark.parametrize("seed", [0, 1, -1, 2**70])
def test_global_randomness_is_neither_read_nor_changed(seed: int) -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    generator(seed).random(10)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
