"""What a training is watched by: up to six drawings of people's own, and a wall of sixty test digits.

    RUN_DIR/probes.json    the drawings; a page writes it, at any time, and the worker reads it
    RUN_DIR/wall.npz       the sixty; the worker writes it, so that a page needs no data set to show them

A report in metrics.jsonl then has `probes`, name -> probabilities of the ten digits, and about once a second `wall`:
sixty characters, what each of the sixty is read as, NOT_READ where that is no digit.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import DrawingError, RunError
from mnist_core.files import read_json, replacing, write_json
from mnist_core.runs.run import Run

MAX_PROBES = 6
WALL_EACH = 6  # of each of the ten digits
NOT_READ = "x"
WALL_SECONDS = 1.0  # sixty digits cost as much as half a batch: not with every report
WALL_SHARE = 0.005  # of the training's time at most: a slow network shows its wall less often
DECIMALS = 4

_NAME = re.compile(r"[0-9a-f]{8}")

Images = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Probe:
    """A drawing to watch.

    Attributes:
        image: (28, 28) uint8, ink bright, as the model is shown it.
        name: eight hexadecimal digits.
    """

    image: Images
    name: str


def probe(image: Images) -> Probe:
    """A drawing with a name of its own. `image`: (28, 28) uint8."""
    return Probe(image, secrets.token_hex(4))


def write(run: Run, probes: Iterable[Probe]) -> None:
    """Has a run watched by these drawings from its next report on.

    Raises:
        DrawingError: there are more than MAX_PROBES.
        RunError: the file cannot be written.
    """
    chosen = list(probes)
    if len(chosen) > MAX_PROBES:
        raise DrawingError(f"{len(chosen)} drawings were given to watch, and {MAX_PROBES} may be. Take one away first.")
    value = [{"name": each.name, "image": base64.b64encode(each.image.tobytes()).decode()} for each in chosen]
    try:
        write_json(run.path / "probes.json", {"probes": value})
    except OSError as error:
        raise RunError(f"The drawings to watch in {run.id} cannot be written: {error}.") from None


def read(run: Run) -> tuple[Probe, ...]:
    """The drawings that a run is watched by; what is nonsense in their file is left out."""
    value = read_json(run.path / "probes.json").get("probes")
    found = [_probe(entry) for entry in value] if isinstance(value, list) else []
    return tuple(each for each in found if each is not None)[:MAX_PROBES]


def _probe(entry: Any) -> Probe | None:
    try:
        image = np.frombuffer(base64.b64decode(entry["image"], validate=True), np.uint8).reshape(28, 28)
        return Probe(image, entry["name"]) if _NAME.fullmatch(entry["name"]) else None
    except (TypeError, KeyError, ValueError, binascii.Error):
        return None


@dataclass(frozen=True, eq=False)
class Wall:
    """Test digits that stand for all of them.

    Attributes:
        images: (N, size, size) uint8.
        labels: (N,) uint8, 0..9, in rising order.
    """

    images: Images
    labels: NDArray[np.uint8]


def choose_wall(images: Images, labels: NDArray[np.uint8]) -> Wall:
    """The first WALL_EACH test images of each digit, so that every run on the same data has the same wall.

    Args:
        images: (N, size, size) uint8.
        labels: (N,) uint8.
    """
    chosen = np.concatenate([np.flatnonzero(labels == digit)[:WALL_EACH] for digit in range(10)])
    return Wall(images[chosen], labels[chosen])


def read_wall(run: Run) -> Wall | None:
    """The wall of a run; None before its worker has written it, or where it was spoilt."""
    try:
        with (run.path / "wall.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            wall = Wall(arrays["images"], arrays["labels"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    fits = wall.images.ndim == 3 and wall.images.dtype == wall.labels.dtype == np.uint8
    return wall if fits and wall.labels.shape == wall.images.shape[:1] else None


class Watch:
    """The worker's side: asks a training model, between two reports, what it makes of all these.

    Args:
        run: whose probes are read, and whose wall is written.
        wall: the test digits.
        probabilities: what the model makes of (N, size, size) uint8 images, as training.looker gives it.
    """

    def __init__(self, run: Run, wall: Wall, probabilities: Callable[[Images], NDArray[np.float32]]) -> None:
        self._run, self._wall, self._probabilities = run, wall, probabilities
        self._probes: tuple[Probe, ...] = ()
        self._changed = -1  # when probes.json was, in nanoseconds
        self._next_look, self._costs = 0.0, list[float]()  # seconds of the looks at the wall
        with replacing(run.path / "wall.npz") as temporary:
            np.savez_compressed(temporary, images=wall.images, labels=wall.labels)

    def look(self, at_wall: bool = False) -> dict[str, Any]:
        """`probes` and `wall` of a report. `at_wall`: whether the wall must be among them."""
        self._reread()
        size = self._wall.images.shape[1]
        drawn = _placed(np.array([each.image for each in self._probes], np.uint8).reshape(-1, 28, 28), size)
        began = time.monotonic()
        at_wall = at_wall or began >= self._next_look
        images = np.concatenate([drawn, self._wall.images]) if at_wall else drawn
        if not len(images):
            return {}
        found = self._probabilities(images)
        told = {each.name: row[:10].round(DECIMALS).tolist() for each, row in zip(self._probes, found, strict=False)}
        report: dict[str, Any] = {"probes": told} if told else {}
        if at_wall:
            self._next_look = time.monotonic() + self._pause(time.monotonic() - began)
            read_as = found[len(drawn) :].argmax(axis=1).tolist()
            report["wall"] = "".join(str(digit) if digit < 10 else NOT_READ for digit in read_as)
        return report

    def _pause(self, cost: float) -> float:
        """Seconds until the next look at the wall, of which the last has taken so many."""
        self._costs.append(cost)
        usual = min(self._costs[1:], default=0.0)  # TensorFlow takes its time at the first
        return max(WALL_SECONDS, usual / WALL_SHARE)

    def _reread(self) -> None:
        try:
            changed = (self._run.path / "probes.json").stat().st_mtime_ns
        except OSError:
            changed = -1
        if changed != self._changed:
            self._probes, self._changed = read(self._run), changed


def _placed(images: Images, size: int) -> Images:
    """(N, 28, 28) digits in the middle of a larger field."""
    margin = (size - 28) // 2
    return np.pad(images, ((0, 0), (margin, margin), (margin, margin)))


def history(rows: Iterable[dict[str, Any]], name: str) -> tuple[list[int], NDArray[np.float32]]:
    """What was made of one drawing, report by report.

    Args:
        rows: reports as they stand in metrics.jsonl.
        name: of the probe.

    Returns:
        Steps, and (T, 10) float32 probabilities.
    """
    told = [(row.get("step"), row["probes"].get(name)) for row in rows if isinstance(row.get("probes"), dict)]
    good = [(step, found) for step, found in told if isinstance(step, int) and _is_distribution(found)]
    return [step for step, _ in good], np.array([found for _, found in good], np.float32).reshape(-1, 10)


def _is_distribution(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 10 and all(isinstance(part, (int, float)) for part in value)


def wall_history(rows: Iterable[dict[str, Any]], count: int) -> list[tuple[int, str]]:
    """(step, what each of the `count` digits is read as) of every report that looked at the wall."""
    told = [(row["step"], str(row["wall"])) for row in rows if isinstance(row.get("step"), int) and "wall" in row]
    return [(step, wall) for step, wall in told if len(wall) == count and set(wall) <= {*"0123456789", NOT_READ}]
