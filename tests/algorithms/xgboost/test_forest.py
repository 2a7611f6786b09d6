"""Trees in the compiled core against XGBoost's own predictor: objectives, missing values, sparse rows, ensembles."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xgboost
from scipy.sparse import csr_matrix

from sagedock import core
from sagedock.algorithms.xgboost import model_file
from sagedock.algorithms.xgboost.forest import ForestBooster, compiled, in_line_bytes
from sagedock.algorithms.xgboost.model import XGBoostModel, load
from sagedock.algorithms.xgboost.objectives import LINKS
from sagedock.contracts.hosting import InferenceOptions
from sagedock.formats.table import Table

COLUMNS = 12
RANDOM = np.random.default_rng(3)
TARGETS = ("reg:quantileerror", "reg:squarederror")

needs_core = pytest.mark.skipif(core.native is None, reason="the compiled core was not built")


def rows(count: int, *, missing: float = 0.2) -> np.ndarray:
    """Numbers of several sizes, with exact zeros of both signs and missing values."""
    features = RANDOM.normal(size=(count, COLUMNS)).astype(np.float32)
    features[:, 3] = np.round(features[:, 3])
    features[:, 4] *= -0.0
    features[RANDOM.random(features.shape) < missing] = np.nan
    return features


FEATURES = rows(600)
ASKED = rows(77)


def labels(objective: str) -> np.ndarray:
    signal = np.nan_to_num(FEATURES[:, 0] + FEATURES[:, 3]) + RANDOM.normal(size=len(FEATURES))
    if objective.startswith("multi:"):
        return np.digitize(signal, [-0.5, 0.5]).astype(np.float32)
    if objective in {"binary:logistic", "binary:logitraw", "binary:hinge", "reg:logistic", "rank:map"}:
        return (signal > 0).astype(np.float32)
    if objective.startswith("rank:"):
        return np.digitize(signal, [-0.5, 0.5]).astype(np.float32)
    if objective.startswith(("count:", "reg:gamma", "reg:tweedie", "survival:", "reg:squaredlogerror")):
        return np.exp(signal / 2).round(2).astype(np.float32) + np.float32(0.01)
    return signal.astype(np.float32)


def trained(objective: str, rounds: int = 12, **parameters: object) -> xgboost.Booster:
    given = {"objective": objective, "nthread": 1, "max_depth": 4, **parameters}
    if objective.startswith("multi:"):
        given["num_class"] = 3
    if objective == "reg:quantileerror":
        given["quantile_alpha"] = 0.7
    matrix = xgboost.DMatrix(FEATURES, labels(objective), nthread=1)
    if objective.startswith("rank:"):
        matrix.set_info(group=[30] * 20)
    if objective == "survival:aft":
        matrix.set_info(label_lower_bound=labels(objective), label_upper_bound=labels(objective))
    return xgboost.train(given, matrix, rounds)


def forest(booster: xgboost.Booster, form: str = "ubj", **options: int) -> ForestBooster:
    found = model_file.read(bytes(booster.save_raw(form)))
    assert found.beyond is None
    assert core.native is not None
    return compiled(core.native, found, Path("model"), **options)


def expected(booster: xgboost.Booster, features: np.ndarray | csr_matrix) -> np.ndarray:
    booster.set_param({"nthread": 1})
    return booster.inplace_predict(features, validate_features=False)


@needs_core
@pytest.mark.parametrize("form", ["ubj", "json"])
@pytest.mark.parametrize("objective", sorted(LINKS))
def test_answers_are_xgboosts_bit_for_bit(objective: str, form: str) -> None:
    """Issue 3 item 4: trees in compiled code, missing values and default directions right.

    Margins are sums in XGBoost's order and equal in every bit; so is what exp makes of them, since both call the C
    library's.
    """
    booster = trained(objective)
    np.testing.assert_array_equal(forest(booster, form).scores(ASKED), expected(booster, ASKED))


@needs_core
@pytest.mark.parametrize("score", ["5E-1", "2.5e-01", "0.75"])
@pytest.mark.parametrize("objective", sorted(LINKS))
def test_files_of_earlier_releases(objective: str, score: str) -> None:
    """Statement 58: as XGBoost 1.7 spells them, one base score without brackets and no iteration_indptr."""
    document = json.loads(trained(objective, 4).save_raw("json"))
    learner = document["learner"]
    model = learner["gradient_booster"]["model"]
    document["version"] = [1, 7, 6]
    learner["learner_model_param"]["base_score"] = score
    del learner["learner_model_param"]["boost_from_average"], model["iteration_indptr"], model["cats"]
    model["gbtree_model_param"]["size_leaf_vector"] = "0"
    for tree in model["trees"]:
        tree["tree_param"]["size_leaf_vector"] = "0"
    booster = xgboost.Booster({"nthread": 1})
    content = json.dumps(document).encode()
    booster.load_model(bytearray(content))
    found = model_file.read(content)
    assert core.native is not None
    answers = compiled(core.native, found, Path("model")).scores(ASKED)
    np.testing.assert_array_equal(answers, expected(booster, ASKED))


@needs_core
@pytest.mark.parametrize("depth", [1, 2, 3, 5, 6, 7, 8, 9, 12])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 15, 16, 17, 33, 300])
def test_every_depth_and_number_of_rows(depth: int, count: int) -> None:
    booster = trained("reg:squarederror", 9, max_depth=depth, min_child_weight=0)
    asked = rows(count)
    np.testing.assert_array_equal(forest(booster).scores(asked), expected(booster, asked))


@needs_core
@pytest.mark.parametrize("deepest", range(9))
def test_asked_and_walked_trees_answer_alike_on_every_instruction_set(deepest: int) -> None:
    """Sixteen lanes are four registers, two or one: the code is the same, so AVX-512's runs here at 128 bits too."""
    native = core.native
    assert native is not None
    booster = trained("binary:logistic", 20, max_depth=8, min_child_weight=0)
    wanted = expected(booster, ASKED)
    try:
        for name in native.instruction_sets():
            native.use_instruction_set(name)
            np.testing.assert_array_equal(forest(booster, deepest_asked=deepest).scores(ASKED), wanted)
    finally:
        native.use_instruction_set(native.instruction_sets()[-1])


