"""Training by torch, shown on torch's CPU device, and on a GPU where there is one."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from sagedock import core
from sagedock.algorithms.blazingtext.corpus import read_sentences
from sagedock.algorithms.blazingtext.evaluation import evaluate, read_pairs
from sagedock.algorithms.blazingtext.vector_trainer import VectorProgress, VectorTrainer
from sagedock.algorithms.blazingtext.vectors import CBOW, MODES, SKIPGRAM, VectorSettings, WordRows
from tests.algorithms.blazingtext.sentences import of, separation, topics

pytest.importorskip("torch", reason="torch is not installed")

import torch

from sagedock.algorithms.blazingtext.cuda import DeviceVectorTrainer

SHARED = Path(__file__).parents[4] / "shared" / "data" / "wordvec"
TEXT = topics(400)
torch.set_num_threads(1)  # threads that spin for one another cost more than these small products
DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
SUBWORDS = WordRows.of([[word, 40 + word % 4, 44 + word % 7] for word in range(40)], count=51)


def trained(
    mode: str,
    rows: WordRows | None = None,
    seed: int = 1,
    epochs: tuple[int, ...] = (0, 1),
    device: str = "cpu",
) -> VectorTrainer:
    settings = VectorSettings(mode, vector_dim=20, sampling_threshold=1, epochs=2)
    trainer = DeviceVectorTrainer(TEXT, TEXT.counts, settings, rows=rows, seed=seed, device=device)
    for number in epochs:
        assert trainer.epoch(number)
    return trainer


@pytest.mark.parametrize("rows", [None, SUBWORDS], ids=["words", "subwords"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("device", DEVICES)
def test_neighbours_are_found(device: str, mode: str, rows: WordRows | None) -> None:
    assert separation(trained(mode, rows, device=device).vectors()) > 0.5


def test_a_seed_gives_the_same_bits_also_after_a_restart() -> None:
    whole, begun, other = trained(SKIPGRAM), trained(SKIPGRAM, epochs=(0,)), trained(SKIPGRAM, seed=2)
    resumed = trained(SKIPGRAM, epochs=())
    resumed.input[:], resumed.output[:] = begun.input, begun.output
    resumed.epoch(1)
    assert resumed.input.tobytes() == whole.input.tobytes()
    assert resumed.input.tobytes() != other.input.tobytes()


def test_one_word_has_no_window_to_learn() -> None:
    for text in (of([[0], [], [1]], 2), of([], 3), of([[0, 0, 0]], 1)):
        trainer = DeviceVectorTrainer(text, text.counts, VectorSettings(CBOW, sampling_threshold=1), device="cpu")
        assert trainer.epoch(0)
        assert np.isfinite(trainer.input).all()


def test_it_is_watched_and_stopped() -> None:
    trainer = trained(CBOW, epochs=())
    seen: list[VectorProgress] = []
    assert not trainer.epoch(0, lambda state: bool(seen.append(state)))
    assert [state.words for state in seen] == [0]


@pytest.mark.parametrize("mode", [SKIPGRAM, CBOW])
def test_torch_learns_what_the_kernels_learn(mode: str, tmp_path: Path) -> None:
    """blazingtext 23 on a part of Wikipedia: words that one finds alike the other does, and people as much.

    `benchmarks.gpu_vectors` measures it on the whole text, on a GPU.
    """
    if not SHARED.is_dir():
        pytest.skip(f"the shared data folder {SHARED} is absent")
    if core.native is None:
        pytest.skip("the core is not built")
    with gzip.open(SHARED / "wiki_dev_az.txt.gz", "rb") as stream:
        sentences = read_sentences([[stream.read(1_500_000)]], tmp_path, min_count=10)
    pairs = read_pairs(SHARED / "word-sim")
    assert pairs is not None
    settings = VectorSettings(mode, vector_dim=50, epochs=4)
    counts, ids = sentences.dictionary.counts, sentences.dictionary.ids
    rhos, cosines = [], []
    for trainer in (
        VectorTrainer(sentences, counts, settings, seed=1),
        DeviceVectorTrainer(sentences, counts, settings, seed=1, device=DEVICES[-1]),
    ):
        assert all(trainer.epoch(number) for number in range(4))
        vectors = trainer.vectors()
        rhos.append(evaluate(ids, vectors, pairs)["mean_rho"])
        frequent = vectors[:400] / np.linalg.norm(vectors[:400], axis=1, keepdims=True)
        cosines.append((frequent @ frequent.T)[np.triu_indices(400, 1)])
    assert np.corrcoef(cosines)[0, 1] > 0.75
    assert rhos[1] == pytest.approx(rhos[0], abs=0.05)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("mode", [SKIPGRAM, CBOW])
def test_few_words_that_come_often_stay_where_they_belong(
    device: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps as long as those of a large vocabulary would throw their rows far away."""
    monkeypatch.setattr("sagedock.algorithms.blazingtext.cuda._STEPS", 1)  # as if the text were far longer
    text = topics(400)
    settings = VectorSettings(mode, vector_dim=20, sampling_threshold=1, epochs=1)
    trainer = DeviceVectorTrainer(text, text.counts, settings, seed=1, device=device)
    assert trainer.epoch(0)
    assert separation(trainer.vectors()) > 0.5
    assert np.abs(trainer.input).max() < 5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_the_kernel_moves_rows_as_torchs_calls_do() -> None:
    settings = VectorSettings(SKIPGRAM, vector_dim=100, sampling_threshold=1)
    trainer = DeviceVectorTrainer(TEXT, TEXT.counts, settings, device="cuda")
    assert trainer._kernel is not None
    words = torch.tensor(TEXT.words, device="cuda").long()
    sentences = torch.repeat_interleave(torch.tensor(np.diff(TEXT.starts), device="cuda"))
    _, step = next(trainer._steps(words, sentences, torch.Generator("cuda")))
    blocks, moved = step.cut(4)[0], []  # so few that no row has more pairs than it may take
    for take in (trainer._take, trainer._take_by_calls):
        trainer._inputs = torch.tensor(trainer.input, device="cuda")
        trainer._outputs = torch.randn(trainer.output.shape, generator=torch.Generator("cuda"), device="cuda") / 10
        before = trainer._inputs.clone(), trainer._outputs.clone()
        take(blocks, 1e-3)
        moved.append([trainer._inputs - before[0], trainer._outputs - before[1]])
    for by_kernel, by_calls in zip(*moved, strict=True):
        assert by_calls.abs().max() > 1e-6
        torch.testing.assert_close(by_kernel, by_calls, rtol=0, atol=0.02 * float(by_calls.abs().max()))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("mode", [SKIPGRAM, CBOW])
def test_the_gpu_reaches_the_cores_similarities(mode: str, tmp_path: Path) -> None:
    """blazingtext 23: the mean_rho of the CPU to within 0.02, the mean of two seeds."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared data folder {SHARED} is absent")
    if core.native is None:
        pytest.skip("the core is not built")
    with gzip.open(SHARED / "wiki_dev_az.txt.gz", "rb") as stream:
        sentences = read_sentences([stream], tmp_path, min_count=5)
    pairs = read_pairs(SHARED / "word-sim")
    assert pairs is not None
    settings = VectorSettings(mode, epochs=5)
    counts, rhos = sentences.dictionary.counts, {}
    for way in ("core", "gpu"):
        found = []
        for seed in (1, 2):
            given = {"device": "cuda", "seed": seed} if way == "gpu" else {"threads": 2, "seed": seed}
            trainer = (DeviceVectorTrainer if way == "gpu" else VectorTrainer)(sentences, counts, settings, **given)
            assert all(trainer.epoch(number) for number in range(5))
            found.append(evaluate(sentences.dictionary.ids, trainer.vectors(), pairs)["mean_rho"])
        rhos[way] = np.mean(found)
    assert rhos["gpu"] == pytest.approx(rhos["core"], abs=0.02)
