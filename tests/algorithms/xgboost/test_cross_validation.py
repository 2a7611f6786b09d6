"""The lines that a k-fold job prints, round by round."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost
from scipy.sparse import csr_matrix

from sagedock.formats import records
from sagedock.formats.table import Table
from tests.algorithms.xgboost import data


def test_the_rounds_of_a_fold_are_evaluated_on_whole_channels(make_job, capsys) -> None:
    """Defect 8.15: the shape is kept, so `train-error` of a fold is of every row of the train channel."""
    job = make_job(_kfold="3", num_round="2", eval_metric="error")
    assert job.run() == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[1]\t")]
    assert len(lines) == 3
    channels = {"train": data.numbers(300), "validation": data.numbers(150, seed=7)}
    for number, line in enumerate(lines):
        booster = xgboost.Booster()
        booster.load_model(bytearray((job.model / f"xgboost-model-{number}").read_bytes()))
        expected = {
            name: np.mean((booster.inplace_predict(rows) > 0.5) != data.binary_labels(rows))
            for name, rows in channels.items()
        }
        assert line == "[1]" + "".join(f"\t{name}-error:{error:.5f}" for name, error in expected.items())


@pytest.mark.parametrize("weighted", ["train", "validation"])
def test_folds_of_a_weighted_and_an_unweighted_channel(make_job, weighted: str) -> None:
    """Records without weights weigh 1: the folds are those of a job that says so."""
    plain = "".join(f"{row % 2} 0:{row}\n" for row in range(20))
    ones = "".join(f"{row % 2}:1 0:{row}\n" for row in range(20))
    models = []
    for name, other in (("mixed", plain), ("explicit", ones)):
        job = make_job(name, _kfold="2")
        for channel in ("train", "validation"):
            content = ones if channel == weighted else other
            job.add_channel(channel, {"data": content}, ContentType="text/libsvm")
        assert job.run() == 0, job.failure
        models.append([(job.model / f"xgboost-model-{number}").read_bytes() for number in range(2)])
    assert models[0] == models[1]


def test_folds_of_a_dense_and_a_sparse_channel(make_job) -> None:
    """RecordIO may hold dense rows in one channel and sparse ones in the other; zeros are zeros in both."""
    features = data.numbers(40, columns=3)
    features[::3, 1] = 0
    labels = data.binary_labels(features)
    dense = Table(features, labels=labels)
    sparse = Table(csr_matrix((features.ravel(), np.tile(np.arange(3), 40), np.arange(0, 121, 3))), labels=labels)
    predictions = []
    for name, other in (("dense", dense), ("mixed", sparse)):
        job = make_job(name, _kfold="2")
        for channel, table in (("train", dense), ("validation", other)):
            content = {"data": records.encode(table)}
            job.add_channel(channel, content, ContentType="application/x-recordio-protobuf")
        assert job.run() == 0, job.failure
        predictions.append((job.output_data / "predictions.csv").read_text())
    assert predictions[0] == predictions[1]
