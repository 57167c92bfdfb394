"""Two streams: results on stdout, everything about the work on stderr."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def results() -> Console:
    """What was asked for, printed as it is: no markup, no highlighting, no line breaks of our own.

    Where no terminal sets a width, tables take the room they need, so that nothing is cut off in files and pipes.
    """
    from rich.console import Console

    width = None if sys.stdout.isatty() else 1000
    return Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False, soft_wrap=True)


def notes(soft_wrap: bool = True) -> Console:
    """Progress, hints and where files went; without `soft_wrap` lines end where the terminal does."""
    from rich.console import Console

    return Console(file=sys.stderr, markup=False, highlight=False, emoji=False, soft_wrap=soft_wrap)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def table(*columns: str) -> Table:
    """A table without a frame. A leading `>` aligns a column to the right; one with a leading `~` gives way first."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        made.add_column(
            column.lstrip(">~"),
            justify="right" if column.startswith(">") else "left",
            no_wrap=not column.startswith("~"),
            overflow="ellipsis",
        )
    return made


def number(value: float | None) -> str:
    """A score for people: whole numbers in full, others with four digits, or a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:,.4g}"


def count(value: int | None) -> str:
    """A whole number with separators, or a dash."""
    return "–" if value is None else f"{value:,}"


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` characters."""
    return text if len(text) <= width else text[: max(1, width - 1)] + "…"
