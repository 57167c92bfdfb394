"""Parameters and multiply-accumulates against hand counts and against the NATS-Bench table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from untrained.errors import InputError
from untrained.nn.counts import count_macs, count_parameters
from untrained.spaces.nats_tss import nats_tss


class Apply(nn.Module):
    """Whatever `forward` does with the named parts and an image."""

    def __init__(self, forward: Callable[[Apply, Tensor], Tensor], **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.function = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def sequence(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


SHAPE = (8, 4, 6)
D, L = 8, 24  # the width and the length of the image as a sequence
ATTENTION = L * D * 3 * D + 2 * L * L * D + L * D * D

HAND = {
    "conv": (nn.Conv2d(8, 6, 3, padding=1), 6 * 24 * 8 * 9),
    "strided, grouped": (nn.Conv2d(8, 6, 3, stride=2, groups=2, bias=False), 6 * 1 * 2 * 4 * 9),
    "depthwise, dilated": (nn.Conv2d(8, 8, 3, dilation=2, padding=2, groups=8), 8 * 24 * 9),
    "transposed": (nn.ConvTranspose2d(8, 6, 3, stride=2, groups=2), 8 * 24 * 3 * 9),
    "1-d": (Apply(lambda m, x: m.conv(x.flatten(2)), conv=nn.Conv1d(8, 6, 3)), 6 * 22 * 8 * 3),
    "called twice": (Apply(lambda m, x: m.conv(m.conv(x)), conv=nn.Conv2d(8, 8, 1)), 2 * 24 * 64),
    "functional": (Apply(lambda m, x: functional.conv2d(x, m.w), w=nn.Parameter(torch.ones(5, 8, 1, 1))), 24 * 40),
    "linear": (Apply(lambda m, x: m.linear(x.flatten(1)), linear=nn.Linear(192, 5)), 192 * 5),
    "linear on a sequence": (Apply(lambda m, x: m.linear(sequence(x)), linear=nn.Linear(8, 5)), L * 8 * 5),
    "matmul": (Apply(lambda m, x: sequence(x) @ m.w, w=nn.Parameter(torch.ones(8, 5))), L * 8 * 5),
    "einsum": (Apply(lambda m, x: torch.einsum("nld,nmd->nlm", sequence(x), sequence(x))), L * L * D),
    "attention": (Apply(lambda m, x: functional.scaled_dot_product_attention(*[sequence(x)] * 3)), 2 * L * L * D),
    "multi-head": (
        Apply(lambda m, x: m.mha(*[sequence(x)] * 3)[0], mha=nn.MultiheadAttention(D, 2, batch_first=True)),
        ATTENTION,
    ),
    "encoder": (
        Apply(lambda m, x: m.layer(sequence(x)), layer=nn.TransformerEncoderLayer(D, 2, 32, batch_first=True)),
        ATTENTION + 2 * L * D * 32,
    ),
    "nothing to multiply": (nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten()), 0),
    "sums keep or widen the shape": (
        Apply(
            lambda m, x: m.conv((x[:, :1] + x).relu_().add_(x.mean((2, 3), keepdim=True) + x)), conv=nn.Conv2d(8, 2, 1)
        ),
        24 * 16,
    ),
    "a view of a sum": (
        Apply(lambda m, x: m.conv(x + (x + 1).unsqueeze_(0).sum(0) * 0), conv=nn.Conv2d(8, 2, 1)),
        24 * 16,
    ),
}


@pytest.mark.parametrize("name", HAND)
def test_macs_counted_by_hand(name: str) -> None:
    network, macs = HAND[name]
    assert count_macs(network, SHAPE) == macs


def test_macs_in_inference_mode_and_other_precisions() -> None:
    with torch.inference_mode():
        assert count_macs(nn.Linear(6, 5), (8, 4, 6)) == 8 * 4 * 6 * 5
    for dtype in (torch.float64, torch.bfloat16):
        assert count_macs(nn.Conv2d(3, 4, 3).to(dtype), (3, 5, 5)) == 4 * 9 * 27


def test_the_network_stays_as_it_was() -> None:
    first = nn.Linear(4, 4)
    tied = nn.Linear(4, 4)
    tied.weight = first.weight
    # `first` appears twice as a module and its weight a third time.
    network = nn.Sequential(nn.Flatten(), first, tied, nn.BatchNorm1d(4).eval(), nn.Dropout(), first)
    tensors = {name: (tensor, tensor.clone()) for name, tensor in network.state_dict(keep_vars=True).items()}
    modes = [module.training for module in network.modules()]
    random = torch.get_rng_state()
    assert count_macs(network, (1, 2, 2)) == 3 * 16
    assert modes == [module.training for module in network.modules()]
    for name, tensor in network.state_dict(keep_vars=True).items():
        assert tensor is tensors[name][0]
        assert torch.equal(tensor, tensors[name][1])
    assert torch.equal(random, torch.get_rng_state())


def test_the_network_stays_as_it_was_after_an_error() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 9), nn.Dropout())
    weight = network[0].weight
    with pytest.raises(InputError, match=r"\(3, 4, 4\)"):
        count_macs(network, (3, 4, 4))
    assert network[0].weight is weight
    assert network.training
    assert network[1].training


@pytest.mark.parametrize("shape", [(3, 8), (3, 0, 8), (1, 3, 8, 8)])
def test_an_image_has_three_sizes(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="channels, height, width"):
        count_macs(nn.Identity(), shape)  # type: ignore[arg-type]


def test_networks_that_need_values_are_refused() -> None:
    with pytest.raises(InputError, match="cannot count"):
        count_macs(Apply(lambda m, x: x[: int(x.sum())]), SHAPE)


def test_only_what_evaluation_runs_is_counted() -> None:
    network = Apply(lambda m, x: m.conv(m.conv(x)) if m.training else m.conv(x), conv=nn.Conv2d(8, 8, 1))
    assert count_macs(network, SHAPE) == 24 * 64
    assert count_macs(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4)), (1, 2, 2)) == 0


def test_parameters_are_counted_once_and_only_where_they_are_trained() -> None:
    frozen, shared = nn.Linear(7, 7), nn.Linear(3, 4)
    frozen.requires_grad_(False)
    network = nn.ModuleDict({"frozen": frozen, "a": shared, "b": shared, "norm": nn.BatchNorm2d(5)})
    tied = nn.Linear(3, 4, bias=False)
    tied.weight = shared.weight
    network["tied"] = tied
    assert count_parameters(network) == 3 * 4 + 4 + 2 * 5
    network["auxiliary"] = nn.Linear(9, 9)
    network["inner"] = nn.ModuleDict({"auxiliary": nn.Linear(9, 9)})
    assert count_parameters(network) == 3 * 4 + 4 + 2 * 5
    network["auxiliary_like"] = nn.Linear(1, 1)
    assert count_parameters(network) == 3 * 4 + 4 + 2 * 5 + 2


def test_counts_of_nats_cells_are_the_benchmarks(shared_data: Path) -> None:
    """Its FLOPs are our MACs plus the 10 biases of the classifier, for cells with dead edges too."""
    table = pandas.read_parquet(shared_data / "nats_tss_cifar10.parquet", columns=["cifar10_flops", "cifar10_params"])
    for index in range(0, len(table), 400):
        with torch.device("meta"):
            network = nats_tss.build(nats_tss.at(index))
        assert count_macs(network, (3, 32, 32)) + 10 == table["cifar10_flops"][index]
        assert count_parameters(network) == table["cifar10_params"][index]
