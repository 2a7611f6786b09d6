"""What a picture costs from its file to 224 x 224 pixels: ours beside Pillow, simplejpeg, torchvision and OpenCV.

    .venv/bin/python -m benchmarks.pictures [--rounds 30]

Two JPEG pictures of seeded colours and noise: 640 x 480 of about 120 KB and 1920 x 1080 of about 809 KB. Each way has
the shorter side made 256, bilinear and antialiased, and the middle 224 x 224 taken. CPU milliseconds of one thread, the
least of so many rounds in which the ways take turns. Behind them: what augmentation adds, how far ours is from decoding
whole, and how much faster two threads are than one (on two idle cores), because they give Python's lock back.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from io import BytesIO

import numpy as np
import simplejpeg
from PIL import Image

from sagedock.algorithms.image_classification import augmentation, vision
from sagedock.algorithms.image_classification.formats import Size
from sagedock.algorithms.image_classification.preparation import Preparation, squashed
from sagedock.algorithms.image_classification.resampling import resampled
from tests.algorithms.image_classification.pictures import photograph
from tests.without_core import without_core

SHORTER, SIDE = 256, 224
PICTURES = {"640 x 480": (480, 640, 120_000), "1920 x 1080": (1080, 1920, 809_000)}
Way = Callable[[bytes], object]


def jpeg(height: int, width: int, size: int) -> bytes:
    """A picture with as much noise as makes its file about `size` bytes."""
    smooth = photograph(height, width).astype(np.float32)
    noise = np.random.default_rng(0).normal(size=(height, width, 1))
    least, most, found = 0.0, 80.0, b""
    for _ in range(12):
        stream = BytesIO()
        noisy = np.clip(smooth + noise * (least + most) / 2, 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(stream, "JPEG", quality=85)
        found = stream.getvalue()
        least, most = ((least + most) / 2, most) if len(found) < size else (least, (least + most) / 2)
    return found


def _cropped(image: Image.Image) -> np.ndarray:
    least = min(image.size)
    width, height = (side * SHORTER // least for side in image.size)
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - SIDE) // 2, (height - SIDE) // 2
    return np.asarray(resized.crop((left, top, left + SIDE, top + SIDE))).transpose(2, 0, 1)


def pillow(file: bytes) -> np.ndarray:
    return _cropped(Image.open(BytesIO(file)).convert("RGB"))


def pillow_draft(file: bytes) -> np.ndarray:
    image = Image.open(BytesIO(file))
    image.draft("RGB", (SHORTER, SHORTER))
    return _cropped(image.convert("RGB"))


def simplejpeg_whole(file: bytes) -> np.ndarray:
    return _cropped(Image.fromarray(simplejpeg.decode_jpeg(file)))


def simplejpeg_scaled(file: bytes) -> np.ndarray:
    """To any of libjpeg's factors."""
    return _cropped(Image.fromarray(simplejpeg.decode_jpeg(file, min_height=SHORTER, min_width=SHORTER)))


def simplejpeg_torchvision(file: bytes) -> object:
    import torch

    vision.torchvision()
    from torchvision.transforms.v2 import functional

    pixels = torch.from_numpy(simplejpeg.decode_jpeg(file)).permute(2, 0, 1)
    return functional.center_crop(functional.resize(pixels, [SHORTER], antialias=True), [SIDE, SIDE]).contiguous()


def opencv(file: bytes) -> object:
    """Area averages, OpenCV's way against aliases; it has no antialiased bilinear one."""
    import cv2

    cv2.setNumThreads(1)
    pixels = cv2.cvtColor(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    height, width = (side * SHORTER // min(pixels.shape[:2]) for side in pixels.shape[:2])
    resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    top, left = (height - SIDE) // 2, (width - SIDE) // 2
    return np.ascontiguousarray(resized[top : top + SIDE, left : left + SIDE].transpose(2, 0, 1))


def ours(kind: str = augmentation.NONE) -> Way:
    preparation = Preparation((3, SIDE, SIDE), resize=SHORTER, augmentation=kind)
    return lambda file: preparation.picture(file, "the picture", np.random.default_rng(0))


def plain(file: bytes) -> object:
    with without_core():
        return ours()(file)


def ways() -> Mapping[str, Way]:
    found: dict[str, Way] = {
        "Pillow": pillow,
        "Pillow with draft": pillow_draft,
        "simplejpeg + Pillow": simplejpeg_whole,
        "simplejpeg scaled + Pillow": simplejpeg_scaled,
        "simplejpeg + torchvision": simplejpeg_torchvision,
    }
    if find_spec("cv2"):
        found["OpenCV"] = opencv
    return {
        **found,
        "ours": ours(),
        "ours without the core": plain,
        "ours, squashed": lambda file: squashed(file, (3, SIDE, SIDE), "the picture"),
        **{f"ours, {kind}": ours(kind) for kind in augmentation.KINDS[1:]},
    }


def measured(file: bytes, rounds: int) -> Mapping[str, float]:
    least = dict.fromkeys(ways(), float("inf"))
    for _ in range(rounds):
        for name, way in ways().items():
            begin = time.thread_time()
            way(file)
            least[name] = min(least[name], (time.thread_time() - begin) * 1000)
    return least


def threads(file: bytes, count: int) -> float:
    """Wall seconds of one thread by those of two, for so many pictures."""
    prepare = ours()
    spent = []
    for workers in (1, 2):
        with ThreadPoolExecutor(workers) as pool:
            begin = time.perf_counter()
            list(pool.map(prepare, [file] * count))
            spent.append(time.perf_counter() - begin)
    return spent[0] / spent[1]


def apart(file: bytes) -> float:
    """Levels by which a pixel of ours differs in the mean from the whole picture resized, of 256."""
    whole = simplejpeg.decode_jpeg(file)
    least = min(whole.shape[:2])
    size = Size(*(SHORTER * side // least for side in whole.shape[:2]))
    exact = resampled(whole, size, augmentation.centre(size, SIDE, SIDE)).astype(int)
    return float(np.abs(exact - ours()(file)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    for name, (height, width, size) in PICTURES.items():
        file = jpeg(height, width, size)
        print(f"{name}, {len(file):,} bytes")
        found = measured(file, options.rounds)
        for way, spent in found.items():
            print(f"  {way:28} {spent:7.2f} CPU ms  {found['Pillow'] / spent:5.2f} times Pillow's speed")
        print(f"  a pixel differs by {apart(file):.2f} of 256 in the mean from the exact way")
        print(f"  two threads are {threads(file, 100):.2f} times as fast as one")


if __name__ == "__main__":
    main()
