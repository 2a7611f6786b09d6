"""Training for a series that goes on: the test channel is scored, then learnt, and the stream goes into the model."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sagedock import core
from sagedock.algorithms.randomcutforest import ALGORITHM, stream_state
from sagedock.algorithms.randomcutforest.hyperparameters import HYPERPARAMETERS
from sagedock.algorithms.randomcutforest.model import RandomCutForestModel, load
from sagedock.algorithms.randomcutforest.shingles import shingled
from sagedock.algorithms.randomcutforest.stream import Stream, default_decay
from sagedock.algorithms.randomcutforest.stream_model import MOST_SHARES, StreamModel
from sagedock.contracts import manifest
from sagedock.contracts.hosting import InferenceOptions
from sagedock.errors import ModelError, NotAcceptable, UserError
from sagedock.formats import safetensors
from sagedock.formats.media_types import CSV, JSON, JSON_LINES
from sagedock.formats.table import Floats
from sagedock.serving.invocations import ROWS_AT_ONCE, invoke
from tests.algorithms.randomcutforest import data
from tests.algorithms.randomcutforest.test_training import on_two_hosts
from tests.platform import PATIENCE_SECONDS, Job

SIZE = 4
TRAIN, TEST = data.rows(400, 2), data.rows(90, 2, seed=5)
LABELS = (np.arange(90) == 60).astype(np.float32)
Make = Callable[..., Job]


def loaded(job: Job, **options: Any) -> StreamModel:
    found = load(job.model, manifest.read(job.model), InferenceOptions(**options))
    assert isinstance(found, StreamModel)
    return found


def trained(job: Job, **options: Any) -> StreamModel:
    assert job.run() == 0, job.failure
    return loaded(job, **options)


def asked(model: StreamModel, points: Floats, accept: str = JSON) -> list[float]:
    body = invoke(model, ALGORITHM, data.csv(points).encode(), CSV, accept).whole()
    if accept == JSON:
        return [each["score"] for each in json.loads(body)["scores"]]
    return [json.loads(line)["score"] for line in body.splitlines()]


def state_of(stream: Stream) -> dict[str, Any]:
    return {name: array.tolist() for name, array in stream.state().items()}


def artefacts(job: Job) -> list[bytes]:
    return [(job.model / name).read_bytes() for name in ("model_algo-1", "stream_algo-1")]


@pytest.mark.parametrize("given", [{}, {"_shingle_size": str(SIZE)}, {"_shingle_size": "3", "_scale_columns": "true"}])
def test_the_test_channel_is_scored_then_learnt(make_job: Make, given: dict[str, str]) -> None:
    """Two files, each a series: the figures are those of one stream over their shingles, and so is the state."""
    size = int(given.get("_shingle_size", "1"))
    job = make_job(train=TRAIN * [1, 50], test=(LABELS, TEST), _streaming="true", _false_alarm_rate="0.05", **given)
    files = {"a.csv": data.csv(TEST[:50] * [1, 50], LABELS[:50]), "b.csv": data.csv(TEST[50:] * [1, 50], LABELS[50:])}
    job.add_channel("test", files, ContentType="text/csv;label_size=1")
    model = trained(job)
    detector, expected = model.still.detector, []
    stream = Stream.of(detector.forest, 400 - size + 1, 0)
    points = (TEST * [1, 50]).astype(np.float32)
    for series in (points[:50], points[50:]):
        scores = stream.follow(detector.weighed(shingled(series, size)))
        expected += [*[scores[0]] * (size - 1), *scores]
    told = job.metrics()["test"]
    assert told["mean"] == pytest.approx(np.mean(expected), rel=1e-6)
    assert told["highest"][0]["score"] == pytest.approx(max(expected))
    assert state_of(model.stream) == state_of(stream)
    assert model.last.tolist() == points[90 - size + 1 :].tolist()
    said = job.manifest()
    assert set(said["files"]) == {"model_algo-1", "stream_algo-1"}
    assert said["model"]["learns"] is True
    assert said["model"]["stream"]["points_seen"] == stream.seen == 490 - 3 * (size - 1)
    assert said["model"]["decision"]["cut_off"] > 0
    assert (detector.weights is None) == ("_scale_columns" not in given)


def test_what_made_the_highest_scores_is_told_as_the_stream_saw_it(make_job: Make) -> None:
    test = TEST.copy()
    test[60, 1] = 40
    job = make_job(train=TRAIN, test=(LABELS, test), _streaming="true")
    trained(job)
    highest = job.metrics()["test"]["highest"][0]
    assert (highest["row"], highest["label"]) == ("row 61", 1)
    assert next(iter(highest["columns"])) == "f1"
    assert highest["columns"]["f1"] > 0.9
    assert "Each row was scored, then learnt" in (job.output_data / "report.html").read_text()


@pytest.mark.parametrize("size", ["1", "4"])
def test_files_and_pipes_give_the_same_bytes(make_job: Make, size: str) -> None:
    """Issue 4 item 7: same bytes and seed, same model."""
    asked = {"_streaming": "true", "_shingle_size": size}
    files, pipes = (make_job(name, TRAIN, (LABELS, TEST), **asked) for name in ("files", "pipes"))
    assert files.run() == 0, files.failure
    first = artefacts(files)
    assert files.run() == 0, files.failure
    assert artefacts(files) == first
    contents = {}
    for name, facts in (("train", "text/csv;label_size=0"), ("test", "text/csv;label_size=1")):
        contents[name] = (pipes.data / name / "rows.csv").read_bytes()
        pipes.declare(name, ContentType=facts, TrainingInputMode="Pipe")
        os.mkfifo(pipes.data / f"{name}_0")
    with pipes.start() as process:
        for name, content in contents.items():
            with (pipes.data / f"{name}_0").open("wb") as pipe:
                pipe.write(content)
        _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, log
    assert artefacts(pipes) == first


def test_a_resumed_job_leaves_the_same_stream(make_job: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Issue 4 item 7: behind the last file nothing is read again, and the series still ends with its last points."""
    job = make_job(train=TRAIN, _streaming="true", _shingle_size=str(SIZE))
    job.checkpoints.mkdir()
    model = trained(job)
    assert model.last.tolist() == TRAIN[-SIZE + 1 :].tolist(), "of the train channel, where there is no other"
    assert model.stream.seen == 400 - SIZE + 1
    first = artefacts(job)
    with caplog.at_level("INFO"):
        assert job.run() == 0
    assert "Resuming behind file 1" in caplog.text
    assert artefacts(job) == first


