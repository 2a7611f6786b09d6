"""XGBoost's model files read without XGBoost: what is whole is read, and what is not is refused with a reason."""

from __future__ import annotations

import contextlib
import copy
import json
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from sagedock import core
from sagedock.algorithms.xgboost import library, model_file, ubjson
from sagedock.algorithms.xgboost.document import refuse_repeated_names
from sagedock.algorithms.xgboost.forest import compiled
from sagedock.algorithms.xgboost.model import load
from sagedock.contracts.hosting import InferenceOptions
from sagedock.errors import ModelError
from tests.algorithms.xgboost import data

FEATURES = data.numbers(200)


def trained(objective: str = "binary:logistic", **parameters: Any) -> xgboost.Booster:
    given_parameters = {"objective": objective, "nthread": 1, "max_depth": 2, **parameters}
    return xgboost.train(given_parameters, xgboost.DMatrix(FEATURES, data.binary_labels(FEATURES), nthread=1), 3)


WHOLE = json.loads(trained().save_raw("json"))
DART = json.loads(trained(booster="dart").save_raw("json"))
LINEAR = json.loads(trained(booster="gblinear").save_raw("json"))


def categorical() -> dict[str, Any]:
    features = np.abs(FEATURES * 4).round()
    types = {"feature_types": ["c"] * features.shape[1], "enable_categorical": True}
    matrix = xgboost.DMatrix(features, features[:, 0] % 2, nthread=1, **types)
    return json.loads(xgboost.train({"max_depth": 2, "nthread": 1}, matrix, 2).save_raw("json"))


def several_targets() -> dict[str, Any]:
    matrix = xgboost.DMatrix(FEATURES, FEATURES[:, :2], nthread=1)
    parameters = {"multi_strategy": "multi_output_tree", "max_depth": 2, "nthread": 1}
    return json.loads(xgboost.train(parameters, matrix, 2).save_raw("json"))


CATEGORICAL, TARGETS = categorical(), several_targets()


def model_of(document: dict[str, Any]) -> dict[str, Any]:
    booster = document["learner"]["gradient_booster"]
    return booster.get("gbtree", booster)["model"]


