from __future__ import annotations

import torch
from torch.nn import functional as F

from untrained.training.augmentation import random_crop, random_flip


def test_crops_are_windows_of_the_mirrored_image() -> None:
    images = torch.randn(40, 2, 5, 6, generator=torch.Generator().manual_seed(0))
    cropped = random_crop(images, (1, 2), torch.Generator().manual_seed(1))
    padded = F.pad(images, (2, 2, 1, 1), mode="reflect")
    found = set()
    for before, after in zip(padded, cropped, strict=True):
        windows = {(i, j): before[:, i : i + 5, j : j + 6] for i in range(3) for j in range(5)}
        found |= {shift for shift, window in windows.items() if torch.equal(window, after)}
    assert cropped.shape == images.shape
    assert all(
        any(torch.equal(before[:, i : i + 5, j : j + 6], after) for i in range(3) for j in range(5))
        for before, after in zip(padded, cropped, strict=True)
    )
    # 40 draws of 15 shifts: nearly all are seen, those to the corners among them.
    assert len(found) >= 12
    assert {i for i, _ in found} == {0, 1, 2}
    assert {j for _, j in found} == {0, 1, 2, 3, 4}


def test_flips_mirror_about_half_of_the_images() -> None:
    images = torch.randn(400, 1, 2, 3, generator=torch.Generator().manual_seed(0))
    flipped = random_flip(images, torch.Generator().manual_seed(1))
    same = (flipped == images).flatten(1).all(1)
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 150 < int(mirrored.sum()) < 250


def test_the_generator_decides_and_nothing_else() -> None:
    images = torch.randn(20, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    state = torch.random.get_rng_state()
    for change in (lambda g: random_crop(images, (2, 2), g), lambda g: random_flip(images, g)):
        first, again, other = (change(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)
