"""Several hosts that train word vectors together, over real sockets."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from sagedock.algorithm import Cluster
from sagedock.algorithms.blazingtext import vector_trainer
from sagedock.algorithms.blazingtext.vector_trainer import VectorTrainer
from sagedock.algorithms.blazingtext.vectors import VectorSettings
from sagedock.contracts.training import TrainingJob
from sagedock.training.cluster import Meeting, joined
from tests.algorithms.blazingtext.sentences import separation, topics
from tests.training.hosts import free_port, names

Told = TypeVar("Told")
TEXT = topics(600)
SETTINGS = VectorSettings("batch_skipgram", vector_dim=20, sampling_threshold=1, epochs=2)


def on_hosts(size: int, work: Callable[[Cluster], Told]) -> list[Told]:
    """What `work` returns on each host of a cluster, a thread being a host."""
    hosts, meeting = names(size), Meeting(free_port(), patience=300)

    def one(host: str) -> Told:
        job = TrainingJob("together", {}, {}, hosts, host, None)
        with joined(job, {"seed": 1}, meeting, lambda: False) as cluster:
            return work(cluster)

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(one, hosts))


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts exchange their matrices several times an epoch."""
    monkeypatch.setattr(vector_trainer, "_ROUND", 500)


def test_hosts_share_the_words_and_end_with_the_same_vectors() -> None:
    """blazingtext 24: two CPU hosts make one set of vectors, batch_skipgram's by periodic averaging."""

    def work(cluster: Cluster) -> VectorTrainer:
        trainer = VectorTrainer(TEXT, TEXT.counts, SETTINGS, seed=1, cluster=cluster)
        assert all(trainer.epoch(number) for number in range(2))
        return trainer

    first, second, third = on_hosts(3, work)
    assert first.input.tobytes() == second.input.tobytes() == third.input.tobytes()
    assert first.output.tobytes() == second.output.tobytes() == third.output.tobytes()
    assert separation(first.vectors()) > 0.4
    words = [trainer.words for trainer in (first, second, third)]
    assert sum(words) == len(TEXT.words)
    assert max(words) - min(words) <= 2 * 12


def test_hosts_end_together_when_one_is_told_to() -> None:
    """The watcher of one host says no in the middle of the first epoch: all leave it at the same exchange."""

    def work(cluster: Cluster) -> tuple[bool, bytes, int]:
        trainer = VectorTrainer(TEXT, TEXT.counts, SETTINGS, seed=1, cluster=cluster)
        seen: list[int] = []
        ended = trainer.epoch(
            0, lambda state: not seen.append(state.words) and (cluster.rank != 1 or state.words < 1000)
        )
        return ended, trainer.input.tobytes(), len(seen)

    told = on_hosts(2, work)
    assert [ended for ended, _, _ in told] == [False, False]
    assert told[0][1] == told[1][1]
    assert 1 < told[0][2] < 5
