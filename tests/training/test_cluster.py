"""The cluster of several hosts, played by real processes and sockets, and that of one host."""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from sagedock.contracts.failure import LIMIT
from sagedock.errors import AlgorithmError, PlatformError, UserError
from sagedock.training.cluster import Alone, Cluster, Meeting
from sagedock.training.connection import Connection, HostLost, Kind, Waits
from tests.platform import PATIENCE_SECONDS
from tests.ports import free_port
from tests.training.hosts import ended, ended_hosts, member, names, running
from tests.training.member import arrays_of


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


def test_three_hosts_gather_broadcast_and_agree(tmp_path: Path) -> None:
    """Contract B28: parts come in order of rank, large ones too; everybody hears the same."""
    told = [host.told for host in ended_hosts("operations", 3, tmp_path)]
    assert [host["rank"] for host in told] == [0, 1, 2]
    assert told[0]["parts"] == [[1, [0]], [5_000_001, [1]], [10_000_001, [2]]]
    assert [host["parts"] for host in told[1:]] == [[], []]
    assert {host["whole"] for host in told} == {sha256(b"from rank 0" * 1_000_000).hexdigest()}
    assert [host["wishes"] for host in told] == [[True, True, True, False]] * 3


@pytest.mark.parametrize("size", [2, 3, 5])
def test_hosts_take_the_mean_of_their_arrays(size: int, tmp_path: Path) -> None:
    """The same bits on every host, and the weighted mean that NumPy takes in double precision."""
    assert [host.told for host in ended_hosts("mean", size, tmp_path)] == [[1.0] * 7] * size
    files = [(tmp_path / host / "means.npz").read_bytes() for host in names(size)]
    assert len(set(files)) == 1
    with np.load(tmp_path / names(size)[0] / "means.npz") as means:
        found = [means[name] for name in means]
    brought = [arrays_of(rank) for rank in range(size)]
    for place, array in enumerate(found):
        expected = np.average([arrays[place] for arrays in brought], axis=0, weights=range(1, size + 1))
        np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("program", "size", "culprit", "reason"),
    [
        ("last_fails", 3, 2, "UserError: channel 'train' holds no records: give every host some"),
        ("first_fails", 3, 0, "UserError: labels are 0 or 1, got 'x'"),
        ("one_fails_in_mean", 4, 1, "UserError: a token of 10 million characters"),
    ],
)
def test_the_failure_of_one_host_ends_all_with_its_reason(
    program: str, size: int, culprit: int, reason: str, tmp_path: Path
) -> None:
    """Contract B18, C18: nobody hangs, whoever it was and whoever is waited for."""
    hosts = ended_hosts(program, size, tmp_path)
    assert [host.code for host in hosts] == [1] * size
    for rank, host in enumerate(hosts):
        story = "" if rank == culprit else f"HostLost: host 127.0.0.{culprit + 1} failed: "
        assert host.stderr.splitlines()[-1].startswith(story + reason)


@pytest.mark.parametrize(("program", "reason"), [("different", "different sizes"), ("out_of_step", "out of step")])
def test_hosts_that_do_not_do_the_same_say_so(program: str, reason: str, tmp_path: Path) -> None:
    hosts = ended_hosts(program, 2, tmp_path)
    assert [host.code for host in hosts] == [1, 1]
    assert all("AlgorithmError" in host.stderr and reason in host.stderr for host in hosts)


@pytest.mark.parametrize("victim", [0, 2])
def test_a_killed_host_ends_the_others(victim: int, tmp_path: Path) -> None:
    """Contract C18: the reason names it, and the others' exit code is not 0."""
    with running("waits", 3, tmp_path) as hosts:
        for process in hosts.processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "waiting\n"
        hosts.processes[victim].kill()
        if victim == 0:
            hosts.processes[2].send_signal(signal.SIGTERM)  # it computes and looks at no connection
        left = [host for rank, host in enumerate(hosts.ended()) if rank != victim and (victim, rank) != (0, 2)]
    assert left
    for host in left:
        assert host.code == 1
        assert f"host 127.0.0.{victim + 1} ended without a word: its process was killed" in host.stderr


