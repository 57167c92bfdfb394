"""Limits on what may be found, checked before anything is scored."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from untrained.errors import LimitError

QUANTITIES = ("params", "macs")
_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9}
_NUMBER = r"(?:[0-9][0-9,_]*(?:\.[0-9]+)?|\.[0-9]+)(?:e[+-]?[0-9]+)?"
_PATTERN = re.compile(rf"\s*([a-z_]+)\s*(<=|>=|<|>)\s*({_NUMBER})\s*([a-z]?)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on a quantity, as in ``params<500k``."""

    quantity: str
    comparison: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Read ``quantity<number`` with <, <=, > or >= and k, M or G for thousands, millions, milliards; the inverse of
        `str`."""
        found = _PATTERN.fullmatch(text)
        bound = math.inf
        if found is not None:
            bound = float(re.sub("[,_]", "", found[3])) * _UNITS.get(found[4].lower(), math.inf)
        if found is None or not math.isfinite(bound):
            raise LimitError(f"{text!r} is no limit; expected something like 'params<500k' or 'macs<=40M'")
        if found[1].lower() not in QUANTITIES:
            raise LimitError(f"cannot limit {found[1]!r}; known quantities: {', '.join(QUANTITIES)}")
        return cls(found[1].lower(), found[2], bound)

    def allows(self, value: float) -> bool:
        """Whether `value` is within the limit."""
        match self.comparison:
            case "<":
                return value < self.bound
            case "<=":
                return value <= self.bound
            case ">":
                return value > self.bound
            case _:
                return value >= self.bound

    def __str__(self) -> str:
        number = f"{self.bound:,.0f}" if self.bound.is_integer() else f"{self.bound:,}"
        return f"{self.quantity}{self.comparison}{number}"


class Sizes(Protocol):
    """Anything that gives a quantity by name."""

    def __getitem__(self, quantity: str, /) -> float: ...


def broken(limits: Iterable[Limit], sizes: Sizes) -> str | None:
    """What the first broken limit says about `sizes`, or None when all are kept."""
    for limit in limits:
        if not limit.allows(sizes[limit.quantity]):
            return f"{limit.quantity} {sizes[limit.quantity]:,.0f} breaks {limit}"
    return None
