"""How far a metric agrees with itself, which needs no accuracy: rank correlation of two draws of images and weights.

python -m benchmarks.agreement IMAGES [NETWORKS] [SPACE...]: random networks on the small skeleton, images at 16x16; over all
of them, and over the fifth that the first draw ranks highest: where that is near zero, what a search hands over is left to
chance. Then the rank correlation with the parameters and multiply-accumulates of the benchmark's own network.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.stats import spearmanr

from untrained.architecture import Architecture
from untrained.evaluate.sizes import size_of
from untrained.images.image_set import ImageSet
from untrained.images.load import load_images
from untrained.seeds import generator
from untrained.spaces.space import Space, space
from untrained.study.correlate import scores_of
from untrained.study.search import open_search

METRICS = ("swap", "nwot", "logsynflow", "synflow", "zen", "meco")
SPACES = ("nats-tss", "nats-sss", "darts", "nasbench101", "transnas-micro", "transnas-macro", "chain")
TRIES = 20


def networks(place: Space, count: int) -> list[Architecture]:
    """Different random ones; fewer where the space has no more."""
    rng = generator("agreement", place.name)
    return list(dict.fromkeys(place.canonical(place.sample(rng)) for _ in range(TRIES * count)))[:count]


def draw(place: Space, images: ImageSet, chosen: list[Architecture], seed: int) -> np.ndarray:
    """Scores: (networks, METRICS)."""
    study = open_search(place, images, metrics=METRICS, given=chosen, seed=seed, skeleton="proxy")
    study.run(len(chosen))
    return scores_of(study, METRICS)


def main() -> None:
    images = load_images(sys.argv[1], image_size=16)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    for place in map(space, sys.argv[3:] or SPACES):
        chosen = networks(place, count)
        one, two = draw(place, images, chosen, 0), draw(place, images, chosen, 1)
        sizes = [size_of(place, each, place.skeleton(None), (3, 32, 32), 10) for each in chosen]
        print(f"{place.name}, {len(chosen)} networks     all     best fifth   params   macs")
        for name, a, b in zip(METRICS, one.T, two.T, strict=True):
            known = np.flatnonzero(np.isfinite(a) & np.isfinite(b))
            best = known[np.argsort(-a[known], kind="stable")[: len(known) // 5]]
            rho = [
                spearmanr(x, y).statistic
                for x, y in (
                    (a[known], b[known]),
                    (a[best], b[best]),
                    (a[known], [sizes[i].parameters for i in known]),
                    (a[known], [sizes[i].macs for i in known]),
                )
            ]
            print(f"  {name:<12} " + "   ".join(f"{value:8.3f}" for value in rho) + f"   ({len(known)} with a value)")


if __name__ == "__main__":
    main()
