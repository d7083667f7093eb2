"""The part of the Keras script that loads the data: data set, split, drawings, labels, and batches in the run's order.

All functions return source code. It does what `data.splits` and `training.batches` do with the same settings.
"""

from __future__ import annotations

from mnist_core.recipes.settings import Settings

SAMPLE_FILE = "mnist.npz"
"""Next to the script of a run that was trained on the offline sample."""

DRAWINGS_FILE = "drawings.npz"
"""Next to the script of a run that was trained on drawings."""

_READ_FILE = """\
file = np.load({path})
x_train, y_train = file["x_train"], file["y_train"]
x_test, y_test = file["x_test"], file["y_test"]
"""

_DOWNLOAD = """\
if len(sys.argv) > 1:  # a file like Keras's mnist.npz
    file = np.load(sys.argv[1])
    x_train, y_train = file["x_train"], file["y_train"]
    x_test, y_test = file["x_test"], file["y_test"]
else:
    (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
"""

_LAST_PART = """\
cut = len(y_train) * {kept} // {of}  # the rest is for validation
x_val, y_val = x_train[cut:], y_train[cut:]
x_train, y_train = x_train[:cut], y_train[:cut]
"""

_SPLITS = {
    "last-sixth": _LAST_PART.format(kept=5, of=6),
    "last-fifth": _LAST_PART.format(kept=4, of=5),
    "test-as-validation": "x_val, y_val = x_test, y_test\n",
    "half-test": """\
order = np.random.RandomState(1).permutation(len(y_test))
test, val = np.split(order, [-(-len(order) // 2)])  # one half each
x_val, y_val = x_test[val], y_test[val]
x_test, y_test = x_test[test], y_test[test]
""",
}
"""Name of a split in data.splits.SPLITS -> source code that does the same."""

_UNCENTER = '''

def uncenter(images):
    """Places each digit at random in a black image of 56×56 pixels."""
    fields = np.zeros((len(images), 56, 56), "uint8")
    corners = generator.randint(0, 28, (len(images), 2))
    for field, image, (left, top) in zip(fields, images, corners):
        field[top:top + 28, left:left + 28] = image
    return fields


generator = np.random.RandomState(1)
x_train, x_val, x_test = map(uncenter, (x_train, x_val, x_test))
'''

_ADD_DRAWINGS = f"""\
with np.load("{DRAWINGS_FILE}") as file:  # more digits, and non-digits
    x_train = np.concatenate([x_train, file["images"]])
    y_train = np.concatenate([y_train, file["labels"]])
"""

_ONE_HOT = """\
y_train, y_val, y_test = (
    keras.utils.to_categorical(labels, {outputs})
    for labels in (y_train, y_val, y_test))
"""

_BATCHES = '''
def batches():
    """Yields the training batches in the same order as in the run."""
    for epoch in range(EPOCHS):
        order = np.random.default_rng([SEED, epoch]).permutation(len(y_train))
        for {loop}:
            chosen = order[start:start + BATCH_SIZE]
            images = {images}
            yield images[..., np.newaxis].astype("float32"), y_train[chosen]

'''


def data_source(dataset: str, settings: Settings, outputs: int) -> str:
    """Loads and splits the data.

    Args:
        dataset: `full`, `sample` or `custom`.
        settings: of the run.
        outputs: of the network.
    """
    if dataset == "full":
        source = _DOWNLOAD
    elif dataset == "sample":
        path = f'sys.argv[1] if len(sys.argv) > 1 else "{SAMPLE_FILE}"'
        source = f"path = {path}\n" + _READ_FILE.format(path="path")
    else:
        source = _READ_FILE.format(path="sys.argv[1]")
    source += _SPLITS[settings.split]
    if settings.uncentered:
        source += _UNCENTER
    if settings.drawings != "none":
        source += _ADD_DRAWINGS
    if settings.categorical:
        source += _ONE_HOT.format(outputs=outputs)
    return source


def batches_source(settings: Settings) -> str:
    """Defines the generator `batches()`."""
    if settings.augmentation == "none":
        return _BATCHES.format(loop="start in range(0, len(order), BATCH_SIZE)", images="x_train[chosen]")
    return _BATCHES.format(
        loop="step, start in enumerate(range(0, len(order), BATCH_SIZE))",
        images="augment(x_train[chosen], [SEED, epoch, step])",
    )
