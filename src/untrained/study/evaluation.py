"""From the names of objectives and limits to the evaluator that a search needs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from untrained.errors import InputError, LimitError, NetworkError, UnknownNameError, check_type
from untrained.evaluate.combined import Combined
from untrained.evaluate.latency import Latency
from untrained.evaluate.limits import Limit, broken, shown
from untrained.evaluate.lookup import Lookup
from untrained.evaluate.outcome import Evaluator
from untrained.evaluate.quantities import ACCURACY, LATENCY, SIMULATED, SIZES, TABLE, kind_of, options_of, split_sign
from untrained.evaluate.sizes import Sizes, size_of
from untrained.evaluate.training import Training, keep_back
from untrained.evaluate.training_free import TrainingFree
from untrained.metrics.metric import find_metrics, settled
from untrained.registry import METRICS
from untrained.seeds import derive, generator
from untrained.spaces.space import Skeleton, Space
from untrained.tables.table import Table
from untrained.training.recipe import recipe as find_recipe

if TYPE_CHECKING:
    from untrained.architecture import Architecture
    from untrained.images.image_set import ImageSet

FEASIBLE_DRAWS = 300
MEASURED_DRAWS = 8
"""Of so many random architectures, and of the smallest ones, the latency is measured before a search."""


def read_objectives(texts: Iterable[str]) -> dict[str, int]:
    """Objectives by name, +1 where higher is better and -1 where lower is: ``-name`` is wanted low, ``name`` as usual."""
    found: dict[str, int] = {}
    for text in texts:
        name, low = split_sign(text)
        if name in found:
            raise InputError(f"an objective is named twice: {name}")
        usual = _usual(name)
        found[name] = -1 if low else usual
    if not found:
        raise InputError(
            "no objective was named; expected a metric, params, macs, latency_ms, accuracy or table:COLUMN"
        )
    return found


def _usual(name: str) -> int:
    match kind_of(name):
        case "metric":
            try:
                return find_metrics([name])[0].direction
            except UnknownNameError as error:
                if error.noun != METRICS.noun:
                    raise
                known = [*METRICS, LATENCY, ACCURACY, f"{TABLE}COLUMN"]
                raise UnknownNameError("objective", name, known) from None
        case "latency":
            return -1
        case _:
            return 1


def settle(
    directions: Mapping[str, int], space: Space, target: Skeleton, images: ImageSet, seed: int
) -> dict[str, int]:
    """The same with numbers for what is `auto` in the options of metrics."""
    what = {"seed": seed, "num_classes": images.num_classes or 10, "in_chans": images.channels}
    return {
        settled(find_metrics([name]), space, target, **what)[0].name if kind_of(name) == "metric" else name: direction
        for name, direction in directions.items()
    }


def read_tables(tables: Any, space: Space) -> list[tuple[str | None, Table]]:
    """Tables with the full path that each was read from, or None for one that was given as it is."""
    check_type(tables, (str, Path, Table, Iterable), "tables are files or Tables")
    given = [tables] if isinstance(tables, str | Path | Table) else list(tables)
    return [
        (None, one) if isinstance(one, Table) else (str(Path(one).expanduser().resolve()), Table.read(one, space))
        for one in given
    ]


def make_evaluator(
    space: Space,
    images: ImageSet,
    directions: Mapping[str, int],
    limits: Sequence[Limit],
    tables: Sequence[Table],
    table_cost: str | None,
    skeleton: Skeleton,
    target: Skeleton,
    seed: int,
) -> tuple[Evaluator, dict[str, Any]]:
    """What gives all objectives and checks all limits, from cheap to dear: sizes, tables, latency, metrics, training.
    With it, by quantity, the conditions of what was measured, looked up or trained."""
    needed = list(dict.fromkeys([*directions, *(limit.quantity for limit in limits)]))
    kinds = {name: kind_of(name) for name in needed}
    network = (target, (images.channels, *images.image_size), images.num_classes or 10)
    conditions: dict[str, Any] = {}
    parts: list[Evaluator] = []
    sizes = tuple(name for name in needed if kinds[name] == "size")
    for name in sizes:
        if name not in SIZES:
            raise UnknownNameError("objective", name, SIZES)
    if sizes:
        parts.append(Sizes(space, *network, sizes))
    columns = [name.removeprefix(TABLE) for name in needed if kinds[name] == "table"]
    for lookup in _lookups(tables, columns, table_cost):
        parts.append(lookup)
        for name in lookup.directions:
            conditions[name] = {"table": lookup.table.digest}
        if lookup.cost:
            conditions[SIMULATED] = {"table": lookup.table.digest, "column": lookup.cost, "times": lookup.factor}
    for name in needed:
        if kinds[name] == "latency":
            latency = Latency(space, *network, name)
            chosen: dict[str, Any] = options_of(name, {key: getattr(latency, key) for key in Latency.OPTIONS})
            latency = replace(latency, **chosen)
            conditions[name] = latency.conditions()
            parts.append(latency)
    metrics = find_metrics(names) if (names := [name for name in needed if kinds[name] == "metric"]) else []
    if metrics:
        labelled = ", ".join(metric.name for metric in metrics if metric.setting.labels)
        if images.num_classes is None and labelled:
            raise InputError(f"the data {images.name!r} have no labels, which {labelled} need")
        wanted = max(metric.setting.total_images for metric in metrics)
        batch = images.batch(max(1, min(wanted, len(images.train))), derive(seed, "images"))
        names = [metric.name for metric in metrics]
        parts.append(TrainingFree(space, tuple(names), *batch, images.num_classes or 10, skeleton, target))
    for name in needed:
        if kinds[name] == "accuracy":
            training = _training(name, keep_back(images, seed), skeleton)
            conditions[name] = training.conditions()
            parts.append(training)
    if len(parts) == 1 and not limits and list(parts[0].directions.items()) == list(directions.items()):
        return parts[0], conditions
    return Combined(tuple(parts), dict(directions), tuple(limits)), conditions


def _lookups(tables: Sequence[Table], columns: Sequence[str], cost: str | None) -> list[Lookup]:
    """One look-up for each table that has some of the columns."""
    priced, factor = _cost(cost)
    homes = {column: _home(tables, column, "table:COLUMN") for column in columns}
    if priced is not None and _home(tables, priced, "the cost") not in homes.values():
        raise InputError(
            f"no objective or limit is of the table that has the cost {priced!r}; name one as table:COLUMN"
        )
    return [
        Lookup(table, found, cost=priced if priced in table.targets else None, factor=factor, prefix=TABLE)
        for i, table in enumerate(tables)
        if (found := tuple(column for column in columns if homes[column] == i))
    ]


def _cost(text: str | None) -> tuple[str | None, float]:
    """The column and the factor of ``COLUMN`` or ``COLUMN*12``."""
    if text is None:
        return None, 1.0
    column, times, number = text.rpartition("*")
    if not times:
        return text.strip(), 1.0
    try:
        factor = float(number)
    except ValueError:
        factor = math.nan
    if not (math.isfinite(factor) and factor > 0):
        raise InputError(f"{text!r} is no cost; expected a column of seconds, as in 'epoch_time', or 'epoch_time*12'")
    return column.strip(), factor


def _home(tables: Sequence[Table], column: str, where: str) -> int:
    """The place of the one table that has the column."""
    if not tables:
        raise InputError(
            f"{where} takes a column of a table, here {column!r}, and no table was given; give --table FILE"
        )
    homes = [i for i, table in enumerate(tables) if column in table.targets]
    if not homes:
        raise UnknownNameError("column", column, {target for table in tables for target in table.targets})
    if len(homes) > 1:
        raise InputError(f"{len(homes)} tables have a column {column!r}; give one of them, or rename the column")
    return homes[0]


def _training(name: str, images: ImageSet, skeleton: Skeleton) -> Training:
    chosen: dict[str, Any] = options_of(name, {"recipe": "quick", "epochs": 0})
    recipe = find_recipe(chosen["recipe"])
    return Training(images, replace(recipe, epochs=chosen["epochs"] or recipe.epochs), skeleton, name)


# -- what cannot be met ------------------------------------------------------------------------------------------------


def check_feasible(space: Space, evaluator: Evaluator, seed: int) -> None:
    """Refuse limits that no random architecture keeps, saying how near they come, and a table that has none of them.

    Latency is measured for a few of them, and if need be for a few of the smallest.
    """
    if not isinstance(evaluator, Combined | Lookup):
        return
    parts = evaluator.evaluators if isinstance(evaluator, Combined) else (evaluator,)
    limits = evaluator.limits if isinstance(evaluator, Combined) else ()
    cheap = _together(part for part in parts if isinstance(part, Sizes | Lookup))
    slow = _together(
        part for part in parts if isinstance(part, Latency) and part.name in {limit.quantity for limit in limits}
    )
    first = [limit for limit in limits if limit.quantity in cheap.directions]
    second = [limit for limit in limits if limit.quantity in slow.directions]
    rng = generator(seed, "limits")
    seen: dict[Architecture, dict[str, float | None]] = {}
    left: list[Architecture] = []
    faults: list[NetworkError] = []

    def fast(architecture: Architecture) -> bool:
        """Whether it keeps the limits on latency; one whose network does not run is not among those seen."""
        try:
            seen[architecture] |= slow(architecture, seed=seed).values
        except NetworkError as error:
            faults.append(error)
            del seen[architecture]
            return False
        return broken(second, seen[architecture]) is None

    for _ in range(FEASIBLE_DRAWS):
        architecture = space.canonical(space.sample(rng))
        if space.answer(architecture) is None:
            return
        try:
            outcome = cheap(architecture, seed=seed)
        except NetworkError as error:
            faults.append(error)
            continue
        if outcome.rejected is not None:
            continue
        seen[architecture] = dict(outcome.values)
        if broken(first, outcome.values) is None:
            if not second:
                return
            left.append(architecture)
            if len(left) <= MEASURED_DRAWS and fast(architecture):
                return
    if left:
        low = second[0].comparison.startswith("<")
        sizes = {one: macs for one in left[MEASURED_DRAWS:] if (macs := _macs(space, one, parts)) is not None}
        if any(fast(one) for one in sorted(sizes, key=sizes.__getitem__, reverse=not low)[:MEASURED_DRAWS]):
            return
    asked = {limit.quantity for limit in second} if left else set()
    if faults and not any(asked <= values.keys() for values in seen.values()):
        raise faults[-1]
    if not seen:
        raise InputError(
            f"none of {FEASIBLE_DRAWS} random architectures of {space.name!r} is in the table; a search by table needs one "
            "that has most of its space"
        )
    raise LimitError(_how_near(space, [*first, *second] if left or not second else first, list(seen.values())))


def _together(parts: Iterable[Evaluator]) -> Combined:
    chosen = tuple(parts)
    return Combined(chosen, {name: 1 for part in chosen for name in part.directions})


def _macs(space: Space, architecture: Architecture, parts: Iterable[Evaluator]) -> int | None:
    """Its multiply-accumulates in the network that latency is measured of; None if that does not run."""
    latency = next(part for part in parts if isinstance(part, Latency))
    try:
        return size_of(space, architecture, latency.target, latency.image_shape, latency.num_classes).macs
    except NetworkError:
        return None


def _how_near(space: Space, limits: Sequence[Limit], seen: Sequence[Mapping[str, float | None]]) -> str:
    """Which of the values seen come nearest to keeping all limits, and between what all of them lie."""

    def excess(values: Mapping[str, float]) -> float:
        return sum(
            abs(values[limit.quantity] - limit.bound) / max(abs(limit.bound), 1e-9)
            for limit in limits
            if not limit.allows(values[limit.quantity])
        )

    known = [
        {limit.quantity: value for limit in limits if (value := values.get(limit.quantity)) is not None}
        for values in seen
    ]
    whole = [values for values in known if all(limit.quantity in values for limit in limits)]
    nearest = f"; the nearest has {_spoken(min(whole, key=excess))}" if whole else ""
    ranges = []
    for quantity in dict.fromkeys(limit.quantity for limit in limits):
        values = [one[quantity] for one in known if quantity in one]
        ranges += [f"{quantity} from {shown(min(values))} to {shown(max(values))}"] if values else []
    return (
        f"none of {FEASIBLE_DRAWS} random architectures of {space.name!r} keeps {' and '.join(map(str, limits))}{nearest}; "
        f"they have {'; '.join(ranges)}. Loosen the limits or choose a smaller --target"
    )


def _spoken(values: Mapping[str, float]) -> str:
    return " and ".join(f"{quantity} {shown(value)}" for quantity, value in values.items())
