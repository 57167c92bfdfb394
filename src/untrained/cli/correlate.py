"""`untrained correlate`: how well metrics order the architectures of a table of measured networks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from untrained.cli.options import STORE, Json, Store, check_files, split_names, writing


def correlate(
    table: Annotated[Path, typer.Argument(help="A parquet or csv file with an architecture column.")],
    target: Annotated[str, typer.Argument(help="The column to be ordered, as an accuracy.")],
    space: Annotated[str, typer.Option(help="The space of the architectures.")] = "nats-tss",
    metrics: Annotated[
        str, typer.Option(help="Separated by commas; 'a+b' is the hybrid of both.")
    ] = "nwot,logsynflow,swap,params,nwot+logsynflow+swap",
    data: Annotated[str, typer.Option(help="The images, as for search.")] = "digits",
    sample: Annotated[
        int, typer.Option(min=0, help="So many architectures, drawn at random; 0 takes them all.")
    ] = 1000,
    seeds: Annotated[int, typer.Option(min=1, help="Draws of images and weights.")] = 1,
    top: Annotated[int, typer.Option(min=1, help="Regret is of the best among so many.")] = 10,
    ranking: Annotated[str, typer.Option(help="How hybrids are made.")] = "rank_sum",
    skeleton: Annotated[
        str | None, typer.Option(help="The network that is scored. Default: the small one that the space names.")
    ] = None,
    store: Store = STORE,
    name: Annotated[
        str | None, typer.Option(help="The studies; a name that exists is continued. Default: made from the setup.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. Default: one a core.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with figures.")] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table.")] = None,
    as_json: Json = False,
) -> None:
    """Rank correlation of metrics with measured accuracies, resumable, identical networks scored once."""
    from untrained.cli.progress import CountProgress
    from untrained.cli.search import cores
    from untrained.cli.terminal import notes, print_json, results
    from untrained.cli.terminal import table as text_table
    from untrained.spaces.space import space as find_space
    from untrained.study.correlate import correlation
    from untrained.tables.table import Table

    truth = Table.read(table, find_space(space))
    check_files([file for file in (report, csv) if file is not None], store, [table, data])
    known = sum(map(math.isfinite, truth.column(target).tolist()))
    if known < len(truth):
        notes().print(f"{len(truth) - known:,} of {len(truth):,} architectures have no {target} and are left out")
    total = seeds * min(sample or known, known)
    with CountProgress(total) as progress:
        found = correlation(
            space, truth, target, split_names([metrics]), data,
            sample=sample or None, seeds=range(seeds), top=top, ranking=ranking, skeleton=skeleton, store=store, name=name,
            workers=workers or cores(), on_trial=progress,
        )  # fmt: skip
    if csv is not None:
        with writing(csv):
            found.table.to_csv(csv)
    if report is not None:
        from untrained.report.correlation import write_correlation

        with writing(report):
            write_correlation(found, report, f"{target} on {space}")
    if as_json:
        records = found.table.reset_index().to_dict("records")
        print_json([{k: None if v != v else v for k, v in record.items()} for record in records])
        return
    rows = text_table("metric", ">spearman", ">low", ">high", ">spread", ">kendall", ">regret", ">missing", ">ms")
    for metric, row in found.table.sort_values("spearman", ascending=False).iterrows():
        numbers = (row.spearman, row.low, row.high, row.spread, row.kendall, row.regret)
        rows.add_row(
            str(metric),
            *("–" if math.isnan(v) else f"{v:.3f}" for v in numbers),
            f"{row.missing:g}",
            f"{1e3 * row.seconds:.1f}",
        )
    results().print(f"{target} of {len(found.truth):,} architectures of {space}, {seeds} draws:\n")
    results().print(rows)
