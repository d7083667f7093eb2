"""The command line: `python -m mnist_core COMMAND`. Results go to standard output, all else to standard error."""

from __future__ import annotations

from mnist_core.cli import models, rate, runs, sweep, train
from mnist_core.cli.main import main

# Each module adds its commands when it is imported.
__all__ = ["main", "models", "rate", "runs", "sweep", "train"]

if __name__ == "__main__":
    main(prog_name="python -m mnist_core")
