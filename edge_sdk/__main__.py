"""`python -m edge_sdk`: the command `edge-sdk` where its script is not on PATH."""

from edge_sdk.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
