"""How well metrics order cells of NATS-TSS: Spearman correlation with the accuracy after 200 epochs on CIFAR-10.

python -m benchmarks.nats_correlation DATA [CELLS] [SKELETON...]: DATA holds `nats_tss_cifar10.parquet` and
`cifar10_10k2k.npz`. Cells are drawn at random; identical ones count once each, as drawn.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

from untrained.evaluate.training_free import TrainingFree
from untrained.images.load import load_images
from untrained.seeds import generator
from untrained.spaces.nats_tss import nats_tss

METRICS = ("nwot", "ni", "logsynflow", "synflow", "swap", "params", "macs")


def main() -> None:
    data, cells = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 500
    torch.set_num_threads(1)
    accuracy = pd.read_parquet(data / "nats_tss_cifar10.parquet")["cifar10_test_200ep"].to_numpy()
    images, labels = load_images(data / "cifar10_10k2k.npz").batch(256, seed=0)
    chosen = generator("nats_correlation").choice(nats_tss.size, cells, replace=False).tolist()
    for skeleton in sys.argv[3:] or ("proxy", "nats"):
        evaluate = TrainingFree(
            nats_tss, METRICS, images, labels, 10, nats_tss.skeleton(skeleton), nats_tss.skeleton("nats")
        )
        start = time.perf_counter()
        rows = [dict(evaluate(nats_tss.at(index), seed=index).values) for index in chosen]
        seconds = (time.perf_counter() - start) / cells
        table = pd.DataFrame(rows, dtype=float)
        table.to_csv(f"runs/nats_correlation_{skeleton}.csv", index=False)
        print(f"{skeleton}: {cells} cells, {seconds * 1e3:.0f} ms a cell")
        for name in METRICS:
            known = np.isfinite(table[name].to_numpy())
            rho = spearmanr(table[name][known], accuracy[chosen][known]).statistic
            print(f"  {name:<12} {rho:6.3f}   ({known.sum()} with a value)", flush=True)


if __name__ == "__main__":
    main()
