"""Runs every benchmark and writes their figures as a table: `make bench`.

    python benchmarks/_all.py [NAME]...       # updates benchmarks/RESULTS.md; other benchmarks keep their last figures

Takes about 100 minutes on an idle machine.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
import cv2
import psutil
from results import COLLECT, Figure

HERE = Path(__file__).parent
ORDER = (
    "opening",
    "answering",
    "browsing",
    "live_reading",
    "browser_engines",
    "looking",
    "history",
    "first_point",
    "memory",
    "together",
    "load",
    "augmentation",
    "building",
    "sweep",
    "seconds_to_99",
    "estimates",
    "training",
)
PACKAGES = ("streamlit", "tensorflow", "keras", "ai-edge-litert", "numpy", "opencv-python-headless")


WRITTEN = "Written by `make bench`. A figure with a range is the median of as many as the parentheses say."

CAUSES = {
    "from `streamlit run` to": (
        "most of the first script run is imports: pandas, which Streamlit needs for the canvas, NumPy, OpenCV, "
        "and the app's own modules."
    ),
    "one drawing": (
        "normalization takes two fifths, the pictures' PNGs a quarter, the canvas's PNG and LiteRT an eighth each. "
        "When the same machine was less busy, it took 4.2 ms."
    ),
    "alone: from pen-up": "the canvas itself waits 200 ms for another stroke; the rest is computing.",
    "`classify` of": "the normalization of each image. Without it, `classify` is several times as fast.",
    "`python -m mnist_core recipes`": "importing Python, NumPy and click.",
    "script run of pages/data.py": "a hundred digits as PNGs in one chart, which Altair traverses twice.",
    "for the first time": "the convolutions of the shipped model, in LiteRT on all cores.",
    "training digits described": "the convolutions of the shipped model, in LiteRT on all cores.",
    "fast: seconds to a mean of 99.0%": (
        "given the same network, PyTorch spends its time in the same kernels of oneDNN; docs/performance.md has what "
        "was tried."
    ),
    "mlp: images per second": "a step is mostly products of matrices, in `model.fit` too.",
    "geometric mean of these": "most steps are spent in kernels that `model.fit` shares; see docs/performance.md.",
    "images per second": (
        "nine tenths of a step of this network are spent in oneDNN's kernels, in `model.fit` too: the convolutions, "
        "forward and both gradients, and the pooling with its gradient. The overhead around them (the input pipeline, "
        "Python at each step, the optimizer) is already removed; reports, probe grid and checkpoint take one percent."
    ),
    "numbers of three digits": (
        "a digit that grows is normalized and read again, and so are the digits next to it with which it might belong "
        "together: two or three readings of the shipped model, while Chromium draws on the same two cores."
    ),
    "page and worker 4 times slower": (
        "what Chromium's drawing on the same two cores costs a reading counts fourfold here."
    ),
    "`canvas`": (
        "the browser itself reports a move up to 17 ms later, with the next frame; up to 33 ms more are the wait for "
        "the next of at most 30 readings a second, or for the end of the one before."
    ),
    "work of the server per stroke": (
        "Streamlit takes 4 to 6.5 ms for a page with nothing but the canvas, and 4.5 are the picture's PNG, the "
        "normalization, LiteRT and the pictures of the stages; docs/reliability.md has what was tried."
    ),
    "20 browsers and a training: 95th percentile": (
        "the browsers run on the same cores as the server and use more of them than server and training together (see "
        "the cores used). Browsers of real users run on machines of their own."
    ),
}
"""Part of a figure's name -> what a profiler shows, for RESULTS.md, if the target was missed."""


def measure(name: str) -> tuple[list[Figure], bool]:
    """Runs a benchmark. Returns its figures and whether it succeeded."""
    print(f"== {name}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.jsonl"
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent), COLLECT: str(path)}
        done = subprocess.run([sys.executable, str(HERE / f"{name}.py")], env=environment)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Figure(**json.loads(line)) for line in lines], not done.returncode


def table(kept: dict[str, dict[str, Any]]) -> str:
    """All figures in Markdown. `kept`: the content of results.json."""
    lines = ["# Benchmark results", "", WRITTEN, ""]
    missed = []
    for name in filter(kept.__contains__, ORDER):
        figures = [Figure(**figure) for figure in kept[name]["figures"]]
        missed += [figure for figure in figures if figure.reached is False]
        lines += [f"## `benchmarks/{name}.py`", "", kept[name]["machine"], ""]
        lines += ["| what | measured | range | target | |", "|---|---|---|---|---|"]
        lines += [*map(_row, figures), ""]
    if missed:
        lines += ["## Missed targets and their causes", ""]
        lines += [f"- **{figure.what}**, {figure.measured}: {_why(figure)}" for figure in missed]
        lines.append("")
    return "\n".join(lines)


def _why(figure: Figure) -> str:
    """What a profiler shows, if the target was missed."""
    return next((why for part, why in CAUSES.items() if part in figure.what), "not investigated yet.")


def _row(figure: Figure) -> str:
    spread = f"{figure.low:.4g} to {figure.high:.4g} ({figure.count})" if figure.count > 1 else ""
    verdict = {True: "reached", False: "**not reached**", None: ""}[figure.reached]
    relative = f", relative to {figure.peer}" if figure.peer else ""
    return f"| {figure.what}{relative} | {figure.measured} | {spread} | {figure.target} | {verdict} |"


def machine() -> str:
    """Machine and versions."""
    cpu = cv2.getCPUFeaturesLine() if hasattr(cv2, "getCPUFeaturesLine") else ""
    avx512 = "AVX-512" if "AVX512" in cpu.upper() else "no AVX-512"
    memory = psutil.virtual_memory().total / 2**30
    packages = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return (
        f"{time.strftime('%Y-%m-%d')}: {psutil.cpu_count()} cores ({platform.machine()}, {avx512}), {memory:.0f} GiB, "
        f"{platform.system()}, Python {platform.python_version()}, {packages}. Ten million additions in Python took "
        f"{_loop():.2f} s: this shows how fast the shared machine was at that time."
    )


def _loop() -> float:
    """Seconds of a plain loop, the best of three."""
    taken = []
    for _ in range(3):
        began, total = time.perf_counter(), 0
        for number in range(10_000_000):
            total += number
        taken.append(time.perf_counter() - began)
    return min(taken)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


@click.command()
@click.argument("names", nargs=-1)
def main(names: tuple[str, ...]) -> None:
    """Runs all benchmarks, or those given, and writes the figures of those that succeeded."""
    path, failed = HERE / "results.json", []
    for name in names or ORDER:
        figures, whole = measure(name)
        if not whole:
            failed.append(name)
            continue
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        kept[name] = {"machine": machine(), "figures": [asdict(figure) for figure in figures]}
        path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (HERE / "RESULTS.md").write_text(table(kept), encoding="utf-8")
    sys.exit(f"Failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
