"""The augmentation of `mnist_core.data.augmentation` in JAX, so that a GPU does it while it trains."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mnist_core.data.augmentation import AUGMENTATIONS, Augmentation, _enlargement

HAND = AUGMENTATIONS["hand"] or Augmentation()


def augment(images: Any, key: Any, ranges: Augmentation = HAND) -> Any:
    """Returns a randomly changed copy of each (N, 28, 28) uint8 image, as (N, 28, 28) float32 of 0..255."""
    count, side = len(images), images.shape[1]
    keys = jax.random.split(key, 3)
    places = _affine(keys[0], count, side, ranges) + _wobble(keys[1], count, side, ranges)
    warped = jnp.round(_sample(images.astype(jnp.float32).reshape(count, -1), places, side))
    weight = jax.random.uniform(keys[2], (count, 1, 1), minval=-ranges.thickness, maxval=ranges.thickness)
    warped = warped.reshape(count, side, side)
    other = jnp.where(weight > 0, _neighbors(warped, jnp.maximum, 0.0), _neighbors(warped, jnp.minimum, 255.0))
    return jnp.round(warped * (1 - jnp.abs(weight)) + other * jnp.abs(weight))


def _affine(key: Any, count: int, side: int, ranges: Augmentation) -> Any:
    """Returns (N, 2, side * side) where each output pixel lies in the input: x, then y."""
    draws = jax.random.uniform(key, (6, count), minval=-1.0, maxval=1.0)
    angle, slant = draws[0] * np.deg2rad(ranges.rotation), draws[1] * ranges.slant
    scale, stretch = 1 + draws[2] * ranges.scale, jnp.sqrt(1 + draws[3] * ranges.stretch)
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    across, down = 1 / (scale * stretch), stretch / scale
    # rotation @ shear @ zoom
    xx, xy = cosine * across, (cosine * slant - sine) * down
    yx, yy = sine * across, (sine * slant + cosine) * down
    grid = np.arange(side) - (side - 1) / 2
    x, y = (axis.ravel()[None] for axis in np.meshgrid(grid, grid))
    middle = (side - 1) / 2
    shift = draws[4:] * ranges.shift
    return jnp.stack(
        [
            xx[:, None] * x + xy[:, None] * y + middle + shift[0][:, None],
            yx[:, None] * x + yy[:, None] * y + middle + shift[1][:, None],
        ],
        axis=1,
    )


def _wobble(key: Any, count: int, side: int, ranges: Augmentation) -> Any:
    enlarge = jnp.asarray(_enlargement(side), jnp.float32)  # (side, G)
    points = enlarge.shape[1]
    grid = jax.random.normal(key, (count, 2, points, points)) * ranges.wobble
    return jnp.einsum("sg,ncgh,th->ncst", enlarge, grid, enlarge).reshape(count, 2, -1)


def _sample(flat: Any, places: Any, side: int) -> Any:
    """Interpolates (N, side * side) images linearly at places; outside is paper."""
    low = jnp.floor(places).astype(jnp.int32)
    part = places - low
    total = 0.0
    for dx in (0, 1):
        for dy in (0, 1):
            x, y = low[:, 0] + dx, low[:, 1] + dy
            inside = (x >= 0) & (x < side) & (y >= 0) & (y < side)
            index = jnp.clip(y, 0, side - 1) * side + jnp.clip(x, 0, side - 1)
            weight = jnp.where(dx, part[:, 0], 1 - part[:, 0]) * jnp.where(dy, part[:, 1], 1 - part[:, 1])
            total = total + jnp.where(inside, jnp.take_along_axis(flat, index, axis=1), 0) * weight
    return total


def _neighbors(images: Any, pick: Any, outside: float) -> Any:
    """Returns the largest or smallest of each pixel and its four neighbors."""
    framed = jnp.pad(images, ((0, 0), (1, 1), (1, 1)), constant_values=outside)
    sides = (framed[:, :-2, 1:-1], framed[:, 2:, 1:-1], framed[:, 1:-1, :-2], framed[:, 1:-1, 2:])
    for side in sides:
        images = pick(images, side)
    return images
