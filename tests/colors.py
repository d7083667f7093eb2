"""How people see colors: contrast by WCAG 2, color blindness by Machado, Oliveira and Fernandes (2009)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COLOR_BLINDNESS = {
    "none": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Kind -> matrix for linear RGB, at full severity."""


def linear_rgb(color: str) -> NDArray[np.float64]:
    """(3,) 0..1, of `#rrggbb`."""
    values = np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(color: str, other: str) -> float:
    """WCAG 2's contrast ratio, 1..21."""
    low, high = sorted(float(linear_rgb(each) @ [0.2126, 0.7152, 0.0722]) for each in (color, other))
    return (high + 0.05) / (low + 0.05)


def blend(color: str, background: str, share: float) -> str:
    """What a color looks like on a background through which it lets 1 - `share`."""
    pairs = ((int(color[i : i + 2], 16), int(background[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(share * front + (1 - share) * back):02x}" for front, back in pairs)


def distance(color: str, other: str, blindness: str = "none") -> float:
    """CIE 1976's distance in L*a*b*: 2 is just noticeable."""
    labs = []
    for each in (color, other):
        seen = np.clip(np.array(COLOR_BLINDNESS[blindness]) @ linear_rgb(each), 0, 1)
        to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
        ratio = to_xyz @ seen / to_xyz.sum(axis=1)
        root = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
        labs.append(np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])]))
    return float(np.linalg.norm(labs[0] - labs[1]))
