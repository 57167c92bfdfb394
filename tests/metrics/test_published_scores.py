"""Scores that were published, on the same images under the same setting (FreeREA's tables of NATS-Bench)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from untrained.metrics.metric import score
from untrained.probe.setting import Setting

MEAN, STD = (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)
"""Of CIFAR-10, as the benchmark normalises."""


@pytest.fixture(scope="module")
def images(shared_data: Path) -> Tensor:
    """The first 64 training images."""
    pixels = np.load(shared_data / "cifar10_10k2k.npz")["x_train"][:64]
    normal = (pixels.astype(np.float32) - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return torch.from_numpy(normal.transpose(0, 3, 1, 2).copy())


@pytest.fixture(scope="module")
def published(shared_data: Path) -> pd.DataFrame:
    return pd.read_parquet(shared_data / "nats_tss_reference_scores.parquet").set_index("index")


@pytest.mark.parametrize("index", [0, 1, 6111, 9930, 13714])
def test_scores_of_freerea(index: int, images: Tensor, published: pd.DataFrame) -> None:
    """Of the full network. The published values are means over three draws of weights and another draw of images."""
    row = published.loc[index]
    settings = {
        "nwot": Setting(images=64, weights="kaiming_fan_out"),
        "logsynflow": Setting(images=1, weights="kaiming_fan_out", source="ones", inits=3),
    }
    readings = score(f"nats-tss:{row.arch_str}", images, metrics=list(settings), settings=settings, skeleton="nats")
    assert readings["nwot"].value == pytest.approx(row["cifar10__freerea_naswot"], rel=0.005)
    assert readings["logsynflow"].value == pytest.approx(row["cifar10__freerea_logsynflow"], rel=0.01)
