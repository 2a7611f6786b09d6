"""Log lines in the shape of SageMaker's XGBoost container: `[YYYY-MM-DD:HH:MM:SS:LEVEL] text`, on stderr."""

from __future__ import annotations

import logging
import sys

FORMAT = "[%(asctime)s:%(levelname)s] %(message)s"
DATE_FORMAT = "%Y-%m-%d:%H:%M:%S"


def set_up(level: int = logging.INFO) -> None:
    """Send every logger's lines to stderr, one event a line; called once, by the command line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORMAT, DATE_FORMAT))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
