"""The request path of AWS's open-source XGBoost serving app, as its public behaviour shows it.

This re-creates what sagemaker-xgboost-container does with one text/csv request in algorithm mode: csv.Sniffer on the
first 512 characters and a log line of what it found, text cells through lists into an array of text and from there to
float32, a DMatrix, `predict`, one `str` a line; Flask under gunicorn with gevent workers. The container itself cannot
be installed from a package registry. What is left out here (nginx in front, the transformer around the handlers) would
only add to it.
"""

from __future__ import annotations

import csv
import inspect
import logging

import numpy as np
import xgboost
from flask import Flask, Response, request

from benchmarks.peers.model import booster

logging.basicConfig(level=logging.INFO)
app = Flask(__name__)
model = booster()


def read(text: str) -> xgboost.DMatrix:
    lines = text.strip().split("\n")
    guessed = csv.Sniffer().sniff(lines[0][:512]).delimiter
    delimiter = "," if guessed.isalnum() else guessed
    logging.info("the delimiter of the request is %r", delimiter)
    cells = [[cell or "nan" for cell in line.split(delimiter)] for line in lines]
    return xgboost.DMatrix(np.array(cells).astype(np.float32))


def predict(matrix: xgboost.DMatrix) -> np.ndarray:
    return model.predict(matrix, validate_features=False)


@app.get("/ping")
def ping() -> Response:
    return Response(status=200)


@app.post("/invocations")
def invocations() -> Response:
    matrix = read(request.get_data().decode())
    inspect.signature(predict)  # its dispatcher looks at the handler's parameters on every request
    scores = predict(matrix)
    return Response("\n".join(map(str, scores.tolist())) + "\n", mimetype="text/csv")