@needs_core
@pytest.mark.parametrize(
    "parameters",
    [
        {"tree_method": "exact", "gamma": 3},
        {"tree_method": "approx"},
        {"grow_policy": "lossguide", "max_depth": 0, "max_leaves": 40},
        {"num_parallel_tree": 4, "subsample": 0.5},
        {"base_score": 0.3},
        {"monotone_constraints": "(1,0,-1)"},
    ],
    ids=str,
)
def test_trees_however_grown(parameters: dict[str, object]) -> None:
    """Pruned nodes, unbalanced trees, forests of several trees a round."""
    booster = trained("binary:logistic", **parameters)
    np.testing.assert_array_equal(forest(booster).scores(ASKED), expected(booster, ASKED))


@needs_core
def test_pruning_a_grown_model_leaves_nodes_that_nothing_leads_to() -> None:
    booster = trained("reg:squarederror", max_depth=6)
    update = {
        "nthread": 1,
        "process_type": "update",
        "updater": "prune,refresh",
        "gamma": 5,
        "objective": "reg:squarederror",
    }
    pruned = xgboost.train(
        update, xgboost.DMatrix(FEATURES, labels("reg:squarederror"), nthread=1), 12, xgb_model=booster
    )
    trees = json.loads(pruned.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]
    assert any(int(tree["tree_param"]["num_deleted"]) for tree in trees)
    np.testing.assert_array_equal(forest(pruned).scores(ASKED), expected(pruned, ASKED))


