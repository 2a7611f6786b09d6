"""What Python answers where the compiled core is not built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sagedock import core


@contextmanager
def without_core() -> Iterator[None]:
    """Inside the block there is no core, whatever was built."""
    native, core.native = core.native, None
    try:
        yield
    finally:
        core.native = native
