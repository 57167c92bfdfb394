"""Plug-ins by name: found late, never by accident, and missed with a hint."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from untrained.errors import InputError, UnknownNameError
from untrained.registry import SPACES, Registry, summary


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package whose modules register what they define in `plants.KNOWN`."""
    folder = tmp_path / "plants"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "__init__.py").write_text("raise RuntimeError('sub-packages are not plug-ins')")
    (folder / "__init__.py").write_text(
        "from untrained.registry import Registry\nKNOWN = Registry('plant', 'plants')\n"
    )
    (folder / "trees.py").write_text("from plants import KNOWN\nKNOWN.add('oak', 1)\nKNOWN.add('ash', 2)\n")
    (folder / "grass.py").write_text("from plants import KNOWN\nKNOWN.add('oat', 3)\nassert 'oak' not in ()\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "plants"
    for name in [name for name in sys.modules if name.split(".")[0] == "plants"]:
        del sys.modules[name]


def known(package: str) -> Registry[int]:
    registry: Registry[int] = __import__(package).KNOWN
    return registry


def test_modules_are_imported_at_the_first_look_up(package: str) -> None:
    registry = known(package)
    assert "plants.trees" not in sys.modules
    assert registry["oak"] == 1
    assert "plants.grass" in sys.modules


def test_what_is_registered_already_needs_no_import(package: str) -> None:
    registry = known(package)
    registry.add("fern", 4)
    assert registry["fern"] == 4
    assert "plants.trees" not in sys.modules


def test_names_are_sorted_and_filtered(package: str) -> None:
    registry = known(package)
    assert registry.names() == list(registry) == ["ash", "oak", "oat"]
    assert registry.names("oa*") == ["oak", "oat"]
    assert "oak" in registry
    assert "elm" not in registry
    assert None not in registry


def test_a_broken_module_is_reported_at_every_look_up(package: str, tmp_path: Path) -> None:
    (tmp_path / "plants" / "weeds.py").write_text("raise RuntimeError('broken')")
    registry = known(package)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="broken"):
            registry.names()


def test_unknown_names_bring_suggestions(package: str) -> None:
    with pytest.raises(UnknownNameError, match="unknown plant 'oack'; did you mean 'oak'"):
        known(package)["oack"]
    with pytest.raises(UnknownNameError, match="unknown plant 'xyz'; known: ash, oak, oat"):
        known(package)["xyz"]


def test_an_unknown_name_survives_the_way_from_a_worker() -> None:
    error = UnknownNameError("plant", "oack", ["oat", "oak"])
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (str(again), again.noun, again.name, again.known) == (str(error), "plant", "oack", ["oak", "oat"])
    assert isinstance(again, InputError)


def test_a_second_entry_of_the_same_name_is_refused_unless_its_module_redefines_it() -> None:
    registry: Registry[SimpleNamespace] = Registry("plant", "untrained.spaces")
    first, other = SimpleNamespace(__module__="garden", size=1), SimpleNamespace(__module__="forest", size=2)
    redefined = SimpleNamespace(__module__="garden", size=3)
    assert registry.add("oak", first) is first
    with pytest.raises(InputError, match=r"a plant named 'oak' exists already \(in garden\)"):
        registry.add("oak", other)
    assert registry["oak"] is first
    assert registry.add("oak", redefined) is redefined
    assert registry["oak"] is redefined


def test_summary_is_the_first_line() -> None:
    assert summary(summary) == "The first line of the docstring of `entry`: what a list of plug-ins shows."
    assert summary(SimpleNamespace(__doc__=None)) == ""
    assert all(summary(SPACES[name]) for name in SPACES)


def test_importing_and_looking_up_spaces_needs_no_torch() -> None:
    code = (
        "import sys, untrained\nfrom untrained.registry import SPACES\n"
        "assert 'untrained.spaces' not in sys.modules\n"
        "assert 'nats-tss' in SPACES.names()\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
