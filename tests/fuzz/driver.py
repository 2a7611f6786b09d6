"""Runs one target over mutated inputs: `python -m tests.fuzz.driver TARGET [COUNT] [SEED]`.

An input that raises anything but SagedockError, or takes longer than ten seconds of a processor, ends the process with
status 1 and is printed as Python bytes. One that kills the process stands in the file named by --input.
"""

from __future__ import annotations

import argparse
import faulthandler
import resource
import signal
import sys
from pathlib import Path
from types import FrameType

from sagedock.errors import SagedockError
from tests.fuzz.mutation import Mutator
from tests.fuzz.targets import SCRATCH, TARGETS

HANG_SECONDS = 10
MEMORY_BYTES = 8 << 30
"""Address space, not memory: a length that is believed asks for more."""


class HangError(Exception):
    """An input takes too long."""


def fuzz(name: str, count: int, seed: int, current: Path | None) -> bytes | None:
    """The first input that does harm, or None."""
    target = TARGETS[name]
    mutator = Mutator(target.seeds, target.tokens, seed)
    file = current.open("wb", buffering=0) if current is not None else None
    for data in mutator.inputs(count):
        if file is not None:
            file.seek(0)
            file.write(data)
            file.truncate()
        signal.setitimer(signal.ITIMER_PROF, HANG_SECONDS)
        try:
            target.run(data)
        except SagedockError:
            continue
        except Exception as error:  # noqa: BLE001 - the very thing that is looked for
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            return data
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("count", type=int, nargs="?", default=100_000)
    parser.add_argument("seed", type=int, nargs="?", default=0)
    parser.add_argument("--input", type=Path, help="where the input at hand is kept")
    options = parser.parse_args()
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGPROF, _hang)
    try:
        harmful = fuzz(options.target, options.count, options.seed, options.input)
    finally:
        SCRATCH.remove()
    if harmful is not None:
        sys.stderr.write(f"{options.target}, seed {options.seed}: {harmful!r}\n")
        return 1
    return 0


def _hang(_signal: int, _frame: FrameType | None) -> None:
    raise HangError(f"longer than {HANG_SECONDS} s")


if __name__ == "__main__":
    sys.exit(main())
