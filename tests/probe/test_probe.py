"""The probe: what it sees is what hooks see, in one pass or in several, and nothing is left behind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from untrained.errors import DataError, InputError, UnknownNameError
from untrained.metrics.metric import score
from untrained.probe import probe as probe_module
from untrained.probe.patterns import pack
from untrained.probe.probe import Probe, check_images, logits, quiet
from untrained.probe.setting import Setting
from untrained.probe.slots import Slots
from untrained.probe.undefined import Undefined
from untrained.spaces.space import create_model
from untrained.testing.metric import NETWORKS, batch, network

KEEP = Setting(images=1000, weights="keep")


def rectified(in_chans: int = 3) -> nn.Module:
    """Several kinds of layers, ReLU modules alone, no dropout: hooks see all there is."""
    torch.manual_seed(1)
    return nn.Sequential(
        nn.ReLU(), nn.Conv2d(in_chans, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(5, 7, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(7, 6), nn.ReLU(),
        nn.Linear(6, 3),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _own_random_state():
    with torch.random.fork_rng(devices=[]):
        yield


def hooked(net: nn.Module, images: Tensor, kinds=(nn.ReLU,)) -> list[Tensor]:
    """What went into the modules of these kinds, in order."""
    seen: list[Tensor] = []
    handles = [
        module.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach().clone()))
        for module in net.modules()
        if isinstance(module, kinds)
    ]
    with torch.no_grad():
        net.train()(images)
    for handle in handles:
        handle.remove()
    return seen


# -- patterns --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [1, 8, 16, 17, 32, 64, 65, 100])
def test_patterns_are_those_that_hooks_see(samples: int) -> None:
    net, (images, _) = rectified(), batch(samples)
    layers = hooked(net, images)
    assert len(layers) == 4
    matrix = torch.cat([layer.flatten(1) > 0 for layer in layers], dim=1).numpy()
    seen = Probe(net, images, setting=KEEP)[0].patterns
    assert seen.units == matrix.shape[1]
    assert seen.distinct_units() == len(np.unique(matrix, axis=1).T)
    assert seen.distinct_samples() == len(np.unique(matrix, axis=0))
    for codes, layer in zip(seen._layers, layers, strict=True):
        np.testing.assert_array_equal(codes, pack(layer))


def test_drawn_weights_are_those_of_the_plan() -> None:
    """With the weights of each initialisation put into the module itself, hooks see the same."""
    net, (images, _) = rectified(), batch(100)
    probe = Probe(net, images, setting=Setting(images=20, inits=3, weights="normal", fresh=True), seed=4)
    for index, seen in enumerate(probe):
        for name, value in probe.values(index).items():
            net.get_parameter(name).data = value
        layers = hooked(net, images[20 * index : 20 * index + 20])
        for codes, layer in zip(seen.patterns._layers, layers, strict=True):
            np.testing.assert_array_equal(codes, pack(layer))


def narrow(text: str, skeleton: str):
    return lambda in_chans: create_model(text, num_classes=3, in_chans=in_chans, skeleton=skeleton)


STACKABLE = {
    **NETWORKS,
    "rectified": rectified,
    "three channels": narrow(
        "nats-tss:|nor_conv_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
        "channels=3,cells=1",
    ),
    "chain": narrow("chain:C32k3s2-B-L-R32k3s1-M2-g-F16", "proxy"),
}


@pytest.mark.parametrize("name", STACKABLE)
@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("images", [8, 16, 17, 65])
def test_one_pass_gives_the_same_bits_as_several(
    name: str, fresh: bool, images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    net, (data, _) = STACKABLE[name](3), batch(200)
    setting = Setting(images=images, inits=3, weights="normal", fresh=fresh)
    monkeypatch.setattr(probe_module, "STACK_CHANNELS", 1000)
    stacked = Probe(net, data, setting=setting, seed=2)
    monkeypatch.setattr(probe_module.Probe, "stacked_patterns", property(probe_module.Probe._in_one_pass))
    together = [seen.patterns._layers for seen in stacked] if stacked.stacked else None
    monkeypatch.setattr(probe_module, "STACK_CHANNELS", 0)
    looped = Probe(net, data, setting=setting, seed=2)
    assert not looped.stacked
    assert (together is None) == all(p.dim() != 4 for p in net.parameters())
    for one, two in zip(together or [], looped, strict=False):
        assert len(one) == len(two.patterns._layers)
        for codes, expected in zip(one, two.patterns._layers, strict=True):
            np.testing.assert_array_equal(codes, expected)


class Restless(nn.Module):
    """Draws random numbers, branches on values and keeps a running mean: nothing that `vmap` can do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x) + torch.randn(1))
        self.mean.mul_(0.9).add_(x.mean())
        if x.sum() > 1:
            x = 2 * x
        return F.relu(x - self.mean).mean((2, 3))


