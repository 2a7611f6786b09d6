"""Training XGBoost: the statements of the XGBoost specification about data, rounds, metrics and artefacts."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest
import xgboost
from sklearn.metrics import f1_score, precision_score

from sagedock.algorithms.xgboost.model import load
from sagedock.contracts import manifest
from sagedock.contracts.hosting import InferenceOptions
from sagedock.formats.table import Table
from tests.algorithms.xgboost import data
from tests.platform import Job

LINE = re.compile(r"^\[\d+\](\t(train|validation)-[^:\t]+:-?\d+\.\d{5})+$")


def booster(job: Job, name: str = "xgboost-model") -> xgboost.Booster:
    loaded = xgboost.Booster()
    loaded.load_model(bytearray((job.model / name).read_bytes()))
    return loaded


def lines(text: str) -> list[dict[str, float]]:
    """The metric lines as mappings from series to value."""
    found = [line.split("\t")[1:] for line in text.splitlines() if line.startswith("[") and "\t" in line]
    return [{pair.rpartition(":")[0]: float(pair.rpartition(":")[2]) for pair in pairs} for pairs in found]


def test_stdout_holds_one_metric_line_per_round_with_real_tabs(make_job, capsys) -> None:
    """Statements 28 and 29."""
    job = make_job(eval_metric="auc,error@0.7")
    assert job.run() == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 5
    assert all(LINE.match(line) for line in printed)
    assert [line.split("\t")[0] for line in printed] == [f"[{number}]" for number in range(5)]
    names = [pair.split(":")[0] for pair in printed[0].split("\t")[1:]]
    assert names == ["train-auc", "train-error@0.7", "validation-auc", "validation-error@0.7"]
    shown = printed[0].replace("\t", "#011")
    assert re.search(r".*\[[0-9]+\].*#011validation-auc:(\S+)", shown)


def test_own_metrics_come_after_the_native_default(make_job, capsys) -> None:
    """Statements 30 and 31, defect 8.1: accuracy is counted at probability 0.5, so it equals 1 - error."""
    assert make_job(eval_metric="accuracy").run() == 0
    first = lines(capsys.readouterr().out)[0]
    assert list(first) == ["train-logloss", "train-accuracy", "validation-logloss", "validation-accuracy"]
    assert make_job("both", eval_metric="accuracy,error").run() == 0
    for line in lines(capsys.readouterr().out):
        assert line["validation-accuracy"] == pytest.approx(1 - line["validation-error"], abs=1e-5)


def test_f1_and_precision_follow_scikit_learn(make_job, capsys) -> None:
    """Statement 32."""
    job = make_job(eval_metric="f1,f1_binary,precision")
    assert job.run() == 0
    last = lines(capsys.readouterr().out)[-1]
    features = data.numbers(150, seed=7)
    labels = data.binary_labels(features)
    predicted = booster(job).inplace_predict(features) > 0.5
    assert last["validation-f1"] == pytest.approx(f1_score(labels, predicted, average="macro"), abs=1e-5)
    assert last["validation-f1_binary"] == pytest.approx(f1_score(labels, predicted), abs=1e-5)
    assert last["validation-precision"] == pytest.approx(precision_score(labels, predicted), abs=1e-5)


def test_the_tuning_metric_joins_the_lines(make_job, capsys) -> None:
    """Statement 33."""
    assert make_job(_tuning_objective_metric="validation:f1").run() == 0
    assert "validation-f1" in lines(capsys.readouterr().out)[0]
    refused = make_job("refused", _tuning_objective_metric="train:auc")
    assert refused.run() == 1
    assert "_tuning_objective_metric" in refused.failure


def test_softmax_metrics_compare_classes(make_job, capsys) -> None:
    """Defect 8.1 for multi:softmax: accuracy is 1 - merror."""
    job = make_job(
        labels=data.classes, objective="multi:softmax", num_class="3", eval_metric="merror,accuracy,f1_macro"
    )
    assert job.run() == 0
    for line in lines(capsys.readouterr().out):
        assert line["train-accuracy"] == pytest.approx(1 - line["train-merror"], abs=1e-5)


def test_early_stopping_keeps_the_rounds_up_to_the_best(make_job, capsys) -> None:
    """Statement 34; the best round's line comes once more at the end, since tuners read the last."""
    job = make_job(num_round="200", eta="0.9", max_depth="6", eval_metric="logloss", early_stopping_rounds="3")
    assert job.run() == 0
    printed = lines(capsys.readouterr().out)
    values = [line["validation-logloss"] for line in printed[:-1]]
    best = int(np.argmin(values))
    assert len(values) == best + 1 + 3
    assert printed[-1]["validation-logloss"] == values[best] == min(values)
    assert booster(job).num_boosted_rounds() == best + 1
    assert job.manifest()["model"]["best_round"] == best


