"""Every registered algorithm keeps the contract of searchers."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import untrained.algorithms
from untrained.algorithms.given import Given
from untrained.algorithms.searcher import Searcher
from untrained.registry import ALGORITHMS
from untrained.testing.searcher import SearcherContract

COVERED = ALGORITHMS.names()


class TestRegistered(SearcherContract):
    # Pruning has a space of its own and stands in tests/algorithms/test_pruning.py.
    @pytest.fixture(params=[name for name in COVERED if name != "pruning"])
    def algorithm(self, request: pytest.FixtureRequest) -> str:
        return request.param


def concrete(cls: type) -> set[type]:
    below = {cls} if not inspect.isabstract(cls) else set()
    return below.union(*(concrete(child) for child in cls.__subclasses__()))


def test_every_searcher_of_the_package_is_covered() -> None:
    for module in pkgutil.iter_modules(untrained.algorithms.__path__):
        importlib.import_module(f"untrained.algorithms.{module.name}")
    names = {cls.name for cls in concrete(Searcher) if cls.__module__.startswith("untrained.")}
    assert names - {Given.name} == set(COVERED)
