"""Estimates the validation loss within an epoch, on a few of the validation images, so that one epoch has a curve.

It reads the weights of the model and touches nothing: a run trains bit for bit as it would without estimates. They are
shown, and decide nothing: neither which weights are kept nor when a training ends, nor how runs are ranked.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from mnist_core.data.splits import Split
from mnist_core.evaluation.metrics import evaluate
from mnist_core.training.eta import FORWARD_SHARE
from mnist_core.training.loop import Report
from mnist_core.training.predict import Images, Predictor

ESTIMATE_IMAGES = 1000
"""Validation images of an estimate, the same ones all through a run. Its accuracy is off by half a point at 98 %."""
ESTIMATES_PER_EPOCH = 10
"""Most points that the validation curve of an epoch has. The last one is the validation itself."""
BATCH = 250
"""Images predicted at once."""
RECENT = 40
"""Reports, and predicted batches, whose median says what an image costs."""
TIME_SHARE = 0.02
"""Share of an epoch's training time that its estimates may take. Where that is too little for ten, there are fewer."""


class ValidationEstimator:
    """Adds estimates of the validation results to the reports of a training.

    Args:
        predict: with the weights that validation uses, the averaged ones if there are any.
        split: the images.
        steps_per_epoch: batches in an epoch.
    """

    def __init__(self, predict: Predictor, split: Split, steps_per_epoch: int) -> None:
        count = len(split.x_validation)
        chosen = np.sort(np.random.default_rng(0).permutation(count)[:ESTIMATE_IMAGES])
        self._images: Images = split.x_validation[chosen]
        self._labels = split.y_validation[chosen]
        self._predict, self._steps_per_epoch, self._epoch_images = predict, steps_per_epoch, len(split.x_train)
        self._reports = 0
        self._train_seconds, self._predict_seconds = (deque[float](maxlen=RECENT) for _ in range(2))
        """Seconds for an image, of recent reports and of recently predicted batches."""
        self._spent, self._last = 0.0, 0.0
        """In this epoch: seconds of its estimates, and the share of the epoch that had passed at the latest one."""

    def add_to(self, report: Report) -> Report:
        """Returns the report with an estimate if one is due, otherwise as it is.

        Call it with every report: they say how long training takes, and so how many estimates are affordable.
        """
        self._reports += 1
        if self._reports > 1:  # the first report counts the time that built the graph
            self._train_seconds.append(report.seconds / report.images)
        passed = report.step / self._steps_per_epoch % 1
        if not passed:
            self._spent, self._last = 0.0, 0.0  # an epoch ends, with its validation
        if not passed or not self._is_due(passed):
            return report
        self._last = passed
        return self._with_estimate(report)

    def _is_due(self, passed: float) -> bool:
        """Spreads the estimates that are affordable evenly over the rest of the epoch. `passed`: share of the epoch.

        The first of a run comes early: it is measured, and says how many the epoch affords.
        """
        if self._reports < 2 or not len(self._labels):
            return False
        train_seconds = median(self._train_seconds)
        predict_seconds = median(self._predict_seconds or [math.inf])
        if not self._spent:  # try one in each epoch: the last time, another process may have held it up
            predict_seconds = min(predict_seconds, FORWARD_SHARE * train_seconds)
        cost = predict_seconds * len(self._labels)
        affordable = int((TIME_SHARE * train_seconds * self._epoch_images - self._spent) / cost)
        if affordable < 1:
            return False
        gap = (1 - self._last) / (affordable + 1) if self._predict_seconds else 0.0
        return passed - self._last >= max(gap, 1 / ESTIMATES_PER_EPOCH)

    def _with_estimate(self, report: Report) -> Report:
        began = time.perf_counter()
        probabilities = list[NDArray[np.float32]]()
        for start in range(0, len(self._images), BATCH):
            batch_began = time.perf_counter()
            probabilities.append(self._predict(self._images[start : start + BATCH]))
            self._predict_seconds.append((time.perf_counter() - batch_began) / len(probabilities[-1]))
        predicted = np.concatenate(probabilities)
        is_usable = np.isfinite(predicted).all()  # else the training diverges: its next report or validation says so
        scores = evaluate(predicted, self._labels) if is_usable else None
        seconds = time.perf_counter() - began
        # Not `seconds`, which can contain a graph, which validation needs anyway, or the time of another process.
        self._spent += median(self._predict_seconds) * len(self._images)
        return replace(
            report,
            estimated_val_loss=scores.loss if scores else None,
            estimated_val_accuracy=scores.accuracy if scores else None,
            estimate_seconds=seconds,
        )
