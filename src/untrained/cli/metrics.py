"""`untrained metrics`: what untrained networks can be scored by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from untrained.cli.options import Json

if TYPE_CHECKING:
    from untrained.metrics.metric import Metric


def metrics(
    pattern: Annotated[str, typer.Argument(help="A name, or a pattern such as '*flow*'.")] = "*", as_json: Json = False
) -> None:
    """List the metrics: what each one means, on how many images and under which weights it is computed."""
    from untrained.cli.terminal import print_json, results, table
    from untrained.errors import UnknownNameError
    from untrained.registry import METRICS

    found = METRICS.names(pattern)
    if not found:
        raise UnknownNameError("metric", pattern, METRICS.names())
    records = [metric_record(METRICS[name]) for name in found]
    if as_json:
        print_json(records)
        return
    rows = table("metric", "better", ">images", ">inits", "weights", "labels", "paper", "~what it is")
    for one in records:
        rows.add_row(
            one["name"], one["better"], str(one["images"]), str(one["inits"]), one["weights"],
            "yes" if one["labels"] else "no", one["paper"] or "–", one["summary"],
        )  # fmt: skip
    results().print(rows)


def metric_record(metric: Metric) -> dict[str, Any]:
    """A metric as plain values."""
    setting = metric.setting
    return {
        "name": metric.name,
        "better": metric.better,
        "images": setting.images,
        "inits": setting.inits,
        "weights": setting.weights,
        "labels": setting.labels,
        "paper": metric.paper,
        "summary": metric.summary,
    }
