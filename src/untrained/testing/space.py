"""What every search space must do, as tests: run them on your own space with pytest.

    # test_my_space.py
    from untrained.testing.space import SpaceContract

    class TestMySpace(SpaceContract):
        @pytest.fixture
        def space(self):
            return MySpace()

`pytest.register_assert_rewrite("untrained.testing")` in a conftest.py makes failures tell their values.
"""

from __future__ import annotations

import itertools
import math
import pickle
import random
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest

from untrained.architecture import Architecture
from untrained.errors import ArchitectureError, InputError, UnknownNameError
from untrained.metrics.metric import find_metrics
from untrained.registry import summary
from untrained.seeds import generator
from untrained.spaces.space import Skeleton, Space

if TYPE_CHECKING:
    import torch

Promise = Literal["symmetric", "breeds-true", "aligned"]

_SAMPLES = 12
_DRAWS = 80
_NETWORKS = 4
_NEIGHBOURS = 5_000
_FOREIGN = ("", " ", ":", "\x00", "\n", "é", "0" * 5_000, "9" * 5_000, "(" * 5_000, "[" * 200 + "]" * 200, "None", "{}")


class SpaceContract:
    """The contract of :class:`untrained.spaces.space.Space`; subclasses provide the fixture `space`."""

    @pytest.fixture
    def space(self) -> Space:
        raise NotImplementedError("give your subclass of SpaceContract a fixture named 'space'")

    def promises(self, space: Space) -> Collection[Promise]:
        """What `space` promises beyond the contract, to be tested as well.

        symmetric: a neighbour's neighbours include the architecture; breeds-true: two equal parents have children equal
        to them; aligned: architectures with equally many genes have equally many tokens.
        """
        return ()

    def _architectures(self, space: Space, count: int = _SAMPLES) -> list[Architecture]:
        return [space.sample(generator("contract", number)) for number in range(count)]

    def _needs(self, promise: Promise, space: Space) -> None:
        if promise not in self.promises(space):
            pytest.skip(f"{space.name} does not promise to be {promise}")

    # -- description -----------------------------------------------------------------------------------------------

    def test_describes_itself(self, space: Space) -> None:
        assert space.name
        assert ":" not in space.name, "the name ends at the first colon of a text"
        assert space.name == space.name.strip()
        assert space.grammar
        assert "\n" not in space.grammar
        assert summary(space), "the docstring's first line is what lists of spaces show"
        assert space.size is None or space.size > 0
        assert space.minimum_image_size >= 1

    def test_searches_score_by_metrics_that_exist(self, space: Space) -> None:
        assert find_metrics(space.metrics)

    def test_skeletons(self, space: Space) -> None:
        assert {"proxy", space.scored} <= set(space.skeletons)
        assert all(isinstance(skeleton, Skeleton) for skeleton in space.skeletons.values())
        assert space.skeleton() == next(iter(space.skeletons.values()))
        for name, skeleton in space.skeletons.items():
            assert space.skeleton(name) == skeleton == space.skeleton(skeleton)
        for skeleton in [*space.skeletons.values(), Skeleton(4), Skeleton(5, 3, auxiliary=True)]:
            assert space.skeleton(space.skeleton_text(skeleton)) == skeleton
        with pytest.raises(UnknownNameError):
            space.skeleton("no such skeleton")

    # -- variation -------------------------------------------------------------------------------------------------

    def test_samples_are_valid_repeatable_and_various(self, space: Space) -> None:
        architectures = self._architectures(space, _DRAWS)
        for architecture in architectures:
            assert architecture.space == space.name
            assert all(type(gene) is int for gene in architecture.genes)
            assert space.validate(architecture) is architecture
        assert architectures == self._architectures(space, _DRAWS)
        assert len(set(architectures)) > _DRAWS // 10
        rng = generator("contract", "stream")
        assert len({space.sample(rng) for _ in range(_DRAWS)}) > _DRAWS // 10

    def test_mutation_is_valid_repeatable_and_never_its_argument(self, space: Space) -> None:
        for number, architecture in enumerate(self._architectures(space)):
            rng, again = generator("mutate", number), generator("mutate", number)
            mutants = [space.mutate(architecture, rng) for _ in range(_DRAWS)]
            assert mutants == [space.mutate(architecture, again) for _ in range(_DRAWS)]
            assert architecture not in mutants
            assert all(space.validate(mutant) is mutant for mutant in mutants)
            assert len(set(mutants)) > 3

    def test_long_chains_of_mutations_stay_valid(self, space: Space) -> None:
        rng = generator("wander")
        architecture = space.sample(rng)
        for _ in range(3 * _DRAWS):
            architecture = space.validate(space.mutate(architecture, rng))

    def test_crossover_is_valid_and_repeatable(self, space: Space) -> None:
        pairs = list(itertools.pairwise(self._architectures(space, _DRAWS)))
        rng, again = generator("cross"), generator("cross")
        children = [space.crossover(a, b, rng) for a, b in pairs]
        assert children == [space.crossover(a, b, again) for a, b in pairs]
        assert all(space.validate(child) is child for child in children)
        mixed = sum(child not in parents for child, parents in zip(children, pairs, strict=True))
        assert mixed > len(pairs) // 10, "children are copies of their parents"

    def test_equal_parents_breed_true(self, space: Space) -> None:
        self._needs("breeds-true", space)
        rng = generator("twins")
        for architecture in self._architectures(space):
            for _ in range(5):
                child = space.crossover(architecture, architecture, rng)
                assert space.canonical(child) == space.canonical(architecture)

    def test_neighbours_are_valid_distinct_and_in_order(self, space: Space) -> None:
        for architecture in self._architectures(space, 4):
            neighbours = list(itertools.islice(space.neighbours(architecture), _NEIGHBOURS))
            assert neighbours
            assert all(space.validate(neighbour) is neighbour for neighbour in neighbours)
            assert len(set(neighbours)) == len(neighbours)
            assert architecture not in neighbours
            assert neighbours == list(itertools.islice(space.neighbours(architecture), _NEIGHBOURS))

    def test_neighbours_are_symmetric(self, space: Space) -> None:
        self._needs("symmetric", space)
        for number, architecture in enumerate(self._architectures(space, 4)):
            neighbours = list(space.neighbours(architecture))
            for index in generator("neighbours", number).integers(len(neighbours), size=8).tolist():
                assert architecture in space.neighbours(neighbours[index])

    def test_nothing_touches_global_randomness(self, space: Space) -> None:
        before = random.getstate(), _numpy_state()
        rng = generator("global")
        a, b = space.sample(rng), space.sample(rng)
        _use_everything(space, space.crossover(space.mutate(a, rng), b, rng))
        assert (random.getstate(), _numpy_state()) == before

    # -- identity --------------------------------------------------------------------------------------------------

    def test_canonical_is_valid_and_idempotent(self, space: Space) -> None:
        for architecture in self._architectures(space, _DRAWS):
            canonical = space.canonical(architecture)
            assert canonical.space == space.name
            assert space.validate(canonical) is canonical
            assert space.canonical(canonical) == canonical
            assert space.canonical(space.parse(space.format(architecture))) == canonical
            hash(canonical)

    def test_texts_and_architectures_are_inverse(self, space: Space) -> None:
        for architecture in self._architectures(space, _DRAWS):
            text = space.format(architecture)
            assert text
            assert "\n" not in text
            assert space.parse(text) == architecture
            assert space.format(space.parse(text)) == text

    def test_malformed_texts_are_refused_or_read_as_something_else(self, space: Space) -> None:
        rng = generator("malformed")
        texts = [space.format(architecture) for architecture in self._architectures(space)]
        broken = [damaged for text in texts for damaged in _damaged(text, rng)]
        for text in [*_FOREIGN, *broken]:
            try:
                architecture = space.parse(text)
            except ArchitectureError:
                continue
            assert space.validate(architecture) is architecture, text
            assert space.parse(space.format(architecture)) == architecture, text

    def test_damaged_genes_are_refused(self, space: Space) -> None:
        for architecture in self._architectures(space, 4):
            genes = architecture.genes
            for bad in (-1, 10**9, 0.5, "0", None):
                for place in (0, len(genes) - 1):
                    damaged = (*genes[:place], bad, *genes[place + 1 :])
                    with pytest.raises(ArchitectureError):
                        space.validate(Architecture(space.name, damaged))  # type: ignore[arg-type]
            for damaged in ((), genes[:-1], genes[1:], genes + genes):
                try:
                    shorter = space.validate(Architecture(space.name, damaged))
                except ArchitectureError:
                    continue
                assert space.parse(space.format(shorter)) == shorter

    def test_architectures_of_other_spaces_are_refused(self, space: Space) -> None:
        own = space.sample(generator("own"))
        foreign = Architecture(f"not-{space.name}", own.genes)
        rng = generator("foreign")
        calls: list[Callable[[], object]] = [
            lambda: space.validate(foreign),
            lambda: space.canonical(foreign),
            lambda: space.format(foreign),
            lambda: space.tokens(foreign),
            lambda: space.draw(foreign),
            lambda: space.mutate(foreign, rng),
            lambda: space.crossover(foreign, own, rng),
            lambda: space.crossover(own, foreign, rng),
            lambda: list(space.neighbours(foreign)),
            lambda: space.build(foreign, skeleton="proxy"),
        ]
        for number, call in enumerate(calls):
            with pytest.raises(ArchitectureError):
                pytest.fail(f"call {number} accepted {foreign!r} and returned {call()!r}")

    def test_architectures_and_the_space_can_be_sent_to_workers(self, space: Space) -> None:
        architecture = space.sample(generator("worker"))
        assert pickle.loads(pickle.dumps(architecture)) == architecture  # noqa: S301
        # What is cached must not be in the way.
        space.canonical(architecture)
        sent = pickle.loads(pickle.dumps(space))  # noqa: S301
        assert sent.name == space.name
        assert self._architectures(sent) == self._architectures(space)
        assert sent.format(architecture) == space.format(architecture)

    # -- meaning ---------------------------------------------------------------------------------------------------

    def test_tokens_are_uniform(self, space: Space) -> None:
        names: dict[str, tuple[str, ...]] = {}
        for architecture in self._architectures(space, _DRAWS):
            tokens = space.tokens(architecture)
            assert tokens
            assert tokens == space.tokens(space.parse(space.format(architecture)))
            for token in tokens:
                assert len(token.symbol) == 1
                assert token.symbol.isprintable()
                assert not token.symbol.isspace()
                assert token.kind
                parameters = tuple(name for name, _ in token.parameters)
                assert len(set(parameters)) == len(parameters)
                assert names.setdefault(token.kind, parameters) == parameters
                assert all(math.isfinite(value) for _, value in token.parameters)
                assert str(token)

    def test_tokens_are_aligned(self, space: Space) -> None:
        self._needs("aligned", space)
        lengths: dict[int, int] = {}
        for architecture in self._architectures(space, _DRAWS):
            count = len(space.tokens(architecture))
            assert lengths.setdefault(len(architecture.genes), count) == count

    def test_pictures(self, space: Space) -> None:
        for architecture in self._architectures(space):
            diagram = space.draw(architecture)
            assert diagram.nodes
            assert diagram.text().strip()
            assert ElementTree.fromstring(diagram.svg()).tag.endswith("svg")

    # -- network ---------------------------------------------------------------------------------------------------

    def test_networks_learn_from_the_smallest_images(self, space: Space) -> None:
        import torch

        size = space.minimum_image_size
        images = torch.from_numpy(generator("images").standard_normal((4, 1, size, size), dtype=np.float32))
        for architecture in self._architectures(space, _NETWORKS):
            network = _built(space, architecture).train()
            logits = network(images)
            assert tuple(logits.shape) == (4, 3)
            assert torch.isfinite(logits).all()
            torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()  # type: ignore[no-untyped-call]
            gradients = [p.grad for p in network.parameters() if p.grad is not None]
            assert gradients
            assert all(torch.isfinite(gradient).all() for gradient in gradients)
            assert any(gradient.any() for gradient in gradients)

    def test_networks_take_the_images_and_classes_that_are_asked_for(self, space: Space) -> None:
        import torch

        architecture = space.sample(generator("contract", 0))
        for in_chans, num_classes in ((3, 10), (4, 2)):
            network = space.build(architecture, num_classes=num_classes, in_chans=in_chans, skeleton="proxy").eval()
            with torch.no_grad():
                assert tuple(network(torch.zeros(2, in_chans, 32, 32)).shape) == (2, num_classes)
                assert tuple(network(torch.zeros(1, in_chans, 24, 32)).shape) == (1, num_classes)

    def test_only_weights_are_random(self, space: Space) -> None:
        import torch

        images = torch.from_numpy(generator("images").standard_normal((2, 1, 32, 32), dtype=np.float32))
        for architecture in self._architectures(space, _NETWORKS):
            first, second = _built(space, architecture), _built(space, architecture)
            weights, others = first.state_dict(), second.state_dict()
            assert list(weights) == list(others)
            assert all(torch.equal(weights[name], others[name]) for name in weights)
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                before = torch.get_rng_state()
                logits = first.eval()(images)
                assert torch.equal(before, torch.get_rng_state()), "evaluation draws random numbers"
                assert torch.equal(logits, first(images))
                assert torch.equal(logits, second.eval()(images))

    def test_impossible_networks_are_refused(self, space: Space) -> None:
        architecture = space.sample(generator("impossible"))
        for num_classes, in_chans in ((1, 3), (-3, 3), (10, 0)):
            with pytest.raises(InputError):
                space.build(architecture, num_classes=num_classes, in_chans=in_chans)
        with pytest.raises(UnknownNameError):
            space.build(architecture, skeleton="no such skeleton")
        with pytest.raises(ArchitectureError):
            space.build(Architecture(space.name, ()))


