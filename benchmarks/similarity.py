"""How fast similarity matrices are: `python -m benchmarks similarity`. One core, warm, CPU time.

Chain populations of 25, 100 and 1,000 random architectures, from arrays of token indices to the matrix of similarities,
the table of substitution costs included. The floor is the number of cells that the recursion has to fill: half the sum
of len(a) * len(b) over all ordered pairs. Beside it, in the same run: the same recursion in plain Python on a sample of
the pairs, the step from architectures to token indices, one changed member, and spaces of cells; and what `diverse` costs
beside scoring under its windows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from untrained.algorithms.diverse import Diverse
from untrained.algorithms.fitness import Fitness
from untrained.algorithms.trial import Trial
from untrained.alignment import Population, similarity_matrix
from untrained.alignment.costs import chain
from untrained.alignment.forms import forms
from untrained.alignment.matrix import Lexicon, aligned
from untrained.alignment.scheme import Scheme
from untrained.architecture import Architecture
from untrained.spaces.space import space

TARGETS = {100: 0.005, 1000: 0.4}
LINEAR, AFFINE = Scheme(chain, -0.5, -0.5), Scheme(chain, -1.0, -0.25)


def best(function: Callable[[], Any], repeats: int) -> float:
    """CPU seconds of the fastest of `repeats` calls, after one that does not count."""
    function()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def plain(a: Sequence[int], b: Sequence[int], table: list[list[float]]) -> float:
    """One alignment score in plain Python."""
    row = [-0.5 * j for j in range(len(b) + 1)]
    for i, token in enumerate(a, 1):
        diagonal, row[0] = row[0], -0.5 * i
        for j, other in enumerate(b, 1):
            diagonal, row[j] = row[j], max(diagonal + table[token][other], row[j] - 0.5, row[j - 1] - 0.5)
    return row[-1]


def chains(members: list[Architecture]) -> None:
    n = len(members)
    repeats = 5 if n > 500 else 20
    lexicon = Lexicon(chain)
    tokens, starts = lexicon.read([one.tokens for one in forms(members)])
    vocabulary = lexicon.vocabulary
    lengths = np.diff(starts)
    cells = (lengths.sum() ** 2 - (lengths**2).sum()) // 2
    table = chain(vocabulary)
    seconds = best(lambda: aligned(chain(vocabulary), tokens, starts, LINEAR), repeats)
    print(f"{n} chain architectures, mean length {lengths.mean():.1f}, {len(vocabulary)} distinct tokens")
    target = f", {TARGETS[n] / seconds:.1f}x faster than the target of {TARGETS[n] * 1e3:g} ms" if n in TARGETS else ""
    print(f"  table and matrix {seconds * 1e3:9.2f} ms{target}")
    print(f"  floor: {cells:,} cells; {cells / seconds / 1e6:,.0f} million cells/s, table and normalisation included")
    print(f"  table alone      {best(lambda: chain(vocabulary), repeats) * 1e3:9.2f} ms")
    print(f"  affine gaps      {best(lambda: aligned(table, tokens, starts, AFFINE), repeats) * 1e3:9.2f} ms")
    print(f"  from objects     {best(lambda: similarity_matrix(members), repeats) * 1e3:9.2f} ms")
    rng = np.random.default_rng(0)
    sample = [sorted(rng.choice(n, 2, replace=False).tolist()) for _ in range(200)]
    rows = [tokens[starts[i] : starts[i + 1]].tolist() for i in range(n)]
    listed = table.tolist()
    slow = best(lambda: [plain(rows[i], rows[j], listed) for i, j in sample], 2)
    slow /= sum(len(rows[i]) * len(rows[j]) for i, j in sample)
    print(f"  plain Python     {slow * cells * 1e3:9.0f} ms (from 200 pairs): {slow * cells / seconds:.0f}x slower")
    population = Population(members)
    changed = [*members[1:], space("chain").sample(rng)]
    one = best(lambda: population.updated(changed), repeats)
    print(f"  one new member   {one * 1e3:9.2f} ms")


def cells(name: str, n: int) -> None:
    rng = np.random.default_rng(0)
    members = [space(name).sample(rng) for _ in range(n)]
    seconds = best(lambda: similarity_matrix(members), 3)
    print(f"{n} {name} architectures: {seconds * 1e3:.1f} ms, {seconds / (n * (n - 1) / 2) * 1e6:.2f} us a pair")


def breeding(name: str, window: str, evaluations: int = 1000) -> None:
    """What a search that controls diversity costs beside scoring, populations of 25, fitness made up."""
    searcher = Diverse(space(name), Fitness("single", {"value": 1}), 0, window=window)
    bred: dict[int, int] = {}
    start = time.process_time()
    for number in range(evaluations):
        proposal = searcher.ask([])
        assert proposal is not None
        values = {"value": float(sum(proposal.architecture.genes) % 97)}
        searcher.tell(Trial(number, proposal.architecture, proposal.parents, proposal.operator, values=values))
        if searcher.generation and searcher.generation not in bred and searcher.breeding is not None:
            bred[searcher.generation] = searcher.breeding.attempts
    cost = (time.process_time() - start) / evaluations * 1e3
    attempts = sum(bred.values()) / len(bred)
    print(
        f"{name:10s} {window:9s} {cost:6.3f} ms an evaluation, {attempts:4.1f} attempts a generation, "
        f"{cost / attempts:.3f} ms a child"
    )


def main() -> None:
    rng = np.random.default_rng(0)
    for n in (25, 100, 1000):
        chains([space("chain").sample(rng) for _ in range(n)])
    for name, n in (("nats-tss", 100), ("nats-sss", 100), ("nasbench101", 100), ("darts", 100)):
        cells(name, n)
    for name in ("nats-tss", "chain", "darts"):
        for window in ("naive", "absolute", "soft", "rigid"):
            breeding(name, window, 200 if name == "darts" else 1000)


if __name__ == "__main__":
    main()
