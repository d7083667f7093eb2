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
    for step in range(2, 9):
        report(run, step)
    page.goto(f"{app_url}/train?run={run.id}")
    for shown in eventually(
        page, lambda: curves(page), lambda both: all(len(each.marks[0].rows) == 7 for each in both)
    ):
        assert not shown.of_kind("rule")

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
        page.reload()
