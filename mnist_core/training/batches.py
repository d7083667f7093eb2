"""The batches of one epoch, shuffled and augmented in a thread while earlier ones train."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from mnist_core.data.augmentation import AUGMENTATIONS, augment
from mnist_core.data.splits import Split
from mnist_core.errors import SettingError
from mnist_core.recipes.settings import Settings

Images = NDArray[np.uint8]
Labels = NDArray[np.int32]


def steps_per_epoch(images: int, settings: Settings) -> int:
    """Batches per epoch; the last one may be smaller."""
    return -(-images // settings.batch_size)


def check_batch_size(settings: Settings, images: int) -> None:
    """Raises SettingError if the batch size exceeds the number of training images."""
    if settings.batch_size > images:
        raise SettingError(
            f"batch_size is {settings.batch_size:,}, but there are only {images:,} training images. "
            f"Choose at most {images:,}."
        )


class Batches:
    """Hands out the batches of one epoch in order and prepares the next ones in a thread.

    Order and augmentation depend on `seed` and `epoch` only, not on how many batches are taken at a time.

    Args:
        split: the images.
        settings: batch size and augmentation.
        seed: of the run.
        epoch: finished epochs.
    """

    def __init__(self, split: Split, settings: Settings, seed: int, epoch: int) -> None:
        self._split, self._settings, self._seed, self._epoch = split, settings, seed, epoch
        self._order = np.random.default_rng([seed, epoch]).permutation(len(split.x_train))
        self._steps = steps_per_epoch(len(split.x_train), settings)
        self._pool = ThreadPoolExecutor(1, "batches")
        self._ready: tuple[Images, Labels] | None = None
        """Prepared batches, of which some are already taken."""
        self._requested = 0
        """Batches whose preparation has begun."""
        self._next = self._request(1)

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def take(self, count: int) -> tuple[Images, Labels]:
        """Returns up to `count` batches, at least one: (K, B, size, size) uint8 and (K, B) int32.

        A smaller last batch comes alone.
        """
        if self._ready is None:
            self._ready = self._next.result()
            if self._requested < self._steps:
                self._next = self._request(count)
        images, labels = self._ready
        self._ready = (images[count:], labels[count:]) if count < len(labels) else None
        return images[:count], labels[:count]

    def _request(self, count: int) -> Future[tuple[Images, Labels]]:
        """Starts to prepare the next `count` batches, or fewer before the epoch's end."""
        first, full_batches = self._requested, len(self._order) // self._settings.batch_size
        self._requested = max(first + 1, min(first + count, full_batches))
        return self._pool.submit(self._prepare, first, self._requested)

    def _prepare(self, first: int, end: int) -> tuple[Images, Labels]:
        """The batches `first` to `end - 1`, all of one size."""
        size, augmentation = self._settings.batch_size, AUGMENTATIONS[self._settings.augmentation]
        images, labels = [], []
        for batch in range(first, end):
            chosen = self._order[batch * size : (batch + 1) * size]
            pixels = self._split.x_train[chosen]
            if augmentation is not None:
                pixels = augment(pixels, augmentation, np.random.default_rng([self._seed, self._epoch, batch]))
            images.append(pixels)
            labels.append(self._split.y_train[chosen])
        return np.stack(images), np.stack(labels).astype(np.int32)
