"""`sagedock train` with the algorithms of `tests/training/algorithms` beside its own."""

import os
import sys
from pathlib import Path

from sagedock import algorithms, log
from sagedock.training.run import run

if __name__ == "__main__":
    algorithms.__path__.append(str(Path(__file__).parent / "algorithms"))
    log.set_up()
    sys.exit(run(os.environ))
