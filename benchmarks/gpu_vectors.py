"""How fast word vectors are trained on a GPU, beside the compiled core on two threads, and how good they are.

The same text and settings in one run. Words are those of the file, times epochs; seconds are of the wall, and of the
epochs alone, after one of warming up. Without the core the GPU is measured alone, without a GPU torch on the processor.

.venv/bin/python -m benchmarks.gpu_vectors --data ../shared/data/wordvec
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
import time
from pathlib import Path

import torch

from sagedock import core
from sagedock.algorithms.blazingtext.corpus import read_sentences
from sagedock.algorithms.blazingtext.cuda import DeviceVectorTrainer
from sagedock.algorithms.blazingtext.evaluation import evaluate, read_pairs
from sagedock.algorithms.blazingtext.vector_trainer import VectorTrainer
from sagedock.algorithms.blazingtext.vectors import CBOW, SKIPGRAM, VectorSettings

DATA = Path(__file__).parents[2] / "shared" / "data" / "wordvec"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="a folder with wiki_dev_az.txt.gz and word-sim")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--copies", type=int, default=1, help="how often the text is repeated")
    parser.add_argument("--modes", nargs="+", default=[SKIPGRAM, CBOW])
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if device == "cuda" else "torch on the processor"
    pairs = read_pairs(options.data / "word-sim")
    with tempfile.TemporaryDirectory() as folder, gzip.open(options.data / "wiki_dev_az.txt.gz", "rb") as stream:
        text = stream.read()
        sentences = read_sentences(options.copies * [[text]], Path(folder), min_count=5 * options.copies)
        ways = {name: True} if core.native is None else {f"core, {options.threads} threads": False, name: True}
        for mode in options.modes:
            rates = {}
            for way, is_torch in ways.items():
                settings = VectorSettings(mode, epochs=options.epochs)
                counts = sentences.dictionary.counts
                trainer = (
                    DeviceVectorTrainer(sentences, counts, settings, seed=1, device=device)
                    if is_torch
                    else VectorTrainer(sentences, counts, settings, seed=1, threads=options.threads)
                )
                begun = (trainer.input.copy(), trainer.output.copy())
                if is_torch:
                    trainer.epoch(0)
                    trainer.input[:], trainer.output[:] = begun
                start = time.perf_counter()
                for number in range(options.epochs):
                    trainer.epoch(number)
                spent = time.perf_counter() - start
                rates[way] = options.epochs * trainer.words / spent
                score = evaluate(sentences.dictionary.ids, trainer.vectors(), pairs)["mean_rho"] if pairs else 0
                ratio = rates[way] / next(iter(rates.values()))
                print(f"{mode:10}{way:28}{rates[way]:14,.0f} words/s {ratio:8.1f} x  rho {score:.3f}", flush=True)


if __name__ == "__main__":
    main()
