"""Turn MNIST's idx files into the channels of a training job, as AWS's XGBoost workshop does.

    python containers/mnist/prepare.py DIRECTORY --data FOLDER [--rows N]

reads `train-images-idx3-ubyte.gz` and `train-labels-idx1-ubyte.gz` from FOLDER and writes, below DIRECTORY, libsvm
files in five parts for each channel: `train/` (ten twelfths of the digits), `validation/` (one twelfth) and `test/`
(the rest, held back). A line is a label and all 784 pixels, zeros too, `index:grey`, the index counted from 1, the grey
from 0 to 255/256.
"""

from __future__ import annotations

import argparse
import gzip
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagedock.contracts.files import make_directory, replacing
from sagedock.errors import SagedockError, UserError

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
CLASSES = 10
SEED = 1729
PARTS = 5
UNSIGNED_BYTE = 8
"""The only element type of idx files read here (third byte of the file)."""


@dataclass(frozen=True)
class Digits:
    """`pixels` (rows, pixels) from 0 to 255 and `labels` (rows,) from 0 to 9."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def take(self, rows: NDArray[np.intp]) -> Digits:
        """The digits of these row numbers, in this order."""
        return Digits(self.pixels[rows], self.labels[rows])


@dataclass(frozen=True)
class Split:
    """What is learnt from, what the rounds are judged on, and what is held back until the end."""

    train: Digits
    validation: Digits
    test: Digits


def read_idx(file: Path) -> NDArray[np.uint8]:
    """The array in a gzipped idx file of unsigned bytes.

    The format: two zero bytes, the element type, the number of dimensions, each dimension as a big-endian uint32, the
    elements (described on Y. LeCun's MNIST page). Raises UserError for anything else.
    """
    try:
        with gzip.open(file) as content:
            data = content.read()
    except (OSError, EOFError) as error:
        raise UserError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != UNSIGNED_BYTE:
        raise UserError(f"{file} is not an idx file of unsigned bytes: it starts with {data[:4].hex(' ')!r}")
    dimensions = data[3]
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise UserError(f"{file} ends inside its header: download it again")
    shape = struct.unpack(f">{dimensions}I", data[4:start])
    if len(data) - start != prod(shape):
        raise UserError(
            f"{file} declares {prod(shape):,} bytes of data and holds {len(data) - start:,}: download it again"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def read(folder: Path) -> Digits:
    """The digits of the two files in `folder`; raises UserError when they do not fit together."""
    images, labels = read_idx(folder / IMAGES), read_idx(folder / LABELS)
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise UserError(f"{folder / IMAGES} has the shape {images.shape} and {folder / LABELS} {labels.shape}")
    if labels.size and labels.max() >= CLASSES:
        row = int(np.argmax(labels >= CLASSES))
        raise UserError(f"{folder / LABELS}, label {row + 1} is {labels[row]}, allowed are 0 to {CLASSES - 1}")
    return Digits(images.reshape(len(images), -1), labels)


def split(digits: Digits, rows: int | None = None) -> Split:
    """Shuffle with seed 1729, keep the first `rows` digits (all by default), and cut at ten and eleven twelfths.

    Of MNIST's 60,000 that makes 50,000, 5,000 and 5,000. Raises UserError when `rows` is out of range.
    """
    rows = len(digits.labels) if rows is None else rows
    if not 12 * PARTS <= rows <= len(digits.labels):
        raise UserError(f"{rows} rows: give from {12 * PARTS} to {len(digits.labels)}", field="rows")
    order = np.random.RandomState(SEED).permutation(len(digits.labels))[:rows]
    twelfth = rows // 12
    train, validation, test = np.split(order, [rows - 2 * twelfth, rows - twelfth])
    return Split(digits.take(train), digits.take(validation), digits.take(test))


def write(parts: Split, directory: Path) -> None:
    """Write the channels train, validation and test below `directory`, five libsvm files each."""
    for name in ("train", "validation", "test"):
        channel = make_directory(directory / name)
        digits: Digits = getattr(parts, name)
        for number, rows in enumerate(np.array_split(np.arange(len(digits.labels)), PARTS)):
            _write_libsvm(channel / f"{name}-{number}.libsvm", digits.take(rows))


def prepare(folder: Path, directory: Path, rows: int | None = None) -> Split:
    """Read, split and write: the whole preparation."""
    parts = split(read(folder), rows)
    write(parts, directory)
    return parts


def _write_libsvm(file: Path, digits: Digits) -> None:
    pixels = digits.pixels.shape[1]
    greys = [np.format_float_positional(grey / 256, trim="-") for grey in range(256)]
    tokens = np.array([[f" {index}:{grey}" for grey in greys] for index in range(1, pixels + 1)], dtype=object)
    columns = np.arange(pixels)
    with replacing(file) as temporary, temporary.open("w", encoding="ascii") as lines:
        for label, row in zip(digits.labels, digits.pixels, strict=True):
            lines.write(f"{label}{''.join(tokens[columns, row])}\n")


def main(arguments: Sequence[str]) -> int:
    """Prepare, print the sizes and return the exit code."""
    parser = argparse.ArgumentParser(prog="prepare.py", description="Turn MNIST's idx files into training channels.")
    parser.add_argument("directory", type=Path, help="where train/, validation/ and test/ are to be written")
    parser.add_argument("--data", type=Path, required=True, help=f"the folder with {IMAGES} and {LABELS}")
    parser.add_argument("--rows", type=int, help="take only so many digits, for a quick look (default: all)")
    options = parser.parse_args(arguments)
    try:
        parts = prepare(options.data, options.directory, options.rows)
    except SagedockError as error:
        print(f"prepare.py: {error}", file=sys.stderr)
        return 1
    for name in ("train", "validation", "test"):
        print(f"{name:<10} {len(getattr(parts, name).labels):>6,} digits")
    print(f"written to {options.directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
