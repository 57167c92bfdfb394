"""`untrained search`: the main job, from a space and images to the best architecture found."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from untrained.cli.options import STORE, Json, Store, make_folder_of, read_settings, split_names

if TYPE_CHECKING:
    from untrained.algorithms.trial import Trial
    from untrained.report.training_run import TrainingRun
    from untrained.study.budget import Budget
    from untrained.study.study import Study

TOP = 5
RECIPE = "quick"


def search(
    space: Annotated[str, typer.Option(help="Where to search; `untrained spaces` lists them.")] = "nats-tss",
    data: Annotated[
        str, typer.Option(help="'digits', a folder of class folders, a CIFAR folder, or an .npz file.")
    ] = "digits",
    metric: Annotated[
        list[str] | None, typer.Option(help="A metric; repeat for several. Default: those that the space names.")
    ] = None,
    metrics: Annotated[str, typer.Option(help="Several metrics, separated by commas.")] = "",
    objective: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Instead of metrics, one of several things wanted at once; repeat. A metric, params, macs, latency_ms, "
            "accuracy (real training, as in 'accuracy(epochs=3)') or table:COLUMN; low is wanted of -NAME.",
        ),
    ] = None,
    ranking: Annotated[
        str | None,
        typer.Option(
            help="How scores become one order. Default: single for one, rank_sum for metrics, pareto for objectives."
        ),
    ] = None,
    algorithm: Annotated[str, typer.Option(help="How to search; `untrained algorithms` lists them.")] = "aging",
    option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="An option of the algorithm; may be repeated.")
    ] = None,
    evaluations: Annotated[
        int | None,
        typer.Option(min=1, help="Trials in all, those already there included. Default: 300 without another end."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="End after so many minutes of searching, earlier runs included.")
    ] = None,
    simulated_seconds: Annotated[
        float | None, typer.Option(help="End when training would have taken so long, by --table-cost.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="End when so many trials brought nothing better. Default: never.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same study.")] = 0,
    store: Store = STORE,
    name: Annotated[
        str | None, typer.Option(help="The study; a name that exists is continued. Default: made from the setup.")
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LIMIT",
            help="As in 'params<500k', 'macs<=40M' or 'latency_ms<5', of the target, or 'table:COLUMN<3'; may be repeated.",
        ),
    ] = None,
    table: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="A parquet or csv table of architectures, for table:COLUMN; may be repeated."
        ),
    ] = None,
    table_cost: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column of simulated seconds, also as in 'epoch_time*12'."),
    ] = None,
    skeleton: Annotated[
        str | None, typer.Option(help="The network that is scored. Default: the small one that the space names.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="The network that would be trained. Default: the benchmark's own.")
    ] = None,
    image_size: Annotated[int | None, typer.Option(help="Resize images to a square of so many pixels.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; the result is the same for any number. Default: one a core.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds that one candidate may take.")] = None,
    train: Annotated[
        bool, typer.Option("--train/--no-train", help="Train the winner and the median random candidate.")
    ] = False,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of training. Default: the recipe's.")] = None,
    recipe: Annotated[str | None, typer.Option(help="How to train. Default: quick.")] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the report goes. Default: runs/NAME.html.")
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no report.")] = False,
    as_json: Json = False,
) -> None:
    """Search without training: score candidates untrained, keep the best, say how to go on.

    Everything is stored as it happens: after Ctrl-C, or to search on, run the same command again.
    """
    study: Study | None = None
    given: Budget | None = None
    more = _train_options(train, epochs, recipe, report)
    try:
        from untrained.cli.report import check_page, default_page, kept_runs
        from untrained.cli.terminal import notes
        from untrained.errors import InputError
        from untrained.study.budget import Budget
        from untrained.study.executors import check_workers
        from untrained.study.search import open_search

        told = notes()
        workers = workers or cores()
        check_workers(workers, timeout)
        budget = given = Budget(evaluations, minutes, simulated_seconds, patience)
        budget.check_cost(table_cost)
        _check_training(train, epochs, recipe)
        make_folder_of(store)
        read: list[str | Path] = [data, *(table or [])]
        if report is not None:
            check_page(report, store, read, weights=train)
        study = open_search(
            space, data, metrics=split_names([*(metric or []), metrics]) or None, objectives=objective or [],
            ranking=ranking, algorithm=algorithm, options=read_settings(option or []), seed=seed, store=store, name=name,
            limits=limit or [], tables=table or [], table_cost=table_cost, skeleton=skeleton, target=target,
            image_size=image_size,
        )  # fmt: skip
        if train and study.setup["num_classes"] is None:
            raise InputError(f"--train needs labels, and the images {study.setup['data']!r} have none")
        page = None if no_report else report or default_page(study)
        files = page or default_page(study)
        if page is not None or train:
            check_page(files, store, read, weights=train)
        _run(study, budget, workers, timeout)
        _check_found(study)
        runs = _train(study, files, recipe or RECIPE, epochs, workers) if train else kept_runs(study, files)
        if page is not None:
            told.print("writing the report")
            _report(study, page, runs, budget, more)
        if as_json:
            _print_json(study, page, runs, budget, more)
        else:
            _print(study, page, runs, budget, more)
    except KeyboardInterrupt:
        print(_interrupted(study, given, more), file=sys.stderr)
        raise typer.Exit(130) from None


def cores() -> int:
    """The processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# -- the steps ---------------------------------------------------------------------------------------------------------


