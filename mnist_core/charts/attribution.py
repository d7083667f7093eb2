"""Attribution maps over a digit: teal speaks for it, orange against it, and a color bar shows how strongly."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_core.charts.common import Image
from mnist_core.charts.layers import NEGATIVE_RGB, POSITIVE_RGB

INK, PAPER = 105, 18
"""Gray of the digit and of its background under a map, 0..255."""

FRAME = 60
"""Gray of the frame around a map."""

TEXT_RGB = (235, 235, 235)
CLIP_QUANTILE = 0.998
"""Of all pixels; the few strongest ones share the color at the end of the bar."""

BAR_HEIGHT, MARGIN, HEADING_HEIGHT = 14, 12, 28
"""Pixels."""

FONT_SCALE = 0.52
"""Of OpenCV's font: still readable on a phone that shows the picture at half its size."""


def color_scale_end(maps: NDArray[np.float32]) -> float:
    """The magnitude that gets the full color in all these maps, (K, 28, 28); greater than 0."""
    return max(float(np.quantile(np.abs(maps), CLIP_QUANTILE)), 1e-6)


def attribution_overlay(values: NDArray[np.float32], digit: Image, end: float) -> Image:
    """Draws a map over its digit.

    Args:
        values: (28, 28) float32; positive values speak for the digit, negative ones against it.
        digit: (28, 28) uint8, drawn in gray.
        end: the magnitude that gets the full color.

    Returns:
        (28, 28, 3) uint8.
    """
    return blend_colors(values / end, PAPER + (INK - PAPER) / 255 * digit.astype(np.float32))


def attribution_sheet(
    maps: NDArray[np.float32],
    digit: Image,
    headings: Sequence[str],
    unit: str,
    scale: int,
    columns: int,
    signed: bool = True,
    outlined: bool = False,
) -> Image:
    """Draws maps in rows, each under its heading, on one color scale, with the bar of that scale at the bottom.

    Args:
        maps: (K, 28, 28) float32.
        digit: (28, 28) uint8.
        headings: K short ASCII texts.
        unit: of the values, ASCII.
        scale: pixels of the picture for one of the digit.
        columns: maps per row.
        signed: whether values can be negative.
        outlined: whether the outline of the digit is drawn on top, because coarse maps would hide the digit.

    Returns:
        (H, W, 3) uint8.
    """
    end = color_scale_end(maps)
    tiles = [
        _tile(attribution_overlay(values, digit, end), heading, scale, digit if outlined else None)
        for values, heading in zip(maps, headings, strict=True)
    ]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.vstack([*rows, _color_bar(rows[0].shape[1], end, unit, signed)])


def blend_colors(values: NDArray[np.float32], gray: NDArray[np.float32]) -> Image:
    """Blends a gray picture with colors: teal for positive values, orange for negative ones.

    Args:
        values: (H, W), -1..1. At 0 only the gray shows, at -1 and 1 only the color.
        gray: (H, W), 0..255.

    Returns:
        (H, W, 3) uint8.
    """
    strength = np.clip(np.abs(values), 0, 1)[..., None]
    colors = np.where(values[..., None] > 0, POSITIVE_RGB, NEGATIVE_RGB)
    return np.asarray((1 - strength) * gray[..., None] + strength * colors, np.uint8)


def _tile(picture: Image, heading: str, scale: int, outline_of: Image | None) -> Image:
    large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    if outline_of is not None:
        ink = (outline_of > 127).astype(np.uint8)
        ink = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
        contours, _ = cv2.findContours(ink, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(large, contours, -1, TEXT_RGB, 1)
    framed = cv2.copyMakeBorder(large, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(FRAME,) * 3)
    side = MARGIN // 2
    tile = cv2.copyMakeBorder(framed, HEADING_HEIGHT, side, side, side, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    _put_text(tile, heading, (side, HEADING_HEIGHT - 8))
    return np.asarray(tile, np.uint8)


def _color_bar(width: int, end: float, unit: str, signed: bool) -> Image:
    """The color bar with its ends, its zero and its unit."""
    bar = np.zeros((BAR_HEIGHT + 52, width, 3), np.uint8)
    low = -end if signed else 0.0
    inner = width - 2 * MARGIN
    values = np.linspace(low / end, 1, inner, dtype=np.float32)[None].repeat(BAR_HEIGHT, axis=0)
    background = np.full((BAR_HEIGHT, inner), PAPER, np.float32)
    bar[8 : 8 + BAR_HEIGHT, MARGIN : MARGIN + inner] = blend_colors(values, background)
    for value, position in ((low, 0.0), (0.0, 0.5 if signed else 0.0), (end, 1.0)):
        text = f"{value:+.2g}" if value else "0"
        _put_text(bar, text, (MARGIN + round(position * (inner - _text_width(text))), BAR_HEIGHT + 26))
    _put_text(bar, unit, (max(MARGIN, (width - _text_width(unit)) // 2), BAR_HEIGHT + 45))
    return bar


def _text_width(text: str) -> int:
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, FONT_SCALE, 1)
    return int(width)


def _put_text(picture: Image, text: str, corner: tuple[int, int]) -> None:
    cv2.putText(picture, text, corner, cv2.FONT_HERSHEY_SIMPLEX, FONT_SCALE, TEXT_RGB, 1, cv2.LINE_AA)
