"""LitServe with JSON rows, one worker, as its examples show it."""

from __future__ import annotations

import os
from typing import Any

import litserve
import numpy as np

from benchmarks.peers.model import booster


class API(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = booster()

    def decode_request(self, request) -> np.ndarray:  # noqa: ANN001 - LitServe reads annotations
        return np.array(request["instances"], dtype=np.float32)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.inplace_predict(x, validate_features=False)

    def encode_response(self, output: np.ndarray) -> dict[str, Any]:
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(API(), accelerator="cpu", workers_per_device=1)
    server.run(port=int(os.environ["PORT"]), generate_client_file=False, log_level="warning")
