"""Loads what a run trains on and is tested with: MNIST, generated drawings, and corrections."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import Any, Protocol

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
from mnist_core.wording import plural


class ShowMessage(Protocol):
    """Takes one line that says what is being done, and the share of it that is done, 0..1."""

    def __call__(self, message: str, share: float = 0.0, /) -> None:
        """Shows both."""


PROGRESS_SECONDS = 0.5
"""At least this long between two messages of a download."""

log = logging.getLogger("digitlab.dataset")


@dataclass(frozen=True)
class PenSplit:
    """Pen digits, split by writer: nobody's digits are in both parts.

    Attributes:
        train: to draw training images from; empty if the run uses none.
        measure: to measure the trained model with.
        missing: why there are none although the run uses them; else empty.
    """

    train: tuple[PenDigit, ...] = ()
    measure: tuple[PenDigit, ...] = ()
    missing: str = ""

    def to_json(self, accuracy: dict[str, float]) -> dict[str, Any]:
        """Returns what the model card says about pen digits.

        Args:
            accuracy: drawing condition -> share of `measure` that the model gets right, 0..1.
        """
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
    """All data of a run.

    Attributes:
        mnist: the MNIST digits, unsplit.
        split: training, validation and test images. Drawings are among the training images only.
        pens: the pen digits.
        corrections: to fine-tune on; empty unless the run continues a base model.
        notice: one line that says where everything comes from.
    """

    mnist: Mnist
    split: Split
    pens: PenSplit
    corrections: tuple[Correction, ...]
    notice: str

    @property
    def non_digit_share(self) -> float:
        """Share of the training images that are not digits, 0..1."""
        return float((self.split.y_train == NOT_A_DIGIT).mean())


def load_dataset(spec: RunSpec, show_message: ShowMessage, processes: int) -> Dataset:
    """Loads, downloads and generates what a run needs.

    Args:
        spec: what to train.
        show_message: called with what is being done.
        processes: how many may generate drawings at once.

    Raises:
        DataError: MNIST or the pen digits cannot be used.
        TrainingError: there is no correction to fine-tune on.
    """
    outputs = spec.settings.architecture.summary()[-1].output_shape[0]
    mnist = load_mnist(spec.data, throttled_progress("MNIST", show_message))
    split = split_mnist(mnist, spec.settings.split)
    if spec.settings.uncentered:
        split = uncenter_split(split)
    corrections = _load_corrections(outputs) if spec.base else ()
    if corrections:
        split = fine_tune.rehearsal_split(split, spec.seed)
    pens = load_pen_split(spec, show_message)
    split, drawings_notice = _add_drawings(spec, split, pens, outputs, show_message, processes)
    notice = f"{mnist.notice or mnist.source}{drawings_notice}"
    if corrections:
        split = fine_tune.add_corrections(split, corrections)
        notice = f"{notice}; {plural(len(corrections), 'correction')}"
    return Dataset(mnist, split, pens, corrections, notice)


def _load_corrections(outputs: int) -> tuple[Correction, ...]:
    """Loads the corrections that a model with this many outputs can learn. Raises TrainingError if there are none."""
    corrections = fine_tune.learnable_corrections(list_corrections(), outputs)
    if not corrections:
        raise TrainingError("There are no corrections that this model can learn. Draw a digit and correct it first.")
    return tuple(corrections)


def load_pen_split(spec: RunSpec, show_message: ShowMessage) -> PenSplit:
    """Loads pen digits if the run uses drawings; without network and without a copy there are none."""
    if MIXTURES[spec.settings.drawings] is None:
        return PenSplit()
    if spec.base:  # fine-tuning takes seconds: downloading and measuring would take longer
        return PenSplit(split_writers(load_pen_digits())[0]) if pen_digits_available() else PenSplit()
    try:
        return PenSplit(*split_writers(load_pen_digits(throttled_progress("pen digits", show_message))))
    except DownloadError as error:
        log.warning("%s", error)
        return PenSplit(missing=str(error))


def _add_drawings(
    spec: RunSpec, split: Split, pens: PenSplit, outputs: int, show_message: ShowMessage, processes: int
) -> tuple[Split, str]:
    """Appends generated drawings to the training images. Returns the new split and a notice about the drawings."""
    drawings = MIXTURES[spec.settings.drawings]
    if drawings is None:
        return split, ""
    if outputs <= NOT_A_DIGIT:
        drawings = replace(drawings, non_digits=0)
    show_message("Drawing digits to train on.")
    images, labels = mixture_cache.load_mixture(drawings, pens.train, processes, _drawing_progress(show_message))
    x_train, y_train = np.concatenate([split.x_train, images]), np.concatenate([split.y_train, labels])
    writers = len({digit.writer for digit in pens.train})
    origin = f"from {writers} writers and digit forms" if writers else "from digit forms (pen digits are missing)"
    return replace(split, x_train=x_train, y_train=y_train), f"; {len(labels):,} drawings {origin}"


def throttled_progress(what: str, show_message: ShowMessage) -> Progress:
    """Makes a progress callback for a download that shows a message twice a second at most.

    Args:
        what: is downloaded.
        show_message: called with the message.
    """
    last = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > PROGRESS_SECONDS:
            last = time.monotonic()
            share = done / total if total else 0.0
            show_message(f"Downloading {what}: {done / 1e6:.1f} of {total / 1e6:.1f} MB.", share)

    return progress


def _drawing_progress(show_message: ShowMessage) -> Progress:
    """Makes a progress callback for drawings that says how many are made and how long the rest will take."""
    began = time.monotonic()

    def progress(done: int, total: int) -> None:
        text = f"Drawing digits to train on (the first time only): {done:,} of {total:,}"
        left = f", about {(time.monotonic() - began) / done * (total - done):.0f} s left" if done else ""
        show_message(f"{text}{left}.", done / total)

    return progress
