"""Finished runs that come with Digit Lab: two for the tour, a small network with two learning rates, and one to see.

for run in copy_examples(owner):
    print(read_label(run).name)     # Example: small steps
"""

from __future__ import annotations

import secrets
import shutil
import time
from pathlib import Path

from mnist_core import owners
from mnist_core.config import runs_dir
from mnist_core.errors import RunError
from mnist_core.runs.run import Run

EXAMPLES = Path(__file__).parent / "examples"
"""Folder of the runs, each in a folder of its own."""
CURVES = Path(__file__).parent / "example_curves"
"""Directory of a run of `fast`, three epochs, without its model: its curves are what the Train page shows at first."""
NAME = "Example"
"""The beginning of their names, so that nobody takes them for runs of their own."""


def copy_examples(owner: str = owners.NOBODY, root: Path | None = None) -> list[Run]:
    """Copies the examples to the folder of all runs, as its newest runs.

    Args:
        owner: of the copies.
        root: folder of all runs; by default RUNS_DIR.

    Raises:
        RunError: they cannot be written.
    """
    root = root or runs_dir()
    copies = []
    for index, folder in enumerate(sorted(path for path in EXAMPLES.iterdir() if path.is_dir())):
        created = time.strftime("%Y%m%d-%H%M%S", time.localtime(time.time() - index))
        run = Run(root / f"{created}-{Run(folder).spec().kind}-{secrets.token_hex(4)}")
        unfinished = root / f".{run.id}"  # not listed: a run appears complete or not at all
        try:
            shutil.copytree(folder, unfinished)
            owners.write_owner(unfinished, owner)
            unfinished.rename(run.path)
        except OSError as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise RunError(f"The example runs cannot be copied to {root}: {error}.") from None
        copies.append(run)
    return copies
