"""Where a model runs: one file or folder for each kind of device, found by entry point."""
