"""The compiled module; sagedock.core.Native declares what it holds, for this module has no other reader."""

from typing import Any

def __getattr__(name: str) -> Any: ...
