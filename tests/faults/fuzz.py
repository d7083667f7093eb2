"""Fuzzes one target of fuzz_targets.py, guided by coverage: python -m tests.faults.fuzz NAME [--minutes 60]

Needs `pip install atheris`. Prints how many inputs it tried. An input that fails stays as a file in --folder; keep it
as a plain test once the cause is fixed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click


@click.command()
@click.argument("name")
@click.option("--minutes", default=60.0, show_default=True)
@click.option("--folder", default=".fuzz", show_default=True, help="For the inputs that reached something new.")
def main(name: str, minutes: float, folder: str) -> None:
    """Fuzzes the target NAME."""
    corpus = Path(folder) / name
    corpus.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={round(60 * minutes)}", f"-artifact_prefix={folder}/", "-print_final_stats=1"]
    # A child: the fuzzer ends its process.
    code = f"from tests.faults.fuzz import fuzz; fuzz({name!r}, {[*options, str(corpus)]!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    counted = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    print(done.stderr[-6000:] if done.returncode else "", file=sys.stderr)
    if counted is None:
        sys.exit(1)
    print(f"{name}: inputs tried: {counted[1]}")


def fuzz(name: str, options: list[str]) -> None:
    """Runs the fuzzer in this process, which it ends."""
    import atheris

    with atheris.instrument_imports(include=["mnist_core"]):
        from tests.faults.fuzz_targets import TARGETS
    atheris.Setup(["fuzz", *options], TARGETS[name].hypothesis.fuzz_one_input)  # type: ignore[attr-defined]
    atheris.Fuzz()


if __name__ == "__main__":
    main()
