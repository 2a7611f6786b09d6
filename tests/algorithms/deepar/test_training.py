"""Training jobs: what the log says and in what order, early stopping, the recipe, and when training diverges."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from sagedock.algorithms.deepar.best import Best
from sagedock.algorithms.deepar.parameters import Architecture, Parameters
from sagedock.algorithms.deepar.settings import Settings, require_memory
from sagedock.errors import UserError
from tests.algorithms.deepar.jobs import job, sines
from tests.platform import Job

RECIPE = {"_recipe": "seasonal", "epochs": "4", "time_freq": "H"}


def told(made: Job) -> str:
    """What a job that must succeed writes to stdout."""
    done = made.process()
    assert done.returncode == 0, done.stderr
    return done.stdout


def numbers(pattern: str, text: str) -> list[float]:
    return [float(found) for found in re.findall(pattern, text)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, str]:
    """A job with a test channel, and its log."""
    made = job(tmp_path_factory.mktemp("deepar"), test=sines(4, 120, seed=1), early_stopping_patience="40")
    return made, told(made)


def test_the_log_tells_what_the_built_ins_tells_in_its_order(trained: tuple[Job, str]) -> None:
    """deepar 13: the lines of a public log, and each figure that SageMaker looks for once."""
    _, log = trained
    order = (
        "Reading default configuration: {",
        "Merging with provided configuration: {",
        "Final configuration: {",
        "Detected entry point for worker worker",
        "Using early stopping with patience 40",
        "random_seed is 0",
        "[cardinality=auto] `cat` field was found",
        "[num_dynamic_feat=auto] `dynamic_feat` field was NOT found",
        "Training set statistics:",
        "Real time series",
        "number of time series: 10",
        "Small number of time series. Doing 16 passes over dataset with prob 1 per epoch.",
        "Test set statistics:",
        "Number of GPUs being used: 0",
        "Create Store: local",
        "#memory_usage::<batchbuffer> = ",
        "#memory_usage::<model> = ",
        "Epoch[0] Batch[0] avg_epoch_loss=",
        "#quality_metric: host=algo-1, epoch=0, batch=0 train loss <loss>=",
        "Epoch[0] Batch [5]\tSpeed: ",
        "processed a total of ",
        "#throughput_metric: host=algo-1, train throughput=",
        "#progress_metric: host=algo-1, completed 33.33 % of epochs",
        "#quality_metric: host=algo-1, epoch=0, train loss <loss>=",
        "best epoch loss so far",
        "Epoch[1] Batch[0] avg_epoch_loss=",
        "Loading parameters from best epoch (",
        "stopping training now",
        "#progress_metric: host=algo-1, completed 100 % of epochs",
        "Final loss: ",
        "#quality_metric: host=algo-1, train final_loss <loss>=",
        "All workers finished. Serializing model for prediction.",
        "Evaluating model accuracy on testset using 100 samples",
        "Number of test batches scored: 1",
        "#test_score (algo-1, RMSE): ",
        "#test_score (algo-1, mean_wQuantileLoss): ",
        "#test_score (algo-1, wQuantileLoss[0.1]): ",
        "#quality_metric: host=algo-1, test mean_wQuantileLoss <loss>=",
        "#quality_metric: host=algo-1, test RMSE <loss>=",
    )
    at = 0
    for line in order:
        found = log.find(line, at)
        assert found >= 0, f"{line!r} does not stand behind character {at}"
        at = found + len(line)
    for pattern in ("test RMSE", "test mean_wQuantileLoss", "train final_loss"):
        assert len(numbers(rf"#quality_metric: host=\S+, {pattern} <loss>=(\S+)", log)) == 1


def test_the_mean_quantile_loss_is_that_of_the_quantiles(trained: tuple[Job, str]) -> None:
    """deepar 14."""
    _, log = trained
    (mean,) = numbers(r"mean_wQuantileLoss\): (\S+)", log)
    quantiles = numbers(r"wQuantileLoss\[0\.\d\]\): (\S+)", log)
    assert len(quantiles) == 9
    assert mean == pytest.approx(np.mean(quantiles), rel=1e-6)


def test_the_final_loss_is_that_of_the_best_epoch(trained: tuple[Job, str]) -> None:
    """deepar 12: the log names it, and metrics.json has all of them."""
    made, log = trained
    losses = numbers(r"#quality_metric: host=algo-1, epoch=\d+, train loss <loss>=(\S+)", log)
    (final,) = numbers(r"train final_loss <loss>=(\S+)", log)
    best = int(np.argmin(losses))
    assert (len(losses), final) == (3, losses[best])
    assert f"Loading parameters from best epoch ({best})" in log
    assert made.metrics()["best_epoch"] == best
    assert log.count("best epoch loss so far") + log.count("loss did not improve") == 3


def test_training_stops_so_many_epochs_behind_the_best() -> None:
    """deepar 12: the public log's best epoch was 140, and it stopped behind epoch 180 with a patience of 40."""
    best = Best(patience=40)
    epoch = 0
    while not best.is_over:
        best.note(abs(140 - epoch) + 3.0)
        epoch += 1
    assert (best.epoch, best.loss, len(best.losses) - 1) == (140, 3.0, 180)


