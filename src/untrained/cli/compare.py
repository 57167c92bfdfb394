"""`untrained compare`: what leads from one architecture to another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from untrained.cli.options import STORE, Json, Name, Store

if TYPE_CHECKING:
    from untrained.architecture import Architecture, Token

_WHAT = "An architecture, as 'nats-tss:|...|', or the number of a trial of a stored study."


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help=_WHAT)],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one of the same space.")],
    store: Store = STORE,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Align two architectures: how alike they are, and what was inserted, deleted and substituted from A to B."""
    from untrained.alignment import align
    from untrained.cli.terminal import print_json, results
    from untrained.spaces.space import space

    first, second = (_architecture(text, store, name) for text in (a, b))
    alignment = align(first, second)
    home = space(first.space)
    same = home.canonical(first) == home.canonical(second)
    if as_json:
        print_json(
            {
                "a": str(first),
                "b": str(second),
                "same_network": same,
                "similarity": alignment.similarity,
                "score": alignment.score,
                "columns": [
                    {"kind": pair.kind, "a": _plain(pair.before), "b": _plain(pair.after)} for pair in alignment.pairs
                ],
            }
        )
        return
    out = results()
    out.print(f"A {first}\nB {second}\n\n{alignment}")
    if same:
        out.print("both are the same network")


def _architecture(text: str, store: Path, name: str | None) -> Architecture:
    """What `text` writes, whatever rule it breaks, or the architecture of the trial of that number."""
    from untrained.architecture import Architecture
    from untrained.errors import InputError
    from untrained.study.search import load_study

    if not text.isdecimal():
        return Architecture.parse(text, strict=False)
    study = load_study(store, name)
    for trial in study.trials:
        if trial.number == int(text):
            return trial.architecture
    known = f"it has {len(study.trials)}, from 0" if study.trials else "it has none yet"
    raise InputError(f"the study {study.name!r} has no trial {text}; {known}")


def _plain(token: Token | None) -> dict[str, Any] | None:
    return (
        None
        if token is None
        else {
            "kind": token.kind,
            "symbol": token.symbol,
            "parameters": dict(token.parameters),
        }
    )
