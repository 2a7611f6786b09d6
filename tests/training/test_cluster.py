"""The cluster of several hosts, played by real processes and sockets, and that of one host."""

from __future__ import annotations

import numpy as np

from sagedock.training.cluster import Alone


def test_one_host_waits_for_nobody() -> None:
    """With one host every operation gives back what it was given."""
    alone, array = Alone("algo-1-x7k2p"), np.arange(4, dtype=np.float32)
    assert (alone.rank, list(alone.hosts)) == (0, ["algo-1-x7k2p"])
    assert alone.gather(memoryview(b"part")) == [b"part"]
    assert alone.broadcast(b"whole") == b"whole"
    assert [alone.anyone(wish) for wish in (True, False)] == [True, False]
    alone.barrier()
    alone.mean([array], weight=0.5)
    assert array.tolist() == [0, 1, 2, 3]
