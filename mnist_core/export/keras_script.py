"""A run as a Keras script for students: it trains the same model from scratch with keras, numpy and matplotlib alone.

Only what the run's settings use is in the script. Weights, order of the images, augmentation and dropout come from the
same seed by the same draws as in `training`, so that both see the same losses, to rounding. What cannot be had from
keras.datasets lies beside the script: the offline sample as SAMPLE, drawings as DRAWINGS.
"""

from __future__ import annotations

import io
import textwrap
import zipfile
from dataclasses import MISSING, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.data.augmentation import AUGMENTATIONS
from mnist_core.data.mnist import load_mnist
from mnist_core.data.mnist_files import MNIST_KEYS
from mnist_core.errors import DataError, RunError
from mnist_core.export import keras_compile, numpy_augment
from mnist_core.export.keras_compile import LINE_LENGTH
from mnist_core.fields import changed_fields
from mnist_core.handwriting import mixture_cache
from mnist_core.handwriting.mixture import ASSUMED_NON_DIGIT_SHARE, MIXTURES, Mixture
from mnist_core.handwriting.pen_digits import load_pen_digits, pen_digits_available, split_writers
from mnist_core.networks.layers import Conv2D, Dense, DepthwiseConv2D, Layer
from mnist_core.processes import cpu_count
from mnist_core.recipes.settings import Settings
from mnist_core.runs.run import Run
from mnist_core.runs.spec import OWN, RunSpec

SCRIPT_FILE, SAMPLE_FILE, DRAWINGS_FILE = "train.py", "mnist.npz", "drawings.npz"
MAX_LINES = 100
PER_ROW = 4  # layers without a setting


def script_files(run: Run) -> dict[str, bytes]:
    """The script, and what it reads beside it: SCRIPT first, then SAMPLE and DRAWINGS where they are needed.

    Raises:
        RunError: the run was taught from another model's weights, or its files cannot be read.
        DataError: its drawings cannot be made again: the pen strokes are not to be had.
    """
    found = {SCRIPT_FILE: script_source(run).encode()}
    if dataset_name(run) == "sample":
        found[SAMPLE_FILE] = _npz(**{key: getattr(load_mnist("sample"), key) for key in MNIST_KEYS})
    if run.spec().settings.drawings != "none":
        images, labels = _drawings(run)
        found[DRAWINGS_FILE] = _npz(images=images, labels=labels)
    return found


def stands_alone(run: Run) -> bool:
    """Whether the script needs no file beside it. Raises RunError where the run cannot be read."""
    return dataset_name(run) != "sample" and run.spec().settings.drawings == "none"


def script_zip(run: Run) -> bytes:
    """`files` as a zip. Raises as `files`."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, each in script_files(run).items():
            packed.writestr(name, each)
    return content.getvalue()


def _npz(**arrays: Any) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def dataset_name(run: Run) -> str:
    """What it was really trained on: `full`, `sample` (perhaps for want of a network) or `custom`."""
    known, asked = run.card().get("data"), run.spec().data
    if isinstance(known, dict) and isinstance(known.get("name"), str):
        return str(known["name"])
    return asked if asked in ("full", "sample") else "custom"


def _drawings(run: Run) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The drawings that it was trained on, made again."""
    spec, known = run.spec(), run.card().get("pen")
    mixture = MIXTURES[spec.settings.drawings] or Mixture(0, 0, 0)
    if _outputs(spec.settings) <= NOT_A_DIGIT:
        mixture = replace(mixture, non_digits=0)
    writers = known.get("trained_on_writers") if isinstance(known, dict) else None
    if writers and not pen_digits_available():
        raise DataError(
            f"The run {run.id} was trained on pen strokes, which are not on this computer. Set DIGITLAB_PEN to a file "
            "of them, or train a recipe that needs them here first: that fetches them."
        )
    known_without = writers is not None and not writers
    digits = split_writers(load_pen_digits())[0] if pen_digits_available() and not known_without else ()
    return mixture_cache.load_mixture(mixture, digits, cpu_count())


def _outputs(settings: Settings) -> int:
    return settings.architecture.summary()[-1].output_shape[0]


def script_source(run: Run) -> str:
    """The script. Raises RunError where the run did not begin from scratch, or cannot be read."""
    spec = run.spec()
    if spec.base:
        raise RunError(
            f"The run {run.id} taught drawings to another model: no script can train it from scratch. "
            "Export it as keras or zip, or export the run that it began with."
        )
    blocks = [_head(run, spec), _imports(spec.settings), _constants(spec), _data(run, spec)]
    if spec.settings.augmentation != "none":
        blocks.append(numpy_augment.augment_source(spec.settings.architecture.input_size, _augmentation(spec.settings)))
    blocks += [_batches(spec.settings), _limit(spec.settings), keras_compile.warm_up_class_source(spec.settings)]
    blocks += [_model(spec.settings), _training(spec.settings)]
    return "\n".join(filter(None, blocks)) + _ending(spec.settings)


