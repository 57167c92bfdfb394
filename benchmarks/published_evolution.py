"""Does diversity follow fitness in the published runs of evolution? Table 3 of the alignment paper, computed again.

python -m benchmarks.published_evolution DATA

DATA is the folder of `chain_evolution_cifar10.parquet`: 30 runs of 20 generations of 25 individuals on CIFAR-10. For each
run the Pearson correlation, over its generations, of the best accuracy with the median similarity of the population:
beside the printed one first as the published code measures similarity (the median of the whole matrix, diagonal and
all), then as the paper writes it and as is the default here (of the pairs of different individuals, symmetric costs).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from untrained.alignment import diversity, similarity_matrix
from untrained.spaces.chain import chain

PRINTED = {
    "div": (0.97, 0.82, 0.90, 0.87, 0.96, 0.91, 0.83, 0.92, 0.90, 0.94),
    "naive": (0.78, 0.84, 0.78, 0.55, 0.54, 0.70, 0.62, 0.73, 0.78, 0.84),
}
"""The CIFAR-10 columns of Table 3, by seed; the paper's means are 0.902 and 0.716. It has none for soft control."""
VARIANTS = {"div": "rigid control", "naive": "naive", "div_soft": "soft control"}


def correlations(run: pd.DataFrame) -> tuple[float, float]:
    """Pearson correlation of the best accuracy of each generation with its similarity, as in the code and the paper."""
    rows = []
    for _, generation in run.groupby("generation"):
        members = [chain.from_chromosome(json.loads(text), strict=False) for text in generation["chromosome"]]
        published = diversity(similarity_matrix(members, legacy=True), legacy=True)
        rows.append((generation["val_acc"].max(), published, diversity(similarity_matrix(members))))
    best, as_code, as_paper = np.array(rows, float).T
    return float(np.corrcoef(best, as_code)[0, 1]), float(np.corrcoef(best, as_paper)[0, 1])


def _shown(value: float, digits: int) -> str:
    return f"{value:7.{digits}f}" if np.isfinite(value) else f"{'–':>7s}"


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    start = time.process_time()
    runs = pd.read_parquet(Path(sys.argv[1]) / "chain_evolution_cifar10.parquet")
    for variant, words in VARIANTS.items():
        chosen = runs[runs["variant"] == variant]
        found = np.array([correlations(run) for _, run in chosen.groupby("seed")])
        printed = PRINTED.get(variant, (np.nan,) * len(found))
        print(f"{words}\n  seed  printed   code  default")
        for seed, (paper, (code, ours)) in enumerate(zip(printed, found, strict=True), start=1):
            print(f"  {seed:4d}  {_shown(paper, 2)}  {code:5.2f}  {ours:7.2f}")
        print(
            f"  mean  {_shown(np.mean(printed), 3)}  {found[:, 0].mean():5.3f}  {found[:, 1].mean():7.3f}", flush=True
        )
    print(f"{time.process_time() - start:.1f} CPU s for {len(runs):,} individuals")


if __name__ == "__main__":
    main()
