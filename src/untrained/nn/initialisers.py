"""Weight initialisers: every weight of a network from one draw of random numbers, without touching the network.

Random numbers come out of a table that is drawn once: an initialisation is a window of it that starts at a place of its
own, cut into tensors and scaled. Drawing them anew would cost a tenth of a forward pass of wide networks (Salimans et
al., "Evolution Strategies as a Scalable Alternative to Reinforcement Learning", 2017, share their noise in the same way).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from untrained.errors import UnknownNameError

TABLE = 1 << 22
"""Numbers in the table: four times the weights of the largest NATS-Bench network."""

_NORMS = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.GroupNorm,
    nn.LayerNorm,
)


@dataclass(frozen=True, slots=True)
class Initialiser:
    """How the weights of convolutions and linear layers are drawn; normalisation layers get 1 and 0.

    distribution: a standard normal or a uniform on [-1, 1]; scale: its factor from (fan_in, fan_out); biases: drawn from
    U(-1/sqrt(fan_in), 1/sqrt(fan_in)) if true, else 0.
    """

    distribution: Literal["normal", "uniform"]
    scale: Callable[[int, int], float]
    biases: bool = False


INITIALISERS = {
    "default": Initialiser("uniform", lambda fan_in, fan_out: fan_in**-0.5, biases=True),  # PyTorch's own
    "normal": Initialiser("normal", lambda fan_in, fan_out: 1.0),
    "kaiming_fan_in": Initialiser("normal", lambda fan_in, fan_out: math.sqrt(2 / fan_in)),
    "kaiming_fan_out": Initialiser("normal", lambda fan_in, fan_out: math.sqrt(2 / fan_out)),
    "xavier": Initialiser("normal", lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out))),
}


@dataclass(frozen=True, slots=True)
class _Piece:
    name: str
    shape: torch.Size
    dtype: torch.dtype
    scale: float


class WeightPlan:
    """What an initialiser has to draw for one network: made once, used for each initialisation.

    `prunable` names the weights of convolutions and linear layers, the tensors that saliency metrics sum over.
    """

    def __init__(self, network: nn.Module, kind: str) -> None:
        if kind != "keep" and kind not in INITIALISERS:
            raise UnknownNameError("initialiser", kind, [*INITIALISERS, "keep"])
        self.kind = kind
        self.initialiser = INITIALISERS.get(kind)
        self.prunable: list[str] = []
        self._pieces: list[_Piece] = []
        self._constants: dict[str, Tensor] = {}
        seen: set[int] = set()
        for prefix, module in network.named_modules():
            for key, parameter in module._parameters.items():
                # A parameter that is used twice bears the first of its names, as in `named_parameters`.
                if parameter is not None and id(parameter) not in seen:
                    seen.add(id(parameter))
                    self._plan(module, key, f"{prefix}.{key}" if prefix else key, parameter)

    def _plan(self, module: nn.Module, key: str, name: str, parameter: Tensor) -> None:
        layer = isinstance(module, _ConvNd | nn.Linear)
        attention = isinstance(module, nn.MultiheadAttention) and key.endswith("weight")
        if (key == "weight" and layer) or attention:
            self.prunable.append(name)
        if self.initialiser is None:
            return
        if (key == "weight" and layer) or attention:
            fan_in, fan_out = _fans(module, parameter)
            self._draw(name, parameter, self.initialiser.scale(fan_in, fan_out))
        elif key == "bias" and layer:
            weight = module._parameters.get("weight")
            if not self.initialiser.biases:
                self._constants[name] = torch.zeros_like(parameter)
            elif weight is not None:
                # Where a weight is computed (`weight_norm`), both stay as they are.
                fan_in, _ = _fans(module, weight)
                self._draw(name, parameter, fan_in**-0.5)
        elif isinstance(module, _NORMS):
            self._constants[name] = torch.ones_like(parameter) if key == "weight" else torch.zeros_like(parameter)

    def _draw(self, name: str, parameter: Tensor, scale: float) -> None:
        self._pieces.append(_Piece(name, parameter.shape, parameter.dtype, scale))

    def values(self, seed: int) -> dict[str, Tensor]:
        """The tensors of the initialisation `seed` by parameter name; parameters not named here stay as they are."""
        return self.constants | {name: tensor[0] for name, tensor in self.stacked([seed]).items()}

    @property
    def constants(self) -> dict[str, Tensor]:
        """The tensors that are the same in every initialisation."""
        return {name: tensor.detach() for name, tensor in self._constants.items()}

    def stacked(self, seeds: Sequence[int]) -> dict[str, Tensor]:
        """The tensors that are drawn, by parameter name: (R, *shape) for R initialisations."""
        if self.initialiser is None or not self._pieces:
            return {}
        table, total = _table(self.initialiser.distribution), sum(piece.shape.numel() for piece in self._pieces)
        starts = [int(np.random.PCG64(seed).random_raw()) % TABLE for seed in seeds]
        windows = [_window(table, start, total) for start in starts]
        numbers = torch.stack(windows) if len(windows) > 1 else windows[0][None]
        parts = numbers.split_with_sizes([piece.shape.numel() for piece in self._pieces], dim=1)
        return {
            piece.name: torch.mul(part, piece.scale).view(-1, *piece.shape).to(piece.dtype)
            for piece, part in zip(self._pieces, parts, strict=True)
        }


@cache
def _table(distribution: str) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    if distribution == "normal":
        return torch.randn(TABLE, generator=generator)
    return torch.empty(TABLE).uniform_(-1.0, 1.0, generator=generator)


def _window(table: Tensor, start: int, length: int) -> Tensor:
    """`length` numbers of `table` from `start` on, going round at its end."""
    if start + length <= len(table):
        return table[start : start + length]
    return torch.cat([table[start:], *[table] * (length // len(table) + 1)])[:length]


def _fans(module: nn.Module, weight: Tensor | None) -> tuple[int, int]:
    """(fan_in, fan_out) as `torch.nn.init` counts them: channels of the weight times the size of the kernel."""
    assert weight is not None
    receptive = weight[0, 0].numel() if weight.dim() > 2 else 1
    out_first = not isinstance(module, nn.modules.conv._ConvTransposeNd)
    fan_out, fan_in = (weight.shape[0], weight.shape[1]) if out_first else (weight.shape[1], weight.shape[0])
    return fan_in * receptive, fan_out * receptive
