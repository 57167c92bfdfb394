"""Options that several verbs share, and what is written inside them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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
        if name.strip() in found:
            raise InputError(f"the option {name.strip()!r} is given twice")
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
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)


def check_files(written: Iterable[Path], store: Path, read: Iterable[str | Path] = ()) -> None:
    """Before any work: refuse files that cannot be written, or that are the store, one that is read, or each other.

    The folders that they go into are made.
    """
    from untrained.errors import InputError

    inputs = filter(os.path.exists, [os.path.expanduser(name) for name in read])
    taken = {_identity(name): "an input" for name in inputs}
    taken |= {_identity(os.path.realpath(store) + end): "the store" for end in ("", "-wal", "-shm", "-journal")}
    for file in written:
        if os.path.isdir(file):
            raise InputError(f"{str(file)!r} is a folder; give a file name")
        make_folder_of(file)
        if (what := taken.get(_identity(file))) is not None:
            raise InputError(f"{str(file)!r} is {what} already; give another file to write")
        taken[_identity(file)] = "another output"
        _try_to_write(file)


def _identity(file: str | Path) -> object:
    """The same for all names of one file, whether it is there or not."""
    try:
        there = os.stat(file)
    except OSError:
        return os.path.realpath(file)
    return there.st_dev, there.st_ino


def _try_to_write(file: Path) -> None:
    there = os.path.lexists(file)
    if there and not os.path.isfile(file):
        return  # Opening a pipe would wait for who reads it.
    with writing(file):
        file.open("ab").close()
        if not there:
            file.unlink()


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Inside, what keeps `file` from being written becomes a message."""
    from untrained.errors import InputError

    try:
        yield
    except OSError as error:
        raise InputError(f"there can be no file {str(file)!r}: {error.strerror or error}; give another") from None
