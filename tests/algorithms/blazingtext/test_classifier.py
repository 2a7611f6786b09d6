"""Prediction against fastText's own, for each of its losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sagedock.algorithms.blazingtext import corpus, probabilities
from sagedock.algorithms.blazingtext.classifier import Classifier
from sagedock.algorithms.blazingtext.dictionary import Dictionary
from sagedock.algorithms.blazingtext.ngrams import Ngrams
from sagedock.algorithms.blazingtext.probabilities import Tree
from sagedock.errors import ModelError
from tests.algorithms.blazingtext.corpora import in_blocks, texts, topics, with_random_matrices

pytestmark = pytest.mark.usefixtures("way")

LABELS = 7
AT_AN_EDGE = (
    f"naïve movie __label__ é é __label__ the __label__ 日本 __label__1 __label__ movie the the {'x' * 50} {'x' * 50}"
)
"""A text of which a label's score lies between two entries of fastText's table of sigmoids."""
TEXT = topics(600, labels=LABELS).encode() + b"__label__1 the movie was excellent\n"


@pytest.fixture(scope="module", params=probabilities.LOSSES)
def models(
    way: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Classifier]:
    """A model of fastText's, and its numbers as ours has them."""
    folder = tmp_path_factory.mktemp("classifier")
    theirs = with_random_matrices(folder, TEXT, dim=21, loss=request.param, wordNgrams=2, minn=2, maxn=3)
    ngrams = Ngrams(1000, 2, 3, 2)
    dictionary = corpus.read_examples([in_blocks(TEXT, 1000)], folder, min_count=1, ngrams=ngrams).dictionary
    return theirs, Classifier(dictionary, theirs.get_input_matrix(), theirs.get_output_matrix(), request.param)


def lines(count: int) -> list[str]:
    return [line.partition(" ")[2] for line in topics(count, labels=LABELS, seed=5).splitlines()]


def steps(ours: Classifier, line: str) -> dict[str, float]:
    """By how much each label's probability may differ: where a score lies at an edge of fastText's table of sigmoids,
    rounding decides which entry is taken."""
    names = [label.decode() for label in ours.dictionary.labels]
    if ours.loss not in {probabilities.NEGATIVE, probabilities.ONE_VS_ALL}:
        return dict.fromkeys(names, 0.0)
    rows, _ = ours.dictionary.line(line.encode())
    scores, table = ours.output @ ours.input[rows].mean(axis=0), probabilities.sigmoid_table()
    low, high = (probabilities.tabled_sigmoid(scores + np.float32(apart), table) for apart in (-1e-5, 1e-5))
    return dict(zip(names, (high - low).tolist(), strict=True))


def check(models: tuple[Any, Classifier], line: str) -> None:
    theirs, ours = models
    found = ours.predict([line.encode()], k=LABELS)[0]
    probability = {ours.dictionary.labels[label].decode(): p for label, p in zip(*vars(found).values(), strict=True)}
    labels, expected = theirs.predict(line, k=LABELS)
    step = steps(ours, line)
    for label, value in zip(labels, expected.tolist(), strict=True):
        assert probability[label] == pytest.approx(value, abs=1e-5 + step[label])
    assert np.all(np.diff(found.probabilities) <= 0)
    assert len(found.labels) == LABELS
    assert found.probabilities[0] == pytest.approx(expected[0], abs=1e-5 + max(step.values()))


def test_probabilities_are_fasttexts(models: tuple[Any, Classifier]) -> None:
    """blazingtext 12, 16: of each loss; softmax's add up to 1."""
    for line in ["", *lines(100)]:
        check(models, line)


@given(texts)
@example(AT_AN_EDGE)
def test_of_any_text_too(models: tuple[Any, Classifier], text: str) -> None:
    check(models, text.replace("\n", " "))


