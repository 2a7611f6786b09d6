"""The report: its measures against scikit-learn's, its pictures, and arrays as odd as a job may leave them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn import metrics as sklearn

from sagedock.algorithms.image_classification import calibration, mistakes, presence, thumbnails
from sagedock.algorithms.image_classification.judgement import Judgement
from sagedock.algorithms.image_classification.report import Epoch, Run, made
from sagedock.figures import Facts, Gallery, Grid, LineChart, MatrixChart
from sagedock.reports.page import render

NAMES = ("ant", "bee 蜂", "a very long name of a class of pictures that goes on and on and on", "<b>wasp</b>")


def judged(rows: int, classes: int, seed: int = 0, *, multi_label: bool = False, names: bool = True) -> Judgement:
    """Probabilities that are right more often than not."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(rows, classes))
    places = [f"record {row} of validation.rec" for row in range(rows)]
    called = [f"{NAMES[place % 4]} {place}" for place in range(classes)] if names else ()
    if multi_label:
        labels = (random.random((rows, classes)) < 0.3).astype(np.float32)
        probabilities = 1 / (1 + np.exp(-(logits + 2 * labels - 1)))
        return Judgement(probabilities.astype(np.float32), labels, places, called)
    numbers = random.integers(0, classes, rows)
    logits[np.arange(rows), numbers] += 1.5
    powers = np.exp(logits)
    return Judgement((powers / powers.sum(axis=1, keepdims=True)).astype(np.float32), numbers, places, called)


def run(accuracy: float = 0.5, **changes: Any) -> Run:
    epochs = [Epoch(2.0 - 0.1 * n, 0.1 * n, 0.1 * n if n != 3 else accuracy, 0.1, 1.0, 2.0) for n in range(4)]
    facts = [("Weights at the start", "random"), ("Training", "all of the network")]
    return Run(**({"hyperparameters": {"epochs": "4"}, "epochs": epochs, "best_epoch": 3, "facts": facts} | changes))


def pictures(rows: Collection[int]) -> Mapping[int, NDArray[np.uint8]]:
    """Noise, which compresses worst."""
    return {row: np.random.default_rng(row).integers(0, 256, (3, 300, 200), dtype=np.uint8) for row in rows}


def explain(given: NDArray[np.uint8], classes: Any) -> NDArray[np.float32]:
    assert len(given) == len(classes)
    return np.ones((len(given), *given.shape[2:]), np.float32)


@pytest.mark.parametrize("classes", [2, 10, 257])
def test_classes_are_measured_as_scikit_learn_does(classes: int) -> None:
    """Issue 8 item 6: the confusion matrix and the table of classes."""
    judgement = judged(600, classes)
    found, _ = made(run(train_counts=list(range(classes))), judgement)
    validation = found["validation"]
    told = judgement.probabilities.argmax(axis=1)
    counts = sklearn.confusion_matrix(judgement.labels, told, labels=range(classes))
    assert validation["confusion"]["counts"] == counts.tolist()
    assert validation["accuracy"] == pytest.approx(sklearn.accuracy_score(judgement.labels, told))
    expected = sklearn.precision_recall_fscore_support(
        judgement.labels, told, labels=range(classes), zero_division=np.nan
    )
    for name, values in zip(("precision", "recall", "f1", "pictures"), expected, strict=True):
        mine = [np.nan if each[name] is None else each[name] for each in validation["classes"]]
        np.testing.assert_allclose(mine, values, err_msg=name)
    assert [each["training_pictures"] for each in validation["classes"]] == list(range(classes))
    worst = validation["confused_most"][0]
    assert worst["pictures"] == (counts - np.diag(counts.diagonal())).max()


def test_several_classes_a_picture_are_measured_as_scikit_learn_does() -> None:
    """Issue 8 item 6, multi_label: average precision by class, and thresholds; image 47."""
    judgement = judged(400, 6, multi_label=True)
    judgement.probabilities[::3] = judgement.probabilities[::3].round(1)  # ties
    judgement.labels[:, 5] = 0  # a class without pictures
    found, figures = made(run(), judgement)
    validation = found["validation"]
    assert validation["accuracy"] == pytest.approx((judgement.labels == (judgement.probabilities > 0.5)).mean())
    for place, each in enumerate(validation["classes"][:5]):
        truth, sure = judgement.labels[:, place], judgement.probabilities[:, place]
        assert each["average_precision"] == pytest.approx(sklearn.average_precision_score(truth, sure))
        precision, recall, _ = sklearn.precision_recall_curve(truth, sure)
        best = (2 * precision * recall / np.maximum(precision + recall, 1e-12)).max()
        assert each["best_f1"] == pytest.approx(best)
        assert each["best_f1"] == pytest.approx(sklearn.f1_score(truth, sure > each["best_threshold"]))
    assert validation["classes"][5]["average_precision"] is None
    assert any(isinstance(figure, Grid) and "Best threshold" in figure.columns for figure in figures)


