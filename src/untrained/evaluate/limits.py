"""Limits on what may be found, checked before anything is scored."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from untrained.errors import LimitError

QUANTITIES = ("params", "macs")
_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9}
_PATTERN = re.compile(r"\s*([a-z_]+)\s*(<=|>=|<|>)\s*([0-9]*\.?[0-9]+(?:e[0-9]+)?)\s*([a-z]?)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on a quantity, as in ``params<500k``."""

    quantity: str
    comparison: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Read ``quantity<number`` with <, <=, > or >= and k, M or G for thousands, millions, milliards."""
        found = _PATTERN.fullmatch(text)
        if found is None or found[4].lower() not in _UNITS:
            raise LimitError(f"{text!r} is no limit; expected something like 'params<500k' or 'macs<=40M'")
        if found[1] not in QUANTITIES:
            raise LimitError(f"cannot limit {found[1]!r}; known quantities: {', '.join(QUANTITIES)}")
        return cls(found[1], found[2], float(found[3]) * _UNITS[found[4].lower()])

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
        return f"{self.quantity}{self.comparison}{self.bound:,.0f}"


class Sizes(Protocol):
    """Anything that gives a quantity by name."""

    def __getitem__(self, quantity: str, /) -> float: ...


def broken(limits: Iterable[Limit], sizes: Sizes) -> str | None:
    """What the first broken limit says about `sizes`, or None when all are kept."""
    for limit in limits:
        if not limit.allows(sizes[limit.quantity]):
            return f"{limit.quantity} {sizes[limit.quantity]:,.0f} breaks {limit}"
    return None
