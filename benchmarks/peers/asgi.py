"""A bare ASGI application for uvicorn: no framework, numpy's own text reader, no check of anything."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.peers.model import booster

model = booster()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body = b""
    more = scope["method"] == "POST"
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    answer = b""
    if body:
        rows = [line.split(b",") for line in body.strip().split(b"\n")]
        scores = model.inplace_predict(np.array(rows, dtype=np.float32), validate_features=False)
        answer = ("\n".join(map(repr, scores.tolist())) + "\n").encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/csv")]})
    await send({"type": "http.response.body", "body": answer})
