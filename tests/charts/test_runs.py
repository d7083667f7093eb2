"""Charts of runs: which points each layer shows, in the states that the controls of a run bring about."""

from __future__ import annotations

from typing import Any

import pytest
import streamlit as st

from mnist_core.charts import runs as charts
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