def test_the_core_and_python_leave_the_same_bytes(make_job: Make) -> None:
    native = core.native
    if native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    job = make_job(train=TRAIN, test=(LABELS, TEST), _streaming="true", _shingle_size=str(SIZE))
    found = []
    for used in (native, None):
        core.native = used
        try:
            found.append((asked(trained(job), TEST), artefacts(job)))
        finally:
            core.native = native
    assert found[0] == found[1]


def test_several_hosts_begin_one_stream(make_job: Make) -> None:
    """The sample is of all shards, and so is the number of points; the series ends as the first host's."""
    rows = data.rows(400, 2)
    (first, second), _ = on_two_hosts(partial(make_job, _streaming="true", _shingle_size="2"), rows[:150], rows[150:])
    model = loaded(first)
    assert model.stream.seen == 149 + 249
    assert model.last.tolist() == rows[149:150].tolist()
    assert not (second.model / stream_state.NAME).exists()


def test_sigterm_while_the_test_channel_is_followed_learns_nothing_of_it(make_job: Make) -> None:
    """Contract C05: the model is whole, and its stream that of the train channel."""
    job = make_job(train=TRAIN, test=(LABELS, TEST), _streaming="true")
    expected = make_job("alone", TRAIN, _streaming="true")
    assert expected.run() == 0
    content = (job.data / "test" / "rows.csv").read_bytes()
    job.declare("test", ContentType="text/csv;label_size=1", TrainingInputMode="Pipe")
    os.mkfifo(job.data / "test_0")
    with job.start() as process, (job.data / "test_0").open("wb") as pipe:
        pipe.write(content)
        pipe.flush()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, log
    assert "nothing of the test channel is learnt" in log
    assert artefacts(job) == artefacts(expected)


