"""Product quantisation: the nearest of 256, with the core and without it, and what is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sagedock import core
from sagedock.algorithms.blazingtext.codebooks import centres, nearest, quantise
from sagedock.algorithms.blazingtext.quantised_matrix import CODES, QuantisedMatrix
from tests.without_core import without_core


def normal(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


def decoded(matrix: QuantisedMatrix) -> np.ndarray:
    """All rows of the matrix."""
    quantiser = matrix.quantiser
    pieces = []
    for part in range(quantiser.parts):
        begin, end = part * quantiser.width, min((part + 1) * quantiser.width, quantiser.dim)
        table = quantiser.centroids[CODES * begin : CODES * end].reshape(CODES, end - begin)
        pieces.append(table[matrix.codes[:, part]])
    found = np.concatenate(pieces, axis=1)
    return found if matrix.norms is None else found * matrix.norms.centroids[matrix.norm_codes][:, None]


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=100)
@given(st.data(), st.integers(1, 4), st.integers(0, 30), st.integers(1, 256))
def test_the_core_finds_what_numpy_finds(data: st.DataObject, width: int, rows: int, count: int) -> None:
    if core.native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    points = data.draw(arrays.arrays(np.float32, (rows, width), elements=FLOATS))
    others = data.draw(arrays.arrays(np.float32, (count, width), elements=FLOATS))
    found = {}
    native = core.native
    for name in native.instruction_sets():
        native.use_instruction_set(name)
        found[name] = nearest(points, others).tolist()
    with without_core(), np.errstate(over="ignore", invalid="ignore"):
        found["numpy"] = nearest(points, others).tolist()
    assert len({tuple(codes) for codes in found.values()}) == 1


@pytest.mark.parametrize(
    "shapes", [((3, 2), (0, 2), 3), ((3, 2), (257, 2), 3), ((3, 2), (5, 3), 3), ((3, 2), (5, 2), 4)]
)
def test_shapes_that_do_not_fit_are_refused(shapes: tuple[tuple[int, int], tuple[int, int], int]) -> None:
    if core.native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    points, others, codes = shapes
    with pytest.raises(ValueError, match=r"256|differ"):
        core.native.nearest(np.zeros(points, np.float32), np.zeros(others, np.float32), np.zeros(codes, np.uint8))


@pytest.mark.parametrize("norms", [False, True])
@pytest.mark.parametrize(("dim", "width"), [(10, 2), (7, 2), (7, 3), (2, 5), (1, 1)])
def test_few_different_rows_lose_nothing(dim: int, width: int, norms: bool) -> None:
    """Up to 256 different parts each have their own code."""
    rows = normal(200, dim)
    matrix = quantise(rows, width, np.random.default_rng(0), norms=norms)
    assert matrix.codes.shape == (200, -(-dim // min(width, dim)))
    np.testing.assert_allclose(decoded(matrix), rows, rtol=1e-6, atol=1e-6)


def test_zero_rows_stay_zero() -> None:
    rows = normal(3000, 8)
    rows[::3] = 0
    assert not decoded(quantise(rows, 2, np.random.default_rng(0), norms=True))[::3].any()


def test_more_rows_lose_little() -> None:
    """The error of a Gaussian pair quantised to 8 bits is near the best possible, 2^-8 by rate-distortion theory."""
    rows = normal(20_000, 10)
    matrix = quantise(rows, 2, np.random.default_rng(0), norms=False, threads=2)
    assert 2.0**-8 < np.square(decoded(matrix) - rows).mean() < 3 * 2.0**-8


def test_lengths_of_their_own_suit_rows_of_many_lengths() -> None:
    rows = normal(20_000, 10) * np.random.default_rng(1).lognormal(0, 2, (20_000, 1)).astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1)
    plain, apart = (decoded(quantise(rows, 2, np.random.default_rng(0), norms=norms)) for norms in (False, True))
    errors = [(np.linalg.norm(found - rows, axis=1) / lengths).mean() for found in (plain, apart)]
    assert errors[1] < errors[0] / 2
    assert errors[1] < 0.2


def test_a_seed_gives_the_same_codes_for_any_number_of_threads() -> None:
    rows = normal(5000, 6)
    first, second = (quantise(rows, 2, np.random.default_rng(7), norms=True, threads=threads) for threads in (1, 3))
    assert np.array_equal(first.codes, second.codes)
    assert np.array_equal(first.quantiser.centroids, second.quantiser.centroids)


def test_numpy_alone_gives_the_same_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = normal(2000, 4)
    compiled = quantise(rows, 2, np.random.default_rng(3), norms=True)
    monkeypatch.setattr(core, "native", None)
    plain = quantise(rows, 2, np.random.default_rng(3), norms=True)
    assert np.array_equal(plain.codes, compiled.codes)
    assert np.array_equal(plain.quantiser.centroids, compiled.quantiser.centroids)


def test_a_lonely_centre_is_put_elsewhere() -> None:
    """Points in two far clumps: no centre may be left between them."""
    points = np.concatenate([normal(4000, 2), normal(4000, 2, seed=1) + 1000])
    found = centres(points, np.random.default_rng(0))
    codes = nearest(points, found)
    assert len(np.unique(codes)) > 200
    assert np.abs(found[codes] - points).max() < 5


def test_there_are_256_centres() -> None:
    assert centres(np.zeros((3, 2), np.float32), np.random.default_rng(0)).shape == (CODES, 2)
    assert centres(normal(1000, 2), np.random.default_rng(0)).shape == (CODES, 2)
