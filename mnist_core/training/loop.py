"""The training loop: settings, images and a seed in, reports out. Only functions that are called import TensorFlow.

The loop runs many batches inside one TensorFlow call, as many as fit between two reports, while the next ones are
drawn and augmented in a thread. What is computed depends on settings, images and seed alone, never on the grouping.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.data.augmentation import AUGMENTATIONS, augment
from mnist_core.data.mnist import Split
from mnist_core.errors import SettingError, TrainingError
from mnist_core.evaluation.metrics import Evaluation, evaluate
from mnist_core.networks.architecture import build
from mnist_core.recipes.recipes import LOSSES, SMOOTHED_LOSSES, Settings
from mnist_core.recipes.schedules import learning_rates
from mnist_core.training import fused_updates

REPORT_SECONDS = 0.4
EVALUATION_BATCH = 500

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Report:
    """What a stretch of training did.

    Attributes:
        step: batches trained since the beginning.
        epoch: 0 in the first epoch; counted up when one is finished.
        loss, accuracy: mean over the images of this stretch, with dropout and augmentation as trained.
        learning_rate: of its last batch.
        images: how many it trained on.
        seconds: how long that took.
        val_loss, val_accuracy: of the validation images, at an epoch's end only.
        val_seconds: how long it took to find these out.
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


