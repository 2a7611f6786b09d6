"""Which places of a picture speak for a class: Grad-CAM, for training's report.

R. R. Selvaraju and others, Grad-CAM: Visual Explanations from Deep Networks via Gradient-Based Localization (2017).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor, nn

METHOD = "Method: Grad-CAM (Selvaraju et al., 2017) at the network's last feature map."


def grad_cam(network: nn.Module, pictures: NDArray[np.uint8], classes: Sequence[int]) -> NDArray[np.float32]:
    """How much each pixel of `pictures` (n, C, H, W) speaks for its class of `classes`, (n, H, W), 0 for not at all.

    The last feature map that is more than one cell, each channel weighted by the mean gradient of the class's logit and
    what is negative left out, enlarged to the picture. `network` gives logits (n, classes) and is left as it was.
    """
    import torch
    from torch.nn import functional

    trained = network.training
    network.eval()
    with ExitStack() as after, torch.enable_grad():
        after.callback(network.train, trained)
        maps: list[Tensor] = []
        for module in network.modules():
            after.callback(module.register_forward_hook(_keeping(maps)).remove)
        pixels = torch.as_tensor(pictures, dtype=torch.float32, device=next(network.parameters()).device)
        logits = network(pixels.requires_grad_())  # else nothing has a gradient where the backbone is frozen
        score = logits[torch.arange(len(classes)), torch.as_tensor(classes)].sum()
        if not maps:
            return np.zeros((len(pictures), *pictures.shape[2:]), np.float32)
        (slopes,) = torch.autograd.grad(score, maps[-1])
        cells = (maps[-1] * slopes.mean(dim=(2, 3), keepdim=True)).sum(dim=1, keepdim=True).relu()
        large = functional.interpolate(cells.float(), pictures.shape[2:], mode="bilinear", align_corners=False)
        return np.asarray(large[:, 0].detach().cpu().numpy(), dtype=np.float32)


def _keeping(maps: list[Tensor]) -> Callable[[Any, Any, Any], None]:
    def keep(_module: Any, _given: Any, made: Any) -> None:
        if getattr(made, "ndim", 0) == 4 and made.shape[2] * made.shape[3] > 1:
            maps[:] = [made]

    return keep
