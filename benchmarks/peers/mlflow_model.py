"""Writes the model in MLflow's layout into the directory named, for `mlflow models serve`."""

from __future__ import annotations

import sys

import mlflow.xgboost

from benchmarks.peers.model import booster

mlflow.xgboost.save_model(booster(), sys.argv[1], pip_requirements=["xgboost-cpu"])