def _built(space: Space, architecture: Architecture) -> torch.nn.Module:
    """The proxy network for images of one channel and three classes, with the weights of seed 0."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return space.build(architecture, num_classes=3, in_chans=1, skeleton="proxy")


def _use_everything(space: Space, architecture: Architecture) -> None:
    space.validate(architecture)
    space.canonical(architecture)
    space.tokens(architecture)
    space.parse(space.format(architecture))
    space.draw(architecture).svg()
    next(iter(space.neighbours(architecture)))


def _numpy_state() -> bytes:
    return pickle.dumps(np.random.get_state())  # noqa: NPY002


def _damaged(text: str, rng: np.random.Generator) -> list[str]:
    """Texts that differ from `text` by an edit of a character or by a slip of a larger piece."""
    alphabet = [*dict.fromkeys(text), *" ~|+-:,.'()[]0123456789aZ_é\n\x00"]
    texts = [text + text, text + " ", " " + text, text[::-1], text.upper(), text.replace(" ", ""), f"({text})"]
    texts += [text[:cut] for cut in rng.integers(len(text), size=10).tolist()]
    texts += [text.replace(digit, "9" * 5_000, 1) for digit in "012345678" if digit in text]
    for _ in range(30):
        place, character = int(rng.integers(len(text))), alphabet[rng.integers(len(alphabet))]
        texts += [
            text[:place] + end for end in (text[place + 1 :], character + text[place + 1 :], character + text[place:])
        ]
    return texts
