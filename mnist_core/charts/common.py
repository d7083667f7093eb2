"""What all charts share: colors, downsampling of long series, PNG and CSV encoding, numbers formatted for people."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from csv import DictWriter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""(H, W) uint8 grayscale, or (H, W, 3) uint8 RGB."""

MAX_POINTS = 500
"""Points of a series. More are slow to draw, and a screen shows no more."""

COLORS = {
    "training": "#14917f",
    "validation": "#e0703f",
    "third": "#4a7fd4",
    "muted": "#7f8b9c",
}
"""The colors of all charts and pages. Each has a contrast of 3 or more with the light and the dark page."""

DIGIT_COLORS = (
    "#5484fc",
    "#ba7806",
    "#a80cc0",
    "#1ea24e",
    "#783cf6",
    "#cc6ccc",
    "#0c7254",
    "#6c5a90",
    "#a2481e",
    "#6c8a8a",
)
"""One color for each digit: found by a search for ten colors that differ for everyone, the color-blind included."""

CORRECT_RGB = (20, 145, 127)
"""Of COLORS["training"], teal."""

WRONG_RGB = (224, 112, 63)
"""Of COLORS["validation"], orange. The color-blind can tell it from teal."""


PNG_OPTIONS = (
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE),
    *(cv2.IMWRITE_PNG_COMPRESSION, 3),
)
"""For pictures with large square pixels: a third of the bytes that OpenCV's own choice takes, and a little faster."""


def downsample(values: Sequence[float], limit: int = MAX_POINTS) -> list[int]:
    """Picks at most `limit` of the values and keeps the peaks: the smallest and largest of each stretch.

    Returns:
        Indices in ascending order, with the first and the last value.
    """
    count = len(values)
    if count <= limit:
        return list(range(count))
    edges = np.linspace(0, count, (limit - 2) // 2 + 1).astype(int)
    array = np.asarray(values, np.float64)
    kept = {0, count - 1}
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        kept |= {start + int(array[start:end].argmin()), start + int(array[start:end].argmax())}
    return sorted(kept)


def encode_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Encodes rows as CSV in UTF-8, with one column for each key, in the order in which keys first appear."""
    text = io.StringIO()
    writer = DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def encode_png(image: Image) -> bytes:
    """Encodes a picture as PNG.

    Raises:
        ValueError: the array is no picture of uint8.
    """
    ok, encoded = cv2.imencode(".png", image[..., ::-1] if image.ndim == 3 else image, PNG_OPTIONS)
    if not ok:
        raise ValueError(f"Expected a picture of uint8, got {image.shape} {image.dtype}.")
    return bytes(encoded)


def data_url(image: Image) -> str:
    """Encodes a picture as a PNG data URL for HTML."""
    return png_url(encode_png(image))


def png_url(content: bytes) -> str:
    """The data URL of a PNG."""
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def format_percent(probability: float) -> str:
    """Formats a probability: `99.8%`. No model is ever quite sure: `>99.9%`, never 100."""
    if probability > 0.9995:
        return ">99.9%"
    if 0 < probability < 0.0005:
        return "<0.1%"
    return f"{probability:.1%}"


def format_duration(seconds: float) -> str:
    """Formats a duration: `42 s`, `3 min 05 s`, `1 h 02 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
