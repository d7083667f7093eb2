"""Fuzzes one target of fuzz_targets.py, guided by coverage: python -m tests.faults.fuzz NAME [--minutes 60]

Needs `pip install atheris`. Prints how many inputs it tried. An input that fails stays as a file in --folder; keep it
as a plain test once the cause is fixed.

Hypothesis makes an input of random bytes, and none if there are too few, so the fuzzer begins with many. Bytes that
became none do not count as tried.
"""

from __future__ import annotations

import math
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import click
import numpy as np
from numpy.typing import NDArray

MOST_KILOBYTES = 1_000_000
"""Memory at which another process takes over: coverage takes 40 kB to 4 MB for each input and is not freed."""
MOST_BYTES, SEEDS = 4096, 20
"""Of an input, and how many random ones the fuzzer begins with."""


@click.command()
@click.argument("name")
@click.option("--minutes", default=60.0, show_default=True)
@click.option("--folder", default=".fuzz", show_default=True, help="For the inputs that reached something new.")
def main(name: str, minutes: float, folder: str) -> None:
    """Fuzzes the target NAME."""
    corpus, counter = Path(folder) / name, Path(folder) / f"{name}.tried"
    corpus.mkdir(parents=True, exist_ok=True)
    for number in range(SEEDS):
        (corpus / f"seed-{number}").write_bytes(random.Random(number).randbytes(MOST_BYTES))
    count_in(counter, "w+")
    deadline = time.monotonic() + 60 * minutes
    while (left := math.ceil(deadline - time.monotonic())) > 0:
        lengths = ["-len_control=0", f"-max_len={MOST_BYTES}"]
        options = [f"-max_total_time={left}", *lengths, f"-artifact_prefix={folder}/", str(corpus)]
        # A child: the fuzzer ends its process.
        code = f"from tests.faults.fuzz import fuzz; fuzz({name!r}, {str(counter)!r}, {options!r})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        if done.returncode:
            print(done.stderr[-6000:], file=sys.stderr)
            sys.exit(1)
    print(f"{name}: inputs tried: {count_in(counter, 'r')[0]}")


def count_in(path: Path, mode: Literal["w+", "r+", "r"]) -> NDArray[np.int64]:
    """A number in a file, which survives the process that counts. `mode`: as in np.memmap; "w+" begins with 0."""
    return np.memmap(path, np.int64, mode, shape=1)


def fuzz(name: str, counter: str, options: list[str]) -> None:
    """Runs the fuzzer in this process, which it ends."""
    import atheris

    with atheris.instrument_imports(include=["mnist_core"]):
        from tests.faults.fuzz_targets import TARGETS
    try_bytes = TARGETS[name].hypothesis.fuzz_one_input  # type: ignore[attr-defined]
    count = count_in(Path(counter), "r+")

    def try_and_count(content: bytes) -> None:
        if try_bytes(content) is not None:
            count[0] += 1
        if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > MOST_KILOBYTES:
            os._exit(0)  # what reached new code is in the corpus already

    atheris.Setup(["fuzz", *options], try_and_count)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
