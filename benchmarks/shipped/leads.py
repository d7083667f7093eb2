"""Tries each lead on the validation split. It needs a GPU; docs/model.md has what it found.

Draw first: `python benchmarks/shipped/draw.py choose choose.npz`. Then:

    python benchmarks/shipped/leads.py choose.npz results.jsonl [SECONDS]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from networks import NETWORKS
from scores import all_logits, letters_read_as, probabilities, scores
from train import SIZES, load
from trainer import Plan, Pool, compile_ahead, predict, train

BEGAN = time.perf_counter()
PLAIN = Plan(6000)
MNIST_ONLY = Plan(6000, mnist=1.0, late_mnist=1.0)
SOFT = Plan(9000, soft=0.8, late_mnist=0.65)
SHIFTS = (0.0, -1.0, -2.0, -3.0)


class Leads:
    """Trains one variant after the other and writes down what each gave."""

    def __init__(self, pool: Pool, results: Path, limit: float) -> None:
        self.pool, self.results, self.limit = pool, results, limit
        self.sets: dict[str, np.ndarray] = {}
        self.trained: dict[str, tuple[str, Any, float]] = {}

    def late(self, seconds: float) -> bool:
        """True if an expected number of seconds is no longer left."""
        return time.perf_counter() - BEGAN + seconds > self.limit

    def run(self, name: str, network: str, plan: Plan, teachers: Sequence[str] = (), seed: int = 0) -> None:
        """Trains a variant, unless it is too late."""
        if self.late(35):
            print(f"too late for {name}", flush=True)
            return
        print(f"{time.perf_counter() - BEGAN:.0f} s: {name}", flush=True)
        told = [(NETWORKS[self.trained[t][0]], self.trained[t][1], "mnist" in t) for t in teachers if t in self.trained]
        averaged, last, seconds = train(NETWORKS[network], plan, self.pool, seed, told)
        self.trained[name] = (network, averaged, seconds)
        if self.sets:
            self.score(name, {"averaged": averaged, "last": last}, plan)

    def score(self, name: str, kinds: dict[str, Any], plan: Plan) -> None:
        """Writes the scores of a variant."""
        network, _, seconds = self.trained[name]
        for kind, weights in kinds.items():
            found = all_logits(lambda images, w=weights: predict(NETWORKS[network], w, images), self.sets)
            self.write(name, network, kind, seconds, plan, found)

    def write(self, name: str, network: str, kind: str, seconds: float, plan: Any, found: dict[str, Any]) -> None:
        """Writes one line for each shift of the eleventh logit."""
        for shift in SHIFTS if kind != "last" else SHIFTS[2:3]:
            row = {"name": name, "network": network, "weights": kind, "seconds": round(seconds, 1), "shift": shift}
            row |= {"plan": str(plan), **scores(found, self.sets, shift)}
            with self.results.open("a") as file:
                file.write(json.dumps(row) + "\n")
        print(f"    {kind}: " + brief(row), flush=True)
        if kind != "last":
            print("    " + letters_read_as(found, self.sets, -2.0), flush=True)

    def ensemble(self, name: str, members: Sequence[str]) -> None:
        """Scores the mean of the probabilities of several networks."""
        both = []
        for network, weights, _ in (self.trained[member] for member in members if member in self.trained):
            found = all_logits(lambda images, n=network, w=weights: predict(NETWORKS[n], w, images), self.sets)
            both.append({key: probabilities(values) for key, values in found.items()})
        mean = {key: np.log(np.mean([each[key] for each in both], axis=0) + 1e-12) for key in both[0]}
        self.write(name, "+".join(members), "ensemble", 0.0, "", mean)


def brief(row: dict[str, Any]) -> str:
    """The numbers that matter, in one line."""
    short = {k.replace("letters/", "L ").replace("pen/", ""): v for k, v in row.items() if isinstance(v, float)}
    return " ".join(f"{k}={v:g}" for k, v in short.items())


def main(path: Path, results: Path, limit: float) -> None:
    """Tries the leads in order of worth."""
    pool, complete = load(path, SIZES["choose"])
    leads = Leads(pool, results, limit)
    plain, only, soft = PLAIN, MNIST_ONLY, SOFT
    order = ("teacher-5x5", "teacher-strided", "best", "strided", "pooled", "homogeneous")
    for network in order:
        compile_ahead([NETWORKS[network]], plain.batch, pool)
    told = [("teacher-5x5", True), ("teacher-strided", True), ("teacher-strided", False), ("teacher-5x5", False)]
    kinds = [(NETWORKS[network], mnist_only) for network, mnist_only in told]
    for network in ("pooled", "strided-light", "homogeneous"):
        compile_ahead([NETWORKS[network]], soft.batch, pool, kinds)
    leads.run("mnist 5x5", "teacher-5x5", only)
    leads.run("mnist strided", "teacher-strided", only)
    leads.pool, leads.sets = complete()
    print(f"{time.perf_counter() - BEGAN:.0f} s: drawings are there", flush=True)
    for name in ("mnist 5x5", "mnist strided"):
        leads.score(name, {"averaged": leads.trained[name][1]}, only)
    leads.run("as before", "best", plain)
    leads.run("wider", "strided", plain)
    leads.run("pooled", "pooled", plain)
    leads.run("mixture strided", "teacher-strided", replace(plain, late_mnist=0.65))
    leads.run("mixture 5x5", "teacher-5x5", replace(plain, late_mnist=0.65))
    teachers = ["mnist 5x5", "mnist strided", "mixture strided", "mixture 5x5"]
    leads.ensemble("ensemble of mixture teachers", teachers[2:])
    leads.run("pooled, soft", "pooled", soft, teachers)
    leads.run("strided, soft", "strided-light", soft, teachers)
    leads.run("homogeneous", "homogeneous", plain)
    leads.run("homogeneous, soft", "homogeneous", soft, teachers)
    leads.run("wider, late MNIST", "strided", replace(plain, late_mnist=0.75))
    leads.run("pooled, soft, T = 4", "pooled", replace(soft, temperature=4.0), teachers)
    leads.run("pooled, soft, longer", "pooled", replace(soft, steps=2 * soft.steps), teachers)
    leads.run("wider, twice as long", "strided", replace(plain, steps=2 * plain.steps))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 540.0)