def _augmentation(settings: Settings) -> Any:
    return AUGMENTATIONS[settings.augmentation]


def _head(run: Run, spec: RunSpec) -> str:
    beside = [
        name for name, needed in ((SAMPLE_FILE, dataset_name(run) == "sample"), (DRAWINGS_FILE, _drawn(spec))) if needed
    ]
    what = "a network of one's own" if spec.kind == OWN else spec.recipe
    lines = [f'"""Trains {what} from scratch, as a run of Digit Lab did.', ""]
    lines += [f"    python {SCRIPT_FILE} {'mnist.npz' if dataset_name(run) == 'custom' else '[mnist.npz]'}", ""]
    needed = ["keras on TensorFlow", "numpy", "matplotlib", *(f"{name} beside it" for name in beside)]
    lines += [f"It needs {', '.join(needed[:-1])} and {needed[-1]}."]
    return "\n".join([*lines, *_by_hand(run), '"""', ""])


def _drawn(spec: RunSpec) -> bool:
    return spec.settings.drawings != "none"


def _by_hand(run: Run) -> list[str]:
    """What was done to the run that the script does not do."""
    rows = [row for row in run.metrics().rows if isinstance(row.get("changed"), dict)]
    lines = [
        f"At step {row['step']} the run's learning rate was set to {row['changed']['learning_rate']:g} by hand,"
        for row in rows
        if "learning_rate" in row["changed"]
    ]
    return [*lines[:3], "which this script does not do."] if lines else []


def _imports(settings: Settings) -> str:
    kinds = ", ".join(sorted({"Input", *(type(layer).__name__ for layer in settings.layers)}))
    layers = f"from keras.layers import {kinds}"
    if len(layers) > LINE_LENGTH:
        layers = textwrap.fill(f"from keras.layers import ({kinds})", LINE_LENGTH, subsequent_indent=" " * 26)
    lines = ["import sys", *["import time"] * bool(settings.time_budget), "", "import keras"]
    return "\n".join([*lines, "import matplotlib.pyplot as plt", "import numpy as np", layers, ""])


def _constants(spec: RunSpec) -> str:
    settings = spec.settings
    return f"SEED, EPOCHS, BATCH_SIZE = {spec.seed}, {settings.epochs}, {settings.batch_size}\n"


def _data(run: Run, spec: RunSpec) -> str:
    given, settings = dataset_name(run), spec.settings
    read = [
        "file = np.load(path)",
        'x_train, y_train = file["x_train"], file["y_train"]',
        'x_test, y_test = file["x_test"], file["y_test"]',
    ]
    if given == "full":
        lines = [
            "if len(sys.argv) > 1:  # a file with the four arrays of Keras's",
            *("    " + line.replace("path", "sys.argv[1]") for line in read),
            "else:",
            "    (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()",
        ]
    else:
        path = f'sys.argv[1] if len(sys.argv) > 1 else "{SAMPLE_FILE}"' if given == "sample" else "sys.argv[1]"
        lines = [f"path = {path}", *read]
    return "\n".join(
        [*lines, *_SPLITS[settings.split], *_uncentered(settings), *_drawings_source(spec), *_labels(settings), ""]
    )


def _cut(kept: int, of: int) -> list[str]:
    return [
        f"cut = len(y_train) * {kept} // {of}  # the rest of the training images validate",
        "x_val, y_val = x_train[cut:], y_train[cut:]",
        "x_train, y_train = x_train[:cut], y_train[:cut]",
    ]


_SPLITS = {
    "last-sixth": _cut(5, 6),
    "last-fifth": _cut(4, 5),
    "test-as-validation": ["x_val, y_val = x_test, y_test"],
    "half-test": [
        "order = np.random.RandomState(1).permutation(len(y_test))",
        "test, val = np.split(order, [-(-len(order) // 2)])  # half each",
        "x_val, y_val = x_test[val], y_test[val]",
        "x_test, y_test = x_test[test], y_test[test]",
    ],
}
"""As in data.SPLITS."""


def _uncentered(settings: Settings) -> list[str]:
    """As data.uncentered."""
    if not settings.uncentered:
        return []
    return [
        "",
        "",
        "def uncenter(images):",
        '    """Each digit somewhere in a black field of 56×56."""',
        '    fields = np.zeros((len(images), 56, 56), "uint8")',
        "    places = generator.randint(0, 28, (len(images), 2))",
        "    for field, image, (left, top) in zip(fields, images, places):",
        "        field[top:top + 28, left:left + 28] = image",
        "    return fields",
        "",
        "",
        "generator = np.random.RandomState(1)",
        "x_train, x_val, x_test = map(uncenter, (x_train, x_val, x_test))",
    ]


def _drawings_source(spec: RunSpec) -> list[str]:
    if not _drawn(spec):
        return []
    return [
        f'with np.load("{DRAWINGS_FILE}") as file:  # of people, invented, and no digits',
        '    x_train = np.concatenate([x_train, file["images"]])',
        '    y_train = np.concatenate([y_train, file["labels"]])',
    ]


