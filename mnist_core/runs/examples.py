"""Finished runs that come with Digit Lab: two for the tour, a small network with two learning rates, and one to see.

for run in copy_examples(owner):
    print(read_label(run).name)     # Example: small steps
"""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from mnist_core import owners
from mnist_core.config import runs_dir
from mnist_core.errors import RunError
from mnist_core.files.folders import copy_files, new_folder
from mnist_core.files.write_errors import explain_write_error
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
        try:
            with new_folder(run.path) as unfinished:
                copy_files(folder, unfinished)
                owners.write_owner(unfinished, owner)
        except OSError as error:
            raise RunError(f"The example runs cannot be copied. {explain_write_error(error, root)}") from None
        copies.append(run)
    return copies
