from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from untrained.metrics.metric import read, score
from untrained.probe.probe import Probe
from untrained.probe.setting import Setting
from untrained.registry import METRICS
from untrained.testing.metric import batch, network

NEEDS = METRICS["regions"].needs


def regions(net: nn.Module, images: Tensor, samples: int) -> float:
    setting = Setting(images=samples, weights="keep")
    value = read(METRICS["regions"], Probe(net, images, setting=setting, needs=NEEDS)).value
    assert value is not None
    return value


@pytest.mark.parametrize("name", ["plain", "cell", "functional"])
@pytest.mark.parametrize("samples", [2, 5, 70])
def test_counts_distinct_rows(name: str, samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On flat crops of a few colours samples share patterns; every pair is compared."""
    images, _ = batch(samples)
    images = images[:, :, :1, :1].sign().expand(-1, -1, 3, 3)
    net = network(name).train()
    signs: list[Tensor] = []

    def relu(x: Tensor, inplace: bool = False) -> Tensor:
        signs.append((x > 0).flatten(1))
        return x.clamp_min(0)

    with monkeypatch.context() as patch, torch.no_grad():
        patch.setattr(torch.nn.functional, "relu", relu)
        patch.setattr(torch, "relu", relu)
        for module in net.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        net(images)
    rows = torch.cat(signs, dim=1)
    # The published sum: each sample counts 1 / (how many share its row).
    expected = sum(1 / sum(int(torch.equal(a, b)) for b in rows) for a in rows)
    assert expected < 70
    assert regions(network(name), images, samples) == pytest.approx(expected)


def test_at_most_the_number_of_samples_and_one_for_equal_images() -> None:
    images, _ = batch(20)
    assert regions(network("plain"), images, 20) <= 20
    assert regions(network("plain"), images[:1], 1) == 1.0
    assert regions(network("plain"), images[:1].expand(20, -1, -1, -1), 20) == 1.0


def test_a_line_cut_by_units_has_that_many_regions() -> None:
    """relu(x - t) for t = 1, 2, 3 on x = 0.5, 1.5, ... divides the line in four."""
    net = nn.Sequential(nn.Conv2d(1, 3, 1), nn.ReLU())
    net[0].weight.data.fill_(1.0)
    net[0].bias.data = -torch.tensor([1.0, 2.0, 3.0])
    points = torch.tensor([0.1, 0.5, 1.5, 1.9, 2.5, 3.5, 9.0]).view(7, 1, 1, 1)
    assert regions(net, points, 7) == 4.0


def test_the_published_setting_sees_crops_of_the_images() -> None:
    images, _ = batch(6)
    setting = METRICS["regions"].setting
    probe = Probe(network("plain"), images, setting=setting, needs=NEEDS, seed=4)
    assert (setting.images, setting.source, setting.weights, setting.inits) == (1000, "crops", "kaiming_fan_in", 3)
    crops = probe.batch(0)
    assert crops.shape == (1000, 3, 3, 3)
    windows = images.unfold(2, 3, 1).unfold(3, 3, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 27)
    found = (crops[:60].flatten(1)[:, None] == windows[None]).all(-1).any(-1)
    assert bool(found.all())
    assert len(torch.unique(crops.flatten(1), dim=0)) > 150


def test_no_value_without_activations() -> None:
    reading = score(nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten()), batch()[0], metrics=["regions"])["regions"]
    assert reading.value is None
    assert "no activation" in (reading.reason or "")


def test_images_smaller_than_a_crop_are_taken_whole() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    images = torch.randn(20, 3, 2, 1, generator=torch.Generator().manual_seed(0))
    setting = Setting(images=20, weights="keep", source="crops")
    probe = Probe(net, images, setting=setting, needs=NEEDS)
    crops = probe.batch(0)
    assert crops.shape == images.shape
    assert bool((crops[:, None] == images[None]).flatten(2).all(-1).any(-1).all())
    assert read(METRICS["regions"], probe).value is not None
