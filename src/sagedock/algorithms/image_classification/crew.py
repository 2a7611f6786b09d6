"""The devices of one host beyond the first: a process for each, which learns its share of every batch.

The first device is this process's. Gradients are averaged by DistributedDataParallel, over NCCL between GPUs and over
gloo between CPUs. A share comes through a pipe, so that no shared memory is needed, and processes meet by a file.
"""

from __future__ import annotations

import atexit
import multiprocessing
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sagedock.algorithms.image_classification import networks
from sagedock.algorithms.image_classification.networks import Network
from sagedock.algorithms.image_classification.replica import Floats, Pictures, Replica, Step
from sagedock.errors import AlgorithmError

_LEAVING_SECONDS = 10
_PATIENCE = timedelta(minutes=5)
"""For the other devices' processes: they import torch before they come."""


@dataclass(frozen=True)
class _Post:
    """What a process is told at first: its place among the devices, and the network."""

    store: str
    rank: int
    devices: Sequence[str]
    architecture: tuple[int, int, tuple[int, int, int], int]
    values: Mapping[str, Any]
    positive_weights: Floats | None
    hosts: int
    threads: int

    def replica(self, network: Network) -> Replica:
        """The network on this post's device, whose gradients all posts average."""
        device = self.devices[self.rank]
        gpu = device.startswith("cuda")
        if gpu:
            torch.cuda.set_device(device)
        torch.distributed.init_process_group(
            "nccl" if gpu else "gloo",
            f"file://{self.store}",
            timeout=_PATIENCE,
            world_size=len(self.devices),
            rank=self.rank,
        )

        def parallel(module: torch.nn.Module) -> torch.nn.Module:
            return torch.nn.parallel.DistributedDataParallel(module, device_ids=[device] if gpu else None)

        return Replica(network, self.values, device, self.positive_weights, parallel)


