"""Training: the log, the test channel, and what makes two jobs give one model."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sagedock.algorithms.randomcutforest import ALGORITHM
from sagedock.algorithms.randomcutforest.forest import Forest
from sagedock.algorithms.randomcutforest.model import load
from sagedock.contracts.hosting import InferenceOptions
from sagedock.contracts.paths import Paths
from sagedock.contracts.training import TrainingJob, checked_channels
from sagedock.errors import UserError
from sagedock.formats.media_types import CSV, PARQUET, RECORDIO
from sagedock.formats.table import Floats, Table
from sagedock.formats.training import encode_table
from tests.algorithms.randomcutforest import data
from tests.platform import PATIENCE_SECONDS, Job
from tests.training.hosts import ended, free_port, names

ARTEFACT = "model_algo-1"
ORDER = [
    "Reading default configuration: ",
    "Merging with provided configuration: ",
    "Final configuration: ",
    "Verifying hyperparamemters...",
    "Hyperparameters are correct.",
    "Validating that feature_dim agrees with dimensions in training data...",
    "feature_dim is correct.",
    "Validating memory limits...",
    "Available memory in bytes: ",
    "Estimated sample size in bytes: ",
    "Estimated memory needed to build the forest in bytes: ",
    "Memory limits validated.",
    "Starting cluster sharing facilities...",
    "All workers accessible.",
    "Sampler correctly initialized.",
    "Sampling training data...",
    "[tensorio] [info] epoch_stats=",
    "Sampling training data completed.",
    "Early stop condition met. Stopping training.",
    "#progress_metric: host=algo-1, completed 100 % epochs",
    '#metrics {"StartTime": ',
    "#throughput_metric: host=algo-1, train throughput=",
    "Master node: building Random Cut Forest...",
    "Gathering samples...",
    "300 samples gathered",
    "Building Random Cut Forest...",
    "Random Cut Forest built: ",
    "ForestInfo{num_trees: 50, ",
    '"fit_model.time"',
    "Master node: Serializing the RandomCutForest model",
    "Test data is not provided.",
]
"""The built-in's messages in its order (rcf section 5)."""


def forest_of(job: Job) -> Forest:
    return load(job.model, None, InferenceOptions()).forest


def trained(job: Job) -> bytes:
    """The artefact of the job, which has to succeed."""
    assert job.run() == 0, job.failure
    return (job.model / ARTEFACT).read_bytes()


def figures(text: str) -> dict[str, float]:
    """What the advertised regular expressions find in a log."""
    found = {metric.name: re.findall(metric.regex, text) for metric in ALGORITHM.metrics}
    return {name: float(values[0]) for name, values in found.items() if len(values) == 1}


def test_the_log_is_that_of_the_built_in(make_job: Callable[..., Job], capsys: pytest.CaptureFixture[str]) -> None:
    """rcf 22: its messages in its order; without a test channel it says so, and names no figure."""
    trained(make_job())
    lines = capsys.readouterr().out.splitlines()
    position = 0
    for text in ORDER:
        following = [number for number, line in enumerate(lines[position:], position) if text in line]
        assert following, text
        position = following[0] + 1
    assert figures("\n".join(lines)) == {}
    info = next(number for number, line in enumerate(lines) if line.startswith("ForestInfo{"))
    assert lines[info - 1] == ""
    assert lines[info].endswith("}")


def test_the_configuration_is_printed_with_its_defaults(
    make_job: Callable[..., Job], capsys: pytest.CaptureFixture[str]
) -> None:
    """rcf 2"""
    trained(make_job(num_trees=None, num_samples_per_tree=None))
    final = json.loads(re.findall("Final configuration: (.*)", capsys.readouterr().out)[0])
    assert final["num_trees"] == 100
    assert final["num_samples_per_tree"] == 256
    assert final["eval_metrics"] == ["accuracy", "precision_recall_fscore"]


