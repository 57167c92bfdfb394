"""Command lines run in this process, in a folder of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from untrained.cli.app import main

TINY = ("--metrics", "params,nwot", "--target", "channels=4,cells=1", "--workers", "1", "--no-report")
"""A search of a second."""


class Answer(NamedTuple):
    """Exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """`run("search", "--seed", "1")` is the answer to `untrained search --seed 1`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: object) -> Answer:
        self._capsys.readouterr()
        code = main([str(word) for word in words])
        return Answer(code, *self._capsys.readouterr())

    def done(self, *words: object) -> Answer:
        """The answer of a command that succeeds."""
        answer = self(*words)
        assert answer.code == 0, answer
        return answer

    def refused(self, *words: object) -> str:
        """The one message of a refusal: on stderr alone, without a traceback, and with exit code 2."""
        answer = self(*words)
        assert answer.code == 2, answer
        assert answer.out == ""
        assert answer.err.startswith("error: ")
        assert answer.err.count("error: ") == 1
        assert "Traceback" not in answer.err
        return answer.err

    def search(self, *words: object) -> Answer:
        """A search of a second that succeeds."""
        return self.done("search", *TINY, *words)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Runs command lines in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return CommandLine(capsys)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one study called `first`, only to be read."""
    path = tmp_path_factory.mktemp("store") / "first.db"
    words = ["--store", str(path), "--name", "first", "--evaluations", "14", "--seed", "5"]
    assert main(["search", *TINY, *words, "--option", "population=6", "--json"]) == 0
    return path
