"""Pictures of digits during training: a grid that marks mistakes, and a strip of predicted probabilities."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_core.charts.common import CORRECT_RGB, WRONG_RGB, Image

FRAME = 3
"""Pixels of the frame around a digit."""


def digit_grid(images: NDArray[np.uint8], labels: NDArray[np.uint8], predictions: str, columns: int) -> Image:
    """Draws digits in frames: teal if the prediction is correct; orange, with the prediction, if it is wrong.

    Args:
        images: (N, S, S) uint8, N a multiple of `columns`.
        labels: (N,) uint8.
        predictions: N characters, one prediction for each digit.
        columns: digits per row.

    Returns:
        (H, W, 3) uint8.
    """
    tiles = [_framed_digit(*each) for each in zip(images, labels.tolist(), predictions, strict=True)]
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.vstack(rows)


def _framed_digit(image: Image, label: int, prediction: str) -> Image:
    """One digit at twice its size in a frame: (2S + 2 FRAME, 2S + 2 FRAME, 3) uint8."""
    correct = str(label) == prediction
    digit = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    tile = np.repeat(digit[..., None], 3, axis=2)
    if not correct:
        cv2.putText(tile, prediction, (1, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.6, WRONG_RGB, 2, cv2.LINE_AA)
    color = CORRECT_RGB if correct else WRONG_RGB
    return np.asarray(cv2.copyMakeBorder(tile, FRAME, FRAME, FRAME, FRAME, cv2.BORDER_CONSTANT, value=color), np.uint8)


def probability_strip(probabilities: NDArray[np.float32], width: int) -> Image:
    """Draws how a prediction changed over time: one row per digit, time to the right, brighter is more probable.

    Args:
        probabilities: (T, 10) float32, 0..1, T of 1 or more.
        width: maximum number of columns. If T is larger, evenly spaced rows are left out, never the last.

    Returns:
        (10, W, 3) uint8.
    """
    count = len(probabilities)
    shown = probabilities[np.linspace(0, count - 1, min(count, width)).round().astype(int)]
    colors = np.clip(shown.T, 0, 1)[..., None] * np.array(CORRECT_RGB) * (255 / max(CORRECT_RGB))
    return np.asarray(colors, np.uint8)
