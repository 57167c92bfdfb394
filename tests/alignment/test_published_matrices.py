"""The similarity matrices stored with the alignment paper, all of them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from untrained.alignment import Population, align, similarity_matrix
from untrained.alignment.costs import chain_legacy
from untrained.architecture import Architecture
from untrained.spaces.space import space

FILES = ("cifar10_s4_naive.evonas", "cifar10_s4_rigid.evonas")


def generations(path: Path) -> Iterator[tuple[list[str], list[Architecture], np.ndarray, dict[str, str]]]:
    """Names, architectures, stored matrix (n, n) and stored alignments of each generation."""
    stored = json.loads(path.read_text())
    for number in range(1, 21):
        generation = stored[f"Generation_{number}"]
        table = json.loads(generation["similarity"])
        names = list(table["Unnamed: 0"].values())
        matrix = np.array([[table[column][str(row)] for column in names] for row in range(len(names))])
        chromosomes = [generation["chromosomes"][name] for name in names]
        members = [space("chain").from_chromosome(chromosome, strict=False) for chromosome in chromosomes]
        yield names, members, matrix, generation["alignment"]


@pytest.mark.parametrize("file", FILES)
def test_every_stored_matrix_is_reproduced(shared_data: Path, file: str) -> None:
    off = []
    for _, members, matrix, _ in generations(shared_data / "official" / file):
        ours = similarity_matrix(members, legacy=True)
        assert ours.shape == (25, 25)
        off.append(np.abs(ours - matrix))
        symmetric = similarity_matrix(members)
        assert np.abs(symmetric - np.maximum(np.maximum(matrix, matrix.T), 0.0)).max() <= 0.001
    # Three decimals, so two sums in another order may round apart; that happens to few.
    assert np.max(off) < 0.00101
    assert np.mean(np.array(off) > 1e-9) < 0.001


@pytest.mark.parametrize("file", FILES)
def test_the_published_diversity_is_the_median_of_the_whole_matrix(shared_data: Path, file: str) -> None:
    for _, members, matrix, _ in generations(shared_data / "official" / file):
        assert Population(members, legacy=True).diversity() == pytest.approx(np.median(matrix), abs=0.00101)


def test_the_stored_alignments_are_best_alignments(shared_data: Path) -> None:
    """Several alignments may be best; the stored one earns exactly the score of ours."""
    names, members, matrix, alignments = next(generations(shared_data / "official" / FILES[0]))
    for i, j in itertools.product(range(0, 25, 3), range(1, 25, 4)):
        ours = align(members[i], members[j], legacy=True)
        assert ours.similarity == pytest.approx(matrix[i, j], abs=0.00101)
        first, second = (iter(space("chain").tokens(members[k])) for k in (i, j))
        earned = 0.0
        for above, below in zip(*alignments[f"('{names[i]}', '{names[j]}')"].splitlines()[1::2], strict=True):
            pair = [next(tokens) for letter, tokens in ((above, first), (below, second)) if letter != "-"]
            earned += chain_legacy(pair)[0, 1] if len(pair) == 2 else -0.5
        assert earned == pytest.approx(ours.score, abs=1e-9)
