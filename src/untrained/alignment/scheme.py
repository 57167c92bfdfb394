"""How a pair of architectures is scored: costs, gaps, normalisation."""

from __future__ import annotations

import math
from dataclasses import dataclass

from untrained.alignment.costs import PUBLISHED, CostModel, Costs, chain_legacy, general, given
from untrained.errors import InputError

GAP = -0.5
"""The published penalty of a gap."""

TIE = 0.5
"""What two matched operations of a cell cost that share a node in one of the two cells only."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """The cost model, the penalties that open and extend a gap, and whether similarities are those of the published
    code (not clipped, three decimals)."""

    model: CostModel
    opening: float
    extending: float
    legacy: bool = False

    @property
    def linear(self) -> bool:
        return self.opening == self.extending


def scheme(space: str, costs: Costs | None, gap: float | tuple[float, float], legacy: bool) -> Scheme:
    """The scheme that the options of :func:`untrained.alignment.similarity` ask for, on the space of that name."""
    penalties = gap if isinstance(gap, tuple) else (gap, gap)
    if len(penalties) != 2 or not all(isinstance(p, int | float) and -math.inf < p <= 0 for p in penalties):
        raise InputError(f"a gap costs points: a number <= 0, or (opening, extending) both <= 0, not {gap!r}")
    opening, extending = map(float, penalties)
    if legacy:
        if costs is not None:
            raise InputError("legacy=True uses the published costs; give either `legacy` or `costs`")
        if space not in PUBLISHED:
            raise InputError(f"legacy=True is for the published space {', '.join(PUBLISHED)}, not for {space}")
        return Scheme(chain_legacy, opening, extending, legacy=True)
    default = PUBLISHED.get(space, general)
    return Scheme(default if costs is None else given(costs, default), opening, extending)
