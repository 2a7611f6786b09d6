"""The model that every peer serves, loaded as its documentation suggests, one thread a prediction."""

from __future__ import annotations

import os

import xgboost


def booster() -> xgboost.Booster:
    loaded = xgboost.Booster({"nthread": 1})
    loaded.load_model(os.environ["MODEL"])
    return loaded
