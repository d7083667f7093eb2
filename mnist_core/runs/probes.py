"""Predictions recorded during a training: for up to six drawings (probes), and for sixty test digits (the probe grid).

    RUN_DIR/probes.json    the drawings; a page may write it at any time, and the worker reads it
    RUN_DIR/wall.npz       the test digits; the worker writes it, so that a page needs no data set to show them

Each report in metrics.jsonl then has `probes`, name -> probabilities of the ten digits. About once a second a report
also has `wall`: one character for each digit of the grid, the predicted digit, or REJECTED for "not a digit".
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import IMAGE_SIZE, NUM_CLASSES
from mnist_core.errors import DrawingError, RunError
from mnist_core.fields import COUNT
from mnist_core.files.json_reader import read_json
from mnist_core.files.read import load_arrays
from mnist_core.files.write import write_arrays, write_json
from mnist_core.files.write_errors import explain_write_error
from mnist_core.runs.reports import check_report
from mnist_core.runs.run import Run

MAX_PROBES = 6
GRID_PER_DIGIT = 6
"""Test digits of each class in the probe grid."""
MAX_GRID = 200
"""Most digits in a grid that is shown."""
GRID_BYTES = 1_000_000
"""Largest size of the grid's arrays."""
REJECTED = "x"
"""Stands in a report for the prediction "not a digit"."""
GRID_SECONDS = 1.0
"""Shortest time between two predictions of the grid: sixty digits cost as much as half a batch."""
GRID_SHARE = 0.005
"""Largest share of the training time that these predictions may take: a slow network predicts the grid less often."""
DECIMALS = 4
"""Decimals of a recorded probability."""

_NAME = re.compile(r"[0-9a-f]{8}")

Images = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Probe:
    """A drawing whose prediction is recorded with each report.

    Attributes:
        image: (28, 28) uint8, ink bright, normalized as the model expects it.
        name: eight hexadecimal digits.
    """

    image: Images
    name: str


@dataclass(frozen=True, eq=False)
class ProbeGrid:
    """A few test digits that stand for all of them.

    Attributes:
        images: (N, size, size) uint8, ink bright.
        labels: (N,) uint8, 0..9, ascending.
    """

    images: Images
    labels: NDArray[np.uint8]


def new_probe(image: Images) -> Probe:
    """Makes a probe with a random name. `image`: (28, 28) uint8."""
    return Probe(image, secrets.token_hex(4))


def write_probes(run: Run, probes: Iterable[Probe]) -> None:
    """Replaces the probes of a run; its worker uses them from the next report on.

    Raises:
        DrawingError: there are more than MAX_PROBES.
        RunError: the file cannot be written.
    """
    probes = list(probes)
    if len(probes) > MAX_PROBES:
        raise DrawingError(f"{len(probes)} drawings were given, and at most {MAX_PROBES} can be probes. Remove some.")
    value = [{"name": probe.name, "image": base64.b64encode(probe.image.tobytes()).decode()} for probe in probes]
    try:
        write_json(run.path / "probes.json", {"probes": value})
    except OSError as error:
        raise RunError(f"The probes of {run.id} cannot be written. {explain_write_error(error, run.path)}") from None


def read_probes(run: Run) -> tuple[Probe, ...]:
    """Returns the probes of a run. Broken entries are left out."""
    value = read_json(run.path / "probes.json").get("probes")
    probes = [_parse_probe(entry) for entry in value] if isinstance(value, list) else []
    return tuple(probe for probe in probes if probe is not None)[:MAX_PROBES]


def _parse_probe(entry: Any) -> Probe | None:
    try:
        pixels = np.frombuffer(base64.b64decode(entry["image"], validate=True), np.uint8)
        image = pixels.reshape(IMAGE_SIZE, IMAGE_SIZE)
        return Probe(image, entry["name"]) if _NAME.fullmatch(entry["name"]) else None
    except (TypeError, KeyError, ValueError, binascii.Error):
        return None


def choose_probe_grid(images: Images, labels: NDArray[np.uint8]) -> ProbeGrid:
    """Picks the first GRID_PER_DIGIT test images of each digit, so all runs on the same data have the same grid.

    Args:
        images: (N, size, size) uint8.
        labels: (N,) uint8.
    """
    picked = np.concatenate([np.flatnonzero(labels == digit)[:GRID_PER_DIGIT] for digit in range(NUM_CLASSES)])
    return ProbeGrid(images[picked], labels[picked])


def read_probe_grid(run: Run) -> ProbeGrid | None:
    """Returns the probe grid of a run; None if its worker has not written it yet, or the file is broken."""
    try:
        arrays = load_arrays(run.path / "wall.npz", GRID_BYTES)
        grid = ProbeGrid(arrays["images"], arrays["labels"])
    except (OSError, ValueError, KeyError):
        return None
    count = len(grid.labels) if grid.labels.ndim == 1 else 0
    shapes = [(count, size, size) for size in (28, 56)]
    is_valid = grid.images.shape in shapes and grid.images.dtype == grid.labels.dtype == np.uint8
    return grid if is_valid and 0 < count <= MAX_GRID and grid.labels.max() < NUM_CLASSES else None