def test_early_stopping_without_eval_metric_goes_by_the_default_and_says_so(make_job, caplog) -> None:
    """Defect 8.4."""
    job = make_job(num_round="200", eta="0.9", max_depth="6", early_stopping_rounds="3")
    assert job.run() == 0
    assert booster(job).num_boosted_rounds() < 200
    assert "early stopping goes by logloss" in caplog.text


def test_eval_metric_without_objective(make_job) -> None:
    """Defect 8.6."""
    job = make_job(eval_metric="mae")
    job.write_config("hyperparameters", {"num_round": "2", "eval_metric": "mae"})
    assert job.run() == 0
    assert job.manifest()["model"]["objective"] == "reg:squarederror"


def test_ndcg_at_n_is_maximised(make_job, capsys) -> None:
    """Defect 8.5: early stopping keeps the round with the greatest ndcg@5."""
    job = Job(make_job().base.parent / "rank", {}, {"SAGEDOCK_ALGORITHM": "xgboost"})
    job.write_config(
        "hyperparameters",
        {
            "objective": "rank:ndcg",
            "num_round": "40",
            "eval_metric": "ndcg@5",
            "early_stopping_rounds": "5",
            "eta": "0.9",
        },
    )
    for channel, seed in (("train", 0), ("validation", 5)):
        features = data.numbers(200, seed=seed)
        grades = data.classes(features + data.numbers(200, seed=seed + 1))
        queries = np.arange(200) // 10
        rows = data.libsvm(grades, features).splitlines()
        text = "".join(
            f"{label} qid:{query} {pairs}\n"
            for query, (label, pairs) in zip(queries, (row.split(" ", 1) for row in rows), strict=True)
        )
        job.add_channel(channel, {"data.libsvm": text})
    assert job.run() == 0
    values = [line["validation-ndcg@5"] for line in lines(capsys.readouterr().out)[:-1]]
    assert booster(job).num_boosted_rounds() == int(np.argmax(values)) + 1


def test_interaction_constraints_work_from_index_zero(make_job) -> None:
    """Defect 8.7: with [[0,1],[2,3]] no path through a tree mixes the groups."""
    job = make_job(tree_method="hist", interaction_constraints="[[0, 1], [2, 3, 4]]", max_depth="4")
    assert job.run() == 0
    trees = [json.loads(tree) for tree in booster(job).get_dump(dump_format="json")]

    def paths(node, seen=()):
        if "leaf" in node:
            yield set(seen)
            return
        for child in node["children"]:
            yield from paths(child, (*seen, node["split"]))

    used = [path for tree in trees for path in paths(tree)]
    assert any(used)
    assert all(path <= {"f0", "f1"} or path <= {"f2", "f3", "f4"} for path in used)


def test_monotone_constraints_hold(make_job) -> None:
    """Statement 15: with the constraint the answer never falls as the feature rises."""
    job = make_job(tree_method="hist", monotone_constraints="(1,0,0,0,0)")
    assert job.run() == 0
    line = np.zeros((50, 5), dtype=np.float32)
    line[:, 0] = np.linspace(-3, 3, 50)
    assert (np.diff(booster(job).inplace_predict(line)) >= 0).all()


