"""Candidates whose networks do not run: each its own fault, and the search goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from torch import Tensor, nn

from untrained.registry import SPACES
from untrained.spaces.choices import Choices
from untrained.spaces.space import register
from untrained.study.search import search


class Faulty(nn.Module):
    """Fails, when it runs, as `fault` says."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def forward(self, x: Tensor) -> Any:
        if self.fault == "dict":
            return {"logits": x}
        if self.fault == "exit":
            raise SystemExit(3)
        raise {"shape": RuntimeError("size mismatch\nand a trace"), "key": KeyError("blue"), "file": OSError("gone")}[
            self.fault
        ]


def build(choice: dict[str, Any], num_classes: int, in_chans: int, channels: int) -> Any:
    if choice["fault"] == "none":
        return None
    head = nn.Identity() if choice["fault"] == "no" else Faulty(choice["fault"])
    width = choice["width"]
    return nn.Sequential(
        nn.Conv2d(in_chans, width, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, num_classes),
        head,
    )


@pytest.fixture
def space(request: pytest.FixtureRequest) -> Iterator[Choices]:
    found = register(Choices("faulty", {"width": [2, 3, 4, 5], "fault": ["no", request.param]}, build, None))
    yield found
    SPACES._entries.pop("faulty")


REASONS = {
    "shape": "RuntimeError: size mismatch",
    "key": "KeyError: 'blue'",
    "file": "OSError: gone",
    "dict": "the network returns dict",
    "none": "is built as NoneType",
    "exit": "SystemExit: 3",
}


@pytest.mark.parametrize("space", REASONS, indirect=True)
@pytest.mark.parametrize("asked", [{"metrics": ["nwot", "macs"]}, {"metrics": ["nwot"], "limits": "macs<1G"}])
def test_a_network_that_does_not_run_costs_itself_alone(space: Choices, asked: dict[str, Any]) -> None:
    study = search(space, metrics=asked["metrics"], limits=asked.get("limits", ()), evaluations=30, algorithm="random")
    fault = space.positions["fault"][1]
    good = [trial for trial in study.trials if space.choice(trial.architecture)["fault"] == "no"]
    bad = [trial for trial in study.trials if trial not in good]
    assert study.evaluations == 30
    assert good
    assert bad
    assert all(trial.state == "complete" and trial.values["nwot"] is not None for trial in good)
    for trial in bad:
        assert trial.values.get("nwot") is None
        assert any(REASONS[fault] in reason for reason in trial.reasons.values()), trial.reasons


@pytest.mark.parametrize("space", ["shape"], indirect=True)
def test_limits_that_no_network_runs_far_enough_to_keep(space: Choices) -> None:
    space.positions["fault"] = ("shape", "shape")
    with pytest.raises(ValueError, match="cannot count the MACs"):
        search(space, metrics="nwot", limits="macs<1G", evaluations=5, algorithm="random")
