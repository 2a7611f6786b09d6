"""A network that learns: on one device, on two, on two hosts, and after an interruption."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from sagedock.algorithms.image_classification import networks
from sagedock.algorithms.image_classification.learner import Learner, devices
from sagedock.algorithms.image_classification.loss_scale import LARGEST, LossScale
from sagedock.errors import AlgorithmError
from sagedock.training.cluster import Alone, Cluster, Meeting
from tests.algorithms.image_classification.toys import SHAPE, VALUES, multi_hot, pictures
from tests.training.hosts import free_port, names

torch.set_num_threads(1)
ALONE = Alone("algo-1")


def learner(layers: int = 20, cluster: Any = ALONE, on: tuple[str, ...] = ("cpu",), **values: Any) -> Learner:
    return Learner(networks.build(layers, 2, SHAPE, seed=1), {**VALUES, **values}, cluster, on)


def learnt(one: Learner, epochs: int, rate: float = 0.05, count: int = 16) -> list[float]:
    """The mean loss of each epoch of batches of 8."""
    shown, labels = pictures(count)
    found = []
    for _ in range(epochs):
        steps = [one.step(shown[i : i + 8], labels[i : i + 8], rate) for i in range(0, count, 8)]
        found.append(float(np.mean([step.loss for step in steps if step is not None])))
    return found


@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", 0.05), ("nag", 0.05), ("adam", 0.01), ("rmsprop", 0.005)])
def test_every_optimiser_lowers_the_loss_of_a_toy_in_three_epochs(optimizer: str, rate: float) -> None:
    """image 55"""
    found = learnt(learner(optimizer=optimizer), 3, rate)
    assert found[2] < found[0]


def test_it_learns_to_tell_pictures_apart() -> None:
    one = learner()
    learnt(one, 8)
    fresh, labels = pictures(20, seed=1)
    told = one.probabilities(fresh)
    assert told.dtype == np.float32
    assert told.sum(1) == pytest.approx(np.ones(20), abs=1e-5)
    assert (told.argmax(1) == labels).mean() >= 0.9


def test_labels_of_many_classes_are_learnt_each_by_itself() -> None:
    one = learner(multi_label=1)
    shown, labels = pictures(16)
    for _ in range(12):
        step = one.step(shown, multi_hot(labels), 0.1)
    assert step is not None
    assert step.logits.shape == (16, 2)
    told = one.probabilities(shown)
    assert ((told > 0.5) == multi_hot(labels).astype(bool)).mean() > 0.9
    assert ((told >= 0) & (told <= 1)).all()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_learner_restored_goes_on_bit_for_bit(optimizer: str) -> None:
    """Issue 8 item 7: weights, running statistics and the optimiser's memory are all that there is."""
    whole = learner(optimizer=optimizer)
    learnt(whole, 1, 0.01)
    state = whole.state()
    resumed = learner(optimizer=optimizer)
    resumed.restore({name: array.copy() for name, array in state.items()})
    assert learnt(whole, 2, 0.01) == learnt(resumed, 2, 0.01)
    ends = whole.state(), resumed.state()
    assert ends[0].keys() == ends[1].keys()
    assert all(np.array_equal(array, ends[1][name]) for name, array in ends[0].items())
    assert any(not np.array_equal(array, state[name]) for name, array in ends[0].items())


def test_a_state_of_another_network_is_refused() -> None:
    state = learner().state()
    with pytest.raises(KeyError):
        learner(32).restore(state)
    with pytest.raises(KeyError):
        learner(optimizer="adam").restore(state)


def test_a_frozen_backbone_is_not_touched() -> None:
    one = learner(_frozen_backbone=1)
    shown, labels = pictures(16)
    before = {name: tensor.clone() for name, tensor in one.network.tensors().items()}
    features = one.features(shown)
    assert features.shape == (16, 64)
    losses = [step.loss for _ in range(40) if (step := one.step(features, labels, 0.1)) is not None]
    assert losses[-1] < losses[0] / 2
    after = one.network.tensors()
    changed = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert changed == {"fc.weight", "fc.bias"}
    np.testing.assert_allclose(one.probabilities(features), one.probabilities(shown), atol=1e-5)


@pytest.mark.parametrize("size", [1, 8])
def test_a_batch_of_one_picture_can_be_learnt(size: int) -> None:
    """A last batch may be as small as that, and so may all: mini_batch_size is 1 at least."""
    one = learner(mini_batch_size=size)
    shown, labels = pictures(1)
    step = one.step(shown, labels, 0.01)
    assert step is not None
    assert np.isfinite(step.loss)


