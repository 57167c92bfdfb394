"""What a network costs, counted without computing anything: parameters and multiply-accumulates."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from untrained.errors import InputError, NetworkError

_aten = torch.ops.aten
_ELEMENTWISE = {_aten.relu, _aten.relu_, _aten.add, _aten.add_}


def count_parameters(network: nn.Module) -> int:
    """Trainable parameters of `network`, each tensor once however often it is used.

    Heads that only serve training do not count: every module that is called ``auxiliary`` is left out.
    """
    return sum(
        parameter.numel()
        for name, parameter in network.named_parameters()
        if parameter.requires_grad and "auxiliary" not in name.split(".")
    )


def count_macs(network: nn.Module, image_shape: tuple[int, int, int]) -> int:
    """Multiply-accumulates of `network` in evaluation mode for one image of shape (c, h, w).

    Counted are the multiplications of convolutions, linear layers and matrix products (those of attention among
    them), however they are called: outputs times terms per output, padding included. Biases, normalisation,
    activations, pooling and sums count nothing. One MAC is often reported as two FLOPs. (The FLOPs of NATS-Bench are
    these MACs plus the biases of the last layer.)

    The shapes are followed on torch's meta device: nothing is computed and `network` stays as it was. Raises
    `NetworkError` where the network does not take such images or needs their values.
    """
    if len(image_shape) != 3 or any(size < 1 for size in image_shape):
        raise InputError(f"an image has a shape (channels, height, width) of positive sizes, not {image_shape}")
    # In inference mode the kernels that functions are made of could not be seen.
    with torch.inference_mode(False), torch.no_grad():
        # Module by module, so that what several names share is replaced, and put back, once.
        tensors = {
            f"{place}.{name}" if place else name: torch.empty_like(tensor, device="meta")
            for place, module in network.named_modules()
            for members in (module.named_parameters, module.named_buffers)
            for name, tensor in members(recurse=False, remove_duplicate=False)
        }
        dtype = next((tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()), torch.float32)
        image = torch.empty(1, *image_shape, dtype=dtype, device="meta")
        counter = _Counter()
        try:
            with _evaluation(network), counter:
                torch.func.functional_call(network, tensors, (image,), tie_weights=False)
        except Exception as error:
            raise NetworkError.of(error, f"cannot count the MACs of the network on a {image_shape} image: ") from error
    return counter.macs


@contextmanager
def _evaluation(network: nn.Module) -> Iterator[None]:
    training = [module for module in network.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the multiplications of the kernels below all of torch's functions."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = 0
        self._statistics = torch.empty(0, device="meta")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet = func.overloadpacket
        first: Any = args[0] if args else None
        # Without values only shapes are left, and torch takes 0.1-0.7 ms to find out that these keep theirs.
        if packet is _aten.native_batch_norm:
            return _blank(first), self._statistics, self._statistics
        if packet in _ELEMENTWISE and all(not isinstance(a, Tensor) or a.shape == first.shape for a in args[1:]):
            return _blank(first) if packet in (_aten.relu, _aten.add) else first
        out = func(*args, **(kwargs or {}))
        if packet is _aten.convolution:
            weight, transposed = args[1], args[6]
            # The weight is (out, in / groups, *kernel), transposed (in, out / groups, *kernel).
            self.macs += (first if transposed else out).numel() * math.prod(weight.shape[1:])
        elif packet is _aten.mm or packet is _aten.bmm or packet is _aten.mv:
            self.macs += out.numel() * args[0].shape[-1]
        elif packet is _aten.addmm or packet is _aten.baddbmm or packet is _aten.addmv:
            self.macs += out.numel() * args[1].shape[-1]
        return out


def _blank(tensor: Tensor) -> Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
