"""The command line that continues a study."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict

from untrained.study.budget import Budget
from untrained.study.study import Study


def resume_command(study: Study, budget: Budget | int, more: Sequence[str] = ()) -> str | None:
    """What to type to take `study` to a budget, or to so many evaluations; `more` is added as it is.

    Every choice that is stored with the study is spelled out. None for a study that no command can continue: one in
    memory, or of images that were given as arrays.
    """
    setup, store = study.setup, study.journal.path
    source = setup.get("source")
    tables = setup.get("tables") or []
    if store is None or source is None or None in tables or "given" in setup:
        return None
    _, height, width = setup["image_shape"]
    words = ["untrained", "search", "--space", setup["space"], "--data", source]
    if setup.get("objectives"):
        for objective, direction in setup["objectives"].items():
            words += ["--objective", objective if direction > 0 else f"-{objective}"]
    else:
        words += ["--metrics", ",".join(setup["metrics"])]
    words += ["--ranking", setup["ranking"]]
    words += ["--algorithm", setup["algorithm"]]
    for option, value in setup["options"].items():
        words += ["--option", f"{option}={value}"]
    for limit in setup["limits"]:
        words += ["--limit", limit]
    for table in tables:
        words += ["--table", table]
    if setup.get("table_cost"):
        words += ["--table-cost", setup["table_cost"]]
    words += ["--skeleton", _skeleton(study, "skeleton"), "--target", _skeleton(study, "target")]
    if height == width and (source, height) != ("digits", 8):
        words += ["--image-size", str(height)]
    words += ["--seed", str(setup["seed"]), "--store", str(store), "--name", study.name]
    budget = Budget(budget) if isinstance(budget, int) else budget
    for option, number in asdict(budget).items():
        if number is not None:
            words += [f"--{option.replace('_', '-')}", f"{number:.15g}"]
    return shlex.join([*words, *more])


def _skeleton(study: Study, which: str) -> str:
    """The preset that is meant, or the fields."""
    text: str = study.setup[which]
    meant = study.space.skeleton(text)
    return next((name for name, preset in study.space.skeletons.items() if preset == meant), text)
