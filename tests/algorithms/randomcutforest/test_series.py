"""Series: trained by shingles of the algorithm's own making, and a score for every point that is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sagedock.algorithms.randomcutforest import ALGORITHM
from sagedock.algorithms.randomcutforest.evaluation import scored
from sagedock.algorithms.randomcutforest.model import RandomCutForestModel, load
from sagedock.algorithms.randomcutforest.shingles import lag_names, shingled, shingled_parts
from sagedock.contracts import manifest
from sagedock.contracts.hosting import InferenceOptions
from sagedock.errors import ModelError, UserError
from sagedock.formats import csv, instances, records
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, RECORDIO
from sagedock.formats.table import Floats, Part, Table
from sagedock.serving.invocations import ROWS_AT_ONCE, invoke
from tests.algorithms.randomcutforest import data
from tests.platform import Job

SIZE = 4


def loaded(job: Job, **options: Any) -> RandomCutForestModel:
    assert job.run() == 0, job.failure
    return load(job.model, manifest.read(job.model), InferenceOptions(**options))


def wave(count: int, columns: int = 2, seed: int = 0) -> Floats:
    noise = np.random.default_rng(seed).normal(size=(count, columns)) / 10
    return (np.sin(np.arange(count) / 7)[:, None] + noise).astype(np.float32)


@pytest.fixture
def model(make_job: Callable[..., Job]) -> RandomCutForestModel:
    return loaded(make_job(train=wave(400), _shingle_size=str(SIZE)))


def scores_of(body: bytes) -> list[float]:
    return [each["score"] for each in json.loads(body)["scores"]]


@pytest.mark.parametrize("columns", [1, 3])
def test_the_forest_is_that_of_shingles_made_by_the_user(make_job: Callable[..., Job], columns: int) -> None:
    """Same rows, same order, same seed: the same trees as of the rows that the notebook makes (rcf 6.7)."""
    points = wave(1000, columns)  # more shingles than the sample holds
    ours = make_job("ours", points, _shingle_size=str(SIZE))
    theirs = make_job("theirs", shingled(points, SIZE))
    one, other = loaded(ours).forest.arrays(), loaded(theirs).forest.arrays()
    assert {name: array.tolist() for name, array in one.items()} == {n: array.tolist() for n, array in other.items()}


def test_no_shingle_reaches_from_one_file_into_another(make_job: Callable[..., Job]) -> None:
    first, second = wave(300), 100 + wave(200, seed=1)
    job = make_job(train=first, _shingle_size=str(SIZE))
    job.add_channel("train", {"a.csv": data.csv(first), "b.csv": data.csv(second)}, ContentType="text/csv;label_size=0")
    rows = np.concatenate([shingled(first, SIZE), shingled(second, SIZE)])
    forest = loaded(job).forest
    expected = loaded(make_job("rows", rows)).forest
    assert forest.point.tolist() == expected.point.tolist()
    assert len(np.unique(np.sign(forest.point - 50), axis=0)) == 2, "below 50 throughout, or above"


def test_every_point_has_a_score(model: RandomCutForestModel) -> None:
    points = wave(50, seed=3)
    answer = invoke(model, ALGORITHM, csv.encode(Table(points)), CSV, JSON)
    scores = scores_of(answer.body)
    expected = model.forest.scores(shingled(points, SIZE)).tolist()
    assert len(scores) == 50
    assert scores[SIZE - 1 :] == pytest.approx(expected)
    assert scores[: SIZE - 1] == pytest.approx([expected[0]] * (SIZE - 1)), "those of the first whole shingle"


def test_the_types_of_requests_and_answers_agree(model: RandomCutForestModel) -> None:
    table = Table(wave(20, seed=3))
    bodies = {
        CSV: csv.encode(table),
        JSON: instances.encode(table, lined=False),
        JSON_LINES: instances.encode(table, lined=True),
        RECORDIO: records.encode(table),
    }
    found = {name: scores_of(invoke(model, ALGORITHM, body, name, JSON).body) for name, body in bodies.items()}
    assert found[JSON] == found[CSV] == found[JSON_LINES] == found[RECORDIO]
    lines = invoke(model, ALGORITHM, bodies[CSV], CSV, JSON_LINES).body.splitlines()
    assert [json.loads(line)["score"] for line in lines] == found[CSV]


def test_an_answer_in_pieces_is_the_answer_in_one(model: RandomCutForestModel) -> None:
    """Many points go out in pieces, and the first of each piece still know those before them."""
    points = wave(2 * ROWS_AT_ONCE + 3, seed=3)
    body = csv.encode(Table(points))
    whole = scores_of(invoke(model, ALGORITHM, body, CSV, JSON).whole())
    answer = invoke(model, ALGORITHM, body, CSV, JSON_LINES)
    assert len(answer.body.splitlines()) == ROWS_AT_ONCE, "the first piece"
    lines = answer.whole().splitlines()
    assert [json.loads(line)["score"] for line in lines] == whole


def test_a_series_of_its_own_starts_with_each_request(model: RandomCutForestModel) -> None:
    """So a transform that cuts a file into requests cuts the series: the README says what to do."""
    points = wave(40, seed=3)
    whole = model.predict(model.read(csv.encode(Table(points)), _csv())).columns["score"]
    second = model.predict(model.read(csv.encode(Table(points[20:])), _csv())).columns["score"]
    assert second[SIZE - 1 :].tolist() == whole[20 + SIZE - 1 :].tolist()
    assert second[: SIZE - 1].tolist() == [second[SIZE - 1]] * (SIZE - 1)


def _csv() -> Any:
    from sagedock.formats.media_types import parse_media_type

    return parse_media_type(CSV)


def test_too_few_points_are_refused_and_the_next_request_is_answered(model: RandomCutForestModel) -> None:
    with pytest.raises(UserError, match="got a series of 3 points, and the model scores them by shingles of 4"):
        invoke(model, ALGORITHM, csv.encode(Table(wave(3))), CSV, JSON)
    with pytest.raises(UserError, match="2 feature columns, got 8"):
        invoke(model, ALGORITHM, csv.encode(Table(shingled(wave(9), SIZE))), CSV, JSON)
    assert len(scores_of(invoke(model, ALGORITHM, csv.encode(Table(wave(4))), CSV, JSON).body)) == 4


def test_the_example_is_a_series_that_is_answered(model: RandomCutForestModel) -> None:
    body, content_type = model.example()
    assert len(scores_of(invoke(model, ALGORITHM, body, content_type, JSON).body)) == SIZE


def test_the_manifest_and_the_log_tell_of_points_and_shingles(
    make_job: Callable[..., Job], capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_job(train=wave(400), _shingle_size=str(SIZE))
    assert loaded(job).describe()["feature_count"] == 2
    said = job.manifest()["model"]
    assert (said["shingle_size"], said["rows"]) == (SIZE, 397)
    assert re.search(rf"sample_dim: {2 * SIZE}, shingle_size: {SIZE},", capsys.readouterr().out)


def test_a_model_of_shingles_needs_no_manifest(make_job: Callable[..., Job]) -> None:
    job = make_job(train=wave(400), _shingle_size=str(SIZE))
    expected = loaded(job).detector
    found = load(job.model, None, InferenceOptions()).detector
    assert (found.shingle_size, found.columns) == (expected.shingle_size, 2)


def test_bad_lines_cannot_be_left_out_of_a_series(make_job: Callable[..., Job]) -> None:
    job = make_job(train=wave(400), _shingle_size=str(SIZE))
    with pytest.raises(ModelError, match="SAGEDOCK_BAD_RECORDS is placeholder"):
        loaded(job, bad_records="placeholder")
    assert loaded(make_job("rows"), bad_records="placeholder")


def test_the_test_channel_is_scored_point_by_point(make_job: Callable[..., Job]) -> None:
    """Each file is a series; the first points count with the score of the first whole shingle."""
    points, labels = wave(120, seed=5), np.zeros(120, np.float32)
    points[60] += 9
    labels[60 : 60 + SIZE] = 1  # the shingles that hold it
    job = make_job(train=wave(400), test=(labels, points), _shingle_size=str(SIZE))
    job.add_channel("timestamps", {"times.txt": "".join(f"t{number}\n" for number in range(120))})
    job.add_channel("feature-names", {"names.txt": "flow\nlevel\n"})
    model = loaded(job)
    found = job.metrics()["test"]
    scores = model.predict(model.read(csv.encode(Table(points)), _csv())).columns["score"]
    assert found["rows"] == 120
    assert found["mean"] == pytest.approx(float(scores.mean()), rel=1e-6)
    assert (found["recall"], found["precision"]) == (1, 1)
    highest = found["highest"][0]
    assert highest["row"] in {f"t{number}" for number in range(60, 60 + SIZE)}
    lag = int(highest["row"][1:]) - 60
    assert set(list(highest["columns"])[:2]) == {
        name + (f", {lag} before" if lag else "") for name in ("flow", "level")
    }


@pytest.mark.parametrize("lengths", [(5, 9, 3), (1, 2, 14), (17,)])
def test_the_points_that_the_report_draws_are_those_of_the_series(lengths: tuple[int, ...]) -> None:
    """The first too, although they share a row; of two files, in parts of any lengths."""
    points, parts = wave(2 * sum(lengths)), []
    ends = np.cumsum([0, *lengths, *lengths])
    for number, (begin, end) in enumerate(pairwise(ends.tolist())):
        table = Table(points[begin:end], labels=np.zeros(end - begin, np.float32))
        parts.append(Part(table, "ab"[number // len(lengths)], "line", 1))
    found = scored(lambda part: (part.table.dense[:, 0], None), shingled_parts(parts, SIZE), SIZE)
    assert found.newest.tolist() == points[:, -1].tolist()


def test_lags_are_named_by_how_long_ago_they_were() -> None:
    assert lag_names(["a", "b"], 3) == ["a, 2 before", "b, 2 before", "a, 1 before", "b, 1 before", "a", "b"]
    assert lag_names(["a"], 1) == ["a"]


@pytest.mark.parametrize(
    ("train", "asked", "words"),
    [
        (wave(49 + SIZE - 1), {}, "holds 49 shingles of 4 points, and a forest of 50 trees"),
        (wave(3), {}, "holds 0 shingles of 4 points"),
        (wave(400), {"_shingle_size": "6000"}, "feature_dim 2 times _shingle_size 6000 makes rows of 12000 columns"),
        (wave(400), {"_shingle_size": "0"}, "_shingle_size"),
        (wave(400), {"_sampling": "shuffled"}, "_sampling"),
    ],
)
def test_what_makes_no_series_is_refused(
    make_job: Callable[..., Job], train: Floats, asked: dict[str, str], words: str
) -> None:
    job = make_job(train=train, **{"_shingle_size": str(SIZE), **asked})
    assert job.run() == 1
    assert words in job.failure


def test_a_test_series_shorter_than_a_shingle_is_named(make_job: Callable[..., Job]) -> None:
    job = make_job(train=wave(400), test=(np.zeros(3), wave(3)), _shingle_size=str(SIZE))
    assert job.run() == 1
    assert "rows.csv: a series of 3 points is shorter than a shingle of 4 points" in job.failure


def test_a_missing_value_of_a_series_is_named_where_it_stands(make_job: Callable[..., Job], tmp_path: Path) -> None:
    lines = data.csv(wave(20), np.zeros(20)).splitlines()
    lines[7] = "0,1.5,"
    job = make_job(train=wave(400), _shingle_size=str(SIZE))
    job.add_channel("test", {"rows.csv": "\n".join(lines) + "\n"}, ContentType="text/csv;label_size=1")
    assert job.run() == 1
    assert "rows.csv, line 8, column 3" in job.failure
