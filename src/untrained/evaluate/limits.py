"""Limits on what may be found, checked before anything is scored."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from untrained.errors import LimitError, check_type
from untrained.evaluate.quantities import LATENCY, SIZES, TABLE, kind_of

QUANTITIES = (*SIZES, LATENCY, f"{TABLE}COLUMN")
_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9}
_NUMBER = r"(?:[0-9][0-9,_]*(?:\.[0-9]+)?|\.[0-9]+)(?:e[+-]?[0-9]+)?"
_QUANTITY = rf"{TABLE}[^<>=]+?|[a-z_]+(?:\([^()<>]*\))?"
_PATTERN = re.compile(rf"\s*({_QUANTITY})\s*(<=|>=|<|>)\s*({_NUMBER})\s*([a-z]?)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on a quantity, as in ``params<500k``, ``latency_ms<5`` or ``table:COLUMN<=3``."""

    quantity: str
    comparison: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Limit:
        """Read ``quantity<number`` with <, <=, > or >= and k, M or G for thousands, millions, milliards; the inverse of
        `str`."""
        check_type(text, str, "a limit is a text such as 'params<500k'")
        found = _PATTERN.fullmatch(text)
        bound = math.inf
        if found is not None:
            bound = float(re.sub("[,_]", "", found[3])) * _UNITS.get(found[4].lower(), math.inf)
        if found is None or not math.isfinite(bound):
            raise LimitError(f"{text!r} is no limit; expected something like 'params<500k' or 'macs<=40M'")
        quantity = found[1] if found[1].startswith(TABLE) else found[1].lower().replace(" ", "")
        if kind_of(quantity) not in ("size", "latency", "table") or ("(" in quantity and kind_of(quantity) == "size"):
            raise LimitError(f"cannot limit {found[1]!r}; known quantities: {', '.join(QUANTITIES)}")
        return cls(quantity, found[2], bound)

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


def broken(limits: Iterable[Limit], values: Mapping[str, float | None]) -> str | None:
    """What the first broken limit says about `values`, or None when all are kept; no value keeps no limit."""
    for limit in limits:
        value = values[limit.quantity]
        if value is None:
            return f"{limit.quantity} without a value breaks {limit}"
        if not limit.allows(value):
            return f"{limit.quantity} {shown(value)} breaks {limit}"
    return None


def shown(value: float) -> str:
    """A quantity for people."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"
