"""The program: `digitlab COMMAND` once installed, `python -m mnist_core COMMAND` in the checkout."""

from __future__ import annotations

from mnist_core.cli import models, rate, reproduce, runs, sweep, train  # each adds its commands to `main`
from mnist_core.cli.main import main

__all__ = ["main", "models", "rate", "reproduce", "runs", "sweep", "train"]

if __name__ == "__main__":
    main(prog_name="python -m mnist_core")
