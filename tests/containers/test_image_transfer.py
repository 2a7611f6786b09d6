"""containers/image-transfer: pictures in folders to channels of every form, and the README's commands on real sets."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sagedock import algorithms
from sagedock.algorithms.image_classification import channels as image_channels
from sagedock.cloud import requests
from sagedock.contracts.channels import Channel
from sagedock.errors import UserError

ROOT = Path(__file__).parents[2]
WORKLOAD = ROOT / "containers" / "image-transfer"
README = (WORKLOAD / "README.md").read_text(encoding="utf-8")
CLASSES = ("ants", "Bienen 蜂")


def encoded(seed: int) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def folder(top: Path, parts: tuple[str, ...] = ("",), each: int = 10) -> Path:
    for part in parts:
        for place, kind in enumerate(CLASSES):
            (top / part / kind).mkdir(parents=True)
            for number in range(each):
                (top / part / kind / f"{number}{part}.PNG").write_bytes(encoded(100 * place + number + len(part)))
    (top / "notes.txt").write_text("no picture")
    return top


def test_every_picture_falls_into_one_part(pictures: ModuleType, tmp_path: Path) -> None:
    raw = folder(tmp_path / "raw")
    parts = pictures.prepare(raw, tmp_path / "made")
    assert [len(getattr(parts, name)) for name in ("train", "validation", "test")] == [14, 3, 3]
    written = [file.read_bytes() for file in (tmp_path / "made").rglob("*.PNG")]
    assert sorted(written) == sorted(file.read_bytes() for file in raw.rglob("*.PNG"))
    assert sorted(file.name for file in (tmp_path / "made" / "train").iterdir()) == sorted(CLASSES)
    assert all(file.name.startswith(CLASSES) for file in (tmp_path / "made" / "test").iterdir())


def test_folders_of_parts_are_kept_in_a_tar_file_too(pictures: ModuleType, tmp_path: Path) -> None:
    raw = folder(tmp_path / "raw", ("train", "val"), each=6)
    with tarfile.open(tmp_path / "raw.tar", "w") as archive:
        archive.add(raw, "set")
    for number, source in enumerate((raw, tmp_path / "raw.tar")):
        parts = pictures.prepare(source, tmp_path / str(number))
        assert {picture.part for picture in parts.train} == {"train"}
        assert {picture.part for picture in [*parts.validation, *parts.test]} == {"val"}
    for file in (tmp_path / "0").rglob("*.PNG"):
        assert (tmp_path / "1" / file.relative_to(tmp_path / "0")).read_bytes() == file.read_bytes()


def read(directory: Path, form: str) -> dict[str, list[tuple[int, bytes]]]:
    """What a job reads of the channels: number of class and picture, in order."""
    names = ["train", "validation", *(["train_lst", "validation_lst"] if form == "list" else [])]
    kind = "application/x-recordio" if form == "recordio" else "application/x-image"
    given = {name: Channel(name, directory / name, kind) for name in names}
    values = {"num_classes": 2, "multi_label": False, "resize": 36, "mini_batch_size": 2, "num_training_samples": 14}
    train, validation = image_channels.sources(given, values)
    assert train.names == validation.names == CLASSES[::-1]  # sorted
    return {
        name: [(int(each.label), each.encoded) for each in source.epoch(0, None)]
        for name, source in (("train", train), ("validation", validation))
    }


def test_all_forms_hold_the_same(pictures: ModuleType, tmp_path: Path) -> None:
    """Issue 8 item 1: folders, .lst and RecordIO by our own writer, read by the algorithm itself."""
    raw = folder(tmp_path / "raw")
    found = {}
    for form in pictures.FORMS:
        pictures.prepare(raw, tmp_path / form, form)
        found[form] = {name: sorted(examples) for name, examples in read(tmp_path / form, form).items()}
    assert found["folders"] == found["list"] == found["recordio"]
    assert [len(examples) for examples in found["list"].values()] == [14, 3]


def one_class(top: Path) -> None:
    for file in (top / CLASSES[1]).iterdir():
        file.unlink()


def few(top: Path) -> None:
    for file in sorted((top / CLASSES[1]).iterdir())[1:]:
        file.unlink()


def no_folder(top: Path) -> None:
    (top / "a.png").write_bytes(encoded(1))


def same_names(top: Path) -> None:
    folder(top / "more")


def tab(top: Path) -> None:
    (top / CLASSES[0] / "a\tb.png").write_bytes(encoded(1))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (one_class, r"10 pictures \(.jpg, .jpeg, .png\) of 1 classes"),
        (few, "would have no picture of class Bienen"),
        (no_folder, "a.png lies in no folder"),
        (same_names, "would have 2 pictures"),
        (tab, "has a tab"),
    ],
)
def test_a_wrong_folder_is_refused(
    pictures: ModuleType, tmp_path: Path, change: Callable[[Path], None], expected: str
) -> None:
    raw = folder(tmp_path / "raw")
    change(raw)
    with pytest.raises(UserError, match=expected):
        pictures.prepare(raw, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_the_script_tells_the_fault_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "no.tar").write_bytes(b"no archive" * 100)
    for source in ("no.tar", "absent"):
        script = [
            sys.executable,
            str(WORKLOAD / "prepare.py"),
            str(tmp_path / "made"),
            "--data",
            str(tmp_path / source),
        ]
        bad = subprocess.run(script, capture_output=True, text=True, check=False)
        assert (bad.returncode, bad.stderr.count("\n")) == (1, 1)
        assert source in bad.stderr


@pytest.mark.parametrize("name", ["pretraining-job", "frozen-training-job", "incremental-training-job"])
def test_the_other_jobs_are_what_the_algorithm_reads(name: str) -> None:
    job = json.loads((WORKLOAD / f"{name}.json").read_text())
    assert requests.faults("CreateTrainingJob", job) == []
    algorithm = algorithms.find(job["HyperParameters"]["sagedock_algorithm"])
    algorithm.hyperparameters.parse(job["HyperParameters"])
    known = {channel.name: channel for channel in algorithm.channels}
    for channel in job["InputDataConfig"]:
        assert channel["ContentType"] in known[channel["ChannelName"]].content_types


def command(start: str, made: Path, shared: Path) -> list[str]:
    """The indented command of the page that begins with `start`, below `made` instead of build/, with our pictures."""
    (found,) = re.findall(rf"^    {re.escape(start)}(?:.*\\\n)*.*$", README, re.MULTILINE)
    text = found.replace("\\\n", " ").replace("build/", f"{made}/").replace("FOLDER/", f"{shared / 'images'}/")
    words = shlex.split(text)
    return [sys.executable, *(words[1:] if words[0].endswith("/python") else ["-m", "sagedock", *words[1:]])]


def ran(words: list[str]) -> str:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


PREPARE, RUN = (
    ".venv/bin/python containers/image-transfer/prepare.py build",
    ".venv/bin/sagedock run containers/image-transfer",
)


def test_the_sizes_of_the_page_are_those_of_the_sets(shared: Path, tmp_path: Path) -> None:
    for name in ("cifar-data", "transfer-data"):
        printed = ran(command(f"{PREPARE}/{name} ", tmp_path, shared)).splitlines()
        assert len(printed) == 3
        for line in printed:
            assert f"    {line}\n" in README


def shortened(words: list[str], **changes: str) -> list[str]:
    """The same command with a copy of its document of other hyperparameters."""
    place = words.index("run") + 1
    job = json.loads((ROOT / words[place]).read_text())
    job["HyperParameters"].update(changes)
    file = Path(words[words.index("--base") + 1]).with_suffix(".json")
    file.write_text(json.dumps(job))
    return [*words[:place], str(file), *words[place + 1 :]]


def metrics(job: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((job / "output" / "data" / "metrics.json").read_text())
    return found


def test_the_commands_of_the_page_lead_from_pictures_to_answers(shared: Path, tmp_path: Path) -> None:
    """Issue 8 item 6, with fewer pictures and epochs: learnt on one real set, carried over to another, and asked."""
    ran([*command(f"{PREPARE}/cifar-data ", tmp_path, shared), "--most", "300"])  # the last one counts
    ran([*command(f"{PREPARE}/transfer-data ", tmp_path, shared), "--most", "60"])
    ran([*command(f"{PREPARE}/transfer-list ", tmp_path, shared), "--most", "60"])
    short = {"epochs": "1", "lr_scheduler_step": "1"}
    run = command(f"{RUN}/pretraining-job.json", tmp_path, shared)
    ran(shortened(run, num_training_samples="300", **short))
    small = {"num_training_samples": "60", "image_shape": "3,32,32", "resize": "36"}
    ran(shortened(command(f"{RUN}/training-job.json", tmp_path, shared), **small, **short))
    ran(shortened(command(f"{RUN}/frozen-training-job.json", tmp_path, shared), **small, epochs="5"))
    again = command(f"{RUN}/incremental-training-job.json", tmp_path, shared)
    ran(shortened(again, **small, epochs="1"))
    jobs = [tmp_path / name for name in ("cifar-job", "transfer-job", "transfer-frozen", "transfer-again")]
    assert [metrics(job)["validation"]["pictures"] for job in jobs] == [300, 60, 60, 60]
    assert metrics(jobs[2])["validation"]["classes"][1]["name"] == "bees"
    began = [metrics(job)["facts"]["Weights at the start"] for job in jobs]
    carried = "image-classification-0001.params, all layers but the last"
    assert began == ["random numbers", carried, carried, "image-classification-0001.params, all layers"]
    page = (jobs[1] / "output" / "data" / "report.html").read_text()
    for title in ("Confusion matrix", "Worst mistakes", "What it looked at", "Reliability", "Accuracy by how pictures"):
        assert title in page
    ran(command(".venv/bin/sagedock transform", tmp_path, shared))
    answers = sorted((tmp_path / "transfer-answers").rglob("*.out"))
    assert len(answers) == 60
    assert json.loads(answers[0].read_text())["class_names"] == ["ants", "bees"]
