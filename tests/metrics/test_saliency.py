from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from untrained.metrics.metric import score
from untrained.testing.metric import NETWORKS, batch, network

SALIENCIES = ("grad_norm", "plain", "snip", "grasp", "fisher", "l2_norm")


def values(net: nn.Module, images: Tensor, labels: Tensor, *names: str) -> list[float]:
    readings = score(net, images, labels, names or SALIENCIES, weights="keep")
    found = [reading.value for reading in readings.values()]
    assert None not in found, readings
    return found  # type: ignore[return-value]


def twin(net: nn.Module) -> nn.Module:
    """A copy in the state that metrics describe: statistics of the batch, no dropout, no operation in place."""
    other = copy.deepcopy(net).train()
    for module in other.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if hasattr(module, "inplace"):
            module.inplace = False
    return other


def layers(net: nn.Module) -> list[nn.Module]:
    return [module for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def smooth() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 5),
            nn.Sigmoid(), nn.Linear(5, 3),
        ).double()  # fmt: skip


class Linear(nn.Sequential):
    """Two logits of an image (1, 1, 2), by a weight matrix that is given."""

    def __init__(self, *rows: tuple[float, float]) -> None:
        super().__init__(nn.Flatten(), nn.Linear(2, 2, bias=False))
        self[1].weight.data = torch.tensor(rows)


@pytest.mark.parametrize("name", NETWORKS)
def test_sums_over_layers_by_the_book(name: str) -> None:
    net, (images, labels) = network(name), batch()
    other = twin(net)
    F.cross_entropy(other(images), labels).backward()
    pairs = [(m.weight.detach(), m.weight.grad) for m in layers(other) if m.weight.grad is not None]
    expected = [
        sum(float(g.norm()) for _, g in pairs),
        sum(float((g * w).sum()) for w, g in pairs),
        sum(float((g * w).abs().sum()) for w, g in pairs),
        sum(float(m.weight.detach().norm()) for m in layers(other)),
    ]
    assert values(net, images, labels, "grad_norm", "plain", "snip", "l2_norm") == pytest.approx(
        expected, rel=1e-4, abs=1e-6
    )


