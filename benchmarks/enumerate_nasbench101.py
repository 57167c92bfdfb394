"""Enumerate NAS-Bench-101 on one core: labelled graphs, cells up to isomorphism, the benchmark's hashes, seconds.

    python benchmarks/enumerate_nasbench101.py            hashes every cell once
    python benchmarks/enumerate_nasbench101.py --every    hashes every labelled graph and compares it with its cell's

Equal canonical forms must mean equal hashes and the other way round; the published count is 423,624.
"""

from __future__ import annotations

import argparse
import time

from untrained.spaces.nasbench101 import nasbench101


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--every", action="store_true", help="hash every labelled graph, not only one of each cell")
    every = parser.parse_args().every
    start = time.process_time()
    hashes: dict[tuple[int, ...], str] = {}
    labelled: dict[int, int] = {}
    for architecture in nasbench101.labelled():
        genes = architecture.genes
        vertices = (len(genes) + 3) // 2
        labelled[vertices] = labelled.get(vertices, 0) + 1
        cell = nasbench101.canonical(architecture)
        if cell.genes not in hashes:
            hashes[cell.genes] = nasbench101.module_hash(cell)
        if every and nasbench101.module_hash(architecture) != hashes[cell.genes]:
            raise SystemExit(f"{architecture} and {cell} are isomorphic, but their hashes differ")
    cells: dict[int, int] = {}
    for genes in hashes:
        vertices = (len(genes) + 3) // 2
        cells[vertices] = cells.get(vertices, 0) + 1
    for vertices, count in labelled.items():
        print(f"{vertices} vertices: {count:>9,} labelled graphs, {cells[vertices]:>7,} cells")
    print(
        f"all: {sum(labelled.values()):,} labelled graphs, {len(hashes):,} cells, {len(set(hashes.values())):,} hashes"
    )
    print(f"{time.process_time() - start:.1f} s of one core")


if __name__ == "__main__":
    main()
