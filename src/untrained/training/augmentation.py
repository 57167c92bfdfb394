"""Random changes of image batches, one tensor operation each; every draw comes from the generator that is passed in."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def random_crop(images: Tensor, padding: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Images (n, c, h, w) shifted by up to `padding` (rows, columns) either way; the border is filled by mirroring."""
    n, _, height, width = images.shape
    rows, columns = padding
    padded = F.pad(images, (columns, columns, rows, rows), mode="reflect")
    top = torch.randint(2 * rows + 1, (n, 1), generator=generator).to(images.device)
    left = torch.randint(2 * columns + 1, (n, 1), generator=generator).to(images.device)
    image = torch.arange(n, device=images.device)[:, None, None]
    row = (top + torch.arange(height, device=images.device))[:, :, None]
    column = (left + torch.arange(width, device=images.device))[:, None, :]
    return padded.permute(0, 2, 3, 1)[image, row, column].permute(0, 3, 1, 2).contiguous()


def random_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image (c, h, w) of a batch mirrored left to right with probability 1/2."""
    mirrored = torch.rand(len(images), generator=generator).to(images.device) < 0.5
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)
