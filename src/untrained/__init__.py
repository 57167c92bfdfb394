"""Neural architecture search without training.

Sample network architectures, score each one untrained, evolve the population, explain what was found, train the winner
and hand it over. Everything public is here; nothing is imported before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from untrained.alignment import align as align
    from untrained.alignment import similarity as similarity
    from untrained.alignment import similarity_matrix as similarity_matrix
    from untrained.architecture import Architecture as Architecture
    from untrained.architecture import Token as Token
    from untrained.errors import InputError as InputError
    from untrained.errors import UntrainedError as UntrainedError
    from untrained.images.load import load_images as load_images
    from untrained.metrics.metric import metric as metric
    from untrained.metrics.metric import score as score
    from untrained.metrics.reading import Reading as Reading
    from untrained.probe.setting import Setting as Setting
    from untrained.spaces.choices import define_space as define_space
    from untrained.spaces.space import Skeleton as Skeleton
    from untrained.spaces.space import Space as Space
    from untrained.spaces.space import create_model as create_model
    from untrained.spaces.space import space as space
    from untrained.study.correlate import correlate as correlate
    from untrained.study.evonas import import_evonas as import_evonas
    from untrained.study.search import load_study as load_study
    from untrained.study.search import search as search
    from untrained.study.study import Study as Study
    from untrained.training.loop import train as train

_HOMES = {
    "Architecture": "architecture",
    "Token": "architecture",
    "InputError": "errors",
    "UntrainedError": "errors",
    "load_images": "images.load",
    "Reading": "metrics.reading",
    "metric": "metrics.metric",
    "score": "metrics.metric",
    "Setting": "probe.setting",
    "align": "alignment",
    "similarity": "alignment",
    "similarity_matrix": "alignment",
    "define_space": "spaces.choices",
    "Skeleton": "spaces.space",
    "Space": "spaces.space",
    "create_model": "spaces.space",
    "space": "spaces.space",
    "correlate": "study.correlate",
    "import_evonas": "study.evonas",
    "load_study": "study.search",
    "search": "study.search",
    "Study": "study.study",
    "train": "training.loop",
}
_LISTS = {
    "list_spaces": "SPACES",
    "list_metrics": "METRICS",
    "list_algorithms": "ALGORITHMS",
    "list_rankings": "RANKINGS",
    "list_recipes": "RECIPES",
}

__all__ = ["__version__", *_HOMES, *_LISTS]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"untrained.{_HOMES[name]}"), name)
    if name in _LISTS:
        return getattr(importlib.import_module("untrained.registry"), _LISTS[name]).names
    raise AttributeError(f"module 'untrained' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
