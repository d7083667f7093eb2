"""What charts show in the browser, in the states that the controls bring about. The runs are ready-made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from mnist_core.runs.run import Run, write_stamped_status
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status
from mnist_core.runs.store import create_run
from tests.browser.chart_reader import Shown, read_chart
from tests.browser.ready_runs import finished_run, finished_sweep
from tests.browser.screens import wait_until_shown

pytestmark = pytest.mark.browser
SECONDS = 1000.0


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield context.new_page()


def curves(page: Page) -> list[Shown]:
    """The charts of loss and accuracy of the run on the Train page."""
    charts = page.locator(".st-key-figure_loss_chart, .st-key-figure_accuracy_chart").get_by_test_id("stVegaLiteChart")
    expect(charts).to_have_count(2, timeout=30 * SECONDS)
    return [read_chart(chart) for chart in charts.all()]


def eventually(page: Page, look: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
    """Looks until it sees what is wanted, for ten seconds at most."""
    for _ in range(40):
        seen = look()
        if wanted(seen):
            break
        page.wait_for_timeout(250)
    assert wanted(seen), seen
    return seen


def report(run: Run, step: int, **more: Any) -> None:
    """Appends what a worker reports: loss falls, accuracy rises."""
    run.append_metrics({"step": step, "epoch": step // 10, "loss": 2 / step, "accuracy": 1 - 1 / step, **more})


def test_curves_of_a_run_stay_when_a_setting_is_changed_while_it_trains(
    page: Page, app_url: str, app_home: Path
) -> None:
    run = create_run(make_spec("fast", {"epochs": 2}, "sample"), root=app_home / "runs")
    write_stamped_status(run, Status("running", "Training.", 0, 2, 8, 20, data="sample"))
    estimate = {"estimated_val_loss": 0.4, "estimated_val_accuracy": 0.7}
    for step in range(2, 9):
        report(run, step, **(estimate if step == 5 else {}))
    page.goto(f"{app_url}/train?run={run.id}")
    for shown in eventually(
        page, lambda: curves(page), lambda both: all(len(each.marks[0].rows) == 7 for each in both)
    ):
        assert not shown.of_kind("rule")
        thin, small = shown.of_kind("line")[-1], shown.of_kind("symbol")[-1]
        assert len(thin.rows) == len(small.rows) == 1, "an estimate, before the first epoch has ended"

    report(run, 9, changed={"learning_rate": 0.01})
    report(run, 10, val_loss=0.3, val_accuracy=0.8)
    write_stamped_status(run, Status("running", "Training.", 1, 2, 10, 20, data="sample"))
    for state in ("running", "finished"):
        write_stamped_status(run, Status(state, "Training.", 1, 2, 10, 20, data="sample"))
        for shown, measure in zip(
            eventually(page, lambda: curves(page), lambda both: all(each.of_kind("rule") for each in both)),
            ("loss", "accuracy"),
            strict=True,
        ):
            training, *_ = shown.of_kind("line")
            expected = [2 / step if measure == "loss" else 1 - 1 / step for step in range(2, 11)]
            assert [row["value"] for row in training.rows] == expected
            assert training.colors != shown.of_kind("rule")[0].colors
            assert training.right - training.left > 0.7 * shown.width  # from epoch 0.2 to 1
            assert training.bottom - training.top > 0.5 * shown.height
            assert [len(rules.rows) for rules in shown.of_kind("rule")] == [1]
            validation = shown.of_kind("symbol")[-1]
            assert len(validation.rows) == 1 and validation.right <= shown.width + 10
            thin, small = shown.of_kind("line")[-1], shown.of_kind("symbol")[-2]
            assert [row["value"] for row in thin.rows] == ([0.4, 0.3] if measure == "loss" else [0.7, 0.8])
            assert thin.colors == small.colors == validation.colors != training.colors
            assert thin.left < 0.55 * shown.width and thin.right > 0.95 * shown.width  # to the dot of the epoch
            assert small.right - small.left < 0.7 * (validation.right - validation.left)
            assert shown.legend == ["training", "validation"]
        page.reload()


def test_curves_of_several_runs_with_each_control_and_as_files(page: Page, app_url: str, app_home: Path) -> None:
    ids = [finished_run(app_home / "runs", accuracy).id for accuracy in (0.9901, 0.9905)]
    page.goto(f"{app_url}/runs?mode=expert&compare={','.join(ids)}")
    card = page.locator(".st-key-figure_overlay")
    chart = card.get_by_test_id("stVegaLiteChart")

    def lines(points: int) -> Shown:
        """Waits for two lines of `points` points each. They must stay inside the plot, and its labels must differ."""
        shown: Shown = eventually(
            page, lambda: read_chart(chart), lambda shown: [len(m.rows) for m in shown.of_kind("line")] == [points] * 2
        )
        first, second = shown.of_kind("line")
        assert first.colors != second.colors and len(shown.legend) == 2
        for line in (first, second):
            assert -1 <= line.left < line.right <= shown.width + 1
            assert -1 <= line.top <= line.bottom <= shown.height + 1
        for axis in shown.axes:
            labels = list(filter(None, axis.ticks))
            assert axis.title and len(labels) >= 2 and len(set(labels)) == len(labels), axis
        return shown

    assert lines(2).axes[-1].ticks[-1].endswith("%")
    wait_until_shown(page)
    option = page.get_by_role("option", name="training loss")
    for _ in range(10):
        if option.is_visible():
            break
        page.get_by_role("combobox", name="Metric").click()
        page.wait_for_timeout(500)  # a rerun of the page that has just opened closes the menu
    option.click()
    linear = lines(10)
    page.get_by_text("Log scale").click()
    wait_until_shown(page)
    logarithmic = eventually(page, lambda: lines(10), lambda shown: shown.axes != linear.axes)
    assert [row["y"] for row in logarithmic.of_kind("line")[0].rows] == [1 / step for step in range(1, 11)]

    card.get_by_role("button", name="How to read this").click()
    expect(page.get_by_text("lower is better")).to_be_visible()
    files = {}
    for kind in ("PNG", "SVG"):
        with page.expect_download() as download:
            page.locator(".lab-export", has_text=kind).click()
        files[download.value.suggested_filename] = Path(download.value.path()).read_bytes()
    assert files["overlay.png"].startswith(b"\x89PNG") and len(files["overlay.png"]) > 5000
    assert b"<svg" in files["overlay.svg"] and b"Training loss" in files["overlay.svg"]


def test_charts_of_a_sweep_show_each_trial(page: Page, app_url: str, app_home: Path) -> None:
    page.goto(f"{app_url}/sweep?mode=expert&sweep={finished_sweep(app_home / 'runs').id}")
    page.locator(".st-key-figure_sweep_contour").get_by_test_id("stVegaLiteChart").wait_for(timeout=30 * SECONDS)
    wait_until_shown(page)

    def marks(key: str, kind: str) -> list[int]:
        """How many marks, or points of a line, each layer of a chart shows; all of them in sight."""
        shown = read_chart(page.locator(f".st-key-figure_{key}").get_by_test_id("stVegaLiteChart"))
        found = shown.of_kind(kind)
        assert all(-15 <= each.left <= each.right <= shown.width + 15 for each in found), (key, found)
        assert all(-15 <= each.top <= each.bottom <= shown.height + 15 for each in found), (key, found)
        return [len(each.rows) for each in found]

    assert marks("sweep_contour", "symbol") == [4]  # the pruned trial is left out
    assert marks("sweep_parallel", "line") == [3] * 5
    assert marks("sweep_best_number", "symbol") == [5]
    assert marks("sweep_best_number", "line") == [5]
    assert marks("sweep_curves", "line") == [2] * 5
    assert marks("sweep_slice_chart", "symbol") == [5]


def test_every_axis_of_parallel_coordinates_has_its_name_on_a_phone(
    chromium: Browser, app_url: str, app_home: Path
) -> None:
    with chromium.new_context(viewport={"width": 390, "height": 844}) as phone:
        page = phone.new_page()
        page.goto(f"{app_url}/sweep?mode=expert&sweep={finished_sweep(app_home / 'runs').id}")
        chart = page.locator(".st-key-figure_sweep_parallel").get_by_test_id("stVegaLiteChart")
        chart.wait_for(timeout=30 * SECONDS)
        wait_until_shown(page)
        (axis,) = read_chart(chart).axes
        assert axis.ticks == ["learningrate", "batchsize", "Validationaccuracy"], "a word in each line"
        box = chart.bounding_box()
        assert box is not None
        for name in chart.locator(".role-axis-label text").all():
            edges = name.bounding_box()
            assert edges is not None
            assert box["x"] <= edges["x"] and edges["x"] + edges["width"] <= box["x"] + box["width"]