@needs_core
def test_infinite_values_and_thresholds() -> None:
    """A split at minus infinity tells present from missing; default directions hold at every edge."""
    document = json.loads(trained("reg:squarederror", 3, max_depth=2).save_raw("json"))
    thresholds = [np.inf, -np.inf, -0.0, 0.0, np.finfo(np.float32).max, -np.finfo(np.float32).max, 1e-45, -1e-45]
    edges = np.float32([*thresholds, np.nan, 1.0, -1.0])
    asked = np.tile(edges[:, None], COLUMNS)
    for threshold in thresholds:
        for default_left in (0, 1):
            for tree in document["learner"]["gradient_booster"]["model"]["trees"]:
                inner = [node for node, child in enumerate(tree["left_children"]) if child != -1]
                for node in inner:
                    tree["split_conditions"][node] = float(np.float32(threshold))
                    tree["default_left"][node] = default_left
            booster = xgboost.Booster({"nthread": 1})
            booster.load_model(bytearray(json.dumps(document).encode()))
            np.testing.assert_array_equal(forest(booster).scores(asked), expected(booster, asked))


@needs_core
@pytest.mark.parametrize("objective", TARGETS)
def test_several_targets_a_tree_each(objective: str) -> None:
    parameters = {"objective": objective, "max_depth": 3, "nthread": 1}
    label = labels(objective)
    if objective == "reg:quantileerror":
        parameters["quantile_alpha"] = [0.1, 0.5, 0.9]
    else:
        label = np.stack([label, -2 * label], axis=1)
    booster = xgboost.train(parameters, xgboost.DMatrix(FEATURES, label, nthread=1), 8)
    found = forest(booster).scores(ASKED)
    assert found.ndim == 2
    np.testing.assert_array_equal(found, expected(booster, ASKED))


@needs_core
def test_sparse_rows_are_dense_rows_with_values_missing() -> None:
    booster = trained("multi:softprob", max_depth=6)
    present = ~np.isnan(ASKED)
    starts = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    sparse = csr_matrix((ASKED[present], np.nonzero(present)[1], starts), shape=ASKED.shape)
    np.testing.assert_array_equal(forest(booster).scores(sparse), expected(booster, ASKED))
    narrow = Table(csr_matrix(([1.5], [2], [0, 1]), shape=(1, 3), dtype=np.float32)).fitted_to(COLUMNS)
    wide = np.full((1, COLUMNS), np.nan, np.float32)
    wide[0, 2] = 1.5
    np.testing.assert_array_equal(forest(booster).scores(narrow.features), expected(booster, wide))


@needs_core
def test_wide_models_take_the_memory_of_the_features_they_ask_for() -> None:
    document = json.loads(trained("reg:squarederror", 3).save_raw("json"))
    document["learner"]["learner_model_param"]["num_feature"] = str(2**31 - 1)
    for tree in document["learner"]["gradient_booster"]["model"]["trees"]:
        tree["split_indices"] = [index + 2**31 - 1 - COLUMNS for index in tree["split_indices"]]
    found = model_file.read(json.dumps(document).encode())
    assert core.native is not None
    booster = compiled(core.native, found, Path("model"))
    assert booster.memory_bytes < 20_000
    keys = np.arange(2**31 - 1 - COLUMNS, 2**31 - 1)
    parts = (ASKED[0], keys, [0, COLUMNS])
    row = csr_matrix(parts, shape=(1, 2**31 - 1), dtype=np.float32)
    assert np.isfinite(booster.scores(row)).all()


