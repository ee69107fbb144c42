"""`python3 app` from a fresh clone, or `python -m edge_sdk.app`: the same as `edge-sdk chat`.

It knows where the root of the checkout is; it does not know the options, which are the command's.
"""

import sys
from pathlib import Path

if not __package__:
    # `python3 app` puts app/ itself first on the path; its modules must not be importable bare.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from edge_sdk import bootstrap

    bootstrap.ensure()

from edge_sdk.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["chat", *sys.argv[1:]]))
