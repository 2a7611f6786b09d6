"""A network that learns, on one device or several, on one host or several: who trains it need not know.

The devices of a host share each batch; their gradients are averaged by torch's DistributedDataParallel. Hosts have
batches of their own, and the mean of their gradients goes round the cluster's ring, weighted by pictures, so that it is
that of one large batch (kv_store dist_sync).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sagedock.algorithm import Cluster
from sagedock.algorithms.image_classification.crew import Crew
from sagedock.algorithms.image_classification.networks import Network
from sagedock.algorithms.image_classification.optimisers import Arrays
from sagedock.algorithms.image_classification.replica import Floats, Pictures, Replica, Step

log = logging.getLogger(__name__)


def devices(device: str) -> Sequence[str]:
    """What a job of 'cpu' or 'gpu' computes on: all GPUs that there are."""
    return ("cpu",) if device == "cpu" else tuple(f"cuda:{number}" for number in range(torch.cuda.device_count()))


class Learner:
    """The network, whose weights are those of the first device; call `close` when it has learnt enough.

    `values` are hyperparameters: optimizer and its own, multi_label, precision_dtype, mini_batch_size and
    _frozen_backbone, with which it learns from what `features` gave in place of pictures.
    """

    def __init__(
        self,
        network: Network,
        values: Mapping[str, Any],
        cluster: Cluster,
        on: Sequence[str] = ("cpu",),
        positive_weights: Floats | None = None,
    ) -> None:
        self.network, self._cluster = network, cluster
        self._frozen = bool(values["_frozen_backbone"])
        self._seen = 0
        self._crew: Crew | None = None
        if values["precision_dtype"] == "float16" and on[0] == "cpu":
            log.warning("precision_dtype float16 is for GPUs: on a CPU the network is trained in float32")
        if len(on) == 1:
            self._replica = Replica(network, values, on[0], positive_weights)
        else:
            self._crew = Crew(network, values, on, positive_weights, hosts=len(cluster.hosts))
            self._replica = self._crew.replica

    def step(self, pictures: Pictures | None, labels: NDArray[Any] | None, rate: float) -> Step | None:
        """Learn a batch at a learning rate, all hosts theirs; None without one, where other hosts have more batches."""
        count = 0 if pictures is None else len(pictures)
        self._seen += count
        sharing = self._crew if self._crew is not None and not self._frozen else None
        if sharing is not None:
            step = sharing.differentiate(pictures, labels, rate)
        else:
            step = None if pictures is None or labels is None else self._replica.differentiate(pictures, labels)
        if len(self._cluster.hosts) > 1:
            row = self._replica.gradients()
            shared = np.array(row.cpu().numpy(), np.float32)
            self._cluster.mean([shared], float(count))
            row.copy_(torch.from_numpy(shared))
            if sharing is not None:
                sharing.spread(row)
            self._replica.put_gradients(row)
        self._replica.advance(rate)
        return step

    def probabilities(self, pictures: Pictures) -> Floats:
        """(n, classes) as they would be served now; of features where the backbone is frozen."""
        if self._crew is None or pictures.ndim != 4:
            return self._replica.probabilities(pictures)
        if self._frozen:  # the first device alone has the head that learnt
            return self._replica.probabilities(self._crew.asked("features", pictures))
        return self._crew.asked("probabilities", pictures)

    def features(self, pictures: Pictures) -> Floats:
        """(n, width): what the head sees of pictures."""
        return self._replica.features(pictures) if self._crew is None else self._crew.asked("features", pictures)

    def end_epoch(self) -> None:
        """On several hosts, go on from the mean of what batch normalisation knows of all hosts' pictures."""
        tensors = self._replica.statistics()
        if len(self._cluster.hosts) > 1 and tensors and not self._frozen:
            row = np.array(torch.cat([each.ravel() for each in tensors]).cpu().numpy(), np.float32)
            self._cluster.mean([row], float(self._seen))
            begin = 0
            for each in tensors:
                each.copy_(torch.from_numpy(row[begin : begin + each.numel()]).view(each.shape))
                begin += each.numel()
        self._seen = 0

    def state(self) -> Arrays:
        """Copies of all that the next steps depend on: weights, statistics, the optimiser's memory, the loss scale."""
        return self._replica.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state` gave, bit for bit on a CPU. Raises KeyError and ValueError for another network's."""
        self._replica.restore(state)
        if self._crew is not None:
            self._crew.restore(state)

    def put(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what the network had learnt at another time (`Network.tensors`), and nothing of the optimiser."""
        self._replica.put(arrays)
        if self._crew is not None:
            self._crew.put(arrays)

    def close(self) -> None:
        """End the processes of further devices."""
        if self._crew is not None:
            self._crew.close()
