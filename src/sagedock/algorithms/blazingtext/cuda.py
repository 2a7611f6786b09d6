"""Word vectors trained by torch on a GPU: many blocks at once, by the mathematics of `vectors`.

Skip-gram of whole words is a kernel's work (`cuda_kernel`). All else goes by steps of some thousand centre words: the
gradients of their blocks are those of the matrices before the step, and a row moves by their sum, or, where it has more
than `_PAIRS` of them, by so many times their mean, since frequent words would else leap far past what they head for.
Windows, noise and what is left out are drawn on the device, for many steps at once, so that a step is few calls.
batch_skipgram is skipgram here: how a context is cut into blocks is a matter of processors' caches. On a GPU sums are
added in no fixed order, so that two trainings differ in their last bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sagedock.algorithms.blazingtext.chance import stream
from sagedock.algorithms.blazingtext.cuda_kernel import skipgram_kernel
from sagedock.algorithms.blazingtext.vector_trainer import Text, VectorTrainer, Watch
from sagedock.algorithms.blazingtext.vectors import CBOW, VectorSettings, WordRows, kept_share, noise_share

_PAIRS = 256  # of a hidden vector and a target, in a step, whose gradients a row takes whole
_BANDS = 5  # of widths of windows
_STEP = 32768  # centre words at most of the steps, one for each band, that are taken from the same part of the text
_KERNEL_STEP = 65536  # the same for the kernel, which knows no bands: to it, a context that is not there costs nothing
_STEPS = 64
"""Such parts of an epoch at least, of whatever length: rows of a small text would else move too seldom. And a part has
no more centres than there are words, or all rows, not a few, would have more pairs than they may take."""
_DRAWN = 1 << 22  # words of contexts and noise that are drawn at once
_STEP_NUMBERS = 1 << 27  # of the vectors that the steps of a part read, at most
_SLICE = 1 << 20  # words between two looks at what `watch` says
_DEVICE_EPOCH = 2  # a stream of random numbers beside those of `vector_trainer`


@dataclass(frozen=True)
class _Blocks:
    """Centre words with their contexts and noise, all on the device."""

    context: Tensor
    """(centres, 2 * window): words; `window` is the widest of these centres."""
    near: Tensor
    """The same shape: 1 where the word is in the window, else 0."""
    targets: Tensor
    """(centres, 1 + negatives): the centre and its noise."""
    weights: Tensor
    """The same shape: 0 for noise that is the centre."""

    def cut(self, count: int) -> list[_Blocks]:
        """The same in so many parts."""
        return list(map(_Blocks, *(getattr(self, field.name).tensor_split(count) for field in fields(self))))


class DeviceVectorTrainer(VectorTrainer):
    """A VectorTrainer whose matrices are on a GPU during an epoch, and in `input` and `output` between two."""

    def __init__(
        self,
        text: Text,
        counts: NDArray[np.int64],
        settings: VectorSettings,
        *,
        rows: WordRows | None = None,
        seed: int = 0,
        device: str = "cuda",
    ) -> None:
        """`device` is torch's name of it. Raises ValueError for ids that lead nowhere."""
        super().__init__(text, counts, settings, rows=rows, seed=seed)
        self._device = torch.device(device)
        self._kept = self._tensor(kept_share(counts, settings.sampling_threshold))
        self._limits = self._tensor(np.cumsum(noise_share(counts)).astype(np.float64))
        self._row_starts = self._tensor(self._rows.starts)
        self._row_ids = self._tensor(self._rows.ids)
        window = min(settings.window_size, int(np.diff(text.starts).max(initial=1)))
        self._kernel = skipgram_kernel(settings, self._rows, self._device)
        bands, step = (_BANDS, min(_STEP, len(counts))) if self._kernel is None else (1, _KERNEL_STEP)
        self._bands = sorted({-(-window * band // bands) for band in range(1, bands + 1)})
        expected = float((kept_share(counts, settings.sampling_threshold) * counts).sum())
        self._step_words = int(max(min(expected // _STEPS, step), 16))
        self._step_words = min(self._step_words, max(_STEP_NUMBERS // (2 * window * settings.vector_dim), 1))
        self._inputs = self._outputs = torch.empty(0)

    def epoch(self, number: int, watch: Watch | None = None) -> bool:
        """As VectorTrainer's."""
        self._inputs, self._outputs = self._tensor(self.input), self._tensor(self.output)
        try:
            return super().epoch(number, watch)
        finally:
            torch.from_numpy(self.input).copy_(self._inputs)
            torch.from_numpy(self.output).copy_(self._outputs)
            self._inputs = self._outputs = torch.empty(0)

    def _slices(self, first: int, last: int) -> list[tuple[int, int]]:
        words = int(self._text.starts[last] - self._text.starts[first])
        return self._cut(first, last, -(-words // _SLICE))

    def _learn(self, epoch: int, first: int, last: int) -> None:
        chance = torch.Generator(self._device)
        chance.manual_seed(stream(self._seed, _DEVICE_EPOCH, epoch, first) >> 1)
        starts = np.asarray(self._text.starts[first : last + 1])
        words = self._tensor(self._text.words[int(starts[0]) : int(starts[-1])]).long()
        sentences = torch.repeat_interleave(self._tensor(np.diff(starts)), output_size=len(words))
        kept = torch.rand(len(words), generator=chance, device=self._device) < self._kept[words]
        words, sentences = words[kept], sentences[kept]
        begun, share = self._done(epoch, first), int(starts[-1] - starts[0]) / max(len(words), 1)
        for begin, blocks in self._steps(words, sentences, chance):
            done = (begun + share * begin) / max(self._total, 1)
            self._take(blocks, self._settings.learning_rate * max(1 - done, 0))

    def _steps(self, words: Tensor, sentences: Tensor, chance: torch.Generator) -> Iterator[tuple[int, _Blocks]]:
        """Every step's blocks, and where about in `words` they are."""
        window = self._bands[-1]
        drawn = max(_DRAWN // (2 * window + 1 + self._settings.negative_samples) // self._step_words, 1)
        for first in range(0, len(words), drawn * self._step_words):
            last = min(first + drawn * self._step_words, len(words))
            parts = -(-(last - first) // self._step_words)
            reach = self._reaches(last - first, chance)
            bands = []
            for below, band in pairwise([0, *self._bands]):
                own = ((reach > below) & (reach <= band)).nonzero().flatten()
                bands.append(self._blocks(words, sentences, first + own, reach[own], band, chance).cut(parts))
            for number, steps in enumerate(zip(*bands, strict=True)):
                for blocks in steps:
                    yield first + number * self._step_words, blocks

    def _reaches(self, count: int, chance: torch.Generator) -> Tensor:
        """(count,): how far the windows of so many centres reach."""
        drawn = torch.randint(1, self._settings.window_size + 1, (count,), generator=chance, device=self._device)
        return drawn.clamp(max=self._bands[-1])

    def _blocks(
        self, words: Tensor, sentences: Tensor, place: Tensor, reach: Tensor, window: int, chance: torch.Generator
    ) -> _Blocks:
        """Those of the centres at `place`, whose windows reach so far, and none farther than `window`."""
        centre = words[place]
        apart = torch.tensor([*range(-window, 0), *range(1, window + 1)], device=self._device)
        at = (place[:, None] + apart).clamp(0, len(words) - 1)
        near = (at == place[:, None] + apart) & (apart.abs() <= reach[:, None])
        near &= sentences[at] == sentences[place][:, None]
        shape = len(centre), self._settings.negative_samples
        drawn = torch.rand(shape, generator=chance, device=self._device, dtype=torch.float64)
        noise = torch.searchsorted(self._limits, drawn, right=True).clamp(max=len(self._limits) - 1)
        weights = torch.ones(shape[0], 1 + shape[1], device=self._device)
        weights[:, 1:] = noise != centre[:, None]
        return _Blocks(words[at], near.float(), torch.cat([centre[:, None], noise], dim=1), weights)

    def _take(self, blocks: _Blocks, rate: float) -> None:
        """Add what a step's blocks have learnt to the matrices."""
        if self._kernel is None:
            self._take_by_calls(blocks, rate)
        else:
            tensors = blocks.context, blocks.near, blocks.targets, blocks.weights
            self._kernel(self._inputs, self._outputs, *tensors, rate=rate)

    def _take_by_calls(self, blocks: _Blocks, rate: float) -> None:
        outputs = self._outputs[blocks.targets]
        is_mean = self._settings.mode == CBOW
        hidden = self._means(blocks) if is_mean else self._hidden(blocks.context)
        near = blocks.near.sum(dim=1, keepdim=True) if is_mean else blocks.near
        is_near = (near > 0).float()
        error = torch.sigmoid(hidden @ outputs.transpose(1, 2)).neg_()
        error[:, :, 0] += 1
        error *= blocks.weights[:, None, :] * is_near[:, :, None]
        speed = _shares(blocks.targets, is_near.sum(dim=1, keepdim=True) * blocks.weights, len(self._outputs))
        if is_mean:
            speed = speed * near.sqrt()
        of_outputs = (error * speed[:, None, :]).transpose(1, 2) @ hidden
        pairs = blocks.near * blocks.weights.sum(dim=1, keepdim=True)
        speed = _shares(blocks.context, pairs, len(self._inputs)) if self._rows.is_single else torch.ones_like(pairs)
        if is_mean:
            of_hidden = (error @ outputs) * (blocks.near * speed)[:, :, None]
        else:
            of_hidden = (error * speed[:, :, None]) @ outputs
        self._outputs.index_add_(0, blocks.targets.flatten(), of_outputs.flatten(0, 1), alpha=rate)
        self._add(blocks.context, of_hidden, pairs, rate)

    def _hidden(self, words: Tensor) -> Tensor:
        """The mean of the rows of each word, (*words.shape, dim)."""
        if self._rows.is_single:
            return self._inputs[words]
        sums, counts = self._sums(words)
        return sums / counts

    def _means(self, blocks: _Blocks) -> Tensor:
        """The mean of all rows of each context, (centres, 1, dim)."""
        sums, counts = self._sums(blocks.context)
        near = blocks.near[:, :, None]
        return (sums * near).sum(dim=1, keepdim=True) / (counts * near).sum(dim=1, keepdim=True).clamp(min=1)

    def _sums(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of the rows of each word, (*words.shape, dim), and how many rows each has, (*words.shape, 1)."""
        if self._rows.is_single:
            return self._inputs[words], torch.ones(*words.shape, 1, device=self._device)
        unique, place = words.unique(return_inverse=True)
        owner, ids, counts = self._rows_of(unique)
        sums = torch.zeros(len(unique), self._inputs.shape[1], device=self._device)
        sums.index_add_(0, owner, self._inputs[ids])
        return sums[place], counts[place][..., None].float()

    def _add(self, words: Tensor, gradients: Tensor, pairs: Tensor, rate: float) -> None:
        """Add the gradient of each word, which is of so many pairs, to each of its rows."""
        flat = gradients.flatten(0, 1)
        if self._rows.is_single:
            self._inputs.index_add_(0, words.flatten(), flat, alpha=rate)
            return
        unique, place = words.flatten().unique(return_inverse=True)
        whole = torch.zeros(len(unique), flat.shape[1], device=self._device).index_add_(0, place, flat)
        whole_pairs = torch.zeros(len(unique), device=self._device).index_add_(0, place, pairs.flatten())
        owner, ids, _ = self._rows_of(unique)
        speed = _shares(ids, whole_pairs[owner], len(self._inputs))
        self._inputs.index_add_(0, ids, whole[owner] * speed[:, None], alpha=rate)

    def _rows_of(self, words: Tensor) -> Sequence[Tensor]:
        """Of all rows of some words: which word each belongs to, which it is; and how many each word has."""
        starts = self._row_starts[words]
        counts = self._row_starts[words + 1] - starts
        owner = torch.repeat_interleave(counts)
        within = torch.arange(len(owner), device=self._device) - (counts.cumsum(0) - counts)[owner]
        return owner, self._row_ids[starts[owner] + within].long(), counts

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        """A copy on the device."""
        return torch.from_numpy(np.array(array)).to(self._device)


def _shares(rows: Tensor, pairs: Tensor, count: int) -> Tensor:
    """How much of a gradient each of `rows` takes, of the same shape, where its part of a step is so many pairs.

    `count` is that of all rows there are.
    """
    held = torch.zeros(count, device=pairs.device).index_add_(0, rows.flatten(), pairs.flatten())
    share: Tensor = _PAIRS / held.clamp(min=_PAIRS)
    return share[rows]
