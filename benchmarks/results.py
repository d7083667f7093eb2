"""Figures of the benchmarks, each with its target; `make bench` writes all of them to RESULTS.md."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

COLLECT = "DIGITLAB_BENCH_FIGURES"
"""Environment variable: a file to which every figure is appended as a line of JSON."""


@dataclass(frozen=True)
class Figure:
    """What was measured.

    Attributes:
        what: what was measured, and under which conditions.
        value: the median.
        low, high: the smallest and the largest measurement.
        count: number of measurements.
        unit: `s`, `ms`, `MB`, `images/s`, `%`, or `×` for a ratio.
        target: for example `≥ 1.0`; empty if there is none.
        peer: what the value is relative to, if it is a ratio.
    """

    what: str
    value: float
    low: float
    high: float
    count: int
    unit: str
    target: str = ""
    peer: str = ""

    @property
    def measured(self) -> str:
        """The value and its unit: `51.02 ms`, `99.05%`."""
        return f"{self.value:.4g}{'' if self.unit == '%' else ' '}{self.unit}"

    @property
    def reached(self) -> bool | None:
        """Whether the target is met; None without a target."""
        if not self.target:
            return None
        sign, limit = self.target.split()[:2]
        return self.value >= float(limit) if sign == "≥" else self.value <= float(limit)


def figure(what: str, values: Sequence[float], unit: str, target: str = "", peer: str = "") -> Figure:
    """Prints the median and range of values, and collects them for `make bench`.

    Args:
        what: what was measured.
        values: at least one.
        unit: of the values.
        target: `≥ NUMBER` or `≤ NUMBER` in that unit.
        peer: what the values are relative to.
    """
    measured = Figure(what, statistics.median(values), min(values), max(values), len(values), unit, target, peer)
    print(format_figure(measured), flush=True)
    if path := os.environ.get(COLLECT):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(measured)) + "\n")
    return measured


def format_figure(measured: Figure) -> str:
    """One line for people."""
    spread = f" ({measured.low:.4g} to {measured.high:.4g}, {measured.count} times)" if measured.count > 1 else ""
    target = (
        f"; target {measured.target}: {'reached' if measured.reached else 'NOT REACHED'}" if measured.target else ""
    )
    relative = f", relative to {measured.peer}" if measured.peer else ""
    return f"{measured.what}: {measured.measured}{spread}{relative}{target}"
