"""`untrained report`: the page about a stored study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from untrained.cli.options import STORE, Json, Name, Store, check_files, file_name

if TYPE_CHECKING:
    from untrained.report.training_run import TrainingRun
    from untrained.study.study import Study

RUNS = Path("runs")


def report(
    store: Store = STORE,
    name: Name = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the page goes. Default: runs/NAME.html.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write one self-contained HTML page about a study."""
    from untrained.cli.terminal import print_json
    from untrained.report.page import Extra, write_report
    from untrained.study.search import load_study

    study = load_study(store, name)
    page = out or default_page(study)
    check_page(page, store)
    write_report(study, page, extra=Extra(kept_runs(study, page)))
    if as_json:
        print_json({"study": study.name, "report": str(page)})
    else:
        print(page)


def default_page(study: Study) -> Path:
    """Where the page about `study` goes when nobody says."""
    return RUNS / f"{file_name(study.name)}.html"


def check_page(page: Path, store: Path, read: Sequence[str | Path] = (), *, weights: bool = False) -> None:
    """Refuse a page that cannot be written, or that stands where its training runs or, with `weights`, theirs are kept."""
    check_files([page], store, read)
    runs = page.with_suffix(".json")
    if weights:
        check_files([page, runs, page.with_suffix(".safetensors")], store, read)
    else:
        check_files([page], store, [*read, runs])


def kept_runs(study: Study, page: Path) -> list[TrainingRun]:
    """The training runs that a search left beside its page, as long as the winner they trained is still the winner."""
    from untrained.report.training_run import read_runs

    runs = read_runs(page.with_suffix(".json"))
    if not runs or not study.best_trials or runs[0].architecture != str(study.best_trial.architecture):
        return []
    return runs
