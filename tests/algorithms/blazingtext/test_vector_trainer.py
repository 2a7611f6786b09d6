"""Training word vectors: what is learnt, what is the same again, and how it is watched and stopped."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sagedock import core
from sagedock.algorithms.blazingtext.vector_trainer import VectorProgress, VectorTrainer
from sagedock.algorithms.blazingtext.vectors import MODES, VectorSettings, WordRows
from tests.algorithms.blazingtext.sentences import Sentences, of, separation, topics

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


SUBWORDS = WordRows.of([[word, 40 + word % 4, 44 + word % 7] for word in range(40)], count=51)


@pytest.fixture(params=("scalar", "avx2", "avx512"))
def instructions(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set that the core may use here."""
    native = core.native
    if native is None or request.param not in native.instruction_sets():
        pytest.skip(f"no core, or no {request.param} in this processor")
    native.use_instruction_set(request.param)
    yield request.param
    native.use_instruction_set(native.instruction_sets()[-1])


@pytest.mark.parametrize("rows", [None, SUBWORDS], ids=["words", "subwords"])
@pytest.mark.parametrize("mode", MODES)
def test_the_core_does_what_is_written_in_numpy(
    mode: str, rows: WordRows | None, instructions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same random numbers, so the same blocks and, but for rounding, the same matrices."""
    text = topics(60)
    chosen = settings(mode, sampling_threshold=0.02, batch_size=4, negative_samples=7)
    compiled = VectorTrainer(text, text.counts, chosen, rows=rows, seed=5)
    monkeypatch.setattr(core, "native", None)
    plain = VectorTrainer(text, text.counts, chosen, rows=rows, seed=5)
    for number in range(2):
        assert compiled.epoch(number)
        assert plain.epoch(number)
    assert np.abs(compiled.output).max() > 0.1
    assert np.abs(compiled.input - plain.input).max() < 1e-4
    assert np.abs(compiled.output - plain.output).max() < 1e-4


@pytest.mark.parametrize("mode", MODES)
def test_threads_learn_as_one_does(mode: str) -> None:
    trainer = VectorTrainer(TEXT, TEXT.counts, settings(mode), seed=1, threads=3)
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
    trainer = VectorTrainer(TEXT, TEXT.counts, settings("skipgram"), rows=SUBWORDS)
    trainer.epoch(0)
    expected = (trainer.input[[5, 6]] + trainer.input[[41, 42]] + trainer.input[[49, 50]]) / 3
    assert trainer.vectors(slice(5, 7)) == pytest.approx(expected)
    assert separation(trainer.vectors()) > 0.5


def test_nothing_to_learn_is_no_error() -> None:
    """Sentences of one word, none at all, and a vocabulary of one word, all of whose noise is the centre."""
    for text in (of([[0], [], [1]], 2), of([], 3), of([[0, 0, 0]], 1)):
        trainer = VectorTrainer(text, text.counts, settings("skipgram"))
        before = trainer.input.copy()
        assert trainer.epoch(0)
        assert np.isfinite(trainer.input).all()
        assert len(text.counts) == 1 or (trainer.input == before).all()


@pytest.mark.parametrize(
    ("words", "starts", "rows"),
    [
        ([0, 3], [0, 2], [[0], [1], [2]]),
        ([0, -1], [0, 2], [[0], [1], [2]]),
        ([0, 1], [0, 3], [[0], [1], [2]]),
        ([0, 1], [0, 2, 1], [[0], [1], [2]]),
        ([0, 1], [0, 2], [[0], [1], [5]]),
        ([0, 1], [0, 2], [[0], [], [2]]),
    ],
    ids=["word", "negative", "end", "order", "row", "no row"],
)
def test_ids_that_lead_nowhere_are_refused(words: list[int], starts: list[int], rows: list[list[int]]) -> None:
    if core.native is None:
        pytest.skip("the core is not built: Python checks its own indices")
    text = Sentences(np.array(words, np.int32), np.array(starts, np.int64), np.array([1, 1, 1]))
    with pytest.raises(ValueError, match=r"word|sentences|row"):
        VectorTrainer(text, text.counts, settings("cbow"), rows=WordRows.of(rows, 3))
