"""Quantities by name: what can be wanted, or bounded by a limit.

A metric of any name, `params` and `macs` of the target network, `latency_ms` as measured here, `accuracy` after real
training, and `table:COLUMN` of a table. Options stand in brackets, as in ``latency_ms(batch=8)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from untrained.errors import InputError, UnknownNameError

Kind = Literal["size", "table", "latency", "accuracy", "metric"]

SIZES = ("params", "macs")
LATENCY = "latency_ms"
ACCURACY = "accuracy"
TABLE = "table:"
SIMULATED = "simulated_seconds"
"""What an evaluation would have taken, where a table says so: no objective, but recorded among the values."""

_KINDS: Mapping[str, Kind] = {**dict.fromkeys(SIZES, "size"), LATENCY: "latency", ACCURACY: "accuracy"}


def kind_of(name: str) -> Kind:
    """What gives the quantity `name`."""
    return "table" if name.startswith(TABLE) else _KINDS.get(base_of(name), "metric")


def base_of(name: str) -> str:
    """`name` without options."""
    return name.partition("(")[0]


def split_sign(text: str) -> tuple[str, bool]:
    """The name that ``name`` or ``-name`` names, and whether it is wanted low."""
    text = text.strip()
    name = text.removeprefix("-").strip()
    return name if name.startswith(TABLE) else name.replace(" ", ""), text.startswith("-")


def options_of(name: str, defaults: Mapping[str, int | str]) -> dict[str, int | str]:
    """The options in the brackets of ``name(option=value, ...)``, of the kind that their defaults have, positive where
    they are numbers."""
    base, bracket, inside = name.partition("(")
    found = dict(defaults)
    if not bracket:
        return found
    if not inside.endswith(")"):
        raise InputError(f"{name!r} ends in no bracket; expected something like '{base}({next(iter(defaults))}=...)'")
    given = set()
    for item in inside[:-1].split(","):
        option, _, value = (part.strip() for part in item.partition("="))
        if option not in defaults:
            raise UnknownNameError(f"option of {base}", option, defaults)
        if option in given:
            raise InputError(f"the option {option!r} of {base!r} is given twice")
        given.add(option)
        if isinstance(defaults[option], str):
            found[option] = value
        elif value.isdecimal() and int(value) > 0:
            found[option] = int(value)
        else:
            raise InputError(f"the option {option!r} of {base!r} takes a whole number from 1, not {value!r}")
    return found