def test_a_stop_ends_every_wait(tmp_path: Path) -> None:
    """Contract C06: SIGTERM before there is a model ends a host where it waits; it tells the others."""
    with running("waits", 3, tmp_path) as hosts:
        for process in hosts.processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "waiting\n"
        hosts.processes[1].send_signal(signal.SIGTERM)
        first, second = (process.wait(PATIENCE_SECONDS) for process in hosts.processes[:2])
        hosts.processes[2].kill()
        told = hosts.ended()
    assert (first, second) == (1, 143)
    assert "host 127.0.0.2 failed: Stopped: SIGTERM arrived" in told[0].stderr


def test_a_stop_with_a_model_bounds_the_wait() -> None:
    """Contract C05: who waits for another host to save its model gives up before SageMaker's SIGKILL."""
    here, there = socket.socketpair()
    with here, there:
        connection = Connection(here, "algo-1", Waits(lambda: True, grace=0.01))
        with pytest.raises(HostLost, match=r"algo-1 did not come to the same point within 0\.01 s of SIGTERM"):
            connection.receive(Kind.MET, 1)


@pytest.mark.parametrize("stopped", [False, True])
def test_nobody_ends_before_rank_0_is_done(stopped: bool, tmp_path: Path) -> None:
    """Contract H03: the others wait at the end, and go on waiting after a SIGTERM while it saves its model."""
    with running("slow_first", 3, tmp_path) as hosts:
        for process in hosts.processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "waiting\n"
            if stopped:
                process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            hosts.processes[2].wait(2)
        assert [process.poll() for process in hosts.processes] == [None] * 3
        assert [host.told for host in hosts.ended()] == [0, 1, 2]


def test_hosts_wait_for_one_that_starts_late(tmp_path: Path) -> None:
    """Contract 1.11: they start at different times, in any order."""
    port, hosts = free_port(), names(3)
    with ended([member("operations", tmp_path / hosts[2], hosts[2], hosts, port)]) as processes:
        time.sleep(1)  # it looks for the others meanwhile
        processes += [member("operations", tmp_path / host, host, hosts, port) for host in hosts[:2]]
        for process in processes:
            process.communicate(timeout=PATIENCE_SECONDS)
        assert [process.returncode for process in processes] == [0, 0, 0]


def test_a_host_that_never_comes_is_named(tmp_path: Path) -> None:
    port, hosts = free_port(), names(3)
    started = [
        member("operations", tmp_path / host, host, hosts, port, SAGEDOCK_CLUSTER_PATIENCE=patience)
        for host, patience in ((hosts[1], "300"), (hosts[0], "10"))  # time enough for the second to come
    ]
    with ended(started) as processes:
        errors = [process.communicate(timeout=PATIENCE_SECONDS)[1] for process in reversed(processes)]
        assert [process.returncode for process in processes] == [1, 1]
    assert "host 127.0.0.3 did not come within 10 s" in errors[0]
    assert "host 127.0.0.1 failed: PlatformError: host 127.0.0.3 did not come" in errors[1]


@pytest.mark.parametrize(
    ("first", "trouble"),
    [("127.0.0.1", "it does not answer (Connection refused)"), ("aaa.invalid", "its name does not resolve")],
)
def test_a_first_host_that_is_not_there_is_named(first: str, trouble: str, tmp_path: Path) -> None:
    port, hosts = free_port(), [first, "zzz"]
    with ended([member("operations", tmp_path, "zzz", hosts, port, SAGEDOCK_CLUSTER_PATIENCE="5")]) as processes:
        error = processes[0].communicate(timeout=PATIENCE_SECONDS)[1]
    assert f"host {first}, port {port}, was not reached within 5 s: {trouble}" in error


