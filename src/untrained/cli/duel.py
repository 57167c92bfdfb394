"""The winner against the median random candidate, both trained in full: was the search worth it?"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING

from untrained.errors import InputError, UntrainedError
from untrained.report.training_run import TrainingRun
from untrained.study.executors import leave_with

if TYPE_CHECKING:
    from untrained.architecture import Architecture
    from untrained.study.study import Study
    from untrained.training.trained import Epoch

FEWEST_RANDOM = 3
"""Below so many random candidates in the history their median says little, and another one is drawn."""


@dataclass(frozen=True, slots=True)
class Contender:
    """An architecture to train: what it stands for and, if it has one, its trial."""

    label: str
    architecture: Architecture
    trial: int | None


@dataclass(frozen=True, slots=True)
class Training:
    """How all contenders are trained: on which images, as which network, with which recipe."""

    source: str
    image_size: int | None
    target: str
    recipe: str
    epochs: int | None
    seed: int


OnEpoch = Callable[[Contender, "Epoch"], None]


def contenders(study: Study) -> list[Contender]:
    """The winner, and the candidate in the middle of the ranking of the random ones."""
    from untrained.seeds import generator

    winner = study.best_trial
    drawn = [trial for trial in study.best_trials if trial.operator == "sample"]
    if len(drawn) >= FEWEST_RANDOM:
        middle = drawn[len(drawn) // 2]
        rival = Contender("median random candidate", middle.architecture, middle.number)
    else:
        rival = Contender("random candidate", study.space.sample(generator(study.seed, "duel")), None)
    return [Contender("winner", winner.architecture, winner.number), rival]


def train_all(
    entries: Sequence[Contender], how: Training, *, weights: Path, workers: int, on_epoch: OnEpoch
) -> list[TrainingRun]:
    """Train each, in this process for one worker, else side by side; the first one's weights are saved to `weights`."""
    files = [weights if i == 0 else None for i in range(len(entries))]
    if workers == 1:
        return [
            _train(entry, how, file, lambda epoch, entry=entry: on_epoch(entry, epoch))  # type: ignore[misc]
            for entry, file in zip(entries, files, strict=True)
        ]
    return _train_side_by_side(entries, how, files, on_epoch)


def _train(entry: Contender, how: Training, weights: Path | None, on_epoch: Callable[[Epoch], object]) -> TrainingRun:
    from untrained.images.load import load_images
    from untrained.study.executors import one_thread
    from untrained.training.loop import train

    images = load_images(how.source, image_size=how.image_size)
    with one_thread():
        trained = train(
            entry.architecture, images, how.recipe, seed=how.seed, skeleton=how.target, epochs=how.epochs,
            on_epoch=on_epoch,
        )  # fmt: skip
    return TrainingRun(
        label=entry.label,
        trial=entry.trial,
        architecture=str(entry.architecture),
        test_accuracy=trained.test_accuracy,
        parameters=trained.parameters,
        seconds=trained.seconds,
        recipe=trained.recipe.name,
        seed=how.seed,
        history=tuple(asdict(epoch) for epoch in trained.history),
        weights=None if weights is None else str(trained.save(weights)),
        reason=trained.reason,
    )


def _train_side_by_side(
    entries: Sequence[Contender], how: Training, files: Sequence[Path | None], on_epoch: OnEpoch
) -> list[TrainingRun]:
    context = multiprocessing.get_context("spawn")
    runs: dict[int, TrainingRun] = {}
    children = []
    listening: dict[Connection, int] = {}
    try:
        for i, (entry, file) in enumerate(zip(entries, files, strict=True)):
            ear, mouth = context.Pipe(duplex=False)
            child = context.Process(target=_child, args=(os.getpid(), mouth, entry, how, file), daemon=True)
            # Started while Ctrl-C is ignored, they ignore it for good: it is the parent's to handle.
            handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
            child.start()
            signal.signal(signal.SIGINT, handler)
            mouth.close()
            children.append(child)
            listening[ear] = i
        while listening:
            ready = wait(list(listening))
            for ear, i in [(ear, i) for ear, i in listening.items() if ear in ready]:
                try:
                    said = ear.recv()
                except EOFError:
                    raise RuntimeError(f"the process that trained the {entries[i].label} died") from None
                if isinstance(said, BaseException):
                    raise said
                if isinstance(said, TrainingRun):
                    runs[i] = said
                    del listening[ear]
                else:
                    on_epoch(entries[i], said)
    finally:
        for child in children:
            child.terminate()
            child.join()
    return [runs[i] for i in range(len(entries))]


def _child(parent: int, mouth: Connection, entry: Contender, how: Training, weights: Path | None) -> None:
    """Train one contender, on one thread, as long as its parent lives."""
    leave_with(parent)
    try:
        mouth.send(_train(entry, how, weights, mouth.send))
    except (BrokenPipeError, ConnectionResetError):
        return
    except UntrainedError as error:
        mouth.send(InputError(str(error)))
