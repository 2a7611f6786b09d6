"""What answers hold by SAGEMAKER_INFERENCE_OUTPUT: the score, whether it is an alarm, what each column adds."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sagedock.algorithms.randomcutforest import ALGORITHM
from sagedock.algorithms.randomcutforest.model import RandomCutForestModel, load
from sagedock.contracts import manifest
from sagedock.contracts.hosting import InferenceOptions
from sagedock.errors import ModelError
from sagedock.formats import csv, recordio
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, RECORDIO
from sagedock.formats.record_pb2 import Record
from sagedock.formats.table import Table
from sagedock.serving.invocations import invoke
from tests.algorithms.randomcutforest import data
from tests.platform import Job
from tests.serving.process import Server

EVERY = ("attribution", "score", "anomaly")


def loaded(job: Job, *output: str) -> RandomCutForestModel:
    return load(job.model, manifest.read(job.model), InferenceOptions(output=output))


@pytest.fixture
def trained(make_job: Callable[..., Job]) -> Job:
    job = make_job(_false_alarm_rate="0.05")
    assert job.run() == 0, job.failure
    return job


def rows() -> Any:
    found = data.rows(6, seed=3)
    found[4, 1] = 30
    return found


def test_the_score_alone_is_the_answer_by_default(trained: Job) -> None:
    """rcf 15: the built-in's own shape, also of a model that has a cut-off."""
    answer = json.loads(invoke(loaded(trained), ALGORITHM, csv.encode(Table(rows())), CSV, JSON).body)
    assert [set(each) for each in answer["scores"]] == [{"score"}] * 6


def test_what_is_asked_for_comes_in_that_order(trained: Job) -> None:
    model = loaded(trained, *EVERY)
    lines = invoke(model, ALGORITHM, csv.encode(Table(rows())), CSV, JSON_LINES).body.splitlines()
    answers = [json.loads(line) for line in lines]
    assert [list(each) for each in answers] == [list(EVERY)] * 6
    cut_off = trained.manifest()["model"]["decision"]["cut_off"]
    for each, score in zip(answers, model.forest.scores(rows()).tolist(), strict=True):
        assert each["score"] == score
        assert each["anomaly"] == int(score > cut_off)
        assert sum(each["attribution"]) == pytest.approx(score, rel=1e-5)
    assert answers[4]["anomaly"] == 1
    assert answers[4]["attribution"][1] > 0.9 * answers[4]["score"]


def test_every_type_of_answer_holds_the_same(trained: Job) -> None:
    model, body = loaded(trained, *EVERY), csv.encode(Table(rows()))
    expected = json.loads(invoke(model, ALGORITHM, body, CSV, JSON).body)["scores"]
    lines = invoke(model, ALGORITHM, body, CSV, JSON_LINES).body.splitlines()
    assert [json.loads(line) for line in lines] == expected
    first = invoke(model, ALGORITHM, body, CSV, CSV).body.decode().splitlines()[0]
    assert first == f'"{expected[0]["attribution"]}",{expected[0]["score"]},{expected[0]["anomaly"]}'
    framed = io.BytesIO(invoke(model, ALGORITHM, body, CSV, RECORDIO).body)
    for part, each in zip(recordio.read(framed, "answer"), expected, strict=True):
        label = Record.FromString(part.payload).label
        assert list(label["attribution"].float32_tensor.values) == each["attribution"]
        assert list(label["anomaly"].float32_tensor.values) == [each["anomaly"]]


def test_a_server_answers_what_the_deployer_asked_for(trained: Job) -> None:
    with Server(trained.base, {"SAGEMAKER_INFERENCE_OUTPUT": "score, anomaly"}) as server:
        reply = server.wait_ready().invoke(csv.encode(Table(rows())))
        assert reply.status == 200
        assert [each["anomaly"] for each in json.loads(reply.body)["scores"]][4] == 1


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (("score", "probability"), "names probability: a random cut forest answers with score, anomaly, attribution"),
        (("anomaly",), "the model has no cut-off: train it with the hyperparameter _false_alarm_rate"),
    ],
)
def test_what_the_model_cannot_tell_is_refused_when_it_is_loaded(
    make_job: Callable[..., Job], output: tuple[str, ...], words: str
) -> None:
    job = make_job()
    assert job.run() == 0, job.failure
    with pytest.raises(ModelError, match=words):
        loaded(job, *output)


@pytest.mark.parametrize(
    "decision", ["high", {"cut_off": "1"}, {"cut_off": True}, {"cut_off": 10**400}, {"cut_off": -1}, [1]]
)
def test_a_decision_that_is_none_is_refused(trained: Job, decision: Any) -> None:
    said = trained.manifest()
    said["model"]["decision"] = decision
    (trained.model / "manifest.json").write_text(json.dumps(said))
    with pytest.raises(ModelError, match="not a cut_off that is a number"):
        loaded(trained)


def test_attributions_of_scaled_columns_add_up(make_job: Callable[..., Job]) -> None:
    job = make_job(train=data.rows() * np.array([1, 1000, 0.001], np.float32), _scale_columns="true")
    assert job.run() == 0, job.failure
    model = loaded(job, "score", "attribution")
    unusual = np.zeros((1, 3), np.float32)
    unusual[0, 2] = 0.03  # thirty deviations
    found = model.predict(Table(unusual)).columns
    assert found["attribution"].sum() == pytest.approx(float(found["score"][0]), rel=1e-5)
    assert found["attribution"][0, 2] > 0.9 * found["score"][0]
