"""containers/topics: from raw messages to channels, to topics, to answers about raw text."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sagedock import algorithms
from sagedock.cloud import requests
from sagedock.errors import UserError

ROOT = Path(__file__).parents[2]
WORKLOAD = ROOT / "containers" / "topics"
ARCHIVE = Path("newsgroups") / "20news-bydate-train.tar.xz"
LONG = " ".join(f"word{number}" for number in range(40))
MESSAGE = f"""From: somebody@example.org
Subject: quotations and signatures

In article <1993Apr5@example.org>, other@example.org writes:
> what was said before
other@example.org wrote:
JH> and before that
: and elsewhere
M9W%LD:DV9G5M<'1I;VX@;V8@=&AE(&9I;&4@86YD(&UO<F4@;V8@:70@:&5R90H
What   I say
{LONG} {{}}

--
Somebody, Some Place
"""


def archive(folder: Path, messages: dict[str, str]) -> Path:
    file = folder / "messages.tar"
    with tarfile.open(file, "w") as tar:
        for name, text in messages.items():
            member = tarfile.TarInfo(name)
            content = text.encode("latin-1")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file


def lines(file: Path) -> list[str]:
    return [json.loads(line)["text"] for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_body_has_neither_header_nor_quotations_nor_signature(topics: ModuleType) -> None:
    assert topics.body(MESSAGE.format("é")) == f"What I say {LONG} é"
    assert topics.body("Subject: no body") == ""
    assert topics.body("A: b\n\n---\na rule first\nand then more\n" + "text\n" * 20).startswith("--- a rule first")


def test_every_message_falls_into_one_part_once(topics: ModuleType, tmp_path: Path) -> None:
    messages = {f"set/sci.space/{number}": MESSAGE.format(f"é{number}") for number in range(20)}
    messages |= {"set/sci.med/7": messages["set/sci.space/7"], "set/sci.med/8": "A: b\n\ntoo short"}
    for name in "ab":
        topics.prepare(archive(tmp_path, messages), tmp_path / name)
    parts = {name: lines(tmp_path / "a" / name / f"{name}.jsonl") for name in topics.Split.__annotations__}
    assert {name: len(found) for name, found in parts.items()} == {"train": 16, "validation": 2, "test": 2}
    assert {text for found in parts.values() for text in found} == {
        f"What I say {LONG} é{number}" for number in range(20)
    }
    assert lines(tmp_path / "a" / "requests" / "requests.jsonl") == parts["test"]
    for file in (tmp_path / "a").rglob("*.jsonl"):
        assert (tmp_path / "b" / file.relative_to(tmp_path / "a")).read_bytes() == file.read_bytes()


def test_a_wrong_archive_is_refused(topics: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "no.tar").write_bytes(b"no archive" * 100)
    for file, expected in (
        (tmp_path / "absent.tar", "cannot read"),
        (tmp_path / "no.tar", "no tar archive"),
        (archive(tmp_path, {"set/sci.med/8": MESSAGE.format("")}), "has 1 messages of 25 words"),
    ):
        with pytest.raises(UserError, match=expected):
            topics.prepare(file, tmp_path / "made")
    assert not (tmp_path / "made").exists()
    script = [sys.executable, str(WORKLOAD / "prepare.py"), str(tmp_path / "made"), "--data", str(tmp_path / "no.tar")]
    bad = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stderr.count("\n")) == (1, 1)


@pytest.fixture(scope="module")
def prepared(topics: ModuleType, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The channels of the README, by its script, which prints the sizes that stand there."""
    made: Path = tmp_path_factory.mktemp("topics") / "data"
    script = [sys.executable, str(WORKLOAD / "prepare.py"), str(made), "--data", str(shared / ARCHIVE)]
    printed = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    readme = (WORKLOAD / "README.md").read_text()
    assert len(printed.splitlines()) == 3
    for line in printed.splitlines():
        assert f"    {line}\n" in readme
    return made


def run(job: dict[str, Any], prepared: Path, base: Path) -> dict[str, Any]:
    """Train as the document says; what metrics.json holds."""
    (base / "job.json").write_text(json.dumps(job))
    command = [sys.executable, "-m", "sagedock", "run", str(base / "job.json"), "--base", str(base / "job")]
    for channel in job["InputDataConfig"]:
        command += ["--channel", f"{channel['ChannelName']}={prepared / channel['ChannelName']}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found: dict[str, Any] = json.loads((base / "job" / "output" / "data" / "metrics.json").read_text())
    return found


def document(name: str, **changes: str) -> dict[str, Any]:
    job: dict[str, Any] = json.loads((WORKLOAD / f"{name}.json").read_text())
    job["HyperParameters"].update(changes)
    return job


def test_raw_messages_become_topics_and_answers(prepared: Path, tmp_path: Path) -> None:
    """Issue 6 item 5, in fewer sweeps than the README takes.

    On a processor that rounds otherwise the chain is another one: fourteen seeds gave NPMI of .247 to .280, uniqueness
    of .710 to .762, and all of them the two topics.
    """
    metrics = run(document("training-job", _sweeps="40", _chains="1"), prepared, tmp_path)
    assert metrics["npmi"] > 0.2
    assert metrics["uniqueness"] > 0.65
    topics = [set(topic["words"]) for topic in metrics["topics"]]
    assert any({"space", "orbit"} <= words for words in topics)
    assert any({"god", "jesus"} <= words for words in topics)
    report = (tmp_path / "job" / "output" / "data" / "report.html").read_text()
    for title in ("Their words", "Map of topics", "Coherence and uniqueness", "Typical documents", "Log-likelihood"):
        assert title in report
    command = [sys.executable, "-m", "sagedock", "transform", str(WORKLOAD / "transform-job.json")]
    command += ["--model", str(tmp_path / "job" / "model"), "--output", str(tmp_path / "answers")]
    command += ["--input", str(prepared / "requests" / "requests.jsonl")]
    subprocess.run(command, capture_output=True, check=True)
    answers = (tmp_path / "answers" / "requests.jsonl.out").read_text().splitlines()
    mixtures = [json.loads(line)["topic_mixture"] for line in answers]
    assert [len(mixture) for mixture in mixtures] == [20] * 100
    assert all(abs(sum(mixture) - 1) < 1e-5 for mixture in mixtures)


def test_the_document_says_how_many_there_are(prepared: Path) -> None:
    told = int(document("training-job")["HyperParameters"]["mini_batch_size"])
    assert told == len((prepared / "train" / "train.jsonl").read_text().splitlines())


def test_the_network_reads_the_same_channels() -> None:
    job = document("ntm-training-job")
    assert requests.faults("CreateTrainingJob", job) == []
    algorithm = algorithms.find(job["HyperParameters"]["sagedock_algorithm"])
    assert algorithm.hyperparameters.parse(job["HyperParameters"])["_network"] == "prodlda"
    known = {channel.name: channel for channel in algorithm.channels}
    for channel in job["InputDataConfig"]:
        assert channel["ContentType"] in known[channel["ChannelName"]].content_types
    declared = {metric.name: metric.regex for metric in algorithm.metrics}
    for definition in job["AlgorithmSpecification"]["MetricDefinitions"]:
        assert definition["Regex"] == declared[definition["Name"]]
