"""Random numbers by name: every generator here is derived from a seed and a label, none is global."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np


def derive(*parts: int | str | tuple[int, ...]) -> int:
    """A seed in [0, 2**63) that is a fixed function of `parts` on every machine and Python version."""
    digest = blake2b("\x1f".join(f"{type(part).__name__}:{part}" for part in parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(*parts: int | str | tuple[int, ...]) -> np.random.Generator:
    """A fresh NumPy generator seeded with :func:`derive` of `parts`."""
    return np.random.Generator(np.random.PCG64(derive(*parts)))