def test_few_rows_make_small_trees(make_job: Callable[..., Job]) -> None:
    """rcf 5: as many samples as there are rows for each tree, in runs of the file; the rest is dropped."""
    rows = data.rows(432)
    job = make_job(train=rows, num_samples_per_tree="512")
    trained(job)
    forest = forest_of(job)
    assert (forest.trees, forest.samples_per_tree) == (50, 8)
    leaves = np.split(forest.point, np.cumsum(np.full(50, 8))[:-1])
    for tree, points in enumerate(leaves):
        assert sorted(points.tolist()) == sorted(rows[8 * tree : 8 * tree + 8].tolist())
    assert job.manifest()["model"] == {
        "feature_count": 3,
        "num_trees": 50,
        "num_samples_per_tree": 8,
        "rows": 432,
    }


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (None, {"test:accuracy", "test:f1", "test:precision", "test:recall"}),
        ('["accuracy"]', {"test:accuracy"}),
        ("precision_recall_fscore", {"test:f1", "test:precision", "test:recall"}),
    ],
)
def test_the_figures_asked_for_are_told(
    make_job: Callable[..., Job], capsys: pytest.CaptureFixture[str], metrics: str | None, expected: set[str]
) -> None:
    """rcf 3, 20: in both spellings of the family."""
    test = np.concatenate([data.rows(99, seed=4), np.full((1, 3), 50, np.float32)])
    labels = np.zeros(100, np.float32)
    labels[-1] = 1
    trained(make_job(test=(labels, test), eval_metrics=metrics))
    told = capsys.readouterr().out
    assert set(figures(told)) == expected
    assert all(0 < value <= 1 for value in figures(told).values())
    for name in expected:
        value = figures(told)[name]
        assert f"#test_score (algo-1) : ('{name.partition(':')[2]}', {value})" in told


def test_the_cut_is_three_deviations_above_the_mean_of_the_test_scores(
    make_job: Callable[..., Job], capsys: pytest.CaptureFixture[str]
) -> None:
    """rcf 21: 200 zeros and an outlier that is labelled 1."""
    rows = np.zeros((201, 1), np.float32)
    rows[-1] = 1e6
    labels = (rows[:, 0] > 0).astype(np.float32)
    job = make_job(train=rows, test=(labels, rows))
    trained(job)
    assert figures(capsys.readouterr().out) == dict.fromkeys(
        ("test:accuracy", "test:f1", "test:precision", "test:recall"), 1.0
    )
    scores = forest_of(job).scores(rows).astype(np.float64)
    told = job.metrics()["test"]
    assert told["cut_off"] == pytest.approx(scores.mean() + 3 * scores.std(), rel=1e-6)
    assert (told["true_positives"], told["true_negatives"]) == (1, 200)


@pytest.mark.parametrize("labels", [np.zeros(60), np.arange(60) % 2])
def test_nothing_above_the_cut_is_no_division_by_zero(
    make_job: Callable[..., Job], capsys: pytest.CaptureFixture[str], labels: Floats
) -> None:
    """rcf 23: equal rows have equal scores, none of them above the mean."""
    trained(make_job(test=(labels.astype(np.float32), np.ones((60, 3), np.float32))))
    told = capsys.readouterr().out
    found = figures(told)
    assert (found["test:f1"], found["test:precision"], found["test:recall"]) == (0, 0, 0)
    assert found["test:accuracy"] == pytest.approx(1 - labels.mean())
    assert "nan" not in told.lower()


def test_labels_never_reach_the_forest(make_job: Callable[..., Job]) -> None:
    """rcf 20: a label column of the train channel, a label of its records and the test channel change nothing."""
    rows, labels = data.rows(), (np.arange(300) % 2).astype(np.float32)
    plain = trained(make_job("plain", rows))
    assert trained(make_job("tested", rows, test=(labels, rows))) == plain
    labelled = make_job("labelled", rows)
    labelled.add_channel("train", {"a.csv": data.csv(rows, labels)}, ContentType="text/csv;label_size=1")
    assert trained(labelled) == plain
    records = make_job("records", rows)
    content = encode_table(Table(rows, labels=labels), RECORDIO)
    records.add_channel("train", {"a.pbr": content}, ContentType=RECORDIO)
    assert trained(records) == plain


