"""The mathematics of word vectors, against numerical gradients and against what the distributions should be."""

from __future__ import annotations

import numpy as np
import pytest

from sagedock.algorithms.blazingtext.chance import Chance
from sagedock.algorithms.blazingtext.vectors import (
    MODES,
    Block,
    Sampler,
    VectorSettings,
    WordRows,
    gradients,
    hidden_of,
    kept_share,
    learn,
    noise_share,
)
from tests.algorithms.blazingtext.sentences import topics


def test_the_gradients_are_the_numerical_ones() -> None:
    """Issue 5 item 2: tested against numerical gradients, in double precision by central differences."""
    chance = np.random.default_rng(0)
    hidden, outputs = chance.normal(size=(3, 5)), chance.normal(size=(4, 5))
    labels, weights = np.array([1.0, 0, 0, 0]), np.array([1.0, 2, 0, 1])
    _, of_hidden, of_outputs = gradients(hidden, outputs, labels, weights)
    for matrix, found in ((hidden, of_hidden), (outputs, of_outputs)):
        for place in np.ndindex(matrix.shape):
            losses = []
            for step in (1e-6, -1e-6):
                kept, matrix[place] = matrix[place], matrix[place] + step
                losses.append(gradients(hidden, outputs, labels, weights)[0])
                matrix[place] = kept
            assert found[place] == pytest.approx(-(losses[0] - losses[1]) / 2e-6, abs=1e-7)


def test_a_step_of_a_word_with_n_grams_goes_down_the_loss() -> None:
    """Each row of a mean takes the whole gradient of the hidden vector: n times the slope towards that row."""
    chance = np.random.default_rng(1)
    rows = WordRows.of([[0, 3, 4], [1, 4], [2]], count=5)
    inputs, outputs = chance.normal(size=(5, 6)), chance.normal(size=(3, 6))
    block = Block([np.array([0, 1])], np.array([2, 1]), np.array([1.0, 0.0]), np.array([1.0, 2.0]))
    assert rows.of_words([0, 1]).tolist() == [0, 3, 4, 1, 4]
    assert hidden_of(block, inputs, rows)[0] == pytest.approx(inputs[[0, 3, 4, 1, 4]].mean(axis=0))
    before = inputs.copy()
    slope = np.zeros_like(inputs)
    for place in np.ndindex(inputs.shape):
        for step in (1e-6, -1e-6):
            inputs[place] = before[place] + step
            hidden = hidden_of(block, inputs, rows)
            loss = gradients(hidden, outputs[block.targets], block.labels, block.weights)[0]
            slope[place] -= loss / (2 * step)
        inputs[place] = before[place]
    learn(block, inputs, outputs, rows, learning_rate=0.1)
    assert inputs - before == pytest.approx(0.1 * 5 * slope, abs=1e-6)


def test_frequent_words_are_left_out_as_fasttext_leaves_them_out() -> None:
    """blazingtext.md 7.1: a word of relative frequency f is kept when rand <= sqrt(t/f) + t/f."""
    counts = np.array([900_000, 99_990, 10])
    share = counts / counts.sum()
    expected = np.minimum(np.sqrt(1e-4 / share) + 1e-4 / share, 1)
    assert kept_share(counts, 1e-4) == pytest.approx(expected)
    assert kept_share(counts, 1e-4)[2] == 1


def test_noise_is_drawn_by_the_square_root_of_counts() -> None:
    """blazingtext.md 7.2: the noise table holds counts^0.5."""
    assert noise_share(np.array([16, 4, 4, 0])) == pytest.approx([0.5, 0.25, 0.25, 0])


@pytest.mark.parametrize("mode", MODES)
def test_blocks_hold_what_the_mode_says(mode: str) -> None:
    text = topics(50)
    settings = VectorSettings(mode, window_size=3, negative_samples=4, sampling_threshold=1, batch_size=4)
    sentence = text.words[:12]
    blocks = list(Sampler(settings, text.counts).blocks(sentence, Chance(3, 0)))
    widths = set()
    for block in blocks:
        centre = block.targets[0]
        assert block.labels.tolist() == [1, 0, 0, 0, 0]
        assert block.weights.tolist() == [1, *(block.targets[1:] != centre)]
        assert all(len(words) == 1 for words in block.hidden) or (mode == "cbow" and len(block.hidden) == 1)
        widths.add(sum(map(len, block.hidden)))
    assert max(widths) == (4 if mode == "batch_skipgram" else 6)
    centres = [block.targets[0] for block in blocks]
    if mode == "batch_skipgram":
        assert len(centres) > len(sentence)
    else:
        assert centres == sentence.tolist()


def test_a_mode_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="'glove' is none of skipgram, cbow, batch_skipgram"):
        VectorSettings("glove")
