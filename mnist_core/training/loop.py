"""The training loop: a model, settings, images and a seed in, reports out. TensorFlow is imported when a function runs.

The loop trains many batches in one call of TensorFlow, as many as fit between two reports. How batches are grouped
changes neither the order of the images nor the random numbers: settings, images and seed decide the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.data.splits import Split
from mnist_core.errors import TrainingError
from mnist_core.evaluation.metrics import Evaluation, evaluate
from mnist_core.recipes.schedules import learning_rates
from mnist_core.recipes.settings import Settings
from mnist_core.training import forward_pass, fused_updates
from mnist_core.training.batches import Batches, check_batch_size, steps_per_epoch
from mnist_core.training.model import make_loss
from mnist_core.training.predict import predict
from mnist_core.training.weights import averaged_weights

REPORT_SECONDS = 0.4
"""Seconds of training between two reports."""


@dataclass(frozen=True)
class Report:
    """Training progress since the previous report.

    Attributes:
        step: batches trained since the beginning of the run.
        epoch: finished epochs; 0 during the first one.
        loss: mean over the images since the previous report, with dropout and augmentation.
        accuracy: likewise, 0..1.
        learning_rate: of the last batch.
        images: how many were trained on since the previous report.
        seconds: how long that took.
        val_loss: mean over the validation images; None except at the end of an epoch.
        val_accuracy: likewise, 0..1.
        val_seconds: how long validation took.
        estimated_val_loss: mean over a few validation images, within an epoch; None if the report has no estimate.
        estimated_val_accuracy: on the same images, 0..1.
        estimate_seconds: how long the estimate took.
    """

    step: int
    epoch: int
    loss: float
    accuracy: float
    learning_rate: float
    images: int
    seconds: float
    val_loss: float | None = None
    val_accuracy: float | None = None
    val_seconds: float = 0.0
    estimated_val_loss: float | None = None
    estimated_val_accuracy: float | None = None
    estimate_seconds: float = 0.0


@dataclass
class Totals:
    """Sums over the batches since the previous report.

    Attributes:
        loss: sum of the images' losses.
        correct: number of correct predictions.
        images: how many were trained on.
        seconds: how long that took.
    """

    loss: float = 0.0
    correct: float = 0.0
    images: int = 0
    seconds: float = 0.0

    def add(self, losses: NDArray[np.float32], hits: NDArray[np.float32], batch_size: int, seconds: float) -> None:
        """Adds K batches of one size.

        Args:
            losses: (K,) mean losses.
            hits: (K,) numbers of correct predictions.
            batch_size: images per batch.
            seconds: how long training them took.
        """
        self.loss += float(losses.sum(dtype=np.float64)) * batch_size
        self.correct += float(hits.sum())
        self.images += len(losses) * batch_size
        self.seconds += seconds

    def report(self, step: int, epoch: int, learning_rate: float) -> Report:
        """The means as a report."""
        loss, accuracy = self.loss / self.images, self.correct / self.images
        return Report(step, epoch, loss, accuracy, learning_rate, self.images, self.seconds)


@dataclass
class LiveControls:
    """What may change during training. The loop reads these values after each report.

    Attributes:
        learning_rate: peak of the schedule, which keeps its shape.
        epochs: how many in total. The schedule is stretched over them.
        batches: how many to train until the next report; None: as many as fit in REPORT_SECONDS.
    """

    learning_rate: float
    epochs: int
    batches: int | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> LiveControls:
        """The values that the settings ask for."""
        return cls(settings.learning_rate, settings.epochs)

    def learning_rates(self, settings: Settings, per_epoch: int, first: int, count: int) -> NDArray[np.float32]:
        """(count,) float32: the learning rates of some steps.

        Args:
            settings: whose schedule to follow.
            per_epoch: steps per epoch.
            first: the first of these steps, from 0.
            count: how many.
        """
        changed = replace(settings, learning_rate=self.learning_rate, epochs=self.epochs)
        return learning_rates(changed, per_epoch * self.epochs, first, count)

    def reports_tiny_batch(self) -> bool:
        """Whether the last batch of an epoch, which may be tiny and then a spike in the curve, has its own report."""
        return self.batches is not None


def train(
    model: Any,
    settings: Settings,
    split: Split,
    seed: int,
    controls: LiveControls | None = None,
    finished_epochs: int = 0,
    report_steps: Sequence[int] = (),
) -> Iterator[Report]:
    """Trains the model and yields a report about twice a second. Closing the iterator stops the training.

    Args:
        model: from `make_model`.
        settings: how to train it.
        split: the images, (N, size, size) uint8.
        seed: of the order of the images and of augmentation.
        controls: values that may change between two reports; those of the settings by default.
        finished_epochs: where a resumed training continues.
        report_steps: ascending steps of the first epoch after which there is a report, whatever the time.

    Raises:
        SettingError: the batch size exceeds the number of training images.
        TrainingError: the loss is NaN or infinite.
    """
    check_batch_size(settings, len(split.x_train))
    controls = controls or LiveControls.from_settings(settings)
    train_batches = compile_training_steps(model, settings)
    per_epoch = steps_per_epoch(len(split.x_train), settings)
    step = finished_epochs * per_epoch
    batches_per_call, graph_is_built = 1, False  # one batch at first, so that the curve starts at once

    while step < controls.epochs * per_epoch:
        epoch, epoch_end, totals = step // per_epoch, step + per_epoch, Totals()
        with Batches(split, settings, seed, epoch) as batches:
            while step < epoch_end:
                count = controls.batches or batches_per_call
                count = next((min(count, due - step) for due in report_steps if due > step), count)
                images, labels = batches.take(count)  # (K, B, size, size), (K, B)
                rates = controls.learning_rates(settings, per_epoch, step, len(labels))  # (K,)
                began = time.perf_counter()
                losses, hits = (np.asarray(values) for values in train_batches(images, labels, rates))  # (K,) each
                call_seconds = time.perf_counter() - began
                check_finite(losses, step, controls.learning_rate)
                if graph_is_built:
                    batches_per_call = fit_batches_per_call(batches_per_call, len(losses), call_seconds)
                graph_is_built = True

                step += len(losses)
                totals.add(losses, hits, labels.shape[1], call_seconds)
                if step == epoch_end - 1 and not controls.reports_tiny_batch():
                    continue
                report = totals.report(step, step // per_epoch, float(rates[-1]))
                yield with_validation(report, model, split) if step == epoch_end else report
                totals = Totals()


def compile_training_steps(model: Any, settings: Settings) -> Callable[..., tuple[Any, Any]]:
    """Compiles K training steps into one call of TensorFlow.

    Args:
        model: from `make_model`; its weights and its optimizer are updated.
        settings: for the loss.

    Returns:
        A function of (K, B, size, size) uint8 images, (K, B) int32 labels and (K,) float32 learning rates. It returns
        the (K,) float32 mean losses and the (K,) float32 numbers of correct predictions.
    """
    import tensorflow as tf

    optimizer, loss_function, variables = model.optimizer, make_loss(settings), model.trainable_variables
    one_hot, classes, size = settings.categorical, model.output_shape[-1], model.input_shape[1]

    def train_step(images: Any, labels: Any, rate: Any) -> tuple[Any, Any]:
        pixels = tf.cast(images, tf.float32)[..., tf.newaxis]  # (B, size, size, 1)
        with tf.GradientTape() as tape:
            probabilities = forward_pass.outputs(model, pixels)  # (B, classes)
            loss = loss_function(tf.one_hot(labels, classes) if one_hot else labels, probabilities)
        fused_updates.apply(optimizer, rate, tape.gradient(loss, variables), variables)
        hits = tf.equal(tf.argmax(forward_pass.scores(probabilities), 1, tf.int32), labels)
        return loss, tf.reduce_sum(tf.cast(hits, tf.float32))

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec([None, None, size, size], tf.uint8),
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None], tf.float32),
        ],
        autograph=False,
    )
    def train_batches(images: Any, labels: Any, rates: Any) -> tuple[Any, Any]:
        count = tf.shape(rates)[0]

        def train_next(index: Any, losses: Any, hits: Any) -> tuple[Any, Any, Any]:
            loss, hit = train_step(images[index], labels[index], rates[index])
            return index + 1, losses.write(index, loss), hits.write(index, hit)

        losses, hits = (tf.TensorArray(tf.float32, count, element_shape=[]) for _ in range(2))
        _, losses, hits = tf.while_loop(lambda index, *_: index < count, train_next, (0, losses, hits))
        return losses.stack(), hits.stack()

    return train_batches  # type: ignore[no-any-return]


def fit_batches_per_call(current: int, batches: int, seconds: float) -> int:
    """How many batches take REPORT_SECONDS, but at most four times as many as now: one fast call may be an exception.

    Args:
        current: batches per call so far.
        batches: how many the last call trained.
        seconds: how long it took.
    """
    fitting = int(REPORT_SECONDS * batches / max(seconds, 1e-6))
    return max(1, min(fitting, 4 * current))


def check_finite(losses: NDArray[np.float32], step: int, learning_rate: float) -> None:
    """Raises TrainingError if one of (K,) losses is NaN or infinite.

    Args:
        losses: (K,) float32, of successive batches.
        step: batches trained before them.
        learning_rate: peak of the schedule.
    """
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        raise TrainingError(
            f"Training diverged: the loss is {losses[bad[0]]} at step {step + int(bad[0]) + 1:,}. "
            f"Try a smaller learning rate (it was {learning_rate:g}; a tenth of it often works), "
            "a larger batch size, or Adam."
        )


def with_validation(report: Report, model: Any, split: Split) -> Report:
    """Adds the validation loss and accuracy to a report."""
    began = time.perf_counter()
    scores = validate(model, split)
    seconds = time.perf_counter() - began
    return replace(report, val_loss=scores.loss, val_accuracy=scores.accuracy, val_seconds=seconds)


def validate(model: Any, split: Split) -> Evaluation:
    """Evaluates a model on the validation images, with its averaged weights if it has any."""
    with averaged_weights(model):
        return evaluate(predict(model, split.x_validation), split.y_validation)