def piped(job: Job, content: bytes, **facts: str) -> Job:
    """The job with its train channel given by a pipe."""
    job.declare("train", TrainingInputMode="Pipe", **facts)
    fifo = job.data / "train_0"
    os.mkfifo(fifo)
    threading.Thread(target=fifo.write_bytes, args=(content,), daemon=True).start()
    return job


@pytest.mark.parametrize("content_type", [CSV, PARQUET, RECORDIO])
def test_a_pipe_gives_the_model_of_the_files(make_job: Callable[..., Job], content_type: str) -> None:
    """rcf 24: byte for byte, with a sample smaller than the rows; all formats alike."""
    rows = data.rows(3000)
    content = encode_table(Table(rows), content_type)
    expected = trained(make_job("csv", rows))
    file = make_job("file", rows).add_channel("train", {"rows": content}, ContentType=content_type)
    assert trained(file) == expected
    assert trained(piped(make_job("pipe", rows), content, ContentType=content_type)) == expected
    halves = [encode_table(Table(rows[begin:end]), content_type) for begin, end in ((0, 1000), (1000, 3000))]
    parts = make_job("parts", rows).add_channel("train", dict(zip("ab", halves, strict=True)), ContentType=content_type)
    assert trained(parts) == expected


def test_records_are_what_a_channel_without_a_type_holds(make_job: Callable[..., Job]) -> None:
    """recordio section 4: and a RecordIO wrapper around the objects of a pipe is taken off."""
    from sagedock.formats import recordio

    rows = data.rows(500)
    content = encode_table(Table(rows), RECORDIO)
    expected = trained(make_job("csv", rows))
    assert trained(make_job("bare", rows).add_channel("train", {"rows": content})) == expected
    wrapped = recordio.frame(encode_table(Table(rows[:200]), RECORDIO)) + recordio.frame(
        encode_table(Table(rows[200:]), RECORDIO)
    )
    job = piped(make_job("wrapped", rows), wrapped, RecordWrapperType="RecordIO")
    assert trained(job) == expected


def test_sparse_records_are_made_dense(make_job: Callable[..., Job]) -> None:
    """rcf section 2 (force_dense): what a sparse record leaves out is 0."""
    from scipy.sparse import csr_matrix

    rows = data.rows() * (np.random.default_rng(2).random((300, 3)) < 0.5)
    content = encode_table(Table(csr_matrix(rows)), RECORDIO)
    sparse = make_job("sparse", rows).add_channel("train", {"rows": content}, ContentType=RECORDIO)
    assert trained(sparse) == trained(make_job("dense", rows))


def test_the_seed_is_the_only_chance(make_job: Callable[..., Job]) -> None:
    rows = data.rows(2000)
    first = trained(make_job("first", rows))
    assert trained(make_job("again", rows, num_trees="50.0")) == first
    assert trained(make_job("other", rows, _seed="1")) != first


def test_constant_rows_make_trees_of_one_leaf(make_job: Callable[..., Job], capsys: pytest.CaptureFixture[str]) -> None:
    """Issue 4 item 3: constant data behave, and a new value stands out."""
    job = make_job(train=np.full((200, 2), 7, np.float32))
    trained(job)
    assert "max_num_nodes: 1, min_num_nodes: 1, avg_num_nodes: 1" in capsys.readouterr().out
    forest = forest_of(job)
    seen, new = forest.scores(np.array([[7, 7], [7, 8]], np.float32))
    assert seen == pytest.approx(np.log2(5) / np.log2(4))
    assert new > seen


def test_one_row_for_each_tree(make_job: Callable[..., Job]) -> None:
    """Issue 4 item 3: one-row trees behave."""
    job = make_job(train=data.rows(50))
    trained(job)
    assert forest_of(job).scores(data.rows(5, seed=1)).tolist() == [1.0] * 5


