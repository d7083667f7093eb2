"""Trains the shipped model on a GPU: first its teachers, then three students of all of them, then without teachers.

    python benchmarks/shipped/draw.py final final.npz        # may run meanwhile, in another shell
    python benchmarks/shipped/train.py final final.npz OUT

writes OUT/student-0.npz (the shipped weights), student-1.npz, student-2.npz, training.json (how long it took, and on
what), logits.npz and scores.jsonl. With `choose` instead of `final` it does the same without the images by which
recipes are chosen.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import jax
import jax.numpy as jnp
import numpy as np
from networks import NETWORKS
from scores import all_logits, letters_read_as, scores
from trainer import Plan, Pool, compile_ahead, predict, train, train_together

from mnist_core.data.mnist import load_mnist
from mnist_core.files.write import write_json

SIZES = {"choose": (50_000, 105_000, 45_000), "final": (60_000, 105_000, 45_000)}
"""By split: images of MNIST, drawn digits and non-digits."""
CAPACITY = 290_000
"""Images that the pool has room for. Programs are compiled for this number, whatever the split."""

MNIST_ONLY = Plan(6000, mnist=1.0, late_mnist=1.0)
MIXED = Plan(6000, late_mnist=0.65)
STUDENT = Plan(18_000, soft=0.8, temperature=4.0, late_mnist=0.7)
ALONE = Plan(18_000, late_mnist=0.7)
TEACHERS = (
    ("teacher-5x5", True, 0),
    ("teacher-strided", True, 1),
    ("teacher-strided", False, 2),
    ("teacher-5x5", False, 3),
)
"""Network, True if it learns MNIST only, and seed."""
STUDENTS = ("pooled-light",) * 3
SHIFTS = (0.0, -1.0, -1.5, -2.0, -3.0)


def load(path: Path, sizes: tuple[int, ...]) -> tuple[Pool, Any]:
    """Returns a pool that contains MNIST already, and a function that waits for the drawings and completes it."""
    mnist = load_mnist("full")
    x_train, y_train = mnist.x_train[: sizes[0]], mnist.y_train[: sizes[0]]
    starts = jnp.asarray(np.cumsum([0, *sizes]), jnp.int32)

    def pool(images: np.ndarray, labels: np.ndarray) -> Pool:
        unused = CAPACITY - len(images)
        padded = np.pad(images, ((0, unused), (0, 0), (0, 0))), np.pad(labels, (0, unused)).astype(np.int32)
        return Pool(*map(jax.device_put, padded), starts)

    def complete() -> tuple[Pool, dict[str, np.ndarray]]:
        while not path.exists():
            time.sleep(0.2)
        with np.load(path) as arrays:
            sets = {name: arrays[name] for name in arrays.files}
        if sets["starts"].tolist() != np.cumsum([0, *sizes]).tolist():
            raise ValueError(f"{path} contains other numbers of images than {sizes}.")
        return pool(sets["images"], sets["labels"]), sets

    return pool(x_train, y_train), complete


def main(split: str, path: Path, out: Path) -> None:
    """Trains teachers and students, and writes weights, logits and scores."""
    began = time.perf_counter()

    def say(text: str) -> None:
        print(f"{time.perf_counter() - began:.0f} s: {text}", flush=True)

    pool, complete = load(path, SIZES[split])
    students = [NETWORKS[name] for name in STUDENTS]
    kinds = [(NETWORKS[name], mnist_only) for name, mnist_only, _ in TEACHERS]
    for network, _ in kinds[:2]:
        compile_ahead([network], MIXED.batch, pool)
    compile_ahead(students, STUDENT.batch, pool, kinds)
    teachers, sets = [], None
    for name, mnist_only, seed in TEACHERS:
        if not mnist_only and sets is None:
            say("waiting for the drawings")
            pool, sets = complete()
        say(f"teacher {name}, {'MNIST' if mnist_only else 'mixture'}")
        averaged, _, _ = train(NETWORKS[name], MNIST_ONLY if mnist_only else MIXED, pool, seed)
        teachers.append((NETWORKS[name], averaged, mnist_only))
    say("students")
    compile_ahead(students, STUDENT.batch, pool, kinds).result()
    compile_ahead(students, ALONE.batch, pool)
    carries, seconds = train_together(students, STUDENT, pool, range(len(students)), teachers)
    for number, carry in enumerate(carries):
        arrays = [np.asarray(array) for layer in carry.averaged for array in layer]
        np.savez(out / f"student-{number}.npz", *arrays)
    device = f"{jax.devices()[0].device_kind}, JAX {jax.__version__}, bfloat16"
    write_json(out / "training.json", {"seconds": round(seconds, 1), "device": device})
    everything: dict[str, Any] = {}

    def score(name: str, network: Any, weights: Any) -> None:
        write_scores(out, name, network, weights, sets, everything)
        np.savez(out / "logits.npz", **everything)

    for number, carry in enumerate(carries):
        score(f"student {number}", students[number], carry.averaged)
    for number, (network, weights, mnist_only) in enumerate(teachers):
        score(f"teacher {number}, {'MNIST' if mnist_only else 'mixture'}", network, weights)
    say("without teachers")
    carries, _ = train_together(students, ALONE, pool, range(len(students)))
    for number, carry in enumerate(carries):
        score(f"alone {number}", students[number], carry.averaged)
    say("the network of the recipe best, without teachers")
    averaged, _, _ = train(NETWORKS["best"], replace(ALONE, steps=12_000), pool, 0)
    score("recipe best, alone", NETWORKS["best"], averaged)
    say("done")


def write_scores(out: Path, name: str, network: Any, weights: Any, sets: Any, everything: dict[str, Any]) -> None:
    """Scores a network, for several shifts of its last logit."""
    found = all_logits(lambda images: predict(network, weights, images), sets)
    everything |= {f"{name}|{key}": values.astype(np.float32) for key, values in found.items()}
    print(name)
    with (out / "scores.jsonl").open("a") as file:
        for shift in SHIFTS:
            row = scores(found, sets, shift)
            file.write(json.dumps({"name": name, "shift": shift, **row}) + "\n")
            if shift in (-1.0, -2.0):
                print(f"  {shift:g}: " + " ".join(f"{key}={value:g}" for key, value in row.items()))
    print("  " + letters_read_as(found, sets, -1.5), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
