from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from untrained.metrics.metric import score
from untrained.probe.gradients import LossPass, loss_pass
from untrained.probe.observation import Observation
from untrained.probe.observer import Layers, Observer
from untrained.probe.probe import Probe
from untrained.probe.setting import Setting
from untrained.registry import METRICS
from untrained.testing.metric import NETWORKS, batch, network

KEEP = Setting(images=1000, weights="keep", labels=True)


def probe(net: nn.Module, *needs: str, samples: int = 6) -> Probe:
    images, labels = batch(samples)
    return Probe(net, images, labels, setting=KEEP, needs=frozenset(needs))


def counted(net: nn.Module) -> list[int]:
    """Fills with the number of images of every forward pass."""
    passes: list[int] = []
    net.register_forward_pre_hook(lambda module, inputs: passes.append(len(inputs[0])))
    return passes


# -- the loss ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("needs", [(), ("curvature",), ("channels",), ("curvature", "channels")])
def test_gradients_are_the_same_whatever_else_is_asked_for(name: str, needs: tuple[str, ...]) -> None:
    seen = probe(network(name), *needs)
    found = seen[0].loss
    assert isinstance(found, LossPass)
    plain = probe(network(name), *needs[-1:])[0].loss
    assert found.loss == pytest.approx(plain.loss)
    for (w, g), (v, h) in zip(found.gradients.pairs, plain.gradients.pairs, strict=True):
        assert torch.equal(w, v)
        torch.testing.assert_close(g, h, rtol=1e-4, atol=1e-7)
    for mine, its in zip(found.channels, plain.channels, strict=True):
        torch.testing.assert_close(mine.products, its.products, rtol=1e-4, atol=1e-7)
    assert bool(found.curvature) == ("curvature" in needs)
    assert bool(found.channels) == ("channels" in needs)
    kept = [
        *found.gradients.weights,
        *found.gradients.gradients,
        *found.curvature,
        *(c.products for c in found.channels),
    ]
    assert not any(tensor.requires_grad for tensor in kept)


def test_curvature_is_the_hessian_times_the_gradient() -> None:
    """The whole Hessian of a small smooth network, in float64."""
    net = nn.Sequential(nn.Conv2d(3, 2, 8), nn.Tanh(), nn.Flatten(), nn.Linear(2, 3)).double()
    images, labels = batch(4)
    images = images.double()
    names = ["0.weight", "3.weight"]
    weights = tuple(net.get_parameter(name).detach() for name in names)

    def loss(flat: Tensor) -> Tensor:
        parts = flat.split([w.numel() for w in weights])
        given = {name: part.view(w.shape) for name, part, w in zip(names, parts, weights, strict=True)}
        return F.cross_entropy(torch.func.functional_call(net, given, (images,)), labels)

    at = torch.cat([w.flatten() for w in weights])
    gradient, hessian = torch.func.grad(loss)(at), torch.autograd.functional.hessian(loss, at)
    found = Probe(net, images, labels, setting=KEEP, needs=frozenset({"curvature"}))[0].loss
    torch.testing.assert_close(torch.cat([g.flatten() for g in found.gradients.gradients]), gradient)
    torch.testing.assert_close(torch.cat([h.flatten() for h in found.curvature]), hessian @ gradient)


def test_channels_are_in_the_order_of_the_layers_and_leave_out_what_the_loss_does_not_see() -> None:
    class Spare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.idle, self.head = nn.Conv2d(3, 5, 3), nn.Conv2d(3, 4, 1), nn.Linear(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            self.idle(x)
            logits: Tensor = self.head(self.first(x).square().mean((2, 3)))
            return logits

    found = probe(Spare(), "channels")[0].loss.channels
    assert [(c.products.shape, c.fan) for c in found] == [((6, 5), 27), ((6, 3), 5)]


@pytest.mark.parametrize(("inplace", "passes"), [(False, 1), (True, 2)])
def test_outputs_are_copied_only_where_something_writes_to_them(inplace: bool, passes: int) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace), nn.Flatten(), nn.Linear(144, 3))
    seen = counted(net)
    other = nn.Sequential(net[0], nn.ReLU(), net[2], net[3])
    mine, theirs = (probe(one, "channels")[0].loss.channels for one in (net, other))
    assert len(seen) == passes
    assert all(torch.equal(a.products, b.products) for a, b in zip(mine, theirs, strict=True))


def test_layers_know_whether_they_were_overwritten() -> None:
    weight, image = torch.ones(2, 1, 1, 1), torch.ones(1, 1, 2, 2)
    for copied in (False, True):
        layers = Layers(copied=copied)
        with Observer(layers=layers):
            out = F.conv2d(image, weight)
            assert not layers.overwritten
            out.view(-1).add_(1)
        assert layers.overwritten is not copied
        ((kept_weight, output),) = layers
        assert kept_weight is weight
        assert bool((output == (1 if copied else 2)).all())


def test_nothing_of_the_graph_is_kept() -> None:
    net, graph = network("plain"), []
    net[2].register_forward_hook(lambda module, inputs, output: graph.append(weakref.ref(output)))
    seen = probe(net, "channels", "curvature")
    assert seen[0].loss.channels
    gc.collect()
    assert len(graph) == 1
    assert graph[0]() is None