def test_half_precision_on_a_cpu_is_single_and_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Specification, section 7."""
    with caplog.at_level(logging.WARNING):
        half = learner(precision_dtype="float16")
    assert "float32" in caplog.text
    assert learnt(half, 1) == learnt(learner(), 1)


def test_the_loss_scale_follows_what_gradients_bear() -> None:
    scale = LossScale(8.0)
    row = [torch.tensor([8.0, 16.0]), torch.tensor([4.0])]
    assert scale.undone(row)
    assert [each.tolist() for each in row] == [[1, 2], [0.5]]
    assert not scale.undone([torch.tensor([1.0]), torch.tensor([float("inf")])])
    assert scale == LossScale(4.0, 0)
    for _ in range(2000):
        scale.undone([torch.tensor([1.0])])
    assert scale == LossScale(8.0, 0)
    highest = LossScale(LARGEST, 1999)
    assert highest.undone([torch.tensor([1.0])])
    assert highest.scale == LARGEST
    assert LossScale.fixed().undone([torch.tensor([float("nan")])])


def on_two_hosts(work: Any) -> list[Any]:
    """What `work` returns on each of two hosts, given its cluster: threads here, with real sockets between them."""
    meeting, hosts = Meeting(free_port(), 300), names(2)
    clusters = [Cluster(rank, hosts, b"k" * 32, lambda: False) for rank in range(2)]

    def one(cluster: Cluster) -> Any:
        cluster.join(meeting)
        found = work(cluster)
        cluster.barrier()
        cluster.part(None, None, None)
        return found

    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(one, clusters))


def test_two_hosts_step_as_one_with_the_whole_batch() -> None:
    """kv_store dist_sync: batches of unequal size, and one host that has none left."""
    shown, labels = pictures(16)

    def work(cluster: Cluster) -> Any:
        one = learner(_frozen_backbone=1, cluster=cluster)
        features = one.features(shown)
        mine = slice(0, 10) if cluster.rank == 0 else slice(10, 16)
        one.step(features[mine], labels[mine], 0.1)
        one.step(*((features, labels) if cluster.rank == 0 else (None, None)), 0.1)
        return one.state()

    first, second = on_two_hosts(work)
    assert all(np.array_equal(array, second[name]) for name, array in first.items())
    alone = learner(_frozen_backbone=1)
    for _ in range(2):
        alone.step(alone.features(shown), labels, 0.1)
    for name, array in alone.state().items():
        np.testing.assert_allclose(first[name], array, rtol=1e-5, atol=1e-6)


def test_two_hosts_share_what_normalisation_knows_and_stay_the_same() -> None:
    def work(cluster: Cluster) -> Any:
        one = learner(cluster=cluster)
        shown, labels = pictures(8, seed=cluster.rank)
        one.step(shown, labels, 0.05)
        before = one.state()["weights.bn2.running_mean"]
        one.end_epoch()
        return before, one.state()

    (mean, first), (other, second) = on_two_hosts(work)
    assert not np.array_equal(mean, other)
    np.testing.assert_allclose(first["weights.bn2.running_mean"], (mean + other) / 2, atol=1e-6)
    assert all(np.array_equal(array, second[name]) for name, array in first.items())


@pytest.fixture(scope="module")
def pair() -> Iterator[Learner]:
    """On two devices of one host, which are CPUs here: processes that average gradients over gloo."""
    one = learner(on=("cpu", "cpu"))
    yield one
    one.close()


def test_two_devices_share_a_batch(pair: Learner) -> None:
    """Issue 8 item 4: gradients are those of both halves, each normalised by itself."""
    state = pair.state()
    shown, labels = pictures(8)
    step = pair.step(shown, labels, 0.05)
    assert step is not None
    halves = [learner() for _ in range(2)]
    rows = []
    for half, part in zip(halves, (slice(0, 4), slice(4, 8)), strict=True):
        half.restore(state)
        told = half._replica.differentiate(shown[part], labels[part])
        np.testing.assert_allclose(step.logits[part], told.logits, atol=1e-5)
        rows.append(half._replica.gradients())
    halves[0]._replica.put_gradients((rows[0] + rows[1]) / 2)
    halves[0]._replica.advance(0.05)
    expected, found = halves[0].state(), pair.state()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-5, err_msg=name)


def test_two_devices_answer_as_the_first_would_and_go_on_from_a_state(pair: Learner) -> None:
    shown, labels = pictures(9)
    state = pair.state()
    pair.step(shown, labels, 0.05)
    alone = learner()
    alone.restore(pair.state())
    for some in (shown, shown[:1]):
        np.testing.assert_allclose(pair.probabilities(some), alone.probabilities(some), atol=1e-5)
        np.testing.assert_allclose(pair.features(some), alone.features(some), atol=1e-4)
    after = pair.state()
    pair.restore(state)
    pair.step(shown, labels, 0.05)
    assert all(np.array_equal(array, pair.state()[name]) for name, array in after.items())


def test_a_batch_too_small_for_two_devices_is_learnt_all_the_same(pair: Learner) -> None:
    shown, labels = pictures(3)
    alone = learner()
    alone.restore(pair.state())
    steps = [one.step(shown, labels, 0.05) for one in (pair, alone)]
    assert steps[0] is not None
    assert steps[1] is not None
    assert steps[0].loss == pytest.approx(steps[1].loss, rel=1e-4)
    assert steps[0].logits.shape == (3, 2)


def test_both_devices_go_back_to_weights_of_another_time(pair: Learner) -> None:
    other = networks.build(20, 2, SHAPE, seed=9)
    shown, _ = pictures(9)
    pair.put({name: tensor.numpy() for name, tensor in other.tensors().items()})
    expected = torch.softmax(other.eval()(torch.from_numpy(shown)), 1).detach()
    np.testing.assert_allclose(pair.probabilities(shown), expected, atol=1e-5)


def test_a_device_whose_process_ends_is_missed(pair: Learner) -> None:
    """The last of the pair's tests."""
    assert pair._crew is not None
    pair._crew._processes[0].kill()
    pair._crew._processes[0].join()
    with pytest.raises(AlgorithmError, match="process of one of the host's devices ended"):
        pair.step(*pictures(8), 0.05)
    pair.close()


def test_two_devices_look_at_pictures_for_a_head_that_learns_on_one() -> None:
    """After the pair, whose devices are given back: a process belongs to one group at a time."""
    shown, labels = pictures(8)
    two, one = (learner(_frozen_backbone=1, on=on) for on in (("cpu", "cpu"), ("cpu",)))
    for each in (two, one):
        each.step(each.features(shown), labels, 0.5)
    np.testing.assert_allclose(two.probabilities(shown), one.probabilities(shown), atol=1e-5)
    two.close()


def test_a_job_without_a_gpu_has_one_device() -> None:
    assert devices("cpu") == ("cpu",)
    assert len(devices("gpu")) == torch.cuda.device_count()
