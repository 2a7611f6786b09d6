"""Whole jobs on every form that a channel may have: folders, lists, and augmented manifests through pipes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.algorithms.image_classification import channel_data
from tests.algorithms.image_classification.channel_data import Picture
from tests.algorithms.image_classification.jobs import ASKED, SIDE
from tests.platform import Job

SIZE = (SIDE, SIDE)
WEIGHTED = {"num_classes": "3", "multi_label": "1", "use_weighted_loss": "1"}
NAMES = ("train", "validation")


def job(base: Path, **given: str) -> Job:
    hyperparameters = ASKED | {"epochs": "1", "mini_batch_size": "4", "num_training_samples": "8"} | given
    return Job(base, {"sagedock_algorithm": "image-classification", **hyperparameters})


def several(name: str) -> list[Picture]:
    return channel_data.several(8, size=SIZE, seed=NAMES.index(name))


@contextmanager
def piped(job: Job, streams: dict[str, bytes]) -> Iterator[None]:
    """As SageMaker does: each channel's next pipe appears when the one before was read, until the job has ended."""
    ended = threading.Event()
    appeared: dict[str, list[Path]] = {name: [] for name in streams}

    def feed(name: str) -> None:
        while not ended.is_set():
            fifo = job.data / f"{name}_{len(appeared[name])}"
            os.mkfifo(fifo)
            appeared[name].append(fifo)
            with fifo.open("wb") as writer:  # waits for a reader
                if not ended.is_set():
                    writer.write(streams[name])

    feeders = [threading.Thread(target=feed, args=(name,)) for name in streams]
    for name in streams:
        job.declare(name, TrainingInputMode="Pipe", RecordWrapperType="RecordIO", ContentType="application/x-recordio")
    job.data.mkdir(parents=True, exist_ok=True)
    for feeder in feeders:
        feeder.start()
    try:
        yield
    finally:
        ended.set()
        for name, feeder in zip(streams, feeders, strict=True):
            while feeder.is_alive():
                last = os.open(appeared[name][-1], os.O_RDONLY | os.O_NONBLOCK)
                feeder.join(0.05)
                os.close(last)


def epochs(log: str) -> Sequence[str]:
    return [line.rpartition("] ")[2] for line in log.splitlines() if "-accuracy=" in line]


def test_a_folder_for_each_class(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Issue item 1: pictures in folders, no list anywhere."""
    made = job(tmp_path, resize=str(SIDE), num_classes="2")
    for name in NAMES:
        made.add_channel(name, {}, ContentType="application/x-image")
        some = channel_data.pictures(8, size=SIZE, seed=NAMES.index(name))
        channel_data.folder_channel(made.data / name, some, ("ants", "bees"))
    assert made.run() == 0, made.failure
    assert "Validation-accuracy=" in "".join(capfd.readouterr())
    assert "ants" in (made.model / "image-classification-symbol.json").read_text(encoding="utf-8")


def test_a_manifest_of_several_labels_with_weights(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Image 60, and the weighted loss of a manifest, of which the built-in died: the log is that of listed pictures."""
    listed, manifest = job(tmp_path / "listed", resize=str(SIDE), **WEIGHTED), job(tmp_path / "manifest", **WEIGHTED)
    for name in NAMES:
        listed.add_channel(name, {}, ContentType="application/x-image")
        listed.add_channel(f"{name}_lst", {}, ContentType="application/x-image")
        channel_data.list_channel(listed.data / name, listed.data / f"{name}_lst", several(name))
    assert listed.run() == 0, listed.failure
    expected = "".join(capfd.readouterr())
    with piped(manifest, {name: channel_data.manifest_stream(several(name)) for name in NAMES}):
        code = manifest.run()
    assert code == 0, manifest.failure
    found = "".join(capfd.readouterr())
    assert [line.partition("=")[0] for line in epochs(found)] == [line.partition("=")[0] for line in epochs(expected)]
    assert (manifest.data / "train_1").exists()
