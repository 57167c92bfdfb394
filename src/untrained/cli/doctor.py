"""`untrained doctor`: what this installation has, and what it lacks."""

from __future__ import annotations

import importlib
import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import typer

from untrained.cli.options import Json


def doctor(as_json: Json = False) -> None:
    """Check this installation: versions, devices, cores, extras, and whether compiled kernels can be kept."""
    from untrained.cli.terminal import print_json, results, table

    found = examination()
    if as_json:
        print_json(found)
    else:
        rows = table("", "~")
        rows.show_header = False
        for key, value in found.items():
            rows.add_row(key.replace("_", " "), _line(value))
        results().print(rows)
    if found["problems"]:
        raise typer.Exit(1)


def examination() -> dict[str, Any]:
    """Everything that is checked, as plain values; `problems` is empty when all is well."""
    from untrained.cli.search import cores

    packages, extras = _requirements()
    problems = [f"{name} is not installed" for name, version in packages.items() if version is None]
    cache, kept = _kernel_cache()
    if not kept:
        problems.append(f"compiled kernels cannot be kept in {cache}; set NUMBA_CACHE_DIR to a writable folder")
    return {
        "untrained": _version("untrained") or "not installed",
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages,
        "extras": extras,
        "cores": cores(),
        **_torch(),
        "kernel_cache": str(cache),
        "kernel_cache_writable": kept,
        "problems": problems,
    }


def _requirements() -> tuple[dict[str, str | None], dict[str, bool]]:
    """Versions of the packages that are needed, and which extras are installed completely."""
    packages: dict[str, str | None] = {}
    extras: dict[str, bool] = {}
    for requirement in metadata.requires("untrained") or []:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", requirement)
        if extra is None:
            packages[name] = _version(name)
        else:
            extras[extra[1]] = extras.get(extra[1], True) and _version(name) is not None
    return packages, extras


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _torch() -> dict[str, Any]:
    """Devices and threads."""
    try:
        torch = importlib.import_module("torch")  # Looked at, not computed with.
    except ImportError:
        return {}
    count = torch.cuda.device_count()
    return {
        "devices": ["cpu", *(f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(count))],
        "torch_threads": torch.get_num_threads(),
    }


def _kernel_cache() -> tuple[Path, bool]:
    """The folder where numba keeps compiled kernels, and whether it can write there.

    numba tries a folder of its own, then the one beside the source, then one of the user's.
    """
    own = os.environ.get("NUMBA_CACHE_DIR")
    if own:
        return Path(own), _writable(Path(own))
    beside = Path(__file__).parent.parent
    if _writable(beside):
        return beside, True
    user = Path.home() / ("AppData/Local" if sys.platform == "win32" else ".cache") / "numba"
    return user, _writable(user)


def _writable(folder: Path) -> bool:
    """Whether files can be made in `folder`, or in the nearest folder above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_line(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    if value is None or isinstance(value, bool):
        return {True: "yes", False: "no", None: "missing"}[value]
    return str(value)
