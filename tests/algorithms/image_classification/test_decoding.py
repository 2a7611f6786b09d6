"""Pictures of every kind, and files that are none or mean harm (issue 8 items 4 and 5)."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sagedock.algorithms.image_classification import formats
from sagedock.algorithms.image_classification.decoding import decode, decoded
from sagedock.errors import UserError
from tests.algorithms.image_classification.pictures import chunk, encoded, jpeg_of_size, photograph, png

PHOTOGRAPH = photograph(48, 64)
GREY = PHOTOGRAPH[:, :, :1]
TRANSPARENT = np.concatenate([PHOTOGRAPH, photograph(48, 64, 1, seed=1)], axis=2)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
def test_formats_without_loss_come_back_as_they_were(kind: str) -> None:
    assert np.array_equal(decode(encoded(PHOTOGRAPH, kind, lossless=True), "x", colour=True), PHOTOGRAPH)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"optimize": True, "quality": 30}])
def test_jpeg_is_what_pillow_makes_of_it(options: dict[str, object]) -> None:
    """Two builds of one library: whole pictures are equal to the last bit."""
    file = encoded(PHOTOGRAPH, "JPEG", **options)
    assert np.array_equal(decode(file, "x", colour=True), np.asarray(Image.open(BytesIO(file))))


def test_the_bytes_decide_whatever_a_file_is_called() -> None:
    """image 44: nothing but the bytes is looked at; a PNG is a PNG."""
    assert decode(encoded(PHOTOGRAPH), "photograph.jpg", colour=True).shape == (48, 64, 3)


def test_grey_becomes_colour_and_colour_grey() -> None:
    """image 45: a grey picture has three equal channels where colour is wanted."""
    for kind in ("PNG", "JPEG"):
        grey = decode(encoded(GREY, kind), "x", colour=True)
        assert grey.shape == (48, 64, 3)
        assert (grey == grey[:, :, :1]).all()
        assert decode(encoded(GREY, kind), "x", colour=False).shape == (48, 64, 1)
    luma = PHOTOGRAPH @ np.array([0.299, 0.587, 0.114])
    assert np.abs(decode(encoded(PHOTOGRAPH), "x", colour=False)[:, :, 0] - luma).max() <= 1


def test_transparency_is_left_out() -> None:
    assert np.array_equal(decode(encoded(TRANSPARENT), "x", colour=True), PHOTOGRAPH)
    both = Image.fromarray(GREY[:, :, 0]).convert("LA")
    assert np.array_equal(decode(encoded(both), "x", colour=False), GREY)
    palette = Image.fromarray(PHOTOGRAPH).quantize(16)
    shown = np.asarray(palette.convert("RGB"))
    assert np.array_equal(decode(encoded(palette, transparency=3), "x", colour=True), shown)
    assert np.array_equal(decode(encoded(palette, transparency=bytes(range(16))), "x", colour=True), shown)


def test_sixteen_bits_are_scaled_and_not_cut() -> None:
    """The upper eight bits, in grey and in colour."""
    wide = GREY[:, :, 0].astype(np.uint16) * 257
    assert np.array_equal(decode(encoded(wide), "x", colour=False), GREY)
    assert np.array_equal(decode(encoded(wide), "x", colour=True), np.repeat(GREY, 3, axis=2))
    rows = PHOTOGRAPH.astype(">u2") * np.uint16(257)
    data = b"".join(b"\0" + row.tobytes() for row in rows.astype(">u2"))
    assert np.array_equal(decode(png(48, 64, data=data, depth=16), "x", colour=True), PHOTOGRAPH)


def test_inks_become_colours() -> None:
    """CMYK as Adobe writes it, inverted, is what Pillow shows; so is one bit a pixel."""
    inks = Image.fromarray(PHOTOGRAPH).convert("CMYK")
    found = decode(encoded(inks, "JPEG", quality=95), "x", colour=True).astype(int)
    assert np.abs(found - np.asarray(inks.convert("RGB"))).mean() < 3
    assert decode(encoded(inks, "JPEG"), "x", colour=False).shape == (48, 64, 1)
    bits = Image.fromarray(GREY[:, :, 0]).convert("1")
    assert set(np.unique(decode(encoded(bits), "x", colour=True))) == {0, 255}


def test_orientation_is_not_looked_at() -> None:
    """EXIF may say that a picture is to be turned: it is left as it lies, in training and in serving alike."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "PNG", "WEBP"):
        assert decode(encoded(PHOTOGRAPH, kind, exif=exif), "x", colour=True).shape == (48, 64, 3)


