"""Where a few trials are ranked: among themselves, in their population, or in all of the history."""

from __future__ import annotations

import numpy as np
import pytest

from untrained.algorithms.fitness import Fitness
from untrained.algorithms.scope import SCOPES, Scope
from untrained.algorithms.searcher import make_searcher, option_defaults
from untrained.algorithms.trial import Trial
from untrained.errors import InputError
from untrained.registry import ALGORITHMS
from untrained.seeds import generator
from untrained.spaces.space import space

PLACE = space("nats-tss")
TWO = Fitness("rank_sum", {"a": 1, "b": -1})
SCOPED = [name for name in ALGORITHMS.names() if "scope" in option_defaults(ALGORITHMS[name])]


def trials(count: int, **more) -> list[Trial]:
    rng = generator("scope")
    return [
        Trial(n, PLACE.at(n), values=dict(zip("ab", rng.integers(0, 9, 2).tolist(), strict=True)), **more)
        for n in range(count)
    ]


def test_the_scopes_differ_in_what_is_ranked() -> None:
    heard = trials(30)
    population, group = heard[20:], [heard[25], heard[21], heard[28]]
    found = {}
    for name in SCOPES:
        scope = Scope(name, TWO)
        for trial in heard:
            scope.hear(trial)
        found[name] = scope(group, population).tolist()
    assert found["tournament"] == TWO(group).tolist()
    assert found["population"] == TWO(population)[[5, 1, 8]].tolist()
    assert found["history"] == TWO(heard)[[25, 21, 28]].tolist()
    assert len({str(values) for values in found.values()}) == 3


def test_history_knows_each_network_once_and_nothing_lost() -> None:
    heard = trials(10)
    scope = Scope("history", TWO)
    for trial in heard[:5]:
        scope.hear(trial)
    copy = Trial(10, heard[2].architecture, values=heard[2].values, copied=2)
    for other in (copy, Trial(11, heard[0].architecture, state="failed")):
        scope.hear(other)
    assert scope([copy, heard[0]], []).tolist() == TWO(heard[:5])[[2, 0]].tolist()
    for trial in heard[5:]:
        scope.hear(trial)
    assert scope([copy, heard[9]], []).tolist() == TWO(heard)[[2, 9]].tolist()


def test_a_missing_value_is_worst_in_every_scope() -> None:
    heard = [*trials(4), Trial(4, PLACE.at(4), values={"a": 100.0, "b": None})]
    for name in SCOPES:
        scope = Scope(name, TWO)
        for trial in heard:
            scope.hear(trial)
        assert scope(heard, heard)[4] == -np.inf


def test_these_algorithms_have_the_option() -> None:
    assert SCOPED == ["aging", "area", "freerea", "genetic", "swap-nas"]
    with pytest.raises(InputError, match="scope is one of tournament, population, history, not 'global'"):
        make_searcher("genetic", PLACE, TWO, 0, {"scope": "global"})


@pytest.mark.parametrize("algorithm", SCOPED)
def test_the_scope_matters_with_several_metrics_and_never_with_one(algorithm: str) -> None:
    """The default is what it always was: the tournament."""
    small = {"aging": {"population": 12}, "genetic": {"population": 12}, "swap-nas": {"population": 12}}.get(
        algorithm, {"population": 12, "sample": 5}
    )

    def asked(fitness: Fitness, **options: str) -> list[str]:
        searcher = make_searcher(algorithm, PLACE, fitness, 0, {**small, **options})
        found = []
        for number in range(220):
            proposal = searcher.ask([])
            assert proposal is not None
            rng = generator("value", str(proposal.architecture))
            a = float(sum(proposal.architecture.genes)) + rng.random()
            values = {"a": a, "b": float(rng.normal()) + 0.1 * a}
            searcher.tell(Trial(number, proposal.architecture, proposal.parents, proposal.operator, values=values))
            found.append(str(proposal.architecture))
        return found

    several = {scope: asked(TWO, scope=scope) for scope in SCOPES}
    assert several["tournament"] == asked(TWO)
    assert several["history"] != several["tournament"]
    one = Fitness("single", {"a": 1})
    assert asked(one, scope="tournament") == asked(one, scope="population") == asked(one, scope="history")
