"""Charts of runs: which points each layer shows, in the states that the controls of a run bring about."""

from __future__ import annotations

from typing import Any

import pytest
import streamlit as st

from mnist_core.charts import runs as charts
from mnist_core.charts.axes import decimals
from pages.ui.shared import caches
from tests.charts.shown import layers_shown


def reports(count: int, changed: bool) -> list[dict[str, Any]]:
    """Reports of four steps each, validated after every eighth step; the third changes a setting if asked to."""
    rows = [{"step": 4 * index, "loss": 2 / index, "accuracy": 1 - 1 / index} for index in range(1, count + 1)]
    for row in rows[1::2]:
        row |= {"val_loss": row["loss"] + 0.1, "val_accuracy": row["accuracy"] - 0.01}
    if changed:
        rows[2] |= {"changed": {"learning_rate": 0.01}}
    return rows


@pytest.mark.parametrize("measure", ["loss", "accuracy"])
@pytest.mark.parametrize("count", [1, 10])
@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("rendered", [False, True])
def test_curves_of_a_run_show_its_reports_before_and_after_a_change(
    measure: str, count: int, changed: bool, rendered: bool
) -> None:
    changed = changed and count > 2
    rows = reports(count, changed)
    draw = lambda: charts.training_curve(rows, measure, 8)  # noqa: E731
    st.cache_resource.clear()
    for _ in range(2):  # the second time from the cache
        layers = layers_shown(caches.rendered_chart("test", draw) if rendered else draw())
        line = layers[0]
        assert line.mark == "line"
        assert [(row["epoch"], row["value"]) for row in line.rows if row["series"] == "training"] == [
            (row["step"] / 8, row[measure]) for row in rows
        ]
        validated = [row[f"val_{measure}"] for row in rows if f"val_{measure}" in row]
        assert [row["value"] for row in line.rows if row["series"] == "validation"] == validated
        rules = [layer for layer in layers if layer.mark == "rule"]
        assert [rule.rows for rule in rules] == [[{"epoch": 1.5, "what": "learning rate 0.01"}]] * changed


def estimated_reports(epochs: int, first: float = 3.0) -> list[dict[str, Any]]:
    """Epochs of four steps: two have an estimate, the last one the validation; then half an epoch."""
    rows: list[dict[str, Any]] = []
    for step in range(1, 4 * epochs + 4):
        row = {"step": step, "epoch": step / 4, "elapsed": 0.5 * step, "loss": 2 / step, "accuracy": 1 - 1 / step}
        name = "val" if step % 4 == 0 else "estimated_val"
        if step % 4 != 1:
            row |= {f"{name}_loss": first / step, f"{name}_accuracy": 1 - 0.9 / step}
        rows.append(row)
    return rows


def validation_of(rows: list[dict[str, Any]], measure: str, *names: str) -> list[tuple[float, float]]:
    """Place and value of the results or estimates with these names, in order."""
    return [(row["epoch"], row[f"{name}_{measure}"]) for row in rows for name in names if f"{name}_{measure}" in row]


@pytest.mark.parametrize("measure", ["loss", "accuracy"])
@pytest.mark.parametrize(("epochs", "live"), [(0, True), (1, False), (3, True)])
def test_estimates_are_a_thin_light_line_from_dot_to_dot(measure: str, epochs: int, live: bool) -> None:
    """In the first epoch, of a finished one-epoch run, and in the fourth epoch."""
    rows = estimated_reports(epochs) if live else estimated_reports(epochs)[:4]
    line, hover, thin, small, dots = layers_shown(charts.training_curve(rows, measure, 4))
    assert [layer.mark for layer in (line, thin, small, dots)] == ["line", "line", "circle", "circle"]
    estimates, results = validation_of(rows, measure, "estimated_val"), validation_of(rows, measure, "val")
    assert [(row["epoch"], row["value"]) for row in small.drawn] == estimates and estimates
    assert [(row["epoch"], row["value"]) for row in dots.drawn] == results and len(results) == epochs
    assert sorted((row["epoch"], row["value"]) for row in thin.drawn) == sorted(estimates + results)
    assert {row["series"] for row in line.drawn} <= {"training", "validation"}
    assert len(line.drawn) == len(rows) + epochs and len(hover.drawn) == len(rows)
    assert thin.style["strokeWidth"] < line.style["strokeWidth"] and small.style["size"] < dots.style["size"]
    assert thin.style["opacity"] < 1 and small.style["opacity"] < 1 == dots.style["opacity"]
    colors = {layer.encoding["color"]["value"] for layer in (thin, small)}
    scale = dots.encoding["color"]["scale"]
    assert colors == {dict(zip(scale["domain"], scale["range"], strict=True))["validation"]}, "one line, in its color"


