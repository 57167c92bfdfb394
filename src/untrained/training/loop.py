"""The training loop."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from untrained.architecture import Architecture
from untrained.errors import DataError, InputError
from untrained.images.image_set import ImageSet, SplitName
from untrained.images.load import load_images
from untrained.seeds import derive
from untrained.spaces.space import Skeleton, create_model, space
from untrained.training.augmentation import random_crop, random_flip
from untrained.training.inference import accuracy, logits, predict
from untrained.training.recipe import Recipe
from untrained.training.recipe import recipe as recipe_named
from untrained.training.trained import Epoch, Trained


def train(
    network: nn.Module | Architecture | str,
    image_set: ImageSet | str | Path,
    recipe: Recipe | str = "quick",
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    skeleton: Skeleton | str | None = None,
    epochs: int | None = None,
    on_epoch: Callable[[Epoch], object] | None = None,
) -> Trained:
    """Train a network on the train images and measure it on the held-out ones.

    `network` is an architecture or its text, built with `skeleton` and with weights drawn from `seed`, or a module
    (images -> logits), of which a copy is trained from the weights it has. `image_set` may be what `load_images` takes as
    well: `"digits"` or a path. `epochs` overrides the recipe's. `on_epoch`
    is called after each epoch. On a CPU the result depends on the arguments and the number of threads alone; torch's
    global random numbers are afterwards as they were. A loss that is no longer finite ends the training: the result
    then has a `reason` and whatever accuracy the weights still give.
    """
    recipe = recipe_named(recipe) if isinstance(recipe, str) else recipe
    recipe = recipe if epochs is None else replace(recipe, epochs=epochs)
    device = _device(device)
    image_set = load_images(image_set)
    if image_set.num_classes is None:
        raise DataError(f"the images {image_set.name!r} have no labels; training needs them")
    if len(image_set.train) < 2:
        raise DataError(f"the images {image_set.name!r} have 1 train image; training needs at least 2")
    started = time.perf_counter()
    model, architecture, skeleton = _model(network, image_set, skeleton, derive("training.weights", seed))
    model = model.to(device)
    images, labels = _tensors(image_set, "train", device)
    held_out = None if image_set.test is None else _tensors(image_set, "test", device)
    _check_fit(model, images[:2], image_set.num_classes)

    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trainable:
        raise InputError("the network has no parameters to train")
    optimiser = torch.optim.SGD(
        trainable,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov and recipe.momentum > 0,
        weight_decay=recipe.weight_decay,
    )
    generator = torch.Generator().manual_seed(derive("training.batches", seed))
    # Dropping paths sets in slowly where a space offers it (DARTS): linearly over the epochs, from never.
    drop_path = skeleton.drop_path if skeleton is not None else 0.0
    history: list[Epoch] = []
    reason = None
    with _global_random_numbers(device, derive("training.dropout", seed)):
        for number in range(1, recipe.epochs + 1):
            start = time.perf_counter()
            if drop_path > 0:
                model.drop_path = drop_path * (number - 1) / recipe.epochs  # type: ignore[assignment]
            loss, train_accuracy, reason = _epoch(model, optimiser, images, labels, recipe, number, generator)
            test_accuracy = None if held_out is None else accuracy(model, *held_out)
            history.append(Epoch(number, loss, train_accuracy, test_accuracy, time.perf_counter() - start))
            if on_epoch is not None:
                on_epoch(history[-1])
            if reason is not None:
                break
    return Trained(
        network=_laid_out(model, torch.contiguous_format).eval(),
        history=tuple(history),
        test_accuracy=history[-1].test_accuracy,
        seconds=time.perf_counter() - started,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        recipe=recipe,
        seed=seed,
        architecture=architecture,
        skeleton=skeleton,
        data=image_set.name,
        classes=image_set.classes,
        channels=image_set.channels,
        image_size=image_set.image_size,
        mean=image_set.mean,
        std=image_set.std,
        reason=reason,
    )


def _epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    number: int,
    generator: torch.Generator,
) -> tuple[float, float, str | None]:
    """One pass over the images: mean loss, accuracy, and why it stopped early or None."""
    model.train()
    # Batches of nearly equal size: a last one of a single image could not be normalised.
    steps = max(1, round(len(images) / recipe.batch_size))
    batches = torch.randperm(len(images), generator=generator).to(images.device).tensor_split(steps)
    total, correct, seen = 0.0, 0, 0
    for index, batch in enumerate(batches):
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate((number - 1) * steps + index, steps)
        y = labels[batch]
        output = model(_augmented(images[batch], recipe, generator))
        loss = _loss(output, y, recipe)
        total += loss.item() * len(y)
        correct += int((logits(output).argmax(1) == y).sum())
        seen += len(y)
        if not math.isfinite(total):
            reason = f"the loss became {loss.item()} in epoch {number}, step {index + 1} of {steps}"
            return total, correct / seen, reason
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        if recipe.clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimiser.step()
    return total / seen, correct / seen, None


def _augmented(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    height, width = images.shape[2:]
    if recipe.crop > 0:
        # At least one pixel; mirroring can fill at most one less than the side.
        padding = [min(max(1, round(recipe.crop * side)), side - 1) for side in (height, width)]
        images = random_crop(images, (padding[0], padding[1]), generator)
    return random_flip(images, generator) if recipe.flips(images.shape[1]) else images


def _loss(output: Tensor | tuple[Tensor, ...], labels: Tensor, recipe: Recipe) -> Tensor:
    """Cross-entropy of the logits, plus that of a second head at the recipe's weight."""
    heads = output if isinstance(output, tuple) else (output,)
    weights = (1.0, *[recipe.auxiliary] * (len(heads) - 1))
    terms = [F.cross_entropy(head, labels, label_smoothing=recipe.label_smoothing) for head in heads]
    return torch.stack([weight * term for weight, term in zip(weights, terms, strict=True)]).sum()


