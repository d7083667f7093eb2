"""A run as a Keras script for students: it trains the same model from scratch with Keras, NumPy and Matplotlib only.

The script contains only what the run's settings use. Initial weights, order of the images, augmentation and dropout use
the same seed and the same random draws as `training`, so that both see the same losses, up to rounding. Data that
keras.datasets does not have is in files next to the script, see `keras_files`.
"""

from __future__ import annotations

import textwrap
from dataclasses import MISSING, fields

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.data.augmentation import AUGMENTATIONS
from mnist_core.data.mnist import DATA_SETS
from mnist_core.errors import RunError
from mnist_core.export import keras_compile, keras_data, numpy_augment
from mnist_core.export.keras_compile import LINE_LENGTH
from mnist_core.export.keras_data import DRAWINGS_FILE, SAMPLE_FILE
from mnist_core.fields import changed_fields
from mnist_core.handwriting.mixture import ASSUMED_NON_DIGIT_SHARE
from mnist_core.networks.layers import Conv2D, Dense, DepthwiseConv2D, Layer, biased_output
from mnist_core.recipes.settings import Settings
from mnist_core.runs.card import trained_on
from mnist_core.runs.reports import check_report
from mnist_core.runs.run import Run
from mnist_core.runs.spec import OWN, RunSpec

SCRIPT_FILE = "train.py"

_TIME_LIMIT = """
    def on_train_begin(self, logs=None):
        self.start = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        if time.monotonic() - self.start >= {seconds!r}:
            self.model.stop_training = True
"""

_ACCURACY_LIMIT = """
    def on_epoch_end(self, epoch, logs=None):
        if logs["val_accuracy"] >= {accuracy!r}:
            self.model.stop_training = True
"""

_EVALUATE = """\
accuracy = model.evaluate(x_test[..., np.newaxis], y_test, verbose=0)[1]
print(f"test accuracy {accuracy:.4f}")

figure, panels = plt.subplots(1, 2, figsize=(10, 4))
for axes, name in zip(panels, ("loss", "accuracy")):
    axes.plot(history[name], "o-", label="training")
    axes.plot(history["val_" + name], "o-", label="validation")
    axes.set(xlabel="epoch", ylabel=name)
    axes.legend()
figure.savefig("curves.png")
"""


def script_source(run: Run) -> str:
    """Source code of the script. Raises RunError if the run did not start from scratch, or cannot be read."""
    spec = run.spec()
    if spec.base:
        raise RunError(
            f"The run {run.id} fine-tunes another model: no script can train it from scratch. "
            "Export it as keras or zip, or export the run that it started from."
        )
    settings = spec.settings
    blocks = [
        _docstring(run, spec),
        _imports(settings),
        f"SEED, EPOCHS, BATCH_SIZE = {spec.seed}, {settings.epochs}, {settings.batch_size}\n",
        keras_data.data_source(dataset_name(run), settings, _outputs(settings)),
        _augmentation(settings),
        keras_data.batches_source(settings),
        _limit_class(settings),
        keras_compile.warm_up_class_source(settings),
        _model(settings),
        _training(settings),
    ]
    return "\n".join(filter(None, blocks)) + _bias_correction(settings) + _EVALUATE


def dataset_name(run: Run) -> str:
    """What the run was really trained on: `full`, `sample` (for example because it was offline) or `custom`."""
    requested = run.spec().data
    return trained_on(run.card()) or (requested if requested in DATA_SETS else "custom")


def _outputs(settings: Settings) -> int:
    return settings.architecture.summary()[-1].output_shape[0]


def _docstring(run: Run, spec: RunSpec) -> str:
    network = "custom network" if spec.kind == OWN else spec.recipe
    argument = "mnist.npz" if dataset_name(run) == "custom" else "[mnist.npz]"
    data_files = []
    if dataset_name(run) == "sample":
        data_files.append(SAMPLE_FILE)
    if spec.settings.drawings != "none":
        data_files.append(DRAWINGS_FILE)
    reads = f"; reads {' and '.join(data_files)}" if data_files else ""
    lines = [
        f'"""Trains {network} from scratch, like a run of Digit Lab.',
        "",
        f"    python {SCRIPT_FILE} {argument}",
        "",
        *textwrap.wrap(f"Requires Keras with TensorFlow, NumPy and Matplotlib{reads}.", LINE_LENGTH),
        *_manual_changes(run),
        '"""',
        "",
    ]
    return "\n".join(lines)


def _manual_changes(run: Run) -> list[str]:
    """What was changed during the run, which the script does not repeat; at most three changes."""
    changes = [
        f"    {report['changed']['learning_rate']:g} from step {report['step']}"
        for row in run.metrics().rows
        if (report := check_report(row)) is not None and "learning_rate" in report.get("changed", {})
    ]
    if not changes:
        return []
    return ["", "The learning rate was changed during the run, which is not repeated here:", *changes[:3]]