def test_the_shares_of_softmax_add_up(models: tuple[Any, Classifier]) -> None:
    """blazingtext 12."""
    _, ours = models
    if ours.loss in {"softmax", "hs"}:
        for prediction in ours.predict([line.encode() for line in lines(20)], k=100):
            assert prediction.probabilities.sum() == pytest.approx(1, abs=1e-3)


def test_a_threshold_leaves_labels_out_as_fasttext_does(models: tuple[Any, Classifier]) -> None:
    theirs, ours = models
    for line in lines(30):
        found = ours.predict([line.encode()], k=LABELS, threshold=0.2)[0]
        assert len(found.labels) == len(theirs.predict(line, k=LABELS, threshold=0.2)[0])


def test_each_text_may_have_its_own_k(models: tuple[Any, Classifier]) -> None:
    _, ours = models
    found = ours.predict([b"all1", b"all2"], k=[1, 3])
    assert [len(each.labels) for each in found] == [1, 3]


def small(**given: Any) -> Classifier:
    dictionary = Dictionary([b"</s>", b"a"], [b"__label__x", b"__label__y"], np.array([2, 2, 1, 1]), 6)
    parts: dict[str, Any] = {"input": np.eye(2, dtype=np.float32), "output": np.eye(2, dtype=np.float32)} | given
    return Classifier(dictionary, **parts)


def test_of_labels_alike_the_first_comes_first() -> None:
    found = small(output=np.zeros((2, 2), np.float32)).predict([b"a"], k=2)[0]
    assert found.labels == [0, 1]
    assert found.probabilities.tolist() == [np.float32(0.50001)] * 2


def test_a_text_without_rows_is_answered() -> None:
    """blazingtext 28: also where `</s>` is too rare to be known."""
    dictionary = Dictionary([b"a"], [b"__label__x", b"__label__y"], np.array([2, 1, 1]), 4)
    model = Classifier(dictionary, np.ones((1, 2), np.float32), np.eye(2, dtype=np.float32))
    assert len(model.predict([b""])[0].labels) == 1


def test_rows_that_are_not_held_are_zeros() -> None:
    whole = small(input=np.array([[0, 0], [1, 2]], np.float32))
    held = small(input=np.array([[1, 2]], np.float32), places=np.array([-1, 0], np.int32))
    for text in (b"", b"a", b"a a"):
        assert (
            held.predict([text], k=2)[0].probabilities.tolist() == whole.predict([text], k=2)[0].probabilities.tolist()
        )


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"loss": "glove"}, "glove"),
        ({"input": np.zeros((3, 2), np.float32)}, "3 rows"),
        ({"output": np.zeros((3, 2), np.float32)}, "output matrix"),
        ({"output": np.zeros((2, 3), np.float32)}, "output matrix"),
        ({"output": np.full((2, 2), np.nan, np.float32)}, "finite"),
        ({"places": np.array([0, 2], np.int32)}, "place"),
        ({"places": np.array([-2, 0], np.int32)}, "place"),
        ({"places": np.array([0], np.int32)}, "place"),
    ],
)
def test_parts_that_do_not_fit_are_refused(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        small(**wrong)


def test_absurd_counts_make_no_tree() -> None:
    for counts in ([1, -1], [10**15, 1]):
        with pytest.raises(ValueError, match="count"):
            Tree.of(counts)


def test_a_model_that_holds_no_number_says_so() -> None:
    with pytest.raises(ModelError, match="not finite"):
        small(input=np.full((2, 2), np.inf, np.float32)).predict([b"a"])


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40))
def test_every_label_has_its_leaf(counts: list[int]) -> None:
    tree = Tree.of(sorted(counts, reverse=True))
    children = sorted([*tree.left.tolist(), *tree.right.tolist()])
    assert children == list(range(2 * len(counts) - 2))
    scores = np.random.default_rng(1).normal(size=len(counts)).astype(np.float32)
    assert tree.probabilities(scores).sum() == pytest.approx(1, abs=1e-3 * len(counts))