def test_the_calibration_error_is_that_of_its_paper() -> None:
    """By hand: two bins of 15 hold 4 and 6 pictures, of confidence 0.9 and 0.6, right 3 and 3 times."""
    found = calibration.of([0.9] * 4 + [0.6] * 6, [1, 1, 1, 0, 1, 1, 1, 0, 0, 0])
    assert found["expected_calibration_error"] == pytest.approx(0.4 * abs(0.9 - 0.75) + 0.6 * abs(0.6 - 0.5))
    assert sum(found["counts"]) == 10
    assert calibration.of([0.0, 1.0], [0, 1])["counts"] == [1, *[0] * 13, 1]


def test_the_surest_mistakes_come_first() -> None:
    judgement = judged(300, 5)
    worst = mistakes.worst(judgement)
    sure = [each.probability for each in worst]
    assert sure == sorted(sure, reverse=True)
    wrong = judgement.probabilities.argmax(axis=1) != judgement.labels
    assert sure[0] == judgement.probabilities.max(axis=1)[wrong].max()
    assert all(wrong[each.row] for each in worst)
    explained = mistakes.chosen(judgement, worst)
    assert [each.wrong for each in explained] == [True] * 3 + [False] * 3
    assert len({each.told for each in explained[3:]}) == 3


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("classes", [1, 2, 10, 257])
def test_a_report_shows_all_and_stays_small(classes: int, multi_label: bool) -> None:
    """Issue 8 item 6: the pictures of the worst kind that there are take less than a megabyte together."""
    judgement = judged(500, classes, multi_label=multi_label)
    found, figures = made(run(squashed_accuracy=0.25), judgement, pictures, explain)
    page = render("report", "job", figures)
    assert json.dumps(found, allow_nan=False)
    assert len(page) < 1_200_000
    assert "-25.00" in page
    assert any(isinstance(figure, MatrixChart) for figure in figures) is not multi_label
    shown = [picture for figure in figures if isinstance(figure, Gallery) for picture in figure.pictures]
    if classes > 1:
        assert len(shown) == mistakes.MISTAKES + mistakes.EXPLAINED
        assert "Selvaraju" in page
    titles = {figure.title for figure in figures if isinstance(figure, LineChart)}
    assert titles == {"Accuracy", "Loss", "Learning rate", "Reliability"}
    assert "<b>wasp" not in page


def test_a_diverged_or_stopped_job_has_a_report_too() -> None:
    """Never a failed job: no numbers, no pictures, no epochs, classes that nothing was seen of."""
    odd = judged(9, 3)
    odd.probabilities[:] = np.nan
    found, figures = made(run(float("nan")), odd, pictures, explain)
    assert found["undefined_pictures"] == 9
    assert found["validation"] is None
    assert json.dumps(found, allow_nan=False)
    assert render("r", "j", figures)
    half = judged(9, 3, names=False)
    half.probabilities[:4] = np.inf
    found, _ = made(run(), half, lambda _: {}, None)
    assert (found["undefined_pictures"], found["validation"]["pictures"]) == (4, 5)
    found, figures = made(run(epochs=[], best_epoch=0, facts=()), None)
    assert found["validation_accuracy"] is None
    assert [figure.title for figure in figures if isinstance(figure, Facts)] == ["Key figures", "Hyperparameters"]
    empty = Judgement(np.zeros((0, 3), np.float32), np.zeros(0, np.int64), [])
    assert made(run(), empty)[0]["validation"] is None


def test_pictures_that_cannot_be_had_are_left_out() -> None:
    judgement = judged(300, 4)
    worst = [each.row for each in mistakes.worst(judgement)]
    _, figures = made(run(), judgement, lambda rows: pictures([row for row in rows if row in worst[:2]]), explain)
    assert [len(figure.pictures) for figure in figures if isinstance(figure, Gallery)] == [2, 2]


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 224, 224), (3, 500, 20), (4, 64, 64), (3, 1, 1)])
def test_a_thumbnail_is_the_picture_in_small(shape: tuple[int, int, int]) -> None:
    picture = np.full(shape, 40, np.uint8)
    picture[0] = 200
    kind, _, encoded = thumbnails.uri(picture).partition(";base64,")
    assert kind in {"data:image/png", "data:image/jpeg"}
    content = base64.b64decode(encoded, validate=True)
    assert len(content) <= thumbnails.MOST_BYTES
    image = Image.open(io.BytesIO(content))
    assert max(image.size) <= thumbnails.SIDE
    expected = (200, 200, 200) if shape[0] == 1 else (200, 40, 40)
    np.testing.assert_allclose(np.asarray(image.convert("RGB")).mean(axis=(0, 1)), expected, atol=4)


def test_heat_lies_where_it_matters() -> None:
    importance = np.zeros((20, 20), np.float32)
    importance[5:10, 5:10] = 3
    importance[0, 0] = np.nan
    drawn = thumbnails.overlaid(np.full((3, 20, 20), 100, np.uint8), importance).astype(int).sum(axis=0)
    assert drawn[5:10, 5:10].min() > drawn[12:, 12:].max()
    assert drawn[0, 0] == drawn[19, 19]
    nothing = thumbnails.overlaid(np.full((1, 20, 20), 100, np.uint8), np.zeros((20, 20), np.float32))
    assert len(np.unique(nothing[0])) == 1


def test_probabilities_of_no_class_have_no_threshold() -> None:
    found = presence.of_class([0.2, 0.8], [0, 0])
    assert (found["average_precision"], found["recall"], found["precision"]) == (None, None, 0.0)
