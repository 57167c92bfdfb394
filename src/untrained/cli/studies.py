"""`untrained studies`: what a store holds."""

from __future__ import annotations

import csv
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from untrained.cli.options import STORE, Json, Name, Store, check_files, writing

if TYPE_CHECKING:
    from untrained.study.study import Study

studies = typer.Typer(name="studies", help="List, show, export or import the studies of a store.", no_args_is_help=True)
TOP = 10


class Format(StrEnum):
    """How trials are exported."""

    CSV = "csv"
    JSON = "json"


@studies.command("list")
def list_studies(store: Store = STORE, as_json: Json = False) -> None:
    """List the studies of a store and how far they are."""
    from untrained.cli.terminal import print_json, results, table
    from untrained.study.journal import Journal
    from untrained.study.setup import check_setup

    journal = Journal(store, must_exist=True)
    for one in journal.studies():
        check_setup(one)
    records: list[dict[str, Any]] = [
        {"study": one.name, "created": one.created, "setup": dict(one.setup), "counts": journal.count(one)}
        for one in journal.studies()
    ]
    if as_json:
        print_json(records)
        return
    rows = table("study", "created", "space", "data", "algorithm", ">complete", ">rejected", ">failed", "~metrics")
    for record in records:
        setup, counts = record["setup"], record["counts"]
        states = [f"{counts.get(state, 0):,}" for state in ("complete", "rejected", "failed")]
        rows.add_row(
            record["study"], record["created"], setup["space"], setup["data"], setup["algorithm"], *states,
            ", ".join(setup["metrics"]),
        )  # fmt: skip
    results().print(rows if records else f"{store} holds no study yet")


@studies.command()
def show(store: Store = STORE, name: Name = None, as_json: Json = False) -> None:
    """Show one study: its setup, its counts and the best it found."""
    from untrained.cli.records import study_record, trial_record
    from untrained.cli.terminal import number, print_json, results, table
    from untrained.report.command import resume_command
    from untrained.report.tables import plain
    from untrained.study.search import load_study

    study = load_study(store, name)
    if as_json:
        print_json(study_record(study) | {"top": [trial_record(study, trial) for trial in study.best_trials[:TOP]]})
        return
    out = results()
    facts = table("", "")
    facts.show_header = False
    facts.add_row("study", study.name)
    facts.add_row("created", study.record.created)
    facts.add_row("trials", ", ".join(f"{number} {state}" for state, number in study.counts().items()))
    for key, value in study.setup.items():
        facts.add_row(key.replace("_", " "), plain(value))
    out.print(facts)
    best = table(">#", *(f">{metric}" for metric in study.directions), "operator", "~architecture")
    for trial in study.best_trials[:TOP]:
        scores = [number(trial.values.get(metric)) for metric in study.directions]
        best.add_row(str(trial.number), *scores, trial.operator, study.space.format(trial.architecture))
    out.print("\nthe best, first to last:")
    out.print(best)
    command = resume_command(study, 2 * max(1, study.evaluations))
    if command is not None:
        out.print(f"to search on:\n  {command}")


@studies.command("import")
def import_study(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An .evonas file of the alignment paper.")],
    store: Store = STORE,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Of the study. Default: that of the file.")] = None,
    as_json: Json = False,
) -> None:
    """Keep a published run of evolution as a study, for `show`, `export` and `untrained report`."""
    from untrained.cli.records import study_record
    from untrained.cli.terminal import print_json, results
    from untrained.study.evonas import import_evonas

    study = import_evonas(file, store, name)
    if as_json:
        print_json(study_record(study))
        return
    counts = ", ".join(f"{number:,} {state}" for state, number in study.counts().items())
    best = f"; the best is trial {study.best_trial.number}" if study.best_trials else ""
    results().print(f"{study.name}: {counts}{best}")


@studies.command()
def export(
    store: Store = STORE,
    name: Name = None,
    format: Annotated[Format, typer.Option(help="Comma-separated values, or JSON.")] = Format.CSV,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write. Default: stdout.")] = None,
) -> None:
    """Write every trial of a study as a row."""
    from untrained.study.search import load_study

    study = load_study(store, name)
    if out is None:
        _write(study, format, sys.stdout)
        return
    check_files([out], store)
    with writing(out), out.open("w", encoding="utf-8", newline="") as file:
        _write(study, format, file)


def _write(study: Study, format: Format, file: TextIO) -> None:
    rows = [study.row(trial) for trial in study.trials]
    if format is Format.JSON:
        json.dump(rows, file, indent=1, ensure_ascii=False, allow_nan=False)
        file.write("\n")
        return
    names = ["number", "state", "architecture", "operator", "parents", *study.directions, "seconds", "copied", "reason"]
    writer = csv.DictWriter(file, names if not rows else list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
