"""Activation patterns: which units are active on which samples, one bit each.

For a batch of S samples every unit has a code of S bits; a layer of V units is stored as `codes[words, V]`, bit s of the
code being set where the pre-activation of sample s is positive. Packing reads each activation once, in the order it
lies in memory; no float outlives the forward pass.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numba import njit, types
from numba.extending import intrinsic
from torch import Tensor

WORD = 64


class Patterns:
    """The patterns of all layers of one network on one batch, in the order the layers ran."""

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self.misfit: str | None = None
        """Why they are no patterns of the samples, if they are not."""
        self._layers: list[np.ndarray] = []

    def add(self, codes: np.ndarray) -> None:
        """Append a layer: (words, V) unsigned integers."""
        self._layers.append(codes)

    @property
    def units(self) -> int:
        """V, the number of units that were seen for one sample."""
        return sum(codes.shape[1] for codes in self._layers)

    def distinct_units(self) -> int:
        """Number of distinct columns of the samples x units matrix: SWAP's cardinality of sample-wise patterns."""
        if not self._layers:
            return 0
        if self.samples <= 16:
            seen = np.zeros(1 << 16, np.uint8)
            for codes in self._layers:
                _mark(codes[0], seen)
            return int(np.count_nonzero(seen))
        codes = np.concatenate(self._layers, axis=1)
        if len(codes) == 1:
            ordered = np.sort(codes[0])
            return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))
        ordered = codes[:, np.lexsort(codes)]
        return 1 + int(np.count_nonzero((ordered[:, 1:] != ordered[:, :-1]).any(axis=0)))

    @cached_property
    def rows(self) -> np.ndarray:
        """(S, words) uint64: the pattern of each sample over all units; unused bits are zero."""
        rows = np.zeros((self.samples, sum(-(-codes.shape[1] // WORD) for codes in self._layers)), np.uint64)
        start = 0
        for codes in self._layers:
            stop = start - (-codes.shape[1] // WORD)
            for word, code in enumerate(codes):
                _transpose(code, rows[word * WORD : (word + 1) * WORD, start:stop])
            start = stop
        return rows

    def agreement(self) -> np.ndarray:
        """(S, S) float64: K_ij, the number of units on which samples i and j agree."""
        distance = np.zeros((self.samples, self.samples), np.int64)
        _hamming(self.rows, distance)
        return (self.units - distance - distance.T).astype(np.float64)

    def distinct_samples(self) -> int:
        """Number of distinct rows: the standard count of linear regions."""
        return len(np.unique(self.rows, axis=0)) if self._layers else 0


def pack(x: Tensor) -> np.ndarray:
    """The codes of one layer from its pre-activations x (S, ...): (words, V), bit s of a code is `x[s] > 0`."""
    codes: np.ndarray = pack_stacked(x.unsqueeze(0))[0]
    return codes


def pack_stacked(x: Tensor) -> np.ndarray:
    """The same for R initialisations at once: from x (R, S, ...) to codes (R, words, V)."""
    x = x.detach()
    if x.dtype not in (torch.float32, torch.float64):
        x = x.float()
    if x.device.type != "cpu":
        return np.stack([_pack_on_device(one) for one in x])
    inits, samples = x.shape[:2]
    units = math.prod(x.shape[2:])
    codes = np.zeros((inits, -(-samples // WORD), units), _code_type(samples))
    if codes.size:
        if not (x.is_contiguous() or x[0, 0].is_contiguous()):
            x = x.contiguous()
        # One flat view of the storage spares the kernel a strided layout: units of a sample are contiguous from here on.
        outer, inner = x.stride()[:2]
        flat = x.as_strided((outer * (inits - 1) + inner * (samples - 1) + units,), (1,)).numpy()
        _pack(flat, outer, inner, samples, codes)
    return codes


def _code_type(samples: int) -> Any:
    return np.uint16 if samples <= 16 else np.uint32 if samples <= 32 else np.uint64


def _pack_on_device(x: Tensor) -> np.ndarray:
    samples, bits = x.shape[0], x.flatten(1) > 0
    codes = torch.zeros(-(-samples // WORD), bits.shape[1], dtype=torch.int64, device=x.device)
    for sample in range(samples):
        codes[sample // WORD] |= bits[sample].long() << (sample % WORD)
    return codes.cpu().numpy().view(np.uint64).astype(_code_type(samples), copy=False)


@njit(cache=True, nogil=True, error_model="numpy")
def _pack(flat, outer, inner, samples, codes):  # type: ignore[no-untyped-def]
    zero = codes.dtype.type(0)
    for init in range(codes.shape[0]):
        for start in range(0, codes.shape[2], 2048):
            for sample in range(samples):
                block = codes[init, sample // 64, start : start + 2048]
                place = init * outer + sample * inner + start
                row = flat[place : place + block.size]
                bit = codes.dtype.type(np.uint64(1) << np.uint64(sample % 64))
                for unit in range(block.size):
                    block[unit] = block[unit] | (bit if row[unit] > 0 else zero)


@njit(cache=True, nogil=True, error_model="numpy")
def _mark(codes, seen):  # type: ignore[no-untyped-def]
    for code in codes:
        seen[code] = 1


@njit(cache=True, nogil=True, error_model="numpy")
def _transpose(codes, rows):  # type: ignore[no-untyped-def]
    """rows[s, w] = bit s of codes[64 w .. 64 w + 63]: a 64 x 64 bit matrix turned in six rounds of swaps."""
    block = np.zeros(64, np.uint64)
    for word in range(rows.shape[1]):
        part = codes[64 * word : 64 * word + 64]
        block[:] = 0
        for k in range(part.size):
            block[k] = part[k]
        width = 32
        mask = np.uint64(0x00000000FFFFFFFF)
        while width:
            shift = np.uint64(width)
            for first in range(0, 64, 2 * width):
                for k in range(first, first + width):
                    swap = ((block[k] >> shift) ^ block[k + width]) & mask
                    block[k] ^= swap << shift
                    block[k + width] ^= swap
            width >>= 1
            mask ^= mask << np.uint64(width)
        for sample in range(rows.shape[0]):
            rows[sample, word] = block[sample]


@intrinsic
def _popcount(typingctx, word):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@njit(cache=True, nogil=True, error_model="numpy")
def _hamming(rows, distance):  # type: ignore[no-untyped-def]
    """Hamming distances of all pairs of rows, added to the upper triangle, in blocks that stay in the cache."""
    for start in range(0, rows.shape[1], 256):
        for i in range(rows.shape[0]):
            a = rows[i, start : start + 256]
            for j in range(i + 1, rows.shape[0]):
                b = rows[j, start : start + 256]
                count = np.uint64(0)
                for k in range(a.size):
                    count += _popcount(a[k] ^ b[k])
                distance[i, j] += np.int64(count)