def on_two_hosts(make_job: Callable[..., Job], *shards: Floats) -> tuple[list[Job], list[tuple[str, str]]]:
    """The jobs of two hosts at their end, and what they have said; both have to succeed."""
    port, jobs = free_port(), []
    for host, shard in zip(names(2), shards, strict=True):
        job = make_job(host, shard)
        job.environment = {**job.environment, "SAGEDOCK_CLUSTER_PORT": str(port)}
        job.write_config("resourceconfig", {"current_host": host, "hosts": names(2)})
        jobs.append(job.declare("train", ContentType=CSV, S3DistributionType="ShardedByS3Key"))
    with ended([job.start() for job in jobs]) as processes:
        logs = [process.communicate(timeout=PATIENCE_SECONDS) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], logs
    return jobs, logs


@pytest.mark.parametrize("empty", [0, 1])
def test_a_host_without_a_file_takes_no_part(make_job: Callable[..., Job], empty: int) -> None:
    """Contract B18: fewer files than hosts."""
    rows = data.rows(100)
    jobs, logs = on_two_hosts(make_job, *((rows[:0], rows) if empty == 0 else (rows, rows[:0])))
    assert (jobs[empty].data / "train" / "rows.csv").stat().st_size == 0
    assert forest_of(jobs[0]).samples_per_tree == 2
    assert "100 samples gathered" in logs[0][0]


def test_several_hosts_make_one_forest(make_job: Callable[..., Job]) -> None:
    """rcf 26, contract C09: host algo-1 alone builds and writes it, of as many samples as one host would have."""
    rows = data.rows(3000)
    (first, second), logs = on_two_hosts(make_job, rows[:2000], rows[2000:])
    assert [file.name for file in second.model.iterdir()] == []
    forest = forest_of(first)
    assert (forest.trees, forest.samples_per_tree) == (50, 16)
    assert "800 samples gathered" in logs[0][0]
    assert "ForestInfo" not in logs[1][0]
    assert first.manifest()["model"]["rows"] == 3000
    given = {tuple(row): number for number, row in enumerate(rows.tolist())}
    places = np.array([given[tuple(point)] for point in forest.point.tolist()])
    assert len(np.unique(places)) == 800
    assert abs((places < 2000).mean() - 2 / 3) < 0.09, "in proportion to the rows that each host has seen"
    assert all(f"host={host}, completed 100 %" in log for host, (log, _) in zip(names(2), logs, strict=True))


def test_another_distribution_is_warned_of_and_ends_a_job_of_several_hosts(
    make_job: Callable[..., Job], caplog: pytest.LogCaptureFixture
) -> None:
    """rcf section 2: ShardedByS3Key for train, FullyReplicated for test; on one host it makes no difference."""
    rows = data.rows()
    job = make_job(train=rows, test=(np.zeros(300, np.float32), rows))
    job.declare("train", ContentType=CSV, S3DistributionType="FullyReplicated")
    job.declare("test", ContentType=CSV, S3DistributionType="ShardedByS3Key")
    trained(job)
    with pytest.raises(UserError) as refused:
        checked_channels(TrainingJob.read(Paths(job.base), {}).channels, ALGORITHM.channels, hosts=2)
    for told in (caplog.text, str(refused.value)):
        assert "channel 'train' has S3DistributionType FullyReplicated, and this algorithm takes ShardedByS3Key" in told
        assert "channel 'test' has S3DistributionType ShardedByS3Key, and this algorithm takes FullyReplicated" in told


