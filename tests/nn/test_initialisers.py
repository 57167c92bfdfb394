"""Initialisers: what is drawn, how wide, from which numbers, and for which tensors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from untrained.errors import UnknownNameError
from untrained.nn.initialisers import INITIALISERS, WeightPlan

ALL = pytest.mark.parametrize("kind", INITIALISERS)

LAYERS = {
    "conv": (lambda: nn.Conv2d(16, 32, 3), 16 * 9, 32 * 9),
    "wide kernel": (lambda: nn.Conv2d(8, 24, (1, 7)), 8 * 7, 24 * 7),
    "grouped": (lambda: nn.Conv2d(64, 128, 3, groups=4), 16 * 9, 128 * 9),
    "depthwise": (lambda: nn.Conv2d(512, 512, 3, groups=512), 9, 512 * 9),
    "transposed": (lambda: nn.ConvTranspose2d(16, 32, 3), 16 * 9, 32 * 9),
    "linear": (lambda: nn.Linear(80, 60), 80, 60),
    "one dimension": (lambda: nn.Conv1d(16, 64, 5), 16 * 5, 64 * 5),
}


def mixed() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.GroupNorm(2, 8), nn.InstanceNorm2d(8, affine=True), nn.PReLU(),
        nn.Conv2d(8, 8, 1, bias=False), nn.Flatten(), nn.Linear(8, 4), nn.LayerNorm(4), nn.Embedding(5, 4),
    )  # fmt: skip


def theory(kind: str, fan_in: int, fan_out: int) -> float:
    """The standard deviation of the weights."""
    return {
        # torch's own is kaiming_uniform with a = sqrt(5): U(-1 / sqrt(fan_in), 1 / sqrt(fan_in))
        "default": 1 / math.sqrt(3 * fan_in),
        "normal": 1.0,
        "kaiming_fan_in": math.sqrt(2 / fan_in),
        "kaiming_fan_out": math.sqrt(2 / fan_out),
        "xavier": math.sqrt(2 / (fan_in + fan_out)),
    }[kind]


def by_torch(kind: str, weight: Tensor) -> None:
    """The same by `torch.nn.init`."""
    match kind:
        case "default":
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
        case "normal":
            nn.init.normal_(weight)
        case "kaiming_fan_in":
            nn.init.kaiming_normal_(weight)
        case "kaiming_fan_out":
            nn.init.kaiming_normal_(weight, mode="fan_out")
        case "xavier":
            nn.init.xavier_normal_(weight)


@ALL
@pytest.mark.parametrize("layer", LAYERS)
def test_weights_are_as_wide_as_they_should_be(kind: str, layer: str) -> None:
    make, fan_in, fan_out = LAYERS[layer]
    module = make()
    weight = WeightPlan(module, kind).values(1)["weight"]
    expected = theory(kind, fan_in, fan_out)
    assert weight.shape == module.weight.shape
    # Four standard errors of a standard deviation, and of a mean.
    assert float(weight.std()) == pytest.approx(expected, rel=4 / math.sqrt(2 * weight.numel()))
    assert abs(float(weight.mean())) < 4 * expected / math.sqrt(weight.numel())


@ALL
@pytest.mark.parametrize("layer", ["conv", "grouped", "depthwise", "linear", "wide kernel", "one dimension"])
def test_weights_are_distributed_as_torch_distributes_them(kind: str, layer: str) -> None:
    module = LAYERS[layer][0]()
    drawn = WeightPlan(module, kind).values(2)["weight"].flatten().numpy()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        by_torch(kind, module.weight)
    assert stats.ks_2samp(drawn, module.weight.detach().flatten().numpy()).pvalue > 1e-4


def test_uniform_weights_stay_within_their_bound() -> None:
    values = WeightPlan(nn.Conv2d(16, 64, 3), "default").values(0)
    bound = 1 / math.sqrt(16 * 9)
    for tensor in values.values():
        assert tensor.abs().max() <= bound
        assert tensor.abs().max() > 0.9 * bound
    assert values["weight"].min() < 0 < values["weight"].max()


@ALL
def test_biases(kind: str) -> None:
    bias = WeightPlan(nn.Linear(100, 5000), kind).values(0)["bias"]
    if kind == "default":
        assert float(bias.std()) == pytest.approx(0.1 / math.sqrt(3), rel=0.05)
    else:
        assert not bias.any()


@ALL
def test_norms_start_as_the_identity_and_other_tensors_stay(kind: str) -> None:
    net = mixed()
    for parameter in net.parameters():
        parameter.data.fill_(7.0)
    values = WeightPlan(net, kind).values(0)
    for name in ("1", "2", "3", "8"):
        assert (values[f"{name}.weight"] == 1).all()
        assert (values[f"{name}.bias"] == 0).all()
    assert not {"4.weight", "9.weight"} & set(values)
    assert {"0.weight", "0.bias", "5.weight", "7.weight", "7.bias"} <= set(values)
    assert all((parameter == 7).all() for parameter in net.parameters())


@pytest.mark.parametrize("kind", [*INITIALISERS, "keep"])
def test_saliency_sums_over_weights_of_convolutions_and_linear_layers(kind: str) -> None:
    assert WeightPlan(mixed(), kind).prunable == ["0.weight", "5.weight", "7.weight"]


def test_keeping_draws_nothing() -> None:
    assert WeightPlan(mixed(), "keep").values(0) == {}


@ALL
def test_the_seed_decides(kind: str) -> None:
    net, twin = mixed(), mixed()
    before = torch.get_rng_state()
    plan = WeightPlan(net, kind)
    one, again, other = plan.values(3), WeightPlan(twin, kind).values(3), plan.values(4)
    assert one.keys() == again.keys() == other.keys()
    assert all(torch.equal(one[name], again[name]) for name in one)
    for name in plan.prunable:
        assert not torch.equal(one[name], other[name])
    assert torch.equal(torch.get_rng_state(), before)


def test_no_two_tensors_share_their_numbers() -> None:
    net = nn.Sequential(nn.Linear(50, 50), nn.Linear(50, 50), nn.Linear(50, 50))
    values = WeightPlan(net, "normal").values(0)
    flat = np.stack([values[f"{k}.weight"].flatten().numpy() for k in range(3)])
    assert np.abs(np.corrcoef(flat) - np.eye(3)).max() < 0.1


def test_tied_weights_are_drawn_once_under_their_first_name() -> None:
    one, two = nn.Linear(4, 4), nn.Linear(4, 4)
    two.weight = one.weight
    plan = WeightPlan(nn.Sequential(one, nn.ReLU(), two), "normal")
    assert plan.prunable == ["0.weight"]
    assert set(plan.values(0)) == {"0.weight", "0.bias", "2.bias"}


def test_a_module_with_two_names_is_drawn_once() -> None:
    layer = nn.Conv2d(3, 3, 1)
    plan = WeightPlan(nn.Sequential(layer, layer), "normal")
    assert plan.prunable == ["0.weight"]
    assert {name: value.numel() for name, value in plan.values(0).items()} == {"0.weight": 9, "0.bias": 3}


def test_attention_is_drawn() -> None:
    plan = WeightPlan(nn.MultiheadAttention(8, 2), "xavier")
    values = plan.values(0)
    assert {"in_proj_weight", "out_proj.weight"} == set(plan.prunable) <= set(values)
    assert float(values["in_proj_weight"].std()) == pytest.approx(math.sqrt(2 / (8 + 24)), rel=0.25)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_have_the_type_of_the_network(dtype: torch.dtype) -> None:
    values = WeightPlan(mixed().to(dtype), "normal").values(0)
    assert {tensor.dtype for tensor in values.values()} == {dtype}


def test_networks_without_weights() -> None:
    assert WeightPlan(nn.Sequential(nn.Flatten(), nn.ReLU()), "normal").values(0) == {}


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match="did you mean"):
        WeightPlan(mixed(), "kaiming")


@ALL
@pytest.mark.parametrize("norm", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm])
def test_layers_whose_weight_is_computed_keep_it(kind: str, norm) -> None:
    network = nn.Sequential(norm(nn.Conv2d(2, 4, 3)), nn.Conv2d(4, 4, 3))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    values = WeightPlan(network, kind).values(0)
    assert "1.weight" in values
    assert not [name for name in values if name.startswith("0.") and "bias" not in name]
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
