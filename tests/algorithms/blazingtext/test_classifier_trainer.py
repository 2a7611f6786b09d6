"""Training a classifier: against numerical gradients, against itself, and that it learns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sagedock.algorithms.blazingtext import classifier_trainer, corpus, probabilities
from sagedock.algorithms.blazingtext.classifier_trainer import ClassifierProgress, ClassifierSettings, ClassifierTrainer
from sagedock.algorithms.blazingtext.corpus import Examples
from sagedock.algorithms.blazingtext.ngrams import Ngrams
from tests.algorithms.blazingtext.corpora import topics

pytestmark = pytest.mark.usefixtures("way")

Read = Callable[..., Examples]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_one(text: str, *, name: str = "train") -> Examples:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return corpus.read_examples([[text.encode()]], folder, min_count=1, ngrams=Ngrams(5000, word_ngrams=2))

    return read_one


def trained(examples: Examples, *, seed: int = 0, **settings: Any) -> ClassifierTrainer:
    chosen = ClassifierSettings(**{"vector_dim": 10, "learning_rate": 0.3, "epochs": 3} | settings)
    trainer = ClassifierTrainer(examples, chosen, seed=seed)
    for epoch in range(chosen.epochs):
        assert trainer.epoch(epoch)
    return trainer


def accuracy(trainer: ClassifierTrainer, examples: Examples) -> float:
    found, _ = trainer.classifier().predict_examples(examples)
    return float(np.mean(found == examples.labels))


def loss(inputs: Any, outputs: Any, rows: list[int], label: int) -> float:
    scores = outputs @ inputs[rows].mean(axis=0)
    return float(np.log(np.exp(scores).sum()) - scores[label])


def test_a_step_follows_the_numerical_gradient() -> None:
    """Of the cross-entropy by both matrices, in double precision; one row comes twice."""
    random = np.random.default_rng(4)
    inputs, outputs = random.normal(size=(6, 5)), random.normal(size=(3, 5))
    rows, label, rate, step = [1, 4, 4, 0], 2, 1e-2, 1e-5
    moved = inputs.astype(np.float32), outputs.astype(np.float32)
    found = classifier_trainer.learn(*moved, np.array(rows, np.int32), label, np.float32(rate))
    assert found == pytest.approx(loss(inputs, outputs, rows, label), abs=1e-5)
    for which, matrix in enumerate((inputs, outputs)):
        for place in np.ndindex(matrix.shape):
            pair = [inputs.copy(), outputs.copy()]
            pair[which][place] += step
            above = loss(*pair, rows, label)
            pair[which][place] -= 2 * step
            gradient = (above - loss(*pair, rows, label)) / (2 * step)
            assert moved[which][place] - matrix[place] == pytest.approx(-rate * gradient, abs=2e-6)


def test_it_learns_what_can_be_learnt(read: Read, tmp_path: Path) -> None:
    examples = read(topics(1000))
    trainer = trained(examples, epochs=10)
    (tmp_path / "held_out").mkdir()
    held_out = corpus.encode_examples([[topics(300, seed=9).encode()]], tmp_path / "held_out", examples.dictionary)
    assert accuracy(trainer, held_out) > 0.97


def test_the_same_seed_gives_the_same_model(read: Read) -> None:
    """Issue 5 item 2: one thread and a seed, bit for bit; another seed gives another model."""
    examples = read(topics(200))
    first, again, other = (trained(examples, seed=seed) for seed in (1, 1, 2))
    assert first.input.tobytes() == again.input.tobytes()
    assert first.output.tobytes() == again.output.tobytes()
    assert first.input.tobytes() != other.input.tobytes()


def test_training_goes_on_from_a_checkpoint_to_the_same_model(read: Read) -> None:
    """Issue 5 item 6: at an epoch's end the two matrices are all there is."""
    examples = read(topics(200))
    whole = trained(examples, seed=3, epochs=4)
    settings = ClassifierSettings(10, 0.3, 4)
    half = ClassifierTrainer(examples, settings, seed=3)
    assert half.epoch(0)
    assert half.epoch(1)
    resumed = ClassifierTrainer(examples, settings, seed=3)
    resumed.input[:], resumed.output[:] = half.input, half.output
    assert resumed.epoch(2)
    assert resumed.epoch(3)
    assert resumed.input.tobytes() == whole.input.tobytes()
    assert resumed.output.tobytes() == whole.output.tobytes()


