"""Training word vectors: what is learnt, what is the same again, and how it is watched and stopped."""

from __future__ import annotations

import pytest

from sagedock.algorithms.blazingtext.vector_trainer import VectorProgress, VectorTrainer
from sagedock.algorithms.blazingtext.vectors import MODES, VectorSettings, WordRows
from tests.algorithms.blazingtext.sentences import separation, topics

TEXT = topics(400)


def settings(mode: str, **others: float) -> VectorSettings:
    given = {"vector_dim": 20, "sampling_threshold": 1, "epochs": 2, **others}
    return VectorSettings(mode, **given)


@pytest.mark.parametrize("mode", MODES)
def test_neighbours_are_found(mode: str) -> None:
    trainer = VectorTrainer(TEXT, TEXT.counts, settings(mode), seed=1)
    assert abs(separation(trainer.vectors())) < 0.1
    for number in range(2):
        assert trainer.epoch(number)
    assert separation(trainer.vectors()) > 0.5


@pytest.mark.parametrize("mode", MODES)
def test_one_thread_and_a_seed_give_the_same_bits_also_after_a_restart(mode: str) -> None:
    first, second, third = (VectorTrainer(TEXT, TEXT.counts, settings(mode), seed=seed) for seed in (1, 1, 2))
    first.epoch(0)
    second.input[:], second.output[:] = first.input, first.output
    for trainer in (first, second, third):
        trainer.epoch(1)
    assert first.input.tobytes() == second.input.tobytes()
    assert first.output.tobytes() == second.output.tobytes()
    assert first.input.tobytes() != third.input.tobytes()


def test_progress_ends_at_all_words_and_a_rate_of_nothing() -> None:
    """blazingtext 27: the learning rate at progress p is lr0 (1 - p), and 0 at the end."""
    states: list[VectorProgress] = []
    trainer = VectorTrainer(TEXT, TEXT.counts, settings("cbow", learning_rate=0.04))
    for number in range(2):
        trainer.epoch(number, lambda state: not states.append(state))
    assert states[0].words == 0
    assert states[-1].words == states[-1].total == 2 * len(TEXT.words)
    assert all(state.learning_rate == pytest.approx(0.04 * (1 - state.share)) for state in states)


def test_training_ends_when_the_watcher_says_so() -> None:
    trainer = VectorTrainer(TEXT, TEXT.counts, settings("skipgram"))
    assert not trainer.epoch(0, lambda state: state.words < 0)


def test_the_vector_of_a_word_is_the_mean_of_its_rows() -> None:
    """blazingtext.md 7.2: the mean of the rows of the word and of its n-grams."""
    rows = WordRows.of([[word, 40 + word % 4] for word in range(40)], count=44)
    trainer = VectorTrainer(TEXT, TEXT.counts, settings("skipgram"), rows=rows)
    trainer.epoch(0)
    assert trainer.vectors(slice(5, 7)) == pytest.approx((trainer.input[[5, 6]] + trainer.input[[41, 42]]) / 2)
    assert separation(trainer.vectors()) > 0.5
