"""How well metrics order the architectures of a table: the question every training-free metric has to answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, rankdata, spearmanr

from untrained.algorithms.rankings import fitness
from untrained.algorithms.trial import Trial
from untrained.errors import InputError
from untrained.registry import RANKINGS
from untrained.seeds import generator
from untrained.spaces.space import Skeleton, Space
from untrained.spaces.space import space as find_space
from untrained.study.journal import Journal
from untrained.study.search import open_search
from untrained.study.study import Study
from untrained.tables.table import Table

RESAMPLES = 1000


@dataclass(frozen=True)
class Correlation:
    """table: one row a metric, see :func:`correlate`; values: (n, metrics) of the first seed, higher being better, NaN where
    there is none; truth: (n,) the target."""

    target: str
    table: pd.DataFrame
    values: pd.DataFrame
    truth: np.ndarray


def correlate(*arguments: Any, **options: Any) -> pd.DataFrame:
    """The table of :func:`correlation`, which has the same arguments."""
    return correlation(*arguments, **options).table


def correlation(
    space: str | Space,
    table: Table | str | Path,
    target: str,
    metrics: str | Iterable[str],
    data: Any = "digits",
    *,
    sample: int | None = 1000,
    seeds: Sequence[int] = (0,),
    top: int = 10,
    ranking: str = "rank_sum",
    skeleton: Skeleton | str | None = None,
    store: str | Path | Journal | None = None,
    name: str | None = None,
    workers: int = 1,
    on_trial: Callable[[Trial], None] | None = None,
) -> Correlation:
    """Rank correlation of metrics with the column `target` of a table, over a random sample of its architectures.

    metrics: names; `"a+b"` is the hybrid of both under `ranking` within the sample. sample: how many (all of the table
    when None) of those that have a finite `target`, drawn once; seeds: each draws its own images and weights and scores the
    whole sample. Identical networks are scored once; everything is kept in `store` as it comes, and the same call continues
    it. name: of the studies, before a number for the seed; made from the setup when None.

    The table has one row a metric: `spearman` and `kendall` (means over the seeds, of the architectures with a value),
    `low` and `high` (95 % bootstrap interval of the mean Spearman over architectures), `spread` (largest minus smallest
    Spearman among the seeds), `regret` (best of the sample minus best among the metric's `top`, mean), `n`, `missing`
    (without a value, mean), `seconds` (a network; hybrids: the sum). Numbers that are not defined, as the correlation of
    a metric that has one value everywhere, are NaN.
    """
    place = find_space(space) if isinstance(space, str) else space
    truth = table if isinstance(table, Table) else Table.read(table, place)
    accuracy = truth.column(target)
    known = np.flatnonzero(np.isfinite(accuracy))
    if sample is not None and sample < len(known):
        known = np.sort(generator("correlate", 0).choice(known, sample, replace=False))
    if len(known) < 3:
        raise InputError(f"a correlation needs at least 3 architectures with {target!r}, not {len(known)}")
    if np.ptp(accuracy[known]) == 0:
        raise InputError(f"{target!r} is {accuracy[known[0]]:g} everywhere; a correlation needs numbers that differ")
    metrics = [metrics] if isinstance(metrics, str) else metrics
    columns = [[part.strip() for part in metric.split("+")] for metric in metrics]
    _check_columns(columns, ranking)
    single = list(dict.fromkeys(part for column in columns for part in column))
    chosen = [truth.architectures[row] for row in known.tolist()]
    journal = store if isinstance(store, Journal) else Journal(store)
    studies = []
    for seed in seeds:
        title = None if name is None else f"{name}-{seed}"
        study = open_search(
            place, data, metrics=single, seed=seed, store=journal, name=title, skeleton=skeleton, given=chosen
        )
        study.run(len(chosen), workers=workers, on_trial=on_trial)
        studies.append(study)
    # A study calls a metric by the numbers that it has settled on for what was `auto`.
    called = [dict(zip(single, study.directions, strict=True)) for study in studies]
    values = {
        "+".join(parts): [
            _combined(s, [c[part] for part in parts], ranking) for s, c in zip(studies, called, strict=True)
        ]
        for parts in columns
    }
    seconds = {
        part: float(np.mean([_seconds(s, c[part]) for s, c in zip(studies, called, strict=True)])) for part in single
    }
    rows = {
        name: _row(values[name], accuracy[known], top) | {"seconds": sum(seconds[part] for part in parts)}
        for name, parts in zip(values, columns, strict=True)
    }
    return Correlation(
        target,
        pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric"),
        pd.DataFrame({name: seeds_values[0] for name, seeds_values in values.items()}),
        accuracy[known],
    )


def scores_of(study: Study, metrics: Sequence[str]) -> np.ndarray:
    """Values (n, m) of all trials by number, NaN where there is none."""
    rows = [[trial.values.get(name) for name in metrics] for trial in study.trials]
    return np.array([[np.nan if value is None else value for value in row] for row in rows], float)


def bootstrap_spearman(
    values: np.ndarray, truth: np.ndarray, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """The 95 % percentile interval of Spearman's rho, resampling architectures: values (s, n) are averaged over s seeds."""
    n = len(truth)
    if n < 3:
        return math.nan, math.nan
    rng = generator("bootstrap", seed)
    rhos = np.empty(resamples)
    for k in range(resamples):
        rows = rng.integers(0, n, n)
        ranks = rankdata(truth[rows])
        with np.errstate(invalid="ignore", divide="ignore"):  # Of few architectures the same one may be drawn n times.
            rhos[k] = np.mean([np.corrcoef(rankdata(v[rows]), ranks)[0, 1] for v in values])
    defined = rhos[np.isfinite(rhos)]
    if not defined.size:
        return math.nan, math.nan
    return float(np.quantile(defined, 0.025)), float(np.quantile(defined, 0.975))


def _check_columns(columns: Sequence[Sequence[str]], ranking: str) -> None:
    """Refuse metrics and hybrids that are named twice, whatever the order of their parts, and an unknown ranking."""
    RANKINGS[ranking]
    if ranking == "single" and any(len(parts) > 1 for parts in columns):
        raise InputError("the ranking 'single' takes one metric, not a hybrid; try 'rank_sum'")
    named = ["+".join(sorted(parts)) for parts in columns]
    twice = [name for name in named if named.count(name) > 1]
    twice += [part for parts in columns for part in parts if parts.count(part) > 1]
    if twice:
        raise InputError(f"a metric is named twice: {twice[0]}")


def _combined(study: Study, parts: Sequence[str], ranking: str) -> np.ndarray:
    """(n,) higher is better: one metric in its direction, or several under the ranking; NaN where any is missing."""
    scores, directions = scores_of(study, parts), np.array([study.directions[part] for part in parts])
    if len(parts) == 1:
        return np.asarray(scores[:, 0] * directions[0])
    combined = fitness(ranking, scores, directions)
    return np.where(np.isfinite(combined), combined, np.nan)


def _row(values: Sequence[np.ndarray], truth: np.ndarray, top: int) -> dict[str, float]:
    rhos, taus, regrets = list[float](), list[float](), list[float]()
    for value in values:
        known = np.isfinite(value)
        if known.sum() < 3 or np.ptp(value[known]) == 0 or np.ptp(truth[known]) == 0:
            for numbers in (rhos, taus, regrets):
                numbers.append(math.nan)
            continue
        rhos.append(float(spearmanr(value[known], truth[known]).statistic))
        taus.append(float(kendalltau(value[known], truth[known]).statistic))
        best = np.argsort(-np.where(known, value, -np.inf), kind="stable")[:top]
        regrets.append(float(truth.max() - truth[best].max()))
    everywhere = np.isfinite(values).all(axis=0)
    low, high = bootstrap_spearman(np.array(values)[:, everywhere], truth[everywhere])
    return {
        "spearman": float(np.mean(rhos)),
        "low": low,
        "high": high,
        "spread": float(np.ptp(rhos)),
        "kendall": float(np.mean(taus)),
        "regret": float(np.mean(regrets)),
        "n": len(truth),
        "missing": float(np.mean([np.isnan(value).sum() for value in values])),
    }


def _seconds(study: Study, metric: str) -> float:
    """Mean seconds a network that was scored spent on `metric`."""
    times = [trial.costs[metric] for trial in study.complete if metric in trial.costs]
    return float(np.mean(times)) if times else 0.0
