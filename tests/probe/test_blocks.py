from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from untrained.nn.blocks import ReLUConvBN
from untrained.probe.blocks import blocks_of, outputs_of
from untrained.spaces.space import create_model, space


def kinds(network: nn.Module) -> list[str]:
    return [type(block).__name__ for block in blocks_of(network)]


def build(name: str, skeleton: str, seed: int = 0) -> nn.Module:
    place = space(name)
    with torch.device("meta"):
        return place.build(place.sample(np.random.default_rng(seed)), skeleton=skeleton)


@pytest.mark.parametrize("skeleton", ["nats", "proxy", "small"])
def test_nats_tss_is_a_stem_and_cells_with_residual_blocks_between(skeleton: str) -> None:
    cells = space("nats-tss").skeleton(skeleton).cells * ["Cell"]
    expected = ["Sequential", *cells, "ResidualBlock", *cells, "ResidualBlock", *cells]
    network = build("nats-tss", skeleton)
    assert kinds(network) == expected
    assert blocks_of(network)[0] is network.stem


def test_dead_cells_are_cells() -> None:
    dead = create_model("nats-tss:|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", skeleton="proxy")
    assert kinds(dead) == ["Sequential", "Cell", "ResidualBlock", "Cell", "ResidualBlock", "Cell"]


def test_nats_sss() -> None:
    assert kinds(build("nats-sss", "nats")) == ["Sequential", "Cell", "ResidualBlock", "Cell", "ResidualBlock", "Cell"]


@pytest.mark.parametrize("skeleton", ["nb301", "cifar", "imagenet", "proxy", "swap"])
def test_darts_is_a_stem_and_cells_even_if_there_is_one(skeleton: str) -> None:
    network = build("darts", skeleton)
    blocks = blocks_of(network)
    assert blocks[0] is network.second_stem
    assert blocks[1:] == list(network.cells)
    assert len(blocks) == 1 + space("darts").skeleton(skeleton).cells


@pytest.mark.parametrize("skeleton", ["nasbench101", "proxy"])
def test_nasbench101_is_a_stem_and_cells_without_the_pooling_between_stacks(skeleton: str) -> None:
    count = 3 * space("nasbench101").skeleton(skeleton).cells
    assert kinds(build("nasbench101", skeleton)) == ["ConvBNReLU", *count * ["GraphCell"]]


@pytest.mark.parametrize(("name", "kind"), [("transnas-micro", "Cell"), ("transnas-macro", "BasicBlock")])
@pytest.mark.parametrize("skeleton", ["transnas", "proxy", "head=jigsaw"])
def test_transnas_is_a_stem_and_the_blocks_of_its_stages(name: str, kind: str, skeleton: str) -> None:
    network = build(name, skeleton)
    assert blocks_of(network) == [network.stem, *network.body]
    assert {type(block).__name__ for block in network.body} == {kind}


def test_the_blocks_of_a_decoder_follow_those_of_the_encoder() -> None:
    network = build("transnas-micro", "head=autoencoder")
    encoder = [network.stem, *network.body]
    blocks = blocks_of(network)
    assert blocks[: len(encoder)] == encoder
    assert len(blocks) > len(encoder)
    assert set(blocks[len(encoder) :]) <= set(network.head.modules())


@pytest.mark.parametrize("genes", ["00000000", "01201201", "22222222"])
def test_macro_is_a_stem_and_eight_places_skips_included(genes: str) -> None:
    network = create_model(f"macro:{genes}", skeleton="proxy")
    assert blocks_of(network) == [network.stem, *network.body]


def test_a_chain_is_its_convolutions_and_blocks() -> None:
    """Never the classifier: neither its dense layers nor what pools before them."""
    whole = 0
    for seed in range(30):
        network = build("chain", "proxy", seed)
        expected = [
            layer
            for layer in network.features
            if isinstance(layer, nn.Conv2d) or type(layer).__name__ in ("BasicBlock", "BottleneckBlock")
        ]
        if len(expected) > 1:
            assert blocks_of(network) == expected
            whole += 1
    assert whole > 20


def conv() -> nn.Conv2d:
    return nn.Conv2d(3, 3, 1)


def test_all_stages_of_a_residual_network_follow_each_other() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = conv()
            self.pool = nn.MaxPool2d(2)
            self.layer1 = nn.Sequential(ReLUConvBN(3, 3, 1), ReLUConvBN(3, 3, 1))
            self.layer2 = nn.Sequential(ReLUConvBN(3, 3, 1))
            self.head = nn.Linear(3, 2)

    network = Residual()
    # The only member of a sequence might be no more than a wrapper, if it is a sequence itself.
    assert blocks_of(network) == [network.pool, *network.layer1]
    network.layer2.append(ReLUConvBN(3, 3, 1))
    assert blocks_of(network) == [network.pool, *network.layer1, *network.layer2]


def test_a_body_deep_inside_has_the_stem_beside_it() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = conv()
            self.inner = create_model(
                "nats-tss:|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|", skeleton="proxy"
            )

    network = Outer()
    assert blocks_of(network) == [network.inner.stem, *network.inner.body]


def test_layers_in_a_row_are_their_convolutions() -> None:
    network = nn.Sequential(conv(), nn.ReLU(), conv(), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 2))
    assert blocks_of(network) == [network[0], network[2]]


def test_a_classifier_of_composed_layers_is_not_the_body() -> None:
    network = nn.Sequential()
    network.add_module("features", nn.Sequential(conv(), nn.ReLU(), conv(), nn.MaxPool2d(2), conv()))
    dense = [nn.Sequential(nn.Linear(3, 3), nn.ReLU()) for _ in range(4)]
    network.add_module("classifier", nn.Sequential(*dense))
    assert blocks_of(network) == [network.features[0], network.features[2], network.features[4]]


def test_without_a_sequence_it_is_the_children() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.head = conv(), conv(), nn.Linear(3, 2)

    network = Plain()
    assert blocks_of(network) == [network.one, network.two, network.head]
    assert blocks_of(nn.ReLU()) == []


def test_outputs_in_the_order_they_end_and_nothing_left_behind() -> None:
    network = nn.Sequential(nn.Sequential(conv(), nn.ReLU(inplace=True)), nn.Flatten(), nn.Linear(12, 2))
    modules = list(network.modules())
    images = torch.randn(2, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        with outputs_of(modules) as outputs:
            network(images)
        pre = network[0][0](images)
    assert [output.shape for output in outputs] == [(2, 3, 2, 2)] * 3
    assert torch.equal(outputs[0], pre)
    assert torch.equal(outputs[1], pre.relu())
    assert torch.equal(outputs[2], pre.relu())
    assert not any(module._forward_hooks for module in modules)


def test_hooks_are_gone_after_an_error() -> None:
    class Fails(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("no")

    network = nn.Sequential(conv(), Fails())
    with pytest.raises(RuntimeError, match="no"), outputs_of(list(network.modules())):
        network(torch.zeros(1, 3, 2, 2))
    assert not any(module._forward_hooks for module in network.modules())
