"""Fuzzes one target of fuzz_targets.py, guided by coverage: python -m tests.faults.fuzz NAME [--minutes 60]

Needs `pip install atheris`. Prints how many inputs it tried. An input that fails stays as a file in --folder; keep it
as a plain test once the cause is fixed.
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
import time
from pathlib import Path

import click

RUNS = 15_000
"""Inputs of one process: the coverage of a process takes 40 kB for each of them and is not freed."""


@click.command()
@click.argument("name")
@click.option("--minutes", default=60.0, show_default=True)
@click.option("--folder", default=".fuzz", show_default=True, help="For the inputs that reached something new.")
def main(name: str, minutes: float, folder: str) -> None:
    """Fuzzes the target NAME."""
    corpus = Path(folder) / name
    corpus.mkdir(parents=True, exist_ok=True)
    tried, deadline = 0, time.monotonic() + 60 * minutes
    while (left := math.ceil(deadline - time.monotonic())) > 0:
        options = [f"-max_total_time={left}", f"-runs={RUNS}", f"-artifact_prefix={folder}/", "-print_final_stats=1"]
        # A child: the fuzzer ends its process.
        code = f"from tests.faults.fuzz import fuzz; fuzz({name!r}, {[*options, str(corpus)]!r})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        counted = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
        if done.returncode or counted is None:
            print(done.stderr[-6000:], file=sys.stderr)
            sys.exit(1)
        tried += int(counted[1])
    print(f"{name}: inputs tried: {tried}")


def fuzz(name: str, options: list[str]) -> None:
    """Runs the fuzzer in this process, which it ends."""
    import atheris

    with atheris.instrument_imports(include=["mnist_core"]):
        from tests.faults.fuzz_targets import TARGETS
    atheris.Setup(["fuzz", *options], TARGETS[name].hypothesis.fuzz_one_input)  # type: ignore[attr-defined]
    atheris.Fuzz()


if __name__ == "__main__":
    main()
