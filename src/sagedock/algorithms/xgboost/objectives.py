"""What XGBoost's objectives make of margins, and of the base score (parameter.rst and src/objective of XGBoost 3.2)."""

from __future__ import annotations

from typing import NamedTuple


class Link(NamedTuple):
    """Names of `sagedock._core`: how the base score becomes a margin, and how margins become the prediction."""

    base: str
    answer: str


_IDENTITY = Link("identity", "identity")
_EXPONENTIAL = Link("exponential", "exponential")
_LOGISTIC = Link("logistic", "logistic")

LINKS = {
    "reg:squarederror": _IDENTITY,
    "reg:linear": _IDENTITY,
    "reg:squaredlogerror": _IDENTITY,
    "reg:pseudohubererror": _IDENTITY,
    "reg:absoluteerror": _IDENTITY,
    "reg:quantileerror": _IDENTITY,
    "reg:logistic": _LOGISTIC,
    "reg:gamma": _EXPONENTIAL,
    "reg:tweedie": _EXPONENTIAL,
    "count:poisson": _EXPONENTIAL,
    "survival:cox": _EXPONENTIAL,
    "survival:aft": _EXPONENTIAL,
    "binary:logistic": _LOGISTIC,
    "binary:logitraw": _IDENTITY,
    "binary:hinge": Link("identity", "hinge"),
    "multi:softmax": Link("identity", "argmax"),
    "multi:softprob": Link("identity", "softmax"),
    "rank:pairwise": _IDENTITY,
    "rank:ndcg": _IDENTITY,
    "rank:map": _IDENTITY,
}
"""The objectives whose predictions the compiled core makes; any other's are XGBoost's own."""