def _check_training(train: bool, epochs: int | None, recipe: str | None) -> None:
    from untrained.errors import InputError
    from untrained.training.recipe import recipe as find_recipe

    for option, value in (("epochs", epochs), ("recipe", recipe)):
        if value is not None and not train:
            raise InputError(
                f"--{option} is for --train; give both, or write the objective as 'accuracy({option}={value})'"
            )
    if recipe is not None:
        find_recipe(recipe)


def _run(study: Study, budget: Budget, workers: int, timeout: float | None) -> None:
    from untrained.cli.progress import SearchProgress
    from untrained.cli.terminal import notes

    there = study.evaluations
    told = notes()
    if budget.evaluations is not None:
        if there >= budget.evaluations:
            told.print(f"study {study.name!r}: {there:,} trials were there already; nothing to search")
            return
        workers = min(workers, budget.evaluations - there)
    metrics = ", ".join(study.directions)
    told.print(
        (f"study {study.name!r}: {there:,} trials were there already\n" if there else f"new study {study.name!r}\n")
        + f"scoring {study.space.name} on {study.setup['data']} by {metrics} with {workers} worker{'s' * (workers > 1)}"
    )
    with SearchProgress(study, budget) as progress:
        why = study.run(**asdict(budget), workers=workers, timeout=timeout, on_trial=progress)
    told.print(progress.line())
    if budget.evaluations is None or study.evaluations < budget.evaluations:
        told.print(f"ended: {why}")


def _check_found(study: Study) -> None:
    from untrained.errors import InputError
    from untrained.report.losses import lost

    if all(any(trial.values.get(name) is None for name in study.directions) for trial in study.complete):
        if not (losses := lost(study)):
            raise InputError(
                f"all of the {study.evaluations:,} trials had a share of the evaluation; search on until one has all of it"
            )
        (what, why), times = losses[0]
        raise InputError(f"no candidate could be scored; {times:,} {what}: {why}")


def _train(study: Study, page: Path, recipe: str, epochs: int | None, workers: int) -> list[TrainingRun]:
    from untrained.cli.duel import Training, contenders, train_all
    from untrained.cli.terminal import notes
    from untrained.report.training_run import write_runs

    told = notes()
    weights = page.with_suffix(".safetensors")
    _, height, width = study.setup["image_shape"]
    how = Training(
        study.setup["source"], height if height == width else None, study.setup["target"], recipe, epochs, study.seed
    )
    entries = contenders(study)
    told.print(f"training the {' and the '.join(entry.label for entry in entries)}")
    runs = train_all(
        entries,
        how,
        weights=weights,
        workers=min(workers, len(entries)),
        on_epoch=lambda entry, epoch: told.print(
            f"{entry.label:>24}  epoch {epoch.number}: loss {epoch.loss:.3f}, test accuracy "
            f"{_percent(epoch.test_accuracy)}, {epoch.seconds:.1f} s"
        ),
    )
    write_runs(runs, weights.with_suffix(".json"))
    return runs


def _report(study: Study, page: Path, runs: list[TrainingRun], budget: Budget, more: list[str]) -> None:
    from untrained.report.command import resume_command
    from untrained.report.page import Extra, write_report

    command = resume_command(study, budget.doubled(study.evaluations), more)
    write_report(study, page, extra=Extra(runs, command))


