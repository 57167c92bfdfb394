from __future__ import annotations

import re

import numpy as np
import pytest

from untrained.architecture import Architecture
from untrained.metrics.metric import score
from untrained.spaces.space import space
from untrained.testing.metric import batch, network


def skip(architecture: Architecture | str) -> float:
    value = score(architecture, batch()[0], metrics=["skip"], skeleton="proxy")["skip"].value
    assert value is not None
    return value


def test_reach_of_skips_read_off_the_text() -> None:
    """FreeREA's own way: the number of the node, from 0, less the number of the input."""
    rng = np.random.default_rng(0)
    nats = space("nats-tss")
    for _ in range(25):
        architecture = nats.sample(rng)
        spans = [
            node - int(source)
            for node, inputs in enumerate(nats.format(architecture).split("+"))
            for source in re.findall(r"skip_connect~(\d)", inputs)
        ]
        assert skip(architecture) == pytest.approx(sum(spans) / len(spans) if spans else 0.0)


def test_the_longest_skip_of_a_cell_passes_two_nodes() -> None:
    cell = "nats-tss:|none~0|+|none~0|none~1|+|{}~0|none~1|none~2|"
    assert skip(cell.format("skip_connect")) == 2.0
    assert skip(cell.format("nor_conv_3x3")) == 0.0
    assert skip("nats-tss:|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|") == 1.0


def test_genotypes_count_skips_of_both_cells() -> None:
    edges = "('skip_connect', 0), ('sep_conv_3x3', 1), ('skip_connect', 2), ('sep_conv_3x3', 0), ('skip_connect', 0), "
    edges += "('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1)"
    other = edges.replace("skip_connect", "max_pool_3x3")
    text = "darts:Genotype(normal=[{}], normal_concat=range(2, 6), reduce=[{}], reduce_concat=range(2, 6))"
    # Nodes 2, 3 and 4 from sources 0, 2 and 0.
    assert skip(text.format(edges, other)) == pytest.approx((1 + 0 + 3) / 3)
    assert skip(text.format(edges, edges)) == pytest.approx((1 + 0 + 3) / 3)
    assert skip(text.format(other, other)) == 0.0


def test_a_module_has_no_genes() -> None:
    reading = score(network("plain"), batch()[0], metrics=["skip"])["skip"]
    assert reading.value is None
    assert "architecture" in (reading.reason or "")