class Crew:
    """The processes, and this one's replica. A process that ends by itself ends the job."""

    def __init__(
        self,
        network: Network,
        values: Mapping[str, Any],
        devices: Sequence[str],
        positive_weights: Floats | None,
        hosts: int,
    ) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="sagedock-devices-")
        architecture = network.num_layers, network.num_classes, network.image_shape, network.stem
        store = str(Path(self._directory.name) / "store")
        start = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []
        atexit.register(self.close)  # before multiprocessing's own, which would wait for processes that wait for us
        known = dict(values)
        for rank in range(1, len(devices)):
            mine, theirs = start.Pipe()
            post = _Post(store, rank, devices, architecture, known, positive_weights, hosts, torch.get_num_threads())
            process = start.Process(target=_work, args=(theirs, post), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(mine)
            self._processes.append(process)
        first = _Post(store, 0, devices, architecture, known, positive_weights, hosts, torch.get_num_threads())
        with self._company():
            self.replica = first.replica(network)

    def differentiate(self, pictures: Pictures | None, labels: NDArray[Any] | None, rate: float) -> Step | None:
        """Leave the gradients of the mean loss of a batch on every device, which the others then step down."""
        if pictures is None or labels is None:
            self._tell([("idle", rate)] * len(self._pipes))
            return None
        parts = self._parts(pictures)
        repeated = len(parts) > 1 and parts[1].start == 0
        weights = [1.0 if repeated else (part.stop - part.start) * len(parts) / len(pictures) for part in parts]
        self._tell(
            [("step", pictures[p], labels[p], share, rate) for p, share in zip(parts[1:], weights[1:], strict=True)]
        )
        with self._company():
            mine = self.replica.differentiate(pictures[parts[0]], labels[parts[0]], weights[0])
        steps: list[Step] = [mine, *self._answers()]
        if repeated:
            return mine
        loss = sum(step.loss * weight for step, weight in zip(steps, weights, strict=True)) / len(parts)
        return Step(loss, np.concatenate([step.logits for step in steps]))

    def spread(self, row: torch.Tensor) -> None:
        """Give the mean of all hosts' gradients to the other devices."""
        torch.distributed.broadcast(row, 0)

    def asked(self, what: str, pictures: Pictures) -> Floats:
        """What `what` of a replica says of pictures, each device asked for a part of them."""
        statistics = [each.cpu().numpy() for each in self.replica.statistics()]
        bounds = np.linspace(0, len(pictures), len(self._pipes) + 2).astype(int).tolist()
        parts = [pictures[begin:end] for begin, end in pairwise(bounds)]
        self._tell([("ask", what, part, statistics) for part in parts[1:]])
        found = [getattr(self.replica, what)(parts[0])] if len(parts[0]) else []
        return np.concatenate([*found, *(each for each in self._answers() if len(each))])

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Let the other devices go on from a state, too."""
        self._tell([("restore", dict(state))] * len(self._pipes))

    def put(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Let the other devices take over tensors, too."""
        self._tell([("put", dict(arrays))] * len(self._pipes))

    def close(self) -> None:
        """End the processes."""
        atexit.unregister(self.close)
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(_LEAVING_SECONDS)
            process.kill()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        self._directory.cleanup()

    def _parts(self, pictures: Pictures) -> list[slice]:
        """A part of the batch for each device; all of it for each where there are fewer than two pictures a device."""
        count, size = len(self._pipes) + 1, len(pictures)
        if size < 2 * count:
            return [slice(0, size)] * count
        bounds = np.linspace(0, size, count + 1).astype(int).tolist()
        return [slice(begin, end) for begin, end in pairwise(bounds)]

    def _tell(self, messages: Sequence[tuple[Any, ...]]) -> None:
        try:
            for pipe, message in zip(self._pipes, messages, strict=True):
                pipe.send(message)
        except OSError as error:
            raise self._lost() from error

    def _answers(self) -> list[Any]:
        try:
            return [pipe.recv() for pipe in self._pipes]
        except (EOFError, OSError) as error:
            raise self._lost() from error

    @contextmanager
    def _company(self) -> Iterator[None]:
        """A block of work with the others, whose end is why it fails."""
        try:
            yield
        except RuntimeError as error:
            if all(process.is_alive() for process in self._processes):
                raise
            raise self._lost() from error

    def _lost(self) -> AlgorithmError:
        return AlgorithmError("the process of one of the host's devices ended: its own lines in the log say why")


def _work(pipe: Connection, post: _Post) -> None:
    """The life of a process: what comes through the pipe, until it is closed; signals are the first process's."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(post.threads)
    layers, classes, shape, stem = post.architecture
    replica = post.replica(networks.build(layers, classes, shape, stem=stem))
    while True:
        try:
            kind, *told = pipe.recv()
        except EOFError:
            break
        if kind == "restore":
            replica.restore(told[0])
        elif kind == "put":
            replica.put(told[0])
        elif kind == "ask":
            pipe.send(_answer(replica, *told))
        else:
            _learn(pipe, post, replica, told)
    torch.distributed.destroy_process_group()


def _answer(replica: Replica, what: str, pictures: Pictures, statistics: Sequence[Floats]) -> Floats:
    """By the first device's statistics, so that it does not matter which device is asked."""
    for mine, first in zip(replica.statistics(), statistics, strict=True):
        mine.copy_(torch.from_numpy(first))
    found: Floats = getattr(replica, what)(pictures) if len(pictures) else np.zeros((0, 0), np.float32)
    return found


def _learn(pipe: Connection, post: _Post, replica: Replica, told: Sequence[Any]) -> None:
    """One step: of a part of a batch, or of nothing where only other hosts have one."""
    *batch, rate = told
    if batch:
        pipe.send(replica.differentiate(*batch))
    if post.hosts > 1:
        row = replica.gradients()
        torch.distributed.broadcast(row, 0)
        replica.put_gradients(row)
    replica.advance(rate)
