"""How long a training has taken, without pauses and across resumptions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class TrainingClock:
    """Measures a training from the moment it is made.

    Args:
        elapsed: seconds up to the checkpoint that the training resumes from.
        train_seconds: of these, seconds without validation.
    """

    def __init__(self, elapsed: float = 0.0, train_seconds: float = 0.0) -> None:
        self._elapsed_before, self._train_seconds_before = elapsed, train_seconds
        self._began = time.perf_counter()
        self._paused, self._validating = 0.0, 0.0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stops the clock for a while."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._paused += time.perf_counter() - began

    def add_validation(self, seconds: float) -> None:
        """Counts seconds as validation."""
        self._validating += seconds

    def elapsed(self) -> float:
        """Seconds of training and validation, in whole milliseconds."""
        return round(self._elapsed_before + time.perf_counter() - self._began - self._paused, 3)

    def train_seconds(self) -> float:
        """Seconds of training without validation."""
        return self._train_seconds_before + self.elapsed() - self._elapsed_before - self._validating