def test_sigterm_while_a_silent_pipe_is_tested_leaves_the_model(make_job: Callable[..., Job]) -> None:
    """Contract C05: nothing comes through the pipe, and the job does not wait for it any longer."""
    job = make_job()
    job.declare("test", ContentType=CSV, TrainingInputMode="Pipe")
    fifo = job.data / "test_0"
    os.mkfifo(fifo)
    with job.start() as process, fifo.open("wb"):
        assert process.stdout is not None
        for line in process.stdout:
            if "Serializing the RandomCutForest model" in line:
                break
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, log
    assert "stopped while the test channel was scored" in log
    assert forest_of(job).trees == 50
    assert "test" not in job.metrics()


def test_sigterm_during_the_pass_leaves_nothing(make_job: Callable[..., Job]) -> None:
    """Contract C06: there is no forest yet."""
    job = make_job()
    job.declare("train", ContentType=CSV, TrainingInputMode="Pipe")
    fifo = job.data / "train_0"
    os.mkfifo(fifo)
    with job.start() as process, fifo.open("wb") as pipe:  # open: the job reads
        pipe.write(data.csv(data.rows(2000)).encode())
        pipe.flush()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 143
    assert "SIGTERM" in job.failure
    assert list(job.model.iterdir()) == []


PEAK = """
import os
from sagedock.training.run import run
from tests.memory import kilobytes
assert run(dict(os.environ)) == 0
print("peak", kilobytes("VmHWM") // 1024)
"""


def peak(job: Job) -> int:
    """The highest resident memory of the job's process, in MiB."""
    ran = subprocess.run([sys.executable, "-c", PEAK], env=job.variables, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout.splitlines()[-1].removeprefix("peak "))


def test_a_channel_takes_no_memory_but_the_sample(make_job: Callable[..., Job]) -> None:
    """Issue 4 item 4: 80 MB of numbers come by, and are not kept."""
    block = ("1,2,3,4,5,6,7,8,9,0\n" * 50_000).encode()
    small, large = (make_job(name, "", feature_dim="10") for name in ("small", "large"))
    small.add_channel("train", {"rows.csv": block}, ContentType=CSV)
    large.add_channel("train", {f"rows-{number}.csv": block for number in range(40)}, ContentType=CSV)
    assert peak(large) - peak(small) < 32
    assert large.manifest()["model"]["rows"] == 2_000_000


def test_the_report_tells_of_forest_and_test(make_job: Callable[..., Job]) -> None:
    rows = data.rows()
    job = make_job(train=rows, test=((np.abs(rows).max(axis=1) > 2.5).astype(np.float32), rows))
    trained(job)
    page = (job.output_data / "report.html").read_text()
    assert "Samples of a tree" in page
    assert "3 times their deviation" in page
    assert job.metrics()["trees"] == 50


def test_the_sizes_in_the_log_follow_from_the_request(
    make_job: Callable[..., Job], capsys: pytest.CaptureFixture[str]
) -> None:
    """rcf section 5: the estimates are of the whole capacity, whatever the data hold."""
    trained(make_job(num_samples_per_tree="512"))
    told = capsys.readouterr().out
    assert f"Estimated sample size in bytes: {50 * 512 * 3 * 4}" in told
    assert int(re.findall(r"Available memory in bytes: (\d+)", told)[0]) > 1 << 20


@pytest.mark.parametrize("content_type", [CSV, RECORDIO])
def test_a_forest_that_memory_cannot_hold_is_refused_before_the_pass(
    make_job: Callable[..., Job], tmp_path: Path, content_type: str
) -> None:
    """rcf section 5: with the bytes that it needs and those there are. Short files cannot fill the sample."""
    wide = np.zeros((60, 10_000), np.float32)
    most = {"num_trees": "1000", "num_samples_per_tree": "2048", "_streaming": "true"}  # 901 GB
    job = make_job(train=wide, **most)
    if content_type == RECORDIO:
        job.add_channel("train", {"rows": encode_table(Table(wide), RECORDIO)}, ContentType=RECORDIO)
    assert job.run() == 1
    if content_type == CSV:
        assert "needs at least 1000 rows" in job.failure
    else:
        assert re.search(r"takes up to \d{12} bytes of memory, and \d+ are available: lower num_trees", job.failure)