def _labels(settings: Settings) -> list[str]:
    if not settings.categorical:
        return []
    return [
        "y_train, y_val, y_test = (",
        f"    keras.utils.to_categorical(labels, {_outputs(settings)})",
        "    for labels in (y_train, y_val, y_test))",
    ]


def _batches(settings: Settings) -> str:
    augmented = settings.augmentation != "none"
    every = "range(0, len(order), BATCH_SIZE)"
    lines = [
        "",
        "def batches():",
        '    """The training images in the order of the run, epoch after epoch."""',
        "    for epoch in range(EPOCHS):",
        "        order = np.random.default_rng([SEED, epoch]).permutation(len(y_train))",
        f"        for step, start in enumerate({every}):" if augmented else f"        for start in {every}:",
        "            chosen = order[start:start + BATCH_SIZE]",
        f"            images = {'augment(x_train[chosen], [SEED, epoch, step])' if augmented else 'x_train[chosen]'}",
        '            yield images[..., np.newaxis].astype("float32"), y_train[chosen]',
        "",
        "",
    ]
    return "\n".join(lines)


def _limit(settings: Settings) -> str:
    """A callback for limits that Keras has none for."""
    if not (settings.time_budget or settings.target_accuracy):
        return ""
    lines = ["class Limit(keras.callbacks.Callback):", '    """Stops as the run was told to."""']
    if settings.time_budget:
        lines += [
            "",
            "    def on_train_begin(self, logs=None):",
            "        self.began = time.monotonic()",
            "",
            "    def on_train_batch_end(self, batch, logs=None):",
            f"        if time.monotonic() - self.began >= {settings.time_budget!r}:  # seconds",
            "            self.model.stop_training = True",
        ]
    if settings.target_accuracy:
        lines += [
            "",
            "    def on_epoch_end(self, epoch, logs=None):",
            f'        if logs["val_accuracy"] >= {settings.target_accuracy!r}:',
            "            self.model.stop_training = True",
        ]
    return "\n".join([*lines, "", ""])


def _model(settings: Settings) -> str:
    """The network; a layer that transforms nothing linearly shares the line of the one before it."""
    lines = [f"    Input({settings.architecture.input_shape}),"]
    for layer in settings.layers:
        text = _layer(layer)
        heavy = isinstance(layer, Conv2D | DepthwiseConv2D | Dense)
        if not heavy and len(lines[-1]) + len(text) + 2 <= LINE_LENGTH and len(lines) > 1:
            lines[-1] += f" {text},"
        else:
            lines.append(f"    {text},")
    seed = "keras.utils.set_random_seed(SEED)  # of weights and dropout"
    return "\n".join([seed, "model = keras.Sequential([", *lines, "])"])


def _layer(layer: Layer) -> str:
    """As Keras source: what has no default by its place, the rest by name."""
    required = {described.name for described in fields(layer) if described.default is MISSING}
    given = changed_fields(layer).items()
    arguments = [_literal(value) if name in required else f"{name}={_literal(value)}" for name, value in given]
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
    given = []
    if settings.weight_averaging:  # with patience, the averaged weights are to be kept of the best epoch
        given.append(f"keras.callbacks.SwapEMAWeights({'swap_on_epoch=True' if settings.patience else ''}),")
    if settings.patience:
        given += [
            "keras.callbacks.EarlyStopping(",
            *keras_compile.monitor_lines(settings),
            f"    patience={settings.patience}, restore_best_weights=True),",
        ]
    if settings.time_budget or settings.target_accuracy:
        given.append("Limit(),")
    return ["    callbacks=[", *(f"        {line}" for line in given), "    ],"] if given else []


def _ending(settings: Settings) -> str:
    return "\n".join(
        [
            *_share(settings),
            "accuracy = model.evaluate(x_test[..., np.newaxis], y_test, verbose=0)[1]",
            'print(f"test accuracy {accuracy:.4f}")',
            "",
            "figure, both = plt.subplots(1, 2, figsize=(10, 4))",
            'for axes, name in zip(both, ("loss", "accuracy")):',
            '    axes.plot(history[name], "o-", label="training")',
            '    axes.plot(history["val_" + name], "o-", label="validation")',
            '    axes.set(xlabel="epoch", ylabel=name)',
            "    axes.legend()",
            'figure.savefig("curves.png")',
            "",
        ]
    )


def _share(settings: Settings) -> list[str]:
    """As training.assume_share does it: few drawings of people are no digits, and many of those trained on were."""
    if settings.drawings == "none" or _outputs(settings) <= NOT_A_DIGIT:
        return []
    odds = ASSUMED_NON_DIGIT_SHARE / (1 - ASSUMED_NON_DIGIT_SHARE)
    which = "y_train[:, 10] == 1" if settings.categorical else "y_train == 10"
    return [
        f"odds = {odds:.4g} * (1 / np.mean({which}) - 1)  # 1 % will be no digits",
        f"model.layers[-1].bias.assign_add(np.log(odds) * np.eye({_outputs(settings)})[10])",
    ]