def steps_per_epoch(images: int, settings: Settings) -> int:
    """Batches in an epoch; the last may be smaller."""
    return -(-images // settings.batch_size)


def check_fits(settings: Settings, images: int) -> None:
    """Raises SettingError where a batch is larger than the training images."""
    if settings.batch_size > images:
        raise SettingError(
            f"batch_size is {settings.batch_size:,}, but there are only {images:,} training images. "
            f"Choose at most {images:,}."
        )


def make_model(settings: Settings, seed: int) -> Any:
    """The compiled Keras model, its weights drawn from the seed."""
    import keras

    keras.utils.set_random_seed(seed)
    model = build(settings.architecture)
    model.compile(optimizer=_optimizer(settings), loss=_loss(settings), metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    return model


def _optimizer(settings: Settings) -> Any:
    import keras

    own: dict[str, dict[str, float]] = {
        "SGD": {"momentum": float(settings.momentum), "nesterov": settings.nesterov},
        "RMSprop": {},
        "Adam": {"beta_1": settings.beta_1, "beta_2": settings.beta_2},
        "AdamW": {"beta_1": settings.beta_1, "beta_2": settings.beta_2},
    }
    given: dict[str, Any] = {"weight_decay": float(settings.weight_decay)} if settings.weight_decay else {}
    if settings.gradient_clipping:
        given["global_clipnorm"] = float(settings.gradient_clipping)
    if settings.weight_averaging:
        given |= {"use_ema": True, "ema_momentum": settings.weight_averaging}
    return getattr(keras.optimizers, settings.optimizer)(settings.learning_rate, **own[settings.optimizer], **given)


def _loss(settings: Settings) -> Any:
    import keras

    if not settings.categorical:
        return keras.losses.SparseCategoricalCrossentropy()
    smoothing = {"label_smoothing": settings.label_smoothing} if settings.loss in SMOOTHED_LOSSES else {}
    return getattr(keras.losses, LOSSES[settings.loss])(**smoothing)


@dataclass
class Steering:
    """What may be changed while a training runs, between two of its reports.

    Attributes:
        learning_rate: the peak; the schedule's shape stays.
        epochs: how many in all. A schedule is stretched over them from here on.
        batches: how many to train until the next report; None for as many as fit between two.
    """

    learning_rate: float
    epochs: int
    batches: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Steering:
        """As the settings say."""
        return cls(settings.learning_rate, settings.epochs)

    def rates(self, settings: Settings, per_epoch: int) -> NDArray[np.float32]:
        """(steps,) float32: the learning rate of each step of the whole training, as it is steered now."""
        steered = replace(settings, learning_rate=self.learning_rate, epochs=self.epochs)
        return learning_rates(steered, per_epoch * self.epochs)


def train(
    model: Any, settings: Settings, split: Split, seed: int, steering: Steering | None = None, begin: int = 0
) -> Iterator[Report]:
    """Trains the model, and yields a report about twice a second. Whoever stops asking stops the training.

    Args:
        model: what `make_model` made.
        settings: how to train it.
        split: the images, (N, size, size) uint8.
        seed: of the order of the images and their augmentation.
        steering: what may be changed between two reports; by default as the settings say.
        begin: finished epochs, where a training is taken up again.

    Raises:
        SettingError: where a batch is larger than the training images.
        TrainingError: where the loss is no longer a number.
    """
    check_fits(settings, len(split.x_train))
    steering = steering or Steering.of(settings)
    run, pace, epoch = _compiled_steps(model, settings), _Pace(), begin
    while epoch < steering.epochs:
        yield from _train_epoch(run, model, settings, split, seed, steering, pace, epoch)
        epoch += 1


def _train_epoch(
    run: Callable[..., Any],
    model: Any,
    settings: Settings,
    split: Split,
    seed: int,
    steering: Steering,
    pace: _Pace,
    epoch: int,
) -> Iterator[Report]:
    per_epoch = steps_per_epoch(len(split.x_train), settings)
    tally, done, before = _Tally(), 0, epoch * per_epoch
    with _Batches(split, settings, seed, epoch) as batches:
        while done < per_epoch:
            images, labels = batches.take(steering.batches or pace.steps)
            rates = steering.rates(settings, per_epoch)[before + done :][: len(labels)]
            began = time.perf_counter()
            losses, hits = (np.asarray(value) for value in run(images, labels, rates))
            seconds = time.perf_counter() - began
            pace.note(len(losses), seconds)
            _check_finite(losses, before + done, settings)
            done += len(losses)
            tally.add(losses, hits, labels.shape[1], seconds)
            left = per_epoch - done
            if left == 1:
                continue  # the last batch may be very small: reported alone, it would be a spike in the curve
            trained = time.perf_counter()
            scores = _validate(model, split) if left == 0 else None
            report = tally.report(before + done, epoch + (left == 0), float(rates[-1]), scores)
            yield replace(report, val_seconds=time.perf_counter() - trained) if scores else report
            tally = _Tally()


@dataclass
class _Tally:
    """Sums over the images since the last report."""

    loss: float = 0.0
    hits: float = 0.0
    images: int = 0
    seconds: float = 0.0

    def add(self, losses: NDArray[np.float32], hits: NDArray[np.float32], batch: int, seconds: float) -> None:
        """Counts (K,) mean losses and (K,) hits of batches of `batch` images in."""
        self.loss += float(losses.sum()) * batch
        self.hits += float(hits.sum())
        self.images += len(losses) * batch
        self.seconds += seconds

    def report(self, step: int, epoch: int, learning_rate: float, scores: Evaluation | None) -> Report:
        """The means."""
        return Report(
            step,
            epoch,
            self.loss / self.images,
            self.hits / self.images,
            learning_rate,
            self.images,
            self.seconds,
            scores.loss if scores else None,
            scores.accuracy if scores else None,
        )


class _Pace:
    """How many batches fit between two reports. It begins with one, so that the first point comes at once."""

    def __init__(self) -> None:
        self.steps = 1
        self._warm = False

    def note(self, steps: int, seconds: float) -> None:
        """What the last call took; the first one built the graph and tells nothing."""
        if self._warm:
            fitting = int(REPORT_SECONDS * steps / max(seconds, 1e-6))
            self.steps = max(1, min(fitting, 4 * self.steps))
        self._warm = True


class _Batches:
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

    def __enter__(self) -> _Batches:
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


def _compiled_steps(model: Any, settings: Settings) -> Callable[..., Any]:
    """A function that trains on K batches, (K, B, size, size) uint8, and returns (K,) losses and (K,) hits."""
    import tensorflow as tf

    optimizer, loss_function, variables = model.optimizer, _loss(settings), model.trainable_variables
    one_hot, classes, size = settings.categorical, model.output_shape[-1], model.input_shape[1]

    def step(images: Any, labels: Any, rate: Any) -> tuple[Any, Any]:
        pixels = tf.cast(images, tf.float32)[..., tf.newaxis]  # (B, size, size, 1)
        with tf.GradientTape() as tape:
            probabilities = model(pixels, training=True)  # (B, classes)
            loss = loss_function(tf.one_hot(labels, classes) if one_hot else labels, probabilities)
        fused_updates.apply(optimizer, rate, tape.gradient(loss, variables), variables)
        hits = tf.equal(tf.argmax(probabilities, 1, tf.int32), labels)
        return loss, tf.reduce_sum(tf.cast(hits, tf.float32))

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec([None, None, size, size], tf.uint8),
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None], tf.float32),
        ]
    )
    def run(images: Any, labels: Any, rates: Any) -> tuple[Any, Any]:
        count = tf.shape(rates)[0]
        losses = tf.TensorArray(tf.float32, count, element_shape=[])
        hits = tf.TensorArray(tf.float32, count, element_shape=[])
        for index in tf.range(count):
            loss, hit = step(images[index], labels[index], rates[index])
            losses, hits = losses.write(index, loss), hits.write(index, hit)
        return losses.stack(), hits.stack()

    return run  # type: ignore[no-any-return]