class ProbeRecorder:
    """In the worker: predicts the probes and the probe grid with the model that is being trained.

    Args:
        run: the run whose probes are read. Its probe grid is written at once.
        grid: the test digits; empty for the run of a sweep.
        predict: maps (N, size, size) uint8 images to (N, 10) or (N, 11) float32 probabilities.
    """

    def __init__(self, run: Run, grid: ProbeGrid, predict: Callable[[Images], NDArray[np.float32]]) -> None:
        self._run, self._grid, self._predict = run, grid, predict
        self._probes: tuple[Probe, ...] = ()
        self._probes_mtime = -1  # nanoseconds; -1: no file
        self._next_grid_time = 0.0  # monotonic seconds
        self._grid_costs = list[float]()  # seconds that each prediction of the grid took
        write_arrays(run.path / "wall.npz", compressed=True, images=grid.images, labels=grid.labels)

    def record(self, with_grid: bool = False) -> dict[str, Any]:
        """Returns the entries `probes` and `wall` of a report; those that are not due are absent.

        Args:
            with_grid: whether the grid is predicted even if it is not due.
        """
        self._reload_probes()
        size = self._grid.images.shape[1]
        drawings = np.array([probe.image for probe in self._probes], np.uint8).reshape(-1, IMAGE_SIZE, IMAGE_SIZE)
        drawings = _center(drawings, size)
        began = time.monotonic()
        with_grid = bool(len(self._grid.labels)) and (with_grid or began >= self._next_grid_time)
        images = np.concatenate([drawings, self._grid.images]) if with_grid else drawings
        if not len(images):
            return {}
        probabilities = self._predict(images)
        if not np.isfinite(probabilities).all():  # the last batch ruined the weights: the loss of the next one says so
            return {}
        report: dict[str, Any] = {}
        if self._probes:
            report["probes"] = {
                probe.name: row[:NUM_CLASSES].round(DECIMALS).tolist()
                for probe, row in zip(self._probes, probabilities, strict=False)
            }
        if with_grid:
            self._schedule_grid(time.monotonic() - began)
            predictions = probabilities[len(drawings) :].argmax(axis=1).tolist()
            report["wall"] = "".join(str(digit) if digit < NUM_CLASSES else REJECTED for digit in predictions)
        return report

    def _schedule_grid(self, cost: float) -> None:
        """Sets when the grid is due again, after a prediction that took `cost` seconds."""
        self._grid_costs.append(cost)
        usual_cost = min(self._grid_costs[1:], default=0.0)  # TensorFlow compiles during the first
        self._next_grid_time = time.monotonic() + max(GRID_SECONDS, usual_cost / GRID_SHARE)

    def _reload_probes(self) -> None:
        try:
            mtime = (self._run.path / "probes.json").stat().st_mtime_ns
        except OSError:
            mtime = -1
        if mtime != self._probes_mtime:
            self._probes, self._probes_mtime = read_probes(self._run), mtime


def _center(images: Images, size: int) -> Images:
    """Puts (N, 28, 28) images into the middle of (N, size, size)."""
    margin = (size - IMAGE_SIZE) // 2
    return np.pad(images, ((0, 0), (margin, margin), (margin, margin)))


def probe_history(rows: Iterable[dict[str, Any]], name: str) -> tuple[list[int], NDArray[np.float32]]:
    """Returns the recorded predictions of one probe.

    Args:
        rows: reports, as in metrics.jsonl. Broken entries are left out.
        name: of the probe.

    Returns:
        The T steps, and their (T, 10) float32 probabilities.
    """
    checked = (report for row in rows if (report := check_report(row)) is not None)
    valid = [(row["step"], row["probes"][name]) for row in checked if name in row.get("probes", {})]
    probabilities = np.array([values for _, values in valid], np.float32).reshape(-1, NUM_CLASSES)
    return [step for step, _ in valid], probabilities


def grid_history(rows: Iterable[dict[str, Any]], count: int) -> list[tuple[int, str]]:
    """Returns step and predictions, one character per digit, of each report that has predictions of the grid.

    Args:
        rows: reports, as in metrics.jsonl. Broken entries are left out.
        count: digits in the grid.
    """
    recorded = [(row["step"], str(row["wall"])) for row in rows if COUNT.accepts(row.get("step")) and "wall" in row]
    allowed = {*"0123456789", REJECTED}
    return [(step, digits) for step, digits in recorded if len(digits) == count and set(digits) <= allowed]
