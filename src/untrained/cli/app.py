"""`untrained`: one verb a file; here they meet, and errors become messages and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from untrained.cli.algorithms import algorithms
from untrained.cli.compare import compare
from untrained.cli.correlate import correlate
from untrained.cli.doctor import doctor
from untrained.cli.metrics import metrics
from untrained.cli.report import report
from untrained.cli.score import score
from untrained.cli.search import search
from untrained.cli.spaces import spaces
from untrained.cli.studies import studies

DONE, OUR_FAULT, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

_ClickError: Any = typer.BadParameter.__mro__[2]
"""The base of all usage errors; typer brings its own copy of click or not, depending on its version."""

app = typer.Typer(
    name="untrained",
    help="Neural architecture search without training: sample, score, evolve, explain, train.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for _verb in (search, score, compare, correlate, report, spaces, metrics, algorithms, doctor):
    app.command()(_verb)
app.add_typer(studies)


def _print_version(wanted: bool) -> None:
    if wanted:
        from untrained import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code: 0 done, 2 bad input, 130 after Ctrl-C. A fault of ours is raised."""
    from untrained.errors import InputError

    try:
        code = app(None if arguments is None else list(arguments), prog_name="untrained", standalone_mode=False)
    except InputError as error:
        return _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except _ClickError as error:
        context = getattr(error, "ctx", None)
        message: str = error.format_message()
        if not message:
            return BAD_INPUT
        return _fail(f"{message} See: {context.command_path if context else 'untrained'} --help")
    return code if isinstance(code, int) else DONE


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return BAD_INPUT
