"""What scoring a network gives: a reading for each metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """The value of a metric, or the reason why there is none.

    value: the mean over the initialisations; seconds: what it cost, a shared pass being paid by the metric that asked
    first; reason: why the value is None; repeats: the value of each initialisation.
    """

    value: float | None
    seconds: float = 0.0
    reason: str | None = None
    repeats: tuple[float, ...] = ()


class Scores(dict[str, Reading]):
    """Readings by metric name, which print as a table.

    better: whether higher or lower promises higher accuracy, by metric; meanings: one line on each metric.
    """

    def __init__(self, readings: Mapping[str, Reading], better: Mapping[str, str], meanings: Mapping[str, str]) -> None:
        super().__init__(readings)
        self.better = dict(better)
        self.meanings = dict(meanings)

    def __str__(self) -> str:
        rows = [("metric", "value", "better", "seconds", "what it is, or why it has no value")]
        for name, one in self.items():
            value = "–" if one.value is None else f"{one.value:,.0f}" if one.value % 1 == 0 else f"{one.value:.5g}"
            meaning = self.meanings[name] if one.reason is None else f"no value: {one.reason}"
            rows.append((name, value, self.better[name], f"{one.seconds:.4f}", meaning))
        return "\n".join(_lines(rows))


def _lines(rows: Sequence[tuple[str, ...]]) -> Iterable[str]:
    """Columns side by side; the second and the fourth hold numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if place in (1, 3) else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
