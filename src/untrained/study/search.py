"""From names to a running study, and back from a store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.given import Given
from untrained.algorithms.searcher import Searcher, make_searcher
from untrained.algorithms.trial import Trial
from untrained.architecture import Architecture
from untrained.errors import InputError, check_type
from untrained.registry import RANKINGS, SPACES
from untrained.seeds import derive
from untrained.spaces.space import Skeleton, Space
from untrained.spaces.space import space as find_space
from untrained.study.budget import Budget
from untrained.study.executors import check_workers
from untrained.study.journal import Journal, StudyRecord
from untrained.study.setup import check_setup, same_setup, setup_differences
from untrained.study.study import Study

if TYPE_CHECKING:
    from untrained.images.image_set import ImageSet

AHEAD = 8
SKIPPED_NAMED = 3

_log = logging.getLogger(__name__)


def search(
    space: str | Space = "nats-tss",
    data: Any = "digits",
    *,
    metrics: str | Iterable[str] | None = None,
    objectives: str | Iterable[str] = (),
    ranking: str | None = None,
    algorithm: str = "aging",
    options: Mapping[str, Any] | None = None,
    evaluations: int | None = None,
    minutes: float | None = None,
    simulated_seconds: float | None = None,
    patience: int | None = None,
    seed: int = 0,
    store: str | Path | Journal | None = None,
    name: str | None = None,
    limits: str | Iterable[str] = (),
    tables: Any = (),
    table_cost: str | None = None,
    skeleton: Skeleton | str | None = None,
    target: Skeleton | str | None = None,
    image_size: int | None = None,
    workers: int = 1,
    timeout: float | None = None,
    on_trial: Callable[[Trial], None] | None = None,
) -> Study:
    """Search without training; returns the study, with the best architecture as `study.best_trial`.

    data: `"digits"`, a path, arrays or an `ImageSet`; its images are drawn once from `seed`, the same for every candidate.
    metrics, ranking: what is scored, by default what the space names, and how scores become one order (`single` for one
    metric, else `rank_sum`).
    objectives, instead of metrics: several things wanted at once, whose answer is a front (`study.front`; ranking
    `pareto`): metrics, `params`, `macs`, `latency_ms`, `accuracy` after real training, `table:COLUMN` of the `tables`; low
    is wanted of `-name`. table_cost: the column of simulated seconds, as in `"epoch_time*12"`.
    skeleton: what is scored or trained, by default the small one that the space names; target: what would be trained in
    the end, and what sizes, latency and `limits` such as `"params<500k"` are taken of (the benchmark's own by default).
    evaluations (300 unless another end is given), minutes, simulated_seconds, patience: when it ends, see `Budget`.
    store, name: where the study is kept; the same name continues it. workers: processes; the study is the same for any
    number, unless it measures latency.
    Raises `InputError` before any work starts.
    """
    Budget(evaluations, minutes, simulated_seconds, patience).check_cost(table_cost)
    check_workers(workers, timeout)
    study = open_search(
        space, data, metrics=metrics, objectives=objectives, ranking=ranking, algorithm=algorithm, options=options,
        seed=seed, store=store, name=name, limits=limits, tables=tables, table_cost=table_cost, skeleton=skeleton,
        target=target, image_size=image_size,
    )  # fmt: skip
    study.run(
        evaluations, minutes=minutes, simulated_seconds=simulated_seconds, patience=patience, workers=workers,
        timeout=timeout, on_trial=on_trial,
    )  # fmt: skip
    return study


def open_search(
    space: str | Space = "nats-tss",
    data: Any = "digits",
    *,
    metrics: str | Iterable[str] | None = None,
    objectives: str | Iterable[str] = (),
    ranking: str | None = None,
    algorithm: str = "aging",
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    store: str | Path | Journal | None = None,
    name: str | None = None,
    limits: str | Iterable[str] = (),
    tables: Any = (),
    table_cost: str | None = None,
    skeleton: Skeleton | str | None = None,
    target: Skeleton | str | None = None,
    image_size: int | None = None,
    given: Sequence[Architecture] | None = None,
) -> Study:
    """The study that :func:`search` would run, made or continued but not run. With `given` architectures, they are tried
    in order, and no algorithm chooses."""
    from untrained.evaluate.limits import Limit
    from untrained.evaluate.outcome import part_of
    from untrained.images.load import load_images
    from untrained.metrics.metric import find_metrics
    from untrained.study.evaluation import check_feasible, make_evaluator, read_objectives, read_tables, settle

    check_type(space, (str, Space), "a space is given by name or as itself")
    check_type(seed, Integral, "a seed is a whole number")
    check_type(options or {}, Mapping, "options are a mapping from name to value")
    seed = int(seed)
    # As a study is stored: numbers of NumPy become plain ones.
    options = {key: value.item() if isinstance(value, np.generic) else value for key, value in (options or {}).items()}
    place = find_space(space) if isinstance(space, str) else _registered(space)
    wanted = [objectives] if isinstance(objectives, str) else list(objectives)
    if wanted and metrics is not None:
        raise InputError("metrics and objectives were both given; name the metrics among the objectives")
    if wanted:
        directions = read_objectives(wanted)
    else:
        directions = {
            metric.name: metric.direction for metric in find_metrics(place.metrics if metrics is None else metrics)
        }
    ranking = ranking or ("single" if len(directions) == 1 else "pareto" if wanted else "rank_sum")
    RANKINGS[ranking]
    if ranking == "single" and len(directions) > 1:
        raise InputError(f"the ranking 'single' takes one metric, not {len(directions)}; try 'rank_sum'")
    bounds = tuple(Limit.parse(limit) for limit in ([limits] if isinstance(limits, str) else limits))
    small, full = place.skeleton(skeleton or place.scored), place.skeleton(target)
    searcher = make_searcher(algorithm, place, Fitness(ranking, directions), seed, options)
    if given is None:
        _check_population(place, searcher)
    images = load_images(data, image_size=image_size)
    tell_skipped(images)
    directions = settle(directions, place, full, images, seed)
    read = read_tables(tables, place)
    evaluator, conditions = make_evaluator(
        place, images, directions, bounds, [table for _, table in read], table_cost, small, full, seed
    )
    part_of(evaluator, searcher.smallest)
    setup = {
        "space": place.name,
        "algorithm": algorithm,
        "options": options,
        "metrics": list(directions),
        "objectives": directions if wanted else None,
        "ranking": ranking,
        "seed": seed,
        "data": images.name,
        "data_digest": images.digest,
        "source": _source(data),
        "image_shape": [images.channels, *images.image_size],
        "num_classes": images.num_classes,
        "skeleton": place.skeleton_text(small),
        "target": place.skeleton_text(full),
        "limits": [str(bound) for bound in bounds],
        "tables": [path for path, _ in read] or None,
        "table_cost": table_cost,
        "conditions": conditions or None,
        "ahead": AHEAD,
    }
    if given is not None:
        setup |= {"algorithm": Given.name, "options": {}, "given": derive(*map(str, given))}
    else:
        check_feasible(place, evaluator, seed)
    journal = store if isinstance(store, Journal) else Journal(store)
    record = _record(journal, name, f"{place.name}-{images.name}-{setup['algorithm']}-{seed}", setup)
    make = None if given is None else lambda study: Given(place, study.fitness, seed, given)
    return Study(journal, record, place, directions, evaluator, make)


def _record(journal: Journal, name: str | None, usual: str, setup: Mapping[str, Any]) -> StudyRecord:
    """The stored study of this setup, made where there is none. A study without a name of its own has the usual one, or,
    where that is another study, the usual one with a number."""
    for number in count(1):
        title = name or (usual if number == 1 else f"{usual}-{number}")
        record = journal.find(title)
        if record is None:
            return journal.create(title, setup)
        if name is not None or not setup_differences(record, setup):
            same_setup(record, setup)
            return record
    raise AssertionError("unreachable")


def load_study(store: str | Path | Journal, name: str | None = None) -> Study:
    """A stored study, to look at or to continue by hand with `ask` and `tell`. The name may be left out of a store with
    one study."""
    journal = store if isinstance(store, Journal) else Journal(store, must_exist=True)
    if name is None:
        studies = journal.studies()
        if len(studies) != 1:
            found = ", ".join(repr(study.name) for study in studies) or "none"
            raise InputError(f"the store holds {len(studies)} studies; name one of: {found}")
        name = studies[0].name
    return read_study(journal, journal.study(name))


def read_study(journal: Journal, record: StudyRecord) -> Study:
    """The study of a record. Its objectives and their directions are those of the setup, else those of its metrics."""
    from untrained.metrics.metric import find_metrics

    check_setup(record)
    directions = record.setup.get("objectives")
    if directions is None:
        directions = {metric.name: metric.direction for metric in find_metrics(record.setup["metrics"])}
    return Study(journal, record, find_space(record.setup["space"]), directions)


def _check_population(space: Space, searcher: Searcher) -> None:
    population = getattr(searcher, "population", 0)
    if space.size is not None and population > space.size:
        raise InputError(
            f"{searcher.name} has a population of {population} and the space {space.name!r} only {space.size} "
            f"architectures; give the option population={space.size // 2} or less"
        )


def tell_skipped(images: ImageSet) -> None:
    """Log a warning that names image files which cannot be read: nobody should lose images without a word."""
    if images.skipped:
        count = len(images.skipped)
        named = "; ".join(images.skipped[:SKIPPED_NAMED]) + ("; ..." if count > SKIPPED_NAMED else "")
        _log.warning("%d image file(s) of %r cannot be read and are left out: %s", count, images.name, named)


def _registered(space: Space) -> Space:
    """`space`, if it is what its name stands for: stored architectures are read, and built, by the name of their space."""
    if space.name not in SPACES or find_space(space.name) is not space:
        raise InputError(
            f"{space!r} is not registered under its name: call `untrained.spaces.space.register` first, with a name of its own"
        )
    return space


def _source(data: Any) -> str | None:
    """Where `data` can be loaded from again: `digits`, a full path, or nowhere."""
    if not isinstance(data, str | Path):
        return None
    return "digits" if data == "digits" else str(Path(data).expanduser().resolve())


def data_of(study: Study, data: Any = None) -> ImageSet:
    """The image set of a study: from where it was loaded, or from `data` when it was given as arrays; checked to be the
    same."""
    from untrained.images.load import load_images

    _, height, width = study.setup["image_shape"]
    data = study.setup.get("source") or study.setup["data"] if data is None else data
    images = load_images(data, image_size=height if height == width else None)
    if images.digest != study.setup["data_digest"]:
        raise InputError(f"{images.name!r} are not the images the study {study.name!r} was made with")
    return images