def changed(document: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> bytes:
    document = copy.deepcopy(document)
    change(document)
    return json.dumps(document).encode()


def member(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Sets the member at `path` of the first tree, of the booster's model or of the learner, by its first letter."""
    where, *names = path.split(".")

    def change(document: dict[str, Any]) -> None:
        place = {"tree": lambda: model_of(document)["trees"][0], "model": lambda: model_of(document)}.get(
            where, lambda: document["learner"]
        )()
        for name in names[:-1]:
            place = place[int(name) if isinstance(place, list) else name]
        name = int(names[-1]) if isinstance(place, list) else names[-1]
        if value is None:
            del place[name]
        else:
            place[name] = value

    return change


BROKEN = [
    ("tree.left_children.0", 0, "outside the tree"),
    ("tree.left_children.0", 100, "outside the tree"),
    ("tree.left_children.0", -5, "outside the tree"),
    ("tree.left_children.1", 1, "not next to"),
    ("tree.right_children.0", 3, "not next to its left"),
    ("tree.right_children.0", -1, "not next to its left"),
    ("tree.right_children.6", 1, "right child but no left"),
    ("tree.left_children", [1, 1, 1, -1, -1, -1, -1], "not next to|reached twice"),
    ("tree.left_children.0", 2**40, "outside the tree"),
    ("tree.left_children.0", 2**70, "array of whole"),
    ("tree.left_children.0", 1.5, "array of whole"),
    ("tree.left_children.0", "1", "array of whole"),
    ("tree.left_children.0", None, "for every node"),
    ("tree.left_children", [], "for every node"),
    ("tree.left_children", "1", "no array"),
    ("tree.split_indices.0", 5, "no feature from 0 to 4"),
    ("tree.split_indices.0", -1, "no feature"),
    ("tree.split_conditions.0", float("nan"), "splits at NaN"),
    ("tree.split_conditions.6", float("nan"), "no finite number"),
    ("tree.split_conditions.6", 1e39, "no finite number"),
    ("tree.split_conditions.0", [1], "array of numbers"),
    ("tree.default_left.0", None, "default_left has 6"),
    ("tree.parents", None, "has no parents"),
    ("tree.parents.1", 99, "another node than its parent"),
    ("tree.parents.0", 0, "another node than its parent"),
    ("tree.sum_hessian", [1.0], "sum_hessian has 1"),
    ("tree.tree_param", None, "no tree_param"),
    ("tree.tree_param.num_nodes", "8", "num_nodes is 8"),
    ("tree.tree_param.num_nodes", 7, "not a text"),
    ("tree.tree_param.num_nodes", "-1", "not a whole number"),
    ("tree.tree_param.num_deleted", "1", "num_deleted is 1"),
    ("tree.tree_param.size_leaf_vector", "3", "values for a model of 1|members, not"),
    ("tree.split_type", [0, 2, 0, 0, 0, 0, 0], "split_type"),
    ("tree.split_type", [1, 0, 0, 0, 0, 0, 0], "without their categories"),
    ("model.trees.0", 5, "tree 0 is no object"),
    ("model.trees", {}, "no array"),
    ("model.trees.2", None, "has 2 trees"),
    ("model.tree_info", [0, 0, 1], "from 0 to 0"),
    ("model.tree_info", [0, 0], "3 trees"),
    ("model.tree_info", [[0], [0], [0]], "tree_info"),
    ("model.iteration_indptr", [0, 1, 2], "iteration_indptr"),
    ("model.gbtree_model_param.num_trees", "4", "3 trees"),
    ("model.gbtree_model_param", None, "gbtree_model_param"),
    ("learner.attributes", {"best_iteration": "3"}, "best_iteration is 3"),
    ("learner.attributes", {"best_iteration": "x"}, "not a whole number"),
    ("learner.attributes", [], "attributes is no object"),
    ("learner.gradient_booster.name", "gbforest", "gbforest"),
    ("learner.gradient_booster.name", "dart", "no gbtree"),
    ("learner.learner_model_param.num_feature", "0", "0 features"),
    ("learner.learner_model_param.num_feature", "1", "no feature from 0 to 0"),
    ("learner.learner_model_param.num_feature", "9999999999", "not a whole number"),
    ("learner.learner_model_param.num_class", "1000000", "1,000,000 classes"),
    ("learner.learner_model_param.base_score", "[1,2]", "base_score"),
    ("learner.learner_model_param.base_score", "nan", "base_score"),
    ("learner.learner_model_param.base_score", "1e99", "too large"),
    ("learner.learner_model_param.base_score", "1.5", "binary:logistic can have"),
    ("learner.learner_model_param.base_score", 0.5, "not a text"),
    ("learner.learner_model_param", None, "no learner_model_param"),
    ("learner.objective.name", None, "not a text"),
]


@pytest.mark.parametrize(("path", "value", "reason"), BROKEN, ids=lambda value: str(value)[:40])
def test_a_broken_file_is_refused_with_its_reason(path: str, value: Any, reason: str, tmp_path: Path) -> None:
    """Issue 3 item 6: XGBoost's own loader, which may end the process, never sees it."""
    content = changed(WHOLE, member(path, value))
    with pytest.raises(ValueError, match=reason):
        model_file.read(content)
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.json is no XGBoost model"):
        load(tmp_path, None, InferenceOptions())


@pytest.mark.parametrize(
    ("document", "path", "value"),
    [
        (DART, "learner.gradient_booster.weight_drop", [1.0]),
        (DART, "tree.left_children.0", 50),
        (LINEAR, "model.weights", [1.0]),
        (LINEAR, "model.weights", ["a"] * 6),
        (CATEGORICAL, "tree.categories", [1]),
        (CATEGORICAL, "tree.categories.0", -1),
        (CATEGORICAL, "tree.categories.0", 2**30),
        (CATEGORICAL, "tree.categories_nodes.0", 77),
        (CATEGORICAL, "tree.categories_segments.0", 5),
        (CATEGORICAL, "tree.categories_sizes.0", 0),
        (CATEGORICAL, "tree.left_children.0", 50),
        (TARGETS, "tree.leaf_weights", [1.0]),
        (TARGETS, "tree.leaf_weights", None),
        (TARGETS, "tree.right_children.6", 99),
        (TARGETS, "tree.base_weights", [1.0]),
        (TARGETS, "tree.tree_param.size_leaf_vector", "3"),
    ],
    ids=str,
)
def test_what_only_xgboost_evaluates_is_checked_too(document: dict[str, Any], path: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        model_file.read(changed(document, member(path, value)))
    assert model_file.read(json.dumps(document).encode()).beyond is not None


def test_a_name_twice_is_refused_before_xgboost_takes_the_other(tmp_path: Path) -> None:
    text = json.dumps(DART)
    (tmp_path / "model.json").write_text(text.replace('"weight_drop":', '"weight_drop": [1], "weight_drop":'))
    with pytest.raises(ModelError, match="twice"):
        load(tmp_path, None, InferenceOptions())


def test_a_tree_of_too_many_levels_is_refused() -> None:
    """A chain: every node's right child splits again."""
    nodes = 2 * 10_001 + 1
    inner = range(0, nodes - 2, 2)
    left = [-1] * nodes
    for node in inner:
        left[node] = node + 1

    def change(document: dict[str, Any]) -> None:
        tree = model_of(document)["trees"][0]
        numbers = dict.fromkeys(("split_indices", "split_type", "default_left"), [0] * nodes)
        floats = dict.fromkeys(("base_weights", "sum_hessian", "loss_changes", "split_conditions"), [0.5] * nodes)
        tree["parents"] = [2**31 - 1, *((node - 1) // 2 * 2 for node in range(1, nodes))]
        tree |= {**numbers, **floats, "left_children": left, "right_children": [n + 1 if n > 0 else -1 for n in left]}
        tree["tree_param"]["num_nodes"] = str(nodes)

    with pytest.raises(ValueError, match="deeper than"):
        model_file.read(changed(WHOLE, change))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "property name"),
        (b"{L", "middle of a value"),
        (b"{}", "no learner"),
        (b"[]", "begins neither"),
        (b"\xff\xfe{", "begins neither"),
        (b'{"learner": ' + b"[" * 100_000, "brackets"),
        (
            b'{"a": ' + b'{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": ' * 5_000 + b"1" + b"}" * 5_001,
            r"deep|recursion|no learner",
        ),
        (b'{"learner": ' + b"9" * 100_000 + b"}", r"."),
        (b'{"learner": {"x": NaN}}', "learner_model_param"),
        (b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{", "middle of a value"),
        (b"{L\xff\xff\xff\xff\xff\xff\xff\xff", "length"),
        (b"{U\x01aZ}x", "follows the end"),
        (b"{U\x01aZU\x01aZ}", "twice"),
        (b"{U\x01\xffZ}", "UTF-8"),
        (b"{U\x01a[$T#L\x7f\xff\xff\xff\xff\xff\xff\xff}", "no number"),
        (b"{U\x01a[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff}", "length"),
        (b"{U\x01a[$d#U\x04" + b"\x00" * 8, "longer than what is left"),
        (b"{U\x01a[$dU\x04}", "without its length"),
        (b"{U\x01a[#U\xff}", "length|middle"),
        (b"{U\x01aQ}", "begins no value"),
        (b"{U\x01aSd}", "begins no length"),
        (b"{U\x01a" + b"[" * 200, "nested deeper"),
        (b"{U\x01a" + b"[]" * 200, "begins no"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_text_and_bytes_that_are_no_model(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        model_file.read(content)


def test_ubjson_values() -> None:
    content = (
        b"{U\x01a[i\x01U\xffI\x00\x02l\x00\x00\x00\x03d\x3f\x80\x00\x00D\x3f\xf0\x00\x00\x00\x00\x00\x00TFZC!]"
        b"U\x01b[$l#U\x01\x00\x00\x00\x05}"
    )
    found = ubjson.decode(content)
    assert found["a"] == [1, 255, 2, 3, 1.0, 1.0, True, False, None, "!"]
    assert found["b"].tolist() == [5]
    assert ubjson.decode(b"{#U\x01U\x01aSU\x02hi") == {"a": "hi"}
    assert ubjson.decode(b"[#U\x02ZZ") == [None, None]


def test_reading_takes_little_more_memory_than_the_file() -> None:
    """The worst files: nothing but small members."""
    for content in (
        b"[" + b"Z" * 2_000_000 + b"]",
        b"[" + (b"{}" + b"T" * 30) * 60_000 + b"]",
        b"[" + b"d\x3f\x9d\xf3\xb6" * 300_000 + b"]",
        b"[" + b"SU\x02ab" * 300_000 + b"]",
    ):
        tracemalloc.start()
        ubjson.decode(content)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 15 * len(content)


SEEDS = [
    trained().save_raw("ubj"),
    trained().save_raw("json"),
    json.dumps(CATEGORICAL).encode(),
    trained("multi:softprob", num_class=3).save_raw("ubj"),
]
TOKENS = [
    b"[",
    b"]",
    b"{",
    b"}",
    b"$",
    b"#",
    b"L",
    b"l",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"-1",
    b"99999",
    b"NaN",
    b'"',
    b",",
]


def mutants(seed: int, count: int) -> Iterator[bytes]:
    """Model files with bytes changed, cut out, put in twice or put in."""
    source = random.Random(seed)
    for _ in range(count):
        content = bytearray(source.choice(SEEDS))
        for _ in range(source.choice([1, 1, 1, 2, 4])):
            at, to = sorted(source.randrange(len(content)) for _ in range(2))
            kind = source.randrange(5)
            if kind == 0:
                content[at] = source.randrange(256)
            elif kind == 1:
                content[at : at + 4] = source.randbytes(4)
            elif kind == 2:
                del content[at : min(to, at + 50)]
            elif kind == 3:
                content[at:at] = content[at : min(to, at + 50)]
            else:
                content[at:at] = source.choice(TOKENS)
        yield bytes(content)


def survives(content: bytes) -> bool:
    """Whether the content is a model; what the reader lets through, the core evaluates without a fault."""
    try:
        found = model_file.read(content)
    except ValueError:
        return False
    if found.beyond is None and core.native is not None and found.learner.feature_count < 1000:
        rows = np.zeros((17, found.learner.feature_count), np.float32)
        compiled(core.native, found, Path("model")).scores(rows)
    return True


def test_mutants_are_models_or_refused() -> None:
    """Nothing but ValueError, which `load` makes a ModelError."""
    outcomes = [survives(content) for content in mutants(1, 1500)]
    assert any(outcomes)
    assert not all(outcomes)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_a_hundred_thousand_mutants(seed: int) -> None:
    """Issue 3 item 5: fuzz every parser with at least 100,000 inputs."""
    for content in mutants(seed, 10_000):
        survives(content)


def in_every_form(document: dict[str, Any]) -> list[bytes]:
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(json.dumps(document).encode()))
    return [bytes(booster.save_raw(form)) for form in ("json", "ubj")]


def show_to_xgboost(seed: int, count: int) -> None:
    """What the reader lets through of so many mutants, XGBoost loads and evaluates, or refuses by an exception."""
    SEEDS[:] = [
        content for document in (WHOLE, DART, LINEAR, CATEGORICAL, TARGETS) for content in in_every_form(document)
    ]
    for content in mutants(seed, count):
        try:
            learner = model_file.read(content).learner
            refuse_repeated_names(content)
        except ValueError:
            continue
        with contextlib.suppress(ModelError, xgboost.core.XGBoostError):
            booster = library.wrapped(library.load(content, Path("model")))
            booster.scores(np.zeros((3, learner.feature_count), np.float32))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_what_the_reader_lets_through_does_not_end_xgboosts_process(seed: int) -> None:
    """A wrong parent or a missing array of leaves was a segmentation fault inside XGBoost 3.2."""
    code = f"from tests.algorithms.xgboost.test_model_file import show_to_xgboost as show; show({seed}, 3000)"
    root = Path(__file__).parents[3]
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=root, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr[-500:]


@given(st.binary(max_size=200))
@settings(max_examples=500)
def test_any_bytes_are_refused(content: bytes) -> None:
    for start in (b"", b"{", b"{U\x07learner{", b'{"learner":'):
        assert not survives(start + content)
