"""Weight initialisers: every weight of a network from one draw of random numbers, without touching the network.

An initialisation draws one flat vector from its own generator and cuts it into scaled pieces, so drawing R of them is R
calls and not R times the number of layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from untrained.errors import UnknownNameError

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
    offset: int


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
        self.total = 0
        self._pieces: list[_Piece] = []
        self._constants: dict[str, Tensor] = {}
        named = {id(parameter): name for name, parameter in network.named_parameters()}
        for module in network.modules():
            for key, parameter in module._parameters.items():
                if parameter is None or id(parameter) not in named:
                    continue
                self._plan(module, key, named.pop(id(parameter)), parameter)

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
            if self.initialiser.biases:
                fan_in, _ = _fans(module, module._parameters["weight"])
                self._draw(name, parameter, fan_in**-0.5)
            else:
                self._constants[name] = torch.zeros_like(parameter)
        elif isinstance(module, _NORMS):
            self._constants[name] = torch.ones_like(parameter) if key == "weight" else torch.zeros_like(parameter)

    def _draw(self, name: str, parameter: Tensor, scale: float) -> None:
        self._pieces.append(_Piece(name, parameter.shape, parameter.dtype, scale, self.total))
        self.total += parameter.numel()

    def values(self, seed: int) -> dict[str, Tensor]:
        """The tensors of the initialisation `seed` by parameter name; parameters not named here stay as they are."""
        values = {name: tensor.detach() for name, tensor in self._constants.items()}
        if self.initialiser is None or not self._pieces:
            return values
        generator = torch.Generator().manual_seed(seed)
        if self.initialiser.distribution == "normal":
            flat = torch.randn(self.total, generator=generator)
        else:
            flat = torch.empty(self.total).uniform_(-1.0, 1.0, generator=generator)
        for piece, part in zip(self._pieces, torch.split(flat, [p.shape.numel() for p in self._pieces]), strict=True):
            values[piece.name] = part.view(piece.shape).mul_(piece.scale).to(piece.dtype)
        return values


def _fans(module: nn.Module, weight: Tensor | None) -> tuple[int, int]:
    """(fan_in, fan_out) as `torch.nn.init` counts them: channels of the weight times the size of the kernel."""
    assert weight is not None
    receptive = weight[0, 0].numel() if weight.dim() > 2 else 1
    out_first = not isinstance(module, nn.modules.conv._ConvTransposeNd)
    fan_out, fan_in = (weight.shape[0], weight.shape[1]) if out_first else (weight.shape[1], weight.shape[0])
    return fan_in * receptive, fan_out * receptive
