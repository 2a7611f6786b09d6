"""Texts in the compiled core: the same answers as Python's, on every instruction set, and no arrays do harm."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from sagedock import core
from sagedock.algorithms.blazingtext import corpus, order
from sagedock.algorithms.blazingtext.classifier import Classifier
from sagedock.algorithms.blazingtext.classifier_trainer import ClassifierSettings, ClassifierTrainer
from sagedock.algorithms.blazingtext.corpus import Examples
from sagedock.algorithms.blazingtext.dictionary import Dictionary
from sagedock.algorithms.blazingtext.ngrams import Ngrams
from sagedock.algorithms.blazingtext.probabilities import LOSSES
from sagedock.algorithms.blazingtext.vocabulary import NativeVocabulary, PythonVocabulary
from tests.algorithms.blazingtext.corpora import topics

LABELS = 19
EXTRAS = [{}, {"idf": True, "shuffle": True}]

native = core.native
if native is None:
    pytest.skip("the core is not built: install g++ and run scripts/setup", allow_module_level=True)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    text = topics(700, labels=LABELS) + "__label__1 __label__2 all1 all2 w1x1\n" * 20
    folder = tmp_path_factory.mktemp("examples")
    return corpus.read_examples([[text.encode()]], folder, min_count=1, ngrams=Ngrams(3000, word_ngrams=3))


def trained(examples: Examples, dim: int, threads: int = 1, **extras: Any) -> ClassifierTrainer:
    weights = np.linspace(0.5, 1.5, LABELS).astype(np.float32)
    settings = ClassifierSettings(dim, 0.4, 2, **extras)
    trainer = ClassifierTrainer(examples, settings, weights=weights, seed=3, threads=threads)
    for epoch in range(2):
        trainer.epoch(epoch)
    return trainer


@pytest.mark.parametrize("extras", EXTRAS, ids=["plain", "extras"])
@pytest.mark.parametrize("dim", [1, 16, 21, 100, 300])
def test_training_is_the_same_on_every_instruction_set(examples: Examples, dim: int, extras: dict[str, Any]) -> None:
    """Bit for bit: sums have their order, and nothing is fused."""
    models = []
    for name in native.instruction_sets():
        native.use_instruction_set(name)
        trainer = trained(examples, dim, **extras)
        models.append(trainer.input.tobytes() + trainer.output.tobytes())
    assert len(set(models)) == 1


@pytest.mark.parametrize("extras", EXTRAS, ids=["plain", "extras"])
def test_the_core_learns_what_python_learns(
    examples: Examples, extras: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same steps, whose sums have another order."""
    compiled = trained(examples, 21, **extras)
    monkeypatch.setattr(core, "native", None)
    plain = trained(examples, 21, **extras)
    assert compiled.input == pytest.approx(plain.input, abs=2e-4)
    assert compiled.output == pytest.approx(plain.output, abs=2e-4)
    assert np.abs(compiled.output).max() > 0.1


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dim", [1, 16, 21, 100])
def test_predictions_are_pythons_to_the_bit(
    examples: Examples, loss: str, dim: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of texts and of examples, for each loss, on every instruction set and in several threads."""
    random = np.random.default_rng(dim)
    rows = random.normal(size=(examples.dictionary.rows, dim)).astype(np.float32)
    outputs = random.normal(size=(LABELS, dim)).astype(np.float32)
    texts = [line.partition(" ")[2].encode() for line in topics(60, labels=LABELS, seed=5).splitlines()] + [b"", b"x"]
    answers = []
    for name in (*native.instruction_sets(), "python"):
        if name == "python":
            monkeypatch.setattr(core, "native", None)
        else:
            native.use_instruction_set(name)
        model = Classifier(examples.dictionary, rows, outputs, loss)
        if name == "python":
            model.__dict__["native"] = None
        found = model.predict(texts, k=LABELS)
        labels, best = model.predict_examples(examples, 3)
        bits = b"".join(one.probabilities.tobytes() for one in found) + best.tobytes() + labels.tobytes()
        answers.append(([one.labels for one in found], bits))
    assert len(answers) > 1
    assert all(one == other for one, other in pairwise(answers))


def test_threads_change_nothing_in_what_is_predicted(examples: Examples) -> None:
    """More threads than the examples are worth, too."""
    many = corpus_of(examples, 40)
    model = trained(examples, 100).classifier()
    one, several, most = (model.predict_examples(many, threads) for threads in (1, 3, 1000))
    for labels, found in (several, most):
        assert labels.tobytes() == one[0].tobytes()
        assert found.tobytes() == one[1].tobytes()


def corpus_of(examples: Examples, times: int) -> Examples:
    """The examples again and again, so that they are worth several threads."""
    lengths = np.tile(np.diff(examples.starts), times)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return replace(examples, rows=np.tile(examples.rows, times), starts=starts)


def test_several_threads_learn_as_well(examples: Examples) -> None:
    """Hogwild: not the same bits, much the same accuracy; and all lines are learnt."""
    found = []
    for threads in (1, 3):
        trainer = ClassifierTrainer(examples, ClassifierSettings(20, 0.5, 15), seed=1, threads=threads)
        for epoch in range(15):
            trainer.epoch(epoch)
        labels, _ = trainer.classifier().predict_examples(examples, threads)
        found.append(np.mean(labels[:700] == examples.labels[:700]))
    assert min(found) > 0.9
    assert abs(found[0] - found[1]) < 0.03


def arguments(examples: Examples) -> dict[str, Any]:
    """What `learn` is given for one epoch."""
    count, tokens = len(examples.starts) - 1, int(examples.token_starts[-1])
    return {
        "input": np.ones((len(examples.seen), 16), np.float32),
        "output": np.zeros((LABELS, 16), np.float32),
        "rows": np.array(examples.rows),
        "starts": np.array(examples.starts),
        "labels": np.array(examples.labels),
        "label_starts": np.array(examples.label_starts),
        "token_starts": np.array(examples.token_starts),
        "order": np.arange(count),
        "weights": np.ones(LABELS, np.float32),
        "scales": np.ones(len(examples.seen), np.float32),
        "first": 0,
        "last": count,
        "rate": 0.1,
        "tokens_before": 0,
        "tokens_in_all": tokens,
        "seed": 0,
        "epoch": 0,
        "threads": 1,
    }


WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a row too high": lambda given: given["rows"].__setitem__(7, len(given["input"])),
    "a row below zero": lambda given: given["rows"].__setitem__(7, -1),
    "a label too high": lambda given: given["labels"].__setitem__(3, LABELS),
    "starts that fall": lambda given: given["starts"].__setitem__(2, given["starts"][1] - 1),
    "an example without a row": lambda given: given["starts"].__setitem__(2, given["starts"][1]),
    "an example without a label": lambda given: given["label_starts"].__setitem__(2, given["label_starts"][1]),
    "an order beyond the examples": lambda given: given["order"].__setitem__(0, len(given["order"])),
    "too few weights": lambda given: given.update(weights=given["weights"][1:].copy()),
    "too few scales": lambda given: given.update(scales=given["scales"][1:].copy()),
    "too short an order": lambda given: given.update(order=given["order"][1:].copy()),
    "too few rows": lambda given: given.update(rows=given["rows"][:-1].copy()),
    "seventeen columns": lambda given: given.update(input=np.zeros((len(given["input"]), 17), np.float32)),
    "matrices of different columns": lambda given: given.update(output=np.zeros((LABELS, 32), np.float32)),
    "examples beyond the last": lambda given: given.update(last=given["last"] + 1),
    "no tokens": lambda given: given.update(tokens_in_all=0),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_learning_refuses_what_does_not_fit(examples: Examples, wrong: str) -> None:
    """Before anything is learnt."""
    given = arguments(examples)
    matrices = given["input"], given["output"]
    WRONG[wrong](given)
    with pytest.raises(ValueError, match=r"\w"):
        native.learn(**given)
    assert np.all(matrices[0] == 1)
    assert not matrices[1].any()


def test_learning_takes_what_fits(examples: Examples) -> None:
    given = arguments(examples)
    assert native.learn(**given) > 0
    assert given["output"].any()


def test_a_compiled_step_follows_the_numerical_gradient() -> None:
    """Issue 5 item 2: of the cross-entropy by both matrices, in doubles; a row comes twice, rows are scaled."""
    random = np.random.default_rng(4)
    inputs, outputs = random.normal(size=(6, 16)) / 3, random.normal(size=(3, 16)) / 3
    rows, label, rate, step = [1, 4, 4, 0], 2, 1e-2, 1e-5
    scales = np.array([1, 2, 1, 1, 0.5, 1], np.float32)

    def loss(first: Any, second: Any) -> float:
        scores = second @ first[rows].mean(axis=0)
        return float(np.log(np.exp(scores).sum()) - scores[label])

    moved = inputs.astype(np.float32), outputs.astype(np.float32)
    found = native.learn(
        *moved,
        np.array(rows, np.int32),
        np.array([0, 4]),
        np.array([label], np.int32),
        np.array([0, 1]),
        np.array([0, 5]),
        order=None,
        weights=np.ones(3, np.float32),
        scales=scales,
        first=0,
        last=1,
        rate=rate,
        tokens_before=0,
        tokens_in_all=5,
        seed=0,
        epoch=0,
        threads=1,
    )
    assert found == pytest.approx(loss(inputs, outputs), abs=1e-5)
    for which, matrix in enumerate((inputs, outputs)):
        for place in np.ndindex(matrix.shape):
            pair = [inputs.copy(), outputs.copy()]
            pair[which][place] += step
            above = loss(*pair)
            pair[which][place] -= 2 * step
            gradient = (above - loss(*pair)) / (2 * step)
            scale = scales[place[0]] if which == 0 else 1
            assert moved[which][place] - matrix[place] == pytest.approx(-rate * scale * gradient, abs=1e-6)


@pytest.mark.parametrize("longest", [-5, 0, 1, 2, 5, 100])
def test_lines_have_pythons_rows_whatever_the_longest_ngram(longest: int) -> None:
    """What a model file says of it; of a pruned model, with as many buckets as there may be."""
    kept = {7: 0, 2**31 - 2: 1, **{bucket: 2 + bucket for bucket in range(6)}}
    for ngrams, places in ((Ngrams(50, word_ngrams=longest), None), (Ngrams(2**31 - 1, 2, 3, longest), kept)):
        made = Dictionary([b"a", b"the"], [b"__label__x"], np.array([3, 2, 1]), 6, ngrams, kept=places)
        for text in (b"", b"a", b"the a the __label__x b the", b"a " * 300):
            assert made.native is not None
            assert made.native.rows(text).tolist() == made.line(text)[0]


class Adversary:
    """Keys that are decided as they are compared, so that sorting takes as long as it can.

    Source: McIlroy, A Killer Adversary for Quicksort, 1999.
    """

    def __init__(self, count: int) -> None:
        self.values = [count] * count  # not decided yet
        self.decided = self.candidate = 0

    def less(self, one: int, other: int) -> bool:
        open_ones = [place for place in (one, other) if self.values[place] == len(self.values)]
        if len(open_ones) == 2:
            self.values[one if one == self.candidate else other] = self.decided
            self.decided += 1
        open_ones = [place for place in (one, other) if self.values[place] == len(self.values)]
        self.candidate = open_ones[0] if open_ones else self.candidate
        return self.values[one] < self.values[other]


@functools.total_ordering
class Key:
    def __init__(self, adversary: Adversary, place: int) -> None:
        self.adversary, self.place = adversary, place

    def __lt__(self, other: Key) -> bool:
        return self.adversary.less(self.place, other.place)


def test_words_of_equal_counts_have_the_order_of_the_standard_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """blazingtext 6: Python sorts as std::sort does, equal counts too, also where that falls back on a heap."""
    adversary = Adversary(300)
    order.by_key([Key(adversary, place) for place in range(300)])  # type: ignore[misc]
    heaps = []
    heap_sort = order._Sorter._heap_sort
    monkeypatch.setattr(order._Sorter, "_heap_sort", lambda *given: (heaps.append(given), heap_sort(*given)))
    made = NativeVocabulary(native.Vocabulary(b"__label__", 10_000, 100)), PythonVocabulary(b"__label__", 10_000)
    for halved in (1, 2):
        words = (b"w%d " % place * (301 - value // halved) for place, value in enumerate(adversary.values))
        text = b"".join(words)
        for one in made:
            one.feed(text)
        compiled, plain = (one.counted(1) for one in made)
        assert list(compiled.words) == list(plain.words)
        assert compiled.final.tolist() == plain.final.tolist()
    assert heaps
