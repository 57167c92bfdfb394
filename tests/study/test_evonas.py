"""Published runs become studies; what is no such run is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from untrained.errors import InputError
from untrained.spaces.chain import chain
from untrained.study.evonas import import_evonas
from untrained.study.journal import Journal
from untrained.study.search import load_study

OFFICIAL = ("cifar10_s4_naive.evonas", "cifar10_s4_rigid.evonas")
RESCALING = {"layer": "Rescaling", "f_name": "Rescaling", "scale": 1 / 255}
CONV = {"layer": "C_2D", "f_name": "Conv2D", "filters": 16, "kernel_size": 3, "strides": 1, "padding": "same"}
BATCH_NORM = {"layer": "BN_2D", "f_name": "BatchNormalization()"}
POOLING = {"layer": "GAP_2D", "f_name": "GlobalAveragePooling2D()"}


def result(accuracy: float, size: int = 1000) -> dict[str, float]:
    return {"memory_footprint_h5": size, "val_acc": accuracy, "inference_time": 0.5, "fitness": accuracy}


def small() -> dict[str, Any]:
    """Two generations of three. `c` breaks a rule, `d` is too large, `e` was not trained, `a` is a name of both."""
    first = {"a": [RESCALING, CONV, POOLING], "b": [RESCALING, CONV, BATCH_NORM, POOLING], "c": [CONV, BATCH_NORM]}
    second = {"d": [RESCALING, CONV, CONV, POOLING], "a": first["b"], "e": first["a"]}
    heads = ["Generation: 1", "Parent_1: (a, 1)", "Parent_2: (b, 2)", "New_Individual: d"]
    row = ["Generation: 1", "Parent_1: (c, 1)", "Parent_2: (a, 2)", "New_Individual: a"]
    params = {
        "dataset": "cifar10", "generations": 2, "population_size": 3, "nb_best_models_crossover": 2, "nb_epochs": 12,
        "mutation_rate": 20, "input_shape": [32, 32, 3], "nb_classes": 10, "max_memory_footprint": 40000,
        "random_seed": 7,
    }  # fmt: skip
    return {
        "total": {
            "params": params,
            "crossover": json.dumps({head: {"0": cell} for head, cell in zip(heads, row, strict=True)}),
        },
        "Generation_1": {
            "chromosomes": first,
            "individuals_results": {"a": result(0.5), "b": result(0.75), "c": result(0.25, 2000)},
        },
        "Generation_2": {
            "chromosomes": second,
            "individuals_results": {
                "d": {"memory_footprint_h5": 50000, "fitness": 0.0},
                "a": result(0.625),
                "e": {"memory_footprint_h5": 1000, "fitness": -10001.0},
            },
        },
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], Path]:
    """Writes a value as the file `small.evonas`."""

    def written(value: Any) -> Path:
        path = tmp_path / "small.evonas"
        path.write_text(json.dumps(value))
        return path

    return written


def test_every_individual_becomes_a_trial(write: Callable[[Any], Path]) -> None:
    study = import_evonas(write(small()))
    assert study.name == "small"
    assert [str(trial.architecture) for trial in study.trials] == [
        "chain:C16k3s1-g", "chain:C16k3s1-B-g", "chain:C16k3s1-B", "chain:C16k3s1-C16k3s1-g", "chain:C16k3s1-B-g",
        "chain:C16k3s1-g",
    ]  # fmt: skip
    assert [trial.operator for trial in study.trials] == ["generation 1"] * 3 + ["generation 2"] * 3
    assert [trial.parents for trial in study.trials] == [(), (), (), (0, 1), (2, 0), ()]
    assert [trial.state for trial in study.trials] == ["complete"] * 3 + ["rejected", "complete", "failed"]
    assert study.trials[2].values == {"fitness": 0.25, "val_acc": 0.25, "size": 2000, "inference_time": 0.5}
    assert study.trials[3].reasons == {"limits": "size 50,000 breaks size<=40000"}
    assert study.trials[5].reasons == {"error": "not trained: its fitness is -10001.0"}
    assert not study.trials[3].values
    assert not study.trials[5].values


def test_parents_that_the_generation_before_lacks_are_unknown(write: Callable[[Any], Path]) -> None:
    stored = small()
    stored["Generation_3"] = stored["Generation_1"]
    table = {head: list(cells.values()) for head, cells in json.loads(stored["total"]["crossover"]).items()}
    for head, cell in zip(
        table, ("Generation: 2", "Parent_1: (a, 1)", "Parent_2: (c, 1)", "New_Individual: a"), strict=True
    ):
        table[head].append(cell)
    for head, cell in zip(
        table, ("Generation: 2", "Parent_1: (a, 1)", "Parent_2: (e, 1)", "New_Individual: b"), strict=True
    ):
        table[head].append(cell)
    stored["total"]["crossover"] = json.dumps({head: dict(enumerate(cells)) for head, cells in table.items()})
    assert [trial.parents for trial in import_evonas(write(stored)).trials[6:]] == [(), (4, 5), ()]


def test_the_study_is_ranked_by_fitness_and_stored_with_its_directions(
    write: Callable[[Any], Path], tmp_path: Path
) -> None:
    imported = import_evonas(write(small()), tmp_path / "runs.db", "run")
    study = load_study(tmp_path / "runs.db", "run")
    assert study.trials == imported.trials
    assert study.directions == {"fitness": 1, "val_acc": 1, "size": -1, "inference_time": -1}
    assert [trial.number for trial in study.best_trials] == [1, 0, 2]
    assert study.setup["seed"] == 7
    assert study.setup["image_shape"] == [3, 32, 32]
    assert study.setup["options"]["population"] == 3
    assert chain.violations(study.trials[2].architecture)
    with pytest.raises(InputError, match="loaded to be read"):
        study.run(10)


@pytest.mark.parametrize("file", OFFICIAL)
def test_published_runs_keep_every_number(shared_data: Path, tmp_path: Path, file: str) -> None:
    path = shared_data / "official" / file
    study = import_evonas(path, tmp_path / "runs.db")
    stored = json.loads(path.read_text())
    trials = iter(study.trials)
    numbers: dict[tuple[int, str], int] = {}
    for generation in range(1, 21):
        there = stored[f"Generation_{generation}"]
        for name in there["chromosomes"]:
            trial = next(trials)
            numbers[generation, name] = trial.number
            assert "".join(token.symbol for token in chain.tokens(trial.architecture)) == there["sequences"][name]
            assert trial.operator == f"generation {generation}"
            assert all(study.trials[number].operator == f"generation {generation - 1}" for number in trial.parents)
            published = there["individuals_results"][name]
            assert trial.values.get("fitness") == published.get("val_acc")
            assert trial.state == ("complete" if "val_acc" in published else "failed")
            assert trial.state == "failed" or trial.values["size"] == published["memory_footprint_h5"]
    assert next(trials, None) is None
    assert sum(bool(chain.violations(trial.architecture)) for trial in study.trials) > 10
    assert sum(len(trial.parents) == 2 for trial in study.trials) >= 450
    best = json.loads(stored["total"]["df_best_individuals"])
    top = max(best["fitness"], key=lambda row: best["fitness"][row])
    assert study.best_trial.number == numbers[best["Generation"][top], best["Name"][top]]
    assert load_study(tmp_path / "runs.db").trials == study.trials


def refused(path: Path, *, match: str) -> None:
    """Refused in one line, before anything is stored."""
    journal = Journal()
    with pytest.raises(InputError, match=match) as caught:
        import_evonas(path, journal)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert journal.studies() == []


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.77, 0.999])
def test_truncated_files(write: Callable[[Any], Path], share: float) -> None:
    path = write(small())
    text = path.read_text()
    path.write_text(text[: int(share * len(text))])
    refused(path, match="is no whole .evonas file")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda stored: stored.pop("total"), "expected a JSON object"),
        (lambda stored: stored["total"].pop("params"), "KeyError 'params'"),
        (lambda stored: stored["total"]["params"].pop("input_shape"), "KeyError 'input_shape'"),
        (lambda stored: stored["total"].update(params=[]), "TypeError"),
        (lambda stored: stored["total"].update(crossover="{"), "JSONDecodeError"),
        (lambda stored: stored["total"].update(crossover="[]"), "no .evonas file of the chain space"),
        (lambda stored: stored["Generation_2"].pop("chromosomes"), "KeyError 'chromosomes'"),
        (lambda stored: stored.update(Generation_2=None), "TypeError"),
        (lambda stored: stored["Generation_2"].update(chromosomes={}), "generation 2 has no individuals"),
        (lambda stored: stored["Generation_1"]["individuals_results"].pop("b"), "KeyError 'b'"),
        (lambda stored: stored["Generation_1"]["individuals_results"].update(b=3), "AttributeError"),
        (
            lambda stored: stored["Generation_2"]["chromosomes"].update(e=[{"layer": "STFT"}]),
            "e of generation 2: gene 0",
        ),
        (lambda stored: stored["Generation_2"]["chromosomes"].update(e=[{"layer": "x" * 5000}]), "unknown layer 'xxx"),
        (lambda stored: stored["Generation_2"]["chromosomes"].update(e=["C"]), "e of generation 2: gene 0: 'C' is no"),
    ],
)
def test_malformed_files(write: Callable[[Any], Path], change: Callable[[Any], Any], message: str) -> None:
    stored = small()
    change(stored)
    refused(write(stored), match=message)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    path = tmp_path / "x.evonas"
    refused(path, match="No such file")
    refused(tmp_path, match="directory")
    for content in (b"[1, 2]", b"null"):
        path.write_bytes(content)
        refused(path, match="expected a JSON object")
    for content in (b"\xff\xfe\x00", b"SQLite format 3\x00", b"[" * 100_000):
        path.write_bytes(content)
        refused(path, match="no whole .evonas file")


def test_a_name_is_taken_once(write: Callable[[Any], Path]) -> None:
    journal = Journal()
    import_evonas(write(small()), journal)
    with pytest.raises(InputError, match="'small' already"):
        import_evonas(write(small()), journal)
    assert import_evonas(write(small()), journal, "again").trials == import_evonas(write(small())).trials
