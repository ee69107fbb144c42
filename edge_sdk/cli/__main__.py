"""`python -m edge_sdk.cli`: the command `edge-sdk`, by the name of its package."""

from edge_sdk.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
