"""Pictures resampled and their colours shifted: with each instruction set, and without the core, to the bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagedock import core
from sagedock.algorithms.image_classification import hls
from sagedock.algorithms.image_classification.formats import Size
from sagedock.algorithms.image_classification.resampling import Window, resampled
from tests.without_core import without_core

pytestmark = pytest.mark.usefixtures("native")


@pytest.fixture(autouse=True)
def best_afterwards() -> Iterator[None]:
    yield
    assert core.native is not None
    core.native.use_instruction_set(core.native.instruction_sets()[-1])


def agree(work: Callable[[], Any]) -> None:
    with without_core():
        expected = work()
    assert core.native is not None
    for name in core.native.instruction_sets():
        core.native.use_instruction_set(name)
        assert np.array_equal(work(), expected), name


def pixels(seed: int, *shape: int) -> np.ndarray:
    """Noise, or black and white, where sums come to the ends of their range."""
    found = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return found if seed % 3 else (found // 128) * np.uint8(255)


SIDES = st.integers(1, 90)


@settings(max_examples=200)
@given(st.data(), st.integers(0, 99), st.sampled_from([1, 3]), SIDES, SIDES, SIDES, SIDES)
def test_any_window_of_any_size_is_what_pillow_makes(
    data: st.DataObject, seed: int, channels: int, height: int, width: int, high: int, wide: int
) -> None:
    top, left = data.draw(st.integers(0, high - 1)), data.draw(st.integers(0, wide - 1))
    rows, columns = data.draw(st.integers(1, high - top)), data.draw(st.integers(1, wide - left))
    picture, window = pixels(seed, height, width, channels), Window(top, left, rows, columns)
    agree(lambda: resampled(picture, Size(high, wide), window))


@pytest.mark.parametrize("size", [(480, 640), (1080, 1920), (65_535, 3), (2, 65_535)])
def test_large_pictures_are_what_pillow_makes(size: tuple[int, int]) -> None:
    picture = pixels(4, *size, 3)
    agree(lambda: resampled(picture, Size(256, 341), Window(16, 58, 224, 224)))


@settings(max_examples=100)
@given(st.integers(0, 99), SIDES, SIDES, *[st.integers(-255, 255)] * 3)
def test_shifted_colours_are_what_numpy_makes(
    seed: int, height: int, width: int, hue: int, lightness: int, saturation: int
) -> None:
    planes = pixels(seed, 3, height, width)
    agree(lambda: hls.shifted(planes, hls.Shift(hue, lightness, saturation)))


@pytest.mark.parametrize(
    ("shape", "given"),
    [
        ((4, 4, 2), {}),
        ((0, 4, 3), {}),
        ((4, 4, 3), {"rows": 6}),
        ((4, 4, 3), {"columns": 0}),
        ((4, 4, 3), {"top": 2**63, "rows": 5}),
        ((4, 4, 3), {"height": 65_536}),
    ],
)
def test_what_does_not_fit_is_refused(shape: tuple[int, ...], given: dict[str, int]) -> None:
    wanted = {"height": 5, "width": 5, "top": 0, "left": 0, "rows": 5, "columns": 5, **given}
    assert core.native is not None
    with pytest.raises(ValueError, match=r"channel|side|window"):
        core.native.resample(np.zeros(shape, np.uint8), **wanted)


def test_a_shift_of_other_planes_or_beyond_bytes_is_refused() -> None:
    assert core.native is not None
    for channels, hue in ((1, 0), (3, 256)):
        with pytest.raises(ValueError, match=r"three planes|beyond 255"):
            core.native.shift_hls(np.zeros((channels, 2, 2), np.uint8), hue=hue, lightness=0, saturation=0)
