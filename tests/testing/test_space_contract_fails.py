"""The contract notices what it forbids: one broken space for each clause."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pytest
import torch

from untrained.architecture import Architecture, Token
from untrained.seeds import generator
from untrained.spaces.diagram import Diagram
from untrained.spaces.nats_sss import nats_sss
from untrained.spaces.nats_tss import NatsTss, nats_tss
from untrained.spaces.space import Skeleton, Space
from untrained.testing.space import Promise, SpaceContract

REAL = NatsTss
VALID = nats_tss.at(6111)
FOREIGN = Architecture("elsewhere", VALID.genes)


# What cannot be pickled raises either of the last two.
NOTICED = (AssertionError, pytest.fail.Exception, ValueError, AttributeError, pickle.PicklingError)


class Contract(SpaceContract):
    def promises(self, space: Space) -> Collection[Promise]:
        return ("symmetric", "breeds-true", "aligned")


class Noisy(torch.nn.Module):
    """A network that is random after it was built."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x) + torch.rand(1)


class Frozen(torch.nn.Module):
    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x).detach().requires_grad_()


def network(wrap: Callable[..., Any], classes: int | None = None) -> Callable[..., Any]:
    def build(self: Space, a: Architecture, num_classes: int, in_chans: int, skeleton: Skeleton) -> torch.nn.Module:
        return wrap(REAL._network(self, a, classes or num_classes, in_chans, skeleton))

    return build


def drawn_globally(self: Space, rng: np.random.Generator) -> Architecture:
    random.random()
    return REAL.sample(self, rng)


def always(value: Any) -> Callable[..., Any]:
    return lambda self, *args, **kwargs: value


def shuffled(self: Space, a: Architecture) -> Any:
    found = list(REAL.neighbours(self, a))
    random.shuffle(found)
    return found