def test_gpu_hist_falls_back_to_hist_on_the_cpu(make_job, caplog) -> None:
    """Defect 8.8, on a machine without a GPU."""
    job, plain = make_job("gpu", tree_method="gpu_hist"), make_job("cpu", tree_method="hist")
    assert job.run() == plain.run() == 0
    assert "training with hist on the CPU" in caplog.text
    assert (job.model / "xgboost-model").read_bytes() == (plain.model / "xgboost-model").read_bytes()


def test_the_log_is_free_of_debug_lines(make_job) -> None:
    """Defect 8.13: stdout holds metric lines and nothing else, stderr no word of debugging."""
    done = make_job().process()
    assert done.returncode == 0, done.stderr
    assert all(LINE.match(line) for line in done.stdout.splitlines())
    assert "DEBUG" not in done.stdout + done.stderr


def test_artefact_is_ubjson_that_xgboost_loads(make_job) -> None:
    """Statement 40."""
    job = make_job()
    assert job.run() == 0
    assert (job.model / "xgboost-model").read_bytes()[:2] == b"{L"
    assert booster(job).num_features() == 5


def test_csv_weights_take_column_one(make_job) -> None:
    """Statement 24: the column is no feature, and weights of zero make rows count for nothing."""
    features = data.numbers()
    labels = data.binary_labels(features)
    weights = np.ones(len(labels), dtype=np.float32)
    flipped, zero = 1 - labels, np.zeros_like(weights)
    weighted = np.column_stack([weights, features]), np.column_stack([zero, features])
    text = data.csv(labels, weighted[0]) + data.csv(flipped, weighted[1])
    job = make_job(validation=False, csv_weights="1")
    job.add_channel("train", {"train.csv": text}, ContentType="text/csv")
    plain = make_job("plain", validation=False)
    assert job.run() == plain.run() == 0
    assert job.manifest()["model"]["feature_count"] == 5
    np.testing.assert_allclose(
        booster(job).inplace_predict(features), booster(plain).inplace_predict(features), atol=0.02
    )


@pytest.mark.parametrize("delimiter", ["\t", ";", " ", "|"])
def test_delimiters_train_the_same_model(make_job, delimiter: str) -> None:
    """Statement 27."""
    features = data.numbers(60)
    labels = data.binary_labels(features)
    models = []
    for name, mark in (("comma", ","), ("other", delimiter)):
        job = make_job(name, validation=False)
        job.add_channel("train", {"train.csv": data.csv(labels, features, mark)}, ContentType="csv")
        assert job.run() == 0
        models.append((job.model / "xgboost-model").read_bytes())
    assert models[0] == models[1]


def test_missing_cells_are_not_zeros(make_job) -> None:
    """Statement 25: a model learns from emptiness what it could not learn from zeros."""
    features = np.zeros((200, 2), dtype=np.float32)
    features[::2, 1] = np.nan
    labels = np.isnan(features[:, 1]).astype(np.float32)
    job = make_job(validation=False, min_child_weight="0")
    job.add_channel("train", {"train.csv": data.csv(labels, features)}, ContentType="text/csv")
    assert job.run() == 0
    answer = booster(job).inplace_predict(features)
    assert (answer[labels == 1] > 0.5).all()
    assert (answer[labels == 0] < 0.5).all()


def test_one_based_libsvm_predicts_in_serving_what_it_predicted_in_training(make_job) -> None:
    """Statements 19, 26 and 59, defect 8.2: no content type means libsvm; indices are as written, everywhere."""
    from sagedock.formats.media_types import parse_media_type
    from sagedock.formats.requests import decode

    features = data.numbers()
    text = data.libsvm(data.binary_labels(features), features, first=1)
    job = make_job(validation=False)
    job.add_channel("train", {"train.libsvm": text})
    assert job.run() == 0
    model = load(job.model, manifest.read(job.model), InferenceOptions())
    assert model.feature_count == 6
    shifted = np.column_stack([np.full(len(features), np.nan, dtype=np.float32), features])
    expected = model.predict(Table(shifted)).columns["score"]
    for rows in (text.encode(), b"\n".join(text.encode().splitlines()[5:6])):
        table = decode(rows, parse_media_type("text/x-libsvm")).fitted_to(6)
        got = model.predict(table).columns["score"]
        np.testing.assert_array_equal(got, expected if len(got) > 1 else expected[5:6])


