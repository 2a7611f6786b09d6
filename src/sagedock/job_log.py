"""The log of a job that runs elsewhere: its lines on stdout, and a bar moved by the rounds that they tell of."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping

from sagedock import metric_lines
from sagedock.progress import Progress

KEPT_LINES = 50
_ROUND = re.compile(r"\[(\d+)\](?:\t|#011)")
_PERCENT = re.compile(metric_lines.PROGRESS)
_TOTALS = ("num_round", "epochs")


class JobLog:
    """Shows a job's log line by line and keeps the last lines for the case of a failure.

    A line of metrics begins with the number of its round in brackets, as XGBoost writes it; how many there will be is
    told by the hyperparameters. Other algorithms say how many percent are done.
    """

    def __init__(self, bar: Progress, hyperparameters: Mapping[str, str]) -> None:
        self._bar = bar
        told = next((hyperparameters[name] for name in _TOTALS if name in hyperparameters), "")
        self._total = int(told) if str(told).strip().isdigit() else 0
        self.last: deque[str] = deque(maxlen=KEPT_LINES)

    def write(self, line: str) -> None:
        """Show one line; a line of metrics or of progress moves the bar."""
        self.last.append(line)
        self._bar.write(line)
        percent = _PERCENT.search(line)
        if percent is not None:
            self._bar.update(round(float(percent[1])), 100, "%")
            return
        found = _ROUND.match(line)
        if found is not None and self._total:
            self._bar.update(int(found[1]) + 1, self._total)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()
