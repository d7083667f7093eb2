"""Maps of reasons over a digit: teal speaks for, orange against, and how strongly a colour bar tells."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_core.charts.layers import NEGATIVE_RGB, POSITIVE_RGB

POSITIVE_RGB, NEGATIVE_RGB = POSITIVE_RGB, NEGATIVE_RGB
"""As everywhere: what is above zero is teal, what is below orange; the colour-blind tell them apart."""
INK, PAPER, FRAME, TEXT = 105, 18, 60, (235, 235, 235)
CLIPPED = 0.998  # of all pixels shown; the few strongest share the colour at the end of the bar
BAR, MARGIN, HEADING = 14, 12, 28  # pixels
LETTERS = 0.52  # of OpenCV's: readable, too, where a phone shows the picture at half its size

Image = NDArray[np.uint8]


def color_scale_end(maps: NDArray[np.float32]) -> float:
    """The end of a colour scale that all these maps, (K, 28, 28), share; above 0."""
    return max(float(np.quantile(np.abs(maps), CLIPPED)), 1e-6)


def attribution_overlay(values: NDArray[np.float32], digit: Image, end: float) -> Image:
    """A map over its digit.

    Args:
        values: (28, 28) float32; above 0 speaks for, below against.
        digit: (28, 28) uint8, shown in grey.
        end: the value that has the full colour.

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
    """Maps in rows, each under its heading, all on one colour scale, and under them the bar of that scale.

    Args:
        maps: (K, 28, 28) float32.
        digit: (28, 28) uint8.
        headings: K short ASCII texts.
        unit: of the values, ASCII.
        scale: pixels of the picture for one of the digit.
        columns: how many maps in a row.
        signed: whether values below 0 can be.
        outlined: whether the digit's edge is drawn over them, which coarse maps would hide.

    Returns:
        (H, W, 3) uint8.
    """
    end = color_scale_end(maps)
    edge = digit if outlined else None
    tiles = [
        _tile(attribution_overlay(each, digit, end), heading, scale, edge)
        for each, heading in zip(maps, headings, strict=True)
    ]
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.vstack([*rows, _bar(rows[0].shape[1], end, unit, signed)])


def blend_colors(shares: NDArray[np.float32], grey: NDArray[np.float32]) -> Image:
    """(H, W, 3): of -1..1, mixed with a grey of 0..255 the more, the nearer to 0."""
    strength = np.clip(np.abs(shares), 0, 1)[..., None]
    colours = np.where(shares[..., None] > 0, POSITIVE_RGB, NEGATIVE_RGB)
    return np.asarray((1 - strength) * grey[..., None] + strength * colours, np.uint8)


def _tile(picture: Image, heading: str, scale: int, edge: Image | None) -> Image:
    large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    if edge is not None:
        ink = cv2.resize((edge > 127).astype(np.uint8), None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
        found, _ = cv2.findContours(ink, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(large, found, -1, TEXT, 1)
    framed = cv2.copyMakeBorder(large, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(FRAME,) * 3)
    side = MARGIN // 2
    tile = cv2.copyMakeBorder(framed, HEADING, side, side, side, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    _write(tile, heading, (side, HEADING - 8))
    return np.asarray(tile, np.uint8)


def _bar(width: int, end: float, unit: str, signed: bool) -> Image:
    """The colour bar with its ends, its middle and its unit."""
    bar = np.zeros((BAR + 52, width, 3), np.uint8)
    low = -end if signed else 0.0
    inner = width - 2 * MARGIN
    shares = np.linspace(low / end, 1, inner, dtype=np.float32)[None].repeat(BAR, axis=0)
    bar[8 : 8 + BAR, MARGIN : MARGIN + inner] = blend_colors(shares, np.full((BAR, inner), PAPER, np.float32))
    for value, place in ((low, 0.0), (0.0, 0.5 if signed else 0.0), (end, 1.0)):
        text = f"{value:+.2g}" if value else "0"
        size = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, LETTERS, 1)[0][0]
        _write(bar, text, (MARGIN + round(place * (inner - size)), BAR + 26))
    size = cv2.getTextSize(unit, cv2.FONT_HERSHEY_SIMPLEX, LETTERS, 1)[0][0]
    _write(bar, unit, (max(MARGIN, (width - size) // 2), BAR + 45))
    return bar


def _write(picture: Image, text: str, place: tuple[int, int]) -> None:
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, LETTERS, TEXT, 1, cv2.LINE_AA)