def test_modules_that_cannot_be_stacked_are_run_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    net, (images, _) = Restless(), batch(100)
    setting = Setting(images=12, inits=4, weights="normal", fresh=True)
    probe = Probe(net, images, setting=setting)
    assert probe.stacked
    found = [seen.patterns._layers for seen in probe]
    monkeypatch.setattr(probe_module, "STACK_CHANNELS", 0)
    for one, two in zip(found, Probe(net, images, setting=setting), strict=True):
        for codes, expected in zip(one, two.patterns._layers, strict=True):
            np.testing.assert_array_equal(codes, expected)
    assert net.mean == 0
    assert score(net, images, metrics=["swap"])["swap"].value is not None


@pytest.mark.parametrize(
    "activation",
    [
        nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.LeakyReLU(0.1), nn.LeakyReLU(0.1, inplace=True), nn.PReLU(), nn.ELU(),
        nn.ELU(inplace=True), nn.SELU(), nn.CELU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.SiLU(inplace=True), nn.Mish(),
        nn.Hardswish(), nn.Hardswish(inplace=True), nn.Hardtanh(), nn.Softplus(), nn.Threshold(0.0, 0.0), nn.RReLU(),
        F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.relu6, F.leaky_relu, F.elu, F.gelu, F.silu,
        F.hardswish, F.hardtanh, torch.selu, torch.celu, F.mish, F.softplus,
    ],
    ids=lambda activation: getattr(activation, "__name__", type(activation).__name__),
)  # fmt: skip
def test_every_activation_counts_once(activation) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.activation = activation

        def forward(self, x: Tensor) -> Tensor:
            return self.activation(self.conv(x)).mean((2, 3))

    net, (images, _) = Net(), batch(10)
    seen = Probe(net, images, setting=KEEP)[0].patterns
    (codes,) = seen._layers
    with torch.no_grad():
        np.testing.assert_array_equal(codes, pack(net.conv(images)))


def test_a_module_that_is_used_twice_counts_twice() -> None:
    net, (images, _) = network("used twice"), batch(10)
    assert Probe(net, images, setting=KEEP)[0].patterns.units == 4 * 64 + 4 * 16


def test_activations_that_are_not_a_row_for_each_image_have_no_patterns() -> None:
    """With sixteen images or fewer the table that counts them has no room for more."""

    class Windows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.conv(x))
            x = F.gelu(x.reshape(len(x) * 64, 4)).reshape(len(x), 4, 8, 8)
            return F.avg_pool2d(x, 8).flatten(1)

    net, (images, _) = Windows(), batch(200)
    for weights in ("keep", "normal"):
        for seen in Probe(net, images, setting=Setting(images=12, inits=2, weights=weights)):
            with pytest.raises(Undefined, match=r"shape \(768, 4\) is not one row for each of the 12 images"):
                _ = seen.patterns
    readings = score(net, images, metrics=["swap", "nwot", "regions", "ni_eta", "synflow"])
    for name, reading in readings.items():
        assert (reading.value is None) == (name in ("swap", "nwot", "regions"))
    assert "768" in readings["swap"].reason


# -- what is run -----------------------------------------------------------------------------------------------------


def test_normalisation_uses_the_batch_in_either_mode_and_dropout_does_nothing() -> None:
    net, (images, _) = network("plain"), batch(20)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.fill_(5.0)
            module.running_var.fill_(100.0)
    setting = Setting(images=20, weights="normal")
    train, evaluation = (Probe(net.train(mode), images, setting=setting)[0].patterns for mode in (True, False))
    for one, two in zip(train._layers, evaluation._layers, strict=True):
        np.testing.assert_array_equal(one, two)
    undropped = nn.Sequential(*[layer for layer in net if not isinstance(layer, nn.Dropout)])
    for one, two in zip(train._layers, Probe(undropped, images, setting=setting)[0].patterns._layers, strict=True):
        np.testing.assert_array_equal(one, two)


