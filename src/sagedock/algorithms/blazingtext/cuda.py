"""Word vectors trained by torch on a GPU: many blocks at once, by the mathematics of `vectors`.

A step takes some thousand centre words. The gradients of all their blocks are those of the matrices before the step,
and are added to their rows; a row that comes very often in one step would be thrown beyond its aim by so many gradients
at once, and takes as much as a few of them. Windows, noise and what is left out are drawn on the device, for many steps
at once, so that a step is few calls. batch_skipgram is skipgram here: how a context is cut into blocks is a matter of
processors' caches. On a GPU sums are added in no fixed order, so that two trainings differ in their last bits.
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
from sagedock.algorithms.blazingtext.vector_trainer import Text, VectorTrainer, Watch
from sagedock.algorithms.blazingtext.vectors import CBOW, VectorSettings, WordRows, kept_share, noise_share

_STEP = 8192  # centre words of a step at most
_STEPS = 512  # steps of an epoch at least, of whatever length: rows of a small text would else move too seldom
_OFTEN = 64  # gradients of a row in one step that count in full: what more there are make their mean surer, not longer
_DRAWN = 1 << 22  # words of contexts and noise that are drawn at once
_STEP_NUMBERS = 1 << 27  # of the vectors that a step reads, at most
_SLICE = 1 << 20  # words between two looks at what `watch` says
_DEVICE_EPOCH = 2  # a stream of random numbers beside those of `vector_trainer`


@dataclass(frozen=True)
class _Blocks:
    """Centre words with their contexts and noise, all on the device."""

    context: Tensor
    """(centres, 2 * window): words."""
    near: Tensor
    """The same shape: 1 where the word is in the window, else 0."""
    targets: Tensor
    """(centres, 1 + negatives): the centre and its noise."""
    weights: Tensor
    """The same shape: 0 for noise that is the centre."""

    def part(self, first: int, last: int) -> _Blocks:
        """Those of some of the centres."""
        return _Blocks(*(getattr(self, field.name)[first:last] for field in fields(self)))


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
        self._apart = self._tensor(np.r_[-window:0, 1 : window + 1])
        expected = float((kept_share(counts, settings.sampling_threshold) * counts).sum())
        self._step_words = int(min(max(expected // _STEPS, 16), _STEP))
        self._step_words = min(self._step_words, max(_STEP_NUMBERS // (2 * window * settings.vector_dim), 1))
        self._inputs = self._outputs = torch.empty(0)

    def epoch(self, number: int, watch: Watch | None = None) -> bool:
        """As VectorTrainer's."""
        self._inputs, self._outputs = self._tensor(self.input), self._tensor(self.output)
        try:
            return super().epoch(number, watch)
        finally:
            self.input[:], self.output[:] = self._inputs.cpu().numpy(), self._outputs.cpu().numpy()
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
        """How many centre words come before each step, and its blocks.

        Those of one step lie far from one another: neighbours have the same words around them, whose gradients, all
        taken at one place, would add up to a step too far.
        """
        step = self._step_words
        order = torch.randperm(len(words), generator=chance, device=self._device)
        drawn = max(_DRAWN // (len(self._apart) + 1 + self._settings.negative_samples) // step, 1) * step
        for first in range(0, len(words), drawn):
            last = min(first + drawn, len(words))
            blocks = self._blocks(words, sentences, order[first:last, None], chance)
            for begin, end in pairwise([*range(first, last, step), last]):
                yield begin, blocks.part(begin - first, end - first)

    def _blocks(self, words: Tensor, sentences: Tensor, place: Tensor, chance: torch.Generator) -> _Blocks:
        """The blocks of the centre words at some places (centres, 1)."""
        centre = words[place[:, 0]]
        reach = torch.randint(1, self._settings.window_size + 1, place.shape, generator=chance, device=self._device)
        at = (place + self._apart).clamp(0, len(words) - 1)
        near = (at == place + self._apart) & (self._apart.abs() <= reach) & (sentences[at] == sentences[place])
        shape = len(centre), self._settings.negative_samples
        drawn = torch.rand(shape, generator=chance, device=self._device, dtype=torch.float64)
        noise = torch.searchsorted(self._limits, drawn, right=True).clamp(max=len(self._limits) - 1)
        weights = torch.ones(shape[0], 1 + shape[1], device=self._device)
        weights[:, 1:] = noise != centre[:, None]
        return _Blocks(words[at], near.float(), torch.cat([centre[:, None], noise], dim=1), weights)

    def _take(self, blocks: _Blocks, rate: float) -> None:
        """Add what a step's blocks have learnt to the matrices."""
        outputs = self._outputs[blocks.targets]
        is_mean = self._settings.mode == CBOW
        hidden = self._means(blocks) if is_mean else self._hidden(blocks.context)
        near = blocks.near.sum(dim=1, keepdim=True) if is_mean else blocks.near
        error = torch.sigmoid(hidden @ outputs.transpose(1, 2)).neg_()
        error[:, :, 0] += 1
        error *= blocks.weights[:, None, :]
        error *= (near > 0)[:, :, None]
        of_hidden, of_outputs = error @ outputs, error.transpose(1, 2) @ hidden
        if is_mean:
            of_outputs *= near.sqrt()[:, :, None]
            of_hidden = of_hidden * blocks.near[:, :, None]
        targets = blocks.targets.flatten()
        _move(
            self._outputs,
            targets,
            of_outputs.flatten(0, 1),
            blocks.near.sum(1)[:, None].expand_as(blocks.targets),
            rate,
        )
        self._add(blocks.context, of_hidden, blocks.near, rate)

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

    def _add(self, words: Tensor, gradients: Tensor, near: Tensor, rate: float) -> None:
        """Add the gradient of each word to each of its rows; `near` says which words count."""
        flat, counts = gradients.flatten(0, 1), near.flatten()
        if self._rows.is_single:
            _move(self._inputs, words.flatten(), flat, counts, rate)
            return
        unique, place = words.flatten().unique(return_inverse=True)
        whole = torch.zeros(len(unique), flat.shape[1], device=self._device).index_add_(0, place, flat)
        often = torch.zeros(len(unique), device=self._device).index_add_(0, place, counts)
        owner, ids, _ = self._rows_of(unique)
        _move(self._inputs, ids, whole[owner], often[owner], rate)

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


def _move(matrix: Tensor, rows: Tensor, gradients: Tensor, counts: Tensor, rate: float) -> None:
    """Add gradients to rows of the matrix, of which some come often; `counts` says of how many each is the sum."""
    often = torch.zeros(len(matrix), device=matrix.device).index_add_(0, rows, counts.flatten())
    gradients *= (_OFTEN / often[rows]).clamp(max=1)[:, None]
    matrix.index_add_(0, rows, gradients, alpha=rate)
