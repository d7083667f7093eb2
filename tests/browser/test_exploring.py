"""Building a network and searching its settings, in a real browser against the real app."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.networks.library import save_network
from mnist_core.runs.run import Run, sweep_mark
from mnist_core.sweeps.store import list_sweeps
from tests.browser.test_flows import SECONDS, choose, settled

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: Browser, app_url: str) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as browser:
        yield browser.new_page()


def opened(page: Page, url: str, heading: str) -> None:
    page.goto(url)
    expect(page.get_by_role("heading", name=heading)).to_be_visible(timeout=30 * SECONDS)
    settled(page)


def test_a_network_is_built_broken_repaired_undone_and_sent_by_link(
    page: Page, chromium: Browser, app_url: str
) -> None:
    opened(page, f"{app_url}/train?mode=expert", "Train a network")
    page.get_by_text("Custom network", exact=True).click()
    settled(page)
    choose(page, "Start from", "recipe lesson08-mlp")
    page.get_by_role("button", name="Load", exact=True).click()
    settled(page)
    whole = page.get_by_text(re.compile(r"^\d+ layers, [\d,]+ parameters")).inner_text()

    page.locator("label").filter(has_text=re.compile(r"^\d+ Flatten")).click()
    settled(page)
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("which do not fit together yet")).to_be_visible(timeout=20 * SECONDS)
    fix = page.get_by_role("button", name=re.compile("Insert Flatten", re.I)).first
    expect(fix).to_be_visible(timeout=20 * SECONDS)
    fix.click()
    expect(page.get_by_text(whole)).to_be_visible(timeout=20 * SECONDS)
    settled(page)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_text("which do not fit together yet")).to_be_visible(timeout=20 * SECONDS)
    settled(page)
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(page.get_by_text(whole)).to_be_visible(timeout=20 * SECONDS)
    settled(page)

    page.get_by_role("tab", name="Share").click()
    page.get_by_text("Link to these settings").click()
    link = page.get_by_text(re.compile("[?&]net=")).inner_text()
    with chromium.new_context(viewport={"width": 390, "height": 900}) as phone:
        other = phone.new_page()
        opened(other, f"{link.strip()}&mode=expert", "Train a network")
        expect(other.get_by_text(whole)).to_be_visible(timeout=30 * SECONDS)


def fill_in(page: Page, label: str, value: str) -> None:
    """Types into a field and waits until the page has taken it."""
    field = page.locator("input").and_(page.get_by_label(label, exact=True))
    field.fill(value)
    field.press("Enter")
    settled(page)


def test_a_sweep_runs_until_its_best_trial_reads_a_drawing(
    page: Page, app_url: str, app_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two trials with TPE. tests/sweeps has the other samplers, and sweeps that fail, pause and resume."""
    monkeypatch.setenv("DIGITLAB_RUNS", str(app_home / "runs"))
    network = save_network("tiny", (Rescaling(1 / 255), Flatten(), Dense(10, "softmax")))
    others = {sweep.id for sweep in list_sweeps()}
    opened(page, f"{app_url}/sweep?mode=expert", "Sweeps")
    page.get_by_text("Custom sweep", exact=True).click()
    settled(page)
    choose(page, "Base", f"saved network: {network.name}")
    choose(page, "Data set", "offline sample")
    fill_in(page, "Trials", "2")
    fill_in(page, "Epochs per trial", "1")
    page.get_by_role("slider", name="Learning rate, log scale").first.press("ArrowRight")
    settled(page)
    page.get_by_role("button", name="Start sweep", exact=True).click()
    expect(page.get_by_text(re.compile("of 2 trials"))).to_be_visible(timeout=60 * SECONDS)
    expect(page.get_by_role("heading", name="Best trial")).to_be_visible(timeout=240 * SECONDS)

    (sweep,) = (each for each in list_sweeps() if each.id not in others)
    trials = sweep.trials()
    assert [str(dimension) for dimension in sweep.plan().space] == [
        "learning_rate=0.0003..0.1:log",
        "batch_size=32,128,512",
    ]
    assert [row["trial"] for row in trials] == [0, 1]
    assert all(row["state"] in ("finished", "pruned") for row in trials)
    assert len({row["run"] for row in trials}) == 2
    for row in trials:
        mark = sweep_mark(Run(sweep.root / row["run"]))
        assert (mark["sweep"], mark["trial"]) == (sweep.id, row["trial"])
    assert len(sweep.retrained_best()["runs"]) == 3

    page.get_by_role("link", name="Draw a digit for this model").click()
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible(timeout=30 * SECONDS)
    expect(page.get_by_role("combobox", name="Model")).to_have_value(
        re.compile("best of the sweep"), timeout=30 * SECONDS
    )
