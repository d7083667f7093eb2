"""Checks every file of an imported run. Nothing is executed, and no pickle is read.

What a file declares is checked before it is read: the length of lines, the shapes of arrays, the sizes in a zip. Models
are opened in a process of their own, `try_model`, with a memory limit and a time limit.
"""

from __future__ import annotations

import subprocess  # noqa: S404 - starts this package's own module
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from mnist_core.errors import RunError
from mnist_core.export import try_model
from mnist_core.export.validate_binary import check_keras, check_tflite, check_wall
from mnist_core.export.validate_json import check_card, check_json, check_metrics, check_spec, check_status
from mnist_core.processes import last_error_line, run_module
from mnist_core.runs.run import Run

CHECKS: dict[str, Callable[[Path], None]] = {
    "spec.json": check_spec,
    "status.json": check_status,
    "control.json": check_json,
    "label.json": check_json,
    "probes.json": check_json,
    "metrics.jsonl": check_metrics,
    "card.json": check_card,
    "wall.npz": check_wall,
    "model.keras": check_keras,
    "model.tflite": check_tflite,
}
"""File of a run -> what checks it."""

_PARSER_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    RecursionError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    zipfile.BadZipFile,
    zlib.error,
    SyntaxError,  # NumPy parses the header of an array as Python
    tokenize.TokenError,
)


def validate_run(run: Run) -> None:
    """Checks every file of a run that has just been unpacked.

    Raises:
        RunError: names the first file that is invalid, and says why.
    """
    for name, check in CHECKS.items():
        if (run.path / name).exists():
            try:
                check(run.path / name)
            except RunError as error:
                raise RunError(f"The run's {name} cannot be imported: {error}. Export the run again.") from None
            except _PARSER_ERRORS as error:
                why = " ".join(str(error).split())[:200] or type(error).__name__
                raise RunError(f"The run's {name} cannot be imported: {why}. Export the run again.") from None
    _try_models(run)


def _try_models(run: Run) -> None:
    """Opens the models in a separate process, because a broken one can crash it or use any amount of memory."""
    if not any((run.path / name).exists() for name in try_model.CHECKS):
        return
    folder, seconds = str(run.path.resolve()), try_model.MAX_SECONDS
    try:
        done = run_module("mnist_core.export.try_model", folder, threads=1, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise RunError(
            f"The run's models cannot be imported: opening them takes more than {seconds} seconds."
        ) from None
    if done.returncode:
        name = (done.stdout.split() or ["models"])[-1]  # it prints what it is about to open
        why = last_error_line(done)[:300] if done.returncode == 1 else "it is damaged, or needs too much memory"
        raise RunError(f"The run's {name} cannot be imported: {why}. Export the run again.")
