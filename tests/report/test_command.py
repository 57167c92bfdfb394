from __future__ import annotations

import shlex

from untrained.report.command import resume_command
from untrained.study.journal import Journal


def options(command):
    """The command as a list of (option, value)."""
    program, verb, *words = shlex.split(command)
    assert (program, verb) == ("untrained", "search")
    return list(zip(words[::2], words[1::2], strict=True))


def test_command_spells_out_the_whole_setup(make_study, tmp_path):
    store = tmp_path / "a store.db"
    study = make_study(0, journal=Journal(store), name="it's", source="/data/my images", image_shape=[3, 32, 32])
    command = resume_command(study, 500, ["--train"])
    assert command is not None
    assert command.endswith(" --train")
    assert options(command.removesuffix(" --train")) == [
        ("--space", "nats-tss"), ("--data", "/data/my images"), ("--metrics", "good,slow"), ("--ranking", "rank_sum"),
        ("--algorithm", "genetic"), ("--option", "population=10"), ("--limit", "params<500,000"),
        ("--skeleton", "proxy"), ("--target", "nats"), ("--image-size", "32"), ("--seed", "3"),
        ("--store", str(store)), ("--name", "it's"), ("--evaluations", "500"),
    ]  # fmt: skip


def test_sizes_are_said_where_they_may_have_been_asked_for(make_study, tmp_path):
    def said(name, **changes):
        study = make_study(0, journal=Journal(tmp_path / f"{name}.db"), name=name, **changes)
        return dict(options(resume_command(study, 1))).get("--image-size")

    assert said("plain") is None
    assert said("resized digits", image_shape=[1, 16, 16]) == "16"
    assert said("oblong", source="/x", image_shape=[3, 20, 30]) is None


def test_skeletons_of_ones_own_are_spelled_by_field(make_study, tmp_path):
    study = make_study(0, journal=Journal(tmp_path / "a.db"), skeleton="channels=5,cells=2")
    assert ("--skeleton", "channels=5,cells=2") in options(resume_command(study, 1))


def test_some_studies_no_command_can_continue(make_study, tmp_path):
    assert resume_command(make_study(0), 1) is None
    assert resume_command(make_study(0, journal=Journal(tmp_path / "a.db"), source=None), 1) is None
    assert resume_command(make_study(0, journal=Journal(tmp_path / "b.db"), given=17), 1) is None
