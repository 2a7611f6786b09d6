"""What the seasonal recipe holds out: the ends of series that are long enough, and no more of them than needed."""

import numpy as np
import pytest
import torch

from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.algorithms.deepar.held_out import LARGEST_SHARE, WINDOWS, HeldOut
from sagedock.algorithms.deepar.network import Network
from sagedock.algorithms.deepar.parameters import Architecture
from sagedock.algorithms.deepar.series import Series, SeriesList
from sagedock.algorithms.deepar.settings import Settings
from sagedock.algorithms.deepar.trainer import Trainer
from sagedock.algorithms.deepar.windows import Windows

HORIZON = 6
BUILT = Architecture("H", 10, HORIZON, "gaussian", 5, 1, (1, 2, 24), (), 2, 1, 4)


def series(*lengths: int) -> SeriesList:
    random, made = np.random.default_rng(1), []
    for length in lengths:
        target = random.normal(10, 3, length).astype(np.float32)
        features = random.normal(size=(1, length)).astype(np.float32)
        made.append(Series(Frequency.parse("H"), 438_000, target, np.zeros(0, np.int32), features))
    return SeriesList.of(made)


@pytest.mark.parametrize(("count", "length"), [(3, 5000), (40, 200), (400, 100)])
def test_about_a_hundred_windows_are_held_out_at_the_ends(count: int, length: int) -> None:
    whole = series(*[length] * count)
    held = HeldOut.of(whole, BUILT)
    each = min(-(-WINDOWS // count), int(LARGEST_SHARE * length / HORIZON))
    assert held.learnt.lengths.tolist() == [length - HORIZON * each] * count
    assert WINDOWS <= len(held.chosen) <= 2 * WINDOWS
    assert (held.chosen.begins >= length - HORIZON * each).all()
    assert (held.chosen.begins + HORIZON <= length).all()
    assert len({*zip(held.chosen.series.tolist(), held.chosen.begins.tolist(), strict=True)}) == len(held.chosen)
    np.testing.assert_array_equal(held.learnt[1].target, whole[1].target[: length - HORIZON * each])
    assert len(Windows(held.learnt, BUILT).eligible) == count


def test_short_series_are_learnt_whole() -> None:
    assert HeldOut.of(series(59, 30), BUILT) is None
    held = HeldOut.of(series(59, 60), BUILT)
    assert held.learnt.lengths.tolist() == [59, 54]
    assert held.chosen.series.tolist() == [1]


def test_a_network_that_knows_less_loses_more() -> None:
    """The same network whose location is far off; the same numbers at every call."""
    held = HeldOut.of(series(400, 400), BUILT)
    parameters = Network.new(BUILT, 0).parameters()
    loss = held.loss(parameters)
    assert held.loss(parameters) == loss
    parameters.arrays["output.bias"][0] += 10
    assert held.loss(parameters) > 2 * loss
    assert len(held.spread(parameters)) == HORIZON


def test_an_epoch_whose_paths_are_lost_is_the_worst_one_and_is_counted() -> None:
    """Else the held-out losses would be fewer than the epochs, and another epoch be taken for the best."""
    held = HeldOut.of(series(40, 200), BUILT)
    assert held is not None
    network = Network.new(BUILT, 0)
    with torch.no_grad():
        network.tensors["output.weight"][0] = np.nan
    settings = Settings(epochs=2, batch=8, learning_rate=0.01, zoneout=0.0, patience=None, seed=0, seasonal=True)
    assert Trainer(network, Windows(held.learnt, BUILT), settings, held).held_out_loss() == np.inf


def test_windows_of_which_nothing_is_known_tell_nothing() -> None:
    whole = series(40, 200)
    whole.target[:] = np.nan
    held = HeldOut.of(whole, BUILT)
    assert held is not None
    assert np.isnan(held.loss(Network.new(BUILT, 0).parameters()))