@needs_core
def test_the_core_refuses_what_is_no_forest() -> None:
    """It checks for itself, since a wrong index would read foreign memory."""
    native = core.native
    assert native is not None
    good = {
        "first": np.array([0, 3]),
        "left": np.int32([1, -1, -1]),
        "right": np.int32([2, -1, -1]),
        "feature": np.int32([1, 0, 0]),
        "threshold": np.float32([0.5, 1, 2]),
        "default_left": np.uint8([0, 0, 0]),
        "output": np.int32([0]),
        "columns": 2,
        "base": [0.0],
        "base_link": "identity",
        "link": "identity",
    }
    assert native.Forest(**good).predict(np.float32([[0, 0.4], [0, 0.6]])).tolist() == [1, 2]
    wrong = [
        {"first": np.array([0, 4])},
        {"first": np.array([1, 3])},
        {"left": np.int32([3, -1, -1])},
        {"left": np.int32([-2, -1, -1])},
        {"right": np.int32([0, -1, -1]), "left": np.int32([0, -1, -1])},
        {"left": np.int32([1, 0, -1]), "right": np.int32([2, 0, -1])},
        {"feature": np.int32([2, 0, 0])},
        {"feature": np.int32([-1, 0, 0])},
        {"threshold": np.float32([0.5, 1])},
        {"output": np.int32([1])},
        {"base": []},
        {"columns": 0},
        {"link": "unknown"},
    ]
    for change in wrong:
        with pytest.raises(ValueError, match=r"."):
            native.Forest(**{**good, **change})
    forest_of = native.Forest(**good)
    with pytest.raises(ValueError, match="columns"):
        forest_of.predict(np.float32([[1]]))
    for indptr, indices in (([0, 2], [0]), ([1, 1], [0]), ([0, 1], [2]), ([0, 1], [-1]), ([0, 1, 0], [0])):
        with pytest.raises(ValueError, match=r"."):
            forest_of.predict_sparse(np.int64(indptr), np.int32(indices), np.ones(len(indices), np.float32))


def written(directory: Path, *boosters: xgboost.Booster) -> Path:
    directory.mkdir(exist_ok=True)
    for number, booster in enumerate(boosters):
        (directory / f"xgboost-model-{number}").write_bytes(booster.save_raw("ubj"))
    return directory


def both_ways(directory: Path, monkeypatch: pytest.MonkeyPatch, options: InferenceOptions) -> list[XGBoostModel]:
    with_core = load(directory, None, options)
    monkeypatch.setattr(core, "native", None)
    without = load(directory, None, options)
    monkeypatch.undo()
    return [with_core, without]


@needs_core
@needs_core
def test_the_larger_the_forests_the_shorter_the_bodies_that_hold_up_a_health_check(tmp_path) -> None:
    """contract D03: a record has a byte a column at least, and takes its time in every tree."""
    assert in_line_bytes(1, 1000) < in_line_bytes(1, 100) < in_line_bytes(50, 100)
    boosters = [trained("reg:squarederror", seed=seed, subsample=0.5) for seed in range(3)]
    one, three = (
        load(written(tmp_path, *boosters), None, InferenceOptions(ensemble=ensemble)) for ensemble in (False, True)
    )
    assert three.in_line_bytes == one.in_line_bytes // 3


@needs_core
@pytest.mark.parametrize("score", ["[0E0]", "[1E0]", "1E-8", "9.99999999E-1"])
@pytest.mark.parametrize("objective", ["binary:logistic", "reg:logistic", "count:poisson"])
def test_base_scores_at_the_ends_of_their_range(objective: str, score: str) -> None:
    """As XGBoost writes them for labels that are all the same; it lets probabilities come no nearer to 0 and 1."""
    document = json.loads(trained(objective).save_raw("json"))
    document["learner"]["learner_model_param"]["base_score"] = score
    content = json.dumps(document).encode()
    booster = xgboost.Booster()
    booster.load_model(bytearray(content))
    answers = compiled(core.native, model_file.read(content), Path("absent")).scores(ASKED)
    np.testing.assert_array_equal(answers, booster.predict(xgboost.DMatrix(ASKED)))


