from __future__ import annotations

import json

import untrained as un
from untrained.study.search import load_study

FILE = "cifar10_s4_naive.evonas"


def test_a_published_run_is_imported_shown_reported_and_compared(run, shared_data):
    out = run.done("studies", "import", shared_data / "official" / FILE, "--store", "runs.db", "--name", "naive").out
    assert out == "naive: 497 complete, 0 rejected, 3 failed; the best is trial 493\n"
    assert len(load_study("runs.db", "naive").trials) == 500
    assert "val_acc" in run.done("studies", "show", "--store", "runs.db").out
    top = run.done("studies", "show", "--store", "runs.db", "--json").json["top"]
    assert None in [trial["params"] for trial in top]
    assert top[0]["params"] > 1e6
    listed = run.done("studies", "list", "--store", "runs.db").out
    assert "fitness, val_acc, size, inference_time" in listed
    run.done("report", "--store", "runs.db", "--out", "naive.html")
    assert run.done("compare", 493, 472, "--store", "runs.db", "--json").json["similarity"] > 0.9
    assert "already" in run.refused(
        "studies", "import", shared_data / "official" / FILE, "--store", "runs.db", "--name", "naive"
    )


def test_json_and_the_name_of_the_file(run, shared_data):
    answer = run.done("studies", "import", shared_data / "official" / FILE, "--json").json
    assert answer["study"] == "cifar10_s4_naive"
    assert answer["counts"] == {"complete": 497, "rejected": 0, "failed": 3}


def test_truncated_files_are_refused_in_one_line(run, shared_data, tmp_path):
    path = tmp_path / "half.evonas"
    path.write_bytes((shared_data / "official" / FILE).read_bytes()[:1_000_000])
    message = run.refused("studies", "import", path)
    assert "no whole .evonas file" in message
    assert message.count("\n") == 1
    assert "cannot read" in run.refused("studies", "import", "nowhere.evonas")


def first_population(shared_data, path, change):
    """A file with the first population alone, after `change` of its chromosomes."""
    stored = json.loads((shared_data / "official" / FILE).read_text())
    kept = {key: value for key, value in stored.items() if key in ("total", "Generation_1")}
    chromosomes = kept["Generation_1"]["chromosomes"]
    change(chromosomes)
    path.write_text(json.dumps(kept))
    return path


def test_populations_of_nobody_and_unknown_genes_are_refused_in_one_line(run, shared_data, tmp_path):
    empty = first_population(shared_data, tmp_path / "empty.evonas", dict.clear)
    foreign = first_population(
        shared_data, tmp_path / "foreign.evonas", lambda them: them.update(new=[{"layer": "LSTM"}])
    )
    for path, message in ((empty, "generation 1 has no individuals"), (foreign, "unknown layer 'LSTM'")):
        refusal = run.refused("studies", "import", path)
        assert message in refusal
        assert refusal.count("\n") == 1
    assert "there is no store" in run.refused("report")


def test_one_individual_is_imported_and_reported(run, shared_data, tmp_path):
    def all_but_one(chromosomes):
        for name in list(chromosomes)[1:]:
            del chromosomes[name]

    path = first_population(shared_data, tmp_path / "one.evonas", all_but_one)
    assert run.done("studies", "import", path).out.startswith("one: 1 complete")
    run.done("report", "--out", "one.html")
    assert (tmp_path / "one.html").stat().st_size > 1000
    assert len(un.import_evonas(path).trials) == 1
