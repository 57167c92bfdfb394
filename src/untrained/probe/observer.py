"""Watching a forward pass from outside: a torch function mode that sees every functional call.

Modules, functional calls, in-place operations and modules used twice are all the same to it, and nothing is left behind
in the network. The calls that make scores random or stateful are replaced on the way: batch normalisation uses the
statistics of the batch and keeps none, dropout does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from untrained.probe.patterns import Patterns, pack, pack_stacked

Handler = Callable[["Observer", Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]

ACTIVATIONS = frozenset(
    getattr(owner, name)
    for owner in (F, torch, Tensor)
    for name in (
        "relu", "relu_", "relu6", "leaky_relu", "leaky_relu_", "prelu", "rrelu", "rrelu_", "elu", "elu_", "selu",
        "selu_", "celu", "celu_", "gelu", "silu", "mish", "hardswish", "hardtanh", "hardtanh_", "softplus", "threshold",
        "threshold_",
    )
    if hasattr(owner, name)
)  # fmt: skip
POOLS = frozenset({
    F.avg_pool2d, F.max_pool2d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d, torch.max_pool2d, torch.mean, Tensor.mean,
    F.max_pool2d_with_indices, F.adaptive_max_pool2d_with_indices, F.lp_pool2d,
})  # fmt: skip
CONVOLUTIONS = frozenset({F.conv2d, torch.conv2d, F.conv1d, F.conv3d, F.conv_transpose2d})
DROPOUTS = frozenset(
    getattr(owner, name)
    for owner in (F, torch)
    for name in (
        "dropout", "dropout_", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout",
        "feature_dropout",
    )
    if hasattr(owner, name)
)  # fmt: skip
NORMS = frozenset({F.batch_norm, F.instance_norm, F.group_norm, F.layer_norm, torch.batch_norm, torch.layer_norm})


class Layers:
    """(weight, output) of every convolution and linear layer, in the order they ran.

    An in-place operation may follow a layer. Copies of all outputs are made only when they are asked for; without them it
    shows afterwards whether they were needed.
    """

    def __init__(self, *, copied: bool = False) -> None:
        self._copied = copied
        self._kept: list[tuple[Tensor, Tensor, int]] = []

    def keep(self, weight: Tensor, output: Tensor) -> Tensor:
        """Add a layer; returns what the network goes on with."""
        self._kept.append((weight, output, output._version))
        return output.clone() if self._copied else output

    @property
    def overwritten(self) -> bool:
        """Whether some output no longer is what its layer computed."""
        return any(output._version != version for _, output, version in self._kept)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter((weight, output) for weight, output, _ in self._kept)


class Observer(TorchFunctionMode):
    """Runs calls as they are, but for the replaced ones, and collects what was asked for.

    patterns: one `Patterns` per stacked initialisation, filled by every activation; pools: the input of every pooling
    layer is appended (x.mean over the image included); conv_channels: input channels of every convolution; layers: every
    convolution and linear layer (those within attention excepted); variances: per channel, of the input of every batch
    normalisation; bypass_norm: normalisation layers do nothing.
    """

    def __init__(
        self,
        *,
        patterns: list[Patterns] | None = None,
        pools: list[Tensor] | None = None,
        conv_channels: list[int] | None = None,
        layers: Layers | None = None,
        variances: list[Tensor] | None = None,
        bypass_norm: bool = False,
    ) -> None:
        super().__init__()
        self.patterns = patterns
        self.pools = pools
        self.conv_channels = conv_channels
        self.layers = layers
        self.variances = variances
        # Functions and not bound methods: those would tie the observer, and all it saw, to itself.
        self._handlers: dict[Any, Handler] = dict.fromkeys(DROPOUTS, _identity)
        self._handlers[F.multi_head_attention_forward] = _attention
        self._handlers[F.scaled_dot_product_attention] = _dot_product
        if bypass_norm:
            self._handlers.update(dict.fromkeys(NORMS, _copy))
        else:
            self._handlers[F.batch_norm] = Observer._batch_norm
            self._handlers[torch.batch_norm] = Observer._batch_norm
            self._handlers[F.instance_norm] = _instance_norm
        if patterns is not None:
            self._handlers.update(dict.fromkeys(ACTIVATIONS, Observer._activation))
            if len(patterns) > 1:
                self._handlers[F.multi_head_attention_forward] = _not_stacked
                self._handlers[F.scaled_dot_product_attention] = _not_stacked
        if pools is not None:
            self._handlers.update(dict.fromkeys(POOLS, Observer._pool))
        if conv_channels is not None or layers is not None:
            self._handlers.update(dict.fromkeys(CONVOLUTIONS, Observer._convolution))
        if layers is not None:
            self._handlers[F.linear] = Observer._layer

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        handler = self._handlers.get(func)
        if handler is None:
            return func(*args, **(kwargs or {}))
        return handler(self, func, args, kwargs or {})

    def _activation(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        assert self.patterns is not None
        x = args[0] if args else kwargs["input"]
        samples = self.patterns[0].samples
        if x.shape[:1] != (samples,):
            for one in self.patterns:
                one.misfit = f"an activation of shape {tuple(x.shape)} is not one row for each of the {samples} images"
        elif len(self.patterns) == 1:
            self.patterns[0].add(pack(x))
        else:
            for one, codes in zip(self.patterns, _codes_in_vmap(x, len(self.patterns)), strict=True):
                one.add(codes)
        return func(*args, **kwargs)

    def _pool(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        assert self.pools is not None
        x = args[0] if args else kwargs["input"]
        if func not in (torch.mean, Tensor.mean) or _over_image(x, args, kwargs):
            # A copy, since an in-place activation may follow on another way.
            self.pools.append(x.clone())
        return func(*args, **kwargs)

    def _convolution(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.conv_channels is not None:
            self.conv_channels.append((args[0] if args else kwargs["input"]).shape[1])
        if self.layers is not None:
            return self._layer(func, args, kwargs)
        return func(*args, **kwargs)

    def _layer(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        assert self.layers is not None
        output = func(*args, **kwargs)
        return self.layers.keep(args[1] if len(args) > 1 else kwargs["weight"], output)

    def _batch_norm(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """With the batch's own statistics; a single value per channel gives 0 instead of an error."""
        names = _FUNCTIONAL_NORM if func is F.batch_norm else _TORCH_NORM
        given = dict(zip(names, args, strict=False)) | kwargs
        x, eps = given["input"], given.get("eps", 1e-5)
        if self.variances is not None:
            axes = [axis for axis in range(x.dim()) if axis != 1]
            self.variances.append(x.detach().var(dim=axes) if x.numel() > x.shape[1] else x.new_zeros(x.shape[1]))
        return torch.batch_norm(x, given.get("weight"), given.get("bias"), None, None, True, 0.0, eps, False)


