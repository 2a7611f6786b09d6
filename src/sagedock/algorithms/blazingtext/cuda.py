"""Word vectors trained by torch on a GPU: many blocks at once, by the mathematics of `vectors`.

A step takes some thousand centre words. The gradients of all their blocks are those of the matrices before the step,
and each is added to its rows as it is; windows, noise and what is left out are drawn on the device. batch_skipgram is
skipgram here: how a context is cut into blocks is a matter of processors' caches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sagedock.algorithms.blazingtext.chance import stream
from sagedock.algorithms.blazingtext.vector_trainer import Text, VectorTrainer, Watch
from sagedock.algorithms.blazingtext.vectors import CBOW, VectorSettings, WordRows, kept_share, noise_share

_STEP = 4096  # centre words of a step at most
_STEPS = 256  # steps of an epoch at least, of whatever length: rows of a small text would else move too seldom
_DEVICE_EPOCH = 2  # a stream of random numbers beside those of `vector_trainer`


@dataclass(frozen=True)
class _Step:
    """Centre words with their contexts and noise, all on the device."""

    context: Tensor
    """(centres, 2 * window): words."""
    near: Tensor
    """The same shape: 1 where the word is in the window, else 0."""
    targets: Tensor
    """(centres, 1 + negatives): the centre and its noise."""
    weights: Tensor
    """The same shape: 0 for noise that is the centre."""


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
        expected = float((kept_share(counts, settings.sampling_threshold) * counts).sum())
        self._step_words = int(min(max(expected // _STEPS, 16), _STEP))
        self._inputs = self._outputs = torch.empty(0)

    def epoch(self, number: int, watch: Watch | None = None) -> bool:
        """As VectorTrainer's."""
        self._inputs, self._outputs = self._tensor(self.input), self._tensor(self.output)
        try:
            return super().epoch(number, watch)
        finally:
            self.input[:], self.output[:] = self._inputs.cpu().numpy(), self._outputs.cpu().numpy()
            self._inputs = self._outputs = torch.empty(0)

    def _learn(self, epoch: int, first: int, last: int) -> None:
        chance = torch.Generator(self._device)
        chance.manual_seed(stream(self._seed, _DEVICE_EPOCH, epoch, first) >> 1)
        starts = np.asarray(self._text.starts[first : last + 1])
        words = self._tensor(self._text.words[int(starts[0]) : int(starts[-1])]).long()
        sentences = torch.repeat_interleave(self._tensor(np.diff(starts)))
        kept = torch.rand(len(words), generator=chance, device=self._device) < self._kept[words]
        words, sentences = words[kept], sentences[kept]
        begun, share = self._done(epoch, first), int(starts[-1] - starts[0]) / max(len(words), 1)
        for begin in range(0, len(words), self._step_words):
            step = self._step(words, sentences, slice(begin, begin + self._step_words), chance)
            done = (begun + share * begin) / max(self._total, 1)
            self._take(step, self._settings.learning_rate * max(1 - done, 0))

    def _step(self, words: Tensor, sentences: Tensor, centres: slice, chance: torch.Generator) -> _Step:
        window, centre = self._settings.window_size, words[centres]
        window = min(window, len(words))
        place = torch.arange(centres.start, centres.start + len(centre), device=self._device)[:, None]
        apart = torch.arange(-window, window + 1, device=self._device)
        apart = apart[apart != 0]
        reach = torch.randint(1, self._settings.window_size + 1, place.shape, generator=chance, device=self._device)
        at = (place + apart).clamp(0, len(words) - 1)
        near = (at == place + apart) & (apart.abs() <= reach) & (sentences[at] == sentences[place])
        shape = len(centre), self._settings.negative_samples
        drawn = torch.rand(shape, generator=chance, device=self._device, dtype=torch.float64)
        noise = torch.searchsorted(self._limits, drawn, right=True).clamp(max=len(self._limits) - 1)
        weights = torch.ones(shape[0], 1 + shape[1], device=self._device)
        weights[:, 1:] = noise != centre[:, None]
        return _Step(words[at], near.float(), torch.cat([centre[:, None], noise], dim=1), weights)

    def _take(self, step: _Step, rate: float) -> None:
        """Add what the step's blocks have learnt to the matrices."""
        outputs = self._outputs[step.targets]
        sums, counts = self._sums(step.context)
        is_mean = self._settings.mode == CBOW
        if is_mean:
            sums, counts = self._pooled(step, sums, counts)
        hidden = sums / counts
        near = step.near.sum(dim=1, keepdim=True) if is_mean else step.near
        error = -torch.sigmoid(hidden @ outputs.transpose(1, 2))
        error[:, :, 0] += 1
        error *= step.weights[:, None, :] * (near > 0)[:, :, None]
        of_hidden, of_outputs = error @ outputs, error.transpose(1, 2) @ hidden
        if is_mean:
            of_outputs *= near.sqrt()[:, :, None]
            of_hidden = of_hidden * step.near[:, :, None]
        self._outputs.index_add_(0, step.targets.flatten(), of_outputs.flatten(0, 1), alpha=rate)
        self._add(step.context, of_hidden, rate)

    def _pooled(self, step: _Step, sums: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Sums over all rows of each context, (centres, 1, dim), and how many rows those are, at least 1."""
        near = step.near[:, :, None]
        return (sums * near).sum(dim=1, keepdim=True), (counts * near).sum(dim=1, keepdim=True).clamp(min=1)

    def _sums(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of the rows of each word, (*words.shape, dim), and how many rows each has, (*words.shape, 1)."""
        if self._rows.is_single:
            return self._inputs[words], torch.ones(*words.shape, 1, device=self._device)
        unique, place = words.unique(return_inverse=True)
        owner, ids, counts = self._rows_of(unique)
        sums = torch.zeros(len(unique), self._inputs.shape[1], device=self._device)
        sums.index_add_(0, owner, self._inputs[ids])
        return sums[place], counts[place][..., None].float()

    def _add(self, words: Tensor, gradients: Tensor, rate: float) -> None:
        """Add the gradient of each word to each of its rows."""
        flat = gradients.flatten(0, 1)
        if self._rows.is_single:
            self._inputs.index_add_(0, words.flatten(), flat, alpha=rate)
            return
        unique, place = words.flatten().unique(return_inverse=True)
        whole = torch.zeros(len(unique), flat.shape[1], device=self._device).index_add_(0, place, flat)
        owner, ids, _ = self._rows_of(unique)
        self._inputs.index_add_(0, ids, whole[owner], alpha=rate)

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
