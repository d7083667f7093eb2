"""`data.augmentation.augment` as NumPy source code, for a script without OpenCV: same random draws, same pixels."""

from __future__ import annotations

from mnist_core.data.augmentation import Augmentation

# A pixel at the edge is its own neighbor, as in cv2.dilate and cv2.erode.
_SOURCE = '''
# Weights of a bicubic interpolation from 5 points to {size} pixels.
t = np.abs((np.arange({size}) + 0.5) * 5 / {size} + 1.5 - np.arange(9)[:, np.newaxis])
CUBIC = (t < 2) * np.where(t < 1, 1.25 * t**3 - 2.25 * t**2 + 1,
                           -0.75 * t**3 + 3.75 * t**2 - 6 * t + 3)
CUBIC = CUBIC.T @ np.eye(5)[np.arange(-2, 7).clip(0, 4)]


def augment(images, seed):
    """Rotates, slants, scales, shifts, bends, thickens or thins each image."""
    random, shape = np.random.default_rng(seed), (len(images), 1, 1)
    rotation, slant, scale, stretch = (
        random.uniform(-limit, limit, shape) for limit in ({limits}))
    shift = random.uniform(-{shift}, {shift}, (len(images), 2, 1, 1))
    bend = CUBIC @ random.normal(0, {wobble}, (len(images), 2, 5, 5)) @ CUBIC.T
    thickness = np.rint(64 * random.uniform(-{thickness}, {thickness}, shape)) / 64
    y, x = np.indices(({size}, {size})) - {middle}  # where pixels come from
    y = y * (1 + stretch)**0.5 / (1 + scale)
    x = x / (1 + stretch)**0.5 / (1 + scale) + slant * y
    source = np.exp(1j * np.deg2rad(rotation)) * (x + 1j * y)
    source = np.moveaxis(shift + bend, 1, 0) + (source.real, source.imag)
    x, y = np.rint(32 * (source + {offset}).clip(0, {last})) / 32
    # Bilinear interpolation; outside of the image everything is black.
    p = np.pad(images, ((0, 0), (1, 2), (1, 2)))
    n = np.arange(len(images)).reshape(shape)
    col, row, right, down = x.astype(int), y.astype(int), x % 1, y % 1
    top = p[n, row, col] * (1 - right) + p[n, row, col + 1] * right
    low = p[n, row + 1, col] * (1 - right) + p[n, row + 1, col + 1] * right
    images = np.rint(top * (1 - down) + low * down)
    # Thicken by blending with the brightest neighbor, thin with the darkest.
    p = np.pad(images, ((0, 0), (1, 1), (1, 1)), "edge")
    cross = (images, p[:, 2:, 1:-1], p[:, :-2, 1:-1],
             p[:, 1:-1, 2:], p[:, 1:-1, :-2])
    other = np.where(thickness > 0, np.max(cross, 0), np.min(cross, 0))
    return np.rint(images + np.abs(thickness) * (other - images))

'''


def augment_source(size: int, augmentation: Augmentation) -> str:
    """Source code of `augment(images, seed)`, which needs `import numpy as np`.

    Args:
        size: of the images, which are (N, size, size) of 0..255.
        augmentation: the ranges of the random changes.
    """
    limits = (augmentation.rotation, augmentation.slant, augmentation.scale, augmentation.stretch)
    source = _SOURCE.strip("\n").format(
        size=size,
        middle=f"{(size - 1) / 2:g}",
        offset=f"{(size + 1) / 2:g}",
        last=size + 1,
        limits=", ".join(f"{limit:g}" for limit in limits),
        shift=f"{augmentation.shift:g}",
        wobble=f"{augmentation.wobble * size / 28:g}",
        thickness=f"{augmentation.thickness:g}",
    )
    return source + "\n"
