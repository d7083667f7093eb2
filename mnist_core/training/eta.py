"""How long a training will still take, from how long its steps took so far."""

from __future__ import annotations

REPORTS_NEEDED = 9  # the first ones train a batch at a time and tell little; the very first is not even noted
FORWARD_SHARE = 1 / 3
"""What validating an image takes of what training on it takes: a forward pass, without the two of the gradient."""


class TimeLeftEstimator:
    """Takes note of reports, and tells the seconds left.

    Args:
        per_epoch: batches in an epoch.
        validation_batches: how many the validation images would make.
    """

    def __init__(self, per_epoch: int, validation_batches: float) -> None:
        self._per_epoch, self._validation_batches = per_epoch, validation_batches
        self._marks: list[tuple[int, float]] = []  # (step, seconds of training, validation left out) at each report
        self._validated: list[float] = []  # seconds that validations took
        self._spent = 0.0

    def note(self, step: int, seconds: float, val_seconds: float = 0.0) -> None:
        """One more report.

        Args:
            step: batches trained since the beginning.
            seconds: since the report before, pauses left out, validation included.
            val_seconds: of these, for validation.
        """
        self._spent += seconds - val_seconds
        self._marks.append((step, self._spent))
        if val_seconds:
            self._validated.append(val_seconds)

    def left(self, steps: int) -> float | None:
        """Seconds until `steps` batches are trained; None before there is enough to tell from.

        The pace is that of the later half of all reports: the beginning is slower, and the last few vary.
        """
        if len(self._marks) < REPORTS_NEEDED:
            return None
        first, last = self._marks[len(self._marks) // 2 - 1], self._marks[-1]
        pace = (last[1] - first[1]) / max(last[0] - first[0], 1)
        # The very first validation builds its graph, too.
        later = self._validated[1:] or self._validated
        validation = sum(later) / len(later) if later else self._validation_batches * pace * FORWARD_SHARE
        epochs = -(-steps // self._per_epoch) - last[0] // self._per_epoch
        return (steps - last[0]) * pace + epochs * validation
