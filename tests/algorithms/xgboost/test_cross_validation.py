"""The lines that a k-fold job prints, round by round."""

from __future__ import annotations

import numpy as np
import xgboost

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
