"""Names of plug-ins, found when they are first needed.

A registry owns one package. Each module of that package registers what it defines, so adding a plug-in is adding one
file; nothing is imported before the first look-up. Users register their own from anywhere with the same decorators.
"""

from __future__ import annotations

import fnmatch
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from untrained.errors import InputError, UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Plug-ins of one kind by name.

    `noun` names the kind in messages; `package` is imported, module by module, at the first look-up.
    """

    def __init__(self, noun: str, package: str) -> None:
        self.noun = noun
        self.package = package
        self._entries: dict[str, T] = {}
        self._discovered = False

    def add(self, name: str, entry: T) -> T:
        """Register `entry`; a second entry under the same name replaces one from the same module only."""
        known = self._entries.get(name)
        if known is not None and known != entry and _origin(known) != _origin(entry):
            raise InputError(f"a {self.noun} named {name!r} exists already (in {_origin(known)}); use another name")
        self._entries[name] = entry
        return entry

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            self._discover()
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownNameError(self.noun, name, self._entries) from None

    def names(self, pattern: str = "*") -> list[str]:
        """Registered names that match a shell-style `pattern`, sorted."""
        self._discover()
        return sorted(fnmatch.filter(self._entries, pattern))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        self._discover()
        return name in self._entries

    def _discover(self) -> None:
        if self._discovered:
            return
        self._discovered = True
        try:
            for module in pkgutil.iter_modules(importlib.import_module(self.package).__path__):
                if not module.ispkg:
                    importlib.import_module(f"{self.package}.{module.name}")
        except BaseException:
            # The next look-up fails in the same way, rather than with half of the names.
            self._discovered = False
            raise


def _origin(entry: Any) -> str:
    return str(getattr(entry, "__module__", None) or type(entry).__module__)


def summary(entry: Callable[..., Any] | object) -> str:
    """The first line of the docstring of `entry`: what a list of plug-ins shows."""
    return (getattr(entry, "__doc__", None) or "").strip().split("\n")[0]


SPACES: Registry[Any] = Registry("space", "untrained.spaces")
METRICS: Registry[Any] = Registry("metric", "untrained.metrics")
ALGORITHMS: Registry[Any] = Registry("algorithm", "untrained.algorithms")
RANKINGS: Registry[Any] = Registry("ranking", "untrained.algorithms")
RECIPES: Registry[Any] = Registry("recipe", "untrained.training")
