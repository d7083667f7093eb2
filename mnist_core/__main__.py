"""The command line: `python -m mnist_core COMMAND`. Results go to standard output, all else to standard error."""

from __future__ import annotations

from mnist_core import cli_models, cli_rate, cli_runs, cli_sweep, cli_train
from mnist_core.cli import main

# Each module adds its commands when it is imported.
__all__ = ["cli_models", "cli_rate", "cli_runs", "cli_sweep", "cli_train", "main"]

if __name__ == "__main__":
    main(prog_name="python -m mnist_core")
