"""Reproductions as rows of a table for people, and as JSON."""

from __future__ import annotations

from typing import Any

from mnist_core.evaluation.repeats import Sample
from mnist_core.evaluation.significance import format_p_value
from mnist_core.reproduction.comparison import Reproduction

COLUMNS = ("recipe", "measured on", "published", "Digit Lab", "plain Keras", "differ", "one training", "published is")
"""Headers of `table_row`. Accuracies are in percent."""


def table_row(found: Reproduction) -> dict[str, str]:
    """The cells of a reproduction by their header; `-` for what is not known yet."""
    return {
        "recipe": found.recipe.name,
        "measured on": found.measured_on,
        "published": "-" if found.published is None else f"{100 * found.published:.2f}",
        "Digit Lab": format_sample(found.ours),
        "plain Keras": format_sample(found.keras),
        "differ": _verdict(found),
        "one training": _interval(found.prediction_interval),
        "published is": found.published_position or "-",
    }


def format_sample(sample: Sample | None) -> str:
    """Mean, confidence interval and number of trainings, in percent: `98.92 ± 0.11 (5)`."""
    if sample is None:
        return "-"
    half_width = "" if sample.half_width is None else f" ± {100 * sample.half_width:.2f}"
    return f"{100 * sample.mean:.2f}{half_width} ({sample.count})"


def _interval(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else f"{100 * interval[0]:.2f} to {100 * interval[1]:.2f}"


def _verdict(found: Reproduction) -> str:
    if found.p_value is None:
        return "-"
    return f"{'yes' if found.differ else 'no'}, {format_p_value(found.p_value)}"


def to_json(found: Reproduction) -> dict[str, Any]:
    """A reproduction as `reproduce --seeds --json` prints it. Accuracies are 0..1."""
    return {
        "recipe": found.recipe.name,
        "measured_on": found.measured_on,
        "published": found.recipe.published.text if found.recipe.published else None,
        "published_accuracy": found.published,
        "digitlab": _sample_to_json(found.ours),
        "keras": _sample_to_json(found.keras),
        "p_value": found.p_value,
        "differ": found.differ,
        "one_training": found.prediction_interval,
        "published_is": found.published_position or None,
    }


def _sample_to_json(sample: Sample | None) -> dict[str, Any] | None:
    if sample is None:
        return None
    return {"mean": sample.mean, "half_width": sample.half_width, "trainings": sample.count}
