"""batch_skipgram on several hosts, each a process: one set of vectors, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sagedock.algorithms.blazingtext import fasttext_file
from sagedock.algorithms.blazingtext.evaluation import FILES, VARIABLE
from tests.algorithms.blazingtext import fasttexts
from tests.algorithms.blazingtext.jobs import job
from tests.platform import Job
from tests.training.hosts import Ended, Hosts, ended, free_port, names


def pair(base: Path, mode: str = "batch_skipgram", *, texts: tuple[str, ...] = (), **given: str) -> list[Job]:
    """The jobs of two hosts, on the same text unless told otherwise."""
    port, found = free_port(), []
    (base / "similarity").mkdir(parents=True)
    known = fasttexts.words(60)
    for name in FILES:
        lines = [f"{known[place]}\t{known[place + 1]}\t{place}\n" for place in range(0, 40, 2)]
        (base / "similarity" / name).write_text("".join(lines), encoding="utf-8")
    environment = {"SAGEDOCK_CLUSTER_PORT": str(port), VARIABLE: str(base / "similarity")}
    usual = fasttexts.text([line.partition(" ")[2] for line in fasttexts.lines(200, vocabulary=60)])
    for number, host in enumerate(names(2)):
        text = texts[number] if texts else usual
        made = job(base / host, mode, train=text, environment=environment, **{"learning_rate": "0.05", **given})
        made.write_config("resourceconfig", {"current_host": host, "hosts": names(2)})
        found.append(made)
    return found


def run(jobs: list[Job]) -> list[Ended]:
    with ended([one.start() for one in jobs]) as processes:
        return Hosts(list(processes)).ended()


def test_two_hosts_learn_one_set_of_vectors(tmp_path: Path) -> None:
    """blazingtext 24: the first has the model and a right eval.json; both tell words a second as the built-in does."""
    jobs = pair(tmp_path)
    ends = run(jobs)
    assert [end.code for end in ends] == [0, 0], ends[0].stderr + ends[1].stderr
    for end, host in zip(ends, names(2), strict=True):
        assert "Running distributed CPU BlazingText training using batch_skipgram on 2 hosts." in end.stderr
        assert f"Number of hosts: 2, master IP address: 127.0.0.1, host IP address: {host}." in end.stderr
        lines = end.stdout.splitlines()
        assert any(line.startswith("Alpha: ") and "Million Words/sec: " in line for line in lines)
        assert not any(line.startswith("#####") for line in lines)
        assert "Training finished!" in lines
    first, second = jobs
    assert sorted(file.name for file in first.model.iterdir()) == [
        "eval.json",
        "manifest.json",
        "vectors.bin",
        "vectors.txt",
    ]
    assert not second.model.exists() or not list(second.model.iterdir())
    found = json.loads((first.model / "eval.json").read_text())
    assert [found[name]["not_found"] for name in FILES] == [0, 0, 0]
    assert [f"#mean_rho: {found['mean_rho']!r}" in end.stdout for end in ends] == [True, False]
    vectors = fasttext_file.read(first.model / "vectors.bin")
    assert np.isfinite(vectors.input).all()
    assert np.any(vectors.output)


def test_two_hosts_repeat_and_resume_bit_for_bit(tmp_path: Path) -> None:
    """Contract C11: the first host's checkpoint counts on both."""
    whole, again, resumed = (pair(tmp_path / name, epochs="4") for name in ("whole", "again", "resumed"))
    whole[0].checkpoints.mkdir()
    assert [end.code for end in run(whole)] == [0, 0]
    assert [end.code for end in run(again)] == [0, 0]
    resumed[0].checkpoints.mkdir()
    for file in whole[0].checkpoints.glob("*.3"):
        (resumed[0].checkpoints / file.name).write_bytes(file.read_bytes())
    ends = run(resumed)
    assert [end.code for end in ends] == [0, 0], ends[1].stderr
    assert "Resuming after epoch 3" in ends[0].stderr
    models = [(jobs[0].model / "vectors.bin").read_bytes() for jobs in (whole, again, resumed)]
    assert models[0] == models[1] == models[2]


@pytest.mark.parametrize("mode", ["supervised", "skipgram", "cbow"])
def test_other_modes_train_on_one_host(mode: str, tmp_path: Path) -> None:
    """blazingtext 1: on both hosts the message names the hyperparameter."""
    jobs = pair(tmp_path, mode)
    assert [end.code for end in run(jobs)] == [1, 1]
    assert all(f"Hyperparameter mode: {mode} trains on one host" in one.failure for one in jobs)


def test_hosts_with_different_texts_are_refused(tmp_path: Path) -> None:
    jobs = pair(tmp_path, texts=("a b c\nd e f\n", "a b c\nd e g\n"))
    assert [end.code for end in run(jobs)] == [1, 1]
    assert all("S3DataDistributionType to FullyReplicated" in one.failure for one in jobs)


def test_fewer_sentences_than_hosts_are_refused(tmp_path: Path) -> None:
    jobs = pair(tmp_path, texts=("a b c\n", "a b c\n"))
    assert [end.code for end in run(jobs)] == [1, 1]
    assert all("1 sentences for 2 hosts" in one.failure for one in jobs)
