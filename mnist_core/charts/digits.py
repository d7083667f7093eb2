"""Pictures of many digits: a grid that marks mistakes, and how a prediction changed during training."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_core.charts.common import CORRECT_RGB, WRONG_RGB

FRAME = 3  # pixels around a digit of a wall


def digit_grid(images: NDArray[np.uint8], labels: NDArray[np.uint8], read_as: str, columns: int) -> NDArray[np.uint8]:
    """Digits in one picture, each in a frame: teal where it is read right; orange, with what it is read as, where not.

    Args:
        images: (N, S, S) uint8, N a multiple of `columns`.
        labels: (N,) uint8.
        read_as: N characters, what each is read as.
        columns: how many in a row.

    Returns:
        (H, W, 3) uint8.
    """
    tiles = [_tile(*each) for each in zip(images, labels.tolist(), read_as, strict=True)]
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.vstack(rows)


def _tile(image: NDArray[np.uint8], label: int, read_as: str) -> NDArray[np.uint8]:
    """(2S + frame, 2S + frame, 3) uint8: one digit twice as large."""
    right = str(label) == read_as
    digit = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    tile = np.repeat(digit[..., None], 3, axis=2)
    if not right:
        cv2.putText(tile, read_as, (1, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.6, WRONG_RGB, 2, cv2.LINE_AA)
    colour = CORRECT_RGB if right else WRONG_RGB
    return np.asarray(cv2.copyMakeBorder(tile, FRAME, FRAME, FRAME, FRAME, cv2.BORDER_CONSTANT, value=colour), np.uint8)


def probability_strip(probabilities: NDArray[np.float32], width: int) -> NDArray[np.uint8]:
    """How an answer changed: a row for each digit, time to the right, the brighter the surer.

    Args:
        probabilities: (T, 10) float32, 0..1, T of 1 or more.
        width: columns at most; of more, some are left out evenly, never the last.

    Returns:
        (10, W, 3) uint8.
    """
    count = len(probabilities)
    shown = probabilities[np.linspace(0, count - 1, min(count, width)).round().astype(int)]
    colours = np.clip(shown.T, 0, 1)[..., None] * np.array(CORRECT_RGB) * (255 / max(CORRECT_RGB))
    return np.asarray(colours, np.uint8)
