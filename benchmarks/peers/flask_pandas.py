"""Flask, pandas and XGBoost under gunicorn's sync workers: what most tutorials show."""

from __future__ import annotations

import io

import pandas as pd
import xgboost
from flask import Flask, Response, request

from benchmarks.peers.model import booster

app = Flask(__name__)
model = booster()


@app.get("/ping")
def ping() -> Response:
    return Response(status=200)


@app.post("/invocations")
def invocations() -> Response:
    frame = pd.read_csv(io.BytesIO(request.get_data()), header=None)
    scores = model.predict(xgboost.DMatrix(frame.to_numpy()))
    return Response("\n".join(map(repr, scores.tolist())) + "\n", mimetype="text/csv")
