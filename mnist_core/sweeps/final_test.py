"""The look of a sweep at the test images: they score its best model, after everything has been chosen."""

from __future__ import annotations

from typing import Any

from mnist_core.data.mnist import load_mnist
from mnist_core.data.splits import split_mnist, uncenter_test_images
from mnist_core.evaluation.metrics import evaluate
from mnist_core.files.json_reader import read_json
from mnist_core.models.classifier import Classifier
from mnist_core.processes import cpu_count
from mnist_core.runs.card import trained_on
from mnist_core.runs.run import Run
from mnist_core.sweeps.store import Sweep, runs_by_mark


def score_on_test_images(run: Run) -> dict[str, Any]:
    """Evaluates a model on the test images of the data that it was trained on, and completes its card.

    A model that an earlier process of the sweep has tested is not tested again.

    Returns:
        The card.

    Raises:
        DataError: the images cannot be loaded.
        ModelError: the model cannot be loaded.
    """
    card = run.card()
    if "test_accuracy" not in card:
        settings, choice = run.spec().settings, "sample" if trained_on(card) == "sample" else run.spec().data
        parts = split_mnist(load_mnist(choice), settings.split)
        images = uncenter_test_images(parts) if settings.uncentered else parts.x_test
        evaluation = evaluate(Classifier(run.model, cpu_count()).probabilities(images), parts.y_test)
        card = {**card, **evaluation.test_scores()}
        run.write_card(card)
    return card


def count_tested_before(sweep: Sweep, best: Run) -> int:
    """How many other models of the sweep the test images have scored: those that were best before it was extended."""
    retrained = [run for (_, part), run in runs_by_mark(sweep).items() if part and run.id != best.id]
    return sum("test_accuracy" in read_json(run.path / "card.json") for run in retrained)  # `card()` leaves it out