def test_the_hosts_of_another_job_are_no_company(tmp_path: Path) -> None:
    """The same port and the same names, but other hyperparameters."""
    port, hosts = free_port(), names(2)
    started = [
        member("operations", tmp_path / host, host, hosts, port, hyperparameters=given, SAGEDOCK_CLUSTER_PATIENCE=until)
        for host, given, until in zip(hosts, [{"epochs": "1"}, {"epochs": "2"}], ["15", "8"], strict=True)
    ]  # the second gives up while the first still answers
    with ended(started) as processes:
        errors = [process.communicate(timeout=PATIENCE_SECONDS)[1] for process in processes]
        assert [process.returncode for process in processes] == [1, 1]
    assert "host 127.0.0.2 did not come" in errors[0]
    assert "takes this one for none: do all hosts have the same hyperparameters" in errors[1]


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with ended([member("operations", tmp_path, "127.0.0.1", names(2), port)]) as processes:
            error = processes[0].communicate(timeout=PATIENCE_SECONDS)[1]
    assert f"cannot listen on port {port}" in error
    assert "name a free one in SAGEDOCK_CLUSTER_PORT" in error


@pytest.mark.parametrize("text", ["0", "65536", "x", "1.5", "-1", "٣"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    for environment, hyperparameters in [({"SAGEDOCK_CLUSTER_PORT": text}, {}), ({}, {"_ftp_port": text})]:
        if (text, hyperparameters) != ("0", {"_ftp_port": "0"}):
            with pytest.raises(UserError, match="must be a whole number from 1 to 65535"):
                Meeting.by(environment, hyperparameters)


def test_the_port_is_a_setting() -> None:
    """By variable, else by the hyperparameter that SageMaker's algorithms have for it, else our own."""
    assert Meeting.by({}, {}) == Meeting(7777, 540)
    assert Meeting.by({}, {"_ftp_port": 8999}).port == 8999
    assert Meeting.by({"SAGEDOCK_CLUSTER_PORT": "9000"}, {"_ftp_port": 8999}).port == 9000
    assert Meeting.by({"SAGEDOCK_CLUSTER_PATIENCE": "60"}, {}).patience == 60


def test_a_body_that_stands_still_or_is_too_large_is_refused() -> None:
    """A length is believed as far as there is memory for it, and a frame has its place."""
    here, there = socket.socketpair()
    with here, there:
        sender, receiver = (Connection(end, "algo-2", Waits(lambda: False)) for end in (here, there))
        sender.send(Kind.PART, 1, bytes(100))
        with pytest.raises(PlatformError, match="sends 100 bytes, and this host can take 99"):
            receiver.receive(Kind.PART, 1, 99)
    here, there = socket.socketpair()
    with here, there:
        receiver = Connection(there, "algo-2", Waits(lambda: False))
        here.sendall(b"GET / HTTP/1.1\r\n" + bytes(100))
        with pytest.raises(AlgorithmError, match="out of step"):
            receiver.receive(Kind.PART, 1)


def test_a_reason_is_heard_behind_frames_that_nobody_reads() -> None:
    here, there = socket.socketpair()
    with here, there:
        sender, receiver = (Connection(end, "algo-2", Waits(lambda: False)) for end in (here, there))
        sender.send(Kind.OFFER, 3)
        sender.leave("host algo-2 failed: " + "€" * LIMIT)
        assert str(receiver.lost()).startswith("host algo-2 failed: €€€")


def test_no_weight_at_all_is_an_error() -> None:
    cluster = Cluster(0, ["algo-1"], b"", lambda: False)
    with pytest.raises(AlgorithmError, match="at least one must be above 0"):
        cluster.mean([np.zeros(3, np.float32)], weight=0.0)


def test_nothing_is_in_the_way_of_poll() -> None:
    """Waits rely on it: the end of a stream is told though unread bytes stand before it."""
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"unread")
        there.shutdown(socket.SHUT_WR)
        poller = select.poll()
        poller.register(here, select.POLLRDHUP)
        assert poller.poll(0) == [(here.fileno(), select.POLLRDHUP)]
