"""The server's figures: GET /metrics, CloudWatch's embedded metrics, and a line for each request."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.serving.models import csv, records
from tests.serving.process import Server, wait_until

ON = {"SAGEDOCK_METRICS": "true", "SAGEDOCK_METRICS_SECONDS": "1"}


def samples(server: Server) -> dict[tuple[str, str], float]:
    """Every sample of /metrics by name and the value of its label."""
    reply = server.request("GET", "/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(reply.body.decode())
    return {(s.name, "".join(s.labels.values())): s.value for family in families for s in family.samples}


def embedded(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.output.splitlines() if line.startswith('{"_aws"')]


def test_without_being_asked_there_are_no_metrics(served: Server) -> None:
    """contract 3.6"""
    assert served.request("GET", "/metrics").status == 404
    assert not embedded(served)


def test_whoever_answers_knows_the_figures_of_all_workers(model_base: Path) -> None:
    """Requirements row 42: Prometheus reads them, and the log has the same numbers for CloudWatch."""
    with Server(model_base, {**ON, "SAGEMAKER_MODEL_SERVER_WORKERS": "2"}) as server:
        server.wait_ready()
        wait_until(lambda: samples(server)["sagedock_workers", ""] == 2, "a worker is missing", server)
        body = csv(records(3))
        assert [server.invoke(body).status for _ in range(20)] == [200] * 20
        assert [server.invoke(b"x").status for _ in range(5)] == [400] * 5
        found = samples(server)
        assert found["sagedock_invocations_total", "2xx"] == 20
        assert found["sagedock_invocations_total", "4xx"] == 5
        assert found["sagedock_invocations_total", "5xx"] == 0
        assert found["sagedock_invocation_seconds_count", ""] == 25
        assert found["sagedock_invocation_seconds_bucket", "+Inf"] == 25
        assert found["sagedock_invocation_seconds_sum", ""] > 0
        assert found["sagedock_request_bytes_total", ""] == 20 * len(body) + 5
        assert found["sagedock_invocations_in_flight", ""] == 0
        wait_until(lambda: sum(line["Invocations"] for line in embedded(server)) == 25, "the log has not told all")
        lines = embedded(server)
        assert sum(line["Invocation4XXErrors"] for line in lines) == 5
        assert sum(line["RequestBytes"] for line in lines) == 20 * len(body) + 5


def test_an_embedded_metric_names_what_it_holds(model_base: Path) -> None:
    """CloudWatch's embedded metric format: each metric named is a member, the time is in milliseconds."""
    with Server(model_base, {**ON, "SAGEDOCK_SINGLE_PROCESS": "true"}) as server:
        wait_until(lambda: bool(embedded(server)), "no figures in the log", server)
        line = embedded(server)[0]
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "sagedock"
        assert set(line) - {"_aws"} == {metric["Name"] for metric in directive["Metrics"]}
        assert line["_aws"]["Timestamp"] > 1_700_000_000_000


def test_counters_outlive_their_worker(model_base: Path) -> None:
    with Server(model_base, ON) as server:
        server.wait_ready()
        assert [server.invoke(csv(records(1))).status for _ in range(7)] == [200] * 7
        (first,) = server.workers
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: server.workers not in ([first], []), "no replacement", server)
        server.wait_ready()
        assert server.invoke(csv(records(1))).status == 200
        assert samples(server)["sagedock_invocations_total", "2xx"] == 8
        assert samples(server)["sagedock_connections", ""] == 1


def test_a_line_for_each_request_by_choice(model_base: Path) -> None:
    """The inference id finds its answer in the log."""
    with Server(model_base, {"SAGEDOCK_REQUEST_LOG": "true"}) as server:
        server.wait_ready()
        server.invoke(csv(records(1)), X_Amzn_SageMaker_Inference_Id="call-9")
        wait_until(lambda: "request_answered" in server.output, "no line", server)
        (line,) = [line for line in server.output.splitlines() if "request_answered" in line]
        fields = json.loads(line[line.index("{") :])
        assert (fields["inference_id"], fields["status"]) == ("call-9", 200)
        assert 0 < fields["seconds"] < 60
