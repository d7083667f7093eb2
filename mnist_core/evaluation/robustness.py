"""How much of a digit may be spoilt before a model misreads it: distortions of growing strength, and the accuracy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NUM_CLASSES
from mnist_core.drawing.normalize import normalize_drawing
from mnist_core.models.classifier import Classifier

Images = NDArray[np.uint8]
Labels = NDArray[np.uint8]

SUBSET = 1000
SEED = 0
FINE = 4  # pixels for each pixel, where strokes are widened or thinned
COVERED = (6, 22)  # where the middle of what is covered lies, in pixels: digits fill 4 to 24
SIDES = ((1, 0), (0, 1), (-1, 0), (0, -1))  # right, down, left, up


@dataclass(frozen=True)
class Distortion:
    """One way to spoil digits.

    Attributes:
        title: in words, for people: what is done.
        unit: of its levels.
        levels: from the least to the greatest; `neutral` is one of them.
        neutral: the level at which nothing changes.
        change: (N, 28, 28) uint8 and a level -> (N, 28, 28) uint8.
        note: what else there is to know about it.
    """

    title: str
    unit: str
    levels: tuple[float, ...]
    neutral: float
    change: Callable[[Images, float], Images]
    note: str = ""

    def apply(self, images: Images, level: float) -> Images:
        """The images at a level, (N, 28, 28) uint8; at `neutral` bit for bit as they were."""
        return images if level == self.neutral else self.change(images, level)


def rotate(images: Images, degrees: float) -> Images:
    """Clockwise about the middle."""
    return _warped(images, cv2.getRotationMatrix2D((13.5, 13.5), -degrees, 1.0))


def scale(images: Images, factor: float) -> Images:
    """About the middle; what no longer fits is cut off."""
    return _warped(images, cv2.getRotationMatrix2D((13.5, 13.5), 0, factor))


def _warped(images: Images, matrix: NDArray[np.float64]) -> Images:
    return np.stack([cv2.warpAffine(image, matrix, (28, 28), flags=cv2.INTER_LINEAR) for image in images])


def shift(images: Images, pixels: float) -> Images:
    """Right, down, left or up, by turns; what leaves the picture is lost."""
    distance, moved = round(pixels), np.empty_like(images)
    margin = ((0, 0), (distance, distance), (distance, distance))
    for turn, (right, down) in enumerate(SIDES):
        top, left = distance * (1 - down), distance * (1 - right)
        moved[turn::4] = np.pad(images[turn::4], margin)[:, top : top + 28, left : left + 28]
    return moved


def stroke(images: Images, pixels: float) -> Images:
    """Strokes wider by so many pixels, or thinner where negative: dilated or eroded at four times the size."""
    side = round(abs(pixels) * FINE) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    change = cv2.dilate if pixels > 0 else cv2.erode
    large = (cv2.resize(image, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_LINEAR) for image in images)
    return np.stack([cv2.resize(change(image, kernel), (28, 28), interpolation=cv2.INTER_AREA) for image in large])


def noise(images: Images, deviation: float) -> Images:
    """Each pixel brighter or darker at random, the same noise at every level, only stronger."""
    grain = np.random.default_rng(SEED).standard_normal(images.shape, np.float32)
    return _grey(images + deviation * grain)


def blur(images: Images, deviation: float) -> Images:
    """As out of focus, by a bell of this standard deviation in pixels."""
    return np.stack([cv2.GaussianBlur(image, (0, 0), deviation, borderType=cv2.BORDER_CONSTANT) for image in images])


def occlude(images: Images, side: float) -> Images:
    """A black square over a place of each digit's own: larger squares lie about the same middle."""
    covered, middles = images.copy(), np.random.default_rng(SEED).integers(*COVERED, (len(images), 2), endpoint=True)
    for image, (y, x) in zip(covered, middles - round(side) // 2, strict=True):
        image[max(y, 0) : y + round(side), max(x, 0) : x + round(side)] = 0
    return covered


def contrast(images: Images, factor: float) -> Images:
    """Ink fainter, or brighter up to full white."""
    return _grey(images * np.float32(factor))


def invert(images: Images, share: float) -> Images:
    """From ink bright on black, through an even grey at a half, to ink black on white."""
    return _grey(images * np.float32(1 - share) + (255 - images) * np.float32(share))


def _grey(values: NDArray[np.float32]) -> Images:
    return np.rint(values).clip(0, 255).astype(np.uint8)


DISTORTIONS: dict[str, Distortion] = {
    "rotation": Distortion(
        "Rotation",
        "degrees clockwise",
        (-60, -45, -30, -15, 0, 15, 30, 45, 60),
        0,
        rotate,
        "A 6 turned far enough is a 9: no model can be right on both.",
    ),
    "shift": Distortion(
        "Shift",
        "pixels",
        (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
        0,
        shift,
        "By turns to the right, down, left and up. From about 4 pixels on, digits are cut off.",
    ),
    "scale": Distortion(
        "Scale",
        "times as large",
        (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.6),
        1,
        scale,
        "Above 1.4 the ends of the strokes leave the picture.",
    ),
    "stroke width": Distortion(
        "Stroke width",
        "pixels wider",
        (-2, -1.5, -1, -0.5, 0, 0.5, 1, 2, 3, 4),
        0,
        stroke,
        "MNIST's strokes are about 2.5 pixels wide.",
    ),
    "noise": Distortion(
        "Noise", "grey levels of 255, standard deviation", (0, 20, 40, 60, 80, 100, 130, 160), 0, noise
    ),
    "blur": Distortion("Blur", "pixels, standard deviation", (0, 0.5, 1, 1.5, 2, 2.5, 3, 4), 0, blur),
    "occlusion": Distortion(
        "Occlusion",
        "pixels, side of the covered square",
        (0, 2, 4, 6, 8, 10, 12, 14),
        0,
        occlude,
        "Black, as if rubbed out, at a place of each digit's own.",
    ),
    "contrast": Distortion("Contrast", "times as bright", (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 4), 1, contrast),
    "inversion": Distortion(
        "Inversion",
        "share, 1 = black ink on white",
        (0, 0.2, 0.4, 0.5, 0.6, 0.8, 1),
        0,
        invert,
        "At 0.5 all is one grey. A model that knows “no digit” may say so of any grey paper.",
    ),
}
"""Name -> what it does, in the order of the menu."""


def balanced_subset(labels: Labels, count: int = SUBSET) -> NDArray[np.int64]:
    """Indices of about `count` images, ascending: the same number of each digit, where there are so many; always the
    same ones.

    Args:
        labels: (N,) uint8, 0..9.
        count: a multiple of ten.
    """
    generator, each = np.random.RandomState(SEED), count // NUM_CLASSES  # whose numbers NumPy promises never to change
    of_digit = [np.flatnonzero(labels == digit) for digit in range(NUM_CLASSES)]
    return np.sort(np.concatenate([generator.permutation(found)[:each] for found in of_digit]))


def accuracy_at(classifier: Classifier, images: Images, labels: Labels, distortion: Distortion, level: float) -> float:
    """How many are read right at one level, 0..1. A model of 56×56 inputs sees them in the middle of its field.

    Args:
        classifier: the model.
        images: (N, 28, 28) uint8, ink bright, N of 1 or more.
        labels: (N,) uint8.
        distortion: of DISTORTIONS.
        level: any number that it takes; one of its levels as a rule.
    """
    changed = distortion.apply(images, level)
    return float((classifier.probabilities(changed).argmax(axis=1) == labels).mean())


def _normalised(fields: Images) -> Images:
    return np.stack([normalize_drawing(field).image for field in fields])


def _resized(fields: Images) -> Images:
    return np.stack([cv2.resize(field, (28, 28), interpolation=cv2.INTER_AREA) for field in fields])


PREPARATIONS: dict[str, tuple[str, Callable[[Images], Images]]] = {
    "as it is": ("the 56×56 field as it is", lambda fields: fields),
    "normalised": ("found, cropped and centred, as drawings are", _normalised),
    "resized": ("the field merely shrunk to 28×28", _resized),
}
"""How a model may be shown digits placed anywhere in a 56×56 field: name -> title, and what brings (N, 56, 56) uint8 to
its input."""


def preparations_for(input_size: int) -> list[str]:
    """Those of PREPARATIONS that a model of this input can take: one made for such fields takes them as they are."""
    return ["as it is"] if input_size == 56 else ["normalised", "resized"]
