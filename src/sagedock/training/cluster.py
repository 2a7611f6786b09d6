"""The hosts of one training job: what they tell one another while they train one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Alone:
    """The cluster of a job of one host: no sockets, no waits."""

    host: str

    @property
    def rank(self) -> int:
        """0: this host writes the model."""
        return 0

    @property
    def hosts(self) -> Sequence[str]:
        """This host's name."""
        return (self.host,)

    def gather(self, part: bytes | memoryview) -> list[bytes]:
        """The one part."""
        return [bytes(part)]

    def broadcast(self, whole: bytes | memoryview = b"") -> bytes:
        """The same."""
        return bytes(whole)

    def barrier(self) -> None:
        """Nobody is waited for."""

    def anyone(self, wish: bool) -> bool:
        """The wish."""
        return wish

    def mean(self, arrays: Sequence[NDArray[np.float32]], weight: float = 1.0) -> None:
        """Leave the arrays as they are."""
