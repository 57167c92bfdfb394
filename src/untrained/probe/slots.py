"""Putting other tensors in the place of a network's own for the length of one pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class Slots:
    """Every place of a network that holds a parameter or a buffer, tied ones included.

    Inside :meth:`holding` the places hold the given tensors; afterwards they hold the network's own objects again,
    whatever happened. Several times cheaper than `torch.func.functional_call`, to the same effect.
    """

    def __init__(self, network: nn.Module) -> None:
        names: dict[int, str] = {}
        self._parameters: list[tuple[dict[str, Tensor | None], str, str, Tensor]] = []
        self._buffers: list[tuple[dict[str, Tensor | None], str, Tensor, bool]] = []
        for prefix, module in network.named_modules():
            for key, parameter in module._parameters.items():
                if parameter is not None:
                    name = names.setdefault(id(parameter), f"{prefix}.{key}".lstrip("."))
                    self._parameters.append((module._parameters, key, name, parameter))
            for key, buffer in module._buffers.items():
                if buffer is not None:
                    # Normalisation of a batch by its own statistics reads none that ran; other modules might.
                    kept = not (key in _STATISTICS and isinstance(module, _NormBase))
                    self._buffers.append((module._buffers, key, buffer, kept))

    @property
    def own(self) -> dict[str, Tensor]:
        """The network's own parameters by name, each once."""
        return {name: parameter for _, _, name, parameter in reversed(self._parameters)}

    @contextmanager
    def holding(self, values: Mapping[str, Tensor]) -> Iterator[None]:
        """Replace the parameters that `values` names and protect every buffer from being written to."""
        try:
            for place, key, name, _ in self._parameters:
                if name in values:
                    place[key] = values[name]
            for place, key, buffer, kept in self._buffers:
                place[key] = buffer.clone() if kept else None
            yield
        finally:
            for place, key, _, parameter in self._parameters:
                place[key] = parameter
            for place, key, buffer, _ in self._buffers:
                place[key] = buffer