def test_running_statistics_of_other_modules_are_there() -> None:
    class Frozen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("running_mean", torch.full((3, 1, 1), 0.1))
            self.register_buffer("running_var", torch.full((3, 1, 1), 4.0))

        def forward(self, x: Tensor) -> Tensor:
            return F.relu((x - self.running_mean) / self.running_var.sqrt()).mean((2, 3))

    images, _ = batch(10)
    patterns = Probe(Frozen(), images, setting=KEEP)[0].patterns
    np.testing.assert_array_equal(patterns._layers[0], pack(images - 0.1))


def test_buffers_that_a_network_writes_to_are_its_own_afterwards() -> None:
    net, (images, _) = Restless(), batch(10)
    before = net.mean
    score(net, images, metrics=["nwot", "synflow"])
    assert net.mean is before
    assert before == 0


def test_everything_is_put_back_after_an_error() -> None:
    net = network("plain")
    before = [*net.parameters(), *net.buffers()]

    def fail() -> None:
        with Slots(net).holding({"0.weight": torch.zeros(4, 3, 3, 3)}):
            assert net[0].weight.sum() == 0
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert all(one is two for one, two in zip(before, [*net.parameters(), *net.buffers()], strict=True))


def test_tied_weights_stay_tied() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.Conv2d(3, 3, 3, padding=1, bias=False)
            self.two.weight = self.one.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.two(F.relu(self.one(x))).mean((2, 3))

    net = Tied()
    slots = Slots(net)
    assert list(slots.own) == ["one.weight"]
    with slots.holding({"one.weight": torch.ones(3, 3, 3, 3)}):
        assert net.one.weight is net.two.weight
        assert net.two.weight.sum() == 81
    assert net.one.weight is net.two.weight is slots.own["one.weight"]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_floating_types(dtype: torch.dtype) -> None:
    images, labels = batch(40)
    for net, data in ((network("cell").to(dtype), images), (network("cell"), images.to(dtype))):
        readings = score(net, data, labels, ["swap", "nwot", "ni", "synflow", "snip"])
        assert all(reading.value is not None for reading in readings.values()), readings
    exact = score(network("cell").double(), images, metrics=["nwot"])["nwot"].value
    assert exact == pytest.approx(score(network("cell"), images, metrics=["nwot"])["nwot"].value, rel=1e-3)


def test_global_random_numbers_are_given_and_taken_back() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    draws = []
    for seed in (1, 1, 2):
        with quiet(seed):
            draws.append(torch.randn(3))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    with pytest.raises(KeyError), quiet(1):
        raise KeyError
    assert torch.equal(torch.get_rng_state(), before)


# -- poolings --------------------------------------------------------------------------------------------------------


def test_inputs_of_poolings_are_those_that_hooks_see() -> None:
    net, (images, _) = rectified(), batch(10)
    seen = Probe(net, images, setting=KEEP, needs=frozenset({"pools", "structure"}))[0]
    expected = hooked(net, images, (nn.MaxPool2d, nn.AdaptiveAvgPool2d))
    assert all(torch.equal(one, two) for one, two in zip(seen.pools, expected, strict=True))
    assert seen.structure.conv_channels == (3, 5)
    assert seen.structure.pool_channels == (5, 7)
    assert seen.structure.wrapped_channels == ()


