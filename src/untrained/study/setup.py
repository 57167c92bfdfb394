"""The setup of a study: everything that makes it repeatable, as it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Any

from untrained.errors import StoreError
from untrained.study.journal import StudyRecord

_KINDS: Mapping[str, type | UnionType] = {
    "space": str,
    "algorithm": str,
    "options": dict,
    "metrics": list,
    "ranking": str,
    "seed": int,
    "data": str,
    "source": str | None,
    "image_shape": list,
    "num_classes": int | None,
    "skeleton": str,
    "target": str,
    "limits": list,
    "ahead": int,
    "objectives": dict | None,
    "tables": list | None,
    "table_cost": str | None,
    "conditions": dict | None,
}
"""The choices of a setup by name, and what each can be."""
_MAY_DIFFER = ("ahead", "source", "tables")
"""Data and tables may have moved: their digests say whether they are the same."""

_DIGESTS = {"given": "other architectures", "data_digest": "other images"}
"""What a difference of digests is called."""


def check_setup(record: StudyRecord) -> None:
    """Refuse a stored setup in which a choice is missing or of another kind than it can be."""
    setup = record.setup
    for key, kind in _KINDS.items():
        value: Any = setup.get(key)
        whole = isinstance(value, kind)
        if key in ("metrics", "limits"):
            whole = whole and all(isinstance(item, str) for item in value)
        if key == "objectives" and value is not None:
            whole = whole and value and all(direction in (1, -1) for direction in value.values())
        if key == "tables" and value is not None:
            whole = whole and all(isinstance(item, str | None) for item in value)
        if key == "image_shape":
            whole = whole and len(value) == 3 and all(type(side) is int for side in value)
        if not whole:
            raise StoreError(f"the study {record.name!r} is damaged: its {key} cannot be {value!r}")


def setup_differences(record: StudyRecord, setup: Mapping[str, Any]) -> str:
    """What makes a search another one than the stored, in words; empty when nothing."""
    stored = record.setup
    changed = [key for key in setup if key not in _MAY_DIFFER and stored.get(key) != setup[key]]
    return "; ".join(_DIGESTS.get(key, f"{key}: {stored.get(key)!r} there, {setup[key]!r} here") for key in changed)


def same_setup(record: StudyRecord, setup: Mapping[str, Any]) -> None:
    """Refuse to continue a study under another setup than its own."""
    check_setup(record)
    difference = setup_differences(record, setup)
    if difference:
        raise StoreError(f"the study {record.name!r} exists with another setup ({difference}); use another --name")
