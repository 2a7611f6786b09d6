"""A child process in place of a container: stopped as a container is, by SIGTERM and after a while by SIGKILL."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence

from sagedock.local.interrupt import sigterm_like_ctrl_c


def run(command: Sequence[str], environment: Mapping[str, str], grace_seconds: int) -> tuple[int, bool]:
    """Run a command to its end, its output our own; return its exit code and whether Ctrl-C or SIGTERM ended it.

    The child is a process group of its own, so that Ctrl-C reaches it as SIGTERM, `grace_seconds` before SIGKILL.
    """
    with sigterm_like_ctrl_c():
        child = subprocess.Popen(command, env=dict(environment), process_group=0)
        try:
            return child.wait(), False
        except KeyboardInterrupt:
            sys.stderr.write(f"stopping: SIGTERM, SIGKILL after {grace_seconds} s; Ctrl-C again kills at once\n")
            return _stopped(child, grace_seconds), True


def _stopped(child: subprocess.Popen[bytes], grace_seconds: int) -> int:
    try:
        child.terminate()
        return child.wait(grace_seconds)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        child.kill()
        return child.wait()