def test_attention_has_second_derivatives() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patches, self.attention = nn.Conv2d(3, 4, 4, 4), nn.MultiheadAttention(4, 2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            x = self.patches(x).flatten(2).transpose(1, 2)
            return self.attention(x, x, x, need_weights=False)[0].mean(1)

    found = probe(Attention(), "curvature")[0].loss
    assert all(bool(h.abs().sum() > 0) for h in found.curvature)


def test_a_loss_that_depends_on_nothing() -> None:
    images, labels = batch(3)
    theta = {"w": torch.ones(2, 2)}
    found = loss_pass(
        lambda theta, images, observer: torch.zeros(len(images), 3), theta, ["w"], images, labels,
        curvature=True, channels=True,
    )  # fmt: skip
    assert not found.gradients.gradients[0].any()
    assert not found.curvature[0].any()
    assert found.channels == ()


# -- the other passes --------------------------------------------------------------------------------------------------


def test_batches_are_passes_of_their_own() -> None:
    images, labels = batch(8)
    setting = Setting(images=4, weights="keep", labels=True, batches=2)
    seen = Probe(network("plain"), images, labels, setting=setting)[0]
    for index, gradients in enumerate(seen.batch_gradients):
        part = slice(4 * index, 4 * index + 4)
        alone = Probe(network("plain"), images[part], labels[part], setting=KEEP)[0].loss.gradients
        assert all(torch.equal(a, b) for a, b in zip(gradients.gradients, alone.gradients, strict=True))


def test_rows_of_sample_gradients_sum_to_the_gradient_of_the_sum() -> None:
    seen, net = probe(network("cell")), network("cell").train()
    net(seen.batch(0)).sum().backward()
    weights = [net.get_parameter(name) for name in seen.own if name.endswith("weight")]
    whole = torch.cat([torch.zeros(w.numel()) if w.grad is None else w.grad.flatten() for w in weights])
    torch.testing.assert_close(seen[0].sample_gradients.sum(0), whole, rtol=1e-3, atol=1e-4 * float(whole.abs().max()))


def test_the_jacobian_knows_how_many_logits_there_are() -> None:
    seen = probe(network("plain"))[0]
    assert seen.num_classes == 3
    assert seen.jacobian.shape == (6, 192)


def test_gradients_of_blocks_are_there_if_they_were_asked_for() -> None:
    without, with_them = (probe(network("cell"), *needs)[0] for needs in ((), ("block_gradients",)))
    assert without.block_gradients == []
    assert len(with_them.block_gradients) == len(without.blocks) - 1
    assert all(torch.equal(a, b) for a, b in zip(without.blocks, with_them.blocks, strict=True))
    assert not any(feature.requires_grad for feature in with_them.blocks)


def test_a_scored_network_and_all_that_was_seen_of_it_are_gone_at_once() -> None:
    """Without the garbage collector: a search would pile up networks until it runs."""
    images, labels = batch(64)
    seen: list[weakref.ref[Tensor]] = []
    net = network("plain")
    for module in net:
        module.register_forward_hook(lambda module, inputs, output: seen.append(weakref.ref(output)))
    gc.collect()
    gc.disable()
    try:
        readings = score(net, images, labels, [name for name in METRICS.names() if name != "skip"])
        gone = weakref.ref(net)
        del net
        assert gone() is None
        assert not any(ref() is not None for ref in seen)
    finally:
        gc.enable()
    assert len(seen) > 20
    assert readings


def test_forward_passes_are_shared() -> None:
    """However many metrics ask, each kind of pass is run once."""
    expected = {
        ("grad_norm", "plain", "snip", "grasp", "fisher"): 1,
        ("jacov",): 1,
        ("epe_nas",): 1,
        ("ntk",): 1,
        ("zico",): 2,
        ("az_expressivity", "az_progressivity", "az_trainability"): 1,
        ("az_expressivity",): 1,
        ("meco",): 1,
        ("zen",): 4,  # two initialisations
        ("l2_norm",): 0,
        ("nwot", "ni", "ni_eta", "synflow", "logsynflow"): 3,
    }
    images, labels = batch(64)
    for names, passes in expected.items():
        net = network("plain")
        seen = counted(net)
        readings = score(net, images, labels, names)
        assert None not in [reading.value for name, reading in readings.items() if name != "ni"], readings
        assert len(seen) == passes, names
    assert set(METRICS.names()) - {name for names in expected for name in names} == {
        "gradsign", "swap", "regions", "skip", "params", "macs",
    }  # fmt: skip


def test_a_network_may_write_to_its_images() -> None:
    class Centred(nn.Module):
        def __init__(self, inplace: bool) -> None:
            super().__init__()
            self.inplace = inplace
            self.net = network("plain")

        def forward(self, x: Tensor) -> Tensor:
            x = x.sub_(0.5) if self.inplace else x - 0.5
            logits: Tensor = self.net(x)
            return logits

    images, labels = batch(64)
    before = images.clone()
    names = [name for name in METRICS.names() if name not in ("skip", "macs", "params")]
    inside, outside = (score(Centred(inplace), images, labels, names) for inplace in (True, False))
    assert torch.equal(images, before)
    for name in names:
        assert inside[name].value == outside[name].value, name
        assert inside[name].value is not None or name == "ni"


def test_what_several_metrics_need_is_computed_once() -> None:
    calls: list[int] = []

    def brightness(seen: Observation) -> float:
        calls.append(1)
        return float(seen.images.mean())

    first, second = (probe(network("plain"))[0] for _ in range(2))
    assert first.once(brightness) == first.once(brightness) == second.once(brightness)
    assert len(calls) == 2


def test_signs_are_fair_and_their_own() -> None:
    seen = probe(network("plain"))
    signs = seen.signs("a", 0, (50, 101))
    assert set(signs.flatten().tolist()) == {-1.0, 1.0}
    assert abs(float(signs.mean())) < 0.05
    assert torch.equal(signs, seen.signs("a", 0, (50, 101)))
    assert not torch.equal(signs, seen.signs("a", 1, (50, 101)))
    assert not torch.equal(signs, seen.signs("b", 0, (50, 101)))