def test_kfold_writes_a_model_per_fold_and_the_summary_lines(make_job, capsys) -> None:
    """Statements 35 and 36."""
    job = make_job(_kfold="5", _num_cv_round="2", eval_metric="error", num_round="3")
    assert job.run() == 0
    assert sorted(file.name for file in job.model.glob("xgboost-model*")) == sorted(
        f"xgboost-model-{n}" for n in range(10)
    )
    printed = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("[3]\t") for line in printed) == 3
    rows = list(csv.reader((job.output_data / "predictions.csv").open()))
    assert len(rows) == 450
    assert all(len(row) == 3 for row in rows)
    labels = np.array([float(row[0]) for row in rows])
    np.testing.assert_array_equal(labels[:300], data.binary_labels(data.numbers(300)))
    assert np.mean([float(row[2]) == float(row[0]) for row in rows]) > 0.7


def test_kfold_of_a_regression_has_two_columns(make_job) -> None:
    """Statement 36."""
    job = make_job(labels=lambda features: features[:, 0], objective="reg:squarederror", _kfold="3")
    assert job.run() == 0
    assert all(len(row) == 2 for row in csv.reader((job.output_data / "predictions.csv").open()))


def test_three_fold_models_answer_together(make_job) -> None:
    """Statement 57, defect 8.9: the mean of probabilities; for classes the vote of each row."""
    features = data.numbers(40, seed=11)
    mean = make_job("mean", _kfold="3")
    vote = make_job("vote", labels=data.classes, objective="multi:softmax", num_class="3", _kfold="3")
    assert mean.run() == vote.run() == 0
    ensemble = InferenceOptions(ensemble=True)
    parts = [booster(mean, f"xgboost-model-{n}").inplace_predict(features) for n in range(3)]
    got = load(mean.model, manifest.read(mean.model), ensemble).predict(Table(features)).columns["score"]
    np.testing.assert_allclose(got, np.mean(parts, axis=0), rtol=1e-6)
    votes = np.array([booster(vote, f"xgboost-model-{n}").inplace_predict(features) for n in range(3)])
    got = load(vote.model, manifest.read(vote.model), ensemble).predict(Table(features)).columns["score"]
    for row, label in enumerate(got):
        counts = np.bincount(votes[:, row].astype(int), minlength=3)
        assert counts[int(label)] == counts.max()


@pytest.mark.parametrize(
    ("objective", "label", "allowed"),
    [
        ("binary:logistic", "5", "in [0, 1]"),
        ("binary:hinge", "-1", "0 or 1"),
        ("count:poisson", "-2", ">= 0"),
        ("reg:gamma", "0", "> 0"),
        ("reg:tweedie", "-1", ">= 0"),
    ],
)
def test_labels_out_of_range_are_the_users_error(make_job, objective: str, label: str, allowed: str) -> None:
    """Statement 62, defect 8.11: our own check names label, row and range."""
    job = make_job(validation=False, objective=objective)
    job.add_channel("train", {"train.csv": f"1,2,3\n{label},2,3\n"}, ContentType="text/csv")
    assert job.run() == 1
    assert job.failure.startswith("UserError: ")
    assert f"label {label} in row 2 of the train channel" in job.failure
    assert allowed in job.failure


def test_classes_beyond_num_class(make_job) -> None:
    """Statement 62 for multi: objectives."""
    job = make_job(labels=data.classes, objective="multi:softprob", num_class="2")
    assert job.run() == 1
    assert "num_class is 2" in job.failure