def test_of_several_pictures_the_first_is_taken() -> None:
    frames = [Image.fromarray(photograph(48, 64, seed=seed)) for seed in range(3)]
    for kind in ("GIF", "PNG", "WEBP"):
        moving = decode(
            encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True), "x", colour=True
        )
        still = decode(encoded(frames[0], kind, lossless=True), "x", colour=True)
        assert np.abs(moving.astype(int) - still).mean() < 1, kind


@pytest.mark.parametrize(("shortest", "factor"), [(61, 8), (62, 4), (122, 4), (123, 2), (244, 2), (245, 1), (None, 1)])
def test_jpeg_is_scaled_down_while_no_side_gets_too_short(shortest: int | None, factor: int) -> None:
    found = decoded(encoded(photograph(489, 700), "JPEG"), "x", colour=True, shortest=shortest)
    assert found.size == (489, 700)
    assert found.pixels.shape == (-(-489 // factor), -(-700 // factor), 3)


def test_what_is_scaled_in_decoding_looks_like_what_is_scaled_later() -> None:
    """The picture halved by frequencies against the average of its fours: apart by little (docs/pictures.md)."""
    file = encoded(photograph(480, 640), "JPEG", quality=90)
    half = decode(file, "x", colour=True, shortest=240).astype(int)
    whole = decode(file, "x", colour=True).astype(int)
    fours = whole.reshape(240, 2, 320, 2, 3).mean(axis=(1, 3))
    assert np.abs(half - fours).mean() < 2


TIFF = encoded(PHOTOGRAPH, "TIFF")
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="100000" height="100000"/>'


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (b"", "no bytes at all"),
        (b"\0\1\2\3random bytes", "16 bytes that begin with 00 01 02 03"),
        (TIFF, "a TIFF file"),
        (SVG, "an SVG file"),
        (b"<html>404</html>", "text that begins with '<html>404</html>'"),
        (b"\0\0\0\x1cftypheic", "a HEIF, AVIF or MP4 file"),
        (encoded(PHOTOGRAPH, "ICO"), "a ICO file"),
        (encoded(PHOTOGRAPH, "JPEG2000"), "a JPEG 2000 file"),
        (encoded(PHOTOGRAPH, "PPM"), "bytes that begin with"),
    ],
    ids=str,
)
def test_other_files_are_refused_by_name(file: bytes, told: str) -> None:
    """image 42: the error names the place, what was found, and what is allowed."""
    with pytest.raises(UserError) as raised:
        decode(file, "record 17 of train.rec", colour=True)
    assert str(raised.value).startswith("record 17 of train.rec: ")
    assert told in str(raised.value)
    assert "JPEG, PNG, GIF, BMP, WebP" in str(raised.value)


def jpeg_bomb(size: int) -> bytes:
    return jpeg_of_size(encoded(PHOTOGRAPH, "JPEG"), size, size)


def gif_frame(size: int) -> bytes:
    """What follows the size of the canvas, with a first frame that is larger than it."""
    file = encoded(PHOTOGRAPH, "GIF")
    at = file.index(b",\0\0\0\0" + struct.pack("<HH", 64, 48))
    return file[10 : at + 5] + struct.pack("<HH", size, size) + file[at + 9 :]


def webp_bomb() -> bytes:
    head = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (16000).to_bytes(3, "little") * 2
    return b"RIFF" + struct.pack("<I", 4 + len(head)) + b"WEBP" + head


BOMBS = {
    "png": png(60_000, 60_000),
    "jpeg": jpeg_bomb(65_000),
    "gif": b"GIF89a" + struct.pack("<HH", 65_000, 65_000) + encoded(PHOTOGRAPH, "GIF")[10:],
    "bmp": encoded(PHOTOGRAPH, "BMP")[:18] + struct.pack("<ii", 60_000, 60_000) + encoded(PHOTOGRAPH, "BMP")[26:],
    "webp": webp_bomb(),
    "gif frame that Pillow warns of": encoded(PHOTOGRAPH, "GIF")[:6] + struct.pack("<HH", 8, 8) + gif_frame(10_000),
    "gif frame": encoded(PHOTOGRAPH, "GIF")[:6] + struct.pack("<HH", 8, 8) + gif_frame(30_000),
}