def test_time_decay_needs_a_stream_and_is_that_of_the_model(make_job: Make) -> None:
    parse = HYPERPARAMETERS.parse
    with pytest.raises(UserError, match="_time_decay has no meaning without _streaming"):
        parse({"feature_dim": "2", "_time_decay": "0.1"})
    for wrong in ("-0.1", "1.1", "x"):
        with pytest.raises(UserError, match="_time_decay"):
            parse({"feature_dim": "2", "_streaming": "true", "_time_decay": wrong})
    assert trained(make_job(train=TRAIN, _streaming="true", _time_decay="0.125")).stream.decay == 0.125
    default = trained(make_job("default", TRAIN, _streaming="true"))
    assert default.stream.decay == default_decay(8)


def test_the_largest_seed_and_overlapping_samples_make_a_stream(make_job: Make) -> None:
    model = trained(make_job(train=TRAIN, _streaming="true", _seed=str(2**31 - 1), _sampling="overlapping"))
    assert model.stream.seed == 2**31 - 1
    assert model.still.forest.samples_per_tree == 16


def shifted(rows: int) -> Floats:
    return (data.rows(rows, 2, seed=9) + 8).astype(np.float32)


def test_a_level_that_shifts_for_good_becomes_usual(make_job: Make) -> None:
    """Issue 4 item 3: score, then learn. The forest as it was trained never gets used to it."""
    job = make_job(train=TRAIN, _streaming="true", num_samples_per_tree="8", _time_decay="0.01")
    learning = trained(job)
    still = load(job.model, manifest.read(job.model), InferenceOptions(streaming=False))
    assert isinstance(still, RandomCutForestModel)
    points = shifted(600)
    scores = np.array(asked(learning, points))
    usual = np.mean(asked(learning, shifted(50)))
    unlearnt = still.forest.scores(points)
    assert scores[0] == pytest.approx(unlearnt[0])
    assert scores[:5].mean() > 2 * scores[-100:].mean()
    assert unlearnt[-100:].mean() > 0.9 * unlearnt[:5].mean()
    assert usual < 0.6 * scores[0]


def test_requests_go_on_where_the_last_one_ended(make_job: Make) -> None:
    """Shingles reach over the ends of requests, from the last points of training on; so does an answer in pieces."""
    job = make_job(train=TRAIN, _streaming="true", _shingle_size=str(SIZE))
    model = trained(job)
    count = ROWS_AT_ONCE + 41
    points = data.rows(count, 2, seed=8)
    expected = loaded(job).stream.follow(shingled(np.concatenate([TRAIN[-SIZE + 1 :], points]), SIZE)).tolist()
    found: list[float] = []
    for begin, end in ((0, 1), (1, 2), (2, 37), (37, 38), (38, 40)):
        found += asked(model, points[begin:end])
    answer = invoke(model, ALGORITHM, data.csv(points[40:]).encode(), CSV, JSON_LINES)
    assert len(answer.body.splitlines()) == ROWS_AT_ONCE, "the first piece; a client may go away now"
    rest = asked(model, TEST)
    found += [json.loads(line)["score"] for line in answer.whole().splitlines()]
    assert found == pytest.approx(expected, rel=1e-6)
    everything = np.concatenate([TRAIN[-SIZE + 1 :], points, TEST])
    assert rest == pytest.approx(loaded(job).stream.follow(shingled(everything, SIZE))[count:].tolist(), rel=1e-6)


def test_a_request_is_learnt_whole_or_not_at_all(make_job: Make) -> None:
    model = trained(make_job(train=TRAIN, _streaming="true"))
    before = state_of(model.stream)
    for body, told in ((b"1,2\n3,x\n", "row 2"), (b"1,2\n3,\n", "missing"), (b"1,2,3\n", "columns")):
        with pytest.raises(UserError, match=told):
            invoke(model, ALGORITHM, body, CSV, JSON)
    with pytest.raises(NotAcceptable):
        invoke(model, ALGORITHM, b"1,2\n", CSV, "image/png")
    assert invoke(model, ALGORITHM, b"", CSV, JSON).status == 204
    assert model.example() is None
    assert state_of(model.stream) == before
    asked(model, TEST[:2])
    assert model.stream.seen == before["seen"] + 2


