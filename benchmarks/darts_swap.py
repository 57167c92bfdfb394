"""SWAP on DARTS, by the book: does the stem-less network of the published scores rank trained genotypes as published?

For each genotype of a list with accuracies: the `swap` skeleton, 16 CIFAR-10 images, weights drawn from N(0, 1), batch
statistics, the number of distinct activation patterns over all ReLU units, mean over initialisations; then Spearman's
rank correlation with accuracy. Nothing of `untrained.metrics` is used: this is what those have to agree with.

    python benchmarks/darts_swap.py DATA [--genotypes 100] [--inits 8] [--images 16] [--draws 1]

DATA holds `darts_small_500.parquet` (columns genotype, accuracy) and `cifar10_10k2k.npz` (x_train, uint8 NHWC).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata, spearmanr
from torch import Tensor, nn

from untrained.seeds import derive, generator
from untrained.spaces.darts import darts_loose

MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def draw_images(data: Path, count: int, draw: int) -> Tensor:
    """`count` training images, normalised: (count, 3, 32, 32)."""
    with np.load(data / "cifar10_10k2k.npz") as file:
        pixels = file["x_train"]
    chosen = pixels[generator("images", draw).choice(len(pixels), count, replace=False)] / 255.0
    return torch.from_numpy((chosen - MEAN) / DEVIATION).permute(0, 3, 1, 2).float().contiguous()


@torch.no_grad()
def swap(network: nn.Module, images: Tensor, inits: int) -> tuple[float, int]:
    """Mean number of distinct patterns, and the number of ReLU units."""
    patterns: list[Tensor] = []
    bits = 2 ** torch.arange(len(images)).unsqueeze(1)

    def observe(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        patterns.append(((output.flatten(1) > 0) * bits).sum(dim=0))

    hooks = [module.register_forward_hook(observe) for module in network.modules() if isinstance(module, nn.ReLU)]
    counts, units = [], 0
    for init in range(inits):
        random = torch.Generator().manual_seed(derive("weights", init))
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.weight.normal_(generator=random)
        patterns.clear()
        network(images)
        codes = torch.cat(patterns).numpy()
        counts.append(len(np.unique(codes)))
        units = len(codes)
    for hook in hooks:
        hook.remove()
    return float(np.mean(counts)), units


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--genotypes", type=int, default=100)
    parser.add_argument("--inits", type=int, default=8)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--draws", type=int, default=1, help="random draws of the images; their ranks are averaged too")
    options = parser.parse_args()
    torch.set_num_threads(1)

    table = pd.read_parquet(options.data / "darts_small_500.parquet")
    table = table.iloc[: options.genotypes]
    networks = [darts_loose.build(darts_loose.parse(text), skeleton="swap") for text in table["genotype"]]
    parameters = [sum(p.numel() for p in network.parameters()) / 1e3 for network in networks]
    print(f"{len(networks)} genotypes, {options.images} images, {options.inits} initialisations")
    print(
        f"parameters / 1000: {min(parameters):.2f} to {max(parameters):.2f}, mean {np.mean(parameters):.2f}; "
        f"rho {spearmanr(parameters, table['accuracy']).statistic:.3f}"
    )
    ranks = []
    for draw in range(options.draws):
        images = draw_images(options.data, options.images, draw)
        start = time.process_time()
        scores, units = zip(*(swap(network, images, options.inits) for network in networks), strict=True)
        seconds = time.process_time() - start
        ranks.append(rankdata(scores))
        print(
            f"draw {draw}: patterns {np.mean(scores):.0f} +- {np.std(scores):.0f} of {np.mean(units):.0f} units "
            f"({min(units)} to {max(units)}), rho {spearmanr(scores, table['accuracy']).statistic:.3f}, "
            f"{seconds / len(networks) * 1e3:.0f} ms CPU a genotype"
        )
    if options.draws > 1:
        print(f"mean of ranks: rho {spearmanr(np.mean(ranks, axis=0), table['accuracy']).statistic:.3f}")


if __name__ == "__main__":
    main()