def test_the_cut_off_is_chosen_on_validation_and_stored(make_job) -> None:
    """Issue item 7: cost of errors."""
    job = make_job(cost_matrix="[[0, 100], [500, 100]]")
    assert job.run() == 0
    decision = job.manifest()["model"]["decision"]
    assert decision["chosen_on"] == "validation"
    features = data.numbers(150, seed=7)
    labels, answer = data.binary_labels(features), booster(job).inplace_predict(features)

    def cost(cut_off: float) -> float:
        treated = answer > cut_off
        return 100 * treated.sum() + 500 * (labels[~treated] == 1).sum()

    assert cost(decision["cut_off"]) == min(cost(cut_off) for cut_off in np.concatenate([[-1], answer]))
    unvalidated = make_job("unvalidated", validation=False, cost_matrix="[[0, 100], [500, 100]]")
    assert unvalidated.run() == 1
    assert "validation channel" in unvalidated.failure


def test_thousands_of_classes_are_reported_without_a_matrix(make_job) -> None:
    """A confusion matrix of so many classes would fill the memory before the model is saved."""
    job = make_job(labels=data.classes, objective="multi:softprob", num_class="2000", num_round="1", max_depth="1")
    assert job.run() == 0, job.failure
    assert "confusion" not in job.metrics()
    assert (job.output_data / "report.html").exists()


def test_a_metric_that_the_data_does_not_define_is_announced(make_job, caplog) -> None:
    """Contract 6: a tuning job would wait for a number that never comes."""
    job = make_job(eval_metric="auc").add_channel("validation", {"v.csv": "1,0,0,0,0,0\n"}, ContentType="text/csv")
    assert job.run() == 0
    assert "validation-auc cannot be computed on this data" in caplog.text


def test_feature_names_reach_the_manifest(make_job) -> None:
    """The addition of ours: a channel of names, checked against the columns."""
    job = make_job().add_channel("feature-names", {"names.txt": "a\nb\nc\nd\ne\n"})
    assert job.run() == 0
    assert job.manifest()["model"]["feature_names"] == list("abcde")
    wrong = make_job("wrong").add_channel("feature-names", {"names.txt": "a\nb\n"})
    assert wrong.run() == 1
    assert "5 feature columns" in wrong.failure


@pytest.mark.parametrize(
    "extra",
    [
        {"booster": "dart", "rate_drop": "0.3"},
        {"booster": "gblinear", "updater": "coord_descent"},
        {"objective": "reg:squarederror"},
        {"objective": "reg:logistic"},
        {"objective": "reg:pseudohubererror"},
        {"objective": "reg:absoluteerror"},
        {"objective": "binary:logitraw"},
        {"objective": "binary:hinge"},
        {"objective": "rank:pairwise"},
        {"objective": "count:poisson"},
        {"objective": "survival:cox"},
        {"tree_method": "exact"},
        {"tree_method": "approx"},
        {"grow_policy": "lossguide", "max_leaves": "7", "tree_method": "hist"},
        {"num_parallel_tree": "3", "subsample": "0.5", "colsample_bynode": "0.5"},
        {"updater": "grow_colmaker,prune"},
        {"seed": "-5"},
        {"base_score": "0.4", "scale_pos_weight": "2", "max_delta_step": "1", "alpha": "0.1", "lambda": "2"},
    ],
    ids=lambda extra: ",".join(extra.values()),
)
def test_every_kind_of_booster_and_objective_trains_and_reports(make_job, extra: dict[str, str]) -> None:
    """Issue item 5: the settings of the specification's tables give a model, a report and metrics."""
    job = make_job(**extra)
    assert job.run() == 0, job.failure
    answer = load(job.model, manifest.read(job.model), InferenceOptions()).predict(Table(data.numbers(4)))
    assert np.isfinite(answer.columns["score"]).all()
    assert (job.output_data / "report.html").stat().st_size < 3_000_000
    assert job.metrics()