@pytest.mark.parametrize("name", ["plain", "cell", "used twice"])
def test_snip_is_what_masks_on_the_weights_feel(name: str) -> None:
    net, (images, labels) = network(name), batch()
    other = twin(net)
    weights = {f"{place}.weight": m.weight.detach() for place, m in other.named_modules() if m in layers(other)}
    masks = {key: torch.ones_like(weight).requires_grad_() for key, weight in weights.items()}
    logits = torch.func.functional_call(other, {key: weights[key] * mask for key, mask in masks.items()}, (images,))
    F.cross_entropy(logits, labels).backward()
    felt = sum(float(mask.grad.abs().sum()) for mask in masks.values() if mask.grad is not None)
    assert values(net, images, labels, "snip") == pytest.approx([felt], rel=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_fisher_is_what_masks_on_the_channels_of_each_image_feel(name: str) -> None:
    net, (images, labels) = network(name), batch()
    other = twin(net)
    seen: list[tuple[nn.Module, Tensor]] = []

    def mask(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        ones = torch.ones(output.shape[:2], requires_grad=True)
        seen.append((module, ones))
        return output * ones.view(*ones.shape, *[1] * (output.dim() - 2))

    for module in layers(other):
        module.register_forward_hook(mask)
    F.cross_entropy(other(images), labels).backward()
    expected = 0.0
    for module, ones in seen:
        if ones.grad is not None:
            per_channel = 0.5 * ones.grad.square().mean(0)
            expected += float(per_channel.sum()) * module.weight[0].numel()
    assert values(net, images, labels, "fisher") == pytest.approx([expected], rel=1e-4, abs=1e-9)


def test_fisher_takes_the_last_dimension_of_a_linear_layer_and_the_second_of_a_transposed_convolution_for_channels() -> (
    None
):
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 5)
            self.up = nn.ConvTranspose2d(5, 4, 2)
            self.head = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.linear(x.permute(0, 2, 3, 1)).relu().permute(0, 3, 1, 2)
            logits: Tensor = self.head(self.up(x).square().mean((2, 3)))
            return logits

    net, (images, labels) = Tokens(), batch()
    found: dict[nn.Module, Tensor] = {}

    def keep(part: nn.Module, inputs: object, output: Tensor) -> None:
        output.retain_grad()
        found[part] = output

    handles = [part.register_forward_hook(keep) for part in (net.linear, net.up, net.head)]
    F.cross_entropy(net(images), labels).backward()
    for handle in handles:
        handle.remove()
    products = {part: (output * output.grad).detach() for part, output in found.items()}
    parts = [
        (products[net.linear].sum((1, 2)), 3),
        (products[net.up].sum((2, 3)), 5 * 2 * 2),
        (products[net.head], 4),
    ]
    expected = sum(0.5 * float(p.square().mean(0).sum()) * fan for p, fan in parts)
    assert values(net, images, labels, "fisher") == pytest.approx([expected], rel=1e-4)


def test_grasp_is_the_change_of_the_gradient_along_itself() -> None:
    """H g by central differences of the gradient, in float64."""
    net, (images, labels) = smooth(), batch()
    images = images.double()
    weights = [m.weight for m in layers(net)]

    def gradient() -> list[Tensor]:
        return list(torch.autograd.grad(F.cross_entropy(net(images), labels), weights))

    at, start, step = gradient(), [w.detach().clone() for w in weights], 1e-4
    sides = []
    for sign in (1, -1):
        for w, s, g in zip(weights, start, at, strict=True):
            w.data = s + sign * step * g
        sides.append(gradient())
    for w, s in zip(weights, start, strict=True):
        w.data = s
    expected = -sum(
        float((w * (ahead - behind)).sum()) / (2 * step) for w, ahead, behind in zip(start, *sides, strict=True)
    )
    assert values(net, images, labels, "grasp") == pytest.approx([expected], rel=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_grasp_multiplies_the_hessian_by_the_gradient(name: str) -> None:
    net, (images, labels) = network(name), batch()
    other = twin(net)
    weights = [m.weight for m in layers(other)]

    def loss(*tensors: Tensor) -> Tensor:
        names = [key for key, parameter in other.named_parameters() if any(parameter is w for w in weights)]
        given = dict(zip(names, tensors, strict=True))
        return F.cross_entropy(torch.func.functional_call(other, given, (images,)), labels)

    flat = tuple(p for p in other.parameters() if any(p is w for w in weights))
    gradient = torch.autograd.grad(loss(*flat), flat, allow_unused=True)
    vector = tuple(torch.zeros_like(w) if g is None else g for w, g in zip(flat, gradient, strict=True))
    _, product = torch.autograd.functional.hvp(loss, flat, vector)
    expected = -sum(float((w.detach() * h).sum()) for w, h in zip(flat, product, strict=True))
    assert values(net, images, labels, "grasp") == pytest.approx([expected], rel=1e-3, abs=1e-6)


def test_two_logits_by_hand() -> None:
    """W = ((1, 0), (0, 0)), x = (1, 2), class 0. With p = sigmoid(-1) the probability of class 1, the gradient at the
    logits is r = (-p, p), g = r x^T, and H v = p (1 - p) (u_0 - u_1) (1, -1) x^T for u = v x; here u = 5 r."""
    images, labels = torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([0])
    p = 1 / (1 + math.e)
    expected = [
        math.sqrt(2 * 5) * p,  # ||r|| ||x||
        -p,  # r_0 W_00 x_0
        p,
        10 * p**2 * (1 - p),  # -W_00 p (1 - p) 5 (-2 p) x_0
        0.5 * (1 * -p) ** 2 * 2,  # one image; output (1, 0), so only channel 0; two weights each
        1.0,
    ]
    assert values(Linear((1.0, 0.0), (0.0, 0.0)), images, labels) == pytest.approx(expected, rel=1e-5)


def test_weights_of_zero_feel_nothing_but_have_gradients() -> None:
    images, labels = torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([0])
    assert values(Linear((0.0, 0.0), (0.0, 0.0)), images, labels) == pytest.approx([math.sqrt(2.5), 0, 0, 0, 0, 0])


def test_snip_bounds_plain_and_is_bounded_by_the_norms() -> None:
    for name in NETWORKS:
        net, (images, labels) = network(name), batch()
        plain, snip, gradients, weights = values(net, images, labels, "plain", "snip", "grad_norm", "l2_norm")
        assert abs(plain) <= snip * (1 + 1e-6)
        assert snip <= gradients * weights * (1 + 1e-6)


def test_weights_before_a_normalisation_have_no_scale() -> None:
    """The loss does not change when they grow, so their <g, theta> is 0: `plain` is what scaling the head would do, snip
    and fisher stay the same."""
    net, (images, labels) = network("plain"), batch()
    net[0].bias = None
    net[1].eps = net[6].eps = 1e-12
    logits = twin(net)(images).detach()
    errors = logits.softmax(1) - F.one_hot(labels, 3)
    expected = float((errors * (logits - net[-1].bias.detach())).sum(1).mean())
    before = values(net, images, labels, "plain", "snip", "fisher")
    assert before[0] == pytest.approx(expected, rel=1e-4)
    net[0].weight.data *= 3.0
    assert values(net, images, labels, "plain", "snip", "fisher") == pytest.approx(before, rel=1e-4)


@pytest.mark.parametrize("name", ["plain", "cell"])
def test_the_order_of_the_images_does_not_matter(name: str) -> None:
    net, (images, labels) = network(name), batch()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1))
    there, back = values(net, images, labels), values(net, images[order], labels[order])
    assert back == pytest.approx(there, rel=1e-3, abs=1e-5)


def test_layers_nothing_depends_on_count_only_their_norm() -> None:
    class Spare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used = network("plain")
            self.unused = nn.Conv2d(3, 7, 3)
            self.idle = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.used(x)
            self.idle(logits)
            return logits

    images, labels = batch()
    spare = Spare()
    with_spare, without = values(spare, images, labels), values(spare.used, images, labels)
    assert with_spare[:-1] == without[:-1]
    extra = sum(float(layer.weight.detach().norm()) for layer in (spare.unused, spare.idle))
    assert with_spare[-1] == pytest.approx(without[-1] + extra, rel=1e-6)


def test_a_network_that_is_constant_has_saliencies_of_zero() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return torch.zeros(len(x), 3)

    net, (images, labels) = Constant(), batch()
    assert values(net, images, labels) == pytest.approx([0, 0, 0, 0, 0, float(net.conv.weight.detach().norm())])


@pytest.mark.parametrize("name", ["plain", "cell", "in place", "used twice"])
def test_one_pass_serves_all(name: str) -> None:
    """Alone, without second derivatives or channels, every metric has the value that it has among the others."""
    net, (images, labels) = network(name), batch()
    together = values(net, images, labels)
    alone = [values(net, images, labels, metric)[0] for metric in SALIENCIES]
    assert together == pytest.approx(alone, rel=1e-6)


def test_one_image() -> None:
    net, (images, labels) = network("cell"), batch()
    assert all(math.isfinite(value) for value in values(net, images[:1], labels[:1]))