def _imports(settings: Settings) -> str:
    layers = ", ".join(sorted({"Input", *(type(layer).__name__ for layer in settings.layers)}))
    layer_import = f"from keras.layers import {layers}"
    if len(layer_import) > LINE_LENGTH:
        layer_import = textwrap.fill(f"from keras.layers import ({layers})", LINE_LENGTH, subsequent_indent=" " * 26)
    standard = ["import sys", "import time"] if settings.time_budget else ["import sys"]
    third_party = ["import keras", "import matplotlib.pyplot as plt", "import numpy as np", layer_import]
    return "\n".join([*standard, "", *third_party, ""])


def _augmentation(settings: Settings) -> str:
    augmentation = AUGMENTATIONS[settings.augmentation]
    if augmentation is None:
        return ""
    return numpy_augment.augment_source(settings.architecture.input_size, augmentation)


def _limit_class(settings: Settings) -> str:
    """A callback for the limits that Keras has no callback for."""
    if not (settings.time_budget or settings.target_accuracy):
        return ""
    source = 'class Limit(keras.callbacks.Callback):\n    """Stops the training early, as in the run."""\n'
    if settings.time_budget:
        source += _TIME_LIMIT.format(seconds=settings.time_budget)
    if settings.target_accuracy:
        source += _ACCURACY_LIMIT.format(accuracy=settings.target_accuracy)
    return source + "\n"


def _model(settings: Settings) -> str:
    """The network. Layers other than convolutions and dense layers share the line of the previous layer."""
    lines = [f"    Input({settings.architecture.input_shape}),"]
    for layer in settings.layers:
        text = _layer(layer)
        own_line = len(lines) == 1 or isinstance(layer, Conv2D | DepthwiseConv2D | Dense)
        if own_line or len(lines[-1]) + len(text) + 2 > LINE_LENGTH:
            lines.append(f"    {text},")
        else:
            lines[-1] += f" {text},"
    seed = "keras.utils.set_random_seed(SEED)  # of initial weights and dropout"
    return "\n".join([seed, "model = keras.Sequential([", *lines, "])"])


def _layer(layer: Layer) -> str:
    """One layer: required arguments by position, the others by name if they differ from the default."""
    required = {declared.name for declared in fields(layer) if declared.default is MISSING}
    arguments = [
        _literal(value) if name in required else f"{name}={_literal(value)}"
        for name, value in changed_fields(layer).items()
    ]
    return f"{type(layer).__name__}({', '.join(arguments)})"


def _literal(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return "1 / 255" if value == 1 / 255 else repr(value)


def _training(settings: Settings) -> str:
    return "\n".join(
        [
            "steps = -(-len(y_train) // BATCH_SIZE)  # the last batch may be smaller",
            *keras_compile.schedule_lines(settings),
            "model.compile(",
            *keras_compile.optimizer_lines(settings),
            f"    loss={keras_compile.loss_argument(settings)},",
            *keras_compile.metrics_lines(settings),
            "history = model.fit(",
            "    batches(), steps_per_epoch=steps, epochs=EPOCHS, shuffle=False, verbose=2,",
            *_callbacks(settings),
            "    validation_data=(x_val[..., np.newaxis], y_val)).history",
            "",
        ]
    )


def _callbacks(settings: Settings) -> list[str]:
    """Lines of `model.fit(`."""
    callbacks = []
    if settings.weight_averaging:  # early stopping needs the averaged weights at the end of every epoch
        callbacks.append(f"keras.callbacks.SwapEMAWeights({'swap_on_epoch=True' if settings.patience else ''}),")
    if settings.patience:
        callbacks += [
            "keras.callbacks.EarlyStopping(",
            *keras_compile.monitor_lines(settings),
            f"    patience={settings.patience}, restore_best_weights=True),",
        ]
    if settings.time_budget or settings.target_accuracy:
        callbacks.append("Limit(),")
    return ["    callbacks=[", *(f"        {line}" for line in callbacks), "    ],"] if callbacks else []


def _bias_correction(settings: Settings) -> str:
    """Corrects the last bias, like the worker: people draw non-digits less often than the training set has them."""
    index = biased_output(settings.layers)
    if settings.drawings == "none" or _outputs(settings) <= NOT_A_DIGIT or index is None:
        return ""
    odds = ASSUMED_NON_DIGIT_SHARE / (1 - ASSUMED_NON_DIGIT_SHARE)
    non_digit = "y_train[:, 10] == 1" if settings.categorical else "y_train == 10"
    return (
        f"odds = {odds:.4g} * (1 / np.mean({non_digit}) - 1)  # expect 1% non-digits\n"
        f"model.layers[{index}].bias.assign_add(np.log(odds) * np.eye({_outputs(settings)})[10])\n"
    )
