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
        what: in words, with the conditions.
        value: the median.
        low, high: the range of what was measured.
        count: how often.
        unit: `s`, `ms`, `MB`, `images/s`, or `×` for a ratio.
        target: what was asked, for instance `≥ 1.0`; empty where nothing was.
        peer: what it was measured beside, where it is a ratio.
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
    def reached(self) -> bool | None:
        """Whether the target is met; None without a target."""
        if not self.target:
            return None
        sign, limit = self.target.split()[:2]
        return self.value >= float(limit) if sign == "≥" else self.value <= float(limit)


def figure(what: str, values: Sequence[float], unit: str, target: str = "", peer: str = "") -> Figure:
    """Prints the median and range of values, and collects them for `make bench`.

    Args:
        what: in words.
        values: at least one.
        unit: of the values.
        target: `≥ NUMBER` or `≤ NUMBER` in that unit.
        peer: what it was measured beside.
    """
    found = Figure(what, statistics.median(values), min(values), max(values), len(values), unit, target, peer)
    print(line(found), flush=True)
    if path := os.environ.get(COLLECT):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(found)) + "\n")
    return found


def line(found: Figure) -> str:
    """One line for people."""
    spread = f" ({found.low:.4g} to {found.high:.4g}, {found.count} times)" if found.count > 1 else ""
    asked = f"; asked {found.target}: {'reached' if found.reached else 'NOT REACHED'}" if found.target else ""
    beside = f", beside {found.peer}" if found.peer else ""
    return f"{found.what}: {found.value:.4g} {found.unit}{spread}{beside}{asked}"