def _model(
    network: nn.Module | Architecture | str, image_set: ImageSet, skeleton: Skeleton | str | None, seed: int
) -> tuple[nn.Module, str | None, Skeleton | None]:
    """A network of our own, the text of its architecture and its skeleton, or None for a module."""
    if isinstance(network, nn.Module):
        if skeleton is not None:
            raise InputError("skeleton= belongs to an architecture; a module brings its own")
        return copy.deepcopy(network), None, None
    architecture = Architecture.parse(network) if isinstance(network, str) else network
    home = space(architecture.space)
    if min(image_set.image_size) < home.minimum_image_size:
        raise InputError(
            f"{home.name} needs images of at least {home.minimum_image_size} pixels a side, not "
            f"{min(image_set.image_size)}; load them with image_size={home.minimum_image_size}"
        )
    resolved = home.skeleton(skeleton)
    with _global_random_numbers(torch.device("cpu"), seed):
        model = create_model(
            architecture, num_classes=len(image_set.classes), in_chans=image_set.channels, skeleton=resolved
        )
    # Faster on a CPU. Modules of the caller's own stay as they are: `view` after a convolution would fail.
    return _laid_out(model, torch.channels_last), str(architecture), resolved


def _laid_out(model: nn.Module, layout: torch.memory_format) -> nn.Module:
    """`model` with its convolution weights in another order in memory; their values stay."""
    return model.to(memory_format=layout)  # type: ignore[call-overload, no-any-return]


def _tensors(image_set: ImageSet, split: SplitName, device: torch.device) -> tuple[Tensor, Tensor]:
    images, labels = image_set.arrays(split)
    assert labels is not None  # Checked before: there are classes.
    return image_set.normalise(images).to(device), labels.to(device)


def _check_fit(model: nn.Module, images: Tensor, num_classes: int) -> None:
    shape = tuple(images.shape[1:])
    try:
        found = tuple(predict(model, images).shape)
    except RuntimeError as error:
        raise InputError(f"the network cannot take images of shape {shape}: {str(error).splitlines()[0]}") from None
    if found != (len(images), num_classes):
        raise InputError(f"the network gives {found} for {len(images)} images; expected ({len(images)}, {num_classes})")


def _device(device: torch.device | str) -> torch.device:
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"the device {str(device)!r} cannot be used: {str(error).splitlines()[0]}") from None
    return found


@contextmanager
def _global_random_numbers(device: torch.device, seed: int) -> Iterator[None]:
    """Inside, layers that draw from torch's global generators (initialisation, dropout) draw from `seed`; outside,
    those generators are as they were."""
    cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