@pytest.mark.parametrize("kind", BOMBS)
@pytest.mark.filterwarnings("error")
def test_a_head_that_promises_too_much_is_enough_to_be_refused(kind: str) -> None:
    told = r"picture has \d+ x \d+ pixels, and at most 50,000,000 pixels and sides of 65,535|decompression bomb"
    with pytest.raises(UserError, match=told):
        decode(BOMBS[kind], "x", colour=True)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_a_file_cut_off_anywhere_is_refused(kind: str) -> None:
    file = encoded(PHOTOGRAPH, kind)
    for end in range(16, len(file) - 60, len(file) // 20):
        with pytest.raises(UserError, match="x: "):
            decode(file[:end], "x", colour=True)


def test_bytes_behind_a_picture_do_no_harm() -> None:
    for kind in ("JPEG", "PNG", "GIF"):
        assert decode(encoded(PHOTOGRAPH, kind) + b"more" * 100, "x", colour=True).shape == (48, 64, 3)


def test_text_and_profiles_that_unfold_are_not_unfolded() -> None:
    """64 MB in a zTXt or iCCP chunk: refused or left out, and never there."""
    folded = zlib.compress(bytes(64 << 20))
    for name, opening in ((b"zTXt", b"Comment\0\0"), (b"iCCP", b"profile\0\0"), (b"iTXt", b"Comment\0\1\0\0\0")):
        file = png(16, 16, chunk(name, opening + folded), data=(b"\0" + bytes(48)) * 16)
        try:
            assert decode(file, "x", colour=True).shape == (16, 16, 3)
        except UserError as error:
            assert "Decompressed data too large" in str(error)  # noqa: PT017 - either is right, by Pillow's version


def test_more_scans_than_any_encoder_writes_are_refused() -> None:
    """A progressive file may ask for work on all of the picture with every few bytes."""
    file = encoded(PHOTOGRAPH, "JPEG", progressive=True)
    last = file.rfind(b"\xff\xda")
    with pytest.raises(UserError, match="scans, and at most 64 are allowed"):
        decode(file[:last] + file[last:-2] * 100 + file[-2:], "x", colour=True)


_WORST = """
import sys
from pathlib import Path
from sagedock.algorithms.image_classification.decoding import decode
from tests.memory import kilobytes

small, large = (Path(name).read_bytes() for name in sys.argv[1:])
decode(small, "x", colour=True)  # the libraries' own pages are in use before
before = kilobytes("VmRSS")
pixels = decode(large, "x", colour=True)
print((kilobytes("VmHWM") - before) * 1024 / (pixels.shape[0] * pixels.shape[1]))
"""


@pytest.mark.parametrize("mode", ["RGBA", "RGB", "LA", "I;16", "CMYK", "P", "progressive"])
def test_a_pixel_takes_no_more_memory_than_is_said(tmp_path: Path, mode: str) -> None:
    """At most twelve bytes each, while decoding and after (formats.MOST_PIXELS)."""
    kind, options = ("JPEG", {"progressive": mode == "progressive"}) if mode in {"CMYK", "progressive"} else ("PNG", {})
    files = [tmp_path / f"{side}" for side in (30, 3000)]
    for file in files:
        image = Image.new("RGB" if mode == "progressive" else mode, (int(file.name),) * 2)
        file.write_bytes(encoded(image, kind, **options))
    ran = subprocess.run([sys.executable, "-c", _WORST, *files], capture_output=True, text=True, check=True)
    assert 3 <= float(ran.stdout) <= 12


@settings(max_examples=300)
@given(
    st.binary(max_size=400), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"RIFF"])
)
def test_any_bytes_are_a_picture_or_refused(rest: bytes, first: bytes) -> None:
    try:
        assert decode(first + rest, "x", colour=True).ndim == 3
    except UserError as error:
        assert str(error).startswith("x: ")  # noqa: PT017 - either may be right


def test_the_limit_lets_large_cameras_through() -> None:
    assert formats.MOST_PIXELS >= 8064 * 6048
