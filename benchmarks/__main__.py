"""Run the benchmarks that need nothing but the package: `python -m benchmarks [speed study_overhead ...]`."""

from __future__ import annotations

import importlib
import sys

DEFAULT = ("speed",)


def main() -> None:
    for name in sys.argv[1:] or DEFAULT:
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
