"""Resizing, cropping and random changes (image specification, section 6)."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from PIL import Image

from sagedock.algorithms.image_classification import augmentation, hls
from sagedock.algorithms.image_classification.formats import Size
from sagedock.algorithms.image_classification.preparation import Preparation, squashed
from sagedock.algorithms.image_classification.resampling import Window, resampled
from sagedock.errors import UserError
from tests.algorithms.image_classification.pictures import encoded, photograph

SHAPE = (3, 32, 32)
PICTURE = encoded(photograph(48, 64))


def random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_shorter_side_is_resized_and_the_other_cut_to_whole_pixels() -> None:
    """image 38: a picture of 512 x 300 becomes 436 x 256, whatever stands, and is enlarged as well."""
    pixels = photograph(300, 512)
    expected = np.asarray(Image.fromarray(pixels).resize((436, 256), Image.Resampling.BILINEAR))
    whole = Preparation((3, 256, 436), resize=256).picture(encoded(pixels), "x")
    assert np.array_equal(whole, expected.transpose(2, 0, 1))
    with pytest.raises(UserError, match="resized to 436 x 256 pixels"):
        Preparation((3, 257, 436), resize=256).picture(encoded(pixels), "x")
    assert Preparation((3, 96, 128), resize=96).picture(PICTURE, "x").shape == (3, 96, 128)


def test_the_middle_is_taken_where_nothing_is_random() -> None:
    """image 11: without resize the stored size counts; offsets are rounded down."""
    pixels = photograph(47, 64)
    found = Preparation(SHAPE).picture(encoded(pixels), "x")
    assert np.array_equal(found, pixels[7:39, 16:48].transpose(2, 0, 1))


def test_a_picture_smaller_than_the_shape_is_refused_with_both_sizes() -> None:
    """image 12: 200 x 300 for 224 x 224 without resize; the picture, its size and the shape are named."""
    with pytest.raises(UserError) as raised:
        Preparation((3, 224, 224)).picture(encoded(photograph(300, 200)), "line 3 of train.lst, images/a.jpg")
    assert str(raised.value).startswith("line 3 of train.lst, images/a.jpg: the picture has 200 x 300 pixels")
    assert "image_shape asks for 224 x 224 pixels: set resize to 224 or more" in str(raised.value)


def test_a_thin_picture_does_not_unfold() -> None:
    with pytest.raises(UserError, match="resized to a shorter side of 256 has 15360000 x 256 pixels"):
        Preparation((3, 224, 224), resize=256).picture(encoded(np.zeros((1, 60_000, 3), np.uint8)), "x")


def test_without_augmentation_two_epochs_see_the_same_and_with_it_others() -> None:
    """image 35: none is the same twice, crop is not; about half of the pictures are mirrored."""
    plain, cropped = Preparation(SHAPE), Preparation(SHAPE, augmentation="crop")
    assert np.array_equal(plain.picture(PICTURE, "x", random(1)), plain.picture(PICTURE, "x", random(2)))
    assert not np.array_equal(cropped.picture(PICTURE, "x", random(1)), cropped.picture(PICTURE, "x", random(2)))
    whole, pixels = Preparation((3, 48, 64), augmentation="crop"), photograph(48, 64).transpose(2, 0, 1)
    found = [whole.picture(PICTURE, "x", random(seed)) for seed in range(400)]
    mirrored = sum(np.array_equal(picture, pixels[:, :, ::-1]) for picture in found)
    assert mirrored + sum(np.array_equal(picture, pixels) for picture in found) == 400
    assert abs(mirrored - 200) <= 3 * sqrt(400) / 2


def test_crops_lie_anywhere_and_the_same_numbers_give_the_same_picture() -> None:
    windows = {augmentation.corner(random(seed), Size(35, 34), 32, 32)[:2] for seed in range(300)}
    assert windows == {(top, left) for top in range(4) for left in range(3)}
    for kind in augmentation.KINDS:
        preparation = Preparation(SHAPE, resize=40, augmentation=kind)
        assert np.array_equal(
            preparation.picture(PICTURE, "x", random(3)), preparation.picture(PICTURE, "x", random(3))
        )


def test_shifts_are_within_their_limits_and_distributed_as_upstream_draws_them() -> None:
    """image 36: within 36, 50 and 50, symmetric, the middle likelier: variance of (u1 + 4 u2) / 5 is 17 / 300."""
    generator = random(0)
    shifts = np.array([augmentation.shift(generator) for _ in range(4000)])
    limits = np.array([36, 50, 50])
    assert (np.abs(shifts) <= limits).all()
    assert (np.abs(shifts).max(axis=0) > 0.9 * limits).all()
    assert np.abs(shifts.mean(axis=0)).max() < 2
    spread = 2 * limits * sqrt(17 / 300)
    assert np.abs(shifts.std(axis=0) / spread - 1).max() < 0.05


def test_a_shift_is_the_same_for_all_pixels_in_hls_and_clamped() -> None:
    """image 36: read back in HLS, lightness moved by what was added, nothing beyond its range."""
    pixels = photograph(40, 50).transpose(2, 0, 1)
    before = hls.to_hls(pixels)
    after = hls.to_hls(hls.shifted(pixels, hls.Shift(0, 30, 0)))
    expected = np.clip(before[1].astype(int) + 30, 0, 255)
    assert np.abs(after[1].astype(int) - expected).max() <= 1
    assert (hls.shifted(pixels, hls.Shift(0, 255, 0)) == 255).all()
    assert (hls.shifted(pixels, hls.Shift(0, -255, 0)) == 0).all()
    grey = hls.shifted(pixels, hls.Shift(0, 0, -255)).astype(int)
    assert (grey.max(axis=0) == grey.min(axis=0)).all()


def test_hls_is_what_the_standard_library_has_in_eight_bits() -> None:
    """Of 8,000 colours of all kinds, against colorsys; hue in steps of two degrees."""
    import colorsys

    levels = np.array([0, 1, 30, 64, 99, 127, 128, 129, 180, 200, 254, 255], np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels, indexing="ij")).reshape(3, -1, 1)
    found = np.stack(hls.to_hls(colours))[:, :, 0].T
    for colour, (hue, lightness, saturation) in zip(colours[:, :, 0].T, found.astype(int), strict=True):
        exact = colorsys.rgb_to_hls(*(colour / 255))
        for value, right in zip((hue, lightness, saturation), np.multiply(exact, (180, 255, 255)), strict=True):
            assert abs(value - right) <= 0.501
    again = hls.shifted(colours, hls.Shift(0, 0, 0)).astype(int)
    assert np.abs(again - colours).mean() < 1.5


def test_hue_does_not_wrap() -> None:
    """Red of hue 0 shifted down stays red; magenta of hue 150 shifted beyond 180 becomes red."""
    red, magenta = (np.array(colour, np.uint8).reshape(3, 1, 1) for colour in ((255, 0, 0), (255, 0, 255)))
    for colour, hue in ((red, -36), (magenta, 36)):
        assert hls.shifted(colour, hls.Shift(hue, 0, 0)).ravel().tolist() == [255, 1, 1], (
            "of lightness 128 in eight bits"
        )


def test_what_comes_in_at_the_border_is_white() -> None:
    """image 37: a black picture moved has corners of 255 and a middle of 0."""
    moved = [
        augmentation.warped(np.zeros((3, 40, 60), np.uint8), augmentation.moved(random(seed))) for seed in range(20)
    ]
    borders = np.concatenate([planes[:, [0, 0, -1, -1], [0, -1, 0, -1]].ravel() for planes in moved])
    assert all(planes.shape == (3, 40, 60) and (planes[:, 15:25, 25:35] == 0).all() for planes in moved)
    assert {0, 255} <= set(borders.tolist())
    assert (borders == 255).mean() > 0.3


def test_a_move_is_a_turn_about_the_centre_with_a_stretch() -> None:
    """Determinants are high times wide, a turn by the angle; a quarter turn of a square is what NumPy makes of it."""
    for seed in range(100):
        across = np.linalg.det(augmentation.moved(random(seed)))
        assert 0.97 < across <= 1.0 + 1e-9
    planes = photograph(21, 21).transpose(2, 0, 1).copy()
    assert np.array_equal(augmentation.warped(planes, np.eye(2)), planes)
    quarter = augmentation.warped(planes, np.array([[0.0, 1.0], [-1.0, 0.0]]))
    assert np.abs(quarter.astype(int) - np.rot90(planes, axes=(1, 2))).max() <= 1


def test_serving_squashes() -> None:
    """image 43: 300 x 100 gives the bytes of the same picture squashed beforehand."""
    pixels = photograph(100, 300)
    before = np.asarray(Image.fromarray(pixels).resize((224, 224), Image.Resampling.BILINEAR))
    found = squashed(encoded(pixels), (3, 224, 224), "the request")
    assert np.array_equal(found, squashed(encoded(before), (3, 224, 224), "the request"))
    assert np.array_equal(found, before.transpose(2, 0, 1))
    assert squashed(encoded(pixels), (1, 28, 28), "the request").shape == (1, 28, 28)


def test_a_window_is_a_part_of_the_whole() -> None:
    pixels = photograph(70, 90)
    whole = resampled(pixels, Size(33, 51))
    assert np.array_equal(resampled(pixels, Size(33, 51), Window(3, 7, 20, 30)), whole[:, 3:23, 7:37])
