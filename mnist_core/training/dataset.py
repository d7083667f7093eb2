"""What a run trains on and is measured with: images of MNIST, drawings beside them, drawings that people kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.data.download import Progress
from mnist_core.data.mnist import Mnist, load_mnist
from mnist_core.data.splits import Split, split_mnist, uncenter_split
from mnist_core.drawing.strokes import PenDigit
from mnist_core.errors import DownloadError, TrainingError
from mnist_core.handwriting import mixture_cache
from mnist_core.handwriting.corrections import Correction, list_corrections
from mnist_core.handwriting.mixture import MIXTURES
from mnist_core.handwriting.pen_digits import load_pen_digits, pen_digits_available, split_writers
from mnist_core.runs.spec import RunSpec
from mnist_core.training import fine_tune

ShowMessage = Callable[[str], None]
"""Takes one line for people on what is being done."""

log = logging.getLogger("digitlab.materials")


@dataclass(frozen=True)
class PenSplit:
    """Digits written with a pen: by people to train on, and by others to measure with. Empty where there are none."""

    train: tuple[PenDigit, ...] = ()
    measure: tuple[PenDigit, ...] = ()
    missing: str = ""

    def to_json(self, accuracy: dict[str, float]) -> dict[str, Any]:
        """Who wrote what, and how the model reads those that it was not trained on."""
        writers = [sorted({digit.writer for digit in digits}) for digits in (self.train, self.measure)]
        return {
            "trained_on_writers": writers[0],
            "measured_on_writers": writers[1],
            "measured_on_digits": len(self.measure),
            "accuracy": accuracy,
            "missing": self.missing,
        }


@dataclass(frozen=True)
class Dataset:
    """Everything that a run works with.

    Attributes:
        mnist: the data set.
        split: its parts, with all drawings among the training images.
        pens: whose digits were drawn, and whose are to measure with.
        kept: the drawings of people that it is taught; none in an ordinary run.
        notice: one line for people on all of it.
    """

    mnist: Mnist
    split: Split
    pens: PenSplit
    kept: tuple[Correction, ...]
    notice: str

    @property
    def non_digits(self) -> float:
        """The share of the training images that are no digits, 0..1."""
        return float((self.split.y_train == NOT_A_DIGIT).mean())


def load_dataset(spec: RunSpec, say: ShowMessage, processes: int) -> Dataset:
    """Reads, fetches and draws what a run needs.

    Args:
        spec: what is to be trained.
        say: told what is being done.
        processes: how many may draw at once.

    Raises:
        DataError: as data.load and pen.load.
        TrainingError: there is nothing to teach.
    """
    outputs = spec.settings.architecture.summary()[-1].output_shape[0]
    mnist = load_mnist(spec.data, throttled_progress("MNIST", say))
    split = split_mnist(mnist, spec.settings.split)
    if spec.settings.uncentered:
        split = uncenter_split(split)
    lessons = _lessons(spec, outputs)
    if lessons:
        split = fine_tune.rehearsal_split(split, spec.seed)
    pens = load_pen_split(spec, say)
    split, notice = _with_drawings(spec, split, pens, outputs, say, processes)
    if lessons:
        split, notice = fine_tune.add_corrections(split, lessons), f"{notice}; {len(lessons)} kept drawings"
    return Dataset(mnist, split, pens, lessons, f"{mnist.notice or mnist.source}{notice}")


def _lessons(spec: RunSpec, outputs: int) -> tuple[Correction, ...]:
    """The kept drawings, where the run is there to teach them."""
    if not spec.base:
        return ()
    lessons = fine_tune.learnable_corrections(list_corrections(), outputs)
    if not lessons:
        raise TrainingError(
            "There is no kept drawing that this model could learn. Draw a digit, and say under the answer what it is."
        )
    return tuple(lessons)


def load_pen_split(spec: RunSpec, say: ShowMessage) -> PenSplit:
    """Pen digits to train on and to measure with; none where the run wants none, or none can be had."""
    if MIXTURES[spec.settings.drawings] is None:
        return PenSplit()
    if spec.base:  # a lesson takes seconds: no download, and the many drawings to measure with would take longer
        return PenSplit(split_writers(load_pen_digits())[0]) if pen_digits_available() else PenSplit()
    try:
        return PenSplit(*split_writers(load_pen_digits(throttled_progress("pen digits", say))))
    except DownloadError as error:
        log.warning("%s", error)
        return PenSplit(missing=str(error))


def _with_drawings(
    spec: RunSpec, split: Split, pens: PenSplit, outputs: int, say: ShowMessage, processes: int
) -> tuple[Split, str]:
    """The training images with drawings among them, and a line on these."""
    mixture = MIXTURES[spec.settings.drawings]
    if mixture is None:
        return split, ""
    if outputs <= NOT_A_DIGIT:
        mixture = replace(mixture, non_digits=0)
    say("Drawing digits to train on.")
    images, labels = mixture_cache.load_mixture(mixture, pens.train, processes)
    x_train, y_train = np.concatenate([split.x_train, images]), np.concatenate([split.y_train, labels])
    writers = len({digit.writer for digit in pens.train})
    of_whom = f"by {writers} people and invented hands" if writers else "by invented hands (no pen strokes at hand)"
    return replace(split, x_train=x_train, y_train=y_train), f"; {len(labels):,} drawings {of_whom}"


def throttled_progress(what: str, say: ShowMessage) -> Progress:
    """Tells how far a download is, twice a second at most."""
    last = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > 0.5:
            last = time.monotonic()
            say(f"Downloading {what}: {done / 1e6:.1f} of {total / 1e6:.1f} MB.")

    return progress
