"""What the seasonal recipe holds out: the ends of series that are long enough, and no more of them than needed."""

import numpy as np
import pytest

from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.algorithms.deepar.held_out import LARGEST_SHARE, WINDOWS, HeldOut
from sagedock.algorithms.deepar.network import Network
from sagedock.algorithms.deepar.parameters import Architecture
from sagedock.algorithms.deepar.series import Series, SeriesList
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
