"""One host of a cluster, in a process of its own: `python -m tests.training.member PROGRAM BASE`.

PROGRAM is a function below, which is given the cluster; what it returns is printed as JSON. BASE is like /opt/ml.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np

from sagedock.algorithm import Cluster
from sagedock.contracts.paths import Paths
from sagedock.contracts.training import TrainingJob
from sagedock.errors import SagedockError, Stopped, UserError
from sagedock.training.cluster import Meeting, joined
from sagedock.training.stopping import StopRequest, listening


def operations(cluster: Cluster, _stop: StopRequest) -> object:
    """Each operation, with parts far larger than what sockets hold, and a whole that everybody must get."""
    rank, size = cluster.rank, len(cluster.hosts)
    parts = cluster.gather(memoryview(bytes([rank]) * (5_000_000 * rank + 1)))
    whole = cluster.broadcast(b"from rank 0" * 1_000_000 if rank == 0 else b"ignored")
    cluster.barrier()
    wishes = [cluster.anyone(rank == wisher) for wisher in range(size + 1)]
    return {
        "rank": rank,
        "parts": [(len(part), sorted(set(part))) for part in parts],
        "whole": sha256(whole).hexdigest(),
        "wishes": wishes,
    }


def mean(cluster: Cluster, _stop: StopRequest) -> object:
    """Means of arrays of odd sizes, the hosts counting for rank + 1, and then of one where only host 1 counts."""
    rank = cluster.rank
    arrays = arrays_of(rank)
    cluster.mean(arrays, weight=rank + 1)
    one = np.full(7, rank, np.float32)
    cluster.mean([one], weight=float(rank == 1))
    np.savez(sys.argv[2] + "/means.npz", *arrays)
    return one.tolist()


def arrays_of(rank: int) -> list[np.ndarray]:
    """What host `rank` brings to `mean`."""
    random = np.random.default_rng(rank)
    return [random.normal(size=shape).astype(np.float32) for shape in ((), (1,), (3, 5), (0,), (1201, 1003))]


def different(cluster: Cluster, _stop: StopRequest) -> object:
    """Arrays of different sizes."""
    cluster.mean([np.zeros(5 + cluster.rank, np.float32)])
    return None


def out_of_step(cluster: Cluster, _stop: StopRequest) -> object:
    """One host does something else."""
    return [len(part) for part in cluster.gather(b"")] if cluster.rank else cluster.broadcast(b"x").decode()


def last_fails(cluster: Cluster, _stop: StopRequest) -> object:
    """The last host fails while the others wait for something that it would have to do."""
    if cluster.rank == len(cluster.hosts) - 1:
        raise UserError("channel 'train' holds no records: give every host some")
    return len(cluster.gather(b"part"))


def first_fails(cluster: Cluster, _stop: StopRequest) -> object:
    """The first host fails."""
    if cluster.rank == 0:
        raise UserError("labels are 0 or 1, got 'x'")
    return len(cluster.broadcast())


def one_fails_in_mean(cluster: Cluster, _stop: StopRequest) -> object:
    """Host 1 fails after the ring was made, while the others are in the middle of it."""
    array = np.ones(3_000_000, np.float32)
    cluster.mean([array])
    if cluster.rank == 1:
        raise UserError("a token of 10 million characters")
    cluster.mean([array])
    return None


def waits(cluster: Cluster, _stop: StopRequest) -> object:
    """The last host says who it is and then does nothing; the others wait for it in the barrier."""
    print("waiting", flush=True)
    if cluster.rank == len(cluster.hosts) - 1:
        signal.pause()
    cluster.barrier()
    return None


def slow_first(cluster: Cluster, stop: StopRequest) -> object:
    """Rank 0 has work left when the others have none, until its standard input ends."""
    stop.wait_for_model()
    print("waiting", flush=True)
    if cluster.rank == 0:
        sys.stdin.read()
    return cluster.rank


def main() -> int:
    program, base = sys.argv[1:]
    job = TrainingJob.read(Paths(Path(base)), os.environ)
    facts = {"hyperparameters": job.hyperparameters, "program": program}
    try:
        with listening() as stop:
            meeting = Meeting.by(os.environ, job.hyperparameters)
            with joined(job, facts, meeting, lambda: stop.requested) as cluster:
                told = globals()[program](cluster, stop)
            print(json.dumps(told), flush=True)
    except (SagedockError, Stopped) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 143 if isinstance(error, Stopped) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
