"""The blocks a network is made of, and what comes out of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


def blocks_of(network: nn.Module) -> list[nn.Module]:
    """The stem and the blocks of a network, in order.

    The outermost sequence of composed modules in it is taken as its body, and what stands right before the body as its
    stem. A network without such a sequence is its children.
    """
    bodies = [(name.count("."), module) for name, module in network.named_modules() if _is_body(module)]
    if not bodies:
        return list(network.children())
    _, body = min(bodies, key=lambda found: found[0])
    stem: list[nn.Module] = []
    for child in network.children():
        if any(module is body for module in child.modules()):
            break
        stem.append(child)
    return [*stem[-1:], *body.children()]


def _is_body(module: nn.Module) -> bool:
    """Whether it is a sequence most of whose members are composed themselves: blocks are, layers are not."""
    if not isinstance(module, nn.Sequential | nn.ModuleList):
        return False
    return sum(any(True for _ in member.children()) for member in module) * 2 > len(module) > 1


@contextmanager
def outputs_of(modules: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """A list that fills with the four-dimensional outputs of `modules` as they end; nothing is left in them."""
    outputs: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: Any) -> Any:
        if isinstance(output, Tensor) and output.dim() == 4:
            outputs.append(output)
            # What goes on is another tensor, so that an in-place operation cannot touch what is kept.
            return output.clone()
        return None

    handles = [module.register_forward_hook(keep) for module in modules]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()
