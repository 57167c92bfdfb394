"""Ground truth by architecture: a table in a file, one row an architecture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pandas as pd

from untrained.architecture import Architecture
from untrained.errors import ArchitectureError, InputError, UnknownNameError
from untrained.spaces.space import Space

ARCHITECTURE_COLUMNS = ("architecture", "arch_str", "arch", "genotype")


class Table:
    """Numbers by architecture of one space, as measured by somebody.

    The canonical file is parquet or csv with a column `architecture` (the benchmark's text, with or without the space in
    front; `arch_str`, `arch` and `genotype` are understood as well) and one numeric column for each quantity. wrong: by
    column, why it cannot be used.
    """

    def __init__(
        self,
        space: Space,
        architectures: list[Architecture],
        values: pd.DataFrame,
        wrong: Mapping[str, str] | None = None,
    ) -> None:
        if not architectures:
            raise InputError("the table has no rows")
        self.space = space
        self.architectures = architectures
        self.values = values
        self._wrong = wrong or {}
        self._rows = {architecture: row for row, architecture in enumerate(architectures)}

    @classmethod
    def read(cls, path: str | Path, space: Space, column: str | None = None) -> Table:
        """Read a parquet or csv file; raises `InputError` naming the first row that is no architecture of `space`."""
        path = Path(path)
        if not path.is_file():
            raise InputError(f"there is no table {str(path)!r}")
        try:
            frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
        except (ValueError, OSError, UnicodeDecodeError) as error:
            raise InputError(f"{str(path)!r} is no parquet or csv table: {' '.join(str(error).split())}") from None
        if column is None:
            column = next((name for name in ARCHITECTURE_COLUMNS if name in frame), None)
        if column is None or column not in frame:
            known = ", ".join(map(str, frame.columns))
            raise InputError(
                f"{str(path)!r} has no architecture column ({', '.join(ARCHITECTURE_COLUMNS)}) but: {known}"
            )
        architectures = []
        for row, text in enumerate(frame[column]):
            if pd.isna(text) or text == "":
                raise InputError(f"row {row} of {str(path)!r} has no architecture")
            try:
                architectures.append(space.parse(str(text).removeprefix(f"{space.name}:")))
            except ArchitectureError as error:
                raise InputError(f"row {row} of {str(path)!r} is no architecture of {space.name}: {error}") from None
        return cls(space, architectures, *_numbers(frame.drop(columns=column).reset_index(drop=True)))

    @cached_property
    def digest(self) -> str:
        """Changes when an architecture, a quantity or a number does; not with the file or the columns of text."""
        content = blake2b(digest_size=8)
        for text in (*map(str, self.architectures), *self.targets):
            content.update(f"{text}\x1f".encode())
        for target in self.targets:
            content.update(np.ascontiguousarray(self.values[target], np.float64).tobytes())
        return content.hexdigest()

    @property
    def targets(self) -> list[str]:
        """Names of the quantities."""
        return [str(name) for name in self.values.columns]

    def column(self, target: str) -> np.ndarray:
        """The quantity `target` of all rows: (n,) float64. Raises `InputError` naming the first row that is no number."""
        if target not in self.values:
            raise UnknownNameError("target", target, self.targets)
        if target in self._wrong:
            raise InputError(self._wrong[target])
        return np.asarray(self.values[target], np.float64)

    def row(self, architecture: Architecture) -> int | None:
        """The row of `architecture`, or of the first that is the same network; None when the table has neither."""
        row = self._rows.get(architecture)
        return self._by_network.get(self.space.canonical(architecture)) if row is None else row

    @cached_property
    def _by_network(self) -> dict[Architecture, int]:
        rows: dict[Architecture, int] = {}
        for row, architecture in enumerate(self.architectures):
            rows.setdefault(self.space.canonical(architecture), row)
        return rows

    def __len__(self) -> int:
        return len(self.architectures)

    def __iter__(self) -> Iterator[Architecture]:
        return iter(self.architectures)


def _numbers(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """The columns that hold numbers; and of those that hold text as well, which row does."""
    found, wrong = dict[str, pd.Series](), dict[str, str]()
    for name, cells in frame.select_dtypes(["number", "object", "string"]).items():
        numbers = pd.to_numeric(cells, errors="coerce").astype(float)
        texts = cells[numbers.isna() & cells.notna()]
        if len(texts) and numbers.isna().all():
            continue
        found[str(name)] = numbers
        if len(texts):
            wrong[str(name)] = f"row {texts.index[0]} of the column {str(name)!r} is no number: {texts.iloc[0]!r}"
    return pd.DataFrame(found), wrong