def test_a_line_of_two_labels_is_learnt_by_each_half_the_time(read: Read) -> None:
    """blazingtext 21: over 10,000 visits each is the target 50 % +- 2 %."""
    trainer = ClassifierTrainer(read("__label__a __label__b x y\n__label__a x\n"), ClassifierSettings())
    drawn = [trainer._label(epoch, 0) for epoch in range(10_000)]
    assert 0.48 < np.mean(drawn) < 0.52
    assert {trainer._label(epoch, 1) for epoch in range(10)} == {0}


def test_the_learning_rate_falls_in_a_straight_line(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """blazingtext 27: lr0 * (1 - p), and 0 in the end."""
    monkeypatch.setattr(classifier_trainer, "_SLICE", 500)
    seen: list[ClassifierProgress] = []

    def watch(progress: ClassifierProgress) -> bool:
        seen.append(progress)
        return True

    examples = read(topics(200))
    trainer = ClassifierTrainer(examples, ClassifierSettings(10, 0.4, 2), seed=1)
    for epoch in range(2):
        trainer.epoch(epoch, watch)
    assert len(seen) > 8
    assert [progress.share for progress in seen] == sorted(progress.share for progress in seen)
    for progress in seen:
        assert progress.learning_rate == pytest.approx(0.4 * (1 - progress.share), abs=1e-9)
    assert (seen[-1].share, seen[-1].learning_rate, seen[-1].tokens) == (1.0, 0.0, 2 * trainer.tokens)
    assert seen[-1].loss < seen[len(seen) // 2 - 1].loss < np.log(4)


def test_whoever_watches_may_end_it(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier_trainer, "_SLICE", 500)
    trainer = ClassifierTrainer(read(topics(200)), ClassifierSettings(10, 0.4, 2))
    assert not trainer.epoch(0, lambda progress: progress.share < 0.2)
    assert trainer.output.any()


def test_rows_that_no_example_has_are_zero_in_the_model(read: Read) -> None:
    examples = read("__label__a x y\n__label__b y x\n")
    trainer = trained(examples)
    whole = trainer.whole_input()
    assert whole.shape == (examples.dictionary.rows, 10)
    seen = examples.seen
    assert whole[seen].tobytes() == trainer.input.tobytes()
    assert np.count_nonzero(whole.any(axis=1)) == len(seen)


def test_weights_of_classes_scale_their_steps(read: Read) -> None:
    """A class of weight 0 teaches nothing, one of weight 2 as if the learning rate were twice as high."""
    examples = read("__label__a x\n")
    none, once, twice = (
        ClassifierTrainer(examples, ClassifierSettings(10, 0.1, 1), weights=np.array([weight], np.float32))
        for weight in (0, 1, 2)
    )
    for trainer in (none, once, twice):
        trainer.epoch(0)
    assert not none.output.any()
    # one label only: its probability is 1 and there is nothing to learn, so that two are needed
    examples = read("__label__a x\n__label__b y\n", name="two")
    weights = np.array([1, 0], np.float32)
    trainer = ClassifierTrainer(examples, ClassifierSettings(10, 0.1, 1), weights=weights)
    plain = ClassifierTrainer(examples, ClassifierSettings(10, 0.1, 1))
    for one in (trainer, plain):
        one.epoch(0)
    assert trainer.output.any()
    assert not np.array_equal(trainer.output, plain.output)


def test_the_exponential_is_exact() -> None:
    values = -np.random.default_rng(0).uniform(0, 100, 10_000)
    assert probabilities.exponential(values) == pytest.approx(np.exp(values), rel=1e-15)
    assert probabilities.exponential(np.array([0.0, -1e9])).tolist() == pytest.approx([1.0, 0.0])


def test_without_extras_training_is_as_before(read: Read) -> None:
    """Issue 5 item 4: the extras are off by default, and each makes another model when it is on."""
    examples = read(topics(200))
    plain, off, idf, shuffled = (
        trained(examples, **extras).input.tobytes()
        for extras in ({}, {"idf": False, "shuffle": False}, {"idf": True}, {"shuffle": True})
    )
    assert plain == off
    assert len({plain, idf, shuffled}) == 3


def test_rare_rows_move_farther_with_idf(read: Read) -> None:
    """log(1 + examples / occurrences) squared, 1 on average over all occurrences."""
    examples = read("__label__a x x y\n__label__b x z\n__label__b x\n")
    found = classifier_trainer.scales(examples)
    dictionary = examples.dictionary
    by_word = {word: found[examples.seen.tolist().index(dictionary.find(word))] for word in (b"x", b"y", b"</s>")}
    expected = {word: np.log1p(3 / count) ** 2 for word, count in ((b"x", 4), (b"y", 1), (b"</s>", 3))}
    for word in (b"y", b"</s>"):
        assert by_word[word] / by_word[b"x"] == pytest.approx(expected[word] / expected[b"x"], rel=1e-6)
    occurrences = np.bincount(examples.rows, minlength=len(found))
    assert np.average(found, weights=occurrences) == pytest.approx(1, rel=1e-6)


def test_a_step_is_scaled_row_by_row() -> None:
    random = np.random.default_rng(4)
    inputs, outputs = (random.normal(size=shape).astype(np.float32) for shape in ((6, 5), (3, 5)))
    rows, scales = np.array([1, 4, 4], np.int32), np.array([9, 2, 9, 9, 0.5, 9], np.float32)
    plain, scaled = inputs.copy(), inputs.copy()
    classifier_trainer.learn(plain, outputs.copy(), rows, 1, np.float32(0.1))
    classifier_trainer.learn(scaled, outputs.copy(), rows, 1, np.float32(0.1), scales)
    assert scaled - inputs == pytest.approx((plain - inputs) * np.minimum(scales, 2)[:, None], abs=1e-6)


def test_an_order_is_drawn_for_each_epoch_and_comes_again(read: Read) -> None:
    """All lines once; the same after a resume, and by the same learning rates."""
    examples = read(topics(200))
    settings = ClassifierSettings(10, 0.3, 3, idf=True, shuffle=True)
    orders = [ClassifierTrainer(examples, settings, seed=5)._order(epoch) for epoch in (0, 1, 1)]
    assert [sorted(order) for order in orders if order is not None] == [list(range(200))] * 3
    assert not np.array_equal(orders[0], orders[1])
    assert np.array_equal(orders[1], orders[2])
    whole, half, resumed = (ClassifierTrainer(examples, settings, seed=5) for _ in range(3))
    for epoch in range(3):
        whole.epoch(epoch)
    half.epoch(0)
    resumed.input[:], resumed.output[:] = half.input, half.output
    for epoch in (1, 2):
        resumed.epoch(epoch)
    assert resumed.input.tobytes() == whole.input.tobytes()


def test_progress_is_told_in_a_drawn_order_too(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier_trainer, "_SLICE", 500)
    seen: list[ClassifierProgress] = []
    trainer = ClassifierTrainer(read(topics(200)), ClassifierSettings(10, 0.4, 1, shuffle=True))
    trainer.epoch(0, lambda progress: seen.append(progress) is None)
    assert len(seen) > 4
    assert [progress.share for progress in seen] == sorted(progress.share for progress in seen)
    assert (seen[0].share, seen[-1].share, seen[-1].learning_rate) == (0.0, 1.0, 0.0)
