"""The batches of an epoch, drawn and augmented in a thread while the ones before them train."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from mnist_core.data.augmentation import AUGMENTATIONS, augment
from mnist_core.data.mnist import Split
from mnist_core.errors import SettingError
from mnist_core.recipes.settings import Settings

Images = NDArray[np.uint8]


def steps_per_epoch(images: int, settings: Settings) -> int:
    """Batches in an epoch; the last may be smaller."""
    return -(-images // settings.batch_size)


def check_batch_size(settings: Settings, images: int) -> None:
    """Raises SettingError where a batch is larger than the training images."""
    if settings.batch_size > images:
        raise SettingError(
            f"batch_size is {settings.batch_size:,}, but there are only {images:,} training images. "
            f"Choose at most {images:,}."
        )


class Batches:
    """The batches of one epoch, in order; the next ones are drawn and augmented in a thread while the last ones train.

    Args:
        split: the images.
        settings: batch size and augmentation.
        seed, epoch: decide order and augmentation, however many batches are taken at a time.
    """

    def __init__(self, split: Split, settings: Settings, seed: int, epoch: int) -> None:
        self._split, self._settings, self._seed, self._epoch = split, settings, seed, epoch
        self._order = np.random.default_rng([seed, epoch]).permutation(len(split.x_train))
        self._steps = steps_per_epoch(len(split.x_train), settings)
        self._pool = ThreadPoolExecutor(1, "batches")
        self._ready: tuple[Images, NDArray[np.int32]] | None = None  # drawn, and not all taken
        self._first, self._pending = 0, self._draw(0, 1)

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def take(self, count: int) -> tuple[Images, NDArray[np.int32]]:
        """At most so many batches: (K, B, size, size) uint8 and (K, B) int32. The last, smaller batch comes alone."""
        if self._ready is None:
            self._ready = self._pending.result()
            self._first += len(self._ready[1])
            if self._first < self._steps:
                self._pending = self._draw(self._first, count)
        images, labels = self._ready
        self._ready = (images[count:], labels[count:]) if count < len(labels) else None
        return images[:count], labels[:count]

    def _draw(self, first: int, count: int) -> Future[tuple[Images, NDArray[np.int32]]]:
        whole = len(self._order) // self._settings.batch_size
        return self._pool.submit(self._drawn, first, max(first + 1, min(first + count, whole)))

    def _drawn(self, first: int, last: int) -> tuple[Images, NDArray[np.int32]]:
        size, x, y = self._settings.batch_size, self._split.x_train, self._split.y_train
        chosen = [self._order[batch * size : (batch + 1) * size] for batch in range(first, last)]
        seeds = [[self._seed, self._epoch, batch] for batch in range(first, last)]
        images = [_augmented(x[of], self._settings, seed) for of, seed in zip(chosen, seeds, strict=True)]
        return np.stack(images), np.stack([y[of] for of in chosen]).astype(np.int32)


def _augmented(images: Images, settings: Settings, seed: list[int]) -> Images:
    how = AUGMENTATIONS[settings.augmentation]
    return images if how is None else augment(images, how, np.random.default_rng(seed))
