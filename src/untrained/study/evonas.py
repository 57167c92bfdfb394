"""Published runs of evolution in the chain space, as studies: the `.evonas` files of the alignment paper.

Ávila Pava, Groh, Kist, "Sequence Alignment-based Similarity Metric in Evolutionary Neural Architecture Search", 2024.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from untrained.algorithms.trial import Trial
from untrained.errors import ArchitectureError, InputError
from untrained.spaces.chain import chain
from untrained.study.journal import Journal
from untrained.study.search import read_study
from untrained.study.study import Study

OBJECTIVES = {"fitness": 1, "val_acc": 1, "size": -1, "inference_time": -1}
"""Fitness is the best validation accuracy of all epochs (0 to 1), size the bytes of the stored network, the time in
the unit of the file."""
_PUBLISHED = {
    "fitness": "fitness", "val_acc": "val_acc", "size": "memory_footprint_h5", "inference_time": "inference_time"
}  # fmt: skip
_OPTIONS = {
    "generations": "generations", "population": "population_size", "parents": "nb_best_models_crossover",
    "mutation_rate": "mutation_rate", "epochs": "nb_epochs",
}  # fmt: skip


def import_evonas(path: str | Path, store: str | Path | Journal | None = None, name: str | None = None) -> Study:
    """The published run in the file `path`, as a study in `store` under `name` (that of the file by default).

    Every individual becomes a trial, ranked by its fitness; the operator names its generation, its parents are those that
    the file records. Individuals that break the rules of the space are kept as they are. Those above the size limit are
    `rejected`, others without accuracy `failed`. A network that was trained more than once counts as trained first.

    Raises `InputError` in one line for a file that is truncated or is no such file; then nothing is stored.
    """
    path = Path(path)
    stored = _load(path)
    try:
        setup = _setup(stored)
        trials = list(_trials(stored, setup))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        what = str(error) if isinstance(error, ArchitectureError) else f"{type(error).__name__} {error}"
        raise InputError(f"{str(path)!r} is no .evonas file of the chain space: {_one_line(what)}") from None
    journal = store if isinstance(store, Journal) else Journal(store)
    name = name or path.stem
    if journal.find(name) is not None:
        raise InputError(f"the store has a study {name!r} already; import under another name")
    record = journal.create(name, setup)
    for trial in trials:
        journal.record(record, trial)
    return read_study(journal, record)


def _load(path: Path) -> Mapping[str, Any]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        why = _one_line(str(error))
        raise InputError(f"{str(path)!r} is no whole .evonas file: {why}; is the download complete?") from None
    if not isinstance(stored, Mapping) or "total" not in stored or "Generation_1" not in stored:
        raise InputError(
            f"{str(path)!r} is no .evonas file: expected a JSON object with 'total' and 'Generation_1', ..."
        )
    return stored


def _setup(stored: Mapping[str, Any]) -> dict[str, Any]:
    params = stored["total"]["params"]
    height, width, channels = params["input_shape"]
    target = chain.skeleton_text(chain.skeleton())
    return {
        "space": chain.name,
        "algorithm": "published",
        "options": {ours: params[theirs] for ours, theirs in _OPTIONS.items() if theirs in params},
        "metrics": list(OBJECTIVES),
        "objectives": OBJECTIVES,
        "ranking": "first",
        "seed": int(params.get("random_seed", 0)),
        "data": str(params["dataset"]),
        "data_digest": None,
        "source": None,
        "image_shape": [int(channels), int(height), int(width)],
        "num_classes": int(params["nb_classes"]),
        "skeleton": target,
        "target": target,
        "limits": [f"size<={int(params['max_memory_footprint'])}"],
        "ahead": int(params["population_size"]),
    }


def _trials(stored: Mapping[str, Any], setup: Mapping[str, Any]) -> Iterator[Trial]:
    limit = setup["limits"][0]
    most = int(limit.removeprefix("size<="))
    families = _families(stored["total"]["crossover"])
    before: dict[str, int] = {}
    number = 0
    for generation in range(1, len([key for key in stored if key.startswith("Generation_")]) + 1):
        population = stored[f"Generation_{generation}"]
        here: dict[str, int] = {}
        if not population["chromosomes"]:
            raise ArchitectureError(f"generation {generation} has no individuals")
        for name, chromosome in population["chromosomes"].items():
            try:
                architecture = chain.from_chromosome(chromosome, strict=False)
            except ArchitectureError as error:
                raise ArchitectureError(f"{name} of generation {generation}: {error}") from None
            result = population["individuals_results"][name]
            values = {ours: _finite(result.get(theirs)) for ours, theirs in _PUBLISHED.items()}
            known = families.get((generation, name), ())
            parents = tuple(before[parent] for parent in known) if all(p in before for p in known) else ()
            lot: dict[str, Any] = {"values": values}
            if values["val_acc"] is None:
                lot = {"state": "failed", "reasons": {"error": f"not trained: its fitness is {result.get('fitness')}"}}
                if values["size"] is not None and values["size"] > most:
                    lot = {"state": "rejected", "reasons": {"limits": f"size {values['size']:,.0f} breaks {limit}"}}
            yield Trial(number, architecture, parents, f"generation {generation}", **lot)
            here[name] = number
            number += 1
        before = here


def _families(text: str) -> dict[tuple[int, str], tuple[str, ...]]:
    """The names of the parents by generation and name of the child, as the file records them: a table whose first row
    has become its heads."""
    table = json.loads(text)
    rows = [list(table), *zip(*(column.values() for column in table.values()), strict=True)]
    found = {}
    for bred, *parents, child in rows:
        names = tuple(re.sub(r"Parent_\d+: \((.*), \d+\)", r"\1", parent) for parent in parents)
        found[int(bred.rpartition(" ")[2]) + 1, child.removeprefix("New_Individual: ")] = names
    return found


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
