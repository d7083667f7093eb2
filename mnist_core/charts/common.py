"""What all charts share: colors, thinning out of long series, PNG and CSV encoding, and numbers formatted for people."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from csv import DictWriter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MAX_POINTS = 500  # of a series: more are slow to redraw, and a screen shows no more

COLORS = {
    "training": "#14917f",
    "validation": "#e0703f",
    "third": "#4a7fd4",
    "muted": "#8b97a8",
}
"""All colours of charts and pages; each reads on white and on black."""

DIGIT_COLORS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
"""Of the ten digits, where they lie among others: M. Petroff's ten (arXiv:2107.02270), for the colour-blind too."""


def downsample(values: Sequence[float], limit: int = MAX_POINTS) -> list[int]:
    """Indices of at most `limit` of the values, in order: the smallest and largest of each stretch, first and last."""
    count = len(values)
    if count <= limit:
        return list(range(count))
    edges = np.linspace(0, count, (limit - 2) // 2 + 1).astype(int)
    array = np.asarray(values, np.float64)
    kept = {0, count - 1}
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        kept |= {start + int(array[start:end].argmin()), start + int(array[start:end].argmax())}
    return sorted(kept)


def vega_lite(chart: Any) -> dict[str, Any]:
    """An Altair chart as Vega-Lite, its points in `["data"]["values"]`: made once, and shown often."""
    found: dict[str, Any] = chart.to_dict()
    points = found["datasets"].pop(found["data"]["name"])
    return {**found, "data": {"values": points}}


CORRECT_RGB, WRONG_RGB = (20, 145, 127), (224, 112, 63)
"""RGB of COLOURS' training and validation: teal and orange, told apart by the colour-blind, too."""


def encode_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The rows of a chart or a table as CSV in UTF-8, a column for each key, in the order of their first appearance."""
    text = io.StringIO()
    writer = DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """An (H, W) or (H, W, 3) uint8 picture as PNG."""
    ok, encoded = cv2.imencode(".png", image[..., ::-1] if image.ndim == 3 else image)
    if not ok:
        raise ValueError(f"Expected a picture of uint8, got {image.shape} {image.dtype}.")
    return bytes(encoded)


def data_url(image: NDArray[np.uint8]) -> str:
    """The picture as it can stand in HTML."""
    return "data:image/png;base64," + base64.b64encode(encode_png(image)).decode("ascii")


def format_percent(probability: float) -> str:
    """A probability for people: `99.8 %`. A model is never quite sure: `> 99.9 %`, never 100."""
    if probability > 0.9995:
        return "> 99.9 %"
    if 0 < probability < 0.0005:
        return "< 0.1 %"
    return f"{100 * probability:.1f} %"


def format_duration(seconds: float) -> str:
    """Seconds for people: `42 s`, `3 min 05 s`, `1 h 02 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