BROKEN: list[tuple[str, str, Any]] = [
    ("describes_itself", "name", "nats:tss"),
    ("describes_itself", "grammar", ""),
    ("describes_itself", "__doc__", ""),
    ("describes_itself", "size", 0),
    ("searches_score_by_metrics_that_exist", "metrics", ("nwot", "luck")),
    ("searches_score_by_metrics_that_exist", "metrics", ()),
    ("skeletons", "skeletons", {"nats": Skeleton(channels=16)}),
    ("skeletons", "skeleton", always(Skeleton(channels=16, cells=5))),
    ("samples_are_valid_repeatable_and_various", "sample", always(VALID)),
    ("samples_are_valid_repeatable_and_various", "sample", always(FOREIGN)),
    ("samples_are_valid_repeatable_and_various", "sample", lambda self, rng: nats_tss.at(random.randrange(15_625))),
    ("samples_are_valid_repeatable_and_various", "validate", lambda self, a: Architecture(a.space, a.genes)),
    ("mutation_is_valid_repeatable_and_never_its_argument", "mutate", lambda self, a, rng: a),
    ("mutation_is_valid_repeatable_and_never_its_argument", "mutate", always(VALID)),
    (
        "mutation_is_valid_repeatable_and_never_its_argument",
        "mutate",
        lambda self, a, rng: self.at(random.randrange(9)),
    ),
    ("long_chains_of_mutations_stay_valid", "mutate", lambda self, a, rng: Architecture(a.space, (9, *a.genes[1:]))),
    ("crossover_is_valid_and_repeatable", "crossover", lambda self, a, b, rng: a),
    (
        "crossover_is_valid_and_repeatable",
        "crossover",
        lambda self, a, b, rng: Architecture(a.space, a.genes + b.genes),
    ),
    ("equal_parents_breed_true", "crossover", lambda self, a, b, rng: self.mutate(a, rng)),
    ("neighbours_are_valid_distinct_and_in_order", "neighbours", lambda self, a: [a]),
    ("neighbours_are_valid_distinct_and_in_order", "neighbours", lambda self, a: []),
    ("neighbours_are_valid_distinct_and_in_order", "neighbours", lambda self, a: 2 * list(REAL.neighbours(self, a))),
    ("neighbours_are_valid_distinct_and_in_order", "neighbours", shuffled),
    ("neighbours_are_symmetric", "neighbours", lambda self, a: [b for b in REAL.neighbours(self, a) if b > a]),
    ("nothing_touches_global_randomness", "sample", drawn_globally),
    ("nothing_touches_global_randomness", "tokens", lambda self, a: np.random.rand()),  # noqa: NPY002
    ("canonical_is_valid_and_idempotent", "canonical", lambda self, a: next(iter(self.neighbours(a)))),
    ("canonical_is_valid_and_idempotent", "canonical", always(FOREIGN)),
    (
        "texts_and_architectures_are_inverse",
        "format",
        lambda self, a: REAL.format(self, a).replace("none", "skip_connect"),
    ),
    ("texts_and_architectures_are_inverse", "format", lambda self, a: REAL.format(self, a) + "\n"),
    ("malformed_texts_are_refused_or_read_as_something_else", "parse", lambda self, text: int(text)),
    ("malformed_texts_are_refused_or_read_as_something_else", "parse", always(Architecture("nats-tss", (9,) * 6))),
    ("damaged_genes_are_refused", "validate", lambda self, a: a),
    ("architectures_of_other_spaces_are_refused", "canonical", lambda self, a: a),
    ("architectures_of_other_spaces_are_refused", "crossover", lambda self, a, b, rng: self.validate(a)),
    ("architectures_and_the_space_can_be_sent_to_workers", "__reduce__", lambda self: (lambda: self, ())),
    ("architectures_and_the_space_can_be_sent_to_workers", "__reduce__", lambda self: (nats_sss.__class__, ())),
    ("tokens_are_uniform", "tokens", always((Token("conv", "conv"),))),
    ("tokens_are_uniform", "tokens", always((Token("c", "conv", (("k", 3),)), Token("c", "conv", (("kernel", 3),))))),
    ("tokens_are_uniform", "tokens", always((Token("c", "conv", (("k", float("nan")),)),))),
    ("tokens_are_uniform", "tokens", always(())),
    ("tokens_are_aligned", "tokens", lambda self, a: REAL.tokens(self, a)[: a.genes[0]]),
    ("pictures", "draw", always(Diagram((), ()))),
    ("networks_learn_from_the_smallest_images", "_network", network(lambda inner: inner, classes=5)),
    ("networks_learn_from_the_smallest_images", "_network", network(Frozen)),
    ("networks_take_the_images_and_classes_that_are_asked_for", "_network", network(lambda inner: inner, classes=2)),
    ("only_weights_are_random", "_network", network(Noisy)),
    ("impossible_networks_are_refused", "build", lambda self, a, **kwargs: None),
]


@pytest.mark.parametrize(("clause", "attribute", "broken"), BROKEN)
def test_the_contract_notices(clause: str, attribute: str, broken: Any) -> None:
    space = type("Broken", (REAL,), {"__doc__": REAL.__doc__, attribute: broken})()
    with pytest.raises(NOTICED):
        getattr(Contract(), f"test_{clause}")(space)


@pytest.mark.parametrize("clause", [name for name in dir(SpaceContract) if name.startswith("test_")])
def test_every_clause_holds_for_the_real_space_and_can_fail(clause: str) -> None:
    getattr(Contract(), clause)(nats_tss)
    assert clause.removeprefix("test_") in {name for name, _, _ in BROKEN}


def test_clauses_that_are_not_promised_are_skipped() -> None:
    with pytest.raises(pytest.skip.Exception, match="nats-tss does not promise to be aligned"):
        SpaceContract().test_tokens_are_aligned(nats_tss)


def test_damage_differs_from_the_text() -> None:
    from untrained.testing.space import _damaged

    texts = _damaged("|none~0|", generator("damage"))
    assert len(set(texts)) > 50
    assert any(len(text) == 7 for text in texts)