_FUNCTIONAL_NORM = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
_TORCH_NORM = ("input", "weight", "bias", "running_mean", "running_var", "training", "momentum", "eps", "cudnn_enabled")


def _codes_in_vmap(x: Tensor, inits: int) -> np.ndarray:
    """Codes (inits, words, V) of a layer inside `vmap`, where x is one tensor for all initialisations.

    A batching rule (`torch.autograd.Function`) is the public way to that tensor, and costs more than the layer.
    """
    functorch = torch._C._functorch
    if not functorch.is_batchedtensor(x):
        # This layer does not depend on the stacked weights or images: every initialisation sees the same.
        return np.broadcast_to(codes := pack(x), (inits, *codes.shape))
    return pack_stacked(functorch.get_unwrapped(x).movedim(functorch.maybe_get_bdim(x), 0))


def _identity(observer: Observer, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[0] if args else kwargs["input"]


def _copy(observer: Observer, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A norm that does nothing still returns a tensor of its own: an in-place activation may follow."""
    return _identity(observer, func, args, kwargs).clone()


def _instance_norm(
    observer: Observer, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Tensor:
    names = ("input", "running_mean", "running_var", "weight", "bias", "use_input_stats", "momentum", "eps")
    given = dict(zip(names, args, strict=False)) | kwargs
    return torch.instance_norm(
        given["input"], given.get("weight"), given.get("bias"), None, None, True, 0.0, given.get("eps", 1e-5), False
    )


def _attention(observer: Observer, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return func(*args, **{**kwargs, "training": False})


def _dot_product(observer: Observer, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if len(args) > 4:
        return func(*args[:4], 0.0, *args[5:], **kwargs)
    return func(*args, **{**kwargs, "dropout_p": 0.0})


def _not_stacked(observer: Observer, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    raise RuntimeError("fused attention has no rule for vmap")


def _over_image(x: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a mean is a global average pooling: over the last two of four dimensions."""
    dims = args[1] if len(args) > 1 else kwargs.get("dim")
    if not isinstance(x, Tensor) or x.dim() != 4 or not isinstance(dims, tuple | list):
        return False
    return sorted(d % 4 for d in dims) == [2, 3]
