"""Start, readiness, busyness and stop of the server process (contract.md section 10, D)."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.serving.held import HeldModel
from tests.serving.models import ARTEFACT, csv, records, write_manifest, write_model, write_slow_model
from tests.serving.process import PATIENCE_SECONDS, PatientServer, Server, answered, reply_of, wait_until


@pytest.fixture
def held(model_base: Path) -> Iterator[HeldModel]:
    """A model that loads when the test says so."""
    with HeldModel(model_base / "model" / ARTEFACT) as model:
        yield model


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def slow_request(rows: int) -> bytes:
    return csv(records(200)) * (rows // 200)


SLOW = {"SAGEMAKER_INFERENCE_ENSEMBLE": "true"}


def test_ping_is_503_while_the_model_loads_and_requests_wait_for_it(model_base: Path, held: HeldModel) -> None:
    """contract D01, D02, D04; issue item 6"""
    with Server(model_base) as server, ThreadPoolExecutor() as pool:
        wait_until(server.listens, "nothing listens", server)
        assert [server.ping(method).status for method in ("GET", "HEAD", "POST")] == [503] * 3
        waiting = pool.submit(server.invoke, csv(records(3)))
        assert server.ping().status == 503
        assert not waiting.done()
        assert server.request("GET", "/execution-parameters").status == 200, "needs no model (contract 4.2)"
        held.release()
        assert waiting.result().status == 200
        assert [server.ping(method).status for method in ("GET", "HEAD", "POST")] == [200] * 3
        assert [server.ping(method).body for method in ("GET", "HEAD", "POST")] == [b""] * 3


def test_sigterm_while_the_model_loads_ends_the_server(model_base: Path, held: HeldModel) -> None:
    """contract D25, D26"""
    with Server(model_base) as server:
        wait_until(server.listens, "nothing listens", server)
        assert server.ping().status == 503
        workers = server.workers
        assert server.stop() == 0
        assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize("moment", ["at once", "when it listens"])
def test_sigterm_during_the_start(model_base: Path, moment: str) -> None:
    """contract D26: whatever the moment, 0 or 143 and nothing left behind."""
    with Server(model_base) as server:
        if moment == "when it listens":
            wait_until(server.listens, "nothing listens", server)
        assert server.stop() in {0, -signal.SIGTERM}
        assert not server.listens()


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda model: model.rename(model.with_name("elsewhere")), "missing or empty"),
        (lambda model: [file.unlink() for file in model.iterdir()], "missing or empty"),
        (lambda model: (model / "manifest.json").write_text("{"), "manifest.json"),
        (lambda model: (model / ARTEFACT).write_bytes(b"damaged"), "sha256"),
        (lambda model: (model / ARTEFACT).unlink(), ARTEFACT),
        (lambda model: (model / "manifest.json").unlink() or (model / ARTEFACT).write_bytes(b"?"), ARTEFACT),
    ],
    ids=["missing", "empty", "damaged manifest", "damaged artefact", "no artefact", "no model"],
)
def test_a_model_that_cannot_be_used_is_told_once(model_base: Path, break_it: object, said: str) -> None:
    """contract D11: /ping stays 503, the log says why, and no worker is restarted over it."""
    break_it(model_base / "model")  # type: ignore[operator]
    with Server(model_base, {"SAGEMAKER_MODEL_SERVER_WORKERS": "2"}) as server:
        wait_until(lambda: "cannot serve" in server.output, "the log says nothing", server)
        wait_until(lambda: len(server.workers) == 2, "a worker is missing", server)
        workers = server.workers
        reply = server.invoke(csv(records(1)))
        assert reply.status == 500
        assert said in reply.error["message"]
        assert server.ping().status == 503
        assert (server.workers, len(workers)) == (workers, 2)
        complaints = [line for line in server.output.splitlines() if "cannot serve" in line]
        assert len(complaints) == 1
        assert str(model_base / "model") in complaints[0]
        assert server.stop() == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a server as another user")
def test_a_model_that_may_not_be_read_names_the_user(model_base: Path) -> None:
    """Issue 2, bad input: an unreadable model directory."""
    nobody = 65534
    (model_base / "model").chmod(0o700)
    loading = (
        "import os, pathlib, sys; from sagedock.contracts.hosting import HostingSettings;"
        "from sagedock.errors import ModelError; from sagedock.serving.loading import load;"
        "os.setuid(int(sys.argv[2]))\n"
        "try: load(pathlib.Path(sys.argv[1]), None, HostingSettings())\n"
        "except ModelError as error: print(error)"
    )
    told = subprocess.run(
        [sys.executable, "-c", loading, model_base / "model", str(nobody)], capture_output=True, text=True, check=True
    )
    assert str(model_base / "model") in told.stdout
    assert f"uid {nobody}" in told.stdout


def test_without_a_manifest_the_artefact_tells_the_algorithm(tmp_path: Path) -> None:
    with Server(write_model(tmp_path, with_manifest=False)) as server:
        server.wait_ready()
        assert server.invoke(csv(records(1))).status == 200


def test_a_directory_of_no_known_algorithm_asks_for_its_name(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_bytes(b"1")
    with Server(tmp_path) as server:
        wait_until(lambda: "cannot serve" in server.output, "the log says nothing", server)
        assert "SAGEDOCK_ALGORITHM" in server.output
        assert "xgboost" in server.output


def test_health_checks_are_answered_while_every_worker_is_busy(tmp_path: Path) -> None:
    """contract D03: the health check comes back while every inference is still under way."""
    with Server(write_slow_model(tmp_path), SLOW) as server:
        server.wait_ready()
        for rows in (400, 800, 1600, 3200):  # more for a machine on which the first health checks come too late
            busy = [server.connect() for _ in range(70)]  # more than there are threads
            for connection in busy:
                connection.request("POST", "/invocations", slow_request(rows), {"Content-Type": "text/csv"})
            assert [server.ping().status for _ in range(10)] == [200] * 10
            in_time = sum(answered(connection) for connection in busy) < 35
            assert {reply_of(connection).status for connection in busy} == {200}
            if in_time:
                break
        assert in_time, "the health checks came back after most inferences"


def test_sigterm_answers_every_request_under_way(tmp_path: Path) -> None:
    """contract D25: those being predicted, those queued, and those whose body is still on its way."""
    body = csv(records(3))
    with Server(write_slow_model(tmp_path), SLOW) as server:
        server.wait_ready()
        expected = server.invoke(body).body
        half_sent = server.connect()
        half_sent.putrequest("POST", "/invocations")
        half_sent.putheader("Content-Type", "text/csv")
        half_sent.putheader("Content-Length", str(len(body)))
        half_sent.endheaders(body[:7])
        idle = server.connect()
        idle.request("GET", "/ping")
        assert reply_of(idle).status == 200
        busy = [server.connect() for _ in range(4)]
        for connection in busy:
            connection.request("POST", "/invocations", slow_request(1_000), {"Content-Type": "text/csv"})
        wait_until(lambda: any(answered(connection) for connection in busy), "nothing is answered", server)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not listens(server.port), "it still accepts connections", server)
        half_sent.send(body[7:])
        reply = reply_of(half_sent)
        assert (reply.status, reply.body) == (200, expected)
        assert {reply_of(connection).status for connection in busy} == {200}
        assert server.process.wait(PATIENCE_SECONDS) == 0
        idle.close()


def test_a_connection_kept_alive_gets_its_next_answer_while_the_server_stops(patient: PatientServer) -> None:
    connection = patient.connect()
    connection.request("GET", "/ping")
    assert reply_of(connection).status == 200
    patient.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not listens(patient.port), "it still accepts connections")
    connection.request("POST", "/invocations", csv(records(1)), {"Content-Type": "text/csv"})
    assert reply_of(connection).status == 200
    assert patient.process.wait(PATIENCE_SECONDS) == 0


@pytest.fixture
def patient(model_base: Path) -> Iterator[PatientServer]:
    """A server for one test, in which it takes its time."""
    with PatientServer(model_base) as server:
        server.wait_ready()
        yield server


@pytest.fixture
def served_alone(model_base: Path) -> Iterator[Server]:
    """A server for one test."""
    with Server(model_base) as server:
        yield server.wait_ready()


def test_a_client_that_went_silent_does_not_hold_up_the_exit(served_alone: Server) -> None:
    """Connections without a request are closed; the server ends well before SIGKILL would come."""
    silent = socket.create_connection(("127.0.0.1", served_alone.port))
    assert served_alone.stop() == 0
    silent.close()


def test_the_exit_leaves_no_process(served_alone: Server) -> None:
    """contract D26"""
    workers = served_alone.workers
    assert len(workers) == 1, "contract D27"
    assert served_alone.stop() == 0
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    assert not served_alone.listens()
    assert "Traceback" not in served_alone.output


@pytest.mark.parametrize("given", [signal.SIGINT, signal.SIGHUP], ids=["Ctrl-C", "terminal closed"])
def test_other_signals_that_end_it_drain_as_well(patient: PatientServer, given: signal.Signals) -> None:
    connection = patient.connect()
    connection.request("GET", "/ping")
    assert reply_of(connection).status == 200
    for pid in [patient.process.pid, *patient.workers]:  # a terminal signals the whole group
        os.kill(pid, given)
    wait_until(lambda: not listens(patient.port), "it still accepts connections")
    connection.request("POST", "/invocations", csv(records(1)), {"Content-Type": "text/csv"})
    assert reply_of(connection).status == 200
    assert patient.process.wait(PATIENCE_SECONDS) == 0


def test_a_killed_worker_is_replaced(served_alone: Server) -> None:
    """contract D31"""
    (first,) = served_alone.workers
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: served_alone.workers not in ([first], []), "no replacement", served_alone)
    served_alone.wait_ready()
    assert served_alone.invoke(csv(records(1))).status == 200


def test_workers_end_when_the_server_is_killed(model_base: Path) -> None:
    """contract D26: no orphan; the directory and the port are free again."""
    with Server(model_base, {"SAGEMAKER_MODEL_SERVER_WORKERS": "2"}) as server:
        server.wait_ready()
        server.process.kill()
        server.process.wait()
        wait_until(lambda: not server.listens(), "workers live on")
    with Server(model_base, port=server.port) as again:
        assert again.wait_ready().invoke(csv(records(1))).status == 200


def test_the_port_is_the_one_asked_for_and_no_other(served_alone: Server) -> None:
    """contract D06, D07: one listening socket in the whole process tree."""
    inodes = set()
    for pid in [served_alone.process.pid, *served_alone.workers]:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # that of the last health check goes
                target = str(descriptor.readlink())
                inodes |= {target[8:-1]} if target.startswith("socket:[") else set()
    listening = [
        int(fields[1].rpartition(":")[2], 16)
        for table in ("tcp", "tcp6")
        for fields in (line.split() for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:])
        if fields[3] == "0A" and fields[9] in inodes
    ]
    assert listening == [served_alone.port]


def test_a_port_in_use_is_named_with_the_remedy(model_base: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with Server(model_base, port=port) as server:
            assert server.process.wait(PATIENCE_SECONDS) != 0
            assert f"port {port}" in server.output
            assert "SAGEMAKER_BIND_TO_PORT" in server.output
            assert "Traceback" not in server.output
            holder.close()


def test_a_server_that_ends_takes_its_lock_with_it(model_base: Path, tmp_path: Path) -> None:
    """contract D26: /tmp does not fill up with what servers leave; a worker that is replaced leaves the lock alone."""
    (tmp_path / "temporary").mkdir()
    with Server(model_base, {"TMPDIR": str(tmp_path / "temporary")}) as server:
        server.wait_ready()
        (lock,) = tmp_path.glob("temporary/sagedock-*.lock")
        (worker,) = server.workers
        os.kill(worker, signal.SIGTERM)
        wait_until(lambda: server.workers not in ([], [worker]), "no worker took its place", server)
        assert lock.exists()
        assert server.stop() == 0
    assert not lock.exists()


def test_a_second_server_of_a_directory_names_the_first(served_alone: Server) -> None:
    with Server(served_alone.base) as second:
        assert second.process.wait(PATIENCE_SECONDS) != 0
        assert str(served_alone.base / "model") in second.output
        assert f"pid {served_alone.process.pid}, port {served_alone.port}" in second.output
        assert "SAGEMAKER_BASE_DIR" in second.output
        assert "Traceback" not in second.output
    assert served_alone.ping().status == 200


def test_two_servers_of_two_directories_run_side_by_side(served_alone: Server, tmp_path: Path) -> None:
    """contract D08"""
    with Server(write_model(tmp_path / "other")) as second:
        assert second.wait_ready().invoke(csv(records(1))).body == served_alone.invoke(csv(records(1))).body


def test_garbage_in_an_optional_variable_is_a_warning(model_base: Path) -> None:
    """contract D27"""
    with Server(model_base, {"SAGEMAKER_MODEL_SERVER_WORKERS": "many", "MAX_CONTENT_LENGTH": "-1"}) as server:
        server.wait_ready()
        assert server.output.count("WARNING") == 2
        assert "SAGEMAKER_MODEL_SERVER_WORKERS is 'many'" in server.output


def test_the_model_directory_is_only_read(model_base: Path) -> None:
    """contract D09: nothing is written there, nothing needs to be."""
    model = model_base / "model"
    before = {file: file.stat() for file in [model, *model.iterdir()]}
    model.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with Server(model_base) as server:
        assert server.wait_ready().invoke(csv(records(1))).status == 200
        server.stop()
    model.chmod(stat.S_IRWXU)
    assert {file: file.stat().st_mtime_ns for file in before} == {file: s.st_mtime_ns for file, s in before.items()}


def test_a_hundred_megabyte_body_in_batch(model_base: Path) -> None:
    """contract E04, E11: with MaxPayloadInMB 100, and with 0, a body of 95 MB is accepted."""
    body = csv(records(1)) * (95 * 1024 * 1024 // len(csv(records(1))))
    environment = {"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "0"}
    with Server(model_base, environment) as server:
        server.wait_ready()
        reply = server.invoke(body)
        assert reply.status == 200
        assert reply.body.count(b"\n") == body.count(b"\n")


def test_posts_in_parallel(model_base: Path) -> None:
    """contract E11"""
    body = csv(records(50))
    environment = {"SAGEMAKER_BATCH": "True", "SAGEMAKER_MODEL_SERVER_WORKERS": "2"}
    with Server(model_base, environment) as server, ThreadPoolExecutor(8) as pool:
        server.wait_ready()
        replies = list(pool.map(lambda _: server.invoke(body), range(64)))
        assert {reply.status for reply in replies} == {200}
        assert len({reply.body for reply in replies}) == 1
        parameters = json.loads(server.request("GET", "/execution-parameters").body)
        assert parameters == {"MaxConcurrentTransforms": 2, "MaxPayloadInMB": 25}


def test_the_default_accept_of_the_deployer(model_base: Path) -> None:
    """contract D15"""
    with Server(model_base, {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/jsonlines"}) as server:
        server.wait_ready()
        for accept in (None, "*/*", "application/*;q=0.5, */*;q=0.1"):
            assert server.invoke(csv(records(1)), accept=accept).headers["content-type"] == "application/jsonlines"
        assert server.invoke(csv(records(1)), accept="text/csv").headers["content-type"] == "text/csv"


def test_selectable_inference_and_the_threads_of_numerical_libraries(model_base: Path) -> None:
    """xgboost 7.5; issue item 6: caps stand in the environment of every process before numpy is imported."""
    with Server(model_base, {"SAGEMAKER_INFERENCE_OUTPUT": "Predicted_Label, probabilities"}) as server:
        server.wait_ready()
        answer = json.loads(server.invoke(csv(records(1)), accept="application/json").body)
        assert list(answer["predictions"][0]) == ["predicted_label", "probabilities"]
        threads = Path(f"/proc/{server.workers[0]}/status").read_text().split("Threads:")[1].split()[0]
        assert int(threads) < 8


def test_http_10_clients_are_served(served: Server) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=300) as client:
        client.sendall(b"GET /ping HTTP/1.0\r\n\r\n")
        response = http.client.HTTPResponse(client)
        response.begin()
        assert response.status == 200


def test_a_free_port_is_free() -> None:
    assert not listens(free_port())


def test_a_manifest_of_another_algorithm_names_the_known_ones(model_base: Path) -> None:
    manifest = model_base / "model" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"xgboost"', '"xgbost"'))
    with Server(model_base) as server:
        wait_until(lambda: "cannot serve" in server.output, "the log says nothing", server)
        assert "'xgbost'" in server.output
        assert server.invoke(csv(records(1))).status == 500, "the request is not at fault"
    write_manifest(model_base / "model")
