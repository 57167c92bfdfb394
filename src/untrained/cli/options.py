"""Options that several verbs share, and what is written inside them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

STORE = Path("untrained.db")

Store = Annotated[Path, typer.Option(metavar="FILE", help="The SQLite file that holds the studies.")]
Name = Annotated[
    str | None, typer.Option(metavar="NAME", help="The study; may be left out when the store holds only one.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]


def split_names(texts: Iterable[str]) -> list[str]:
    """Names separated by commas, except for commas inside brackets: ``ni,swap(a=1,b=2)`` names two."""
    return [name.strip() for text in texts for name in re.split(r",(?![^(]*\))", text) if name.strip()]


def read_settings(texts: Iterable[str]) -> dict[str, Any]:
    """``name=value`` pairs; a value is a whole number, a number, true or false, or else text."""
    from untrained.errors import InputError

    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise InputError(f"the option {text!r} is no 'name=value', as in --option population=50")
        found[name.strip()] = _value(value.strip())
    return found


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def file_name(study: str) -> str:
    """The name of a study as part of a file name, of at most 150 bytes."""
    name = re.sub(r"[^\w.-]+", "-", study).strip(".-") or "study"
    return name.encode()[:150].decode(errors="ignore")


def make_folder_of(file: Path) -> None:
    """Make the folder that `file` goes into, if need be."""
    from untrained.errors import InputError

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"there can be no file {str(file)!r}: {error.strerror}; give another") from None