def test_a_loss_of_a_network_that_has_hardly_begun_does_not_flatten_the_curve() -> None:
    usual, huge = (layers_shown(charts.training_curve(estimated_reports(1, first), "loss", 4)) for first in (1.0, 90.0))
    assert "domainMax" not in usual[0].encoding["y"]["scale"]
    rows = estimated_reports(1, 90.0)
    assert huge[0].encoding["y"]["scale"]["domainMax"] == max(
        value for row in rows for name, value in row.items() if name in ("loss", "val_loss")
    )
    assert huge[2].style["clip"] and huge[3].style["clip"]
    shown = [value for row in rows for name, value in row.items() if name in ("loss", "val_loss")]
    assert f".{decimals(shown)}f" in huge[0].encoding["y"]["axis"]["labelExpr"]


@pytest.mark.parametrize("smoothing", [0.0, 0.9])
@pytest.mark.parametrize("logarithmic", [False, True])
@pytest.mark.parametrize("axis", list(charts.CURVE_AXES))
def test_runs_are_compared_with_their_estimates_behind_the_results(
    axis: str, logarithmic: bool, smoothing: float
) -> None:
    curves = {"a": estimated_reports(3), "b": estimated_reports(2, 2.0), "old": reports(8, False)}
    curves["a"][2]["estimated_val_loss"] = 0.0  # has no logarithm
    curves["old"] = [{**row, "epoch": row["step"] / 4, "elapsed": 1.0} for row in curves["old"]]
    thin, line = layers_shown(charts.run_curves(curves, "val_loss", axis, smoothing, logarithmic))
    for name in "ab":
        raw = [
            (row[axis], value)
            for row in curves[name]
            if (value := row.get("val_loss", row.get("estimated_val_loss"))) is not None and (value or not logarithmic)
        ]
        assert [(row["x"], row["y"]) for row in thin.drawn if row["run"] == name] == raw, "never smoothed"
        results = [(row[axis], row["val_loss"]) for row in curves[name] if "val_loss" in row]
        smoothed = charts.smooth_values([value for _, value in results], smoothing)
        assert [(row["x"], row["y"]) for row in line.drawn if row["run"] == name] == list(
            zip((place for place, _ in results), smoothed, strict=True)
        )
    assert {row["run"] for row in thin.drawn} == {"a", "b"} and {row["run"] for row in line.drawn} == {*curves}
    assert thin.style["strokeWidth"] < line.style["strokeWidth"] and thin.style["opacity"] < 1 and thin.style["clip"]
    results = [row["y"] for row in line.drawn]
    assert line.encoding["y"]["scale"]["domain"] == [min(results), max(results)]


def test_the_first_epoch_is_compared_by_estimates_alone_and_old_runs_as_ever() -> None:
    (thin,) = layers_shown(charts.run_curves({"a": estimated_reports(0)}, "val_accuracy", "epoch"))
    assert [(row["x"], row["y"]) for row in thin.drawn] == validation_of(
        estimated_reports(0), "accuracy", "estimated_val"
    )
    assert "domain" not in thin.encoding["y"]["scale"] and "tickMinStep" not in thin.encoding["x"]["axis"]
    old = [{**row, "epoch": row["step"] / 4} for row in reports(4, False)]
    (line,) = layers_shown(charts.run_curves({"a": old}, "val_accuracy", "epoch"))
    assert not line.filters and "domain" not in line.encoding["y"]["scale"] and len(line.rows) == 2
    for metric in ("loss", "accuracy"):
        (line,) = layers_shown(charts.run_curves({"a": estimated_reports(2)}, metric, "epoch"))
        assert len(line.rows) == 11, "training has no estimates"
        assert [layer.mark for layer in layers_shown(charts.training_curve(old, metric, 4))] == [
            "line",
            "circle",
            "circle",
        ]
