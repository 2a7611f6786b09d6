"""Adam: torch's, with clipped gradients."""

import numpy as np
import torch

from sagedock.algorithms.deepar.adam import DECAY, LARGEST_NORM, Adam


def test_its_steps_are_those_of_torch() -> None:
    """Also where the gradients are so large that they are clipped, and those of a tensor are zero."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((3, 4), (5,), (2, 2))
    ours = [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
    theirs = [tensor.detach().clone().requires_grad_() for tensor in ours]
    adam, peer = Adam(ours), torch.optim.Adam(theirs, lr=0.1, weight_decay=DECAY)
    for step in range(30):
        slopes = [torch.randn(shape, generator=generator) * (0.1 if step % 2 else 40) for shape in shapes]
        slopes[2].zero_()
        for tensor, other, slope in zip(ours, theirs, slopes, strict=True):
            tensor.grad, other.grad = slope.clone(), slope.clone()
        peer.param_groups[0]["lr"] = rate = 0.1 / (1 + step)
        torch.nn.utils.clip_grad_norm_(theirs, LARGEST_NORM)
        peer.step()
        adam.step(rate)
    for tensor, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(tensor.detach(), other.detach(), rtol=1e-4, atol=1e-6)
        assert tensor.grad is None
