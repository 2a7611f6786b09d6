"""Product quantisation: vectors cut into parts, and for each part one of 256 typical ones (Jégou et al., 2011).

The typical ones are found by Lloyd's algorithm (Least Squares Quantization in PCM, 1982) on a sample of the rows.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from sagedock import core
from sagedock.algorithms.blazingtext.quantised_matrix import CODES, QuantisedMatrix, Quantiser

SAMPLE = 1 << 15
ROUNDS = 20
_AT_ONCE = 1 << 13  # points whose distances lie in memory at once, without the core

Floats = NDArray[np.float32]
Codes = NDArray[np.uint8]


def quantise(
    rows: Floats, width: int, chance: np.random.Generator, *, norms: bool, threads: int = 1
) -> QuantisedMatrix:
    """`rows` (rows, dim) in parts of `width` numbers; with `norms` their directions, and their lengths apart."""
    if not norms:
        quantiser, codes = _product(rows, width, chance, threads)
        return QuantisedMatrix(codes, quantiser)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows)).astype(np.float32)
    directions: Floats = rows / np.where(lengths > 0, lengths, 1).astype(np.float32)[:, None]
    quantiser, codes = _product(directions, width, chance, threads)
    of_lengths, length_codes = _product(lengths[:, None], 1, chance, threads)
    return QuantisedMatrix(codes, quantiser, length_codes[:, 0], of_lengths)


def _product(rows: Floats, width: int, chance: np.random.Generator, threads: int) -> tuple[Quantiser, Codes]:
    dim = rows.shape[1]
    width = min(width, dim)
    begins = range(0, dim, width)
    sample = rows[_sample(len(rows), chance)]
    seeds = chance.integers(1 << 62, size=len(begins))

    def one(part: int) -> tuple[Floats, Codes]:
        piece = slice(begins[part], min(begins[part] + width, dim))
        found = centres(np.ascontiguousarray(sample[:, piece]), np.random.default_rng(seeds[part]))
        return found, nearest(np.ascontiguousarray(rows[:, piece]), found)

    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(one, range(len(begins))))
    centroids = np.concatenate([found.reshape(-1) for found, _ in parts])
    return Quantiser(dim, width, dim - begins[-1], centroids), np.stack([codes for _, codes in parts], axis=1)


def _sample(count: int, chance: np.random.Generator) -> NDArray[np.int64] | slice:
    return slice(None) if count <= SAMPLE else np.sort(chance.choice(count, SAMPLE, replace=False))


def centres(points: Floats, chance: np.random.Generator) -> Floats:
    """256 points (256, width) such that each of `points` (rows, width) is near to one of them."""
    known = np.unique(points, axis=0)
    if len(known) <= CODES:  # each is its own centre, and nothing is lost
        return np.concatenate([known, np.zeros((CODES - len(known), points.shape[1]), np.float32)])
    found = known[np.sort(chance.choice(len(known), CODES, replace=False))]
    codes: Codes | None = None
    for _ in range(ROUNDS):
        last, codes = codes, nearest(points, found)
        if last is not None and np.array_equal(last, codes):
            break
        counts = np.bincount(codes, minlength=CODES)
        sums = np.stack([np.bincount(codes, column, CODES) for column in points.T], axis=1)
        found = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
        lonely = np.flatnonzero(counts == 0)
        found[lonely] = known[chance.choice(len(known), len(lonely), replace=False)]
    return found


def nearest(points: Floats, others: Floats) -> Codes:
    """Which of `others` (up to 256, width) is nearest to each of `points` (rows, width); of several the first."""
    codes = np.empty(len(points), np.uint8)
    if core.native is not None:
        core.native.nearest(points, others, codes)
        return codes
    for begin in range(0, len(points), _AT_ONCE):
        block = points[begin : begin + _AT_ONCE]
        distances = np.zeros((len(block), len(others)), np.float32)
        for place in range(points.shape[1]):
            apart = block[:, place, None] - others[None, :, place]
            distances += apart * apart
        codes[begin : begin + len(block)] = distances.argmin(axis=1)
    return codes
