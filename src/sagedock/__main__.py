"""`python -m sagedock`."""

import sys

from sagedock.cli import main

sys.exit(main())
