"""Figures: their guides, their CSV, and charts that are rendered once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import altair
import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.charts import runs as run_charts
from mnist_core.charts.common import encode_csv
from mnist_core.charts.evaluation import ACCEPTED_SERIES, ACCURACY_SERIES
from mnist_core.runs.run import Run
from pages.ui.shared import caches, state
from pages.ui.shared.figure_guides import CURVE_GUIDES, GUIDES
from tests.charts.shown import layers_shown
from tests.support import ROOT

PAGES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "pages").rglob("*.py"))


def test_every_guide_is_short_has_a_term_and_a_source_and_is_used() -> None:
    for name, guide in GUIDES.items():
        assert len(guide.text.split()) <= 80, name
        assert guide.term and re.fullmatch(r"https://\S+", guide.link), name
        assert PAGES.count(f'"{name}"') > 1, f"{name} is used"


def test_csv_of_rows_that_differ_in_their_keys() -> None:
    rows = [{"digit": 7, "share": 0.5}, {"digit": 1, "note": 'a "b", c'}]
    assert encode_csv(rows).decode() == 'digit,share,note\n7,0.5,\n1,,"a ""b"", c"\n'
    assert encode_csv([]) == b"\n"


def test_guides_say_which_way_overfitting_shows() -> None:
    accuracy, loss = GUIDES["accuracy curves"].text, GUIDES["loss curves"].text
    assert "higher is better" in accuracy and "training accuracy rises while validation accuracy falls" in accuracy
    assert "lower is better" in loss and "training loss falls while validation loss rises" in loss
    assert CURVE_GUIDES == {"loss": "loss curves", "accuracy": "accuracy curves"}


def test_the_interval_is_of_the_accuracy_on_all_images() -> None:
    """Another sample's accuracy is within a Wilson interval of 95% in only 83 of 100 cases."""
    text = GUIDES["headline figures"].text
    assert "contain the model's accuracy on all images" in text and "On other images" not in text


def test_the_guide_to_thresholds_uses_the_words_of_the_legend() -> None:
    text = GUIDES["accuracy by threshold"].text.lower()
    assert f"**{ACCURACY_SERIES}**" in text and f"**{ACCEPTED_SERIES}**" in text


def test_a_chart_has_a_finding_and_a_menu_and_without_data_it_is_a_sentence() -> None:
    def show() -> None:
        from mnist_core.charts import runs as run_charts
        from pages.ui.shared import figure

        for key, reports in (
            ("empty", []),
            ("drawn", [{"step": 1, "loss": 2.0}]),
            ("live", [{"step": 1, "loss": 1.0}]),
        ):
            chart = run_charts.run_curves({"a": reports}, "loss", "step")
            figure.show_chart(chart, "Loss", "Loss", "loss curves", key, finding=f"It is *{key}*.", live=key == "live")

    app = AppTest.from_function(show, default_timeout=30).run()
    assert not app.exception
    assert len(app.get("vega_lite_chart")) == 2
    texts = [text.value for text in app.markdown]
    assert r"It is \*empty\*." in texts and r"It is \*drawn\*." in texts
    assert texts.count("**How to read this**") == 1, "the content of a live menu is not sent while it is closed"
    assert [each.proto.label for each in app.get("download_button")] == ["CSV"], "none is added twice a second"
    app.session_state["menu_live"] = True
    assert [text.value for text in app.run().markdown].count("**How to read this**") == 2
    app.session_state[state.PRESENTING] = True
    usual, presented = app.get("vega_lite_chart")[0], app.run().get("vega_lite_chart")[0]
    heights = [json.loads(chart.proto.spec)["height"] for chart in (usual, presented)]
    assert heights[1] == 1.5 * heights[0], "as much as the type"


ROWS: list[dict[str, Any]] = [
    {"step": 10, "loss": 2.0, "accuracy": 0.25, "elapsed": 0.5},
    {"step": 20, "loss": 1.0, "accuracy": 0.5, "elapsed": 1.0, "changed": {"learning_rate": 0.01}},
    {"step": 30, "loss": 0.5, "accuracy": 0.75, "elapsed": 1.5, "val_loss": 0.25, "val_accuracy": 0.875},
]


def test_curve_is_the_chart_and_is_drawn_again_only_when_there_is_more(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    drawn = caches.learning_curve(run, ROWS, "loss", 10.0)
    chart = run_charts.training_curve(ROWS, "loss", 10.0)
    assert {name: table.to_pylist() for name, table in drawn["datasets"].items()} == chart["datasets"]
    assert drawn["layer"] == chart["layer"] and len(drawn["layer"]) == 4, "a rule where something was changed"
    assert caches.learning_curve(run, list(ROWS), "loss", 10.0) is drawn
    assert caches.learning_curve(run, [*ROWS, {**ROWS[2], "step": 40}], "loss", 10.0) is not drawn
    assert caches.learning_curve(run, [*ROWS[:2], {**ROWS[2], "loss": 0.4}], "loss", 10.0) is not drawn, (
        "a resumed run's"
    )
    assert caches.learning_curve(Run(tmp_path / "other"), ROWS, "loss", 10.0) is not drawn


def test_an_update_of_a_live_curve_sends_new_points_for_the_chart_that_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else Streamlit's frontend builds the chart again, and the server checks the whole of it against its schema."""

    def show(count: int) -> None:
        from mnist_core.runs.run import Metrics, Run
        from mnist_core.runs.status import Status
        from pages.ui.train.monitor import show_curves

        rows = tuple({"step": step, "loss": 4 / step, "accuracy": 1 - 1 / step} for step in range(1, count))
        show_curves(Run("run"), Metrics(rows), Status("running", steps=100, epochs=1), live=True)

    def sent(count: int) -> list[Any]:
        return [
            chart.proto
            for chart in AppTest.from_function(show, default_timeout=30, args=(count,)).run().get("vega_lite_chart")
        ]

    before = sent(20)
    monkeypatch.setattr(altair.LayerChart, "to_dict", None)
    after = sent(21)
    assert [(each.spec, each.alt) for each in after] == [(each.spec, each.alt) for each in before] and len(after) == 2
    assert [len(layers_shown(each)[0].rows) for each in after] == [20, 20]
