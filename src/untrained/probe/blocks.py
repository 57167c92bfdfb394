"""The blocks a network is made of, and what comes out of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd


def blocks_of(network: nn.Module) -> list[nn.Module]:
    """The stem and the blocks of a network, in the order they are listed.

    A block is a convolution, anything composed that holds one or holds no weights at all, or an identity: a cell, a
    residual block, a stage, a skip. The outermost sequences of blocks in the network are its body, and what stands right
    before the first of them is its stem; poolings and other layers between blocks count to the block that follows. A
    network without such a sequence is its children.
    """
    bodies = [(name.count(".") if name else -1, name, module) for name, module in network.named_modules() if _is_body(module)]
    if not bodies:
        return list(network.children())
    outermost = min(depth for depth, _, _ in bodies)
    bodies = [body for body in bodies if body[0] == outermost]
    return [*_before(network, bodies[0][1]), *(block for _, _, body in bodies for block in body.children() if _is_block(block))]


def _is_body(module: nn.Module) -> bool:
    """Whether it is a sequence of blocks; a lone one has to be more than a layer or another sequence."""
    if not isinstance(module, nn.Sequential | nn.ModuleList):
        return False
    blocks = [member for member in module if _is_block(member)]
    return len(blocks) > 1 or any(not isinstance(b, _ConvNd | nn.Identity | nn.Sequential | nn.ModuleList) for b in blocks)


def _is_block(module: nn.Module) -> bool:
    if isinstance(module, _ConvNd | nn.Identity):
        return True
    composed = any(True for _ in module.children())
    return composed and (any(isinstance(m, _ConvNd) for m in module.modules()) or next(module.parameters(), None) is None)


def _before(network: nn.Module, name: str) -> list[nn.Module]:
    """The module listed right before the submodule `name` in the same parent, if there is one."""
    parent = network.get_submodule(name.rpartition(".")[0])
    siblings = [child for child in parent.children()]
    ...
