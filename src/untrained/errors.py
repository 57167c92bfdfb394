"""Every error that `untrained` raises on purpose.

Each message says what was given, what was expected and what to do. `InputError` and its children are the caller's to
mend (exit code 2 at the command line); anything else that escapes is a fault of this package (exit code 1).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UntrainedError(Exception):
    """Base of all errors of this package."""


class InputError(UntrainedError, ValueError):
    """What was given cannot be used; the message says what would be."""


def check_type(value: object, kinds: type | tuple[type, ...], expected: str) -> None:
    """Refuse a `value` of any other type; `expected` says what it stands for, as in "a seed is a whole number"."""
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise InputError(f"{expected}, not {value!r:.80}")


class NetworkError(InputError):
    """A network that does not run. In a search that is its own fault alone, and the search goes on."""

    @classmethod
    def of(cls, error: Exception, doing: str = "") -> NetworkError:
        """The error for what a network raised, by its first line."""
        first = next(iter(str(error).splitlines()), "") or "no message"
        return cls(f"{doing}{type(error).__name__.lstrip('_')}: {first}")


class UnknownNameError(InputError):
    """A name that is not registered."""

    def __init__(self, noun: str, name: str, known: Iterable[str]) -> None:
        known, name = sorted(known), str(name)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(repr(n) for n in near)}?" if near else "known: " + ", ".join(known)
        shown = name if len(name) <= 100 else f"{name[:80]}..."
        super().__init__(f"unknown {noun} {shown!r}; {hint}")
        self.noun, self.name, self.known = noun, name, known

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.noun, self.name, self.known)


class ArchitectureError(InputError):
    """A text or gene tuple that is no architecture of its space."""

    @classmethod
    def at(cls, text: str, column: int, problem: str, grammar: str) -> ArchitectureError:
        """The error for `text` that breaks at `column` (counted from 0), with a caret under the place.

        Of a long text only the surroundings are shown, so that the caret stays under it in a terminal.
        """
        first = max(0, column - 50)
        problem = problem if len(problem) <= 120 else f"{problem[:80]}...{problem[-30:]}"
        shown = f"{'...' if first else ''}{text[first : first + 100]}{'...' if text[first + 100 :] else ''}"
        caret = " " * (column - first + (3 if first else 0)) + "^"
        return cls(f"{problem} at column {column + 1}\n  {shown}\n  {caret}\nexpected: {grammar}")


class DataError(InputError):
    """Images or labels that cannot be used."""


class LimitError(InputError):
    """A limit that cannot be read, or that nothing sampled can meet."""


class StoreError(InputError):
    """A study store that cannot be opened or does not fit what was asked."""


class MissingDependencyError(InputError):
    """An optional package that is not installed."""

    def __init__(self, package: str, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs the package {package!r}: pip install 'untrained[{extra}]'")
