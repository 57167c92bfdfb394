"""What search spaces cost: operations a second, and building a network against one forward pass of it.

One core. Canonical forms are of distinct architectures, drawn beforehand, after one warm-up pass. Networks are those of the
benchmark's own skeleton and of the proxy, on 16 images of 32x32; medians over 5 random architectures.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial

import torch
from torch import Tensor

from untrained.registry import SPACES
from untrained.seeds import generator
from untrained.spaces.space import Space

DRAWS = 2000


COLUMNS = ("sample", "mutate", "crossover", "canonical", "neighbours", "parse")


def rate(results: Iterable[object]) -> float:
    """How many results a second of CPU time come out of a generator."""
    start = time.process_time()
    count = sum(1 for _ in results)
    return count / (time.process_time() - start)


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def operations(space: Space) -> dict[str, float]:
    """Results a second of each operation."""
    rng = generator("benchmark", space.name)
    drawn = [space.sample(rng) for _ in range(DRAWS)]
    for architecture in drawn[:200]:
        space.canonical(architecture)
    texts = [space.format(a) for a in drawn]
    return {
        "sample": rate(space.sample(rng) for _ in range(DRAWS)),
        "mutate": rate(space.mutate(a, rng) for a in drawn),
        "crossover": rate(space.crossover(a, b, rng) for a, b in zip(drawn, reversed(drawn), strict=True)),
        "canonical": rate(space.canonical(a) for a in dict.fromkeys(drawn)),
        "neighbours": rate(n for a in drawn[:20] for n in space.neighbours(a)),
        "parse": rate(space.parse(text) for text in texts),
    }


def building(space: Space, skeleton: str, images: Tensor) -> tuple[float, float]:
    """Median seconds of building a network and of one forward pass of it."""
    rng = generator("benchmark build", space.name)
    builds, forwards = [], []
    for _ in range(5):
        build = partial(space.build, space.sample(rng), skeleton=skeleton)
        builds.append(seconds(build))
        network = build()
        with torch.no_grad():
            network(images)
            forwards.append(seconds(partial(network, images)))
    return statistics.median(builds), statistics.median(forwards)


def main() -> None:
    torch.set_num_threads(1)
    images = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    print(f"{'a second':<15}" + "".join(f"{column:>13}" for column in COLUMNS))
    for name in SPACES:
        rates = operations(SPACES[name])
        print(f"{name:<15}" + "".join(f"{rates[column]:>13,.0f}" for column in COLUMNS))
    print(f"\n{'space':<15} {'skeleton':<14} {'build ms':>9} {'forward ms':>11} {'build/forward':>14}")
    for name in SPACES:
        for skeleton in dict.fromkeys((next(iter(SPACES[name].skeletons)), "proxy")):
            build, forward = building(SPACES[name], skeleton, images)
            print(f"{name:<15} {skeleton:<14} {build * 1e3:9.1f} {forward * 1e3:11.1f} {build / forward:14.2f}")


if __name__ == "__main__":
    main()