# -- what is said ------------------------------------------------------------------------------------------------------


def _train_options(train: bool, epochs: int | None, recipe: str | None, report: Path | None) -> list[str]:
    words = ["--train"] if train else []
    if train and recipe is not None:
        words += ["--recipe", recipe]
    if train and epochs is not None:
        words += ["--epochs", str(epochs)]
    return words + (["--report", str(report)] if report is not None else [])


def _interrupted(study: Study | None, budget: Budget | None, more: list[str]) -> str:
    from untrained.report.command import resume_command

    if study is None or budget is None:
        return "\ninterrupted before anything was scored"
    return (
        f"\ninterrupted; {study.evaluations:,} trials are kept. Resume with:\n  {resume_command(study, budget, more)}"
    )


def _percent(accuracy: float | None) -> str:
    return "–" if accuracy is None else f"{accuracy:.2%}"


def _print_json(study: Study, page: Path | None, runs: list[TrainingRun], budget: Budget, more: list[str]) -> None:
    from untrained.cli.records import study_record, trial_record
    from untrained.cli.terminal import print_json
    from untrained.report.command import resume_command
    from untrained.report.losses import rejected

    document: dict[str, Any] = {
        **study_record(study),
        "best": trial_record(study, study.best_trial),
        "top": [trial_record(study, trial) for trial in study.best_trials[:TOP]],
        "front": [trial_record(study, trial) for trial in study.front] if study.has_front else None,
        "rejected": dict(rejected(study)),
        "training": [asdict(run) for run in runs],
        "report": None if page is None else str(page),
        "resume": resume_command(study, budget.doubled(study.evaluations), more),
    }
    print_json(document)


def _print(study: Study, page: Path | None, runs: list[TrainingRun], budget: Budget, more: list[str]) -> None:
    from untrained.cli.terminal import count, number, results, table
    from untrained.report.command import resume_command
    from untrained.report.losses import rejected
    from untrained.report.sizes import target_size

    out = results()
    best = study.best_trial
    size = target_size(study, best.architecture)
    front = study.front if study.has_front else []
    which = f"the compromise of a front of {len(front):,} networks, of" if front else "best of"
    out.print(f"{which} {study.evaluations:,} trials: #{best.number}\n")
    out.print(study.space.draw(best.architecture).text(out.width))
    out.print(f"\n{best.architecture}\n")
    rows = table("", ">compromise" if front else ">best")
    for name in study.directions:
        rows.add_row(name, number(best.values.get(name)))
    for name, value in (("params", size.parameters), ("macs", size.macs)):
        if name not in study.directions:
            rows.add_row(name, count(value))
    out.print(rows)
    if front:
        first, direction = next(iter(study.directions.items()))
        ordered = sorted(front, key=lambda trial: -direction * (trial.values[first] or 0.0))
        out.print(f"\nthe front, by {first}: no other trial is as good in everything and better in something")
        _print_trials(study, ordered)
    else:
        out.print("\nthe best, first to last:")
        _print_trials(study, study.best_trials[:TOP])
    counts = rejected(study)
    if counts:
        out.print("rejected: " + "; ".join(f"{times:,} by {why}" for why, times in counts))
    if runs:
        out.print()
        trained = table("trained", ">test accuracy", ">params", ">epochs", ">seconds")
        for run in runs:
            trained.add_row(
                run.label, _percent(run.test_accuracy), count(run.parameters), str(len(run.history)),
                f"{run.seconds:.1f}",
            )  # fmt: skip
        out.print(trained)
        out.print(f"weights: {runs[0].weights}")
    out.print()
    if page is not None:
        out.print(f"report: {page}")
    out.print(f"to search on:\n  {resume_command(study, budget.doubled(study.evaluations), more)}")


def _print_trials(study: Study, trials: Sequence[Trial]) -> None:
    from untrained.cli.terminal import count, number, results, table
    from untrained.report.sizes import target_size

    sized = "params" not in study.directions
    rows = table(">#", *(f">{name}" for name in study.directions), *([">params"] * sized), "~architecture")
    for trial in trials:
        scores = [number(trial.values.get(name)) for name in study.directions]
        params = [count(target_size(study, trial.architecture).parameters)] * sized
        rows.add_row(str(trial.number), *scores, *params, study.space.format(trial.architecture))
    results().print(rows)
