"""Estimates how long a training will still take from how long its steps have taken."""

from __future__ import annotations

REPORTS_NEEDED = 9
"""Reports before the first estimate: the early ones train one batch at a time and say little about the pace."""
FORWARD_SHARE = 1 / 3
"""Time to validate an image, as a share of the time to train on it: a forward pass without the two of the gradient."""


class TimeLeftEstimator:
    """Collects reports and estimates the seconds left.

    Args:
        per_epoch: steps per epoch.
        validation_batches: validation images divided by the batch size.
    """

    def __init__(self, per_epoch: int, validation_batches: float) -> None:
        self._per_epoch, self._validation_batches = per_epoch, validation_batches
        self._reports: list[tuple[int, float]] = []
        """Of each report: the step, and seconds of training until then without validation."""
        self._validation_seconds: list[float] = []
        self._train_seconds = 0.0

    def add_report(self, step: int, seconds: float, val_seconds: float = 0.0) -> None:
        """Adds a report.

        Args:
            step: batches trained since the beginning.
            seconds: since the previous report, without pauses, with validation.
            val_seconds: of these, for validation.
        """
        self._train_seconds += seconds - val_seconds
        self._reports.append((step, self._train_seconds))
        if val_seconds:
            self._validation_seconds.append(val_seconds)

    def seconds_left(self, steps: int) -> float | None:
        """Estimates the seconds until `steps` batches are trained; None before REPORTS_NEEDED reports.

        The pace is that of the later half of all reports: the beginning is slower, and the last few vary.
        """
        if len(self._reports) < REPORTS_NEEDED:
            return None
        (first_step, first_seconds), (step, seconds) = self._reports[len(self._reports) // 2 - 1], self._reports[-1]
        pace = (seconds - first_seconds) / max(step - first_step, 1)
        # The very first validation builds its graph, too.
        measured = self._validation_seconds[1:] or self._validation_seconds
        validation = sum(measured) / len(measured) if measured else self._validation_batches * pace * FORWARD_SHARE
        validations_left = -(-steps // self._per_epoch) - step // self._per_epoch
        return (steps - step) * pace + validations_left * validation
