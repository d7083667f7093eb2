"""`augmentation.augment` as NumPy source for a script that has no OpenCV: the same draws, the same pixels."""

from __future__ import annotations

from mnist_core.data.augmentation import Augmentation

# As `augmentation` does it. An edge pixel has itself for a neighbour, in cv2.dilate as in cv2.erode.
_SOURCE = '''
# Bicubic weights of five points, the outer ones repeated, on a row of pixels.
t = np.abs((np.arange({size}) + 0.5) * 5 / {size} + 1.5 - np.arange(9)[:, np.newaxis])
CUBIC = (t < 2) * np.where(t < 1, 1.25 * t**3 - 2.25 * t**2 + 1,
                           -0.75 * t**3 + 3.75 * t**2 - 6 * t + 3)
CUBIC = CUBIC.T @ np.eye(5)[np.arange(-2, 7).clip(0, 4)]


def augment(images, seed):
    """Turned, slanted, scaled, shifted, bent, thicker or thinner copies."""
    random, count = np.random.default_rng(seed), (len(images), 1, 1)
    turn, slant, scale, stretch = (
        random.uniform(-most, most, count) for most in ({ranges}))
    shift = random.uniform(-{shift}, {shift}, (len(images), 2, 1, 1))
    bend = CUBIC @ random.normal(0, {wobble}, (len(images), 2, 5, 5)) @ CUBIC.T
    thick = np.rint(64 * random.uniform(-{thickness}, {thickness}, count)) / 64
    down, right = np.indices(({size}, {size})) - {middle}
    down = down * (1 + stretch)**0.5 / (1 + scale)
    right = right / (1 + stretch)**0.5 / (1 + scale) + slant * down
    place = np.exp(1j * np.deg2rad(turn)) * (right + 1j * down)
    place = np.moveaxis(shift + bend, 1, 0) + (place.real, place.imag)
    x, y = np.rint(32 * (place + {after}).clip(0, {beyond})) / 32
    # Each pixel is mixed of the four around its place; outside it is black.
    black = np.pad(images, ((0, 0), (1, 2), (1, 2)))
    n = np.arange(len(images)).reshape(count)
    i, j = x.astype(int), y.astype(int)
    upper = black[n, j, i] * (1 - x % 1) + black[n, j, i + 1] * (x % 1)
    lower = black[n, j + 1, i] * (1 - x % 1) + black[n, j + 1, i + 1] * (x % 1)
    images = np.rint(upper * (1 - y % 1) + lower * (y % 1))
    # Blended with the brightest or the darkest pixel next to each.
    p = np.pad(images, ((0, 0), (1, 1), (1, 1)), "edge")
    cross = (images, p[:, 2:, 1:-1], p[:, :-2, 1:-1],
             p[:, 1:-1, 2:], p[:, 1:-1, :-2])
    other = np.where(thick > 0, np.max(cross, 0), np.min(cross, 0))
    return np.rint(images + np.abs(thick) * (other - images))

'''


def augment_source(size: int, how: Augmentation) -> str:
    """Defines `augment(images, seed)`, (N, size, size) of 0..255; it needs `import numpy as np`."""
    ranges = ", ".join(f"{value:g}" for value in (how.rotation, how.slant, how.scale, how.stretch))
    return (
        _SOURCE.strip("\n").format(
            size=size,
            middle=f"{(size - 1) / 2:g}",
            after=f"{(size + 1) / 2:g}",
            beyond=size + 1,
            ranges=ranges,
            shift=f"{how.shift:g}",
            wobble=f"{how.wobble * size / 28:g}",
            thickness=f"{how.thickness:g}",
        )
        + "\n"
    )
