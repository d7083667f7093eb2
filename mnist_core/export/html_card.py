"""The model card on an exported HTML page, as plain text."""

from __future__ import annotations

from typing import Any, Literal

from mnist_core.constants import NUM_CLASSES
from mnist_core.data.mnist import DATA_SETS
from mnist_core.models.classifier import DEFAULT_MODEL, SHIPPED_NAME
from mnist_core.runs.card import trained_on
from mnist_core.runs.imports import ImportMark, read_import
from mnist_core.runs.labels import read_label, run_title
from mnist_core.runs.model_card import load_spec
from mnist_core.runs.run import Run
from mnist_core.runs.spec import OWN, RunSpec
from mnist_core.wording import plural

PagePrecision = Literal["float16", "int8"]
"""Of the weights in a page."""
PRECISIONS: dict[PagePrecision, str] = {"float16": "16-bit floats", "int8": "8-bit integers"}
"""PagePrecision -> what the weights are stored as."""
DATA_TITLES = {
    "full": "MNIST (handwritten digits)",
    "sample": "5,000 digits of MNIST (handwritten digits)",
    "custom": "images provided by its author",
}
"""Data set of a card -> its name. The path of a file stays private."""
TEST_IMAGES = {"full": "MNIST's test images", "sample": "1,000 test images of MNIST"}
"""Data set of a card -> what its test accuracy was measured on."""


def is_shipped(run: Run) -> bool:
    """True for the folder of the model that comes with Digit Lab."""
    return run.path == DEFAULT_MODEL.parent


def model_title(run: Run) -> str:
    """The name of a run's model."""
    return SHIPPED_NAME if is_shipped(run) else run_title(run)


def credited_data(run: Run) -> list[str]:
    """The training data whose authors the page credits: `mnist`, `drawings`."""
    is_mnist = trained_on(run.card()) in DATA_SETS
    has_drawings = load_spec(run.path).settings.drawings != "none"
    return ["mnist"] * is_mnist + ["drawings"] * has_drawings


def card_rows(run: Run, precision: PagePrecision, size: int) -> dict[str, str]:
    """The rows of the model card.

    Args:
        run: with a model.
        precision: of the weights in the page.
        size: of these weights, in bytes.

    Returns:
        Term -> text.

    Raises:
        RunError, ModelError: the run cannot be read.
    """
    spec, card, note = load_spec(run.path), run.card(), read_label(run).note.strip()
    architecture = spec.settings.architecture
    rejects = architecture.summary()[-1].output_shape[-1] > NUM_CLASSES
    rows = {
        "Note": note,
        "Recipe": f"{spec.recipe}{', with a custom network' if spec.kind == OWN else ''}",
        "Parameters": f"{architecture.parameters:,}",
        "Recognizes": f"the digits 0 to 9{', and drawings that are not a digit' if rejects else ''}",
        "Trained on": _training_data(spec, card),
        "Accuracy": _accuracy(card, read_import(run.path)),
        "Weights": f"{PRECISIONS[precision]}, {size / 1e6:.1f} MB. {_rounding_note(run, card, precision)}",
        "Date": card.get("date", ""),
    }
    return {term: text.strip() for term, text in rows.items() if text.strip()}


def _training_data(spec: RunSpec, card: dict[str, Any]) -> str:
    parts = [DATA_TITLES.get(trained_on(card), DATA_TITLES["custom"])]
    if spec.settings.drawings != "none":
        parts.append("drawings")
    if taught := card.get("taught"):
        parts.append(plural(taught["drawings"], "corrected drawing"))
    return " and ".join(parts) if len(parts) < 3 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _accuracy(card: dict[str, Any], imported: ImportMark | None) -> str:
    """The accuracy on test images, or on validation images if the model is not tested, and its source if unchecked."""
    measured = imported.measured if imported else {}
    scores = {**card, **measured}
    data = measured["data"] if measured else trained_on(card)
    source = ", as reported by its author (not checked)" if imported and not measured else ""
    if (accuracy := scores.get("test_accuracy")) is not None:
        return f"{accuracy:.2%} on {TEST_IMAGES.get(data, 'the test images')}{source}"
    if (accuracy := scores.get("val_accuracy")) is not None:
        return f"{accuracy:.2%} on the validation images{source}"
    return ""


def _rounding_note(run: Run, card: dict[str, Any], precision: PagePrecision) -> str:
    """The accuracy with rounded weights, which `benchmarks/shipped/browser.py` measures for the shipped model."""
    measured = card.get("browser", {}).get(precision) if is_shipped(run) else None
    if not measured:
        return "Their effect on accuracy was not measured for this model." if precision == "int8" else ""
    return (
        f"With these weights, accuracy on MNIST's test images is {measured['test_accuracy']:.2%}, and "
        f"{measured['same_digit']:,} of {measured['images']:,} predictions equal those of the original model."
    )