def test_a_series_without_a_beginning_needs_a_whole_shingle(make_job: Make) -> None:
    """Where training left no last points: the first request brings them, and its first points share a score."""
    job = make_job(train=TRAIN, _streaming="true", _shingle_size=str(SIZE))
    model, fresh = trained(job), loaded(job)
    model.last = model.last[:1]
    before = state_of(model.stream)
    with pytest.raises(UserError, match=r"got 2 points of a new series, and .* shingles of 4: send 3 points or more"):
        asked(model, TEST[:2])
    assert state_of(model.stream) == before
    series = np.concatenate([model.last, TEST[:6]])
    scores = fresh.stream.follow(shingled(series, SIZE)).tolist()
    assert asked(model, TEST[:6]) == pytest.approx([scores[0]] * 2 + scores, rel=1e-6)
    assert len(asked(model, TEST[6:7])) == 1


def test_attributions_are_those_of_the_moment(make_job: Make) -> None:
    job = make_job(train=TRAIN, _streaming="true", _false_alarm_rate="0.05")
    model = trained(job, output=("score", "anomaly", "attribution"))
    points = TEST.copy()
    points[60, 1] = 40
    body = json.loads(invoke(model, ALGORITHM, data.csv(points).encode(), CSV, JSON).body)["scores"]
    assert np.allclose([sum(each["attribution"]) for each in body], [each["score"] for each in body], rtol=1e-5)
    assert np.argmax(body[60]["attribution"]) == 1
    assert body[60]["anomaly"] == 1
    assert [each["score"] for each in body] == asked(loaded(job), points)


def test_more_attributions_than_memory_should_hold_are_refused(make_job: Make) -> None:
    job = make_job(train=TRAIN[:, :1], _streaming="true", _shingle_size="64")
    model = trained(job, output=("score", "attribution"))
    before = model.stream.seen
    body = b"1\n" * (MOST_SHARES // 64 + 1)
    with pytest.raises(UserError, match=f"send at most {MOST_SHARES // 64} in a request"):
        invoke(model, ALGORITHM, body, CSV, JSON_LINES)
    assert model.stream.seen == before
    assert invoke(model, ALGORITHM, b"1\n", CSV, JSON_LINES).status == 200


def test_what_a_stream_cannot_do_is_refused(make_job: Make) -> None:
    job = make_job(train=TRAIN, _streaming="true")
    assert job.run() == 0
    with pytest.raises(ModelError, match=r"SAGEDOCK_BAD_RECORDS is placeholder.* learns the points"):
        loaded(job, bad_records="placeholder")
    said = manifest.read(job.model)
    assert load(job.model, said, InferenceOptions(bad_records="placeholder", streaming=False))
    assert isinstance(load(job.model, None, InferenceOptions()), RandomCutForestModel), "only a manifest says learns"


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda arrays: {**arrays, "root": arrays["root"] + 10_000}, "does not exist"),
        (lambda arrays: {**arrays, "last": np.zeros((1, 2), np.float32)}, "more than a shingle"),
        (lambda arrays: {**arrays, "last": np.zeros((0, 3), np.float32)}, "no last points of 2"),
        (lambda arrays: {name: array for name, array in arrays.items() if name != "span"}, "span is missing"),
        (None, "is no state of a stream"),
    ],
)
def test_a_state_that_is_none_is_refused(make_job: Make, damage: Any, told: str) -> None:
    """Models are hostile input."""
    job = make_job(train=TRAIN, _streaming="true")
    assert job.run() == 0
    file = job.model / stream_state.NAME
    tensors = safetensors.read(file)
    if damage is None:
        file.write_bytes(b"not a state")
    else:
        arrays = {name: np.array(array) for name, array in tensors.arrays.items()}
        safetensors.write(file, damage(arrays), tensors.metadata)
    found = manifest.glanced_at(job.model)
    with pytest.raises(ModelError, match=told):
        load(job.model, found, InferenceOptions())
    file.unlink()
    with pytest.raises(ModelError, match=r"cannot read .*stream_algo-1"):
        load(job.model, found, InferenceOptions())


def test_a_state_of_other_columns_is_refused(make_job: Make, tmp_path: Path) -> None:
    job, other = make_job(train=TRAIN, _streaming="true"), make_job("other", data.rows(400, 3), _streaming="true")
    assert (job.run(), other.run()) == (0, 0)
    (job.model / stream_state.NAME).write_bytes((other.model / stream_state.NAME).read_bytes())
    with pytest.raises(ModelError, match="it has 3 columns, and its forest 2"):
        load(job.model, manifest.glanced_at(job.model), InferenceOptions())
