"""A BentoML service with the same reading and predicting as the bare ASGI peer."""

from __future__ import annotations

import bentoml
import numpy as np

from benchmarks.peers.model import booster


@bentoml.service(workers=2)
class Churn:
    def __init__(self) -> None:
        self.model = booster()

    @bentoml.api
    def invocations(self, body: str) -> str:
        rows = [line.split(",") for line in body.strip().split("\n")]
        scores = self.model.inplace_predict(np.array(rows, dtype=np.float32), validate_features=False)
        return "\n".join(map(repr, scores.tolist())) + "\n"