@pytest.mark.parametrize(
    "objective", ["reg:squarederror", "binary:logistic", "binary:hinge", "multi:softmax", "multi:softprob"]
)
def test_ensembles_and_selectable_inference_with_and_without_the_core(objective, tmp_path, monkeypatch) -> None:
    """Issue 3 item 4: without the core the package gives the same answers."""
    boosters = [trained(objective, seed=seed, subsample=0.5) for seed in range(3)]
    output = ("predicted_label", "predicted_score", "probability", "raw_scores")
    for options in (InferenceOptions(ensemble=True), InferenceOptions(output=output), InferenceOptions()):
        fast, slow = both_ways(written(tmp_path, *boosters), monkeypatch, options)
        assert fast.in_line_bytes > slow.in_line_bytes == 0
        assert fast.describe() == slow.describe()
        answers, wanted = fast.predict(Table(ASKED)).columns, slow.predict(Table(ASKED)).columns
        assert list(answers) == list(wanted)
        for name in answers:
            np.testing.assert_array_equal(answers[name], wanted[name])


@needs_core
@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softprob"])
def test_the_best_iteration_ends_the_sum(objective: str, tmp_path: Path, monkeypatch) -> None:
    booster = trained(objective, num_parallel_tree=2)
    booster.set_attr(best_iteration="4")
    fast, slow = both_ways(written(tmp_path, booster), monkeypatch, InferenceOptions())
    np.testing.assert_array_equal(fast.scores(ASKED), slow.scores(ASKED))
    assert (fast.scores(ASKED) != expected(booster, ASKED)).any()


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"booster": "dart", "rate_drop": 0.5}, "dart"),
        ({"booster": "gblinear"}, "gblinear"),
        ({"multi_strategy": "multi_output_tree"}, "several targets"),
        ({"feature_types": True}, "categorical"),
    ],
)
def test_what_the_core_cannot_take_is_xgboosts(parameters, reason: str, tmp_path: Path, caplog) -> None:
    """Issue 3 item 4: falling back to XGBoost."""
    caplog.set_level("INFO")
    features, label = np.nan_to_num(FEATURES), labels("reg:squarederror")
    types = ["q"] * COLUMNS
    if parameters.pop("feature_types", None):
        features[:, 3] = np.abs(features[:, 3]) * 10
        types[3] = "c"
        label = label + (features[:, 3] % 20 == 0) * 5
    if "multi_strategy" in parameters:
        label = np.stack([label, -label], axis=1)
    matrix = xgboost.DMatrix(features, label, feature_types=types, enable_categorical=True, nthread=1)
    booster = xgboost.train({"nthread": 1, "max_depth": 3, **parameters}, matrix, 6)
    model = load(written(tmp_path, booster), None, InferenceOptions())
    assert model.in_line_bytes == 0
    assert reason in caplog.text
    asked = features[:50]
    if reason in {"gblinear", "dart"}:
        wanted = booster.predict(xgboost.DMatrix(asked, nthread=1), validate_features=False)
    else:
        wanted = expected(booster, asked)
    np.testing.assert_array_equal(model.scores(asked), wanted)


def test_dart_of_labels_that_are_all_zero(tmp_path: Path) -> None:
    """XGBoost answers NaN in place, and 0 through its matrix, as Booster.predict does."""
    matrix = xgboost.DMatrix(FEATURES, np.zeros(len(FEATURES)), nthread=1)
    booster = xgboost.train({"nthread": 1, "booster": "dart", "objective": "count:poisson"}, matrix, 3)
    model = load(written(tmp_path, booster), None, InferenceOptions())
    np.testing.assert_array_equal(model.scores(ASKED), booster.predict(xgboost.DMatrix(ASKED, nthread=1)))


@needs_core
def test_a_model_that_was_loaded_is_saved_as_it_was(tmp_path: Path) -> None:
    directory = written(tmp_path / "from", trained("binary:logistic"))
    model = load(directory, None, InferenceOptions())
    (tmp_path / "to").mkdir()
    assert model.save(tmp_path / "to") == ["xgboost-model"]
    assert (tmp_path / "to" / "xgboost-model").read_bytes() == (directory / "xgboost-model-0").read_bytes()
    assert 0 < model.memory_bytes < 10 * (directory / "xgboost-model-0").stat().st_size
