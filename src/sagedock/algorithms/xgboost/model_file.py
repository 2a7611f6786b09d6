"""XGBoost's model files read without XGBoost: JSON and UBJSON as its releases 1.0 to 3.x write them.

Source: XGBoost's documentation, "Introduction to Model IO", with its JSON schema, and files of those releases.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagedock.algorithms.xgboost import categories, trees
from sagedock.algorithms.xgboost.document import Section, decode
from sagedock.algorithms.xgboost.objectives import LINKS
from sagedock.algorithms.xgboost.trees import Trees

GBTREE, DART, GBLINEAR = "gbtree", "dart", "gblinear"

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MOST_OUTPUTS = 100_000
_LONGEST_SCORES = 4_000_000


@dataclass(frozen=True, slots=True)
class Learner:
    """What a model is, whoever evaluates it: `class_count` is 0 where the objective has no number of classes."""

    objective: str
    booster: str
    class_count: int
    feature_count: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What a model file says, checked.

    `base_scores` has one for each class or target that trees add to; they are as the objective's predictions are, not
    margins. `trees` are those that answer, up to the best iteration. `beyond` names what only XGBoost evaluates, None
    for what the compiled core can.
    """

    learner: Learner
    base_scores: Sequence[float]
    trees: Trees
    beyond: str | None


def read(content: bytes) -> ModelFile:
    """The model in `content`; raises ValueError saying what is wrong with it."""
    learner = Section.of(decode(content), "model").section("learner")
    sizes = learner.section("learner_model_param")
    classes, targets = sizes.whole("num_class", "0"), sizes.whole("num_target", "1")
    features = sizes.whole("num_feature")
    outputs = max(classes, targets, 1)
    if not features or outputs > _MOST_OUTPUTS:
        raise ValueError(f"a model of {features:,} features and {outputs:,} classes or targets is none")
    booster = learner.section("gradient_booster")
    objective = learner.section("objective").text("name")
    scores = _base_scores(sizes, outputs)
    found, beyond = _booster(booster, _best_iteration(learner), features, outputs)
    return ModelFile(
        Learner(objective, booster.text("name"), classes, features),
        scores,
        found,
        beyond or _unlinked(objective, scores),
    )


def _booster(section: Section, best: int | None, features: int, outputs: int) -> tuple[Trees, str | None]:
    name = section.text("name")
    if name == GBLINEAR:
        weights = section.section("model").numbers("weights", "numbers")
        if len(weights) != (features + 1) * outputs:
            raise ValueError(f"{section.path} has {len(weights)} weights, not {(features + 1) * outputs}")
        return trees.NONE, f"the booster {GBLINEAR}"
    if name not in {GBTREE, DART}:
        raise ValueError(f"{section.path}.name is {name[:40]!r}, not {GBTREE}, {DART} or {GBLINEAR}")
    model = (section.section(GBTREE) if name == DART else section).section("model")
    found, beyond = _trees(model, best, features, outputs)
    if name == DART:
        drops = section.numbers("weight_drop", "numbers")
        if len(drops) != len(model.items("trees")):
            raise ValueError(
                f"{section.path}.weight_drop has {len(drops)} weights for {len(model.items('trees'))} trees"
            )
        beyond = f"the booster {DART}"
    return found, beyond


def _trees(model: Section, best: int | None, features: int, outputs: int) -> tuple[Trees, str | None]:
    sections = [Section.of(tree, f"tree {number}") for number, tree in enumerate(model.items("trees"))]
    sizes = model.section("gbtree_model_param")
    info = model.numbers("tree_info", "whole")
    if sizes.whole("num_trees") != len(sections) or len(info) != len(sections):
        raise ValueError(f"it has {len(sections)} trees, not as many as num_trees and tree_info say")
    if ((info < 0) | (info >= outputs)).any():
        raise ValueError(f"tree_info names outputs that are not from 0 to {outputs - 1}")
    vector = categories.check_vectors(sections, outputs)
    categorical = [section for section in sections if categories.has_any(section)]
    for section in categorical:
        categories.check(section)
    found = trees.read(sections, info, features, vector=vector, categorical=bool(categorical))
    ends = _iterations(model, outputs, vector)
    if best is not None and best + 1 >= len(ends):
        raise ValueError(f"attributes.best_iteration is {best}, but the model has {len(ends) - 1} iterations")
    kept = len(sections) if best is None else int(ends[best + 1])
    beyond = "leaves of several targets" if vector else "categorical splits" if categorical else None
    return found.upto(kept), beyond


def _iterations(model: Section, outputs: int, vector: bool) -> NDArray[np.int64]:
    """Where each iteration's trees begin, and where the last one's end."""
    count = len(model.items("trees"))
    if "iteration_indptr" in model:
        ends = model.numbers("iteration_indptr", "whole").astype(np.int64)
        if not len(ends) or ends[0] != 0 or ends[-1] != count or (np.diff(ends) < 0).any():
            raise ValueError(f"{model.path}.iteration_indptr does not part the {count} trees")
        return ends
    parallel = max(1, model.section("gbtree_model_param").whole("num_parallel_tree", "1"))
    return np.arange(0, count + 1, parallel * (1 if vector else outputs))


def _best_iteration(learner: Section) -> int | None:
    if "attributes" not in learner or "best_iteration" not in learner.section("attributes"):
        return None
    return learner.section("attributes").whole("best_iteration")


def _base_scores(sizes: Section, outputs: int) -> list[float]:
    """Spelt "5E-1" up to XGBoost 3.0, "[5E-1]" since, with one for each class or target where they differ."""
    text = sizes.text("base_score")
    parts = text.removeprefix("[").removesuffix("]").split(",") if len(text) <= _LONGEST_SCORES else []
    if len(parts) not in {1, outputs} or not all(_NUMBER.fullmatch(part.strip()) for part in parts):
        raise ValueError(f"{sizes.path}.base_score is {text[:40]!r}, not one number or {outputs}")
    with np.errstate(over="ignore"):
        scores = np.array([float(part) for part in parts], dtype=np.float32)
    if not np.isfinite(scores).all():
        raise ValueError(f"{sizes.path}.base_score is {text[:40]!r}, too large a number")
    return [float(score) for score in np.broadcast_to(scores, outputs)]


def _unlinked(objective: str, scores: Sequence[float]) -> str | None:
    """Why the core cannot make this objective's predictions; raises ValueError for a base score it cannot have."""
    if objective not in LINKS:
        return f"the objective {objective[:40]}"
    link = LINKS[objective]
    if (link.base == "logistic" and not all(0 <= score <= 1 for score in scores)) or (
        link.base == "exponential" and not all(score >= 0 for score in scores)
    ):
        raise ValueError(f"its base score {scores[0]!r} is none that {objective} can have")
    if link.answer in {"softmax", "argmax"} and len(scores) < 2:
        return f"{objective} without classes"
    return None
