from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

import untrained
from untrained.cli.app import app

VERBS = [command.callback.__name__ for command in app.registered_commands]
GROUPS = {group.typer_instance.info.name: group.typer_instance for group in app.registered_groups}
HEAVY = ["torch", "numpy", "numba", "pandas", "sqlalchemy", "plotly", "scipy", "sklearn", "PIL", "pebble"]

ALL_HELP = """
import json, sys
from untrained.cli.app import main
codes = [main(words.split()) for words in json.loads(sys.argv[1])]
loaded = sorted(set(sys.modules) & set(json.loads(sys.argv[2])))
print(json.dumps([codes, loaded]), file=sys.stderr)
"""


def test_the_verbs_are_there():
    assert {"search", "score", "report", "spaces", "metrics", "algorithms", "doctor"} <= set(VERBS)
    assert set(GROUPS) == {"studies"}


def test_no_help_imports_anything_heavy():
    pages = ["--help", "--version", *(f"{verb} --help" for verb in VERBS)]
    for name, group in GROUPS.items():
        pages.append(f"{name} --help")
        pages += [f"{name} {command.name or command.callback.__name__} --help" for command in group.registered_commands]
    assert "studies export --help" in pages
    done = subprocess.run(
        [sys.executable, "-c", ALL_HELP, json.dumps(pages), json.dumps(HEAVY)],
        capture_output=True,
        text=True,
        check=True,
    )
    codes, loaded = json.loads(done.stderr)
    assert codes == [0] * len(pages)
    assert loaded == []
    assert done.stdout.count("Usage: untrained") == len(pages) - 1


def test_help_takes_less_than_half_a_second_of_work():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", ALL_HELP, '["search --help"]', "[]"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_version(run):
    assert run("--version") == (0, f"{untrained.__version__}\n", "")


def test_no_verb_shows_the_help(run):
    answer = run()
    assert answer.code == 2
    assert "Usage: untrained" in answer.out + answer.err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["serach"], "No such command 'serach'"),
        (["search", "--evalutions", "3"], "No such option: --evalutions"),
        (["search", "--evaluations", "many"], "--evaluations"),
        (["search", "--seed"], "requires an argument"),
        (["studies", "burn"], "No such command 'burn'"),
    ],
)
def test_usage_errors_are_one_line_and_point_to_the_help(run, words, meant):
    message = run.refused(*words)
    assert meant in message
    assert message.count("\n") == 1
    assert "--help" in message


def test_a_fault_of_ours_is_not_hidden(run, monkeypatch):
    from untrained.registry import SPACES

    def broken(pattern="*"):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(SPACES, "names", broken)
    with pytest.raises(ZeroDivisionError):
        run("spaces")


def test_the_entry_point_exits_with_the_code():
    code = "import sys; from untrained.cli.app import main; sys.exit(main(['spaces', 'nowhere']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown space 'nowhere'")
    assert done.stdout == ""
