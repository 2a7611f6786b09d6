"""What an answer to one picture costs on one core: ours from the bytes of a JPEG, beside engines that get pixels.

    .venv/bin/python -m benchmarks.image_serving --rounds 15

Weights are random. CPU time of this process, medians of rounds in which everyone has a turn; each has one thread.
OpenVINO (`pip install openvino`) is left out where it is not installed. The last tables are about batches: networks of
20 layers for 32 x 32, and of 18 for 224 x 224.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sagedock.algorithms.image_classification import engine, export, networks
from sagedock.algorithms.image_classification.description import NETWORK, SYMBOL, Description
from sagedock.algorithms.image_classification.model import load
from sagedock.contracts.hosting import InferenceOptions
from sagedock.formats.media_types import JSON, MediaType
from sagedock.formats.responses import encode

Pixels = NDArray[np.uint8]
Turn = Callable[[], object]
CLASSES = 100


def photograph(width: int = 640, height: int = 480) -> bytes:
    """A JPEG of the size of one out of a telephone's preview, some 100 kB."""
    random = np.random.default_rng(0)
    coarse = Image.fromarray(random.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    stream = BytesIO()
    noisy = np.clip(smooth + random.normal(0, 9, smooth.shape), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def deployed(directory: Path, layers: int, side: int, precision: str) -> tuple[networks.Network, Description]:
    """A network in a model directory."""
    network = networks.build(layers, CLASSES, (3, side, side), seed=1).eval()
    described = Description(layers, (3, side, side), CLASSES, network.stem, precision=precision)
    directory.mkdir()
    (directory / SYMBOL).write_text(described.text())
    export.write(network, described, directory / NETWORK, [pixels(side, 8)])
    return network, described


def pixels(side: int, count: int = 1) -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (count, 3, side, side), dtype=np.uint8)


def eager(network: networks.Network, shown: Pixels) -> Turn:
    given = torch.from_numpy(shown)

    def turn() -> object:
        with torch.inference_mode():
            return torch.softmax(network(given), 1).numpy()

    return turn


def openvino_on(file: Path, shown: Pixels) -> Turn:
    """The same file in OpenVINO, which then computes in float32 where the file does."""
    import openvino

    core = openvino.Core()
    options = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(core.read_model(file), "CPU", {**options, "INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    return lambda: request.infer({0: shown})


def whole(directory: Path, body: bytes) -> Turn:
    model = load(directory, None, InferenceOptions())
    kind = MediaType("image/jpeg")
    return lambda: encode(model.predict(model.read(body, kind)), JSON)


def medians(turns: Mapping[str, Turn], rounds: int, repeats: int) -> dict[str, float]:
    """CPU milliseconds."""
    taken: dict[str, list[float]] = {name: [] for name in turns}
    for turn in turns.values():
        turn()
    for _ in range(rounds):
        for name, turn in turns.items():
            began = time.process_time()
            for _ in range(repeats):
                turn()
            taken[name].append((time.process_time() - began) * 1000 / repeats)
    return {name: statistics.median(times) for name, times in taken.items()}


def engines(layers: int, side: int, rounds: int, repeats: int, body: bytes) -> None:
    shown = pixels(side)
    turns: dict[str, Turn] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for precision in ("float32", "int8"):
            directory = Path(scratch) / precision
            network, described = deployed(directory, layers, side, precision)
            run = engine.opened(directory / NETWORK, described)
            if precision == "float32":
                turns["torch eager"] = eager(network, shown)
            turns[f"ONNX Runtime {precision}"] = partial(run, shown)
            if find_spec("openvino"):
                turns[f"OpenVINO {precision}"] = openvino_on(directory / NETWORK, shown)
            turns[f"sagedock {precision}, from a JPEG"] = whole(directory, body)
        found = medians(turns, rounds, repeats)
    least = found["ONNX Runtime float32"]
    print(f"\n{layers} layers, {side} x {side}, JPEG of {len(body):,} bytes")
    for name, taken in found.items():
        print(f"  {name:34}{taken:9.2f} ms  {taken / least:6.2f} x ONNX Runtime float32")
    for precision in ("float32", "int8"):
        ratio = found[f"sagedock {precision}, from a JPEG"] / found[f"ONNX Runtime {precision}"]
        print(f"  from a JPEG in {precision}: {ratio:.2f} x the engine alone")


def batches(layers: int, side: int, rounds: int, repeats: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        print(f"\n{layers} layers, {side} x {side}: ms a picture in batches of")
        for precision in ("float32", "int8"):
            directory = Path(scratch) / precision
            _, described = deployed(directory, layers, side, precision)
            run = engine.opened(directory / NETWORK, described)
            turns = {str(size): partial(run, pixels(side, size)) for size in (1, 2, 4, 8, 16)}
            found = medians(turns, rounds, repeats)
            print(f"  {precision:8}", "  ".join(f"{size}: {found[size] / int(size):.2f}" for size in found))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=15)
    rounds = arguments.parse_args().rounds
    torch.set_num_threads(1)
    for layers, side, repeats, body in (
        (50, 224, 1, photograph()),
        (18, 224, 1, photograph()),
        (20, 32, 10, photograph(64, 64)),
    ):
        engines(layers, side, rounds, repeats, body)
    batches(20, 32, rounds, 5)
    batches(18, 224, max(1, rounds // 5), 1)


if __name__ == "__main__":
    main()
