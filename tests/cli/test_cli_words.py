from __future__ import annotations

import pytest

from untrained.cli.options import file_name, read_settings, split_names
from untrained.cli.progress import duration
from untrained.cli.terminal import number, shortened, table
from untrained.errors import InputError


def test_names_are_split_at_commas_outside_brackets():
    assert split_names(["ni,swap(a=1,b=2), nwot", "", "zen"]) == ["ni", "swap(a=1,b=2)", "nwot", "zen"]


def test_settings_have_the_type_they_look_like():
    read = read_settings(["a=3", "b=0.5", "c=1e3", "d=true", "e=False", "f=x=y", " g = 7 "])
    assert read == {"a": 3, "b": 0.5, "c": 1000.0, "d": True, "e": False, "f": "x=y", "g": 7}
    assert type(read["a"]) is int


@pytest.mark.parametrize("text", ["a", "=3", "a=", ""])
def test_settings_that_are_none_are_refused(text):
    with pytest.raises(InputError, match="no 'name=value'"):
        read_settings([text])


@pytest.mark.parametrize(
    ("study", "file"),
    [("first", "first"), ("../../etc/x y", "etc-x-y"), ("é1.2", "é1.2"), ("/", "study"), ("..", "study")],
)
def test_names_of_studies_are_safe_in_file_names(study, file):
    assert file_name(study) == file


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (1316218.0, "1,316,218"),
        (9.012057, "9.012"),
        (156477.97, "156,478"),
        (4084.375, "4,084"),
        (-0.00012, "-0.00012"),
        (1e30, "1e+30"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


def test_durations():
    assert [duration(s) for s in (0.4, 89, 91, 5300, 9000)] == ["0 s", "89 s", "2 min", "88 min", "2.5 h"]


def test_shortened_keeps_to_the_width():
    assert shortened("abc", 3) == "abc"
    assert shortened("abcd", 3) == "ab…"


def test_tables_cut_the_elastic_column_first():
    from rich.console import Console

    rows = table(">n", "~text")
    rows.add_row("123456", "x" * 100)
    console = Console(width=40, file=None, record=True, markup=False)
    with console.capture() as capture:
        console.print(rows)
    line = capture.get().splitlines()[2]
    assert "123456" in line
    assert line.rstrip().endswith("…")
    assert len(line) <= 40
