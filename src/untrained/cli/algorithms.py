"""`untrained algorithms`: how one can search, and how scores become one order."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer

from untrained.cli.options import Json


def algorithms(
    name: Annotated[str | None, typer.Argument(help="One algorithm, for its details.")] = None, as_json: Json = False
) -> None:
    """List the search algorithms with their options, and the rankings; or show one algorithm."""
    from untrained.cli.terminal import print_json, results, table
    from untrained.registry import ALGORITHMS, RANKINGS, summary

    if name is not None:
        _show(_record(ALGORITHMS[name]), as_json)
        return
    records = [_record(ALGORITHMS[known]) for known in ALGORITHMS.names()]
    rankings = [{"name": known, "summary": summary(RANKINGS[known])} for known in RANKINGS.names()]
    if as_json:
        print_json({"algorithms": records, "rankings": rankings})
        return
    out = results()
    rows = table("algorithm", "options", "paper", "~what it does")
    for one in records:
        rows.add_row(one["name"], _options(one["options"]), one["paper"] or "–", one["summary"])
    out.print(rows)
    orders = table("ranking", "~what it does")
    for order in rankings:
        orders.add_row(order["name"], order["summary"])
    out.print()
    out.print(orders)


def _show(record: dict[str, Any], as_json: bool) -> None:
    from untrained.cli.terminal import print_json, results, table

    if as_json:
        print_json(record)
        return
    out = results()
    out.print(f"{record['name']} (paper: {record['paper'] or '–'})\n\n{record['description']}\n")
    rows = table("option", ">default")
    for option, default in record["options"].items():
        rows.add_row(option, str(default))
    out.print(rows if record["options"] else "It has no options.")


def _record(algorithm: type) -> dict[str, Any]:
    from untrained.algorithms.searcher import option_defaults
    from untrained.registry import summary

    return {
        "name": algorithm.name,  # type: ignore[attr-defined]
        "summary": summary(algorithm),
        "description": inspect.getdoc(algorithm) or "",
        "options": option_defaults(algorithm),
        "paper": algorithm.paper,  # type: ignore[attr-defined]
    }


def _options(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={default}" for name, default in options.items()) or "–"