def test_a_job_with_patience_stops_early(tmp_path: Path) -> None:
    """deepar 12: a learning rate that wrecks what was learnt makes later epochs worse."""
    log = told(job(tmp_path, epochs="200", early_stopping_patience="2", learning_rate="0.5"))
    losses = numbers(r"#quality_metric: host=algo-1, epoch=\d+, train loss <loss>=(\S+)", log)
    best = int(np.argmin(losses))
    assert len(losses) == best + 3 < 200
    assert f"Final loss: {losses[best]!r} (occurred at epoch {best})" in log


def test_the_same_seed_gives_the_same_model_and_another_seed_another(tmp_path: Path) -> None:
    found = []
    for name, given in (("one", {}), ("two", {}), ("three", {"_seed": "1"})):
        made = job(tmp_path / name, **given)
        assert made.run() == 0, made.failure
        found.append((made.model / "model_algo-1.safetensors").read_bytes())
    assert found[0] == found[1] != found[2]


def test_training_that_diverges_says_what_to_change(tmp_path: Path) -> None:
    records = sines(10, 96)
    records[3]["target"] = [value * (1e30 if place % 7 == 0 else 1) for place, value in enumerate(records[3]["target"])]
    made = job(tmp_path, train=records, learning_rate="1e30", likelihood="gaussian", epochs="20")
    assert made.run() == 1
    assert "training diverged" in made.failure
    assert "lower learning_rate" in made.failure


def test_the_largest_numbers_end_a_seasonal_job_with_one_error_and_no_warnings(tmp_path: Path) -> None:
    records = sines(10, 96)
    for record in records:
        record["target"] = [3e38, -3e38] * 48
    done = job(tmp_path, train=records, **RECIPE).process()
    assert done.returncode == 1
    assert "UserError: training diverged" in done.stderr
    assert "Warning" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("num_cells", "1000000", "a network of 2 layers of 1,000,000 cells takes "),
        ("mini_batch_size", "100000000", "a batch of 100,000,000 windows of 18 steps takes "),
        ("context_length", "1000000000", "a batch of 16 windows of 1,000,000,006 steps takes "),
    ],
)
def test_what_does_not_fit_into_memory_is_refused_before_it_is_tried(
    tmp_path: Path, name: str, value: str, told: str
) -> None:
    made = job(tmp_path, **{name: value})
    assert made.run() == 1
    assert made.failure.startswith(f"UserError: {told}")
    assert name in made.failure.split("are available: lower ")[1]


def test_what_fits_into_memory_is_let_through() -> None:
    """The network in four copies, then a batch: inputs, lagged values, gates and outputs; by hand, of 8 cells."""
    built = Architecture("H", 12, 6, "gaussian", 8, 1, (1, 2, 24), (), 2, 0, 4)
    settings = Settings(epochs=1, batch=16, learning_rate=0.001, zoneout=0, patience=None, seed=0)
    network = 4 * 4 * (32 * (3 + 1 + 5) + 32 * 8 + 32 + 2 * 8 + 2)
    batch = 4 * 16 * (18 * (3 + 1 + 5) + 24 + 18 * 8 * 5)
    require_memory(built, settings, network + batch)
    with pytest.raises(UserError, match=f"and {batch - 1:,} are available: lower mini_batch_size") as caught:
        require_memory(built, settings, network + batch - 1)
    assert caught.value.field == "mini_batch_size"
    with pytest.raises(UserError, match="lower num_cells") as caught:
        require_memory(built, settings, network - 1)
    assert caught.value.field == "num_cells"


@pytest.mark.parametrize("likelihood", ["student-T", "gaussian", "deterministic-L1"])
def test_the_seasonal_recipe_trains_what_serves(tmp_path: Path, likelihood: str) -> None:
    """It holds windows out, tells of their loss, and makes distributions as wide as they say."""
    made = job(tmp_path, test=sines(3, 120, seed=2), likelihood=likelihood, **RECIPE)
    log = told(made)
    held = numbers(r"#quality_metric: host=algo-1, epoch=\d+, validation loss <loss>=(\S+)", log)
    assert len(held) == 4
    assert f"Loading parameters from best epoch ({int(np.argmin(held))})" in log
    built = Parameters.load(made.model).architecture
    assert (built.scaling, built.skip) == ("deviation", True)
    assert len(built.spread) == (0 if likelihood == "deterministic-L1" else built.prediction_length)


@pytest.mark.parametrize("likelihood", ["beta", "negative-binomial"])
def test_other_likelihoods_train_with_and_without_the_recipe(tmp_path: Path, likelihood: str) -> None:
    for recipe in ("built-in", "seasonal"):
        records = sines(10, 96)
        for record in records:
            target = np.asarray(record["target"])
            share = target / (1.01 * target.max())
            record["target"] = (share if likelihood == "beta" else np.round(20 * share)).tolist()
        made = job(tmp_path / recipe, train=records, likelihood=likelihood, _recipe=recipe)
        log = told(made)
        losses = numbers(r"#quality_metric: host=algo-1, epoch=\d+, train loss <loss>=(\S+)", log)
        assert losses[-1] < losses[0]


def test_series_that_are_too_short_are_left_out(tmp_path: Path) -> None:
    """deepar 32: without failure, and the passes are those over the ten others."""
    log = told(job(tmp_path, train=[*sines(10, 96), {"start": "2024-01-01", "target": [3.0] * 5, "cat": [2]}]))
    assert "number of time series: 11" in log
    assert "Doing 16 passes over dataset with prob 1 per epoch." in log
