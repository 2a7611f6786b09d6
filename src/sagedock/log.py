"""Log lines in the shape of SageMaker's XGBoost container: `[YYYY-MM-DD:HH:MM:SS:LEVEL] text`, on stderr."""

from __future__ import annotations

import logging
import sys
import warnings

FORMAT = "[%(asctime)s:%(levelname)s] %(message)s"
DATE_FORMAT = "%Y-%m-%d:%H:%M:%S"


class OneLine(logging.Formatter):
    """A formatter that keeps every message on one line, since CloudWatch makes an event of each."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        """The line, white space folded."""
        record.message = " ".join(record.message.split())
        return super().formatMessage(record)


def set_up(level: int = logging.INFO) -> None:
    """Send every logger's lines, and Python's warnings, to stderr; called once, by the command line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(FORMAT, DATE_FORMAT))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    warnings.formatwarning = lambda message, category, *_place: f"{category.__name__}: {message}"
    for talkative in ("matplotlib", "boto3", "botocore"):  # font caches made and credentials found
        logging.getLogger(talkative).setLevel(logging.WARNING)
