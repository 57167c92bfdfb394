"""`untrained spaces`: where one can search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from untrained.cli.options import Json

if TYPE_CHECKING:
    from untrained.spaces.space import Space


def spaces(
    name: Annotated[str | None, typer.Argument(help="One space, for its details.")] = None, as_json: Json = False
) -> None:
    """List the search spaces, or show one: its texts, its skeletons and a random architecture."""
    from untrained.cli.terminal import print_json, results, table
    from untrained.registry import SPACES

    if name is not None:
        _show(SPACES[name], as_json)
        return
    records = [_record(SPACES[known]) for known in SPACES.names()]
    if as_json:
        print_json(records)
        return
    rows = table("space", ">architectures", ">least pixels", "skeletons", "paper", "~what it is")
    for one in records:
        rows.add_row(
            one["name"], _magnitude(one["size"]), str(one["minimum_image_size"]), ", ".join(one["skeletons"]),
            one["paper"] or "–", one["summary"],
        )  # fmt: skip
    results().print(rows)


def _show(space: Space, as_json: bool) -> None:
    from untrained.cli.terminal import print_json, results, table
    from untrained.seeds import generator

    example = space.sample(generator(0, "example"))
    record = _record(space) | {"grammar": space.grammar, "example": str(example)}
    if as_json:
        print_json(record)
        return
    out = results()
    out.print(f"{space.name}: {record['summary']}\n")
    facts = table("", "")
    facts.show_header = False
    facts.add_row("architectures", _magnitude(space.size))
    facts.add_row("least pixels a side", str(space.minimum_image_size))
    facts.add_row("paper", space.paper or "–")
    for skeleton, fields in record["skeletons"].items():
        facts.add_row(f"skeleton {skeleton}", fields)
    facts.add_row("text", space.grammar)
    out.print(facts)
    out.print(f"\na random one:\n{example}\n")
    out.print(space.draw(example).text(out.width))


def _record(space: Space) -> dict[str, Any]:
    from untrained.registry import summary

    return {
        "name": space.name,
        "size": space.size,
        "minimum_image_size": space.minimum_image_size,
        "skeletons": {name: space.skeleton_text(skeleton) for name, skeleton in space.skeletons.items()},
        "paper": space.paper,
        "summary": summary(space),
    }


def _magnitude(size: int | None) -> str:
    if size is None:
        return "not counted"
    return f"{size:,}" if size < 10**9 else f"{size:.2e}"
