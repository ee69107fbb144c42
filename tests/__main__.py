"""`python3 tests [pytest options]` from a fresh clone: all tests, on two cores.

It knows the root of the checkout and the extras that tests need; it does not know any test. Paths
in the options are relative to the root, wherever it is started.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = ["-n", "2", "-q"]

if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    from edge_sdk import bootstrap

    bootstrap.ensure(["test", "gateware"])

    import pytest

    os.chdir(ROOT)
    raise SystemExit(pytest.main(sys.argv[1:] or DEFAULT))
