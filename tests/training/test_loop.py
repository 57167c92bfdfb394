from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from untrained.architecture import Architecture
from untrained.errors import DataError, InputError, UnknownNameError
from untrained.images.image_set import ImageSet
from untrained.images.load import load_images
from untrained.spaces.space import Skeleton
from untrained.training import loop
from untrained.training.inference import accuracy
from untrained.training.loop import train
from untrained.training.recipe import Recipe, quick
from untrained.training.trained import Epoch, Trained

CELL = "nats-tss:|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
WINNER = "nats-tss:|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
TINY = "channels=4,cells=1"


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def bars(n: int = 200, channels: int = 1, noise: float = 0.3) -> ImageSet:
    """Two classes that one line divides: bright in the upper half, or in the lower one."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    x = rng.normal(0, noise, (n, channels, 8, 8)).astype(np.float32)
    x[y == 0, :, :4] += 1
    x[y == 1, :, 4:] += 1
    return load_images((x, y))


def linear(inputs: int = 64, classes: int = 2) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(inputs, classes))


def weights(trained: Trained) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in trained.network.state_dict().items()}


def same(a: Trained, b: Trained) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def facts(trained: Trained) -> list[tuple[float, float, float | None]]:
    return [(epoch.loss, epoch.train_accuracy, epoch.test_accuracy) for epoch in trained.history]


def test_a_separable_set_is_learned_by_a_line_and_by_a_cell() -> None:
    images = bars(120)
    for network, options in ((linear(), {}), (CELL, {"skeleton": TINY})):
        trained = train(network, images, replace(quick, batch_size=16), epochs=8, **options)  # type: ignore[arg-type]
        assert trained.test_accuracy == 1.0
        assert trained.history[-1].train_accuracy > 0.95
        assert trained.history[-1].loss < 0.5 * trained.history[0].loss
        assert trained.reason is None


def test_the_same_seed_gives_the_same_bits_and_another_one_others() -> None:
    images = bars(60)
    first, again, other = (train(CELL, images, epochs=2, seed=seed, skeleton=TINY) for seed in (3, 3, 4))
    assert same(first, again)
    assert facts(first) == facts(again)
    assert not same(first, other)


def test_the_global_random_state_neither_matters_nor_changes() -> None:
    images = bars(60)
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        torch.rand(seed)
        before = torch.random.get_rng_state()
        results.append(train(nn.Sequential(nn.Dropout(0.5), linear()), images, epochs=2))
        assert torch.equal(torch.random.get_rng_state(), before)
    for seed in (1, 2):
        torch.manual_seed(seed)
        results.append(train(CELL, images, epochs=1, skeleton=TINY))
    assert same(results[2], results[3])


def test_dropout_is_seeded() -> None:
    images, network = bars(60), nn.Sequential(nn.Dropout(0.5), linear())
    first, again, other = (train(network, images, epochs=2, seed=seed) for seed in (0, 0, 1))
    assert same(first, again)
    assert not same(first, other)
    assert not same(first, train(linear_like(network), images, epochs=2, seed=0))


def linear_like(network: nn.Sequential) -> nn.Module:
    """The same weights under the same names without dropout."""
    return nn.Sequential(nn.Identity(), copy.deepcopy(network[1]))


def test_the_random_state_comes_back_after_an_error() -> None:
    def fail(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    before = torch.random.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        train(linear(), bars(20), epochs=1, on_epoch=fail)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_module_of_the_callers_own_stays_as_it_is() -> None:
    network = linear().eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trained = train(network, bars(60), epochs=1)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not network.training
    assert not trained.network.training
    assert (trained.architecture, trained.skeleton) == (None, None)


def test_a_module_may_use_view() -> None:
    class Viewed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(256, 2)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.head(self.conv(x).view(-1, 256))
            return out

    assert train(Viewed(), bars(60, channels=3), epochs=1).test_accuracy is not None


def test_one_step_is_the_formula() -> None:
    """Nesterov momentum and weight decay: the first step moves w by -lr (1 + momentum) (g + decay w)."""
    images = bars(40)
    plan = Recipe("plain", "", epochs=1, batch_size=1000, learning_rate=0.3, warmup=0, weight_decay=0.1, crop=0)
    network = linear()
    x, y = images.arrays("train")
    assert y is not None
    nn.functional.cross_entropy(network(images.normalise(x)), y).backward()
    trained = weights(train(network, images, plan))
    for name, value in network.named_parameters():
        assert value.grad is not None
        expected = value - 0.3 * 1.9 * (value.grad + 0.1 * value)
        assert torch.allclose(trained[name], expected, atol=1e-6)


def test_steps_follow_the_schedule() -> None:
    """Three steps of plain descent at (1 + cos(pi t / 3)) / 2 = 1, 3/4 and 1/4 of the peak."""
    images = bars(40)
    plan = Recipe("plain", "", 3, 1000, learning_rate=0.01, warmup=0, momentum=0, weight_decay=0, crop=0)
    network = linear()
    x, y = images.arrays("train")
    assert y is not None
    trained = weights(train(network, images, plan))
    for share in (1, 0.75, 0.25):
        network.zero_grad()
        nn.functional.cross_entropy(network(images.normalise(x)), y).backward()
        with torch.no_grad():
            for value in network.parameters():
                value -= 0.01 * share * value.grad
    assert all(torch.allclose(trained[name], value, atol=1e-6) for name, value in network.state_dict().items())


def test_the_seed_draws_the_weights_and_the_batches() -> None:
    images, still = bars(60), replace(quick, learning_rate=1e-12, epochs=1)
    first, again, other = (train(CELL, images, still, seed=seed, skeleton=TINY) for seed in (0, 0, 1))
    assert torch.equal(first.network.head.weight, again.network.head.weight)
    assert (first.network.head.weight - other.network.head.weight).abs().mean() > 0.01
    assert not same(train(linear(), images, epochs=1, seed=0), train(linear(), images, epochs=1, seed=1))


def test_every_image_comes_once_an_epoch_in_batches_of_nearly_equal_size() -> None:
    batches: list[Tensor] = []

    class Recording(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = linear()

        def __deepcopy__(self, memo: dict[int, Any]) -> nn.Module:
            return self

        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                batches.append(x.clone())
            out: Tensor = self.inner(x)
            return out

    images = bars(131)
    train(Recording(), images, replace(quick, crop=0, batch_size=50), epochs=2)
    expected = sorted(images.normalise(images.arrays("train")[0]).flatten(1).sum(1).tolist())
    assert [len(batch) for batch in batches] == [53, 52, 53, 52]
    for epoch in (batches[:2], batches[2:]):
        assert sorted(torch.cat(epoch).flatten(1).sum(1).tolist()) == pytest.approx(expected, abs=1e-5)
    assert not torch.equal(batches[0], batches[2])


def test_only_colour_is_flipped(monkeypatch: pytest.MonkeyPatch) -> None:
    flipped: list[int] = []

    def spy(images: Tensor, generator: torch.Generator) -> Tensor:
        flipped.append(images.shape[1])
        return images

    monkeypatch.setattr(loop, "random_flip", spy)
    train(linear(), bars(20), epochs=1)
    assert flipped == []
    train(linear(192), bars(20, channels=3), epochs=1)
    assert set(flipped) == {3}


def test_the_crop_is_an_eighth_and_at_least_one_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    paddings: list[tuple[int, int]] = []

    def spy(images: Tensor, padding: tuple[int, int], generator: torch.Generator) -> Tensor:
        paddings.append(padding)
        return images

    monkeypatch.setattr(loop, "random_crop", spy)
    train(linear(), bars(20), epochs=1)
    loop._augmented(torch.zeros(1, 1, 32, 20), quick, torch.Generator())
    loop._augmented(torch.zeros(1, 1, 8, 8), replace(quick, crop=0.01), torch.Generator())
    assert paddings == [(1, 1), (4, 2), (1, 1)]


def test_the_result_tells_the_whole_story() -> None:
    images, seen = bars(60), []
    trained = train(Architecture.parse(CELL), images, epochs=3, seed=5, skeleton=TINY, on_epoch=seen.append)
    assert tuple(seen) == trained.history
    assert [epoch.number for epoch in seen] == [1, 2, 3]
    assert trained.epochs == 3
    assert trained.recipe == replace(quick, epochs=3)
    assert trained.architecture == CELL
    assert trained.skeleton == Skeleton(channels=4, cells=1)
    assert trained.parameters == sum(p.numel() for p in trained.network.parameters())
    assert (trained.data, trained.classes, trained.channels, trained.image_size) == ("arrays", ("0", "1"), 1, (8, 8))
    assert (trained.mean, trained.std, trained.seed) == (images.mean, images.std, 5)
    assert 0 < sum(epoch.seconds for epoch in seen) <= trained.seconds
    x, y = images.arrays("test")
    assert trained.test_accuracy == seen[-1].test_accuracy == accuracy(trained.network, images.normalise(x), y)


def test_without_held_out_images_there_is_no_test_accuracy() -> None:
    x, y = bars(40).arrays("train")
    trained = train(linear(), load_images((x, y), test_fraction=0), epochs=1)
    assert trained.test_accuracy is None
    assert trained.history[0].test_accuracy is None


def test_a_loss_that_explodes_stops_with_a_reason() -> None:
    plan = replace(quick, learning_rate=1e30, warmup=0)
    trained = train(CELL, bars(200), plan, skeleton=TINY)
    assert trained.reason is not None
    assert trained.reason.startswith("the loss became")
    assert "in epoch 1, step" in trained.reason
    assert trained.epochs == 1
    assert not math.isfinite(trained.history[-1].loss)
    assert trained.test_accuracy is not None


def test_clipping_bounds_the_first_step() -> None:
    network = linear()
    plan = Recipe("clipped", "", 1, 1000, learning_rate=1.0, warmup=0, weight_decay=0, momentum=0, crop=0, clip=0.01)
    trained = weights(train(network, bars(40), plan))
    moved = torch.cat([(trained[name] - value.detach()).flatten() for name, value in network.named_parameters()])
    assert float(moved.norm()) == pytest.approx(0.01, rel=1e-3)


def test_a_second_head_counts_in_the_loss_and_dropping_paths_sets_in_slowly() -> None:
    darts = pytest.importorskip("untrained.spaces.darts")
    assert darts
    from untrained.spaces.space import space

    home = space("darts")
    architecture = home.sample(np.random.default_rng(0))
    skeleton = Skeleton(channels=2, cells=3, auxiliary=True, drop_path=0.4)
    dropped: list[float] = []
    original = loop._epoch

    def spy(model: Any, *arguments: Any) -> Any:
        dropped.append(model.drop_path)
        return original(model, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_epoch", spy)
        trained = train(architecture, load_images(bars(20), image_size=None), epochs=4, skeleton=skeleton)
    assert dropped == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert trained.reason is None
    heads = (torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]]))
    label = torch.tensor([0])
    expected = math.log(1 + math.exp(-1)) + 0.4 * math.log(1 + math.exp(2))
    assert float(loop._loss(heads, label, quick)) == pytest.approx(expected)


def test_label_smoothing_is_the_formula() -> None:
    logits, label = torch.tensor([[1.0, 0.0, -1.0]]), torch.tensor([2])
    logs = logits[0].double().log_softmax(0)
    expected = -(0.9 * logs[2] + 0.1 * logs.mean())
    assert float(loop._loss(logits, label, replace(quick, label_smoothing=0.1))) == pytest.approx(float(expected))


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (linear(65), {}, r"cannot take images of shape \(1, 8, 8\)"),
        (linear(64, 3), {}, r"gives \(2, 3\) for 2 images; expected \(2, 2\)"),
        (nn.Flatten(), {}, r"gives \(2, 64\)"),
        (linear(), {"skeleton": "nats"}, "skeleton= belongs to an architecture"),
        (linear(), {"epochs": 0}, "cannot have epochs=0"),
        (linear(), {"device": "gpu"}, "the device 'gpu' cannot be used"),
        (CELL, {"skeleton": "smal"}, "did you mean 'small'"),
    ],
)
def test_what_does_not_fit_is_named_before_training(network: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(network, bars(20), **options)


def test_unknown_recipes_and_images_without_labels() -> None:
    with pytest.raises(UnknownNameError, match="unknown recipe"):
        train(linear(), bars(20), "slow")
    with pytest.raises(DataError, match="have no labels; training needs them"):
        train(linear(), load_images(np.zeros((9, 8, 8), np.uint8)))


def test_nothing_to_train_is_an_error() -> None:
    with pytest.raises(InputError, match="no parameters to train"):
        train(nn.Sequential(nn.AdaptiveAvgPool2d((1, 2)), nn.Flatten()), bars(20))


@pytest.mark.slow
def test_quick_learns_the_digits() -> None:
    trained = train(WINNER, load_images("digits"), skeleton="small")
    assert trained.test_accuracy is not None
    assert trained.test_accuracy >= 0.98


def test_images_may_be_named() -> None:
    line = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    by_name, loaded = (train(line, images, epochs=1) for images in ("digits", load_images("digits")))
    assert [replace(epoch, seconds=0.0) for epoch in by_name.history] == [
        replace(epoch, seconds=0.0) for epoch in loaded.history
    ]
