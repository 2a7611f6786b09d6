"""Every algorithm behind a real server, with the compiled core and without it (issue 3 item 4)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sagedock import core
from sagedock.algorithm import Algorithm
from tests.contract.samples import Sample
from tests.platform import Job
from tests.serving.process import Reply, Server


def replies(base: Path, algorithm: Algorithm, sample: Sample, word: str) -> list[Reply]:
    """What a server answers to each request of the sample, good and bad, in each type it writes."""
    bodies = [*sample.requests.items(), *sample.malformed.items()]
    with Server(base, {"SAGEDOCK_COMPILED_CORE": word}) as server:
        server.wait_ready()
        return [
            server.invoke(body, content_type, accept)
            for content_type, body in bodies
            for accept in algorithm.response_types
        ]


def test_a_server_answers_the_same_with_and_without_the_core(
    make_job: Callable[..., Job], algorithm: Algorithm, sample: Sample
) -> None:
    if core.native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    job = make_job()
    assert job.run() == 0, job.failure
    compiled, plain = (replies(job.base, algorithm, sample, word) for word in ("on", "off"))
    assert [(reply.status, reply.body) for reply in compiled] == [(reply.status, reply.body) for reply in plain]
    assert {reply.status for reply in compiled} == {200, 400}
