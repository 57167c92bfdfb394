"""`untrained score`: architectures under the metrics, one or several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from untrained.cli.options import Json, split_names

if TYPE_CHECKING:
    from untrained.architecture import Architecture
    from untrained.metrics.metric import Metric


def score(
    architectures: Annotated[
        list[str] | None, typer.Argument(metavar="ARCHITECTURE...", help="Texts: 'space:architecture', or see --space.")
    ] = None,
    space: Annotated[str | None, typer.Option(help="The space of texts that name none, and of --random.")] = None,
    random: Annotated[int, typer.Option(min=0, metavar="N", help="Score N random architectures of --space.")] = 0,
    data: Annotated[
        str, typer.Option(help="'digits', a folder of class folders, a CIFAR folder, or an .npz file.")
    ] = "digits",
    metric: Annotated[
        list[str] | None,
        typer.Option(help="A metric or a pattern; repeat for several. Default: those of the space, params, macs."),
    ] = None,
    metrics: Annotated[str, typer.Option(help="Several metrics, separated by commas.")] = "",
    skeleton: Annotated[
        str | None, typer.Option(help="The network that is scored. Default: the small one that the space names.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="The network whose size is given. Default: the benchmark's own.")
    ] = None,
    image_size: Annotated[int | None, typer.Option(help="Resize images to a square of so many pixels.")] = None,
    seed: Annotated[int, typer.Option(help="Draws images and weights as a search with this seed does.")] = 0,
    as_json: Json = False,
) -> None:
    """Score architectures untrained, as a search with the same options would."""
    from untrained.cli.terminal import print_json

    found = _architectures(architectures or [], space, random, seed)
    chosen = _metrics([*(metric or []), metrics], found)
    records = _scored(found, chosen, data, image_size, skeleton, target, seed)
    if as_json:
        print_json(records)
    elif len(records) == 1:
        _print_one(records[0], chosen)
    else:
        _print_many(records, chosen)


def _metrics(texts: list[str], found: list[Architecture]) -> list[Metric]:
    from untrained.errors import UnknownNameError
    from untrained.metrics.metric import find_metrics
    from untrained.registry import METRICS, SPACES

    names: list[str] = []
    usual = [name for architecture in found for name in SPACES[architecture.space].metrics]
    for text in split_names(texts) or [*usual, "params", "macs"]:
        matching = METRICS.names(text) if set(text) & set("*?") else [text]
        if not matching:
            raise UnknownNameError("metric", text, METRICS.names())
        names += [name for name in matching if name not in names]
    return find_metrics(names)


def _architectures(texts: list[str], space: str | None, random: int, seed: int) -> list[Architecture]:
    from untrained.architecture import Architecture
    from untrained.errors import InputError
    from untrained.registry import SPACES
    from untrained.seeds import generator

    if not texts and not random:
        raise InputError(
            "nothing to score; give an architecture such as 'nats-tss:|...|', or --random 5 --space nats-tss"
        )
    if random and space is None:
        raise InputError("--random needs --space; `untrained spaces` lists them")
    found = []
    for text in texts:
        bare = space is not None and text.partition(":")[0] not in SPACES
        found.append(SPACES[space].parse(text) if bare and space is not None else Architecture.parse(text))
    rng = generator(seed, "score")
    return found + [SPACES[space].sample(rng) for _ in range(random) if space is not None]


def _scored(
    found: list[Architecture],
    metrics: list[Metric],
    data: str,
    image_size: int | None,
    skeleton: str | None,
    target: str | None,
    seed: int,
) -> list[dict[str, Any]]:
    """The records of all architectures, evaluated on the images and with the seeds that a search gives them."""
    from untrained.errors import InputError
    from untrained.evaluate.training_free import TrainingFree
    from untrained.images.load import load_images
    from untrained.metrics.metric import settled
    from untrained.registry import SPACES
    from untrained.seeds import derive
    from untrained.study.executors import one_thread
    from untrained.study.search import tell_skipped

    images = load_images(data, image_size=image_size)
    tell_skipped(images)
    labelled = [m.name for m in metrics if m.setting.labels]
    if images.num_classes is None and labelled:
        raise InputError(f"the data {images.name!r} have no labels, which {', '.join(labelled)} need")
    wanted = max(m.setting.total_images for m in metrics)
    batch = images.batch(max(1, min(wanted, len(images.train))), derive(seed, "images"))
    classes = images.num_classes or 10
    records = []
    with one_thread():
        for architecture in found:
            space = SPACES[architecture.space]
            full = space.skeleton(target)
            numbered = settled(metrics, space, full, seed=seed, num_classes=classes, in_chans=images.channels)
            names = tuple(m.name for m in numbered)
            evaluator = TrainingFree(space, names, *batch, classes, space.skeleton(skeleton or space.scored), full)
            network = space.canonical(architecture)
            outcome = evaluator(network, seed=derive(seed, "candidate", str(network)))
            readings = {
                m.name: {
                    "value": outcome.values[name],
                    "better": m.better,
                    "seconds": outcome.costs.get(name),
                    "reason": outcome.reasons.get(name),
                }
                for m, name in zip(metrics, names, strict=True)
            }
            records.append({"architecture": str(architecture), "metrics": readings})
    return records


def _print_one(record: dict[str, Any], metrics: list[Metric]) -> None:
    from untrained.cli.terminal import number, results, table

    out = results()
    out.print(f"{record['architecture']}\n")
    rows = table("metric", ">value", "better", ">seconds", "~what it is, or why it has no value")
    for m in metrics:
        one = record["metrics"][m.name]
        seconds = "–" if one["seconds"] is None else f"{one['seconds']:.4f}"
        meaning = m.summary if one["reason"] is None else f"no value: {one['reason']}"
        rows.add_row(m.name, number(one["value"]), m.better, seconds, meaning)
    out.print(rows)


def _print_many(records: list[dict[str, Any]], metrics: list[Metric]) -> None:
    from untrained.cli.terminal import number, results, table

    out = results()
    rows = table(">#", *(f">{m.name}" for m in metrics), "~architecture")
    for i, record in enumerate(records, start=1):
        values = [number(record["metrics"][m.name]["value"]) for m in metrics]
        rows.add_row(str(i), *values, record["architecture"])
    out.print(rows)
    lower = [m.name for m in metrics if m.better == "lower"]
    out.print(f"Higher is better{', but lower for ' + ', '.join(lower) if lower else ''}.")
    for i, record in enumerate(records, start=1):
        for name, one in record["metrics"].items():
            if one["reason"] is not None:
                out.print(f"#{i} has no {name}: {one['reason']}")
