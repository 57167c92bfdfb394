"""What a network says about images, and how often it is right."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BATCH = 512


def predict(network: nn.Module, images: Tensor, *, batch_size: int = BATCH) -> Tensor:
    """Logits (n, classes) of normalised images (n, c, h, w), in evaluation mode; the network is left as it was."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.inference_mode():
            return torch.cat([logits(network(images[i : i + batch_size])) for i in range(0, len(images), batch_size)])
    finally:
        for module, training in modes.items():
            module.training = training


def accuracy(network: nn.Module, images: Tensor, labels: Tensor, *, batch_size: int = BATCH) -> float:
    """The share, 0..1, of normalised images (n, c, h, w) whose largest logit is that of their label (n,)."""
    right = predict(network, images, batch_size=batch_size).argmax(1) == labels
    return int(right.sum()) / len(labels)


def logits(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The logits of the main head, which comes first where a network has two."""
    return output[0] if isinstance(output, tuple) else output
