"""What SageMaker published of its Random Cut Forest, on the series of the Numenta Anomaly Benchmark."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from sagedock.algorithms.randomcutforest.forest import Forest
from sagedock.algorithms.randomcutforest.model import load
from sagedock.contracts.hosting import InferenceOptions
from sagedock.formats.table import Floats
from tests.platform import Job

ELB, TAXI = "realAWSCloudwatch/elb_request_count_8c0756", "realKnownCause/nyc_taxi"
NODES = [
    *(107, 129, 125, 119, 109, 117, 135, 123, 103, 127, 119, 89, 93, 123, 105, 101, 137, 125, 119, 129, 123, 123, 113),
    *(123, 139, 127, 119, 121, 105, 113, 105, 121, 95, 93, 107, 97, 87, 93, 111, 107, 103, 121, 119, 121, 101, 121),
    *(123, 113, 121, 123),
]
"""Nodes of the 50 trees, as the log of a SageMaker job names them (rcf 6.1)."""
PUBLISHED = {
    **{94: 0.8656, 56: 0.7865, 95: 0.8670, 51: 0.7709, 187: 1.6139, 203: 1.9107, 209: 2.0179, 222: 2.1591},
    **{255: 2.5946, 264: 2.7108, 303: 3.1976, 335: 3.5864, 381: 3.9511, 656: 5.1025},
}
"""Scores of values, as SageMaker's endpoint gave them (rcf 6.5)."""
SHINGLE = 48
"""Half-hours of a day."""
EVENTS = {"marathon": (5888, 5943), "Christmas": (8487, 8531), "blizzard": (10026, 10109)}
"""Shingles of the taxi series that a reference run flags (rcf 7)."""


@pytest.fixture
def forest(make_job: Callable[..., Job]) -> Callable[[Floats, int], Forest]:
    """Trains the published job, 50 trees of up to 512 samples, and loads its model."""

    def trained(rows: Floats, seed: int) -> Forest:
        job = make_job(f"seed-{seed}", rows, num_samples_per_tree="512", _seed=str(seed))
        assert job.run() == 0, job.failure
        return load(job.model, None, InferenceOptions()).forest

    return trained


def cut(scores: Floats) -> float:
    return float(scores.mean() + 3 * scores.std())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_published_node_counts_come_out_for_any_seed(
    make_job: Callable[..., Job], series: Callable[[str], Floats], seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """rcf 5, 6: 80 samples a tree, in runs of the file; equal values share a leaf."""
    job = make_job(train=series(ELB), num_samples_per_tree="512", _seed=str(seed))
    assert job.run() == 0, job.failure
    (info,) = re.findall(r"ForestInfo{.*}", capsys.readouterr().out)
    assert "num_trees: 50, num_samples_in_forest: 4000, num_samples_per_tree: 80, sample_dim: 1, shingle" in info
    assert f"trees_num_nodes: [{''.join(f'{count}, ' for count in NODES)}]" in info
    assert "max_num_nodes: 139, min_num_nodes: 87, avg_num_nodes: 114" in info
    assert load(job.model, None, InferenceOptions()).forest.node_counts.tolist() == NODES
    runs = series(ELB)[:4000, 0].reshape(50, 80)
    assert [2 * len(np.unique(run)) - 1 for run in runs] == NODES


@pytest.mark.parametrize("seed", [0, 1])
def test_the_published_scores_come_out(
    forest: Callable[[Floats, int], Forest], series: Callable[[str], Floats], seed: int
) -> None:
    """rcf 7, 8: within four standard deviations of a forest, 0.15 at low scores and 0.25 at high ones."""
    built = forest(series(ELB), seed)
    scores = built.scores(np.array([[value] for value in PUBLISHED], np.float32))
    for (value, published), score in zip(PUBLISHED.items(), scores.tolist(), strict=True):
        assert abs(score - published) < (0.15 if published < 2.0 else 0.25), (value, score, published)
    residual = scores - np.array(list(PUBLISHED.values()))
    assert abs(residual.mean()) < 0.1, "one forest is off by about as much everywhere"
    everywhere = built.scores(series(ELB))
    assert 98 - 12 <= (everywhere > cut(everywhere)).sum() <= 98 + 12


def test_the_depths_are_those_of_the_published_forest(
    forest: Callable[[Floats, int], Forest], series: Callable[[str], Floats]
) -> None:
    """rcf 6.1: a mean of 12.82 levels, a forest's own mean varying by 0.23."""
    assert abs(forest(series(ELB), 5).depths.mean() - 12.82) < 4 * 0.23


def test_the_taxi_series_peaks_at_the_marathon(
    forest: Callable[[Floats, int], Forest], series: Callable[[str], Floats]
) -> None:
    """rcf 7, 1-D: the maximum is the night of 2014-11-02; New Year and the blizzard of January 2015 stand out."""
    rows = series(TAXI)
    scores = forest(rows, 0).scores(rows)
    assert abs(int(scores.argmax()) - 5954) <= 1
    assert abs(scores.mean() - 0.903) < 0.05
    flagged = np.flatnonzero(scores > cut(scores))
    for begin, end in ((5950, 5960), (8833, 8846), (10030, 10130)):  # Nov 2, Jan 1, Jan 26 to 28
        assert ((flagged >= begin) & (flagged < end)).any(), (begin, end)
    assert 150 < len(flagged) < 350


@pytest.mark.parametrize("seed", range(5))
def test_shingles_find_the_marathon_christmas_and_the_blizzard(
    forest: Callable[[Floats, int], Forest], series: Callable[[str], Floats], seed: int
) -> None:
    """rcf 27: in each of five seeds every run is met by ten rows at least; the mean is the reference's."""
    values = series(TAXI)[:, 0]
    rows = np.lib.stride_tricks.sliding_window_view(values, SHINGLE)[:10_272].copy()
    built = forest(rows, seed)
    assert built.samples_per_tree == 205
    scores = built.scores(rows)
    assert abs(scores.mean() - 0.96) < 0.03
    flagged = scores > cut(scores)
    for name, (begin, end) in EVENTS.items():
        assert flagged[begin:end].sum() >= 10, name
    assert 149 - 40 <= flagged.sum() <= 149 + 40


def test_the_series_are_the_ones_that_were_published(series: Callable[[str], Floats]) -> None:
    assert (len(series(ELB)), len(series(TAXI))) == (4032, 10_320)