def test_what_went_into_a_pooling_is_not_changed_by_what_comes_after() -> None:
    class Shortcut(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            x = 1.0 * x
            short = F.avg_pool2d(x, 2)
            return (short + F.relu_(x)[..., ::2, ::2]).mean((2, 3))

    images, _ = batch(10)
    seen = Probe(Shortcut(), images, setting=KEEP, needs=frozenset({"pools", "structure"}))[0]
    assert torch.equal(seen.pools[0], images)


# -- batches ---------------------------------------------------------------------------------------------------------


def batches(count: int, **setting) -> list[list[int]]:
    """The numbers of the images that each initialisation and batch sees."""
    images = torch.arange(count).float()[:, None, None, None].expand(-1, 1, 2, 2)
    probe = Probe(nn.Flatten(), images, setting=Setting(**setting))
    return [
        probe.batch(index, number)[:, 0, 0, 0].int().tolist()
        for index in range(len(probe))
        for number in range(probe.setting.batches)
    ]


def test_which_images_are_seen() -> None:
    assert batches(10, images=4) == [[0, 1, 2, 3]]
    assert batches(3, images=4) == [[0, 1, 2]]
    assert batches(10, images=4, inits=2) == [[0, 1, 2, 3]] * 2
    assert batches(10, images=4, inits=3, fresh=True) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1]]
    assert batches(10, images=4, batches=2) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert batches(6, images=4, batches=2) == [[0, 1, 2], [3, 4, 5]]
    assert batches(1, images=4, batches=2) == [[0], [0]]
    assert batches(8, images=2, batches=2, inits=2, fresh=True) == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_other_sources() -> None:
    images, _ = batch(10)
    ones = Probe(nn.Flatten(), images, setting=Setting(images=4, source="ones")).batch(0)
    assert ones.shape == (4, 3, 8, 8)
    assert (ones == 1).all()
    probe = Probe(nn.Flatten(), images, setting=Setting(images=500, source="noise", inits=2))
    noise = probe.batch(0)
    assert noise.shape == (500, 3, 8, 8)
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    assert torch.equal(noise, probe.batch(0))
    assert not torch.equal(noise, probe.batch(1))
    crops = Probe(nn.Flatten(), images, setting=Setting(images=50, source="crops")).batch(0)
    windows = images.unfold(2, 3, 1).unfold(3, 3, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 27)
    assert crops.shape == (50, 3, 3, 3)
    assert all((windows == crop.flatten()).all(1).any() for crop in crops)


def test_kept_weights_are_seen_once_unless_the_images_change() -> None:
    images, _ = batch(10)
    assert len(Probe(network("plain"), images, setting=Setting(inits=5, weights="keep"))) == 1
    assert len(Probe(network("plain"), images, setting=Setting(inits=5, weights="keep", fresh=True))) == 5
    assert len(Probe(network("plain"), images, setting=Setting(inits=5))) == 5


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("numbers", [{"images": 0}, {"inits": 0}, {"batches": 0}, {"images": -1}])
def test_settings_without_images(numbers: dict) -> None:
    with pytest.raises(InputError, match="at least 1"):
        Setting(**numbers)


def test_unknown_initialisers() -> None:
    with pytest.raises(UnknownNameError, match="kaiming_fan_in"):
        Probe(network("plain"), batch()[0], setting=Setting(weights="kaiming"))


def test_what_is_no_network() -> None:
    with pytest.raises(InputError, match=r"nn\.Module, not str"):
        Probe("resnet", batch()[0])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((4, 3, 8, 8), np.float32), "float tensor"),
        (torch.zeros(3, 8, 8), "float tensor"),
        (torch.zeros(4, 3, 8, 8, dtype=torch.uint8), "uint8"),
        (torch.zeros(0, 3, 8, 8), "no images"),
        (torch.full((2, 3, 8, 8), float("nan")), "NaN"),
        (torch.full((2, 3, 8, 8), float("inf")), "infinite"),
    ],
)
def test_images_that_are_none(images, message: str) -> None:
    with pytest.raises(DataError, match=message):
        score(network("plain"), images, metrics=["nwot"])


@pytest.mark.parametrize(
    "labels",
    [torch.zeros(3).long(), torch.zeros(4), torch.tensor([0, 1, -1, 2]), [0, 1, 2, 3], torch.zeros(4, 1).long()],
)
def test_labels_that_are_none(labels) -> None:
    with pytest.raises(DataError, match="labels"):
        check_images(torch.zeros(4, 3, 8, 8), labels)


def test_what_a_network_returns() -> None:
    one, two = torch.zeros(2, 3), torch.ones(2, 3)
    assert logits(one) is one
    assert logits((two, one)) is one
    assert logits([one, None]) is one
    assert logits((two, one), first=True) is two
    for output in (None, {"logits": one}, (), (1, 2)):
        with pytest.raises(InputError, match="a tensor or a tuple of tensors"):
            logits(output)
