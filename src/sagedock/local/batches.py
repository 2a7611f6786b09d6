"""Which MaxConcurrentTransforms and MaxPayloadInMB give a batch transform job its highest throughput here."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException

from sagedock.contracts.hosting import LARGEST_PAYLOAD_MEBIBYTES
from sagedock.errors import PlatformError
from sagedock.local.load import Exchange, Load, LoadClient
from sagedock.local.sample import Sample
from sagedock.local.server import LocalServer

PAYLOADS = (6, 25, 100)
"""In MiB; 6 is SageMaker's default, and less would refuse records that users expect to pass."""
AS_GOOD = 0.95
"""Of two settings this close the smaller is taken."""
MEMORY_SHARE = 0.8
"""Of the memory limit, for a server under the load of a batch."""
PATIENCE = 60.0
SHORTEST_SECONDS = 0.2


@dataclass(frozen=True)
class BatchSetting:
    """A setting, the MB of requests answered in a second, and the server's peak of memory."""

    transforms: int
    mebibytes: int
    megabytes_per_second: float
    memory_bytes: int


def best(
    client: LoadClient, server: LocalServer, sample: Sample, slots: int, largest: int, memory: int, seconds: float
) -> BatchSetting:
    """Try `slots` requests at once and twice as many, of several sizes up to `largest` MiB, for `seconds` in all.

    `memory` is the limit in bytes. Raises PlatformError when not even the smallest is answered without an error.
    """
    settings, end = candidates(slots, largest), time.monotonic() + seconds
    measured = []
    for number, setting in enumerate(settings):
        share = (end - time.monotonic()) / (len(settings) - number)
        if number == 0 or share > 0:
            measured.append(_measured(client, server, sample, *setting, max(share, SHORTEST_SECONDS)))
    fitting = [found for found in measured if found is not None and found.memory_bytes <= MEMORY_SHARE * memory]
    if not fitting:
        raise PlatformError(
            "the server answered no batch request without an error: give the container more memory, or set "
            "SAGEMAKER_MAX_PAYLOAD_IN_MB lower"
        )
    enough = AS_GOOD * max(found.megabytes_per_second for found in fitting)
    good = [found for found in fitting if found.megabytes_per_second >= enough]
    return min(good, key=lambda found: (found.transforms * found.mebibytes, found.transforms))


def candidates(slots: int, largest: int) -> list[tuple[int, int]]:
    """Pairs of MaxConcurrentTransforms and MaxPayloadInMB whose product is at most 100, the least memory first."""
    pairs = set()
    for transforms in {min(slots, LARGEST_PAYLOAD_MEBIBYTES), min(2 * slots, LARGEST_PAYLOAD_MEBIBYTES)}:
        most = min(largest, LARGEST_PAYLOAD_MEBIBYTES // transforms)
        pairs |= {(transforms, min(payload, most)) for payload in PAYLOADS}
    return sorted(pairs, key=lambda pair: (pair[0] * pair[1], pair))


def _measured(
    client: LoadClient, server: LocalServer, sample: Sample, transforms: int, mebibytes: int, seconds: float
) -> BatchSetting | None:
    """None when a request fails. The first answer, to a request alone, is what the others have to equal."""
    body = sample.repeated(mebibytes)
    try:
        status, answer = server.post("/invocations", body, sample.content_type, sample.accept)
        if status != HTTPStatus.OK:
            return None
        exchange = Exchange.post("/invocations", body, sample.content_type, answer, sample.accept)
        found = client.measure(Load(server.port, [exchange], transforms, seconds / 2, patience=PATIENCE))
    except (OSError, HTTPException):
        return None
    if found.error_count or not found.answers:
        return None
    megabytes = len(body) * found.rate / 1e6
    return BatchSetting(transforms, mebibytes, megabytes, server.peak_bytes())
