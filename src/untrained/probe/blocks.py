"""The blocks a network is made of, and what comes out of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

Named = tuple[str, nn.Module]


def blocks_of(network: nn.Module) -> list[nn.Module]:
    """The stem and the blocks of a network, in the order they are listed.

    A block is a convolution, an identity, or what is composed and holds a convolution or no weights at all. The outermost
    sequences with composed blocks are the body (all stages of a residual network, say), and what stands right before them
    is the stem. Where there are none, the outermost sequence with most blocks is taken, and where no sequence has two, the
    children. Poolings and other layers between blocks belong to the block that follows.
    """
    sequences = [(name, m) for name, m in network.named_modules() if isinstance(m, nn.Sequential | nn.ModuleList)]
    bodies = _outermost((name, m) for name, m in sequences if _is_body(m))
    if not bodies:
        bodies = _outermost((name, m) for name, m in sequences if len(_blocks(m)) > 1)
        bodies = sorted(bodies, key=lambda body: -len(_blocks(body[1])))[:1]
    if not bodies:
        return list(network.children())
    return [*_before(network, bodies[0]), *(block for _, body in bodies for block in _blocks(body))]


def _is_body(sequence: nn.Module) -> bool:
    """Whether it holds several composed blocks or identities, or a lone one that is no sequence itself."""
    members = list(sequence.children())
    composed = [member for member in _blocks(sequence) if not isinstance(member, _ConvNd)]
    if len(members) == 1:
        return bool(composed) and not isinstance(composed[0], nn.Identity | nn.Sequential | nn.ModuleList)
    return len(composed) > 1


def _blocks(sequence: nn.Module) -> list[nn.Module]:
    return [member for member in sequence.children() if _is_block(member)]


def _is_block(module: nn.Module) -> bool:
    if isinstance(module, _ConvNd | nn.Identity):
        return True
    composed = any(True for _ in module.children())
    return composed and (
        any(isinstance(m, _ConvNd) for m in module.modules()) or not any(True for _ in module.parameters())
    )


def _outermost(sequences: Iterable[Named]) -> list[Named]:
    """Those with the shortest names, counted in parts."""
    found = [(len(name.split(".")) if name else 0, (name, module)) for name, module in sequences]
    return [named for depth, named in found if depth == min(depth for depth, _ in found)]


def _before(network: nn.Module, body: Named) -> list[nn.Module]:
    """The module listed right before `body` in its parent, if there is one."""
    name, module = body
    siblings = list(network.get_submodule(name.rpartition(".")[0]).children()) if name else [module]
    place = next(index for index, sibling in enumerate(siblings) if sibling is module)
    return siblings[max(0, place - 1) : place]


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