def _check_finite(losses: NDArray[np.float32], step: int, settings: Settings) -> None:
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        raise TrainingError(
            f"The loss became {losses[bad[0]]} at step {step + int(bad[0]) + 1:,}: the weights have run away. "
            f"Try a smaller learning rate (it was {settings.learning_rate:g}; a tenth of it often works), "
            "a larger batch, or Adam."
        )


def _validate(model: Any, split: Split) -> Evaluation:
    with averaged_weights(model):
        return evaluate(predict(model, split.x_validation), split.y_validation)


class averaged_weights:  # noqa: N801 - reads as a statement: `with averaged_weights(model):`
    """While open, the model has the moving average of its weights, where its optimizer keeps one."""

    def __init__(self, model: Any) -> None:
        import keras

        self._swap = keras.callbacks.SwapEMAWeights() if model.optimizer.use_ema else None
        if self._swap is not None:
            self._swap.set_model(model)

    def __enter__(self) -> None:
        if self._swap is not None:
            self._swap.on_test_begin()

    def __exit__(self, *_: object) -> None:
        if self._swap is not None:
            self._swap.on_test_end()


def assume_share(model: Any, output: int, trained: float, assumed: float) -> None:
    """Moves the bias of one output of the softmax from how often its class was trained on to how often it will be met.

    Bayes' rule for another prior (Saerens et al., 2002): the odds of the class change by the ratio of the prior odds.

    Args:
        model: whose last layer is a Dense with softmax.
        output: of which class.
        trained: its share of the training images, 0..1, neither end.
        assumed: its share of what the model will see, likewise.
    """
    kernel, bias = model.layers[-1].get_weights()
    bias[output] += np.log(assumed / (1 - assumed)) - np.log(trained / (1 - trained))
    model.layers[-1].set_weights([kernel, bias])


def predict(model: Any, images: Images) -> NDArray[np.float32]:
    """The Keras model's probabilities, (N, C) float32, for (N, size, size) uint8: cast batch by batch.

    Raises:
        TrainingError: where they are no numbers: the last step can ruin the weights, and no training loss tells.
    """
    run = _compiled_predict(model)
    batches = [images[start : start + EVALUATION_BATCH] for start in range(0, len(images), EVALUATION_BATCH)]
    probabilities = np.concatenate([np.asarray(run(batch)) for batch in batches])
    if not np.isfinite(probabilities).all():
        raise TrainingError(
            "The model's answers are no longer numbers: the weights have run away. "
            "Try a smaller learning rate, a larger batch, or Adam."
        )
    return probabilities


def looker(model: Any) -> Callable[[Images], NDArray[np.float32]]:
    """What a model in training makes of images, without touching it: (N, size, size) uint8 -> (N, C) float32.

    With the moving average of its weights where its optimizer keeps one. `averaged_weights` swaps them by adding and
    subtracting, which loses bits: done whenever somebody looks, it would make a training depend on who watches it.
    """
    import tensorflow as tf

    size, optimizer = model.input_shape[1], model.optimizer
    weights = optimizer._model_variables_moving_average if optimizer.use_ema else model.trainable_variables

    @tf.function(input_signature=[tf.TensorSpec([None, size, size], tf.uint8)])  # type: ignore[untyped-decorator]
    def run(images: Any) -> Any:
        pixels = tf.cast(images, tf.float32)[..., tf.newaxis]
        return model.stateless_call(weights, model.non_trainable_variables, pixels, training=False)[0]

    return lambda images: np.asarray(run(images), np.float32)


def shown_weights(model: Any) -> list[NDArray[np.float32]]:
    """A copy of the weights by which a model in training answers, as `get_weights` orders them; it is not touched.

    With their moving average where its optimizer keeps one, which is there from the first step on.
    """
    optimizer, averages = model.optimizer, {}
    if optimizer.use_ema and int(optimizer.iterations.numpy()) > 0:
        pairs = zip(model.trainable_variables, optimizer._model_variables_moving_average, strict=True)
        averages = {id(variable): average for variable, average in pairs}
    return [np.array(averages.get(id(variable), variable)) for variable in model.weights]


@lru_cache(maxsize=2)
def _compiled_predict(model: Any) -> Any:
    import tensorflow as tf

    size = model.input_shape[1]

    @tf.function(input_signature=[tf.TensorSpec([None, size, size], tf.uint8)])  # type: ignore[untyped-decorator]
    def run(images: Any) -> Any:
        return model(tf.cast(images, tf.float32)[..., tf.newaxis], training=False)

    return run
